"""The one flow: log → PUT → log. The only writers of the audit log.

No database transaction stays open around HTTP, and nothing that changes HubSpot reaches it that was
not committed to the log first.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.db import Error as DBError
from django.db import IntegrityError, connection, transaction
from django.dispatch import receiver
from django.utils import timezone

from associations.audit import events
from associations.gateway import rate_limiter as limiter
from associations.hubspot.answers import Answer, Attempt, conclude, read_answer
from associations.hubspot.client import HubSpotClient, default_association_path
from associations.hubspot.outcomes import Cause, Outcome
from associations.linking.throttling import (
    TooManySubmitsError,
    demand_patience,
    demand_patience_for_checks,
)
from associations.linking.verification import Seen, look, look_after, look_before
from associations.models import AssociationAttempt, AssociationCheck, AssociationRequest
from hubadmin import __version__

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)
T = TypeVar("T")

ENTRY_BODY_LENGTH = 64 * 1024  # characters; the attempt has the whole
# Beyond the longest call: for a slow name server, a busy database, clocks that differ.
CLOSING_GRACE = timedelta(minutes=2)


class LogUnavailableError(Exception):
    """The audit log could not be written, so nothing was sent."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    client_ip: str | None = None
    user_agent: str = ""
    request_id: str = ""


def new_client(**options: Any) -> HubSpotClient:
    """Return a client for the configured account; `options` are further ones of HubSpotClient."""
    return HubSpotClient(
        base_url=settings.HUBSPOT_API_BASE_URL,
        token=settings.HUBSPOT_ACCESS_TOKEN,
        api_version=settings.HUBSPOT_API_VERSION,
        proxy_url=settings.HUBSPOT_PROXY_URL,
        ca_bundle=settings.HUBSPOT_CA_BUNDLE,
        user_agent=f"hubadmin/{__version__}",
        **options,
    )


@lru_cache(maxsize=1)
def hubspot_client() -> HubSpotClient:
    """Return what people's requests share in this process; each call has its turn at the limiter.

    Its pool is as large as the threads: each has one, and there are two more that look things up.
    """
    return new_client(pool_size=3 * settings.WEB_THREADS, admit=limiter.admit_person)


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
    back as it stands, and nothing is sent again. Raises LogUnavailableError, TooManySubmitsError.
    """
    association = {
        "from_object_type": from_object_type,
        "from_object_id": from_object_id,
        "to_object_type": to_object_type,
        "to_object_id": to_object_id,
    }
    # What could be wrong with the request or the settings comes out before anything is logged.
    default_association_path(**association)
    hubspot_client()
    entry, created = open_request(
        user=user,
        submit_token=submit_token,
        origin=origin or Origin(),
        reason=reason,
        **association,
    )
    return send_request(entry) if created else entry


def open_request(
    *, user: "User", submit_token: str, origin: Origin, **fields: str
) -> tuple[AssociationRequest, bool]:
    """Commit the entry, `sending`; or return the one this submit already has, and False.

    Raises LogUnavailableError, TooManySubmitsError.
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
        with transaction.atomic(durable=True):
            demand_patience(user, now)
            entry.save(force_insert=True)
        return entry, True
    except (IntegrityError, TooManySubmitsError) as error:
        if first := _same_submit(entry):
            return first, False
        if isinstance(error, TooManySubmitsError):
            raise
        problem = error
    except DBError as error:
        problem = error
    logger.error("the log could not be written", exc_info=problem)
    raise LogUnavailableError from problem


def _same_submit(entry: AssociationRequest) -> AssociationRequest | None:
    if not entry.submit_key:
        return None
    return AssociationRequest.objects.filter(user=entry.user, submit_key=entry.submit_key).first()


def send_request(entry: AssociationRequest) -> AssociationRequest:
    """Ask HubSpot for the link, log each attempt as it ends, and close the entry.

    What is there before and after is looked up, if that is switched on. If the log fails now, the
    entry stays `sending`; close_abandoned() closes it by what is known.
    """
    client = hubspot_client()
    before = look_before(client, entry)
    answer = client.create_default_association(
        from_object_type=entry.from_object_type,
        from_object_id=entry.from_object_id,
        to_object_type=entry.to_object_type,
        to_object_id=entry.to_object_id,
        on_attempt=_attempt_recorder(entry),
    )
    seen = look_after(client, entry, before, answer.verdict.linked)
    try:
        return _write_twice(lambda: close_request(entry, answer, seen))
    except DBError:
        known = {"entry": entry.pk, "cause": answer.cause, "http_status": answer.http_status}
        known["correlation_id"] = answer.correlation_id
        logger.exception("the log could not be written after sending", extra=known)
        return entry


