"""Which rows HubSpot would refuse, as a record has as many links as an admin lets it have.

What is linked now counts, and so do the rows before: the first ones go. More may be linked than a
limit says, as it was set later, and what is linked already is not refused again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import Q

from associations.bulk.files.rows import RowReason
from associations.gateway import clients
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import links_of_many
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import SIDES, Problem
from associations.hubspot.schemas import Links
from associations.linking.foresight import limit_of
from associations.models import BulkRow, BulkRun, RowState

_Pair = tuple[str, str]
_Key = tuple[str, str, str]  # a record's type and id, and the type of what it is linked to
_Ends = tuple[tuple[_Key, str], tuple[_Key, str]]  # each record, and the id of the other one
_Taken = defaultdict[_Key, set[str]]


class _Kept(NamedTuple):
    """What a run's rows of one pair of types link, up to where they are looked up."""

    pair: _Pair
    looked_up_to: list[str | int]
    taken: _Taken


# Of the run that this process was at last; whoever takes up another one reads its rows.
_kept: dict[tuple[int, datetime], _Kept] = {}


def rows_without_room(
    client: HubSpotClient,
    run: BulkRun,
    rows: Sequence[BulkRow],
    seen: Mapping[int, bool | None],
    found: Mapping[str, Links],
    ids_left: Mapping[str, str],
) -> dict[int, Problem]:
    """Return what is wrong with those rows of one look for which there is no room, by their id.

    `seen` has which of them are linked, and `found` the links of their first records. Raises
    ReadError where the run's person may not act any more.
    """
    pair = rows[0].from_object_type, rows[0].to_object_type
    new = [row for row in rows if seen.get(row.pk) is False]
    most = [limit_of(*each, client=lambda: client) for each in (pair, pair[::-1]) if new]
    if not any(most):
        return {}
    room = _Room(most, (found, _links_back(client, new) if most[1] else {}), _taken_of(run, pair))
    problems = {}
    for row in new:
        ends = _ends(pair, _id_left(row, "from"), _id_left(row, "to", ids_left))
        full = room.take((row.from_object_id, row.to_object_id), ends)
        if full is not None:
            problems[row.pk] = _problem(row, SIDES[full], most[full])
    _kept.clear()
    _kept[run.pk, run.created_at] = _Kept(pair, [*pair, rows[-1].number], room.taken)
    return problems


class _Room:
    """How many more links the records of two types may have: by limit, for each of the two."""

    def __init__(
        self, most: Sequence[int], linked: tuple[Mapping[str, Links], ...], taken: _Taken
    ) -> None:
        self.taken, self._most, self._linked = taken, most, linked
        self._now: dict[_Key, set[str]] = {}  # what there is, and what rows have taken

    def take(self, asked: _Pair, ends: _Ends) -> int | None:
        """Take room for a link; return which of the two records has none, if one has not."""
        for side, (key, other) in enumerate(ends):
            now = self._of(side, asked[side], key)
            if 0 < self._most[side] <= len(now) and other not in now:
                return side
        for key, other in ends:
            self.taken[key].add(other)
            self._now[key].add(other)
        return None

    def _of(self, side: int, asked_id: str, key: _Key) -> set[str]:
        if key not in self._now:
            links = self._linked[side].get(asked_id, Links())
            linked = {each.object_id for each in links.records if each.is_default}
            self._now[key] = self.taken[key] | linked
        return self._now[key]


def _links_back(client: HubSpotClient, rows: Sequence[BulkRow]) -> dict[str, Links]:
    """What the second records are linked to; those of which that is not known are left out."""
    ids = sorted({row.to_object_id for row in rows})
    types = rows[0].to_object_type, rows[0].from_object_type
    try:
        return links_of_many(client, types[0], ids, types[1], seconds=clients.READ_SECONDS)
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return {}


def _taken_of(run: BulkRun, pair: _Pair) -> _Taken:
    kept = _kept.get((run.pk, run.created_at))
    if kept and (kept.pair, kept.looked_up_to) == (pair, run.looked_up_to):
        return kept.taken
    there = Q(from_object_type=pair[0], to_object_type=pair[1])
    back = Q(from_object_type=pair[1], to_object_type=pair[0])
    taken = _Taken(set)
    for row in run.rows.filter(there | back, state=RowState.READY, was_linked=False).iterator():
        types = row.from_object_type, row.to_object_type
        for key, other in _ends(types, _id_left(row, "from"), _id_left(row, "to")):
            taken[key].add(other)
    return taken


def _id_left(row: BulkRow, side: str, ids_left: Mapping[str, str] = MappingProxyType({})) -> str:
    """Under which id HubSpot has a record, as far as it was looked up."""
    asked = getattr(row, f"{side}_object_id")
    return str(row.facts.get(f"{side}_merged_into") or ids_left.get(asked, asked))


def _ends(types: _Pair, one: str, other: str) -> _Ends:
    return ((types[0], one, types[1]), other), ((types[1], other, types[0]), one)


def _problem(row: BulkRow, side: str, most: int) -> Problem:
    other = "to" if side == "from" else "from"
    facts: dict[str, str | int] = {
        "object_type": getattr(row, f"{side}_object_type"),
        "text": getattr(row, f"{side}_object_id"),
        "chosen": getattr(row, f"{other}_object_type"),
        "limit": most,
    }
    return Problem(f"{side}_object_id", RowReason.LIMIT, facts)
