"""How far a run is, how fast it goes, and what it waits for.

From the counters that stand with the run: no row is looked at. Only what is sought is counted.
"""

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DBError
from django.utils import timezone

from associations.bulk import backoff
from associations.gateway import rate_limiter
from associations.hubspot.outcomes import Outcome
from associations.models import BulkRun, RunState, Worker
from associations.models.bulk import UNDER_WAY

RATE_SECONDS = 60.0  # a rate is that of the last minute
MIN_RATE_SECONDS = 5.0
SHORT_WAIT = 1.0  # seconds, which nobody need be told of
NO_WORKER, SLOTS = "no_worker", "slots"
ENDS = (
    Outcome.LINKED,
    Outcome.UNLINKED,
    Outcome.UNCONFIRMED,
    Outcome.REJECTED,
    Outcome.UNREACHABLE,
    Outcome.CANCELED,
)


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps a run: a Cause, or NO_WORKER, or SLOTS for the limiter of calls."""

    cause: str
    until: datetime | None = None

    @property
    def seconds(self) -> int:
        """How long it still is, rounded up; 0 where nobody knows."""
        left = (self.until - timezone.now()).total_seconds() if self.until else 0.0
        return max(0, math.ceil(left))

    @property
    def is_standstill(self) -> bool:
        """Whether nothing moves meanwhile; for slots a run waits all the time, and goes on."""
        return self.cause != SLOTS

    @property
    def is_silence(self) -> bool:
        return self.cause in backoff.SILENCE


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that ended alike; `start` and `width` in per cent of the bar."""

    outcome: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Progress:
    """`total` and `done` are rows, `rate` is rows a second (None if it cannot be told yet)."""

    total: int
    done: int
    parts: list[Segment]
    in_doubt: int = 0
    rate: float | None = None
    waits_for: Wait | None = None

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0

    @property
    def percent(self) -> int:
        """Never 100 before all is done, nor while something of it is in doubt."""
        return min(int(100 * self.share), 99 if self.in_doubt else 100)

    @property
    def seconds_left(self) -> int | None:
        return round((self.total - self.done) / self.rate) if self.rate else None


def progress_of(run: BulkRun) -> Progress:
    """Return how far the run is with what it does now."""
    total, done = _total_and_done(run)
    other = Outcome.LINKED if run.undoes_id else Outcome.UNLINKED  # which it never does
    counts = {each: getattr(run, each) for each in ENDS if each != other}
    counts[Outcome.CANCELED] = run.not_sent
    wait = waits_for(run)
    is_moving = run.state == RunState.RUNNING and not (wait and wait.is_standstill)
    return Progress(
        total,
        done,
        parts=_parts(counts, total) if run.queued else [],
        in_doubt=run.in_doubt,
        rate=_rate(run, time.time()) if is_moving else None,
        waits_for=wait,
    )


def waits_for(run: BulkRun) -> Wait | None:
    """Return what the run waits for, if it is to do something and cannot."""
    if run.state not in UNDER_WAY:
        return None
    if not Worker.objects.alive().exists():
        return Wait(NO_WORKER)
    if run.state != RunState.RUNNING:
        return None
    if pause := backoff.current():
        return Wait(pause.cause, pause.until)
    return _wait_for_slots()


def _wait_for_slots() -> Wait | None:
    try:
        seconds = rate_limiter.bulk_wait()
    except DBError:  # its own connection: that it cannot be asked is no reason to show no page
        return None
    if seconds <= SHORT_WAIT:
        return None
    return Wait(SLOTS, timezone.now() + timedelta(seconds=seconds))


def _total_and_done(run: BulkRun) -> tuple[int, int]:
    match run.state:
        case RunState.READING if run.is_read and not run.is_found:
            return run.keys.count(), run.keys.exclude(asked_at=None).count()
        case RunState.READING:
            return run.rows_ready, run.rows_looked_up
        case RunState.QUEUEING:
            return run.pairs, run.queued
        case _:
            return run.pairs, run.over


def _parts(counts: dict[Outcome, int], total: int) -> list[Segment]:
    parts, start = [], 0.0
    for outcome, count in counts.items():
        width = 100 * count / max(total, 1)
        parts.append(Segment(outcome, count, round(start, 2), round(width, 2)))
        start += width
    return parts


def _samples(run: BulkRun) -> list[list[float]]:
    """As they were written: pairs of numbers."""
    pairs = [each for each in run.samples if isinstance(each, list) and len(each) == 2]
    return [pair for pair in pairs if all(isinstance(each, (int, float)) for each in pair)]


def _rate(run: BulkRun, now: float) -> float | None:
    """The rows closed since the first of the last minute's samples, or since its start."""
    samples = [(at, closed) for at, closed in _samples(run) if at >= now - RATE_SECONDS]
    if run.started_at and run.started_at.timestamp() >= now - RATE_SECONDS:
        samples.insert(0, (run.started_at.timestamp(), 0))
    if not samples:
        return None
    at, closed = samples[0]
    return (run.closed - closed) / (now - at) if now - at >= MIN_RATE_SECONDS else None
