"""How long HubSpot's answers took today, read from the newest attempts in the log."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from associations.models import AssociationAttempt
from associations.models.readable import with_readable

COVERED = 2_000  # attempts, the newest; by id, as no index has their times

_READ = ("started_at", "duration_ms", "http_status", "failure")
Row = tuple[datetime, int, int | None, str]  # started_at, duration_ms, http_status, failure


@dataclass(frozen=True, slots=True)
class Times:
    """Of some attempts: how many, how many failed, and the seconds until the answers came.

    Failed is all but a 2xx. What got no answer has no time; without any answer the seconds are
    None.
    """

    count: int
    failed: int
    unanswered: int
    median: float | None
    slow: float | None  # 95 of 100 were not slower
    slowest: float | None

    @property
    def failed_percent(self) -> float:
        return 100 * self.failed / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Today:
    """The viewer's day; `since` is the oldest that was not left out, None if none was."""

    whole: Times
    by_hour: list[tuple[int, Times]]
    since: datetime | None


def times_today(zone: tzinfo, now: datetime) -> Today:
    start = datetime.combine(now.astimezone(zone).date(), time(), zone)
    newest = AssociationAttempt.objects.order_by("-id")
    readable = with_readable(newest, *_READ)
    rows: list[Row] = list(readable.values_list(*_READ)[: COVERED + 1])
    is_more = len(rows) > COVERED and rows[COVERED][0] >= start
    of_today = [row for row in rows[:COVERED] if row[0] >= start]
    by_hour: dict[int, list[Row]] = {}
    for row in reversed(of_today):
        by_hour.setdefault(row[0].astimezone(zone).hour, []).append(row)
    return Today(
        whole=times_of(of_today),
        by_hour=[(hour, times_of(found)) for hour, found in by_hour.items()],
        since=min(row[0] for row in of_today) if is_more else None,
    )


def times_of(rows: Iterable[Row]) -> Times:
    rows = list(rows)
    answered = [row for row in rows if row[2] is not None and not row[3]]
    seconds = sorted(row[1] / 1000 for row in answered)
    return Times(
        count=len(rows),
        failed=len(rows) - sum(200 <= (row[2] or 0) < 300 for row in answered),
        unanswered=len(rows) - len(answered),
        median=statistics.median(seconds) if seconds else None,
        slow=_slow(seconds),
        slowest=seconds[-1] if seconds else None,
    )


def _slow(seconds: list[float]) -> float | None:
    return seconds[math.ceil(0.95 * len(seconds)) - 1] if seconds else None


WIDTH, HEIGHT = 720, 120  # of 24 hours, in the drawing's own units
GAP = 4
MIN_MARK = 2  # what is there is seen, however little it is
SLOT = WIDTH / 24


@dataclass(frozen=True, slots=True)
class HourBar:
    """The answers of an hour: a bar up to the median, a paler one behind it up to the 95th."""

    hour: int
    times: Times
    x: float
    median_height: float
    slow_height: float
    is_labelled: bool

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def width(self) -> float:
        return SLOT - GAP

    @property
    def median_y(self) -> float:
        return HEIGHT - self.median_height

    @property
    def slow_y(self) -> float:
        return HEIGHT - self.slow_height

    @property
    def label_anchor(self) -> str:
        """To which side of its middle a label goes, so that none leaves the drawing."""
        return "start" if self.hour < 2 else "end" if self.hour > 21 else "middle"


def hour_bars(by_hour: list[tuple[int, Times]]) -> list[HourBar]:
    """Return a bar for each hour with an answer; the slowest says its number."""
    answered = [(hour, times) for hour, times in by_hour if times.slow is not None]
    highest = max((times.slow or 0.0 for _, times in answered), default=0.0)
    labelled = next((hour for hour, times in answered if times.slow == highest), None)
    return [
        HourBar(
            hour=hour,
            times=times,
            x=round(hour * SLOT + GAP / 2, 2),
            median_height=_height(times.median, highest),
            slow_height=_height(times.slow, highest),
            is_labelled=hour == labelled,
        )
        for hour, times in answered
    ]


def _height(seconds: float | None, highest: float) -> float:
    share = seconds / highest if seconds and highest else 0.0
    return round(max(MIN_MARK, share * HEIGHT), 2)
