"""When no run may call HubSpot, whatever the limiter says: its limits, and its silence.

One pause for all runs on all machines, for they speak to one account.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from associations.hubspot.outcomes import Cause
from associations.models import CallPause

# HubSpot did not answer.
SILENCE = {Cause.HUBSPOT_DOWN, Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION}
_ONLY = 1  # the number of the one row
LONGEST_SILENCE = timedelta(seconds=30)  # between two tries while HubSpot answers nothing


def current() -> CallPause | None:
    """Return the pause that is on now, if there is one."""
    # One that was made later than now was made before the clock was set back.
    return CallPause.objects.filter(
        pk=_ONLY, made_at__lte=timezone.now() + timedelta(seconds=1), until__gt=timezone.now()
    ).first()


def pause(cause: str, until: datetime) -> None:
    """Let no run call HubSpot before `until`."""
    _write(cause, until, silent_since=None)


def pause_for_silence(cause: str) -> None:
    """HubSpot does not answer: wait a second, and then twice as long each time."""
    now = timezone.now()
    row = CallPause.objects.filter(pk=_ONLY).first()
    since = min((row and row.silent_since) or now, now)
    wait = min(max(now - since, timedelta(seconds=1)), LONGEST_SILENCE)
    _write(cause, now + wait, silent_since=since)


def end_of_silence() -> None:
    """HubSpot has answered."""
    CallPause.objects.filter(pk=_ONLY, silent_since__isnull=False).update(
        silent_since=None, until=timezone.now()
    )


def _write(cause: str, until: datetime, *, silent_since: datetime | None) -> None:
    values = {"cause": cause, "until": until, "silent_since": silent_since}
    values |= {"made_at": timezone.now()}
    CallPause.objects.update_or_create(pk=_ONLY, defaults=values)
