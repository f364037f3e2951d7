"""Finds out what people are to be told of, from what the database and the status page say.

Nothing in the one flow tells of anything: whatever happened stands there, and is found by the next
look, whoever died in between.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import keyed, whole_number
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    BulkRun,
    Condition,
    EventKind,
    Notice,
    NoticeEvent,
    RunState,
    Watch,
)
from associations.models.bulk import ENDED
from associations.models.readable import read_rows, readable_only, with_readable
from associations.notices import outbox
from associations.notices.outbox import Told
from associations.status.auditlog import log_lines
from associations.status.bulk import worker_line
from associations.status.clocks import hubspot_clock_line
from associations.status.failures import Failures, failures_since
from associations.status.quota import EVENTS, Quota, quota_in_the_log, quota_of
from associations.status.report import Item, Level
from associations.status.token import (
    NOT_ALLOWED,
    account_lines,
    days_of_support,
    look_at_hubspot,
    scope_lines,
)
from associations.sweep.findings import last_told

WATCH_EVERY = timedelta(seconds=15)
LOOK_EVERY = timedelta(minutes=5)  # at HubSpot: three calls, some 900 a day
LOOKED_BACK = timedelta(days=3)  # where nobody has watched for long
TO_CHOOSE = timedelta(minutes=5)  # whoever sits before the page has chosen by then
# What is gone for less is not over, so that what comes and goes is told once.
QUIET = timedelta(minutes=15)
# What may be over in a moment: a restart.
PATIENCE = dict.fromkeys(
    (NoticeEvent.WORKER_SILENT, NoticeEvent.SEALER_SILENT), timedelta(seconds=15)
)
# What HubSpot answered people and runs within that, it says now; of so many answers, the newest.
SAID_LATELY, ANSWERS = timedelta(minutes=1), 20
REFUSALS = {
    Cause.TOKEN_REFUSED: NoticeEvent.TOKEN_REFUSED,
    Cause.SCOPE_MISSING: NoticeEvent.SCOPE_MISSING,
}
FAILED_AT_LEAST = 10  # calls, within the hour, of which at least so many per cent failed
VERSION_DAYS = (-1, 7, 30, 90)
OF_THE_LOG = (
    *(NoticeEvent.SEAL_LATE, NoticeEvent.LOG_ALTERED, NoticeEvent.VERIFICATION_FAILED),
    NoticeEvent.SEALER_SILENT,
)

# Their end says nothing: the day was over.
UNSAID = (NoticeEvent.QUOTA_80, NoticeEvent.QUOTA_95)

Standing = Mapping[NoticeEvent, dict[str, int]]


def watch() -> None:
    """Look, unless somebody has a moment ago. What cannot be looked at keeps nothing else back.

    At HubSpot only a process with a token looks. The others, as the sealer, take no turn of its.
    """
    if not settings.NOTICE_RECEIVERS:
        return
    now = timezone.now()
    Watch.objects.get_or_create(pk=1, defaults={"began_at": now})
    sources: list[Callable[[datetime], object]] = []
    if _is_my_turn("watched_at", WATCH_EVERY, now):
        sources += [outbox.clear, _what_happened, _log, _workers, _calls, _refusals, _calls_left]
    if settings.HUBSPOT_ACCESS_TOKEN and _is_my_turn("looked_at", LOOK_EVERY, now):
        sources += [_version, _hubspot]
    failure: Exception | None = None
    for source in sources:
        try:
            source(now)
        except Exception as error:
            failure = error
    if failure:
        raise failure


def _is_my_turn(what: str, every: timedelta, now: datetime) -> bool:
    # In the future: a clock was set back.
    is_due = Q(**{what: None}) | Q(**{f"{what}__lte": now - every}) | Q(**{f"{what}__gt": now})
    return Watch.objects.filter(is_due, pk=1).update(**{what: now}) > 0


# --- what is told once ----------------------------------------------------------------------------


def _what_happened(now: datetime) -> None:
    since = max(now - LOOKED_BACK, Watch.objects.get(pk=1).began_at)
    outbox.put_new([*_of_runs(now, since), *_of_the_sweep(since)])


def _of_runs(now: datetime, since: datetime) -> Iterator[Told]:
    ended = BulkRun.objects.filter(state__in=ENDED, finished_at__gte=since)
    for run in _read(ended.exclude(started_at=None)):
        yield _about(NoticeEvent.RUN_ENDED, run, **_counts(run))
    for run in _read(BulkRun.objects.filter(state=RunState.PAUSED).exclude(stop_cause="")):
        stop = run.events.filter(what=EventKind.RUN_STOPPED).order_by("pk").last()
        yield _about(NoticeEvent.RUN_PAUSED, run, stop.pk if stop else 0)
    to_choose = BulkRun.objects.filter(state=RunState.READY, rows_to_choose__gt=0)
    for run in _read(to_choose.filter(read_at__lte=now - TO_CHOOSE)):
        yield _about(NoticeEvent.RUN_CHOICE, run, rows=run.rows_to_choose)
    for run in _read(BulkRun.objects.asked_for()):
        asked = round(run.asked_at.timestamp()) if run.asked_at else 0
        yield _about(NoticeEvent.RUN_APPROVAL, run, asked, pairs=run.pairs)


def _read(runs: QuerySet[BulkRun]) -> list[BulkRun]:
    return readable_only(read_rows(runs.order_by("pk")))


def _counts(run: BulkRun) -> dict[str, int]:
    counts = {"pairs": run.pairs, "achieved": run.achieved, "failed": run.failed}
    counts |= {"not_sent": run.not_sent}
    return counts | ({"undoes": run.undoes_id} if run.undoes_id else {})


def _about(event: NoticeEvent, run: BulkRun, which: int = 0, **numbers: int) -> Told:
    """Once for each run; what may happen to it again, once each time."""
    key, numbers = f"{event}/{run.pk}/{which}", {"run": run.pk, **numbers}
    return Told(event, key, path=run.get_absolute_url(), numbers=numbers)


def _of_the_sweep(since: datetime) -> Iterator[Told]:
    event = last_told()
    if event is None or event.at < since:
        return
    if links := whole_number(keyed(event.facts).get("findings")):
        key = f"{NoticeEvent.LINKS_CHANGED}/{event.pk}"
        yield Told(NoticeEvent.LINKS_CHANGED, key, reverse("changed"), {"links": links})


def _version(now: datetime) -> None:
    days = days_of_support(timezone.localdate(now))
    if reached := [each for each in VERSION_DAYS if days <= each]:
        key = f"{NoticeEvent.VERSION_ENDS}/{settings.HUBSPOT_API_VERSION}/{reached[0]}"
        path = f"{reverse('status')}#version"
        outbox.put_new([Told(NoticeEvent.VERSION_ENDS, key, path, {"days": days})])


# --- what lasts -----------------------------------------------------------------------------------


def _log(now: datetime) -> None:
    stands(OF_THE_LOG, _told(log_lines(now)), now, part="log")


def _workers(now: datetime) -> None:
    stands([NoticeEvent.WORKER_SILENT], _told([worker_line()]), now, part="runs")


def _calls(now: datetime) -> None:
    failures = failures_since(now - timedelta(hours=1))
    numbers = {"calls": failures.count, "failed": failures.failed}
    standing = {NoticeEvent.CALLS_FAILING: numbers} if _are_spiking(failures) else {}
    stands([NoticeEvent.CALLS_FAILING], standing, now, part="calls")


def _are_spiking(failures: Failures) -> bool:
    is_much = failures.level in (Level.WARNING, Level.WRONG)
    return is_much and failures.failed >= FAILED_AT_LEAST


def _refusals(now: datetime) -> None:
    """What HubSpot has just refused people and runs, for want of a token or a scope.

    It costs no call. That it is over only a look at HubSpot tells: silence says nothing.
    """
    since = now - SAID_LATELY
    attempts = with_readable(AssociationAttempt.objects.order_by("-id"), "started_at")
    batches = with_readable(AssociationBatch.objects.order_by("-id"), "started_at")
    answers = [
        *attempts.values_list("started_at", "request__cause")[:ANSWERS],
        *batches.values_list("started_at", "cause")[:ANSWERS],
    ]
    causes = {cause for at, cause in answers if at >= since}
    standing: Standing = {event: {} for cause, event in REFUSALS.items() if cause in causes}
    stands([*standing], standing, now, part="hubspot")


def _hubspot(now: datetime) -> None:
    shown = look_at_hubspot()
    error = shown.account.error
    if error and error.cause not in (*NOT_ALLOWED, Cause.TOKEN_REFUSED):
        return  # whatever is so, this look does not tell
    standing = {**_told(account_lines(shown))}
    looked = [NoticeEvent.TOKEN_REFUSED]
    if NoticeEvent.TOKEN_REFUSED not in standing:
        standing |= _told(scope_lines(shown, now))
        looked.append(NoticeEvent.SCOPE_MISSING)
    stands(looked, standing, now, part="hubspot")
    _quota(quota_of(shown, now), now)
    line = hubspot_clock_line(shown)
    if line.level is not Level.UNKNOWN:
        stands([NoticeEvent.CLOCK_DIFFERS], _told([line]), now, part="clocks")


def _calls_left(now: datetime) -> None:
    """As the newest answer in the log tells: sooner than a look, and it costs no call."""
    quota = quota_in_the_log(now)
    if quota and quota.seen_at and now - quota.seen_at < SAID_LATELY:
        _quota(quota, now)


def _quota(quota: Quota | None, now: datetime) -> None:
    if quota:
        event = EVENTS.get(quota.level)
        standing: Standing = {event: {"percent": int(quota.percent)}} if event else {}
        # At 95 % nobody needs to be told of the 80 as well.
        looked = {NoticeEvent.QUOTA_80, NoticeEvent.QUOTA_95}
        if NoticeEvent.QUOTA_95 in standing:
            looked.remove(NoticeEvent.QUOTA_80)
        stands(looked, standing, now, part="calls")


def _told(lines: Iterable[Item]) -> dict[NoticeEvent, dict[str, int]]:
    return {line.event: {} for line in lines if line.event and line.needs_attention}


def stands(looked: Collection[NoticeEvent], standing: Standing, now: datetime, part: str) -> None:
    """Note what of these is so now; tell of what is new, and of what has been over for a while.

    `standing` has what is so, with its numbers; `part` of the status page says more.
    """
    path = f"{reverse('status')}#{part}"
    known = {each.event: each for each in Condition.objects.filter(event__in=looked)}
    for event in looked:
        condition = known.get(event)
        if event in standing:
            _goes_on(event, standing[event], now, path)
        elif condition and now - condition.seen_at >= QUIET:
            _is_over(condition, path)


def _goes_on(event: NoticeEvent, numbers: dict[str, int], now: datetime, path: str) -> None:
    began = {"began_at": now, "seen_at": now}
    condition, _ = Condition.objects.get_or_create(event=event, defaults=began)
    is_new = not condition.is_told and now - condition.began_at >= PATIENCE.get(event, timedelta())
    with transaction.atomic():
        if is_new:
            outbox.put(Told(event, _key(condition), path, numbers))
        own = Condition.objects.filter(pk=condition.pk)
        own.update(seen_at=now, is_told=condition.is_told or is_new)


def _is_over(condition: Condition, path: str) -> None:
    event = NoticeEvent(condition.event)
    with transaction.atomic():
        first = Notice.objects.filter(key=_key(condition)).first()
        if first and event not in UNSAID:
            over = Told(event, f"{_key(condition)}/over", path, first.numbers, is_over=True)
            outbox.put(over)
        condition.delete()


def _key(condition: Condition) -> str:
    return f"{condition.event}/{condition.began_at.timestamp():.6f}"
