"""Finds records by what people know of them. A key names one by itself, words never do."""

import re
from collections.abc import Sequence

from associations.finding.found import Found, Search, Why
from associations.finding.readings import FREE_MAIL, Kind, domain_of
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import ReadError
from associations.hubspot.object_types import STANDARD, ObjectType
from associations.hubspot.schemas import Record
from associations.hubspot.search import Matches, unique_properties

MOST_SEARCHES = 2  # for one text
MOST_KEYS = 3  # unique properties of a custom object that are tried
PROPERTIES_SECONDS = 10 * 60
# Countries' codes, as the ITU gives them out: those of one digit, of two, and others of three.
_COUNTRY = re.compile(
    r"1|7|2[07]|3[0-4]|36|39|4[01]|4[3-9]|5[1-8]|6[0-6]|8[1246]|9[0-5]|98|[0-9]{3}", re.ASCII
)


def by_email(search: Search) -> Found:
    """One contact of that address is the record that is meant; as a company, its domain is."""
    object_type, email = search.reading.object_type, search.reading.text
    if object_type is None or object_type.canonical == "contacts":
        contacts = search.type_of("contacts")
        return named(search, contacts, search.question.by_key(contacts, "email", email))
    if object_type.canonical == "companies":
        return _of_domain(search, object_type, domain_of(email))
    return _by_words(search, [object_type])


def by_domain(search: Search) -> Found:
    object_type = search.reading.object_type or search.type_of("companies")
    if object_type.canonical != "companies":
        return _by_words(search, [object_type])
    return _of_domain(search, object_type, search.reading.text)


def _of_domain(search: Search, companies: ObjectType, domain: str) -> Found:
    if domain in FREE_MAIL:
        return Found(why=Why.FREE_MAIL, facts={"domain": domain})
    matches = search.question.by_domain(companies, domain)
    matches = matches if matches.records else search.question.by_words(companies, domain)
    return to_choose(search, companies, matches)


def by_phone(search: Search) -> Found:
    narrowed, forms = search.reading.object_type, forms_of(search.reading.text)
    contacts, companies = map(search.type_of, ("contacts", "companies"))
    asked = [(narrowed or contacts, form) for form in forms]
    return _first_of(search, asked if narrowed else [*asked, (companies, forms[0])])


def by_name(search: Search) -> Found:
    object_type = search.reading.object_type
    if object_type and (records := with_key(search, object_type)):
        return named(search, object_type, records)
    return _by_words(search, search.habits.types_for(search.side, search.other, search.types))


def _by_words(search: Search, usual: Sequence[ObjectType]) -> Found:
    """Search the type that it is narrowed to, or the most probable one, and then one more."""
    narrowed, words = search.reading.object_type, search.reading.text
    return _first_of(search, [(each, words) for each in ([narrowed] if narrowed else usual)])


def _first_of(search: Search, asked: Sequence[tuple[ObjectType, str]]) -> Found:
    for object_type, words in asked[:MOST_SEARCHES]:
        matches = search.question.by_words(object_type, words)
        if matches.records:
            return to_choose(search, object_type, matches)
    return Found(why=Why.NOT_YET)


def with_key(search: Search, object_type: ObjectType) -> list[Record]:
    """The records of a custom object that a unique property of the account's own names so."""
    canonical = object_type.canonical
    if canonical in STANDARD:
        return []
    try:
        names = cached_lookup(unique_properties, canonical, seconds=PROPERTIES_SECONDS)
    except ReadError:
        return []  # its name still finds it
    text, found = search.reading.text, dict[str, Record]()
    for name in names[:MOST_KEYS]:
        records = search.question.by_key(object_type, name, text)
        found |= {record.object_id: record for record in records}
    is_key = found or search.reading.kind is Kind.ID
    search.question.how = Kind.KEY if is_key else search.reading.kind
    return list(found.values())


def named(search: Search, object_type: ObjectType, records: list[Record]) -> Found:
    """What an exact key says: the one record, or that there is none, or more than one."""
    if len(records) != 1:
        return to_choose(search, object_type, Matches(tuple(records), len(records)))
    search.question.hits = 1
    return Found(chosen=search.hit(object_type, records[0]))


def to_choose(search: Search, object_type: ObjectType, matches: Matches) -> Found:
    if not matches.records:
        return Found(why=Why.NOT_YET)
    search.question.hits = matches.total
    hits = search.ranked(object_type, matches.records)
    return Found(hits=hits, why=Why.CHOOSE, facts={"total": matches.total})


# --- phone numbers --------------------------------------------------------------------------------


def forms_of(text: str) -> list[str]:
    """Return the digits to search for, the most probable first.

    HubSpot finds a number by area code and local number if it was kept with its country's code, and
    else by all of it.
    """
    text = text.replace("(0)", "").strip()
    digits = re.sub(r"[^0-9]", "", text)
    if text.startswith("+") or digits.startswith("00"):
        abroad = digits.removeprefix("00")
        national = abroad[_code_length(abroad) :]
        return list(dict.fromkeys([national, f"0{national}"]))
    return list(dict.fromkeys([digits.removeprefix("0"), digits]))


def _code_length(digits: str) -> int:
    code = _COUNTRY.match(digits)
    return len(code[0]) if code else 0
