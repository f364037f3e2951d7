"""What an answer means for the run as a whole: go on, wait, or stop until somebody has looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from associations.audit.recorder import record_event
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt, retry_after
from associations.hubspot.client import ReadError
from associations.hubspot.lookups import account
from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import header
from associations.models import BulkRun, CallPause, EventKind, RunState
from associations.models.readable import with_readable
from hubadmin.web.access import may_act

# HubSpot did not answer.
SILENCE = {Cause.HUBSPOT_DOWN, Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION}
_ONLY = 1  # the number of the one row
LONGEST_SILENCE = timedelta(seconds=30)  # between two tries while HubSpot answers nothing


def current() -> CallPause | None:
    """Return the pause that is on now, if there is one."""
    # One that was made later than now was made before the clock was set back.
    now = timezone.now()
    pause = with_readable(CallPause.objects.filter(pk=_ONLY))
    return pause.filter(made_at__lte=now + timedelta(seconds=1), until__gt=now).first()


def pause_calls(cause: str, until: datetime) -> None:
    """Let no run call HubSpot before `until`."""
    _write(cause, until, silent_since=None)


def pause_calls_for_silence(cause: str) -> None:
    """HubSpot does not answer: wait a second, and then twice as long each time."""
    now = timezone.now()
    row = with_readable(CallPause.objects.filter(pk=_ONLY)).first()
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
    if not CallPause.objects.filter(pk=_ONLY).update(**values):
        CallPause.objects.update_or_create(pk=_ONLY, defaults=values)


# No row would fare better before an admin has done something.
STOPS = {Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.REDIRECTED, Cause.ACCESS_ENDED}
# It takes no calls for a while, of nobody.
_BUSY = {Cause.RATE_LIMITED, Cause.MIGRATING}
_NOT_ABOUT_ROWS = STOPS | SILENCE | _BUSY | {Cause.DAILY_LIMIT, Cause.LOCKED}

WAIT_WHEN_BUSY = 10.0  # seconds, where HubSpot does not say
WAIT_WHEN_LOCKED = 2.0
# The limit of calls has been lowered by the refusal, and lets nobody call before there is room.
WAIT_WHEN_LIMITED = 1.0
LONGEST_WAIT = 3600.0  # then it is tried again, whatever HubSpot asked for


def is_about_rows(cause: Cause) -> bool:
    """Whether the answer is one about the pairs that were sent."""
    return cause not in _NOT_ABOUT_ROWS


def may_give_up(cause: Cause) -> bool:
    """Whether a row that always ends so may be given up, sooner or later."""
    return cause in SILENCE or cause in (Cause.HUBSPOT_ERROR, Cause.LOCKED)


def is_hubspot_there() -> bool:
    """Whether it answers at least a question about the account."""
    try:
        account(clients.bulk_read())
    except ReadError as error:
        return not may_give_up(error.cause)
    return True


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do about answers that came at once; `wait` in seconds."""

    is_answered: bool = True
    stop: str = ""  # the cause for which the run pauses itself
    pause: str = ""  # the cause for which all runs wait
    wait: float = 0.0


def reaction_to(ended: Sequence[tuple[Attempt, Answer]]) -> Reaction:
    """Decide what these answers ask for; HubSpot may be asked when its day ends."""
    by_cause = {answer.cause: attempt for attempt, answer in ended}
    if not set(by_cause) - SILENCE:
        return Reaction(is_answered=False, pause=next(iter(by_cause)), wait=1.0)
    stop = next((cause for cause in by_cause if cause in STOPS), "")
    if Cause.DAILY_LIMIT in by_cause:
        return Reaction(stop=stop, pause=Cause.DAILY_LIMIT, wait=_seconds_to_next_day())
    if busy := next((cause for cause in by_cause if cause in _BUSY), None):
        return Reaction(stop=stop, pause=busy, wait=_wait_when_busy(by_cause[busy]))
    is_locked = set(by_cause) == {Cause.LOCKED}
    return Reaction(stop=stop, wait=WAIT_WHEN_LOCKED if is_locked else 0.0)


def _wait_when_busy(attempt: Attempt) -> float:
    is_asked = bool(header(attempt.headers, "Retry-After"))
    if attempt.http_status == 429 and settings.HUBSPOT_CALLS_PER_10_SECONDS and not is_asked:
        return WAIT_WHEN_LIMITED
    asked = retry_after(attempt.http_status, attempt.headers) or WAIT_WHEN_BUSY
    return min(asked, LONGEST_WAIT)


def react(run: BulkRun, reaction: Reaction) -> None:
    """Write down what was decided."""
    now = timezone.now()
    if not reaction.is_answered:
        pause_calls_for_silence(reaction.pause)
        return
    BulkRun.objects.filter(pk=run.pk).update(answered_at=now)
    end_of_silence()
    if reaction.stop:
        stop_run(run, reaction.stop)
    if reaction.pause:
        pause_calls(reaction.pause, now + timedelta(seconds=reaction.wait))


def stop_if_left(run: BulkRun) -> bool:
    """Pause the run if the person in whose name it is sent may not act any more."""
    has_left = not may_act(run.user_id)
    if has_left:
        stop_run(run, Cause.ACCESS_ENDED)
    return has_left


def stop_run(run: BulkRun, cause: str) -> None:
    """Pause the run: no row is lost, and somebody may have it go on."""
    states = (RunState.QUEUEING, RunState.RUNNING)
    running = BulkRun.objects.filter(pk=run.pk, state__in=states)
    with transaction.atomic():
        if running.update(state=RunState.PAUSED, stop_cause=cause):
            record_event(EventKind.RUN_STOPPED, run=run, cause=cause)


def _seconds_to_next_day() -> float:
    """Until the account's day ends, and with it the daily limit; an hour if nobody can say."""
    try:
        zone = ZoneInfo(account(clients.bulk_read()).time_zone)
    except (ReadError, ZoneInfoNotFoundError, ValueError):
        return LONGEST_WAIT
    now = datetime.now(zone)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=5, microsecond=0)
    return (midnight - now).total_seconds()
