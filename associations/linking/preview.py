"""What people see of two records before they link them: names, and how they are linked now.

Everything is looked up at the same time and, but for the links, remembered for moments. What
HubSpot does not show is told in a line, and keeps nobody from linking.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext

from associations.finding.shown_record import RECORD_SECONDS, ShownRecord, is_archived, shown_record
from associations.gateway.account import display_property
from associations.gateway.cache import cached_lookup, run_concurrently
from associations.hubspot import lookups
from associations.hubspot.answers import missing_scopes_in
from associations.hubspot.client import ReadError
from associations.hubspot.object_types import ObjectType, resolve, stored_type
from associations.hubspot.record_references import Side
from associations.hubspot.schemas import (
    AssociationType,
    LinkedRecord,
    Links,
    LinksBetween,
    Record,
)
from associations.linking.foresight import Doubts, doubts_about, limits_of, linked_by
from associations.linking.room import Refusals, refusals_of
from associations.linking.seen import pair_token
from associations.models import AssociationRequest
from associations.texts.labels import type_within_a_sentence
from associations.texts.remedies import PAIR, Remedy, remedy_of

TYPES_SECONDS = 10 * 60
# Anybody may have changed them meanwhile: this person, another process, somebody in HubSpot.
LINKS_SECONDS = 0
NAMED = 3  # of the records that one is linked to already


@dataclass(frozen=True, slots=True)
class ShownLinks:
    """What the first record is linked to, of the second one's type, and whether to that one.

    `others` has the first few of the rest, with their names as far as they are known.
    """

    link: LinkedRecord | None = None
    links: Links = field(default_factory=Links)
    others: list[Record] = field(default_factory=list)
    error: ReadError | None = None
    object_type: ObjectType | None = None

    @property
    def count(self) -> int:
        """How many there are besides the one that is on the other side."""
        return len(self.links.records) - (self.link in self.links.records)

    @property
    def primary(self) -> Record | None:
        """The primary one, where that is another than the one on the other side."""
        found = next((each for each in self.links.records if each.is_primary), None)
        return self.record(found.object_id) if found and found != self.link else None

    def record(self, object_id: str) -> Record:
        """One of the others, with its name as far as it is known."""
        return next(
            (each for each in self.others if each.object_id == object_id), Record(object_id)
        )

    @property
    def more(self) -> int:
        return self.count - len(self.others)

    @property
    def type_label(self) -> str:
        """What the others are called, one or several."""
        if not self.object_type:
            return ""
        known = self.object_type
        return gettext(known.label if self.count == 1 else known.plural)


@dataclass(frozen=True, slots=True)
class ShownTypes:
    """The ways in which records of the two types can be linked."""

    types: list[AssociationType] = field(default_factory=list)
    error: ReadError | None = None

    @property
    def default(self) -> AssociationType | None:
        return next((each for each in self.types if not each.label), None)


@dataclass(frozen=True, slots=True)
class MetLimit:
    """A record that an admin lets have so many links, and that has as many, or more of old."""

    shown: ShownRecord
    links: ShownLinks
    most: int
    linked: set[str]  # ids

    @property
    def count(self) -> int:
        return len(self.linked)

    @property
    def only(self) -> Record | None:
        """The one that it has, where it may have no other."""
        return self.links.record(*self.linked) if self.most == self.count == 1 else None

    @property
    def type_label(self) -> str:
        """What the others are called within a sentence."""
        known = self.links.object_type
        return type_within_a_sentence(known.canonical) if known else ""

    @property
    def types_label(self) -> str:
        """The same of several."""
        return gettext(self.links.object_type.plural) if self.links.object_type else ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known of each side, and of the two together once both are filled in.

    `from_links` and `to_links` are what a side is linked to already, of the other one's type;
    `from_most` and `to_most` to how many of these admins let it be linked, by association type.
    """

    from_: ShownRecord | None = None
    to: ShownRecord | None = None
    from_links: ShownLinks | None = None
    to_links: ShownLinks | None = None
    links: ShownLinks | None = None
    types: ShownTypes | None = None
    from_most: dict[int, int] = field(default_factory=dict)
    to_most: dict[int, int] = field(default_factory=dict)
    doubts: Doubts | None = None
    at: datetime | None = None
    of_several: Refusals | None = None  # where the first record is to be linked to more than one

    @property
    def pair_token(self) -> str:
        """What the form hands on of the two; empty if it was not seen whether they are linked."""
        sides = [each for each in (self.from_, self.to) if each]
        are_by_own_ids = all(each.record and each.id_left == each.object_id for each in sides)
        is_seen = self.could_be_linked and are_by_own_ids
        if not (settings.HUBSPOT_VERIFY and self.at and self.links and is_seen):
            return ""
        from_, to = [(each.object_type.canonical, each.object_id) for each in sides]
        link = self.links.link
        return pair_token((from_, to), bool(link and link.is_default), self.at)

    @property
    def limits(self) -> list[MetLimit]:
        """The limits for which HubSpot would refuse the link; one that is there it takes again."""
        link = self.links.link if self.links else None
        if not self.could_be_linked or (link and link.is_default) or self.of_several:
            return []
        sides = (
            (self.from_, self.from_links, self.from_most),
            (self.to, self.to_links, self.to_most),
        )
        return [
            MetLimit(shown, links, most, linked)
            for shown, links, limits in sides
            for type_id, most in limits.items()
            if shown and links and len(linked := linked_by(type_id, links.links)) >= most
        ]

    @property
    def primary(self) -> tuple[ShownRecord, Record] | None:
        """A record and its primary company, which another one beside it does not replace."""
        link = self.links.link if self.links else None
        if not self.could_be_linked or (link and link.is_default):
            return None
        for shown, links in ((self.from_, self.from_links), (self.to, self.to_links)):
            is_of_company = links and links.object_type == resolve("companies")
            if shown and links and is_of_company and (found := links.primary):
                return shown, found
        return None

    @property
    def has_both(self) -> bool:
        """Whether both records are filled in, and HubSpot does not say that it lacks one."""
        return all(each and not each.is_missing for each in (self.from_, self.to))

    @property
    def named(self) -> str:
        """The two as the form's button gives them back, as `contacts/501 companies/902`."""
        sides = [each for each in (self.from_, self.to) if each]
        return " ".join(f"{each.object_type.canonical}/{each.object_id}" for each in sides)

    @property
    def is_one_record(self) -> bool:
        """Whether both sides are the same record, by what HubSpot calls it."""
        sides = [(each.object_type, each.id_left) for each in (self.from_, self.to) if each]
        return len(sides) == 2 and sides[0] == sides[1]

    @property
    def cannot_be_linked(self) -> bool:
        """Whether HubSpot lacks a record or a default type for the two, or has but one of them."""
        lacks_one = any(each and each.is_missing for each in (self.from_, self.to))
        types = self.types
        has_no_type = bool(types and types.error is None and not types.default)
        return lacks_one or has_no_type or self.is_one_record

    @property
    def could_be_linked(self) -> bool:
        """Whether their links are told, and nothing tells that there cannot be one."""
        is_told = self.links is not None and self.links.error is None
        return is_told and self.has_both and not self.cannot_be_linked

    @property
    def errors(self) -> list[ReadError]:
        shown = (self.from_, self.to, self.links, self.types)
        return [each.error for each in shown if each and each.error]

    @property
    def remedies(self) -> list[Remedy]:
        errors = (each.answer for each in self.errors)
        found = [remedy_of(each.cause, missing_scopes_in(each.errors)) for each in errors]
        return [*found, PAIR] if self.cannot_be_linked else found


