"""What all writers of the log need: who asked, how an attempt is kept and an entry closed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import Error as DBError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from associations.audit import events
from associations.db import retry_on_outage
from associations.hubspot.answers import Answer, Attempt, read_answer, read_removal
from associations.hubspot.outcomes import VERDICTS, Cause
from associations.hubspot.unseen import visible
from associations.models import OPEN_OUTCOMES, AssociationAttempt, AssociationRequest
from hubadmin.web.client_ip import client_ip
from hubadmin.web.http import AnyHttpRequest

logger = logging.getLogger(__name__)

ENTRY_BODY_LENGTH = 64 * 1024  # characters; the attempt has the whole
# Beyond the longest call: for a slow name server, a busy database, clocks that differ.
CLOSING_GRACE = timedelta(minutes=2)
# Somebody waits: not for as long as a worker may.
retry = partial(retry_on_outage, seconds=1.0, atomic=False)


class LogUnavailableError(Exception):
    """The audit log could not be written, so nothing was sent, and no file given."""


@dataclass(frozen=True, slots=True)
class RequestMeta:
    """Where a request came from; the names are columns."""

    client_ip: str | None = None
    user_agent: str = ""
    request_id: str = ""
    client_request_id: str = ""


NOWHERE = RequestMeta()  # where no request asked for it


def request_meta(request: AnyHttpRequest) -> RequestMeta:
    return RequestMeta(
        client_ip=client_ip(request),
        user_agent=visible(request.headers.get("User-Agent", "").replace("\0", ""))[:300],
        request_id=request.id,
        client_request_id=request.client_id,
    )


@contextmanager
def demanded() -> Iterator[None]:
    """What is to be logged here is a condition of what comes next."""
    try:
        yield
    except DBError as error:
        logger.exception("the log could not be written")
        raise LogUnavailableError from error


def new_attempt(
    entry: AssociationRequest, number: int, attempt: Attempt, *, late: bool
) -> AssociationAttempt:
    return AssociationAttempt(request=entry, number=number, late=late, **exchange(attempt))


def exchange(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt) | {"failure": attempt.failure or ""}


_STILL_OPEN = Q(outcome__in=OPEN_OUTCOMES)


def close(
    entry: AssociationRequest,
    answer: Answer,
    while_: Q = _STILL_OPEN,
    tell: Callable[[AssociationRequest], None] = events.record_closed,
    **seen: Any,
) -> bool:
    """Close an open entry, and let it take on what was written; false if it was closed before."""
    values = (
        asdict(answer)
        | {
            "body": answer.body[:ENTRY_BODY_LENGTH],
            "outcome": answer.verdict.outcome,
            "finished_at": timezone.now(),
        }
        | seen
    )
    if not AssociationRequest.objects.filter(while_, pk=entry.pk).update(**values):
        return False
    for name, value in values.items():
        setattr(entry, name, value)
    transaction.on_commit(lambda: tell(entry))
    return True


def answers_of(entry: AssociationRequest) -> list[Answer]:
    """What HubSpot has answered to each attempt in the log."""
    if entry.undoes_id:
        return [read_removal(_attempt(row)) for row in entry.attempts.all()]
    ids = {"from_object_id": entry.from_object_id, "to_object_id": entry.to_object_id}
    return [read_answer(_attempt(row), **ids) for row in entry.attempts.all()]


def _attempt(row: AssociationAttempt) -> Attempt:
    return Attempt(
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        http_status=row.http_status,
        headers=row.headers,
        body=row.body,
        body_complete=row.body_complete,
        # Without an answer, a failure that is not known here is read as a lost connection.
        failure=Cause(row.failure) if row.failure in VERDICTS else None,
        detail=row.detail,
        call=row.call,
    )
