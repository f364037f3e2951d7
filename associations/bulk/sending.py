"""One chunk of a run goes to HubSpot: log → call → log, by a batch or by single PUTs.

No transaction stays open around a call. A row is marked as under way once its call has a slot of
the limiter, and closed only by an answer about that row.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from associations.hubspot.answers import Answer, Attempt, read_answer, read_batch_answer
from associations.hubspot.outcomes import Cause, Outcome
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    BulkChunk,
    BulkRun,
    RunState,
    Way,
)

from . import closing, doors, reactions
from .leases import LeaseLostError, hold, release
from .persistence import persist
from .stopping import is_over

ROWS_AT_ONCE = 500  # written in one transaction, so that others who write hardly wait
FEW = 8  # rows that go out as single PUTs rather than in yet smaller batches
SILENT_TRIES = 3  # of a batch that HubSpot does not answer, before it is split
SLOT_SECONDS = 5.0
TRIES_OF_PATIENCE = 10  # how often a row is tried before it may be given up


class StoppedError(Exception):
    """The run is not running any more: somebody has paused or canceled it."""


def send_chunk(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    """Send what is open in a claimed chunk; one batch, or single rows until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError, StoppedError.
    """
    if chunk.way == Way.BATCH:
        _send_batch(run, chunk)
    else:
        _send_singly(run, chunk, until)


# --- by batch -------------------------------------------------------------------------------------

_Rows = list[tuple[int, str, str]]  # id, and the ids of the two records


def _send_batch(run: BulkRun, chunk: BulkChunk) -> None:
    rows: _Rows = list(
        closing.open_entries_of(chunk)
        .order_by("pk")
        .values_list("pk", "from_object_id", "to_object_id")
    )
    if len(rows) <= FEW:
        _settle(chunk, rows)
    elif doors.take_slots(1, SLOT_SECONDS):
        types = _types_of(chunk)
        _mark(run, chunk, rows)
        attempt = doors.for_batches().create_default_associations(
            from_object_type=types[0], to_object_type=types[1], pairs=[row[1:] for row in rows]
        )
        answer = read_batch_answer(attempt, [row[1:] for row in rows])
        batch = persist(lambda: _log_batch(chunk, attempt, answer, types, len(rows)))
        _conclude_batch(run, chunk, rows, batch, attempt, answer)
    else:
        release(chunk)


def _settle(chunk: BulkChunk, rows: _Rows) -> None:
    """Nothing is left to send, or too little for a batch."""
    release(chunk, **({"way": Way.SINGLE} if rows else {"is_done": True}))


def _types_of(chunk: BulkChunk) -> tuple[str, str]:
    return closing.entries_of(chunk).values_list("from_object_type", "to_object_type")[0]


def _mark(run: BulkRun, chunk: BulkChunk, rows: _Rows) -> None:
    entries = closing.entries_of(chunk)
    try:
        for part in _parts(rows):
            persist(lambda part=part: _mark_rows(run, chunk, entries.filter(pk__range=part)))
    except StoppedError:
        closing.put_back(entries)
        raise


def _mark_rows(run: BulkRun, chunk: BulkChunk, entries: QuerySet[AssociationRequest]) -> None:
    hold(chunk)
    _demand_running(run)
    closing.mark_as_sending(entries)


def _demand_running(run: BulkRun) -> None:
    if not BulkRun.objects.filter(pk=run.pk, state=RunState.RUNNING).exists():
        raise StoppedError


def _log_batch(
    chunk: BulkChunk, attempt: Attempt, answer: Answer, types: tuple[str, str], inputs: int
) -> AssociationBatch:
    # Even where the lease is lost: the call was made, and the log shall show it.
    return closing.log_batch(chunk, attempt, answer, types, inputs)


def _conclude_batch(
    run: BulkRun,
    chunk: BulkChunk,
    rows: _Rows,
    batch: AssociationBatch,
    attempt: Attempt,
    answer: Answer,
) -> None:
    is_proven = answer.cause is Cause.CONFIRMED
    for part in _parts(rows):
        persist(lambda part=part: _conclude_part(chunk, part, batch, answer, is_proven))
    if is_proven:
        persist(lambda: _finish(run, chunk))
    else:
        _react_to_batch(run, chunk, rows, attempt, answer)


def _conclude_part(
    chunk: BulkChunk,
    ids: tuple[int, int],
    batch: AssociationBatch,
    answer: Answer,
    is_proven: bool,
) -> None:
    hold(chunk)
    if is_proven:
        closing.close_by_batch(chunk, ids, batch, answer)
    else:
        closing.put_back(closing.entries_of(chunk).filter(pk__range=ids), batch)


def _finish(run: BulkRun, chunk: BulkChunk) -> None:
    hold(chunk, is_done=True, owner="")
    reactions.react(run, reactions.Reaction())


def _react_to_batch(
    run: BulkRun, chunk: BulkChunk, rows: _Rows, attempt: Attempt, answer: Answer
) -> None:
    """Have it sent again later, or its halves, so that one bad row costs no good one."""
    reaction = reactions.reaction_to([(attempt, answer)])
    persist(lambda: reactions.react(run, reaction))
    if reactions.is_about_rows(answer.cause) or (
        answer.cause in reactions.SILENCE and chunk.tries + 1 >= SILENT_TRIES
    ):
        persist(lambda: _split(chunk, [row[0] for row in rows]))
    else:
        tries = chunk.tries + 1 if answer.cause in reactions.SILENCE else 0
        release(chunk, seconds=reaction.wait, tries=tries)


def _split(chunk: BulkChunk, ids: list[int]) -> None:
    middle = len(ids) // 2
    hold(chunk)
    BulkChunk.objects.create(
        run_id=chunk.run_id,
        first_id=ids[middle],
        last_id=chunk.last_id,
        rows=len(ids) - middle,
        way=chunk.way,
    )
    release(chunk, last_id=ids[middle] - 1, rows=middle, tries=0)


def _parts(rows: _Rows) -> list[tuple[int, int]]:
    """The first and last id of each few hundred rows."""
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    return [(part[0][0], part[-1][0]) for part in parts]


# --- by single PUTs -------------------------------------------------------------------------------


def _send_singly(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    with ThreadPoolExecutor(doors.PUTS_AT_ONCE) as pool:
        while not is_over(until):
            rows = _next_rows(chunk)
            if not rows:
                return _rest(chunk)
            taken = doors.take_slots(len(rows), SLOT_SECONDS)
            if not taken:
                break
            wait = _send_wave(run, chunk, rows[:taken], pool)
            if wait:
                return release(chunk, seconds=wait)
    return release(chunk)


def _next_rows(chunk: BulkChunk) -> list[AssociationRequest]:
    """First those that were never sent, then those whose last try is longest ago."""
    now, pause = timezone.now(), _pause_of_row()
    is_due = Q(sent_at__lt=now - pause) | ~Exists(_attempts_of_row())
    # A clock that was set back shall not hold them up either.
    is_due |= Q(sent_at__gt=now + pause)
    rows = closing.open_entries_of(chunk).filter(is_due).select_related("batch")
    return list(rows.order_by(F("sent_at").asc(nulls_first=True), "pk")[: doors.PUTS_AT_ONCE])


def _attempts_of_row() -> QuerySet[AssociationAttempt]:
    return AssociationAttempt.objects.filter(request=OuterRef("pk"))


def _pause_of_row() -> timedelta:
    return _patience() / TRIES_OF_PATIENCE


def _patience() -> timedelta:
    return timedelta(seconds=settings.BULK_ROW_PATIENCE_SECONDS)


def _rest(chunk: BulkChunk) -> None:
    """Nothing can be sent now: because all is done, or because what is left has to wait."""
    if closing.open_entries_of(chunk).exists():
        release(chunk, seconds=min(1.0, _pause_of_row().total_seconds()))
    else:
        release(chunk, is_done=True)


def _send_wave(
    run: BulkRun, chunk: BulkChunk, rows: list[AssociationRequest], pool: ThreadPoolExecutor
) -> float:
    """Send these rows at once; return the seconds to wait before the next."""
    entries = AssociationRequest.objects.filter(pk__in=[entry.pk for entry in rows])
    persist(lambda: _mark_rows(run, chunk, entries))
    for entry in rows:
        entry.sent_at = timezone.now()
    ended = list(pool.map(_put, rows))
    reaction = reactions.reaction_to([(attempt, answer) for _, attempt, answer in ended])
    try:
        persist(lambda: _conclude_wave(run, chunk, ended, reaction))
    except LeaseLostError:
        # The calls were made, and the log shall show them.
        persist(lambda: closing.log_attempts((entry, attempt) for entry, attempt, _ in ended))
        raise
    return reaction.wait


_Ended = tuple[AssociationRequest, Attempt, Answer]


def _put(entry: AssociationRequest) -> _Ended:
    attempts: list[Attempt] = []
    doors.for_puts().create_default_association(
        from_object_type=entry.from_object_type,
        from_object_id=entry.from_object_id,
        to_object_type=entry.to_object_type,
        to_object_id=entry.to_object_id,
        on_attempt=attempts.append,
    )
    ids = {"from_object_id": entry.from_object_id, "to_object_id": entry.to_object_id}
    return entry, attempts[0], read_answer(attempts[0], **ids)


def _conclude_wave(
    run: BulkRun, chunk: BulkChunk, ended: list[_Ended], reaction: reactions.Reaction
) -> None:
    hold(chunk)
    reactions.react(run, reaction)
    closing.log_attempts((entry, attempt) for entry, attempt, _ in ended)
    for entry, _, _ in ended:
        entry.outcome = Outcome.QUEUED  # it has come back, whatever it brought
    over = [(entry, answer) for entry, _, answer in ended if _is_over(run, entry, answer)]
    closing.close(
        run.pk,
        [
            (entry, answer if answer.verdict.settles else closing.what_is_known(entry))
            for entry, answer in over
        ],
    )
    closing.put_back(AssociationRequest.objects.filter(pk__in=[entry.pk for entry, _, _ in ended]))


def _is_over(run: BulkRun, entry: AssociationRequest, answer: Answer) -> bool:
    """Whether there is no point in sending this row again."""
    if reactions.is_about_rows(answer.cause) and answer.cause is not Cause.HUBSPOT_ERROR:
        return True
    if answer.cause in reactions.STOPS or not reactions.may_give_up(answer.cause):
        return False
    return _is_given_up(run, entry)


def _is_given_up(run: BulkRun, entry: AssociationRequest) -> bool:
    """HubSpot has not answered this row for long, though it has answered others meanwhile."""
    first = entry.attempts.first()
    if first is None or timezone.now() - first.started_at < _patience():
        return False
    answered_at = BulkRun.objects.values_list("answered_at", flat=True).get(pk=run.pk)
    return answered_at is not None and answered_at > first.started_at
