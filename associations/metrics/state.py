"""What the database knows of how things stand, read when somebody asks for /metrics.

Never the whole log: each part reads one stretch of an index, or a small table, and is given up
after SECONDS. What was read counts for FRESH seconds, so that two who ask cost one.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from itertools import chain
from threading import Lock

from django.conf import settings
from django.db import Error as DBError
from django.db.models import Count, F, Max, Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from associations.audit.integrity.manifest import ManifestError
from associations.db import QueryTimeoutError, query_timeout
from associations.gateway import rate_limiter
from associations.hubspot.client import SUPPORT_ENDS
from associations.hubspot.outcomes import VERDICTS, Outcome
from associations.models import (
    OPEN_OUTCOMES,
    AssociationRequest,
    BulkRun,
    RunState,
    Sealer,
    Worker,
)
from associations.models.bulk import ENDED, UNDER_WAY
from associations.models.readable import UNREADABLE, UnreadableRow, with_readable
from associations.status.auditlog import last_seal, unsealed_since
from associations.status.quota import quota_in_the_log
from associations.sweep.findings import number_changed
from hubadmin.startup import VERSION
from hubadmin.web import readiness

logger = logging.getLogger(__name__)

FRESH = 5.0  # seconds
SECONDS = 2.0  # for each part
_ENDS = (
    *("linked", "unlinked", "unconfirmed"),
    *("rejected", "unreachable", "canceled"),
)  # the columns in which a run counts its rows
BY_A_PERSON = "by_a_person"  # why a run is paused that has not stopped by itself


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hubadmin_{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"hubadmin_{name}", text, labels=[label])
    for each, value in values:
        family.add_metric([each], value)
    return family


def _moment(name: str, text: str, moment: datetime | None) -> Iterator[Metric]:
    """A time in seconds since 1970, of which whoever watches takes the age; none if none is."""
    if moment:
        yield _gauge(f"{name}_timestamp_seconds", text, moment.timestamp())


def site() -> Iterator[Metric]:
    version, ends = settings.HUBSPOT_API_VERSION, SUPPORT_ENDS[settings.HUBSPOT_API_VERSION]
    facts = {name: value or "" for name, value in VERSION.items()}
    yield InfoMetricFamily("hubadmin_build", "Which version of hubadmin this is.", value=facts)
    yield _gauges(
        "hubspot_api_support_ends_timestamp_seconds",
        "When HubSpot ends its support of the API version in use.",
        "version",
        [(version, _midnight(ends).timestamp())],
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day(), UTC)


def runs() -> Iterator[Metric]:
    left = BulkRun.objects.exclude(state__in=ENDED).order_by()
    counts = dict.fromkeys((str(each) for each in RunState if each not in ENDED), 0)
    counts |= dict(left.values_list("state").annotate(Count("pk")))
    yield _gauges("runs", "Bulk runs that have not ended, by state.", "state", counts.items())
    paused = left.filter(state=RunState.PAUSED).values_list("stop_cause").annotate(Count("pk"))
    yield _gauges(
        "runs_paused", "Paused runs, by why they have paused.", "cause", _causes(dict(paused))
    )
    ended = Sum(sum((F(each) for each in _ENDS[1:]), F(_ENDS[0])))
    total = BulkRun.objects.filter(state__in=UNDER_WAY).aggregate(all=Sum("queued"), ended=ended)
    waiting = (total["all"] or 0) - (total["ended"] or 0)
    yield _gauge("rows_waiting", "Rows of runs under way that have not ended.", waiting)


def _causes(counts: dict[str, int]) -> Iterator[tuple[str, float]]:
    known = {cause: count for cause, count in counts.items() if cause in VERDICTS}
    yield BY_A_PERSON, counts.get("", 0)
    yield from known.items()
    yield "other", sum(counts.values()) - counts.get("", 0) - sum(known.values())


def workers() -> Iterator[Metric]:
    text = "Workers that were seen within half a minute, of all machines."
    yield _gauge("workers", text, Worker.objects.alive().count())


def entries() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "hubadmin_oldest_open_entry_timestamp_seconds",
        "When the oldest entry was made that is open, sent by the form or of a run.",
        labels=["of"],
    )
    for of, found in (("form", _oldest(sent_by_run=False)), ("run", _oldest(sent_by_run=True))):
        if found:
            family.add_metric([of], found.timestamp())
    yield family


def _oldest(*, sent_by_run: bool) -> datetime | None:
    """Of each outcome apart, as an index has each of them in order; the form's never wait."""
    outcomes = OPEN_OUTCOMES if sent_by_run else (Outcome.SENDING,)
    rows = with_readable(AssociationRequest.objects.all(), "created_at", "sent_at")
    rows = rows.filter(run__isnull=not sent_by_run).order_by("created_at", "id")
    times = [
        rows.filter(outcome=outcome).values_list("created_at", flat=True)[:1]
        for outcome in outcomes
    ]
    return min(chain.from_iterable(times), default=None)


