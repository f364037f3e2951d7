"""How much one person may send."""

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model

from associations.gateway import rate_limiter
from associations.models import AssociationCheck, AssociationRequest

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from hubadmin.models import User


class ThrottledError(Exception):
    """This person has sent as much as one may within a minute; nothing was sent."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"one more in {wait_seconds} s")
        self.wait_seconds = wait_seconds


def check_rate_of_submits(user: "User", now: datetime) -> None:
    """Raise ThrottledError if the person has sent enough within the last minute.

    Counted in the log itself, so it holds for all processes and machines together; the person is
    locked until the end of the caller's transaction, so that what they send at once is counted one
    by one.
    """
    if settings.SUBMITS_PER_PERSON_PER_MINUTE:
        people = get_user_model().objects.select_for_update(no_key=True)
        people.filter(pk=user.pk).values_list("pk").first()
        sent = AssociationRequest.objects.by_hand(user).newest_first()
        _check_rate(sent.values_list("created_at", flat=True), now)


def check_rate_of_checks(user: "User", now: datetime) -> None:
    """The same for looks at what became of an entry; these need not be counted one by one."""
    if settings.SUBMITS_PER_PERSON_PER_MINUTE:
        checks = AssociationCheck.objects.filter(user=user).order_by("-checked_at")
        _check_rate(checks.values_list("checked_at", flat=True), now)


def check_looks(user: "User") -> None:
    """The same for all that a person looks up, which may be of an entry or not."""
    if wait := rate_limiter.look_wait(user.pk):
        raise ThrottledError(wait)


def _check_rate(
    newest: "QuerySet[AssociationRequest | AssociationCheck, datetime]", now: datetime
) -> None:
    limit = settings.SUBMITS_PER_PERSON_PER_MINUTE
    # The one that has to be a minute old before there may be another.
    for at in newest[limit - 1 : limit]:
        wait = (at + timedelta(minutes=1) - now).total_seconds()
        # Clocks differ a little; one that differs by more has been set back since.
        if 0 < wait < 120:
            raise ThrottledError(min(60, math.ceil(wait)))
