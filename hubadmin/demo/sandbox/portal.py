"""The sandbox's portal: its object types, its records, and what may be associated."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from associations.hubspot.object_types import CATALOGUE, ObjectType
from hubadmin.demo.sandbox.http import Call, Refused


def _words(text: str) -> list[str]:
    return text.split()


_FIRST_NAMES = _words("""
    Amara Bjarne Carla Dmitri Esme Farid Gloria Henrik Ines Jamal Karin Luca Mina Nils Olga
    Pavel Rania Stefan Tuuli Yusuf""")
_LAST_NAMES = _words("""
    Achterberg Bianchi Costa Dubois Eriksen Fischer Garrido Horvat Ivanova Jensen Kowalski
    Larsen Moreau Nakamura Olsen Popescu Rossi Silva Thorne Weber""")
_PLACES = _words("Alder Birch Cedar Downs Elm Ferry Grove Hill Island Juniper")
_TRADES = _words("Bakery Chemicals Dairy Fabrics Glass Joinery Logistics Printing Software Tools")
_OFFERS = ["Annual licence", "Pilot", "Spare parts", "Training days", "Support renewal"]
_TROUBLES = ["Cannot sign in", "Delivery is late", "Export is empty", "Wrong address", "No sound"]


def _pick(number: int, many: list[str], few: list[str]) -> tuple[str, str]:
    rest, place = divmod(number, len(many))
    return many[place], few[rest % len(few)]


def _make_contact(number: int) -> dict[str, str]:
    first, last = _pick(number, _FIRST_NAMES, _LAST_NAMES)
    email = f"{first}.{last}.{number}@example.com".lower()
    return {"firstname": first, "lastname": last, "email": email}


def _make_company(number: int) -> dict[str, str]:
    place, trade = _pick(number, _PLACES, _TRADES)
    domain = f"{place}-{trade}-{number}.example".lower()
    return {"name": f"{place} {trade} {number % 100_000}", "domain": domain}


def _make_deal(number: int) -> dict[str, str]:
    offer, place = _pick(number, _OFFERS, _PLACES)
    return {"dealname": f"{offer} for {place} {number % 100_000}", "dealstage": "qualified"}


def _make_ticket(number: int) -> dict[str, str]:
    trouble, place = _pick(number, _TROUBLES, _PLACES)
    return {"subject": f"{trouble} at {place} {number % 100_000}", "hs_pipeline_stage": "1"}


_RANGES = {
    "0-1": range(1_000_001, 1_200_001),
    "0-2": range(2_000_001, 2_020_001),
    "0-3": range(3_000_001, 3_020_001),
    "0-5": range(4_000_001, 4_020_001),
}
_WRITERS: dict[str, Callable[[int], dict[str, str]]] = {
    "0-1": _make_contact,
    "0-2": _make_company,
    "0-3": _make_deal,
    "0-5": _make_ticket,
}


def generated_ids() -> dict[str, range]:
    """Return which ids there are, by type id."""
    return dict(_RANGES)


def is_generated(type_id: str, record_id: str) -> bool:
    """Whether there is such a record."""
    # All of their ids have seven digits, none of which is a leading 0.
    is_number = len(record_id) == 7 and record_id.isascii() and record_id.isdigit()
    return is_number and int(record_id) in _RANGES.get(type_id, ())


def generate(type_id: str, record_id: str) -> dict[str, str]:
    """Return the properties of a record that is generated, the same ones each time."""
    return {**_WRITERS[type_id](int(record_id)), "hs_object_id": record_id}


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


def _contact(name: str) -> dict[str, str]:
    first, last = name.split()
    return {"firstname": first, "lastname": last, "email": f"{first.lower()}@example.com"}


def _company(name: str) -> dict[str, str]:
    return {"name": name, "domain": f"{name.split()[0].lower()}.example"}


# Those written down here. A record's name is its first property (for contacts the first two).
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
    | _numbered("2-4002", 71, ({"address": f"{n} Mill Lane"} for n in (3, 8, 12, 27)))
)


def find_record(type_id: str, record_id: str) -> dict[str, str] | None:
    """Return a record's properties, its name first; None where the portal has no such record."""
    if is_generated(type_id, record_id):
        return generate(type_id, record_id)
    return RECORDS.get((type_id, record_id))
