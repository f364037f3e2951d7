"""The catalogue of HubSpot's object types, and the one canonical form of each.

HubSpot promises path names for contacts, companies, deals, tickets and notes only, so those are
sent by name and every other type by its id. People may write any of a type's names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


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


_PROMISED_NAMES = {"contacts", "companies", "deals", "tickets", "notes"}

# type id, label, plural, further names that people or HubSpot's API use
_CATALOGUE = [
    ("0-1", "Contact", "Contacts", "people person"),
    ("0-2", "Company", "Companies", ""),
    ("0-3", "Deal", "Deals", ""),
    ("0-5", "Ticket", "Tickets", ""),
    ("0-46", "Note", "Notes", ""),
    ("0-7", "Product", "Products", ""),
    ("0-8", "Line item", "Line items", ""),
    ("0-14", "Quote", "Quotes", ""),
    ("0-18", "Communication", "Communications", ""),
    ("0-19", "Feedback submission", "Feedback submissions", ""),
    ("0-27", "Task", "Tasks", ""),
    ("0-47", "Meeting", "Meetings", ""),
    ("0-48", "Call", "Calls", ""),
    ("0-49", "Email", "Emails", "e-mail e-mails"),
    ("0-53", "Invoice", "Invoices", ""),
    ("0-54", "Marketing event", "Marketing events", ""),
    ("0-69", "Subscription", "Subscriptions", ""),
    ("0-74", "Goal", "Goals", "goal_target goal_targets"),
    ("0-84", "Discount", "Discounts", ""),
    ("0-85", "Fee", "Fees", ""),
    ("0-86", "Tax", "Taxes", ""),
    ("0-101", "Payment", "Payments", ""),
    ("0-115", "User", "Users", ""),
    ("0-116", "Postal mail", "Postal mail", ""),
    ("0-123", "Order", "Orders", ""),
    ("0-136", "Lead", "Leads", ""),
    ("0-142", "Cart", "Carts", ""),
    ("0-162", "Service", "Services", ""),
    ("0-410", "Course", "Courses", ""),
    ("0-420", "Listing", "Listings", ""),
    ("0-421", "Appointment", "Appointments", ""),
    ("0-970", "Project", "Projects", ""),
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


def resolve(text: str) -> ObjectType:
    """Return the type that `text` names: a label, singular or plural, in any casing, or an id.

    Raises UnknownObjectTypeError for anything else, so that what comes back is safe in a URL.
    """
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


def label_of(canonical: str) -> str:
    """Return what people call a stored type; the stored form itself where it is not known."""
    try:
        return resolve(canonical).label
    except UnknownObjectTypeError:
        return canonical
