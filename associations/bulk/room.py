"""Which rows HubSpot would refuse, as a record has as many links as an admin lets it have.

The rows before count as well: see linking/room.py.
"""

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
from associations.linking.room import Pair, Room, Taken, ends_of
from associations.models import BulkRow, BulkRun, RowState


class _Kept(NamedTuple):
    """What a run's rows of one pair of types link, up to where they are looked up."""

    pair: Pair
    looked_up_to: list[str | int]
    taken: Taken


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
    room = Room(most, (found, _links_back(client, new) if most[1] else {}), _taken_of(run, pair))
    problems = {}
    for row in new:
        ends = ends_of(pair, _id_left(row, "from"), _id_left(row, "to", ids_left))
        full = room.take((row.from_object_id, row.to_object_id), ends)
        if full is not None:
            problems[row.pk] = _problem(row, SIDES[full], most[full])
    _kept.clear()
    _kept[run.pk, run.created_at] = _Kept(pair, [*pair, rows[-1].number], room.taken)
    return problems


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


def _taken_of(run: BulkRun, pair: Pair) -> Taken:
    kept = _kept.get((run.pk, run.created_at))
    if kept and (kept.pair, kept.looked_up_to) == (pair, run.looked_up_to):
        return kept.taken
    there = Q(from_object_type=pair[0], to_object_type=pair[1])
    back = Q(from_object_type=pair[1], to_object_type=pair[0])
    taken = Taken(set)
    for row in run.rows.filter(there | back, state=RowState.READY, was_linked=False).iterator():
        types = row.from_object_type, row.to_object_type
        for key, other in ends_of(types, _id_left(row, "from"), _id_left(row, "to")):
            taken[key].add(other)
    return taken


def _id_left(row: BulkRow, side: str, ids_left: Mapping[str, str] = MappingProxyType({})) -> str:
    """Under which id HubSpot has a record, as far as it was looked up."""
    asked = getattr(row, f"{side}_object_id")
    return str(row.facts.get(f"{side}_merged_into") or ids_left.get(asked, asked))


def _problem(row: BulkRow, side: str, most: int) -> Problem:
    other = "to" if side == "from" else "from"
    facts: dict[str, str | int] = {
        "object_type": getattr(row, f"{side}_object_type"),
        "text": getattr(row, f"{side}_object_id"),
        "chosen": getattr(row, f"{other}_object_type"),
        "limit": most,
    }
    return Problem(f"{side}_object_id", RowReason.LIMIT, facts)
