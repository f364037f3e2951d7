"""The sandbox's portal: its object types, its records, and what may be associated."""

from typing import Any, NamedTuple

from associations.hubspot.object_types import CATALOGUE, ObjectType

PORTAL_ID = "4242"
CUSTOM_SCHEMAS: list[dict[str, Any]] = [
    {
        "objectTypeId": "2-4001",
        "name": "car",
        "fullyQualifiedName": f"p{PORTAL_ID}_car",
        "labels": {"singular": "Car", "plural": "Cars"},
        "primaryDisplayProperty": "name",
    },
    {
        "objectTypeId": "2-4002",
        "name": "property_viewing",
        "fullyQualifiedName": f"p{PORTAL_ID}_property_viewing",
        "labels": {"singular": "Property viewing", "plural": "Property viewings"},
        "primaryDisplayProperty": "address",
    },
]

# One type, another, and the numbers of the default associations there and back.
_HUBSPOT_DEFINED = [
    ("0-1", "0-1", 449, 449),
    ("0-2", "0-2", 450, 450),
    ("0-3", "0-3", 451, 451),
    ("0-5", "0-5", 452, 452),
    ("0-1", "0-2", 279, 280),
    ("0-3", "0-1", 3, 4),
    ("0-3", "0-2", 341, 342),
    ("0-5", "0-1", 16, 15),
    ("0-5", "0-2", 339, 340),
    ("0-5", "0-3", 28, 27),
    ("0-46", "0-1", 202, 201),
    ("0-46", "0-2", 190, 189),
    ("0-46", "0-3", 214, 213),
    ("0-46", "0-5", 228, 227),
]
_USER_DEFINED = [
    ("0-1", "2-4001", 31, 32),
    ("0-2", "2-4001", 33, 34),
    ("0-1", "2-4002", 35, 36),
]
# One type, another, the category, and number and label there and back.
_LABELLED = [
    ("0-1", "0-2", "HUBSPOT_DEFINED", (1, "Primary"), (2, "Primary")),
    ("0-1", "0-2", "USER_DEFINED", (37, "Decision maker"), (38, "Decision maker of")),
]


class Association(NamedTuple):
    """One direction of a link; types are in their canonical form (`contacts`, `2-4001`)."""

    from_type: str
    from_id: str
    to_type: str
    to_id: str

    def reversed(self) -> "Association":
        """Return the same link as the other record sees it."""
        return Association(*self[2:], *self[:2])


class AssociationType(NamedTuple):
    """What a link means in one direction; `label` is None for a pair's default."""

    category: str
    type_id: int
    label: str | None = None


def _word(text: str) -> str:
    return text.lower().replace(" ", "_")


def _read_types() -> dict[str, ObjectType]:
    types = {_word(name): t for t in CATALOGUE for name in (t.type_id, t.label, t.plural)}
    for schema in CUSTOM_SCHEMAS:
        type_id, labels = schema["objectTypeId"], schema["labels"]
        custom = ObjectType(type_id, type_id, labels["singular"], labels["plural"])
        names = (type_id, schema["fullyQualifiedName"], "p_" + schema["name"])
        types |= dict.fromkeys(names, custom)
    return types


def _read_association_types() -> dict[tuple[str, str], list[AssociationType]]:
    types = {}
    for category, pairs in (("HUBSPOT_DEFINED", _HUBSPOT_DEFINED), ("USER_DEFINED", _USER_DEFINED)):
        for one, other, there, back in pairs:
            types[one, other] = [AssociationType(category, there)]
            types[other, one] = [AssociationType(category, back)]
    for one, other, category, there, back in _LABELLED:
        types[one, other].append(AssociationType(category, *there))
        types[other, one].append(AssociationType(category, *back))
    return types


TYPES = _read_types()
# By the two types' ids, the default first. Those of a pair the other way round are in the same
# order, so that the two directions of a link stand at the same place.
ASSOCIATION_TYPES = _read_association_types()
DEFAULT_SPECS = {
    pair: {"associationCategory": default.category, "associationTypeId": default.type_id}
    for pair, (default, *_) in ASSOCIATION_TYPES.items()
}


def find_type(name: str) -> ObjectType | None:
    """Return the type HubSpot would infer from a path segment, stricter than people's forms."""
    return TYPES.get(name.lower())


def error_name(object_type: ObjectType) -> str:
    """Return what HubSpot's errors call a type: `CONTACT`, and a custom type by its id."""
    custom = object_type.type_id.startswith("2-")
    return object_type.type_id if custom else _word(object_type.label).upper()


def scope_name(object_type: ObjectType) -> str:
    """Return the middle of a type's scope: `contacts` in `crm.objects.contacts.write`."""
    return "custom" if object_type.type_id.startswith("2-") else _word(object_type.plural)
