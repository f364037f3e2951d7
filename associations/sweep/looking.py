"""What HubSpot shows of many links at once: first by one call, then of the few that are in doubt.

That a link is not shown is no proof that it is gone: its records may have been merged or deleted,
or one of them may have more links than one answer shows. So what is missing is looked at twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from associations.hubspot.answers import Answer, Ids
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import Shown, current_ids, links_in_one_call
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import AssociationType, LinkedRecord
from associations.models import AssociationRequest, Finding

SECONDS = 10.0  # for a call; five of them are over before a lease is
THERE = ""
# After these a link that is there is news.
MISSED = {
    *(Finding.GONE, Finding.OTHER_TYPE, Finding.NOT_SEEN),
    *(Finding.FROM_DELETED, Finding.TO_DELETED),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a link was seen to be, and under which ids HubSpot has its records."""

    state: str
    ids: Ids
    types: tuple[AssociationType, ...] = ()

    @property
    def is_linked(self) -> bool | None:
        return None if self.state == Finding.NOT_SEEN else bool(self.types)


@dataclass(frozen=True, slots=True)
class Known:
    """An entry, and what its link was when it was last looked at."""

    entry: AssociationRequest
    ids: Ids
    state: str = THERE

    def news_in(self, seen: Seen) -> str:
        """What has to be told of this; empty if nothing has changed."""
        if seen.state == THERE:
            return Finding.THERE_AGAIN if self.state in MISSED else ""
        has_moved = seen.state == Finding.MERGED and seen.ids != self.ids
        return seen.state if has_moved or seen.state != self.state else ""


def first_look(client: HubSpotClient, known: Sequence[Known]) -> dict[int, Seen]:
    """Return by entry what one call shows for certain of links between the same two types."""
    shown, seen = _links(client, known, [each.ids for each in known]), dict[int, Seen]()
    if not shown.found:  # it told of nobody, so this says nothing about any one
        raise ReadError(Answer(Cause.UNREADABLE))
    for each in known:
        if each.ids[0] in shown.untold:
            seen[each.entry.pk] = Seen(Finding.NOT_SEEN, each.ids)
        elif (links := shown.found.get(each.ids[0])) and (link := links.to(each.ids[1])):
            seen[each.entry.pk] = _state(each, each.ids, link)
    return seen


def second_look(client: HubSpotClient, known: Sequence[Known]) -> dict[int, Seen]:
    """Return what can be seen of at most 100 links that the first look did not show.

    What HubSpot does not tell now, and what neither record shows among its many links, is left out.
    """
    entry = known[0].entry
    from_ids = _now(client, entry.from_object_type, [each.ids[0] for each in known])
    to_ids = _now(client, entry.to_object_type, [each.ids[1] for each in known])
    seen, there = dict[int, Seen](), list[tuple[Known, Ids]]()
    for each in known:
        ids = from_ids.get(each.ids[0], ""), to_ids.get(each.ids[1], "")
        if all(ids):
            there.append((each, ids))
        else:
            state = Finding.TO_DELETED if ids[0] else Finding.FROM_DELETED
            seen[each.entry.pk] = Seen(state, each.ids)
    return seen | dict(_seen_of(client, there)) if there else seen


def _now(client: HubSpotClient, object_type: str, ids: Sequence[str]) -> dict[str, str]:
    return current_ids(client, object_type, [*dict.fromkeys(ids)], seconds=SECONDS)


def _seen_of(
    client: HubSpotClient, there: Sequence[tuple[Known, Ids]]
) -> Iterator[tuple[int, Seen]]:
    """Of links whose records are both there, under these ids."""
    shown, left = _links(client, *zip(*there, strict=True)), list[tuple[Known, Ids]]()
    for each, ids in there:
        links = shown.found.get(ids[0])
        if links and not links.is_whole and not links.to(ids[1]):
            left.append((each, ids))
        elif links:
            yield each.entry.pk, _state(each, ids, links.to(ids[1]))
    yield from _seen_from_the_other_end(client, left) if left else ()


def _seen_from_the_other_end(
    client: HubSpotClient, left: Sequence[tuple[Known, Ids]]
) -> Iterator[tuple[int, Seen]]:
    entry = left[0][0].entry
    ends, to_ids = (entry.to_object_type, entry.from_object_type), [ids[1] for _, ids in left]
    shown = links_in_one_call(client, ends[0], to_ids, ends[1], seconds=SECONDS)
    for each, ids in left:
        links = shown.found.get(ids[1])
        if links and (links.is_whole or links.to(ids[0])):
            yield each.entry.pk, _state(each, ids, links.to(ids[0]))


def _links(client: HubSpotClient, known: Sequence[Known], ids: Sequence[Ids]) -> Shown:
    entry, asked = known[0].entry, [each[0] for each in ids]
    types = entry.from_object_type, entry.to_object_type
    return links_in_one_call(client, types[0], asked, types[1], seconds=SECONDS)


def _state(known: Known, ids: Ids, link: LinkedRecord | None) -> Seen:
    of_one_type = known.entry.from_object_type == known.entry.to_object_type
    if of_one_type and ids[0] == ids[1]:
        return Seen(Finding.MERGED, ids)  # into each other: nothing is left to be linked
    if link is None:
        return Seen(Finding.GONE, ids)
    if not link.types:  # it is not told by which
        return Seen(Finding.NOT_SEEN, ids)
    if not link.is_default:
        return Seen(Finding.OTHER_TYPE, ids, link.types)
    return Seen(THERE if ids == known.ids else Finding.MERGED, ids, link.types)
