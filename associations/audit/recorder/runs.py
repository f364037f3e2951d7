"""Entries of a run: queued from its rows, sent by chunks, closed one by one or by batches.

All of it is part of a transaction of the caller's, which began with a hold() of the chunk.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from associations.audit import events
from associations.audit.integrity.names import HANDED_ON, erased_since
from associations.audit.recorder.base import answers_of, close, exchange, new_attempt
from associations.hubspot.answers import Answer, Attempt, merge_attempts
from associations.hubspot.outcomes import Cause, Linked, Outcome, verdict_of
from associations.hubspot.record_references import SIDES
from associations.models import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    BulkChunk,
    BulkRow,
    BulkRun,
    RecordNames,
)

_ENTRY, _ROW = AssociationRequest._meta, BulkRow._meta
# What an entry of a run takes from its row, beside the reason. All else is the same for all.
_FROM_ROW = {
    "from_object_type": "from_object_type",
    "from_object_id": "from_object_id",
    "to_object_type": "to_object_type",
    "to_object_id": "to_object_id",
    "row_number": "number",
    "undoes_id": "undoes_id",
}
# What a row knows of names; the entry has a digest of a side where that has a salt.
_NAMES = [f"{side}_{part}" for side in SIDES for part in ("name", "typed", "salt")]
_DIGEST = {
    "sqlite": "SHA256({0}_salt || CHAR(10) || {0}_name || CHAR(10) || {0}_typed)",
    "postgresql": "encode(sha256(convert_to("
    "{0}_salt || CHR(10) || {0}_name || CHR(10) || {0}_typed, 'UTF8')), 'hex')",
}
# What a batch's answer says of each entry that it closed; its body stays with the batch.
_OF_BATCH = [
    "cause",
    "http_status",
    "status",
    "num_errors",
    "requested_at",
    "started_at",
    "completed_at",
    "correlation_id",
]


def queue_entries(run: BulkRun, rows: QuerySet[BulkRow]) -> None:
    """Copy staged rows to entries, `queued`, in the order of their numbers, in the database."""
    chosen, params = rows.values("pk").query.sql_with_params()
    copied = _FROM_ROW | (_digests() if settings.KEEP_RECORD_NAMES else {})
    constants = {
        field.column: field.get_db_prep_save(getattr(_entry_of(run), field.attname), connection)
        for field in _ENTRY.concrete_fields
        if field.column and not field.primary_key and field.column not in {*copied, "reason"}
    }
    columns = [*copied, "reason", *constants]
    values = [*copied.values(), "COALESCE(NULLIF(reason, ''), %s)", *["%s"] * len(constants)]
    sql = (
        f"INSERT INTO {_ENTRY.db_table} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM {_ROW.db_table} WHERE id IN ({chosen}) ORDER BY number"
    )
    if settings.KEEP_RECORD_NAMES:
        _forget_erased(run)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {_ENTRY.db_table}")
        (last,) = cursor.fetchone()
        cursor.execute(sql, [run.reason, *constants.values(), *params])
    if settings.KEEP_RECORD_NAMES:
        _copy_names(run, rows, after=last)


def _forget_erased(run: BulkRun) -> None:
    """Rows may have names that were erased: whoever staged them had read these before."""
    first = run
    while first.retry_of:  # of which this one may have taken on what was staged
        first = first.retry_of
    erased = erased_since(min(first.created_at, timezone.now() - HANDED_ON))
    for object_type, object_id in sorted(erased):
        for side in SIDES:
            record = {f"{side}_object_type": object_type, f"{side}_object_id": object_id}
            named = BulkRow.objects.filter(run=run, **record).exclude(**{f"{side}_salt": ""})
            named.update(**{f"{side}_{part}": "" for part in ("name", "typed", "salt")})


def _digests() -> dict[str, str]:
    """The expressions for what name_digest() returns of a row's sides."""
    digest = _DIGEST[connection.vendor]
    return {
        f"{side}_name_digest": f"CASE {side}_salt WHEN '' THEN '' ELSE {digest.format(side)} END"
        for side in SIDES
    }


def _copy_names(run: BulkRun, rows: QuerySet[BulkRow], *, after: int) -> None:
    """Give the entries of a run with ids after this one the names that open their digests.

    Not in one statement: PostgreSQL knows nothing yet of the rows of a run that has just come, and
    looks for each among all of them.
    """
    entries = AssociationRequest.objects.filter(run=run, pk__gt=after)
    pks = dict(entries.values_list("row_number", "pk"))
    kept = [each for each in rows.values("number", *_NAMES) if each["from_salt"] or each["to_salt"]]
    RecordNames.objects.bulk_create(
        RecordNames(entry_id=pks[each.pop("number")], **each) for each in kept
    )


def _entry_of(run: BulkRun) -> AssociationRequest:
    return AssociationRequest(
        run=run,
        user_id=run.user_id,
        user_name=run.user_name,
        user_email=run.user_email,
        client_ip=run.client_ip,
        user_agent=run.user_agent,
        request_id=run.request_id,
        client_request_id=run.client_request_id,
        api_version=settings.HUBSPOT_API_VERSION,
        outcome=Outcome.QUEUED,
        created_at=timezone.now(),
    )


def mark_as_sending(entries: QuerySet[AssociationRequest]) -> None:
    entries.filter(outcome__in=OPEN_OUTCOMES).update(
        outcome=Outcome.SENDING, sent_at=timezone.now()
    )


