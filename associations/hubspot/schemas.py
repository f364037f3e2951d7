"""The shapes of what HubSpot shows, and how an answer is read into them. Nothing here raises."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, resolve
from associations.hubspot.record_references import is_record_id
from associations.hubspot.sanitizing import cut_text, keyed, listed, whole_number

NAME_LENGTH = 200
_MOMENT = re.compile(
    r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9:.]+Z?\Z", re.ASCII
)  # people need its day


@dataclass(frozen=True, slots=True)
class Record:
    """A record as people know it; both texts may be empty."""

    object_id: str
    name: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AssociationType:
    """One way in which two records are, or may be, linked; without a label it is the default."""

    category: str
    type_id: int | None
    label: str


@dataclass(frozen=True, slots=True)
class LinkedRecord:
    """A record at the other end of a link, and by which types it is linked."""

    object_id: str
    types: tuple[AssociationType, ...] = ()

    @property
    def is_default(self) -> bool:
        return any(not each.label for each in self.types)

    @property
    def is_primary(self) -> bool:
        """Whether it is the one that HubSpot calls the primary one, such as a contact's company."""
        own = "HUBSPOT_DEFINED"
        return any(each.label == "Primary" and each.category == own for each in self.types)

    @property
    def labels(self) -> list[str]:
        return [each.label for each in self.types if each.label]


@dataclass(frozen=True, slots=True)
class Links:
    """What one record is linked to, of one type; the first part of it unless `is_whole`.

    `object_id` is what HubSpot calls the record, as far as it says so.
    """

    records: tuple[LinkedRecord, ...] = ()
    is_whole: bool = True
    object_id: str = ""

    def to(self, object_id: str) -> LinkedRecord | None:
        return next((each for each in self.records if each.object_id == object_id), None)


@dataclass(frozen=True, slots=True)
class LinksBetween:
    """What two records show of their links: the first, and the other if those are too many."""

    there: Links
    back: Links | None = None


@dataclass(frozen=True, slots=True)
class PairTypes:
    """By which types two records are linked, seen from either end; empty where they are not."""

    there: tuple[AssociationType, ...] = ()
    back: tuple[AssociationType, ...] = ()

    @property
    def is_gone(self) -> bool:
        return not (self.there or self.back)

    @property
    def is_default(self) -> bool:
        return any(not each.label for each in (*self.there, *self.back))

    @property
    def is_default_alone(self) -> bool:
        """Whether the default type links the two, and nothing else, in either direction."""
        return all(len(each) == 1 and not each[0].label for each in (self.there, self.back))

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys(each.label for each in (*self.there, *self.back) if each.label))


@dataclass(frozen=True, slots=True)
class CustomType:
    """A custom object of the account, and the property that names its records."""

    object_type: ObjectType
    display_property: str


@dataclass(frozen=True, slots=True)
class Account:
    portal_id: str
    time_zone: str
    ui_domain: str = ""  # where people see it: app.hubspot.com, app-eu1.hubspot.com, …


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls of this app on the account's present day."""

    limit: int
    used: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """What the access token is for, and what it may; `scopes` is None if that is not told."""

    portal_id: str
    scopes: frozenset[str] | None


def parse_record(
    shown: dict[str, Any], names: Iterable[str], details: Iterable[str]
) -> Record | None:
    """A record of an answer, by the properties that name it; None if it has no id."""
    object_id, properties = parse_id(shown.get("id")), keyed(shown.get("properties"))
    if not object_id:
        return None
    name, detail = _texts(properties, names), _texts(properties, details)
    detail = [_MOMENT.sub(r"\1", text) for text in detail]
    return Record(object_id, " ".join(name), " · ".join(detail))


def _texts(properties: dict[str, Any], names: Iterable[str]) -> list[str]:
    texts = (" ".join(cut_text(properties.get(name), NAME_LENGTH).split()) for name in names)
    return [text for text in texts if text]


def parse_linked_record(shown: Any) -> LinkedRecord | None:
    """One end of a link; None if it is not told which."""
    shown = keyed(shown)
    object_id = parse_id(shown.get("toObjectId"))
    types = tuple(parse_association_type(each) for each in listed(shown.get("associationTypes")))
    return LinkedRecord(object_id, types) if object_id else None


def parse_association_type(shown: Any) -> AssociationType:
    """One way to be linked, as far as it is told."""
    shown = keyed(shown)
    return AssociationType(
        category=cut_text(shown.get("category"), 50),
        type_id=whole_number(shown.get("typeId")),
        label=cut_text(shown.get("label"), 100),
    )


def parse_custom_type(shown: dict[str, Any]) -> CustomType | None:
    """A custom object of the account; None if its id or its name is not told."""
    type_id, labels = cut_text(shown.get("objectTypeId"), 30), keyed(shown.get("labels"))
    name = cut_text(shown.get("name"), 100)
    label = cut_text(labels.get("singular"), 100).strip() or name
    plural = cut_text(labels.get("plural"), 100).strip() or label
    try:
        known = resolve(type_id)
    except UnknownObjectTypeError:
        return None
    if not label or known.canonical != type_id:
        return None
    object_type = ObjectType(type_id, type_id, label, plural)
    return CustomType(object_type, cut_text(shown.get("primaryDisplayProperty"), 100))


def parse_id(value: Any) -> str:
    """An id, which HubSpot writes as a number here and as text there; empty if it is none."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and is_record_id(text) else ""
