"""How many more links records may have, where an admin lets them have so many of a kind.

What is linked now counts, and so does what is to be linked before: the first ones go. More may be
linked than a limit says, as it was set later, and what is linked already is not refused again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from associations.gateway import clients
from associations.hubspot.client import ReadError
from associations.hubspot.lookups import SECONDS, current_ids, links_of_many
from associations.hubspot.record_references import Side
from associations.hubspot.schemas import Links
from associations.linking.foresight import limit_of
from associations.texts.labels import record_label

Pair = tuple[str, str]
Key = tuple[str, str, str]  # a record's type and id, and the type of what it is linked to
Ends = tuple[tuple[Key, str], tuple[Key, str]]  # each record, and the id of the other one
Taken = defaultdict[Key, set[str]]
_Record = tuple[str, str]  # canonical type and id


def ends_of(types: Pair, one: str, other: str) -> Ends:
    return ((types[0], one, types[1]), other), ((types[1], other, types[0]), one)


class Room:
    """How many more links the records of two types may have: by limit, for each of the two."""

    def __init__(
        self, most: Sequence[int], linked: tuple[Mapping[str, Links], ...], taken: Taken
    ) -> None:
        self.taken, self._most, self._linked = taken, most, linked
        self._now: dict[Key, set[str]] = {}  # what there is, and what was taken

    def take(self, asked: Pair, ends: Ends) -> int | None:
        """Take room for a link; return which of the two records has none, if one has not."""
        for side, (key, other) in enumerate(ends):
            now = self._of(side, asked[side], key)
            if 0 < self._most[side] <= len(now) and other not in now:
                return side
        for key, other in ends:
            self.taken[key].add(other)
            self._now[key].add(other)
        return None

    def _of(self, side: int, asked_id: str, key: Key) -> set[str]:
        if key not in self._now:
            links = self._linked[side].get(asked_id, Links())
            linked = {each.object_id for each in links.records if each.is_default}
            self._now[key] = self.taken[key] | linked
        return self._now[key]


# --- one record and several others ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many of so many links HubSpot would refuse, and which records have no room for them."""

    of: int
    count: int = 0
    full: list[_Record] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """`Deal 701` of each."""
        return [record_label(*each) for each in self.full]


def refusals_of(first: Side, seconds: Sequence[Side]) -> Refusals:
    """Return what HubSpot would refuse if the first record were linked to each of these in turn.

    What it does not show is no refusal. Asks up to four times for each type among them.
    """
    pairs = [(one, other) for other in _known(seconds) for one in _known([first])]
    full = [record for each in _by_types(pairs) for record in _without_room(each)]
    return Refusals(len(pairs), len(full), list(dict.fromkeys(full)))


def _known(sides: Sequence[Side]) -> Iterator[_Record]:
    for side in sides:
        if side.object_type and side.object_id:
            yield side.object_type.canonical, side.object_id


def _by_types(pairs: list[tuple[_Record, _Record]]) -> Iterator[list[tuple[_Record, _Record]]]:
    by_type = sorted(pairs, key=lambda pair: pair[1][0])
    return (list(alike) for _, alike in groupby(by_type, key=lambda pair: pair[1][0]))


def _without_room(pairs: list[tuple[_Record, _Record]]) -> Iterator[_Record]:
    """The record that has no room, for each of these pairs of the same types that finds none."""
    (from_type, from_id), (to_type, _) = pairs[0]
    types, to_ids = (from_type, to_type), [*map(itemgetter(1), map(itemgetter(1), pairs))]
    client = clients.looking()
    try:
        most = [limit_of(*each, client=clients.looking) for each in (types, types[::-1])]
        if not any(most):
            return
        left = current_ids(client, from_type, [from_id], seconds=SECONDS)
        to_left = current_ids(client, to_type, to_ids, seconds=SECONDS)
        there = links_of_many(client, from_type, [from_id], to_type, seconds=SECONDS)
        back = links_of_many(client, to_type, to_ids, from_type, seconds=SECONDS) if most[1] else {}
    except ReadError:
        return
    room = Room(most, (there, back), Taken(set))
    for pair in pairs:
        ids = from_id, pair[1][1]
        if from_id not in left or ids[1] not in to_left:
            continue  # HubSpot lacks it, or does not show it
        side = room.take(ids, ends_of(types, left[from_id], to_left[ids[1]]))
        if side is not None:
            yield pair[side]
