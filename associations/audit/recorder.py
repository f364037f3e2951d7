"""How the entries of a run are marked as under way, closed, or put back. Beside services.py, the
only writer of the log.

Each function is part of a transaction that began with a hold() of what it is about.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from associations.audit import events
from associations.hubspot.answers import Answer, Attempt, conclude, read_answer
from associations.hubspot.outcomes import VERDICTS, Cause, Linked, Outcome
from associations.linking.services import ENTRY_BODY_LENGTH, Origin, attempt_of
from associations.models import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    BulkChunk,
    BulkRun,
    Way,
)
from hubadmin.web.client_ip import client_ip

# What a batch's answer says of each entry that it closed; its body stays with the batch.
_SHARED = [
    "cause",
    "http_status",
    "status",
    "num_errors",
    "requested_at",
    "started_at",
    "completed_at",
    "correlation_id",
]


def entries_of(chunk: BulkChunk) -> QuerySet[AssociationRequest]:
    """The entries of a chunk: only those of its run, for others may have ids in between."""
    return AssociationRequest.objects.filter(
        run=chunk.run_id, pk__range=(chunk.first_id, chunk.last_id)
    )


def open_entries_of(chunk: BulkChunk) -> QuerySet[AssociationRequest]:
    return entries_of(chunk).filter(outcome__in=OPEN_OUTCOMES)


def mark_as_sending(entries: QuerySet[AssociationRequest]) -> None:
    entries.filter(outcome__in=OPEN_OUTCOMES).update(
        outcome=Outcome.SENDING, sent_at=timezone.now()
    )


def put_back(entries: QuerySet[AssociationRequest], batch: AssociationBatch | None = None) -> None:
    """Let them wait for another turn. That they were sent before stays in `sent_at`.

    A batch that may have linked some of them is kept, so that the doubt is.
    """
    in_doubt = batch is not None and VERDICTS[Cause(batch.cause)].linked is not Linked.NO
    went_with = {"batch": batch} if in_doubt else {}
    entries.filter(outcome=Outcome.SENDING).update(outcome=Outcome.QUEUED, **went_with)


def note_interrupted(chunk: BulkChunk) -> None:
    """Put back what somebody had under way who came to no end: HubSpot may have linked it.

    An exchange that was interrupted stands in the log for each, so that no later "no" of HubSpot's
    hides that an earlier call may have made the link.
    """
    left = list(entries_of(chunk).filter(outcome=Outcome.SENDING).order_by("pk"))
    if not left:
        return
    attempt = _interrupted(min(entry.sent_at for entry in left))
    if chunk.way == Way.BATCH:
        types = (left[0].from_object_type, left[0].to_object_type)
        batch = log_batch(chunk, attempt, Answer(Cause.INTERRUPTED), types, len(left))
        put_back(entries_of(chunk), batch)
    else:
        log_attempts((entry, _interrupted(entry.sent_at)) for entry in left)
        put_back(entries_of(chunk))


def _interrupted(sent_at: datetime) -> Attempt:
    duration = max(0.0, (timezone.now() - sent_at).total_seconds())
    return Attempt(sent_at, round(duration * 1000), failure=Cause.INTERRUPTED)


def log_batch(
    chunk: BulkChunk, attempt: Attempt, answer: Answer, types: tuple[str, str], inputs: int
) -> AssociationBatch:
    """Keep an exchange; the same one a second time is what it was."""
    values = asdict(attempt) | {"failure": attempt.failure or ""}
    batch, _ = AssociationBatch.objects.get_or_create(
        run_id=chunk.run_id,
        from_object_type=types[0],
        to_object_type=types[1],
        inputs=inputs,
        started_at=values.pop("started_at"),
        duration_ms=values.pop("duration_ms"),
        defaults=values | {"cause": answer.cause},
    )
    return batch


def close_by_batch(
    chunk: BulkChunk, ids: tuple[int, int], batch: AssociationBatch, answer: Answer
) -> int:
    """Close the entries in this range of ids, which the answer proves all; return how many."""
    shared = {name: getattr(answer, name) for name in _SHARED}
    outcome = answer.verdict.outcome
    under_way = entries_of(chunk).filter(outcome=Outcome.SENDING, pk__range=ids)
    closed = under_way.update(**shared, outcome=outcome, batch=batch, finished_at=timezone.now())
    _count(chunk.run_id, {outcome: closed})
    transaction.on_commit(lambda: events.record_batch_closed(batch, ids, outcome, closed))
    return closed


def log_attempts(rows: Iterable[tuple[AssociationRequest, Attempt]]) -> None:
    """Add the attempt that each entry has just had; `late` if it was closed without it.

    One that is there already is not added again: its transaction may have been committed although
    the database could not say so.
    """
    rows = list(rows)
    pks = [entry.pk for entry, _ in rows]
    # Locked, so that `late` and the numbers are exact: nobody closes between look and insert.
    locked = AssociationRequest.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    outcomes = dict(locked.values_list("pk", "outcome"))
    had = set(
        AssociationAttempt.objects.filter(request__in=pks).values_list("request", "started_at")
    )
    numbers = Counter(pk for pk, _ in had)
    AssociationAttempt.objects.bulk_create(
        AssociationAttempt(
            request=entry,
            number=numbers[entry.pk] + 1,
            late=outcomes[entry.pk] not in OPEN_OUTCOMES,
            **asdict(attempt) | {"failure": attempt.failure or ""},
        )
        for entry, attempt in rows
        if (entry.pk, attempt.started_at) not in had
    )


def close(run_id: int, answers: Iterable[tuple[AssociationRequest, Answer]]) -> None:
    """Close each entry by its answer."""
    closed: Counter[str] = Counter()
    for entry, answer in answers:
        if _close_one(entry, answer):
            closed[answer.verdict.outcome] += 1
    _count(run_id, closed)


def _close_one(entry: AssociationRequest, answer: Answer) -> bool:
    values = asdict(answer) | {
        "body": answer.body[:ENTRY_BODY_LENGTH],
        "outcome": answer.verdict.outcome,
        "finished_at": timezone.now(),
    }
    still_open = AssociationRequest.objects.filter(pk=entry.pk, outcome__in=OPEN_OUTCOMES)
    if not still_open.update(**values):
        return False
    for name, value in values.items():
        setattr(entry, name, value)
    transaction.on_commit(lambda: events.record_closed(entry))
    return True


def close_unsent(chunk: BulkChunk) -> None:
    """Close what was never sent, as canceled."""
    unsent = open_entries_of(chunk).filter(sent_at=None)
    now = timezone.now()
    canceled = unsent.update(outcome=Outcome.CANCELED, cause=Cause.NOT_SENT, finished_at=now)
    _count(chunk.run_id, {Outcome.CANCELED: canceled})
    run = chunk.run_id
    transaction.on_commit(lambda: events.record_canceled(run, chunk, canceled))


def what_is_known(entry: AssociationRequest) -> Answer:
    """Return how an open entry ends that is to be sent no more, by its attempts and its batch."""
    if entry.outcome == Outcome.SENDING:
        return Answer(Cause.INTERRUPTED)
    answers = [
        read_answer(
            attempt_of(row), from_object_id=entry.from_object_id, to_object_id=entry.to_object_id
        )
        for row in entry.attempts.all()
    ]
    known = conclude(answers) if answers else Answer(Cause.NOT_SENT)
    if entry.batch and not known.verdict.settles:
        return Answer(Cause(entry.batch.cause))
    return known


def _count(run_id: int, closed: dict[str, int]) -> None:
    added = {str(outcome): F(str(outcome)) + number for outcome, number in closed.items() if number}
    if added:
        BulkRun.objects.filter(pk=run_id).update(**added)


def origin_of(request: HttpRequest) -> Origin:
    return Origin(
        client_ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", "").replace("\0", "")[:300],
        request_id=request.id,
    )