def close_request(
    entry: AssociationRequest, answer: Answer, seen: Seen | None = None
) -> AssociationRequest:
    """Close the entry by this answer, unless somebody was first; return it as it now stands."""
    values = (
        asdict(answer)
        | asdict(seen or Seen())
        | {
            "body": answer.body[:ENTRY_BODY_LENGTH],
            "outcome": answer.verdict.outcome,
            "finished_at": timezone.now(),
        }
    )
    still_open = AssociationRequest.objects.filter(pk=entry.pk, outcome=Outcome.SENDING)
    if not still_open.update(**values):
        logger.warning("request was closed already", extra={"entry": entry.pk})
        entry.refresh_from_db()
        return entry
    for name, value in values.items():
        setattr(entry, name, value)
    transaction.on_commit(lambda: events.record_closed(entry))
    return entry


def check_again(*, user: "User", entry: AssociationRequest, origin: Origin) -> AssociationCheck:
    """Look once more whether the entry's records are linked, and keep what was seen.

    Raises LogUnavailableError, TooManySubmitsError.
    """
    try:
        demand_patience_for_checks(user, timezone.now())
        start = time.monotonic()
        seen = look(hubspot_client(), entry)
        return AssociationCheck.objects.create(
            entry=entry,
            user=user,
            user_name=user.name,
            checked_at=timezone.now(),
            duration_ms=round((time.monotonic() - start) * 1000),
            is_linked=seen.is_linked,
            types=[asdict(each) for each in seen.link.types] if seen.link else [],
            cause=seen.error.cause if seen.error else "",
            error_text=seen.error.answer.error_text if seen.error else "",
            client_ip=origin.client_ip,
            request_id=origin.request_id,
        )
    except DBError as error:
        logger.exception("the log could not be written")
        raise LogUnavailableError from error


def close_abandoned() -> None:
    """Close what a crash left open, by what its attempts tell.

    An entry counts as abandoned once it is older than any call can last. A log that cannot be
    written is no reason not to read it: then the entries wait for the next time.
    """
    longest = timedelta(seconds=hubspot_client().limits.total) + CLOSING_GRACE
    abandoned = AssociationRequest.objects.abandoned(timezone.now() - longest)
    try:
        for pk in abandoned.values_list("pk", flat=True):
            _close_by_what_is_known(pk)
    except DBError:
        logger.exception("abandoned requests could not be closed")


def _close_by_what_is_known(pk: int) -> None:
    with transaction.atomic():
        # Locked, so that no attempt can come in between the look and the closing.
        still_open = AssociationRequest.objects.select_for_update()
        entry = still_open.filter(pk=pk, outcome=Outcome.SENDING).first()
        if entry:
            close_request(entry, _what_is_known(entry))


def _what_is_known(entry: AssociationRequest) -> Answer:
    """The answer that had come, if it was the last word; else that nobody knows."""
    answers = [
        read_answer(
            attempt_of(row), from_object_id=entry.from_object_id, to_object_id=entry.to_object_id
        )
        for row in entry.attempts.all()
    ]
    # After an answer that is retried, a further attempt may have been under way.
    last_word = answers and (
        not answers[-1].verdict.retried or len(answers) >= hubspot_client().limits.attempts
    )
    return conclude(answers) if last_word else Answer(Cause.INTERRUPTED)


def _attempt_recorder(entry: AssociationRequest) -> Callable[[Attempt], None]:
    numbers = count(1)

    def record(attempt: Attempt) -> None:
        number = next(numbers)
        try:
            _write_twice(lambda: log_attempt(entry, number, attempt))
        except DBError:
            # The answer counts all the same: it still closes the entry, if that can be written.
            known = {"entry": entry.pk, "number": number, "http_status": attempt.http_status}
            logger.exception("an attempt could not be logged", extra=known)

    return record


def log_attempt(entry: AssociationRequest, number: int, attempt: Attempt) -> None:
    values = asdict(attempt) | {"failure": attempt.failure or ""}
    with transaction.atomic():
        # Locked, so that `late` is exact: the entry cannot be closed between look and insert.
        still_open = AssociationRequest.objects.select_for_update().filter(
            pk=entry.pk, outcome=Outcome.SENDING
        )
        late = not still_open.values_list("pk")
        AssociationAttempt.objects.create(request=entry, number=number, late=late, **values)


def _write_twice(write: Callable[[], T]) -> T:
    """Write; if that fails, once more, on a new connection if the old one is broken."""
    try:
        return write()
    except DBError:
        logger.warning("the log could not be written, trying once more", exc_info=True)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        return write()


def attempt_of(row: AssociationAttempt) -> Attempt:
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