def preview(from_: Side, to: Side, further: Sequence[Side] = ()) -> Preview:
    """Look up what HubSpot shows of the two sides, as far as they are filled in.

    And of `further` records of the second side, whether there is room for them all.
    """
    known = [(s.object_type, s.object_id) for s in (from_, to) if s.object_type and s.object_id]
    # Of a pair what is told depends on the ids: either record may have been merged a moment ago.
    seconds = RECORD_SECONDS if len(known) < 2 else 0
    looks: dict[str, Callable[[], Any]] = {
        name: partial(_shown_record, side.object_type, side.object_id, seconds)
        for name, side in (("from_", from_), ("to", to))
        if side.object_type and side.object_id
    }
    if len(looks) == 2:
        looks["links"] = partial(_links_between, *known)
        looks["types"] = partial(_shown_types, *known)
        types = known[0][0].canonical, known[1][0].canonical
        looks["from_most"] = partial(limits_of, *types)
        looks["to_most"] = partial(limits_of, *types[::-1])
        looks["doubts"] = partial(doubts_about, types)
    looks |= {
        f"{name}_links": partial(_other_links, one, _type_opposite(one, other))
        for name, one, other in (("from", from_, to), ("to", to, from_))
        # Of a pair the first record's links are looked up as it is.
        if one.object_type and one.object_id and (name == "to" or len(known) < 2)
    }
    several = [each for each in (to, *further) if each.object_type and each.object_id]
    if from_.object_type and from_.object_id and len(several) > 1:
        looks["of_several"] = partial(refusals_of, from_, several)
    now = timezone.now()
    shown = dict(zip(looks, run_concurrently(*looks.values()), strict=True))
    if "links" in shown:
        shown["at"] = now
        # Only now it is known under which ids HubSpot has the two.
        shown["links"] = _shown_links(shown["from_"], shown["to"], shown["links"])
        shown["from_links"] = shown["links"]
        shown["to_links"] = _besides(shown["from_"].id_left, shown["to_links"])
    return Preview(**shown)


