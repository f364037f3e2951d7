"""The sandbox's portal: its object types, its records, and what may be associated."""

from collections.abc import Iterable
from itertools import starmap
from typing import Any, NamedTuple

from associations.hubspot.object_types import CATALOGUE, ObjectType
from hubadmin.demo.sandbox.generated import generate, is_generated
from hubadmin.demo.sandbox.http import Call, Refused
from hubadmin.demo.sandbox.people import ARCHIVED, find_person, people

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
# What an admin of the portal has limited: the two types, the association type, how many.
LIMITED = {("0-3", "0-2", 341): 1}


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
    types: dict[tuple[str, str], list[AssociationType]] = {}
    for category, pairs in (("HUBSPOT_DEFINED", _HUBSPOT_DEFINED), ("USER_DEFINED", _USER_DEFINED)):
        for one, other, there, back in pairs:
            types[one, other] = [AssociationType(category, there)]
            types[other, one] = [AssociationType(category, back)]
    for one, other, category, labelled_there, labelled_back in _LABELLED:
        types[one, other].append(AssociationType(category, *labelled_there))
        types[other, one].append(AssociationType(category, *labelled_back))
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


SCHEMAS_SCOPE = "crm.schemas.custom.read"
_SCOPE_NAMES = sorted({scope_name(object_type) for object_type in TYPES.values()})
_WRITE_SCOPES = [f"crm.objects.{name}.write" for name in _SCOPE_NAMES]
_READ_SCOPES = [f"crm.objects.{name}.read" for name in _SCOPE_NAMES]

# They open nothing but the sandbox.
_TOKENS = ("sandbox", "sandbox-no-scopes", "sandbox-no-read")
SANDBOX_TOKEN, NO_SCOPES_TOKEN, NO_READ_TOKEN = _TOKENS
GRANTED: dict[str, list[str]] = {
    SANDBOX_TOKEN: [*_READ_SCOPES, *_WRITE_SCOPES, SCHEMAS_SCOPE],
    NO_SCOPES_TOKEN: [],
    NO_READ_TOKEN: _WRITE_SCOPES,
}


def require_token(call: Call) -> None:
    """Refuse a call that brings none of the sandbox's tokens."""
    if call.token not in GRANTED:
        raise Refused(
            401,
            "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            category="INVALID_AUTHENTICATION",
        )


def object_scopes(action: str, *types: ObjectType) -> list[str]:
    """Return the scopes to `read` or `write` these types' records, each once."""
    return list(dict.fromkeys(f"crm.objects.{scope_name(t)}.{action}" for t in types))


def require_scopes(call: Call, *scopes: str) -> None:
    """Refuse a call whose token lacks one of the scopes."""
    missing = [scope for scope in scopes if scope not in GRANTED[call.token]]
    if not missing:
        return
    message = "One or more of the following scopes are required."
    raise Refused(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        category="MISSING_SCOPES",
        context={"missingScopes": missing},
        errors=[{"message": message, "context": {"requiredGranularScopes": missing}}],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def require_type(name: str) -> ObjectType:
    """Return the type that a path segment names, or refuse."""
    object_type = find_type(name)
    if object_type is None:
        raise Refused(400, f"Unable to infer object type from: {name}")
    return object_type


def readable_types(call: Call, *names: str) -> list[ObjectType]:
    """Return the types that path segments name, or refuse a call that may not read them."""
    types = [require_type(name) for name in names]
    require_scopes(call, *object_scopes("read", *types))
    return types


Records = dict[tuple[str, str], dict[str, str]]  # (type id, record id) → properties

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


def _numbered(type_id: str, first: int, rows: Iterable[dict[str, str]]) -> Records:
    return {(type_id, str(n)): {**row, "hs_object_id": str(n)} for n, row in enumerate(rows, first)}


def _listed(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",")]


_CITIES = ["London", "Bristol", "Hamburg", "Lyon", "Torino"]
_JOBS = ["Buyer", "Engineer", "Head of sales", "Office manager"]
_SECOND_ADDRESSES = {
    "Ada Byron": "ada.byron@example.com",
    "Greta Lindqvist": "greta.lindqvist@example.com;g.lindqvist@example.org",
}


