"""The records of the sandbox's portal."""

from collections.abc import Iterable

from hubadmin.demo.sandbox.generated import generate, is_generated

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


def has_record(type_id: str, record_id: str) -> bool:
    """Whether the portal has a record, written down or generated."""
    return (type_id, record_id) in RECORDS or is_generated(type_id, record_id)


def find_record(type_id: str, record_id: str) -> dict[str, str] | None:
    """Return a record's properties, its name first; None where the portal has no such record."""
    if is_generated(type_id, record_id):
        return generate(type_id, record_id)
    return RECORDS.get((type_id, record_id))
