"""The figures and the chart of a filter: how much of what, and when."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from django.db.models import Count
from django.db.models.functions import TruncDate

from associations.models import AssociationRequestQuerySet
from associations.models.querysets import Position
from associations.models.readable import with_readable

COVERED = 50_000  # entries, the newest; more would take longer than one wants to wait
TIMED = 2_000  # of these, for the median
TOP_CATEGORIES = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """What the newest entries of a filter come to; `since` is the oldest that was not left out."""

    total: int
    since: datetime | None
    by_outcome: dict[str, int]
    by_day: dict[date, Counter[str]] = field(default_factory=dict)
    median_seconds: float | None = None
    categories: list[tuple[str, int]] = field(default_factory=list)

    timed: int = 0
    unreadable: int = 0

    @property
    def median_is_part(self) -> bool:
        return self.timed == TIMED

    @property
    def linked(self) -> int:
        return self.by_outcome.get("linked", 0)

    @property
    def failed(self) -> int:
        return self.total - self.linked - self.under_way

    @property
    def under_way(self) -> int:
        return self.by_outcome.get("sending", 0) + self.by_outcome.get("queued", 0)


def figures_of(entries: AssociationRequestQuerySet, zone: tzinfo) -> Figures:
    """Return the figures of the newest COVERED entries; days as they are in this time zone."""
    before = _end_of_covered(entries)
    covered = entries.newer_than(*before) if before else entries
    number = covered.count()
    covered = with_readable(covered, "created_at", "outcome")
    by_day = _by_day(covered, zone)
    by_outcome = sum(by_day.values(), Counter())
    seconds = _seconds(covered)
    return Figures(
        total=by_outcome.total(),
        since=_moment(entries.filter(pk=before[1])) if before else None,
        unreadable=number - by_outcome.total(),
        by_outcome=dict(by_outcome.most_common()),
        by_day=by_day,
        median_seconds=statistics.median(seconds) if seconds else None,
        timed=len(seconds),
        categories=_categories(covered),
    )


def newest_days(
    entries: AssociationRequestQuerySet, zone: tzinfo, at_most: int
) -> list[tuple[date, Counter[str]]]:
    """Return the newest so many days and what became of their entries, as far as they are covered.

    They end with the newest entry; those without any in between are among them.
    """
    before = _end_of_covered(entries)
    covered = entries.newer_than(*before) if before else entries
    by_day = _by_day(with_readable(covered, "created_at", "outcome"), zone)
    if not by_day:
        return []
    last = max(by_day)
    length = min(at_most, (last - min(by_day)).days + 1)
    days = [last - timedelta(back) for back in reversed(range(length))]
    return [(day, by_day.get(day, Counter())) for day in days]


def _end_of_covered(entries: AssociationRequestQuerySet) -> Position | None:
    """Where the first entry stands that is not covered any more."""
    place: Position | None = entries.newest_first().places()[COVERED : COVERED + 1].first()
    return place


def _by_day(entries: AssociationRequestQuerySet, zone: tzinfo) -> dict[date, Counter[str]]:
    by_day: dict[date, Counter[str]] = {}
    rows = entries.annotate(day=TruncDate("created_at", tzinfo=zone)).values("day", "outcome")
    for row in rows.annotate(count=Count("id")).order_by("day"):
        by_day.setdefault(row["day"], Counter())[row["outcome"]] += row["count"]
    return by_day


def _moment(entry: AssociationRequestQuerySet) -> datetime | None:
    return with_readable(entry, "created_at").values_list("created_at", flat=True).first()


def _categories(entries: AssociationRequestQuerySet) -> list[tuple[str, int]]:
    named = with_readable(entries.exclude(error_category=""), "error_category")
    values = named.values("error_category")
    top = values.annotate(count=Count("id")).order_by("-count", "error_category")[:TOP_CATEGORIES]
    return [(row["error_category"], row["count"]) for row in top]


def _seconds(entries: AssociationRequestQuerySet) -> list[float]:
    """How long the newest took, all attempts and looks together."""
    timed = entries.filter(sent_at__isnull=False, finished_at__isnull=False).newest_first()
    timed = with_readable(timed, "sent_at", "finished_at")
    times = timed.values_list("sent_at", "finished_at")[:TIMED]
    return [(finished - sent).total_seconds() for sent, finished in times if sent and finished]


def by_period(by_day: dict[date, Counter[str]], at_most: int) -> list[tuple[date, Counter[str]]]:
    """Return days, or weeks, months or years if there are too many; none of them left out.

    Each goes by its first day.
    """
    if not by_day:
        return []
    first, last = min(by_day), max(by_day)
    for start_of in (_day, _week, _month, _year):
        starts = sorted({start_of(first + timedelta(n)) for n in range((last - first).days + 1)})
        if len(starts) <= at_most:
            break
    periods = {start: Counter[str]() for start in starts}
    for day, counts in by_day.items():
        periods[start_of(day)] += counts
    return list(periods.items())


def _day(day: date) -> date:
    return day


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _month(day: date) -> date:
    return day.replace(day=1)


def _year(day: date) -> date:
    return day.replace(month=1, day=1)
