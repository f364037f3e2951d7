"""The sandbox's portal: its object types, its records, and what may be associated."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..object_types import CATALOGUE, ObjectType

Records = dict[tuple[str, str], dict[str, str]]  # (type id, record id) → properties
PORTAL_ID = "4242"
CUSTOM_SCHEMAS: list[dict[str, Any]] = [
    {
        "objectTypeId": "2-4001",
        "name": "car",
        "fullyQualifiedName": f"p{PORTAL_ID}_car",
        "labels": {"singular": "Car", "plural": "Cars"},
        "primaryDisplayProperty": "name",
    }
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
_USER_DEFINED = [("0-1", "2-4001", 31, 32), ("0-2", "2-4001", 33, 34)]

_CONTACTS = """
    Ada Byron, Bruno Keller, Chiara Lombardi, Daniel Okafor, Elif Kaya, Femi Adeyemi,
    Greta Lindqvist, Hana Novák, Ivo Petrov, Jun Tanaka, Kofi Mensah, Lena O'Brien,
    Marek Zieliński, Noor Haddad, Oskar Bauer, Priya Raman, Quentin Leroy, Rosa Delgado,
    Sami Virtanen, Tess Whitlock"""
_COMPANIES = """
    Harbour Foods, Analytical Ltd, Byron & Daughters, Nordlicht Energie, Pixel Forge,
    Quarry Stone, Riverbank Clinics, Solar Yard, Tidewater Freight, Umbra Optics"""
_DEALS = """
    Annual licence, Pilot in two branches, Spare parts 2027, Migration to cloud, Fleet lease,
    Training days, Support renewal, Warehouse sensors, Branch refit, Analytics add-on"""
_TICKETS = """
    Invoice shows the wrong address, Cannot sign in, Delivery is a week late, Export is empty,
    Label printer offline, Duplicate customer, Password reset fails, Broken link in newsletter,
    Wrong currency on quote, Report takes minutes"""


class Association(NamedTuple):
    """One direction of a link; types are in their canonical form (`contacts`, `2-4001`)."""

    from_type: str
    from_id: str
    to_type: str
    to_id: str


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


def _read_specs(
    category: str, pairs: list[tuple[str, str, int, int]]
) -> dict[tuple[str, str], dict[str, Any]]:
    specs = {}
    for one, other, there, back in pairs:
        specs[one, other] = {"associationCategory": category, "associationTypeId": there}
        specs[other, one] = {"associationCategory": category, "associationTypeId": back}
    return specs


def _numbered(type_id: str, first: int, rows: Iterable[dict[str, str]]) -> Records:
    return {(type_id, str(n)): {**row, "hs_object_id": str(n)} for n, row in enumerate(rows, first)}


def _listed(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",")]


def _contact(name: str) -> dict[str, str]:
    first, last = name.split()
    return {"firstname": first, "lastname": last, "email": f"{first.lower()}@example.com"}


def _company(name: str) -> dict[str, str]:
    return {"name": name, "domain": f"{name.split()[0].lower()}.example"}


TYPES = _read_types()
DEFAULT_SPECS = _read_specs("HUBSPOT_DEFINED", _HUBSPOT_DEFINED)
DEFAULT_SPECS |= _read_specs("USER_DEFINED", _USER_DEFINED)
# A record's name is its first property (for contacts the first two).
RECORDS: Records = (
    _numbered("0-1", 501, map(_contact, _listed(_CONTACTS)))
    | _numbered("0-2", 901, map(_company, _listed(_COMPANIES)))
    | _numbered("0-3", 701, ({"dealname": n, "dealstage": "qualified"} for n in _listed(_DEALS)))
    | _numbered("0-5", 801, ({"subject": s, "hs_pipeline_stage": "1"} for s in _listed(_TICKETS)))
    | _numbered("0-46", 301, ({"hs_note_body": f"Called, {w}."} for w in ("ok", "later", "no")))
    | _numbered("0-7", 601, ({"name": f"Sensor {m}", "price": "49.00"} for m in "SML"))
    | _numbered(
        "2-4001", 41, ({"name": f"Van {c}"} for c in ("Alpha", "Bravo", "Cove", "Dune", "Elm"))
    )
)


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
