"""What workers run: a slice of somebody's work at a time, on what they can claim.

A task holds nothing that is not in the database. One that is started twice finds the work claimed;
of one that dies, the work is claimed anew when the lease has run out.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from associations.audit import recorder
from associations.bulk import approval, backoff, shutdown
from associations.bulk.batch_sender import send_batch
from associations.bulk.dry_run import read_run
from associations.bulk.enqueueing import queue_rows
from associations.bulk.leases import LeaseLostError, StoppedError, claim, hold, release
from associations.bulk.looking_again import look_again
from associations.bulk.single_sender import send_singly
from associations.bulk.turns import MOST_SECONDS, Turns, has_work
from associations.bulk.undo_sender import send_undos
from associations.db import retry_on_outage
from associations.gateway.clients import NoSlotError
from associations.linking.services import look_after_one
from associations.models import (
    Approval,
    BulkChunk,
    BulkRun,
    EventKind,
    RunState,
    SendMode,
    Worker,
)
from associations.models.bulk import UNDER_WAY
from associations.sweep import sweeping

logger = logging.getLogger(__name__)

WORK_SECONDS = 30.0
SLICE_SECONDS = 2.0  # of one run, after which it may be somebody else's turn
SHORT_PAUSE = 5.0  # seconds that are waited for in a task rather than after it
LOOK_SECONDS = 0.2  # and how often it looks meanwhile whether there is something else to do

_turns = Turns()


def send_chunk(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    """Send what is open in a chunk: a batch, or single rows until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError, StoppedError.
    """
    retry_on_outage(lambda: _begin(chunk))
    look_again(run, chunk)
    # By the entries, which never change: nothing else may make a link of what was to be undone.
    if chunk.entries.exclude(undoes=None).exists():
        send_undos(run, chunk, until)
    elif chunk.way == SendMode.BATCH:
        send_batch(run, chunk, until)
    else:
        send_singly(run, chunk, until)


def _begin(chunk: BulkChunk) -> None:
    hold(chunk)
    recorder.requeue_interrupted(chunk)


def work(*_: object) -> None:
    """Do what there is to do for a while, in turns for everybody; then let another task go on.

    An earlier version gave the number of a run, and its tasks may still be waiting.
    """
    until = time.monotonic() + WORK_SECONDS
    while not shutdown.out_of_time(until):
        if run := _turns.next_run():
            _take_turn(run)
        elif not backoff.current() and (look_after_one() or sweeping.take_step()):
            continue  # only while nobody's run has anything to do
        elif _goes_on_shortly():
            shutdown.wait(LOOK_SECONDS)
        else:
            return
    async_task("associations.bulk.tasks.work")


def work_on(run: BulkRun) -> bool:
    """Do a slice of this run, as a worker would; return whether there was something to do.

    Not where workers are alive and somebody else's runs wait, too: these share out what there is,
    and nobody has more of it by a process of their own.
    """
    is_shared = BulkRun.objects.filter(state__in=UNDER_WAY).exclude(user=run.user_id).exists()
    if (is_shared and Worker.objects.alive().exists()) or not has_work(run):
        return False
    _take_turn(run)
    return True


def _take_turn(run: BulkRun) -> None:
    begun, seconds = time.monotonic(), MOST_SECONDS
    try:
        _STEPS[run.state](run, begun + SLICE_SECONDS)
        seconds = time.monotonic() - begun
    except (LeaseLostError, StoppedError, NoSlotError) as reason:
        logger.info("work on a run was broken off", extra={"run": run.pk, "why": repr(reason)})
        seconds = time.monotonic() - begun
    finally:
        _turns.note(run, seconds)  # whatever breaks here shall not break again before others' turn


def _goes_on_shortly() -> bool:
    pause = backoff.current()
    is_short = pause and pause.until - timezone.now() <= timedelta(seconds=SHORT_PAUSE)
    return bool(is_short) and BulkRun.objects.filter(state=RunState.RUNNING).exists()


def _read(run: BulkRun, until: float) -> None:
    if claimed := claim(BulkRun.objects.filter(pk=run.pk, state=RunState.READING)):
        read_run(claimed, until)


def _queue(run: BulkRun, until: float) -> None:
    if backoff.stop_if_left(run):
        return
    claimed = claim(BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING))
    while claimed and queue_rows(claimed):
        is_over = shutdown.out_of_time(until) or backoff.stop_if_left(run)
        if is_over or not _is_still(claimed, RunState.QUEUEING):
            release(claimed)
            return
    if claimed:
        # Only from this state: it may have been canceled meanwhile.
        found = BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING)
        if approval.is_as_approved(claimed):
            found.update(state=RunState.RUNNING)
        else:
            _break_off(run)
        release(claimed)


def _break_off(run: BulkRun) -> None:
    """Send nothing of a run whose entries are not what somebody has approved."""
    with transaction.atomic():
        found = BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING)
        if found.update(state=RunState.CANCELING, approval=Approval.VOID):
            recorder.record_event(EventKind.RUN_APPROVAL_VOID, run=run, why="entries")


def _is_still(run: BulkRun, state: str) -> bool:
    return BulkRun.objects.filter(pk=run.pk, state=state).exists()


def _send(run: BulkRun, until: float) -> None:
    if backoff.current() or backoff.stop_if_left(run):
        return
    if chunk := claim(_chunks_to_do(run)):
        try:
            send_chunk(run, chunk, until)
        except (StoppedError, NoSlotError):
            release(chunk)
            raise
    else:
        _end(run, RunState.RUNNING, RunState.DONE)


def _cancel(run: BulkRun, until: float) -> None:
    """Close what was not sent. Chunks that somebody is at work on come to an end there first."""
    # Those that nobody works on need not wait for their next try.
    _chunks_to_do(run).filter(owner="").update(lease_until=None)
    if chunk := claim(_chunks_to_do(run)):
        retry_on_outage(lambda: _close_chunk(chunk))
    else:
        _end(run, RunState.CANCELING, RunState.CANCELED)


def _close_chunk(chunk: BulkChunk) -> None:
    hold(chunk)
    recorder.cancel_unsent(chunk)
    sent = chunk.open_entries.select_related("batch").prefetch_related("attempts")
    recorder.close_entries(chunk.run_id, [(entry, recorder.known_answer(entry)) for entry in sent])
    release(chunk, is_done=True)


def _chunks_to_do(run: BulkRun) -> QuerySet[BulkChunk]:
    return run.chunks.filter(is_done=False)


def _end(run: BulkRun, state: str, end: str) -> None:
    """End the run if nothing is left to do: others may still be at it."""
    with transaction.atomic():
        found = BulkRun.objects.filter(pk=run.pk, state=state)
        is_over = not _chunks_to_do(run).exists()
        if is_over and found.update(state=end, finished_at=timezone.now()):
            recorder.record_event(EventKind.RUN_ENDED, run=run, state=end)


_STEPS: dict[str, Callable[[BulkRun, float], None]] = {
    RunState.READING: _read,
    RunState.QUEUEING: _queue,
    RunState.RUNNING: _send,
    RunState.CANCELING: _cancel,
}
