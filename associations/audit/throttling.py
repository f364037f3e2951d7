"""How much one person may send, look up and find."""

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from associations.gateway import rate_limiter
from associations.models import (
    AssociationCheck,
    AssociationRequest,
    EventKind,
    SecurityEvent,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from hubadmin.models import User

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class ThrottledError(Exception):
    """This person has had as much as one may within a minute or an hour; nothing was sent."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"one more in {wait_seconds} s")
        self.wait_seconds = wait_seconds


def check_rate_of_submits(user: "User", now: datetime) -> None:
    """Raise ThrottledError if the person has sent enough within the last minute.

    Counted in the log itself, so it holds for all processes and machines together; the person is
    locked until the end of the caller's transaction, so that what they send at once is counted one
    by one.
    """
    if limit := settings.SUBMITS_PER_PERSON_PER_MINUTE:
        if connection.features.has_select_for_update:  # SQLite's transaction is the lock itself
            people = get_user_model().objects.select_for_update(no_key=True)
            people.filter(pk=user.pk).values_list("pk").first()
        sent = AssociationRequest.objects.by_hand(user).newest_first()
        _check_rate(sent.values_list("created_at", flat=True), now, limit, MINUTE)


def check_rate_of_checks(user: "User", now: datetime) -> None:
    """The same for looks at what became of an entry; these need not be counted one by one."""
    if limit := settings.SUBMITS_PER_PERSON_PER_MINUTE:
        checks = AssociationCheck.objects.filter(user=user).order_by("-checked_at")
        _check_rate(checks.values_list("checked_at", flat=True), now, limit, MINUTE)


def check_looks(user: "User") -> None:
    """The same for all that a person looks up, which may be of an entry or not."""
    if wait := rate_limiter.look_wait(user.pk):
        raise ThrottledError(wait)


def check_finds(user: "User", now: datetime) -> None:
    """The same for what a person searches for, within an hour by the log, and within a minute."""
    if limit := settings.FINDS_PER_PERSON_PER_HOUR:
        hour = (now - HOUR, now + HOUR)
        found = SecurityEvent.objects.filter(user=user, what=EventKind.RECORDS_SEARCHED)
        newest = found.filter(at__range=hour).order_by("-id").values_list("at", flat=True)
        _check_rate(newest, now, limit, HOUR)
    if wait := rate_limiter.find_wait(user.pk):
        raise ThrottledError(wait)


def _check_rate(
    newest: "QuerySet[Any, datetime]", now: datetime, limit: int, span: timedelta
) -> None:
    whole = span.total_seconds()
    # The one that has to be that old before there may be another.
    for at in newest[limit - 1 : limit]:
        wait = (at + span - now).total_seconds()
        # Clocks differ a little; one that differs by more has been set back since.
        if 0 < wait < whole + 60:
            raise ThrottledError(min(round(whole), math.ceil(wait)))
