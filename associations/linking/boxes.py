"""The two sides of the form: what stands in each box, what is found for it, its record's card."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.forms import BoundField

from associations.audit.recorder import LogUnavailableError, RequestMeta
from associations.finding import finder
from associations.finding.finder import Found, Hit, Why
from associations.finding.shown_record import ShownRecord
from associations.finding.texts import NOT_LOGGED, sentence_of
from associations.gateway.object_types import TypeChoice
from associations.hubspot.object_types import ObjectType
from associations.hubspot.record_references import SIDES, PairReason
from associations.hubspot.unseen import bare
from associations.linking.forms import AssociationForm
from associations.linking.preview import Preview, ShownLinks
from associations.linking.seen import Seen, token_of
from associations.texts.labels import record_label

if TYPE_CHECKING:
    from hubadmin.models import User

MOST_NARROWINGS = 2


@dataclass(frozen=True, slots=True)
class Option:
    """A record to choose among; `reference` names it as a box takes it."""

    hit: Hit
    typed: str = ""  # see Found

    @property
    def seen(self) -> str:
        """What is shown of it, for the log."""
        record = (self.hit.object_type.canonical, self.object_id)
        return token_of(record, Seen(self.hit.record.name, self.typed))

    @property
    def object_id(self) -> str:
        """The id that was asked for: the log keeps both if it was merged."""
        return self.hit.asked_id or self.hit.record.object_id

    @property
    def label(self) -> str:
        return record_label(self.hit.object_type.canonical, self.object_id)

    @property
    def reference(self) -> str:
        return f"{self.hit.object_type.canonical} {self.object_id}"


@dataclass(frozen=True)
class Answer:
    """What is found for the text of a side, as templates show it."""

    side: str
    found: Found
    offered: list[TypeChoice]

    @property
    def sentence(self) -> str:
        return sentence_of(self.found)

    @property
    def is_exact(self) -> bool:
        return self.found.chosen is not None

    @property
    def is_of_other_type(self) -> bool:
        return self.found.why == Why.OTHER_TYPE

    @cached_property
    def options(self) -> list[Option]:
        hits = [self.found.chosen] if self.found.chosen else self.found.hits
        return [Option(each, self.found.typed) for each in hits]

    @property
    def narrowings(self) -> list[TypeChoice]:
        """The types that could be searched instead: those that the person uses most."""
        searched = self.found.searched
        alone = searched[0] if len(searched) == 1 else None
        others = [each for each in self.offered if each.object_type != alone]
        return others[:MOST_NARROWINGS] if searched and not self.is_exact else []


@dataclass(frozen=True, slots=True)
class Box:
    """A side of the form; `shown` and `links` are its card's."""

    side: str
    type_field: BoundField
    id_field: BoundField
    answer: Answer | None = None
    shown: ShownRecord | None = None
    links: ShownLinks | None = None
    typed: str = ""  # see Found

    @property
    def seen(self) -> str:
        """What its card shows, for the log."""
        record = self.shown and self.shown.record
        if not (self.shown and record):
            return ""
        known = (self.shown.object_type.canonical, self.shown.object_id)
        return token_of(known, Seen(record.name, self.typed))


def boxes_of(
    form: AssociationForm,
    *,
    preview: Preview | None = None,
    found: Mapping[str, Found] | None = None,
    typed: Mapping[str, str] | None = None,
) -> list[Box]:
    """Return the two sides as they are to be shown; without script with what was found."""
    shown = preview or Preview()
    cards = {"from": (shown.from_, shown.from_links), "to": (shown.to, shown.to_links)}
    return [
        Box(
            side,
            form[f"{side}_object_type"],
            form[f"{side}_object_id"],
            Answer(side, found[side], form.offered) if found and side in found else None,
            *cards[side],
            typed.get(side, "") if typed else "",
        )
        for side in SIDES
    ]


def find_side(form: AssociationForm, side: str, *, user: "User", meta: RequestMeta) -> Found:
    """Return what the text of a side means, narrowed by the type that is chosen beside it."""
    other = form.pair.by_side["to" if side == "from" else "from"]
    try:
        return finder.find(
            user=user,
            meta=meta,
            side=side,
            text=form.text_of(side),
            types=form.types,
            narrowed=form.chosen_type(side),
            other=other.object_type if other.object_id else None,
            portal_id=form.portal_id,
            ui_hosts=form.ui_hosts,
        )
    except LogUnavailableError:
        return Found(why=NOT_LOGGED)


def find_unknown(form: AssociationForm, *, user: "User", meta: RequestMeta) -> dict[str, Found]:
    """Return what those sides mean that hold something, but not a type and an id.

    What is wrong with a type beside a box is told by the form, and nothing is looked for then.
    """
    wrong = {each.field for each in form.pair.problems if each.code != PairReason.NO_TYPE}
    return {
        side: find_side(form, side, user=user, meta=meta)
        for side, read in form.pair.by_side.items()
        if bare(form.text_of(side)) and not (read.object_type and read.object_id)
        if f"{side}_object_type" not in wrong
    }


def understood(form: AssociationForm, found: Mapping[str, Found]) -> dict[str, str]:
    """Return the fields as they were posted, with type and id wherever one record is meant."""
    fields = {name: form[name].value() or "" for name in form.fields}
    for side, read in form.pair.by_side.items():
        chosen = found[side].chosen if side in found else None
        if chosen:
            fields |= _fields(side, chosen.object_type, Option(chosen).object_id)
        elif read.names_type and read.object_type:
            fields |= _fields(side, read.object_type, read.object_id)
    return fields


def _fields(side: str, object_type: ObjectType, object_id: str) -> dict[str, str]:
    return {f"{side}_object_type": object_type.canonical, f"{side}_object_id": object_id}
