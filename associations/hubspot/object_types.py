"""The catalogue of HubSpot's object types, and the one canonical form of each.

HubSpot promises path names for contacts, companies, deals, tickets and notes only, so those are
sent by name and every other type by its id. People may write any of a type's names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


class UnknownObjectTypeError(ValueError):
    """The text names no object type that HubSpot could have, or several: the `candidates`."""

    def __init__(self, text: str, candidates: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One kind of record.

    `canonical` is what is stored and sent (`contacts`, `0-8`, `2-4001`), `type_id` HubSpot's id
    where it is known, `label` and `plural` are for people.
    """

    canonical: str
    type_id: str
    label: str
    plural: str


def gettext_noop(text: str) -> str:
    """Mark a text for translators, as Django's does; the pages translate it."""
    return text


_PROMISED_NAMES = {"contacts", "companies", "deals", "tickets", "notes"}

# type id, label, plural, further names that people or HubSpot's API use
_CATALOGUE = [
    ("0-1", gettext_noop("Contact"), gettext_noop("Contacts"), "people person"),
    ("0-2", gettext_noop("Company"), gettext_noop("Companies"), ""),
    ("0-3", gettext_noop("Deal"), gettext_noop("Deals"), ""),
    ("0-5", gettext_noop("Ticket"), gettext_noop("Tickets"), ""),
    ("0-46", gettext_noop("Note"), gettext_noop("Notes"), ""),
    ("0-7", gettext_noop("Product"), gettext_noop("Products"), ""),
    ("0-8", gettext_noop("Line item"), gettext_noop("Line items"), ""),
    ("0-14", gettext_noop("Quote"), gettext_noop("Quotes"), ""),
    ("0-18", gettext_noop("Communication"), gettext_noop("Communications"), ""),
    ("0-19", gettext_noop("Feedback submission"), gettext_noop("Feedback submissions"), ""),
    ("0-27", gettext_noop("Task"), gettext_noop("Tasks"), ""),
    ("0-47", gettext_noop("Meeting"), gettext_noop("Meetings"), ""),
    ("0-48", gettext_noop("Call"), gettext_noop("Calls"), ""),
    ("0-49", gettext_noop("Email"), gettext_noop("Emails"), "e-mail e-mails"),
    ("0-53", gettext_noop("Invoice"), gettext_noop("Invoices"), ""),
    ("0-54", gettext_noop("Marketing event"), gettext_noop("Marketing events"), ""),
    ("0-69", gettext_noop("Subscription"), gettext_noop("Subscriptions"), ""),
    ("0-74", gettext_noop("Goal"), gettext_noop("Goals"), "goal_target goal_targets"),
    ("0-84", gettext_noop("Discount"), gettext_noop("Discounts"), ""),
    ("0-85", gettext_noop("Fee"), gettext_noop("Fees"), ""),
    ("0-86", gettext_noop("Tax"), gettext_noop("Taxes"), ""),
    ("0-101", gettext_noop("Payment"), gettext_noop("Payments"), ""),
    ("0-115", gettext_noop("User"), gettext_noop("Users"), ""),
    ("0-116", gettext_noop("Postal mail"), gettext_noop("Postal mail"), ""),
    ("0-123", gettext_noop("Order"), gettext_noop("Orders"), ""),
    ("0-136", gettext_noop("Lead"), gettext_noop("Leads"), ""),
    ("0-142", gettext_noop("Cart"), gettext_noop("Carts"), ""),
    ("0-162", gettext_noop("Service"), gettext_noop("Services"), ""),
    ("0-410", gettext_noop("Course"), gettext_noop("Courses"), ""),
    ("0-420", gettext_noop("Listing"), gettext_noop("Listings"), ""),
    ("0-421", gettext_noop("Appointment"), gettext_noop("Appointments"), ""),
    ("0-970", gettext_noop("Project"), gettext_noop("Projects"), ""),
]

# Custom objects: by id, or by (fully qualified) name, whose letters keep their case.
_TYPE_ID = re.compile(r"[0-9]+-[0-9]+", re.ASCII)
_CUSTOM_ID = re.compile(r"2-[1-9][0-9]{0,18}", re.ASCII)
_CUSTOM_NAME = re.compile(r"[pP]([0-9]{0,20}_[A-Za-z][A-Za-z0-9_]{0,99})", re.ASCII)


def _folded(text: str) -> str:
    """`LINE_ITEM`, `line-item` and `Line item` are one name; `0-1 4` stays apart from `0-14`."""
    return re.sub(r"(?<=[a-z])[\s_-]+", "", text.strip().casefold())


def is_exact(text: str) -> bool:
    """Whether `text` can only be an id or a custom object's name, whether there is one or not."""
    return bool(_TYPE_ID.fullmatch(text) or _CUSTOM_NAME.fullmatch(text))


def _read_catalogue() -> tuple[tuple[ObjectType, ...], dict[str, ObjectType]]:
    types, by_name = [], {}
    for type_id, label, plural, further_names in _CATALOGUE:
        name = plural.lower()
        object_type = ObjectType(
            name if name in _PROMISED_NAMES else type_id, type_id, label, plural
        )
        types.append(object_type)
        for text in (type_id, label, plural, *further_names.split()):
            by_name[_folded(text)] = object_type
    return tuple(types), by_name


CATALOGUE, _BY_NAME = _read_catalogue()
STANDARD = {each.canonical for each in CATALOGUE}
MAX_REMEMBERED = 200  # characters of a name; people may write as many as they like


def resolve(text: str) -> ObjectType:
    """Return the type that `text` names: a label, singular or plural, in any casing, or an id.

    Raises UnknownObjectTypeError for anything else, so that what comes back is safe in a URL.
    """
    return _resolve(text) if len(text) > MAX_REMEMBERED else _remembered(text)


def _resolve(text: str) -> ObjectType:
    stripped = text.strip()
    if _CUSTOM_ID.fullmatch(stripped):
        return ObjectType(stripped, stripped, stripped, stripped)
    # Before the catalogue, which would read the custom object `p_roduct` as a product.
    custom = _CUSTOM_NAME.fullmatch(stripped)
    if custom:
        name = "p" + custom[1]
        return ObjectType(name, "", name, name)
    known = _BY_NAME.get(_folded(text))
    if known:
        return known
    raise UnknownObjectTypeError(stripped)


_remembered = lru_cache(maxsize=512)(_resolve)  # each label on a page asks


def stored_type(text: str) -> ObjectType:
    """Return the type that the log calls so; one of nothing but that name where it is not known."""
    try:
        return resolve(text)
    except UnknownObjectTypeError:
        return ObjectType(text, "", text, text)


def label_of(canonical: str) -> str:
    """Return what people call a stored type; the stored form itself where it is not known."""
    return stored_type(canonical).label
