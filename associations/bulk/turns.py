"""Whose turn it is: work is shared by person, not by what was uploaded first.

Each process of a worker remembers for how long it has worked for whom, and goes on with whoever has
had the least. So everybody gets the same part of every process, however much others have uploaded;
processes and machines need not agree on anything, and one that begins anew just shares from there.
"""

import time
from collections import Counter
from collections.abc import Sequence

from django.db.models import Count
from django.utils import timezone

from associations.bulk import backoff
from associations.bulk.leases import free
from associations.gateway import rate_limiter
from associations.models import BulkChunk, BulkRun, RunState
from associations.models.bulk import UNDER_WAY

QUICK_BYTES = 16 * 1024  # some hundred rows
QUICK_ROWS = 4_096  # a text of that size has no more, but a workbook is packed
AHEAD = 2.0  # seconds of quick dry runs, which need not wait until all others have had as much
# One slow call is no reason to make somebody wait for minutes.
MOST_SECONDS = 5.0

# A person, and whether it is about their quick dry runs: they stand apart from the rest of their
# work, as somebody waits for them at the screen.
Line = tuple[int, bool]


def is_quick(run: BulkRun) -> bool:
    """Whether it is a dry run of so little that it takes a moment."""
    is_small = 0 < run.size <= QUICK_BYTES and run.rows_read <= QUICK_ROWS
    return run.state == RunState.READING and is_small


def has_work(run: BulkRun) -> bool:
    """Whether there is something that a task could claim now, or that remains to be ended."""
    if run.state in (RunState.READING, RunState.QUEUEING):
        return free(BulkRun.objects.filter(pk=run.pk)).exists()
    if run.state == RunState.RUNNING and backoff.current():
        return False
    left = run.chunks.filter(is_done=False)
    if run.state == RunState.CANCELING and left.filter(owner="").exists():
        return True
    return free(left).exists() or not left.exists()


class Turns:
    """What one process has done for whom, by which it chooses what to do next."""

    def __init__(self) -> None:
        self._had: dict[Line, float] = {}  # seconds
        self._least = 0.0  # so much, or nearly, whoever comes (again) is taken to have had
        self._last: dict[int, float] = {}  # run → when it had its turn

    def next_run(self) -> BulkRun | None:
        """Return the run that is worked on next; None if there is nothing to do."""
        runs = list(BulkRun.objects.filter(state__in=UNDER_WAY).order_by("pk"))
        at_work, is_call_free = _at_work(runs), _is_call_free(runs)

        def order(run: BulkRun) -> tuple[float, ...]:
            line, is_sent = _line_of(run), run.state == RunState.RUNNING
            # Nobody waits for a free call as long as there is something else to do. Of one person's
            # runs one is read after the other, and then those that are sent have their turns.
            return (
                _needs_call(run) and not is_call_free,
                at_work[line],
                self._had_by(line),
                is_sent,
                self._last.get(run.pk, 0.0) if is_sent else 0.0,
                run.pk,
            )

        return next(filter(has_work, sorted(runs, key=order)), None)

    def note(self, run: BulkRun, seconds: float) -> None:
        """Remember for how long this run was worked on."""
        line = _line_of(run)
        had = self._had_by(line)
        self._least = max(self._least, had)
        self._had[line] = had + min(seconds, MOST_SECONDS)
        self._last[run.pk] = time.monotonic()

    def _had_by(self, line: Line) -> float:
        _person, is_quick = line
        least = self._least - AHEAD * is_quick
        return max(self._had.get(line, least), least)


def _line_of(run: BulkRun) -> Line:
    return run.user_id, is_quick(run)


def _at_work(runs: Sequence[BulkRun]) -> Counter[Line]:
    """How many processes are at work for each: a call that takes long shall keep one, not all."""
    now, at_work = timezone.now(), Counter[Line]()
    if len(set(map(_line_of, runs))) < 2:
        return at_work
    chunks = BulkChunk.objects.filter(run__in=runs, is_done=False, lease_until__gt=now)
    counts = chunks.exclude(owner="").values_list("run_id").annotate(Count("pk"))
    of_run = Counter(dict(counts))
    for run in runs:
        is_held = run.owner and run.lease_until and run.lease_until > now
        at_work[_line_of(run)] += of_run[run.pk] + bool(is_held)
    return at_work


def _needs_call(run: BulkRun) -> bool:
    """Whether its next step asks HubSpot, within what all runs share."""
    is_looked_up = run.state == RunState.READING and run.is_read and not is_quick(run)
    return run.state == RunState.RUNNING or is_looked_up


def _is_call_free(runs: Sequence[BulkRun]) -> bool:
    needs = set(map(_needs_call, runs))
    return len(needs) < 2 or rate_limiter.bulk_wait() <= 0
