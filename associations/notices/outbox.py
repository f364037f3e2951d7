"""Notices and who is to have them, in one transaction; what is due, and what became of it.

At least once: whoever dies between sending and noting that it was sent has sent it twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from associations.models import Delivery, Notice, NoticeEvent

GIVEN_UP_AFTER = timedelta(days=3)
KEPT = timedelta(days=90)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)
CLAIMED_FOR = timedelta(seconds=60)  # longer than these may take, one after the other
AT_ONCE = 5  # of one receiver


@dataclass(frozen=True, slots=True)
class Told:
    """What people are to be told: once, by its key. `path` is of the page where one sees more."""

    event: NoticeEvent
    key: str
    path: str
    numbers: dict[str, int] = field(default_factory=dict)
    is_over: bool = False


def put_new(all_told: Iterable[Told]) -> None:
    """Have people told of those that they have not been told of."""
    by_key = {each.key: each for each in all_told}
    known = Notice.objects.filter(key__in=by_key).values_list("key", flat=True)
    for key in by_key.keys() - {*known}:
        put(by_key[key])


def put(told: Told) -> None:
    """Have each receiver of this event told of it; nothing if its key is known already."""
    now = timezone.now()
    facts = {"event": told.event, "at": now, "numbers": told.numbers, "path": told.path}
    facts["is_over"] = told.is_over
    with transaction.atomic():
        notice, is_new = Notice.objects.get_or_create(key=told.key, defaults=facts)
        if is_new:
            Delivery.objects.bulk_create(
                Delivery(notice=notice, receiver=each.name, next_at=now)
                for each in settings.NOTICE_RECEIVERS
                if each.wants(told.event)
            )


def claim(receiver: str) -> list[Delivery]:
    """Take what is due for this receiver, a few at most, before anybody else does.

    What was not tried yet comes first: one that it never takes keeps no other back.
    """
    now = timezone.now()
    # A notice of the future is of before the clock was set back.
    is_due = Q(next_at__lte=now) | Q(attempts=0, notice__at__gt=now, next_at=F("notice__at"))
    due = Delivery.objects.filter(is_due, receiver=receiver).select_related("notice")
    return [
        each
        for each in due.order_by("attempts", "pk")[:AT_ONCE]
        if _open(each).filter(next_at=each.next_at).update(next_at=now + CLAIMED_FOR)
    ]


def note_sent(delivery: Delivery) -> None:
    done = {"sent_at": timezone.now(), "next_at": None, "error": ""}
    _open(delivery).update(attempts=F("attempts") + 1, **done)


def note_failed(delivery: Delivery, error: str) -> None:
    """Have it tried again later, ever more rarely; after three days give it up."""
    now = timezone.now()
    is_given_up = now - delivery.notice.at >= GIVEN_UP_AFTER
    later = {"given_up_at": now, "next_at": None} if is_given_up else {}
    later = later or {"next_at": now + pause_after(delivery.attempts + 1)}
    _open(delivery).update(attempts=F("attempts") + 1, error=error, **later)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many tries in vain: 30 s, 2 min, 8 min, … 6 h."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 4 ** min(attempts - 1, 10))


def clear(now: datetime) -> None:
    Notice.objects.filter(at__lt=now - KEPT).delete()


def _open(delivery: Delivery) -> QuerySet[Delivery]:
    """It, unless somebody has noted meanwhile that it was sent."""
    return Delivery.objects.filter(pk=delivery.pk, sent_at=None)