def requeue(entries: QuerySet[AssociationRequest], batch: AssociationBatch | None = None) -> None:
    """Let them wait for another turn. That they were sent before stays in `sent_at`.

    A batch that may have linked some of them is kept, so that the doubt is.
    """
    verdict = verdict_of(batch.cause) if batch else None
    in_doubt = batch is not None and (verdict is None or verdict.linked is not Linked.NO)
    went_with = {"batch": batch} if in_doubt else {}
    under_way = entries.filter(outcome=Outcome.SENDING)
    put_back = under_way.update(outcome=Outcome.QUEUED, **went_with)
    transaction.on_commit(lambda: events.record_requeued(put_back))


def record_batch(
    chunk: BulkChunk, attempt: Attempt, answer: Answer, types: tuple[str, str], inputs: int
) -> AssociationBatch:
    """Keep an exchange; the same one a second time is what it was."""
    return add_batch(attempt, **columns_of_batch(chunk, answer, types, inputs))


def columns_of_batch(
    chunk: BulkChunk, answer: Answer, types: tuple[str, str], inputs: int
) -> dict[str, Any]:
    """Those that are not of the exchange itself."""
    run, cause = chunk.run_id, str(answer.cause)
    sides = {"from_object_type": types[0], "to_object_type": types[1]}
    return sides | {"run_id": run, "inputs": inputs, "cause": cause}


def add_batch(attempt: Attempt, *, cause: str, **columns: Any) -> AssociationBatch:
    values = exchange(attempt)
    batch, _ = AssociationBatch.objects.get_or_create(
        **columns,
        started_at=values.pop("started_at"),
        duration_ms=values.pop("duration_ms"),
        defaults=values | {"cause": cause},
    )
    return batch


def record_attempts(rows: Iterable[tuple[AssociationRequest, Attempt]]) -> None:
    """Add the attempt that each entry has just had; `late` if it was closed without it.

    One that is there already is not added again: its transaction may have been committed although
    the database could not say so.
    """
    rows = list(rows)
    pks = [entry.pk for entry, _ in rows]
    # Locked, so that `late` and the numbers are exact: nobody closes between look and insert.
    locked = AssociationRequest.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    outcomes = dict(locked.values_list("pk", "outcome"))
    attempts = AssociationAttempt.objects.filter(request__in=pks)
    had = set(attempts.values_list("request_id", "started_at"))
    numbers = Counter(pk for pk, _ in had)
    AssociationAttempt.objects.bulk_create(
        new_attempt(
            entry, numbers[entry.pk] + 1, attempt, late=outcomes[entry.pk] not in OPEN_OUTCOMES
        )
        for entry, attempt in rows
        if (entry.pk, attempt.started_at) not in had
    )


def close_entries(
    run_id: int,
    answers: Iterable[tuple[AssociationRequest, Answer]],
    seen: Mapping[int, dict[str, Any]] = MappingProxyType({}),
) -> None:
    """Close each entry by its answer; `seen` has what looks showed, by the entry's id."""
    closed: Counter[str] = Counter()
    for entry, answer in answers:
        if close(entry, answer, **seen.get(entry.pk, {})):
            closed[answer.verdict.outcome] += 1
    _count(run_id, closed)


def close_entries_by_batch(
    chunk: BulkChunk,
    ids: tuple[int, int],
    batch: AssociationBatch,
    answer: Answer,
    merged: Mapping[int, dict[str, str]],
) -> int:
    """Close the entries in this range of ids, which the answer proves all; return how many.

    `merged` has the columns of those few, by id, whose records have other ids than were asked for.
    """
    shared = {name: getattr(answer, name) for name in _OF_BATCH}
    outcome = answer.verdict.outcome
    under_way = chunk.entries.filter(outcome=Outcome.SENDING, pk__range=ids)
    for pk, columns in merged.items():
        under_way.filter(pk=pk).update(**columns)
    closed = under_way.update(**shared, outcome=outcome, batch=batch, finished_at=timezone.now())
    _count(chunk.run_id, {outcome: closed})
    transaction.on_commit(lambda: events.record_batch_closed(batch, ids, answer, closed))
    return closed


def cancel_unsent(chunk: BulkChunk) -> None:
    """Close what was never sent, as canceled."""
    unsent = chunk.open_entries.filter(sent_at=None)
    now = timezone.now()
    canceled = unsent.update(outcome=Outcome.CANCELED, cause=Cause.NOT_SENT, finished_at=now)
    _count(chunk.run_id, {Outcome.CANCELED: canceled})
    run = chunk.run_id
    transaction.on_commit(lambda: events.record_canceled(run, chunk, canceled))


def known_answer(entry: AssociationRequest) -> Answer:
    """Return how an open entry ends that is to be sent no more, by its attempts and its batch."""
    if entry.outcome == Outcome.SENDING:
        return Answer(Cause.INTERRUPTED)
    answers = answers_of(entry)
    known = merge_attempts(answers) if answers else Answer(Cause.NOT_SENT)
    if entry.batch and not known.verdict.settles:
        # A cause that only another version knows says no more than that there was a call.
        return Answer(
            Cause(entry.batch.cause) if verdict_of(entry.batch.cause) else Cause.INTERRUPTED
        )
    return known


def _count(run_id: int, closed: dict[str, int]) -> None:
    added = {str(outcome): F(str(outcome)) + number for outcome, number in closed.items() if number}
    if added:
        BulkRun.objects.filter(pk=run_id).update(**added)
