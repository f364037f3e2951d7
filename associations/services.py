"""The one flow: log → PUT → log. The only writers of the audit log.

No database transaction stays open around HTTP, and nothing reaches HubSpot that was not committed
to the log first.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.signals import setting_changed
from django.db import DatabaseError, IntegrityError, transaction
from django.dispatch import receiver
from django.utils import timezone

from hubadmin import __version__

from .hubspot.answers import Answer, Attempt, conclude, read_answer
from .hubspot.client import HubSpotClient, default_association_path
from .hubspot.outcomes import Cause, Outcome
from .models import AssociationAttempt, AssociationRequest

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)

ENTRY_BODY_LENGTH = 64 * 1024  # characters; the attempt has the whole
CLOSING_GRACE = timedelta(seconds=10)


class LogUnavailableError(Exception):
    """The audit log could not be written, so nothing was sent."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    client_ip: str | None = None
    user_agent: str = ""
    request_id: str = ""


@lru_cache(maxsize=1)
def hubspot_client() -> HubSpotClient:
    """Return this process's client: one session, its pool as large as the threads that share it."""
    return HubSpotClient(
        base_url=settings.HUBSPOT_API_BASE_URL,
        token=settings.HUBSPOT_ACCESS_TOKEN,
        api_version=settings.HUBSPOT_API_VERSION,
        proxy_url=settings.HUBSPOT_PROXY_URL,
        ca_bundle=settings.HUBSPOT_CA_BUNDLE,
        pool_size=settings.WEB_THREADS,
        user_agent=f"hubadmin/{__version__}",
    )


@receiver(setting_changed)
def _forget_client(*, setting: str, **kwargs: object) -> None:
    if setting.startswith("HUBSPOT_"):
        hubspot_client.cache_clear()


def create_association(
    *,
    user: "User",
    from_object_type: str,
    from_object_id: str,
    to_object_type: str,
    to_object_id: str,
    reason: str = "",
    submit_token: str = "",
    origin: Origin | None = None,
) -> AssociationRequest:
    """Link two records and return the log entry, closed.

    Types in canonical form, ids as digits (the form sees to it; anything else is a ValueError and
    never sent). The same `submit_token` with the same fields is the same submit: its entry comes
    back as it stands, and nothing is sent again. Raises LogUnavailableError. If the log fails only
    later, the entry comes back as `sending`; close_abandoned() closes it by what is known.
    """
    association = {
        "from_object_type": from_object_type,
        "from_object_id": from_object_id,
        "to_object_type": to_object_type,
        "to_object_id": to_object_id,
    }
    default_association_path(**association)  # a ValueError comes before anything is logged
    entry, created = open_request(
        user=user,
        submit_token=submit_token,
        origin=origin or Origin(),
        reason=reason,
        **association,
    )
    if not created:
        return entry
    try:
        return send_request(entry)
    except DatabaseError:
        logger.exception("the log could not be written after sending", extra={"entry": entry.pk})
        return entry


def open_request(
    *, user: "User", submit_token: str, origin: Origin, **fields: str
) -> tuple[AssociationRequest, bool]:
    """Commit the entry, `sending`; or return the one this submit already has, and False.

    Raises LogUnavailableError.
    """
    now = timezone.now()
    entry = AssociationRequest(
        user=user,
        user_name=user.name,
        user_email=user.email,
        api_version=settings.HUBSPOT_API_VERSION,
        outcome=Outcome.SENDING,
        created_at=now,
        sent_at=now,
        submit_key=_submit_key(submit_token, fields),
        **asdict(origin),
        **fields,
    )
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
        return entry, True
    except IntegrityError as error:
        first = AssociationRequest.objects.filter(user=user, submit_key=entry.submit_key).first()
        if entry.submit_key and first:
            return first, False
        problem = error
    except DatabaseError as error:
        problem = error
    logger.error("the log could not be written", exc_info=problem)
    raise LogUnavailableError from problem


def send_request(entry: AssociationRequest) -> AssociationRequest:
    """Ask HubSpot for the link, log each attempt as it ends, and close the entry."""
    answer = hubspot_client().create_default_association(
        from_object_type=entry.from_object_type,
        from_object_id=entry.from_object_id,
        to_object_type=entry.to_object_type,
        to_object_id=entry.to_object_id,
        on_attempt=_attempt_recorder(entry),
    )
    return close_request(entry, answer)


def close_request(entry: AssociationRequest, answer: Answer) -> AssociationRequest:
    """Close the entry by this answer, unless somebody was first; return it as it now stands."""
    values = asdict(answer) | {
        "body": answer.body[:ENTRY_BODY_LENGTH],
        "outcome": answer.verdict.outcome,
        "finished_at": timezone.now(),
    }
    still_open = AssociationRequest.objects.filter(pk=entry.pk, outcome=Outcome.SENDING)
    if not still_open.update(**values):
        logger.warning("request was closed already", extra={"entry": entry.pk})
        entry.refresh_from_db()
        return entry
    for name, value in values.items():
        setattr(entry, name, value)
    logger.info("request closed", extra={"entry": entry.pk, "outcome": entry.outcome})
    return entry


def close_abandoned() -> int:
    """Close what a crash left open, by what its attempts tell; return how many entries that were.

    An entry counts as abandoned once it is older than any call can last.
    """
    longest = timedelta(seconds=hubspot_client().limits.total) + CLOSING_GRACE
    abandoned = AssociationRequest.objects.abandoned(timezone.now() - longest)
    entries = list(abandoned.prefetch_related("attempts"))
    for entry in entries:
        close_request(entry, _what_is_known(entry))
    return len(entries)


def _what_is_known(entry: AssociationRequest) -> Answer:
    """The answer that had come, if it was the last word; else that nobody knows."""
    answers = [
        read_answer(
            _attempt_of(row), from_object_id=entry.from_object_id, to_object_id=entry.to_object_id
        )
        for row in entry.attempts.all()
    ]
    # After an answer that is retried, a further attempt may have been under way.
    last_word = answers and (
        not answers[-1].verdict.retried or len(answers) >= hubspot_client().limits.attempts
    )
    return conclude(answers) if last_word else Answer(Cause.INTERRUPTED)


def _attempt_recorder(entry: AssociationRequest) -> Callable[[Attempt], None]:
    numbers = iter(range(1, 1000))

    def record(attempt: Attempt) -> None:
        values = asdict(attempt) | {"failure": attempt.failure or ""}
        with transaction.atomic():
            # Locked, so that `late` is exact: the entry cannot be closed between look and insert.
            still_open = AssociationRequest.objects.select_for_update().filter(
                pk=entry.pk, outcome=Outcome.SENDING
            )
            late = not still_open.values_list("pk")
            AssociationAttempt.objects.create(
                request=entry, number=next(numbers), late=late, **values
            )

    return record


def _attempt_of(row: AssociationAttempt) -> Attempt:
    return Attempt(
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        http_status=row.http_status,
        headers=row.headers,
        body=row.body,
        body_complete=row.body_complete,
        failure=Cause(row.failure) if row.failure else None,
        detail=row.detail,
    )


def _submit_key(submit_token: str, fields: dict[str, str]) -> str | None:
    if not submit_token:
        return None
    text = "\0".join([submit_token, *(fields[name] for name in sorted(fields))])
    return hashlib.sha256(text.encode()).hexdigest()