def _contact(place: int, name: str) -> dict[str, str]:
    first, last = name.split()
    several = _SECOND_ADDRESSES.get(name)
    employer = _listed(_COMPANIES)[(place + 8) % 10]
    return {
        "firstname": first,
        "lastname": last,
        "email": f"{first.lower()}@example.com",
        **({"hs_additional_emails": several} if several else {}),
        **({"mobilephone": f"+44 7700 900{501 + place}"} if place % 2 else {}),
        # Not all: what is searched for by a company's name would find as many people.
        **({"company": employer} if place % 10 in (2, 5, 7) else {}),
        "jobtitle": _JOBS[place % 4],
        **_kept(place, 501 + place),
    }


def _company(place: int, name: str) -> dict[str, str]:
    domain = f"{name.split()[0].lower()}.example"
    others = {"hs_additional_domains": "daughters.example"} if name.startswith("Byron") else {}
    site = f"https://www.{domain}"
    return {"name": name, "domain": domain, **others, "website": site, **_kept(place, 901 + place)}


def _kept(place: int, number: int) -> dict[str, str]:
    """Return where a record can be reached, who looks after it, and when somebody last did."""
    return {
        "phone": f"+44 20 7946 0{number}",
        "city": _CITIES[place % 5],
        "hubspot_owner_id": f"700{place % 6 + 1}",
        "notes_last_updated": f"2026-0{place % 9 + 1}-17T09:30:00.000Z",
    }


def _deal(place: int, name: str) -> dict[str, str]:
    amount = f"{(place + 1) * 1500}"
    return {"dealname": name, "dealstage": "qualified", "pipeline": "default", "amount": amount}


def _ticket(place: int, subject: str) -> dict[str, str]:
    return {"subject": subject, "hs_pipeline_stage": "1", "content": f"{subject}: please help."}


def _car(name: str) -> dict[str, str]:
    return {"name": f"Van {name}", "vin": f"WHA42{name.upper():X<5}2026041"}


# Those written down here. A record's name is its first property (for contacts the first two).
RECORDS: Records = (
    _numbered("0-1", 501, starmap(_contact, enumerate(_listed(_CONTACTS))))
    | _numbered("0-2", 901, starmap(_company, enumerate(_listed(_COMPANIES))))
    | _numbered("0-3", 701, starmap(_deal, enumerate(_listed(_DEALS))))
    | _numbered("0-5", 801, starmap(_ticket, enumerate(_listed(_TICKETS))))
    | _numbered("0-46", 301, ({"hs_note_body": f"Called, {w}."} for w in ("ok", "later", "no")))
    | _numbered("0-7", 601, ({"name": f"Sensor {m}", "price": "49.00"} for m in "SML"))
    | _numbered("2-4001", 41, (_car(c) for c in ("Alpha", "Bravo", "Cove", "Dune", "Elm")))
    | _numbered("2-4002", 71, ({"address": f"{n} Mill Lane"} for n in (3, 8, 12, 27)))
)


def find_record(type_id: str, record_id: str) -> dict[str, str] | None:
    """Return a record's properties, its name first; None where the portal has no such record."""
    if is_generated(type_id, record_id):
        return generate(type_id, record_id)
    return RECORDS.get((type_id, record_id)) or find_person(type_id, record_id)


def is_archived(type_id: str, record_id: str) -> bool:
    """Whether a record was deleted before the portal began."""
    return (type_id, record_id) in ARCHIVED


def archived_ids(type_id: str) -> set[str]:
    """Return the ids of a type's records that were deleted before the portal began."""
    return {record_id for each, record_id in ARCHIVED if each == type_id}


def records_of_type(type_id: str) -> Iterable[dict[str, str]]:
    """Yield the properties of a type's records, archived ones too, but none that is generated."""
    for (each, _), record in (*RECORDS.items(), *people().items()):
        if each == type_id:
            yield record
