"""Believable people and companies, a few thousand, as a search has to tell them apart.

They are the same in every portal: a seed makes them, when the first of them is asked for.
"""

from collections.abc import Sequence
from functools import cache
from itertools import count
from random import Random
from typing import TypeVar

from hubadmin.demo.sandbox import people_words as w
from hubadmin.demo.sandbox.words import words_of

_T = TypeVar("_T")
Person = dict[str, str]
_RANGES = {
    "0-1": range(51_001, 55_001),
    "0-2": range(91_001, 92_201),
    "0-3": range(71_001, 71_401),
    "0-5": range(81_001, 81_401),
}
_LEFT = {
    **{("0-1", str(55_000 + n)): str(51_003 + 97 * n) for n in range(1, 41)},
    **{("0-2", str(92_200 + n)): str(91_005 + 101 * n) for n in range(1, 12)},
}
# Type id and the id that a record had once → the id of the one that it was merged into.
MERGED_PEOPLE = dict(_LEFT)
ARCHIVED = frozenset(
    (type_id, str(number))
    for type_id, every in (("0-1", 97), ("0-2", 101))
    for number in _RANGES[type_id]
    if number % every == 0
)


def people_ids() -> dict[str, range]:
    """Return which ids there are, by type id."""
    return dict(_RANGES)


def find_person(type_id: str, record_id: str) -> Person | None:
    """Return the properties of one of them; None where there is no such."""
    is_number = len(record_id) == 5 and record_id.isascii() and record_id.isdigit()
    if not is_number or int(record_id) not in _RANGES.get(type_id, ()):
        return None
    return people().get((type_id, record_id))


@cache
def people() -> dict[tuple[str, str], Person]:
    """Return the properties of all by type id and id, a name first."""
    maker = _Maker()
    made = {
        "0-2": [maker.company(number) for number in _RANGES["0-2"]],
        "0-1": [maker.contact(number) for number in _RANGES["0-1"]],
        "0-3": [maker.deal() for _ in _RANGES["0-3"]],
        "0-5": [maker.ticket() for _ in _RANGES["0-5"]],
    }
    return {
        (type_id, str(number)): {**record, "hs_object_id": str(number)}
        for type_id, records in made.items()
        for number, record in zip(_RANGES[type_id], records, strict=True)
    }


# Twins of two who are written down elsewhere in the portal.
_TWINS = {51_100: ("Lena", "O'Brien"), 52_200: ("Jun", "Tanaka"), 53_300: ("Daniel", "Okafor")}
_TWIN_COMPANIES = {91_501: "Umbra Optics"}


