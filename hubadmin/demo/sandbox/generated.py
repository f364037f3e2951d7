"""Records by the hundred thousand, each worked out from its id: for bulk runs."""

import re
from collections.abc import Callable


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


_NUMBER_OF_A_KEY = re.compile("[.-]([0-9]{7})(?:@example\\.com|\\.example)")


def generated_of_key(type_id: str, value: str) -> list[str]:
    """Return the id of the record that has this e-mail address or domain, worked out backwards."""
    found = _NUMBER_OF_A_KEY.search(value)
    if not found or not is_generated(type_id, found[1]):
        return []
    return [found[1]] if value in generate(type_id, found[1]).values() else []