def _shown_record(object_type: ObjectType, object_id: str, seconds: float) -> ShownRecord:
    shown = shown_record(object_type, object_id, seconds)
    if not shown.is_missing:
        return shown
    return replace(shown, is_archived=is_archived(object_type, object_id))


def _type_opposite(one: Side, other: Side) -> ObjectType:
    """The type that a record's links are of interest to; most often a company's contacts."""
    usual = "contacts" if one.object_type == resolve("companies") else "companies"
    return other.object_type or resolve(usual)


def _other_links(one: Side, object_type: ObjectType) -> ShownLinks | None:
    """What a record is linked to, of a type; None where HubSpot does not show it.

    It is a courtesy: nobody misses it where the look fails, and no line says so.
    """
    if not one.object_type:
        return None
    asked = one.object_type.canonical, one.object_id, object_type.canonical
    try:
        links = cached_lookup(lookups.links_of, *asked, seconds=LINKS_SECONDS)
    except ReadError:
        return None
    named = _named(object_type, _ids_in(links)[:NAMED])
    return ShownLinks(None, links, named, object_type=object_type)


def _besides(object_id: str, shown: ShownLinks | None) -> ShownLinks | None:
    """The same without the record that is on the other side."""
    if shown is None:
        return None
    others = [each for each in shown.others if each.object_id != object_id]
    return replace(shown, link=shown.links.to(object_id), others=others)


def records_of(entry: AssociationRequest) -> list[ShownRecord]:
    """Return what HubSpot shows of an entry's two records now."""
    sides = (
        (entry.from_object_type, entry.from_object_id),
        (entry.to_object_type, entry.to_object_id),
    )
    return run_concurrently(*(partial(_shown_stored, name, pk) for name, pk in sides))


def _shown_stored(object_type: str, object_id: str) -> ShownRecord:
    known = stored_type(object_type)
    try:
        return shown_record(known, object_id)
    except ValueError:  # nothing that HubSpot could have, and so could be asked for
        return ShownRecord(known, object_id)


_Known = tuple[ObjectType, str]


def _links_between(from_: _Known, to: _Known) -> LinksBetween | ReadError:
    ends = (from_[0].canonical, from_[1], to[0].canonical, to[1])
    try:
        return cached_lookup(lookups.links_between, *ends, seconds=LINKS_SECONDS)
    except ReadError as error:
        return error


def _shown_links(
    from_: ShownRecord, to: ShownRecord, links: LinksBetween | ReadError
) -> ShownLinks:
    if isinstance(links, ReadError):
        return ShownLinks(error=links)
    try:
        link = lookups.link_in(links, (from_.id_left, to.id_left))
    except ReadError as error:
        return ShownLinks(error=error)
    unread = to.error or (from_.error if links.back else None)
    if unread and link is None and links.there.records:
        # One of them may be the record that was asked for, by the id it has since a merge.
        return ShownLinks(error=unread)
    others = [each for each in _ids_in(links.there) if each != to.id_left]
    named = _named(to.object_type, others[:NAMED])
    return ShownLinks(link, links.there, named, object_type=to.object_type)


def _ids_in(links: Links) -> list[str]:
    """The ids of what is linked, the primary one first."""
    return [each.object_id for each in sorted(links.records, key=lambda each: not each.is_primary)]


def _named(object_type: ObjectType, object_ids: list[str]) -> list[Record]:
    """The records with their names; without, if HubSpot does not show these."""
    if not object_ids:
        return []
    name = object_type.canonical
    asked = name, tuple(object_ids), display_property(name)
    try:
        found = cached_lookup(lookups.find_records, *asked, seconds=RECORD_SECONDS)
    except ReadError:
        found = {}
    return [found.get(each) or Record(each) for each in object_ids]


def _shown_types(from_: _Known, to: _Known) -> ShownTypes:
    pair = from_[0].canonical, to[0].canonical
    try:
        return ShownTypes(cached_lookup(lookups.association_types, *pair, seconds=TYPES_SECONDS))
    except ReadError as error:
        return ShownTypes(error=error)
