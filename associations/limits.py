"""How much one person may send."""

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model

from .models import AssociationRequest

if TYPE_CHECKING:
    from hubadmin.models import User


class TooManySubmitsError(Exception):
    """This person has sent as much as one may within a minute; nothing was sent."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"one more in {wait_seconds} s")
        self.wait_seconds = wait_seconds


def demand_patience(user: "User", now: datetime) -> None:
    """Raise TooManySubmitsError if the person has sent enough within the last minute.

    Counted in the log itself, so it holds for all processes and machines together; the person is
    locked until the end of the caller's transaction, so that what they send at once is counted one
    by one.
    """
    limit = settings.SUBMITS_PER_PERSON_PER_MINUTE
    if not limit:
        return
    people = get_user_model().objects.select_for_update(no_key=True)
    people.filter(pk=user.pk).values_list("pk").first()
    newest = AssociationRequest.objects.of(user).newest_first().values_list("created_at", flat=True)
    # The one that has to be a minute old before there may be another.
    for created_at in newest[limit - 1 : limit]:
        wait = (created_at + timedelta(minutes=1) - now).total_seconds()
        # Clocks differ a little; one that differs by more has been set back since.
        if 0 < wait < 120:
            raise TooManySubmitsError(min(60, math.ceil(wait)))
