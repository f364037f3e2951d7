"""Whether bulk runs are worked on: the workers, what waits for them, and the limit of calls."""

from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DBError
from django.utils.translation import gettext, ngettext, pgettext
from django_q.brokers import get_broker

from associations.bulk import backoff
from associations.bulk.messages import stop_sentence
from associations.bulk.worker.broker import BrokerAwayError
from associations.gateway import rate_limiter
from associations.gateway.call_limit import CallLimit, call_limit
from associations.hubspot.outcomes import Cause
from associations.models import BulkRun, CallPause, NoticeEvent, RunState, Worker
from associations.models.bulk import UNDER_WAY
from associations.models.readable import with_readable
from associations.status.report import Item, Level, html
from associations.texts.labels import time_of
from associations.texts.lookup_errors import reason_of

PAUSED_SHOWN = 5  # by their numbers, of those that are paused for one reason


def run_lines() -> Iterator[Item]:
    yield worker_line()
    yield from _paused_lines()
    yield from _waiting_lines()
    yield from _limit_lines()
    if pause := backoff.current():
        yield _pause_line(pause)


def worker_line() -> Item:
    living = Worker.objects.alive().count()
    if not living:
        return _no_worker_line()
    text = ngettext(
        "{count} worker is running; it was last seen {moment}.",
        "{count} workers are running; one was last seen {moment}.",
        living,
    )
    seen = Worker.objects.alive().values_list("seen_at", flat=True).latest("seen_at")
    return Item(Level.WELL, html(text, count=living, moment=time_of(seen)))


def _no_worker_line() -> Item:
    advice = html(gettext("<code>manage.py run_worker</code> starts one."))
    event = NoticeEvent.WORKER_SILENT
    if BulkRun.objects.filter(state__in=UNDER_WAY).exists():
        text = gettext("No worker is running, so bulk runs stand still.")
        return Item(Level.WRONG, text, advice, event=event)
    seen = with_readable(Worker.objects.all(), "seen_at").values_list("seen_at", flat=True)
    if last := seen.order_by("seen_at").last():
        text = gettext(
            "No worker is running: the last was seen {moment}, and has not ended in order."
        )
        return Item(Level.WARNING, html(text, moment=time_of(last)), advice, event=event)
    return Item(Level.WELL, gettext("No worker is running. No bulk run needs one now."), advice)


def _paused_lines() -> Iterator[Item]:
    """A line for each reason for which runs are paused; that somebody wants it is one of them."""
    by_cause: dict[str, list[BulkRun]] = {}
    for run in BulkRun.objects.filter(state=RunState.PAUSED).only("stop_cause").order_by("-pk"):
        by_cause.setdefault(run.stop_cause, []).append(run)
    for cause, runs in by_cause.items():
        yield _paused_line(cause, runs)


def _paused_line(cause: str, runs: list[BulkRun]) -> Item:
    links = [html('<a href="{url}">{n}</a>', url=run.get_absolute_url(), n=run.pk) for run in runs]
    comma = pgettext("between the parts of a list", ", ")
    named = html(comma.join(links[:PAUSED_SHOWN]) + (" …" if len(links) > PAUSED_SHOWN else ""))
    if not cause:
        text = ngettext(
            "Bulk run {runs} is paused until somebody resumes it.",
            "Bulk runs {runs} are paused until somebody resumes them.",
            len(runs),
        )
        return Item(Level.WARNING, html(text, runs=named))
    text = ngettext(
        "Bulk run {runs} has paused by itself: {why}",
        "Bulk runs {runs} have paused by themselves: {why}",
        len(runs),
    )
    if cause == Cause.ACCESS_ENDED:
        advice = gettext("Take it over from its page, or cancel it. No row is lost meanwhile.")
    else:
        advice = gettext("Repair that, then resume it from its page. No row is lost meanwhile.")
    return Item(Level.WRONG, html(text, runs=named, why=stop_sentence(cause)), advice)


def _waiting_lines() -> Iterator[Item]:
    try:
        waiting = get_broker().queue_size()
    except BrokerAwayError:
        text = gettext("Redis, where the workers' tasks wait, cannot be reached.")
        advice = gettext("Find out whether it runs. Bulk runs resume by themselves once it does.")
        yield Item(Level.WRONG, text, advice)
        return
    if waiting:
        text = ngettext("{count} task waits.", "{count} tasks wait.", waiting)
        yield Item(Level.WELL, html(text, count=waiting))


def _limit_lines() -> Iterator[Item]:
    ceiling = settings.HUBSPOT_CALLS_PER_10_SECONDS
    if not ceiling:
        text = gettext(
            "No limit of calls is kept here (<code>HUBSPOT_CALLS_PER_10_SECONDS</code>)."
        )
        yield Item(Level.WELL, html(text))
        return
    try:
        used, limit = rate_limiter.usage()
        learnt = call_limit()
    except DBError:
        text = gettext("The limit of calls cannot be read, so none is kept for people's requests.")
        yield Item(Level.WRONG, text)
        return
    text = gettext(
        "{used} of the {limit} calls that this site allows itself within ten seconds are used; "
        "{people} of them no run may use."
    )
    people = settings.HUBSPOT_CALLS_FOR_PEOPLE * limit // ceiling
    yield Item(Level.WELL, html(text, used=used, limit=limit, people=people))
    yield from _learnt_lines(learnt, ceiling)


def _learnt_lines(learnt: CallLimit, ceiling: int) -> Iterator[Item]:
    """Why the limit is below the setting, if it is."""
    if learnt.told is not None and learnt.told < ceiling:
        text = gettext(
            "HubSpot says that it takes {told} calls within ten seconds; "
            "<code>HUBSPOT_CALLS_PER_10_SECONDS</code> would allow {ceiling}."
        )
        yield Item(Level.WELL, html(text, told=learnt.told, ceiling=ceiling))
    if learnt.is_after_refusal:
        text = gettext(
            "HubSpot has refused calls within that limit. So fewer are made, and little by little "
            "more again."
        )
        advice = gettext("Find out whether another program uses the same token.")
        yield Item(Level.WARNING, text, advice)


def _pause_line(pause: CallPause) -> Item:
    text = gettext("Bulk runs wait until {moment}: {why}")
    facts = {"moment": time_of(pause.until), "why": reason_of(pause.cause)}
    return Item(Level.WARNING, html(text, **facts))