class _Maker:
    """Makes them one after the other, each with an eye on those before."""

    def __init__(self) -> None:
        self._chance = Random(16)
        self._companies: list[Person] = []
        self._contacts: list[Person] = []
        self._named_for: list[tuple[str, str]] = []  # people whose companies have their names
        self._taken: set[str] = set()  # e-mail addresses, which no two may have

    def company(self, number: int) -> Person:
        """Make a company: some have a twin, some share a domain, some have several or none."""
        country = w.JAPAN if self._happens(0.08) else self._one(w.COUNTRIES)
        place = self._place(country)
        name, domain = self._name_and_domain(number, country, place["city"])
        others = [f"{domain.partition('.')[0]}-group.example"] if self._happens(0.08) else []
        others += [f"formerly-{number}.example"] if str(number) in _LEFT.values() else []
        site = f"https://www.{domain}" if domain.endswith(".example") else ""
        made = {"name": name, "domain": domain, "website": site, **place, **self._kept()}
        made["hs_additional_domains"] = ";".join(others) if domain else ""
        self._companies.append(_without_gaps(made))
        return self._companies[-1]

    def _name_and_domain(self, number: int, country: w.Country, city: str) -> tuple[str, str]:
        earlier = self._one(self._companies) if number > 91_100 else {}
        if number % 12 == 0 and earlier:  # a twin: the same name in another place
            return earlier["name"], f"{_label(earlier['name'], city)}.example"
        if number % 15 == 0 and "domain" in earlier:  # a branch: one domain for both
            return f"{earlier['name']} {city}", earlier["domain"]
        name, label = self._company_name(number, country)
        if number % 40 == 7:  # nobody entered one, or somebody that of a mailbox
            return name, "gmail.com" if number % 400 == 7 else ""
        return name, f"{label}.example"

    def _company_name(self, number: int, country: w.Country) -> tuple[str, str]:
        """Return a company's name, and what stands for it in a domain."""
        if number in _TWIN_COMPANIES:
            return _TWIN_COMPANIES[number], f"optics-{number}"
        if number % 400 == 60:
            return w.LONG_COMPANIES[number // 400 % 3], f"association-{number}"
        if number % 100 == 50:
            self._named_for.append(self._western_name())
            return " ".join(self._named_for[-1]), _label(*self._named_for[-1])
        if country is w.JAPAN:
            name, label = self._one(w.JAPANESE_COMPANIES).split(":")
            told = f"株式会社{name}" if self._happens(0.5) else f"{name}株式会社"
            return told, f"{label}-{number}"
        if self._happens(0.15):
            name = f"{self._one(w.LAST_NAMES)} & {self._one(w.KINDS)}".replace("_", " ")
            return name, _label(name)
        name = f"{self._one(w.PLACES)} {self._one(w.TRADES)}".replace("_", " ")
        return f"{name} {country[2]}" if self._happens(0.4) else name, _label(name)

    def contact(self, number: int) -> Person:
        """Make a contact: most at one of the companies, some with a twin or further addresses."""
        company = self._one(self._companies) if self._happens(0.8) else {}
        is_japanese = self._happens(0.1)
        first, last, label = self._name(number, is_japanese)
        address = self._address(label, self._mail_domain(company)) if number % 50 != 3 else ""
        several = address and (self._happens(0.06) or str(number) in _LEFT.values())
        others = [self._address(label, self._one(w.FREE_MAIL)) for _ in range(1 + number % 2)]
        made = {
            "firstname": first,
            "lastname": last,
            "email": address,
            "hs_additional_emails": ";".join(others) if several else "",
            **self._place(w.JAPAN if is_japanese else self._one(w.COUNTRIES)),
            "mobilephone": self._number("+44 77") if self._happens(0.4) else "",
            "company": company.get("name", ""),
            "jobtitle": self._one(w.JOBS),
            **self._kept(),
        }
        self._contacts.append(_without_gaps(made))
        return self._contacts[-1]

    def _name(self, number: int, is_japanese: bool) -> tuple[str, str, str]:
        """Return first name, last name, and how both are written in an e-mail address."""
        if is_japanese:
            first, last = self._one(w.JAPANESE_FIRST), self._one(w.JAPANESE_LAST)
            (first, first_label), (last, last_label) = first.split(":"), last.split(":")
            return first, last, f"{first_label}.{last_label}"
        first, last = self._western_name()
        if number % 16 == 0 and number > 51_100:
            earlier = self._one(self._contacts)
            if earlier["firstname"].isascii():
                first, last = earlier["firstname"], earlier["lastname"]
        if number % 300 == 150:
            first, last = self._one(self._named_for)
        if number % 900 == 450:
            first, last = self._one(w.LONG_NAMES)
        first, last = _TWINS.get(number, (first, last))
        return first, last, ".".join(_label(each).replace("-", "") for each in (first, last))

    def deal(self) -> Person:
        """Make a deal that names a company."""
        company = self._one(self._companies)
        return {
            "dealname": f"{self._one(w.OFFERS)} for {company['name']}",
            "pipeline": self._one(["default", "default", "partners"]),
            "dealstage": self._one(["qualified", "offer", "closedwon"]),
            "amount": f"{self._chance.randrange(1, 400) * 250}",
            **self._kept(),
        }

    def ticket(self) -> Person:
        """Make a ticket that names a person."""
        person = self._one(self._contacts)
        name = f"{person['firstname']} {person['lastname']}"
        return {
            "subject": f"{self._one(w.TROUBLES)} ({name})",
            "content": f"{name} called from {person['city']} and asks for help.",
            "hs_pipeline_stage": self._one(["1", "2", "4"]),
            **self._kept(),
        }

    def _western_name(self) -> tuple[str, str]:
        return self._one(w.FIRST_NAMES), self._one(w.LAST_NAMES).replace("_", " ")

    def _mail_domain(self, company: Person) -> str:
        domain = company.get("domain", "")
        return domain if domain and self._happens(0.85) else self._one(w.FREE_MAIL)

    def _address(self, label: str, domain: str) -> str:
        """Return an e-mail address that nobody has yet."""
        label = label[:60].rstrip(".")
        numbered = (f"{label}{n if n > 1 else ''}@{domain}" for n in count(1))
        address = next(each for each in numbered if each not in self._taken)
        self._taken.add(address)
        return address

    def _place(self, country: w.Country) -> Person:
        return {"phone": self._number(country[0]), "city": self._one(country[1])}

    def _number(self, start: str) -> str:
        return f"{start} 555 {self._chance.randrange(100_000):05}"

    def _kept(self) -> Person:
        """Return who looks after a record, and when somebody last did."""
        month, day, hour = (self._chance.randrange(1, most) for most in (11, 29, 24))
        moment = f"2026-{month:02}-{day:02}T{hour:02}:15:00.000Z"
        return {"hubspot_owner_id": f"700{day % 6 + 1}", "notes_last_updated": moment}

    def _one(self, many: Sequence[_T]) -> _T:
        return self._chance.choice(many)

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share


def _label(*names: str) -> str:
    """Return names as a domain has them."""
    return "-".join(word for name in names for word in words_of(name) if word.isascii())


def _without_gaps(made: Person) -> Person:
    return {name: value for name, value in made.items() if value}
