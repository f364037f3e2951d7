"""How many calls HubSpot still takes today: as it tells, or as its newest answer told the log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.translation import gettext

from associations.hubspot.client import ReadError
from associations.hubspot.sanitizing import header
from associations.models import AssociationAttempt, AssociationBatch, NoticeEvent
from associations.models.readable import read_rows, readable_only
from associations.status.report import Item, Level, html, not_known
from associations.status.token import Shown, is_not_told
from associations.texts.labels import time_of

SCARCE, NEARLY_USED_UP = 80, 95  # per cent of the day's calls
EVENTS = {Level.WARNING: NoticeEvent.QUOTA_80, Level.WRONG: NoticeEvent.QUOTA_95}
LOOKED_THROUGH = 50  # attempts and batches, the newest; not every answer has the headers


@dataclass(frozen=True, slots=True)
class Quota:
    """The calls of the account's present day; `seen_at` is when an answer said so, if not now."""

    limit: int
    used: int
    resets_at: datetime | None
    seen_at: datetime | None = None

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def percent(self) -> float:
        return round(min(100.0, 100 * self.used / self.limit), 2)

    @property
    def level(self) -> Level:
        if self.percent >= NEARLY_USED_UP:
            return Level.WRONG
        return Level.WARNING if self.percent >= SCARCE else Level.WELL


def quota_of(shown: Shown, now: datetime) -> Quota | None:
    """Return what is known of today's calls; None if neither HubSpot nor the log tells."""
    if usage := shown.usage.value:
        return Quota(usage.limit, usage.used, usage.resets_at)
    account = shown.account.value
    return quota_in_the_log(now, _zone(account.time_zone if account else ""))


def quota_lines(shown: Shown, quota: Quota | None) -> Iterator[Item]:
    error = shown.usage.error
    if quota is None:
        yield _unknown(shown, error)
        return
    yield Item(quota.level, _left(quota), _advice(quota), event=EVENTS.get(quota.level))
    if quota.seen_at and error and is_not_told(shown, error):
        text = gettext(
            "So said HubSpot's answer of {moment}; more is not told for keys of this kind."
        )
        yield Item(Level.WELL, html(text, moment=time_of(quota.seen_at)))
    elif quota.seen_at:
        text = html(
            gettext("So said HubSpot's answer of {moment}; newer numbers are not known."),
            moment=time_of(quota.seen_at),
        )
        yield not_known(text, error) if error else Item(Level.UNKNOWN, text)


def _unknown(shown: Shown, error: ReadError | None) -> Item:
    if error and is_not_told(shown, error):
        text = gettext(
            "How many calls are left today is not told for keys of this kind, and no answer in the "
            "log tells."
        )
        return Item(Level.UNKNOWN, text)
    text = gettext("How many calls are left today is not known, and no answer in the log tells.")
    return not_known(text, error) if error else Item(Level.UNKNOWN, text)


def _left(quota: Quota) -> str:
    numbers = {
        "left": number_format(quota.left, force_grouping=True),
        "limit": number_format(quota.limit, force_grouping=True),
        "percent": number_format(quota.percent, 1),
    }
    if not quota.resets_at:
        text = gettext(
            "{left} of {limit} calls are left; {percent}% are used. The count starts anew at "
            "midnight of the HubSpot account's time zone."
        )
        return html(text, **numbers)
    text = gettext(
        "{left} of {limit} calls are left; {percent}% are used. The count starts anew at {moment}."
    )
    return html(text, **numbers, moment=time_of(quota.resets_at))


def _advice(quota: Quota) -> str:
    match quota.level:
        case Level.WRONG:
            return gettext(
                "Stop what can wait, here and in the other programs of the account: once all calls "
                "are used, HubSpot refuses every request until then."
            )
        case Level.WARNING:
            return gettext("Leave large jobs until then.")
    return ""


def quota_in_the_log(now: datetime, zone: ZoneInfo | None = None) -> Quota | None:
    """Return what the newest answer told that tells of it; it was of the last 24 hours or the day.

    Without the account's time zone nobody knows when its day began.
    """
    since, resets_at = _day(now, zone)
    for exchange in sorted(_newest(), key=lambda each: each.started_at, reverse=True):
        limit, left = (_count(exchange.headers, name) for name in ("Daily", "Daily-Remaining"))
        if limit and left is not None and exchange.started_at >= since:
            return Quota(limit, max(0, limit - left), resets_at, exchange.started_at)
    return None


def _newest() -> Iterator[AssociationAttempt | AssociationBatch]:
    told = "started_at", "headers"
    attempts = AssociationAttempt.objects.order_by("-id").only(*told)[:LOOKED_THROUGH]
    batches = AssociationBatch.objects.order_by("-id").only(*told)[:LOOKED_THROUGH]
    yield from readable_only(read_rows(attempts))
    yield from readable_only(read_rows(batches))


def _count(headers: dict[str, str], name: str) -> int | None:
    text = header(headers, f"X-HubSpot-RateLimit-{name}").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _day(now: datetime, zone: ZoneInfo | None) -> tuple[datetime, datetime | None]:
    """The beginning and the end of the account's day; without its zone, the last 24 hours."""
    if zone is None:
        return now - timedelta(days=1), None
    today = now.astimezone(zone).date()
    tomorrow = today + timedelta(days=1)
    return datetime.combine(today, time(), zone), datetime.combine(tomorrow, time(), zone)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # no zone of this name is known here
        return None
