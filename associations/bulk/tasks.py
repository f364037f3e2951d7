"""What workers run: for some seconds at a time, on what they can claim.

A task holds nothing that is not in the database. One that is started twice finds the work claimed;
of one that dies, the work is claimed anew when the lease has run out.
"""

import logging
import time
from collections.abc import Callable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from associations.audit import recorder
from associations.bulk import backoff, shutdown
from associations.bulk.batch_sender import send_batch
from associations.bulk.dry_run import read_run
from associations.bulk.enqueueing import queue_rows
from associations.bulk.leases import LeaseLostError, StoppedError, claim, hold, release
from associations.bulk.single_sender import send_singly
from associations.db import retry_on_outage
from associations.models import BulkChunk, BulkRun, EventKind, RunState, SendMode

logger = logging.getLogger(__name__)

WORK_SECONDS = 30.0
SHORT_PAUSE = 5.0  # seconds that are waited for in a task rather than after it


def send_chunk(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    """Send what is open in a chunk: a batch, or single rows until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError, StoppedError.
    """
    retry_on_outage(lambda: _begin(chunk))
    if chunk.way == SendMode.BATCH:
        send_batch(run, chunk, until)
    else:
        send_singly(run, chunk, until)


def _begin(chunk: BulkChunk) -> None:
    hold(chunk)
    recorder.requeue_interrupted(chunk)


def work(run_id: int) -> None:
    """Do what there is to do for a run, for a while; then let another task go on with it."""
    until = time.monotonic() + WORK_SECONDS
    while not shutdown.out_of_time(until):
        run = BulkRun.objects.filter(pk=run_id).first()
        step = _STEPS.get(run.state) if run else None
        try:
            if run is None or step is None or not step(run, until):
                return
        except (LeaseLostError, StoppedError) as reason:
            logger.info("work on a run was broken off", extra={"run": run_id, "why": repr(reason)})
    async_task("associations.bulk.tasks.work", run_id)


def _read(run: BulkRun, until: float) -> bool:
    if claimed := claim(BulkRun.objects.filter(pk=run.pk, state=RunState.READING)):
        read_run(claimed, until)
    return claimed is not None


def _queue(run: BulkRun, until: float) -> bool:
    if backoff.stop_if_left(run):
        return False
    claimed = claim(BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING))
    while claimed and queue_rows(claimed):
        is_over = shutdown.out_of_time(until) or backoff.stop_if_left(run)
        if is_over or not _is_still(claimed, RunState.QUEUEING):
            release(claimed)
            return True
    if claimed:
        # Only from this state: it may have been canceled meanwhile.
        BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING).update(state=RunState.RUNNING)
        release(claimed)
    return claimed is not None


def _is_still(run: BulkRun, state: str) -> bool:
    return BulkRun.objects.filter(pk=run.pk, state=state).exists()


def _send(run: BulkRun, until: float) -> bool:
    if pause := backoff.current():
        seconds = (pause.until - timezone.now()).total_seconds()
        if seconds > SHORT_PAUSE:
            return False
        shutdown.wait(seconds)
        return True
    if backoff.stop_if_left(run):
        return False
    if chunk := claim(_chunks_to_do(run)):
        try:
            send_chunk(run, chunk, until)
        except StoppedError:
            release(chunk)
            raise
        return True
    return _end(run, RunState.RUNNING, RunState.DONE)


def _cancel(run: BulkRun, until: float) -> bool:
    """Close what was not sent. Chunks that somebody is at work on come to an end there first."""
    # Those that nobody works on need not wait for their next try.
    _chunks_to_do(run).filter(owner="").update(lease_until=None)
    if chunk := claim(_chunks_to_do(run)):
        retry_on_outage(lambda: _close_chunk(chunk))
        return True
    return _end(run, RunState.CANCELING, RunState.CANCELED)


def _close_chunk(chunk: BulkChunk) -> None:
    hold(chunk)
    recorder.cancel_unsent(chunk)
    sent = chunk.open_entries.select_related("batch").prefetch_related("attempts")
    recorder.close_entries(chunk.run_id, [(entry, recorder.known_answer(entry)) for entry in sent])
    release(chunk, is_done=True)


def _chunks_to_do(run: BulkRun) -> QuerySet[BulkChunk]:
    return run.chunks.filter(is_done=False)


def _end(run: BulkRun, state: str, end: str) -> bool:
    """End the run if nothing is left to do; false in any case: others may still be at it."""
    with transaction.atomic():
        found = BulkRun.objects.filter(pk=run.pk, state=state)
        is_over = not _chunks_to_do(run).exists()
        if is_over and found.update(state=end, finished_at=timezone.now()):
            recorder.record_event(EventKind.RUN_ENDED, run=run, state=end)
    return False


_STEPS: dict[str, Callable[[BulkRun, float], bool]] = {
    RunState.READING: _read,
    RunState.QUEUEING: _queue,
    RunState.RUNNING: _send,
    RunState.CANCELING: _cancel,
}
