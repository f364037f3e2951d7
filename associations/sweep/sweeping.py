"""The daily look at what was linked, a step at a time: whose turn it is, and how far it has come.

A step is claimed, asks HubSpot, and is written down in one transaction with what it has found, by
whoever still holds it: so a worker that dies loses no finding, and none is written twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from associations.audit import recorder
from associations.db import retry_on_outage
from associations.gateway import clients
from associations.gateway.clients import NoSlotError
from associations.hubspot.answers import merged_columns
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import usage
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import SIDES
from associations.linking.identity import asked_ids
from associations.models import (
    AssociationCheck,
    AssociationRequest,
    AssociationRequestQuerySet,
    EventKind,
    Finding,
    Sweep,
)
from associations.models.readable import read_rows, readable_only, with_readable
from associations.sweep.looking import THERE, Known, Seen, first_look, second_look

PART, DOUBTS = 1_000, 100  # links that are looked at together, the first and the second time
SETTLED = timedelta(minutes=10)  # what HubSpot shows lags behind what it has answered
LATER = timedelta(minutes=10)  # it is tried again, where HubSpot does not answer
SOON = timedelta(seconds=2)  # where no call is free
DAILY_CALLS = 250_000  # of an account, where it is not told
_ONLY = 1  # the number of the one row
_TYPES = ("from_object_type", "to_object_type")
_READ = (*_TYPES, "from_object_id", "to_object_id", "from_merged_into", "to_merged_into")

_TOO_MUCH = {Cause.UNREADABLE, Cause.TIMED_OUT}  # perhaps of so many at once
# HubSpot answers nobody, or not us; all else is about the two types.
_FOR_ALL = {
    *(Cause.HUBSPOT_DOWN, Cause.CONNECTION_LOST, Cause.NO_CONNECTION, Cause.HUBSPOT_ERROR),
    *(Cause.RATE_LIMITED, Cause.MIGRATING, Cause.LOCKED, Cause.DAILY_LIMIT),
    *(Cause.TOKEN_REFUSED, Cause.REDIRECTED),
}

News = tuple[Known, Seen, str]


class _LostError(Exception):
    """Somebody else has claimed the step meanwhile."""


def is_due() -> bool:
    """Whether there may be links that nobody has looked at today."""
    if settings.SWEEP_QUOTA_PERCENT <= 0:
        return False
    return _free().exists() or not Sweep.objects.exists()


def take_step() -> bool:
    """Do what is next, if it can be done now; return whether there may be more of it."""
    sweep = _claimed() if is_due() else None
    if sweep is None:
        return False
    try:
        return _try_step(sweep)
    except _LostError:
        return False


def _try_step(sweep: Sweep) -> bool:
    try:
        _step(sweep, clients.sweep(lambda: _count(sweep, calls=1)))
    except NoSlotError:
        _write(sweep, wait=SOON)
        return False
    except ReadError as error:
        return _put_off(sweep, error.cause)
    return True


# --- whose turn it is -----------------------------------------------------------------------------


def _free() -> Any:
    now = timezone.now()
    # One that ends so late was given before the clock was set back.
    is_odd = Q(lease_until__gt=now + 2 * max(LATER, _lease()))
    is_free = Q(lease_until=None) | Q(lease_until__lt=now) | is_odd
    rows = with_readable(Sweep.objects.filter(is_free, pk=_ONLY))
    return rows.exclude(day=_today(), is_told=True)


def _claimed() -> Sweep | None:
    if not Sweep.objects.exists():
        Sweep.objects.get_or_create(pk=_ONLY)
    owner = uuid4().hex
    _free().update(owner=owner, lease_until=timezone.now() + _lease())
    claimed = read_rows(Sweep.objects.filter(pk=_ONLY, owner=owner))
    return next(filter(_is_sound, readable_only(claimed)), None)


def _is_sound(sweep: Sweep) -> bool:
    """Whether this code may have written how far it has come; if not, a round begins anew."""
    pairs = all(isinstance(each, list) and [*map(type, each)] == [str, str] for each in sweep.pairs)
    place = [*map(type, sweep.place)] in ([], [str, int])
    if pairs and place and {*map(type, sweep.counts.values())} <= {int}:
        return True
    Sweep.objects.filter(pk=sweep.pk, owner=sweep.owner).delete()
    return False


def _write(
    sweep: Sweep,
    news: Iterable[News] = (),
    told: dict[str, Any] | None = None,
    wait: timedelta = timedelta(0),
    **values: Any,
) -> None:
    """Keep what a step has come to, and let whoever comes have the next one."""
    values |= {"counts": sweep.counts, "owner": ""}
    values["lease_until"] = timezone.now() + wait if wait else None

    def write() -> None:
        if not Sweep.objects.filter(pk=_ONLY, owner=sweep.owner).update(**values):
            raise _LostError
        for known, seen, what in news:
            recorder.record_finding(known.entry, what, **_columns(sweep, known, seen))
        if told:
            recorder.record_event(EventKind.LINKS_SWEPT, **told)

    retry_on_outage(write)


def _columns(sweep: Sweep, known: Known, seen: Seen) -> dict[str, Any]:
    return {
        "duration_ms": _milliseconds_of(sweep),
        "is_linked": seen.is_linked,
        "types": [asdict(each) for each in seen.types],
        **merged_columns(asked_ids(known.entry), seen.ids),
    }


def _milliseconds_of(sweep: Sweep) -> int:
    claimed_at = (sweep.lease_until or timezone.now()) - _lease()
    return max(0, round((timezone.now() - claimed_at).total_seconds() * 1000))


def _lease() -> timedelta:
    return timedelta(seconds=settings.BULK_LEASE_SECONDS)


def _today() -> str:
    return timezone.localdate(timezone=timezone.get_default_timezone()).isoformat()


# --- what is next ---------------------------------------------------------------------------------


def _step(sweep: Sweep, client: HubSpotClient) -> None:
    if sweep.day != _today():
        _begin_day(sweep, client)
    elif not sweep.pairs or sweep.counts.get("calls", 0) >= sweep.allowed:
        _end_day(sweep)
    elif entries := _doubtful(sweep):
        _look_twice(sweep, client, entries)
    elif entries := _next_part(sweep):
        _look(sweep, client, entries)
    else:
        _write(sweep, **_next_pair(sweep))


def _next_pair(sweep: Sweep) -> dict[str, Any]:
    return {"pairs": sweep.pairs[1:], "place": [], "doubts": []}


def _begin_day(sweep: Sweep, client: HubSpotClient) -> None:
    """Go on with a round that is not over, or begin one; and tell what the day before came to."""
    told = _statement(sweep) if sweep.day and not sweep.is_told else None
    sweep.counts, values = {}, dict[str, Any]()
    if not sweep.pairs:
        sweep.began_at = timezone.now()
        values = {"began_at": sweep.began_at, "pairs": _pairs(sweep), "place": [], "size": PART}
    is_idle = not values.get("pairs", sweep.pairs)
    allowed = 0 if is_idle else _allowed(client)
    _write(sweep, told=told, day=_today(), is_told=is_idle, allowed=allowed, **values)


def _end_day(sweep: Sweep) -> None:
    _write(sweep, told=_statement(sweep), is_told=True)


def _statement(sweep: Sweep) -> dict[str, Any]:
    """What the log is told of a day: how many links were looked at, and what was found."""
    left = sum(_left(sweep, number) for number in range(len(sweep.pairs)))
    none = dict.fromkeys(("links", "findings", "not_looked_at", "calls"), 0)
    return none | sweep.counts | {"not_looked_at": sweep.counts.get("not_looked_at", 0) + left}


def _allowed(client: HubSpotClient) -> int:
    """How many calls the sweep has today; at least one, however few the account has."""
    try:
        told = usage(client)
    except ReadError:
        told = None
    return max(1, round((told.limit if told else DAILY_CALLS) * settings.SWEEP_QUOTA_PERCENT / 100))


def _count(sweep: Sweep, **more: int) -> None:
    for name, number in more.items():
        sweep.counts[name] = sweep.counts.get(name, 0) + number


# --- which links ----------------------------------------------------------------------------------


def _swept(sweep: Sweep) -> AssociationRequestQuerySet:
    began_at = sweep.began_at or timezone.now()
    since = began_at - timedelta(days=settings.SWEEP_DAYS)
    return with_readable(AssociationRequest.objects.swept(since, began_at - SETTLED), *_READ)


def _pairs(sweep: Sweep) -> list[list[str]]:
    return sorted(map(list, _swept(sweep).order_by().values_list(*_TYPES).distinct()))


def _of_pair(sweep: Sweep, number: int = 0) -> AssociationRequestQuerySet:
    """What is not looked at of one of the pairs of types, for the first time."""
    rows = _swept(sweep).filter(**dict(zip(_TYPES, sweep.pairs[number], strict=True)))
    if number or not sweep.place:
        return rows
    return rows.newer_than(datetime.fromisoformat(sweep.place[0]), sweep.place[1])


def _left(sweep: Sweep, number: int = 0) -> int:
    return _of_pair(sweep, number).count() + (0 if number else len(sweep.doubts))


def _next_part(sweep: Sweep) -> list[AssociationRequest]:
    rows = with_readable(_of_pair(sweep), "created_at").order_by("created_at", "id")
    return list(rows.only("created_at", *_READ)[: sweep.size])


def _doubtful(sweep: Sweep) -> list[AssociationRequest]:
    """What is looked at for the second time now: so many, or the last of a pair of types."""
    size = min(DOUBTS, sweep.size)
    if len(sweep.doubts) < size and _of_pair(sweep).exists():
        return []
    return list(AssociationRequest.objects.filter(pk__in=sweep.doubts[:size]).only(*_READ))


def _known(entries: Sequence[AssociationRequest]) -> list[Known]:
    """What was known of each, but for those whose pair something has settled since."""
    settled = _settled(entries)
    left = {each.pk: each for each in entries if each.pk >= settled.get(_pair(each), 0)}
    found = AssociationCheck.objects.findings().filter(entry__in=left).order_by("pk")
    columns = found.values_list("entry_id", "finding", "from_merged_into", "to_merged_into")
    known = {pk: Known(entry, entry.ids_left) for pk, entry in left.items()}
    for pk, state, from_id, to_id in columns:
        entry = left[pk]
        ids = from_id or entry.from_object_id, to_id or entry.to_object_id
        known[pk] = Known(entry, ids, THERE if state == Finding.THERE_AGAIN else state)
    return list(known.values())


def _settled(entries: Sequence[AssociationRequest]) -> dict[frozenset[str], int]:
    """Return of each pair, of the one pair of types, the last entry that says what it is.

    By the ids of the side that has more of them: a record may have links by the hundred thousand.
    """
    types, last = (
        (entries[0].from_object_type, entries[0].to_object_type),
        dict[frozenset[str], int](),
    )
    ids = {side: {getattr(each, f"{side}_object_id") for each in entries} for side in SIDES}
    side, other = sorted(SIDES, key=lambda each: -len(ids[each]))
    for named, (one, two) in ((side, types), (other, types[::-1])):
        rows = AssociationRequest.objects.settling().filter(
            from_object_type=one, to_object_type=two
        )
        rows = rows.filter(
            **{f"{named}_object_id__in": ids[side]}, pk__gte=min(e.pk for e in entries)
        )
        for each in rows.only(*_READ):
            last[_pair(each)] = max(each.pk, last.get(_pair(each), 0))
    return last


def _pair(entry: AssociationRequest) -> frozenset[str]:
    ends = (
        (entry.from_object_type, entry.from_object_id),
        (entry.to_object_type, entry.to_object_id),
    )
    return frozenset("/".join(end) for end in ends)


# --- looking --------------------------------------------------------------------------------------


def _look(sweep: Sweep, client: HubSpotClient, entries: Sequence[AssociationRequest]) -> None:
    known = _known(entries)
    seen = first_look(client, known) if known else {}
    doubts = [each.entry.pk for each in known if each.entry.pk not in seen]
    news = _noted(sweep, known, seen)
    values = {"place": _place(entries[-1]), "doubts": sweep.doubts + doubts, "size": _larger(sweep)}
    _write(sweep, news, **values)


def _look_twice(sweep: Sweep, client: HubSpotClient, entries: Sequence[AssociationRequest]) -> None:
    known = _known(entries)
    seen = second_look(client, known) if known else {}
    _count(sweep, not_looked_at=len(known) - len(seen))
    news, left = _noted(sweep, known, seen), sweep.doubts[min(DOUBTS, sweep.size) :]
    _write(sweep, news, doubts=left, size=_larger(sweep))


def _noted(sweep: Sweep, known: Sequence[Known], seen: dict[int, Seen]) -> list[News]:
    """Count what was seen, and return what of it is new."""
    looked = [(each, seen[each.entry.pk]) for each in known if each.entry.pk in seen]
    news = [(each, now, what) for each, now in looked if (what := each.news_in(now))]
    _count(sweep, links=len(looked), findings=len(news))
    if seen:
        sweep.counts["first"] = min(*seen, sweep.counts.get("first", max(seen)))
        sweep.counts["last"] = max(*seen, sweep.counts.get("last", 0))
    return news


def _place(entry: AssociationRequest) -> list[Any]:
    return [entry.created_at.isoformat(), entry.pk]


def _larger(sweep: Sweep) -> int:
    return min(PART, 2 * sweep.size)


# --- what HubSpot did not answer ------------------------------------------------------------------


def _put_off(sweep: Sweep, cause: Cause) -> bool:
    """Try it again later, or less of it at once; give up only what nothing else hangs on."""
    wait = LATER if cause in _FOR_ALL or cause is Cause.TIMED_OUT else timedelta(0)
    if cause in _TOO_MUCH and sweep.size > 1:
        _write(sweep, wait=wait, size=sweep.size // 4 or 1)
    elif cause in _TOO_MUCH:
        _pass_over(sweep, wait)
    elif cause in _FOR_ALL:
        _write(sweep, wait=wait)
    else:
        _count(sweep, not_looked_at=_left(sweep))
        _write(sweep, **_next_pair(sweep))
    return not wait


def _pass_over(sweep: Sweep, wait: timedelta) -> None:
    """Leave out the one link for which HubSpot does not come to an answer."""
    _count(sweep, not_looked_at=1)
    if _doubtful(sweep):
        _write(sweep, wait=wait, doubts=sweep.doubts[1:])
    else:
        _write(sweep, wait=wait, place=_place(_next_part(sweep)[-1]))
