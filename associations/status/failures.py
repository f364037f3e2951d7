"""How many of today's calls failed, as the newest exchanges in the log have it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext

from associations.hubspot.outcomes import Cause
from associations.models import AssociationAttempt, AssociationBatch
from associations.models.readable import with_readable
from associations.status.report import Item, Level, html, two_sentences

COVERED = 2_000  # calls, the newest; by id, as no index has their times
MANY, MOST = 5, 50  # per cent of the calls; HubSpot wants fewer than the first
FEW, ENOUGH = 3, 10  # calls: fewer failures say nothing, and of fewer calls nothing is sure

_NOT_MADE = {Cause.RATE_LIMITED, Cause.ACCESS_ENDED}
_READ = ("started_at", "http_status", "failure")
_Row = tuple[datetime, int | None, str]  # started_at, http_status, failure


@dataclass(frozen=True, slots=True)
class Failures:
    """Of some calls, those that ended with anything but a 2xx."""

    count: int
    failed: int
    is_more: bool = False

    @property
    def percent(self) -> float:
        return 100 * self.failed / self.count if self.count else 0.0

    @property
    def level(self) -> Level:
        if self.percent < MANY or self.is_little:
            return Level.WELL
        return Level.WRONG if self.percent >= MOST and self.count >= ENOUGH else Level.WARNING

    @property
    def is_little(self) -> bool:
        """Whether a share that looks large may be chance: two ids that were mistyped."""
        return self.percent >= MANY and self.failed < FEW


def failures_since(start: datetime) -> Failures:
    rows = sorted(_newest(), key=itemgetter(0), reverse=True)
    of_today = [row for row in rows[:COVERED] if row[0] >= start]
    is_more = len(rows) > COVERED and rows[COVERED][0] >= start
    return Failures(len(of_today), sum(map(_has_failed, of_today)), is_more)


def failure_line(failures: Failures) -> Item:
    if not failures.count:
        return Item(Level.WELL, gettext("No call of today is in the log yet."))
    text = gettext("Of today's {count} calls in the log {failed} failed ({percent}%).")
    if failures.is_more:
        text = gettext("Of today's newest {count} calls in the log {failed} failed ({percent}%).")
    numbers = {
        "count": number_format(failures.count, force_grouping=True),
        "failed": number_format(failures.failed, force_grouping=True),
        "percent": number_format(round(failures.percent, 1), 1),
    }
    told = html(text, **numbers)
    if failures.is_little:
        told = two_sentences(told, gettext("That is too little to go by."))
    return Item(failures.level, told, _advice(failures.level))


def _newest() -> Iterator[_Row]:
    """The newest of both kinds, but for what this site itself did not let through."""
    for model in (AssociationAttempt, AssociationBatch):
        newest = with_readable(model._default_manager.order_by("-id"), *_READ)
        rows = newest.values_list(*_READ)[: COVERED + 1]
        yield from (row for row in rows if row[1] is not None or row[2] not in _NOT_MADE)


def _has_failed(row: _Row) -> bool:
    _, status, failure = row
    return bool(failure) or status is None or not 200 <= status < 300


def _advice(level: Level) -> str:
    if level is Level.WELL:
        return ""
    text = gettext(
        "HubSpot wants fewer of a day's calls to fail than {wanted}%. "
        '<a href="{url}?range=today&amp;outcome=rejected&amp;outcome=unreachable">See which, and '
        "why</a>"
    )
    return html(text, wanted=MANY, url=reverse("audit_log"))
