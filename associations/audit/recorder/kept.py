"""What HubSpot had answered while the log could not be written: kept here, and read back."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread

from django.db import Error as DBError
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from associations.audit import spool
from associations.audit.integrity.candidates import LONGEST_TRANSACTION
from associations.audit.recorder.base import CLOSING_GRACE, answers_of, close, new_attempt
from associations.audit.recorder.runs import (
    add_batch,
    close_entries,
    columns_of_batch,
    record_attempts,
    requeue,
)
from associations.db import insert
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt, merge_attempts
from associations.hubspot.outcomes import Cause, Outcome
from associations.models import AssociationRequest, AuditSeal, BulkChunk
from associations.models.readable import UNREADABLE, demand_value

logger = logging.getLogger(__name__)

READ_BACK_SECONDS = 5.0  # between two tries, in the process that keeps something
_reading_back, _trying = Lock(), Lock()


def keep(kept: spool.Kept) -> bool:
    is_kept = spool.keep(kept)
    if is_kept and _trying.acquire(blocking=False):
        Thread(target=_try_to_read_back, daemon=True).start()
    return is_kept


def is_left_to_read_back() -> bool:
    """Whether somebody else has to: no page waits for a database that a thread is waiting for."""
    return spool.may_wait() and not _trying.locked()


def _try_to_read_back() -> None:
    """Until it has been: a seal that comes before would show the answer as older than it."""
    try:
        while spool.may_wait():
            time.sleep(READ_BACK_SECONDS)
            try:
                read_back()
            except DBError:
                connection.close()
    finally:
        _trying.release()
        connection.close()


def read_back() -> None:
    """Write into the log what waits on this machine, each once. Raises DBError.

    What an entry that is open waited for closes it; one that was closed meanwhile has a late
    attempt more.
    """
    if not _reading_back.acquire(blocking=False):
        return  # another thread is at it
    try:
        with spool.taken() as waiting:
            for file, kept in waiting:
                _take_back(file, kept)
    finally:
        _reading_back.release()


def _take_back(file: Path, kept: spool.Kept) -> None:
    try:
        with transaction.atomic():
            _demand_entries_of_then(kept, spool.kept_at(file))
            _write_back(kept)
    except IntegrityError as error:
        spool.put_aside(file, str(error).strip())
        return
    except UNREADABLE as error:
        demand_value(error)
        spool.put_aside(file, repr(error))
        return
    told = {"entries": kept.entries, "number": kept.number, "closes": kept.closes}
    logger.warning("what HubSpot had answered was logged afterwards", extra=told)
    transaction.on_commit(lambda: spool.remove(file))


def _write_back(kept: spool.Kept) -> None:
    """Part of a transaction. Raises ValueError if the log has no place for it."""
    if kept.attempt:
        _demand_in_time(kept.attempt)
    if kept.batch and kept.attempt:
        batch = add_batch(kept.attempt, **kept.batch)
        requeue(_still_under_way(kept, run=batch.run_id), batch)
        return
    # Locked, so that `late` is exact.
    entry = AssociationRequest.objects.select_for_update().filter(pk__in=kept.entries[:1]).first()
    if entry is None:
        raise ValueError("the log has no such entry")
    if entry.run_id and kept.attempt:
        record_attempts([(entry, kept.attempt)])
        _close_or_requeue(entry, kept)
    elif kept.attempt and not entry.attempts.filter(number=kept.number).exists():
        new = new_attempt(entry, kept.number, kept.attempt, late=not entry.is_open)
        insert(lambda: new.save(force_insert=True))
    if kept.closes:
        close_by_attempts(entry.pk)


def _close_or_requeue(entry: AssociationRequest, kept: spool.Kept) -> None:
    """What an answer leaves open the run sends again, as it would have."""
    answer = answers_of(entry)[-1]
    if entry.is_open and answer.cause is Cause.CONFIRMED:
        close_entries(entry.run_id or 0, [(entry, answer)])
    else:
        requeue(_still_under_way(kept, run=entry.run_id or 0))


def _still_under_way(kept: spool.Kept, run: int) -> QuerySet[AssociationRequest]:
    """Those that nobody has sent since."""
    ids, started_at = kept.entries, kept.attempt and kept.attempt.started_at
    entries = AssociationRequest.objects.filter(run=run, pk__range=(ids[0], ids[-1]))
    return entries.filter(outcome=Outcome.SENDING, sent_at__lte=started_at)


def _demand_entries_of_then(kept: spool.Kept, at: datetime) -> None:
    """A log that was restored gives the numbers of entries, and of runs, to others."""
    entries = AssociationRequest.objects.filter(pk__in=kept.entries)
    if entries.filter(created_at__gt=at + CLOSING_GRACE).exists():  # which is for clocks
        raise ValueError("the log has another entry of this number, which was made later")
    if kept.batch:
        own = entries.filter(run=kept.batch["run_id"])
        if own.count() < len({*kept.entries}):
            raise ValueError("the log has no such entries of this run")


def _demand_in_time(attempt: Attempt) -> None:
    """What is much older than the last seal would look dated back, and is for people to judge."""
    sealed_at = AuditSeal.objects.order_by("number").values_list("sealed_at", flat=True).last()
    if sealed_at and attempt.started_at < sealed_at - LONGEST_TRANSACTION + CLOSING_GRACE:
        raise ValueError("the log was sealed long after it")


def close_by_attempts(pk: int) -> None:
    with transaction.atomic():
        # Locked, so that no attempt can come in between the look and the closing.
        still_open = AssociationRequest.objects.select_for_update()
        if entry := still_open.filter(pk=pk, outcome=Outcome.SENDING).first():
            answers = answers_of(entry)
            is_last_word = answers and _is_last_word(entry, answers)
            close(entry, merge_attempts(answers) if is_last_word else Answer(Cause.INTERRUPTED))


def _is_last_word(entry: AssociationRequest, answers: list[Answer]) -> bool:
    """Whether no further attempt may have been under way; of an undo, another kind of call."""
    if entry.undoes_id:
        return answers[-1].cause is Cause.NOT_SEEN_GONE
    tried_enough = len(answers) >= clients.interactive().limits.attempts
    return tried_enough or not answers[-1].verdict.retried


@contextmanager
def kept_if_away(*rows: tuple[AssociationRequest, Attempt]) -> Iterator[None]:
    """Keep these exchanges of a run on this machine, if the log cannot be written."""
    try:
        yield
    except DBError:
        for entry, attempt in rows:
            keep(spool.Kept(attempt, [entry.pk]))
        raise


def keep_batch(
    chunk: BulkChunk, attempt: Attempt, answer: Answer, types: tuple[str, str], ids: Sequence[int]
) -> None:
    """Keep the exchange with these entries of a chunk on this machine."""
    batch = columns_of_batch(chunk, answer, types, len(ids))
    keep(spool.Kept(attempt, [min(ids), max(ids)], batch=batch))
