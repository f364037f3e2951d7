"""Each second a worker looks what there is to do, and hands out tasks for it.

So nothing depends on a task that was lost: with the worker that ran it, or with the broker.
"""

import logging
import os
import socket
import time
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db import Error as DBError
from django.db import connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.models import Failure
from django_q.tasks import async_task

from associations.audit import recorder
from associations.bulk import approval, backoff
from associations.bulk.services import NotPossibleError, discard
from associations.bulk.turns import has_work
from associations.bulk.worker.broker import AWAY
from associations.linking.services import is_look_left
from associations.models import BulkChunk, BulkKey, BulkRow, BulkRun, BulkUpload, Worker
from associations.models.bulk import ENDED, NOT_STARTED, UNDER_WAY
from associations.sweep import sweeping

logger = logging.getLogger(__name__)

SAMPLES, SAMPLE_SECONDS = 13, 5  # how many and how often: a rate is that of the last minute
BEAT_SECONDS = 5
ALIVE_SECONDS = 60  # between two lines that say so
TIDY_SECONDS, TIDY_ROWS = 60 * 60, 2_000


class Scheduler:
    """One for each worker; `tick()` is called again and again."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._name = f"{socket.gethostname()} {os.getpid()}"
        self._done_at: dict[str, float] = {}
        self._is_away = self._is_tidying = False

    def tick(self) -> None:
        """Hand out what there is to do. A database or broker that is away is tried again."""
        try:
            self._tick()
            self._note(is_away=False)
        except AWAY:
            self._note(is_away=True)
            connection.close()

    def leave(self) -> None:
        """Note that this worker has ended in order, so that nobody takes it for a silent one."""
        with suppress(DBError):  # else it is not counted any more in a moment
            Worker.objects.filter(name=self._name).delete()

    def _note(self, *, is_away: bool) -> None:
        """Log that the database or the broker is away, or is back; not each second again."""
        if is_away and not self._is_away:
            logger.exception("runs cannot be looked after")
        elif self._is_away and not is_away:
            logger.info("runs are looked after again")
        self._is_away = is_away

    def _tick(self) -> None:
        if self._is_due("beat", BEAT_SECONDS):
            recorder.read_back()
            Worker.objects.update_or_create(name=self._name, defaults={"seen_at": timezone.now()})
        runs = list(BulkRun.objects.filter(state__in=UNDER_WAY).order_by("pk"))
        if self._is_due("alive", ALIVE_SECONDS):
            logger.info("the worker is alive", extra={"runs": len(runs)})
        if self._is_due("sample", SAMPLE_SECONDS):
            approval.expire()
            for run in runs:
                _note_progress(run)
                # As long as all calls wait, nobody who would send asks this.
                backoff.stop_if_left(run)
        # As long as tasks wait, all workers are busy. Which run a task is for, it finds out itself.
        if not self._broker.queue_size() and (any(map(has_work, runs)) or _is_look_due()):
            async_task("associations.bulk.tasks.work", broker=self._broker)
        if self._is_tidying or self._is_due("tidy", TIDY_SECONDS):
            self._is_tidying = tidy()

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        is_due = now >= self._done_at.get(what, now - seconds) + seconds
        if is_due:
            self._done_at[what] = now
        return is_due


def _is_look_due() -> bool:
    return (is_look_left() or sweeping.is_due()) and not backoff.current()


def _note_progress(run: BulkRun) -> None:
    now = round(time.time(), 1)
    if run.samples and 0 <= now - run.samples[-1][0] < SAMPLE_SECONDS - 1:
        return  # another worker was quicker
    samples = [*run.samples, [now, run.closed]][-SAMPLES:]
    BulkRun.objects.filter(pk=run.pk, state=run.state).update(samples=samples)


def tidy() -> bool:
    """Delete a part of what was staged and is not needed any more; return whether more is left.

    Nothing of the log. In parts, so that a worker gives signs of life and hands out work meanwhile.
    """
    old = timezone.now() - timedelta(days=settings.BULK_KEEP_DAYS)
    # One that may still be started goes whole, or it would start with what is left of it.
    if run := BulkRun.objects.filter(state__in=NOT_STARTED, created_at__lt=old).first():
        with suppress(NotPossibleError):
            discard(run=run)
        return True
    ended = BulkRun.objects.filter(state__in=ENDED, finished_at__lt=old)
    for model in (BulkUpload, BulkRow, BulkKey, BulkChunk):
        rows = model._default_manager
        if part := list(rows.filter(run__in=ended).values_list("pk", flat=True)[:TIDY_ROWS]):
            rows.filter(pk__in=part).delete()
            return True
    Worker.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()
    Failure.objects.filter(stopped__lt=old).delete()
    return False