def seals() -> Iterator[Metric]:
    seal = last_seal()
    if isinstance(seal, UnreadableRow):
        raise ManifestError("the last seal cannot be read")
    text = "When the newest seal was made."
    yield from _moment("newest_seal", text, seal.sealed_at if seal else None)
    text = "Since when closed entries wait for a seal; there is none while none does."
    yield from _moment("unsealed_since", text, unsealed_since(seal, timezone.now()))


def sealer() -> Iterator[Metric]:
    text = (
        "When what seals again and again last gave a sign of life; there is none if it has ended."
    )
    seen = Sealer.objects.aggregate(last=Max("seen_at"))["last"]
    yield from _moment("sealer_seen", text, seen)


def sweep() -> Iterator[Metric]:
    text = "Links that are not what they were, as the daily look found; counted to 1,000."
    yield _gauge("sweep_findings", text, number_changed(None))


def quota() -> Iterator[Metric]:
    """As HubSpot's newest answer told it; it is not asked for this."""
    found = quota_in_the_log(timezone.now())
    if found and found.seen_at:
        yield _gauge("quota_calls", "Calls that HubSpot takes within a day.", found.limit)
        text = "Calls of this day that were used, when an answer told it last."
        yield _gauge("quota_calls_used", text, found.used)
        yield from _moment("quota_told", "When an answer told of these calls last.", found.seen_at)


def limiter() -> Iterator[Metric]:
    if settings.HUBSPOT_CALLS_PER_10_SECONDS:
        used, limit = rate_limiter.usage()
        text = "Calls that this site allows itself within ten seconds, all machines together."
        yield _gauge("call_limit", text, limit)
        yield _gauge("call_limit_used", "How many of these are used.", used)


PARTS: dict[str, Callable[[], Iterator[Metric]]] = {
    "runs": runs,
    "workers": workers,
    "entries": entries,
    "seals": seals,
    "sealer": sealer,
    "sweep": sweep,
    "quota": quota,
    "limiter": limiter,
}


class StateCollector(Collector):
    """All of it; `part_read` tells what could be read, and is 0 for what is missing therefore."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        self._families: list[Metric] = []
        self._due_at = 0.0

    def collect(self) -> list[Metric]:
        with self._lock:
            if time.monotonic() >= self._due_at:
                self._families = [*_look()]
                self._due_at = time.monotonic() + FRESH
            return self._families


def _look() -> Iterator[Metric]:
    status, told = readiness.state()
    yield _gauge("ready", "1 if /readyz says that work can be done, else 0.", status == 200)
    is_degraded = told["status"] == "degraded"
    yield _gauge("degraded", "1 if /readyz has something for somebody to look at.", is_degraded)
    yield from site()
    is_away = told.get("database") == "unreachable"
    read = {name: None if is_away else _read(name) for name in PARTS}
    for families in read.values():
        yield from families or ()
    are_read = [(name, float(families is not None)) for name, families in read.items()]
    yield _gauges("part_read", "1 if this part could be read, else 0.", "part", are_read)


def _read(name: str) -> list[Metric] | None:
    try:
        with query_timeout(SECONDS):
            return [*PARTS[name]()]
    except (DBError, QueryTimeoutError, ManifestError, *UNREADABLE) as error:
        logger.warning("metrics could not be read", extra={"part": name, "why": str(error)})
        return None


collector = StateCollector()
