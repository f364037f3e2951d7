"""How many pairs a person has asked for, today and in all, by hand and in runs."""

from collections import Counter
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from associations.audit.pagination import COUNT_SECONDS
from associations.db import QueryTimeoutError, query_timeout
from associations.hubspot.outcomes import Outcome
from associations.linking.own_requests import Source
from associations.models import AssociationRequest, BulkRun
from associations.models.querysets import COUNTED_AT_MOST, count_of

if TYPE_CHECKING:
    from hubadmin.models import User

_COUNTED = {
    "linked": (Outcome.LINKED,),
    "not_linked": (Outcome.REJECTED, Outcome.CANCELED),
    "in_doubt": (Outcome.UNCONFIRMED, Outcome.UNREACHABLE),
}


class Counts(NamedTuple):
    """What bulk/counts_line.html tells, here of all that somebody has asked for in a day."""

    linked: int
    not_linked: int
    in_doubt: int
    left_out: int = 0


def counts_of(user: "User") -> dict[str, Any]:
    """Return what linking/own_counts.html tells; no numbers if they take too long to count.

    Runs have counted their own entries already.
    """
    by_hand = AssociationRequest.objects.by_hand(user)
    runs = BulkRun.objects.started_by(user)
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(), time.min))
    try:
        with query_timeout(COUNT_SECONDS):
            todays = by_hand.filter(created_at__gte=midnight).aggregate(**_of_entries())
            of_runs = _counted_by(runs, midnight)
            count = count_of([by_hand]) + of_runs["queued"]
    except QueryTimeoutError:
        return {"count": None}
    today = Counts(**{name: todays[name] + _sum(of_runs, name) for name in _COUNTED})
    return {"today": today if any(today) else None} | _bounded(count)


def count_found(source: Source) -> dict[str, Any]:
    """Return how many lines a search has found; none if they take too long to count.

    What is found in two ways counts once.
    """
    try:
        with query_timeout(COUNT_SECONDS):
            found = (part.order_by().values_list("pk", flat=True) for part in source.entries)
            pks = {pk for part in found for pk in part[:COUNTED_AT_MOST]}
            return _bounded(len(pks) + source.runs.count())
    except QueryTimeoutError:
        return {"count": None}


def _bounded(count: int) -> dict[str, Any]:
    is_more = count >= COUNTED_AT_MOST
    return {"count": COUNTED_AT_MOST - 1 if is_more else count, "is_more": is_more}


def _counted_by(runs: QuerySet[BulkRun], midnight: datetime) -> Counter[str]:
    if not runs.exists():
        return Counter()  # most people have none
    return Counter(runs.aggregate(**_of_runs(midnight), queued=Sum("queued", default=0)))


def _of_entries() -> dict[str, Count]:
    links = Q(undoes=None)
    return {
        name: Count("id", filter=links & Q(outcome__in=outcomes))
        for name, outcomes in _COUNTED.items()
    }


def _of_runs(midnight: datetime) -> dict[str, Sum]:
    today = Q(started_at__gte=midnight, undoes=None)
    outcomes = [str(each) for outcomes in _COUNTED.values() for each in outcomes]
    return {f"today_{each}": Sum(each, filter=today, default=0) for each in outcomes}


def _sum(of_runs: Counter[str], name: str) -> int:
    return sum(of_runs[f"today_{outcome}"] for outcome in _COUNTED[name])
