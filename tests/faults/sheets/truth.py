"""What the portal has, and for what a careful person takes a cell: known without the product.

A cell is `Sure` of one record or of several, leaves a `Choice`, or is `Nothing` at all.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from hubadmin.demo.sandbox import Sandbox

CONTACT, COMPANY, DEAL = "contacts", "companies", "deals"
_SYLLABLES = [
    "bra",
    "dul",
    "fen",
    "gor",
    "hal",
    "jin",
    "kel",
    "lom",
    "mar",
    "nis",
    "pol",
    "quo",
    "rus",
    "sil",
    "tov",
    "ulm",
    "ver",
    "wen",
    "xan",
    "yor",
]
_ACCENTED = ["bré", "dül", "fén", "gör", "hàl", "jiñ", "kël", "lôm", "mår", "nïs"]
_KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモ"
_FREE = ("gmail.com", "outlook.com", "web.de", "yahoo.co.jp", "orange.fr")
NO_VALUES = (
    "n/a",
    "N/A",
    "-",
    "?",
    "\u2013",
    "none",
    "null",
    "#N/A",
    "TBD",
    "x",
    "k.A.",
    "なし",
    "0",
)
_UNSEEN = ("\u200b", "\ufeff", "\xa0", "\u200e", "\u2060")


class Record(NamedTuple):
    """A record of the portal; `texts` are its names and keys."""

    object_type: str
    object_id: str
    texts: dict[str, str]


class Cell(NamedTuple):
    """What somebody wrote into a cell, and what it is.

    `ids` are the records that are meant: of a sure one all of them, of a choice the one that the
    person has in mind. `why` says what makes it one, for counting.
    """

    text: str
    why: str
    ids: tuple[str, ...] = ()
    is_choice: bool = False

    @property
    def is_sure(self) -> bool:
        return bool(self.ids) and not self.is_choice


@dataclass
class Truth:
    """The records, made in a sandbox with `chance`; ids that mean another record now are merged."""

    sandbox: Sandbox
    chance: random.Random
    merged: dict[tuple[str, str], str] = field(default_factory=dict)
    kinds: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def make(self, count: int) -> None:
        """Make so many of each kind."""
        for _ in range(count):
            self._make_contacts()
            self._make_companies()
            self._make_deals()

    def now(self, object_type: str, object_id: str) -> str:
        """The id that the record has now."""
        return self.merged.get((object_type, object_id), object_id)

    # --- the records ------------------------------------------------------------------------------

    def _word(self) -> str:
        """A word that nobody else has."""
        while True:
            among = self.chance.choice((_SYLLABLES, _SYLLABLES, _ACCENTED, list(_KATAKANA)))
            word = "".join(self.chance.choice(among) for _ in range(4)).capitalize()
            if word.casefold() not in self._used:
                self._used.add(word.casefold())
                return word

    def _put(self, kind: str, object_type: str, **texts: str) -> Record:
        properties = {name: text for name, text in texts.items() if not name.startswith("_")}
        record = Record(object_type, self.sandbox.create(object_type, properties, 0), texts)
        self.kinds.setdefault((object_type, kind), []).append(record)
        return record

    def _contact(self, kind: str, **texts: str) -> Record:
        first, last = self._word(), self._word()
        address = f"p{len(self._used)}@people-{len(self._used)}.example"
        names = {"firstname": first, "lastname": last, "email": address}
        return self._put(kind, CONTACT, **names | texts)

    def _make_contacts(self) -> None:
        plain = self._contact("plain")
        self._contact("further", hs_additional_emails=f"old.{plain.texts['email']}")
        for kind in ("twin", "twin"):
            names = {name: plain.texts[name] for name in ("firstname", "lastname")}
            self._contact(kind, **names)
        # The first one of that name is a twin by that, and known by its other texts alone.
        self.kinds[CONTACT, "twin"].append(plain)
        self.kinds[CONTACT, "plain"].remove(plain)
        self._contact("plain")
        self._contact("plain")
        self._archive(self._contact("archived"))
        self._merge(self._contact("merged"), self._contact("winner"))

    def _company(self, kind: str, **texts: str) -> Record:
        form = self.chance.choice(("Ltd", "GmbH", "S.A.", "株式会社", "B.V.", "& Co"))
        name = f"{self._word()} {form}"
        named = {"name": name, "domain": f"firm-{len(self._used)}.example"}
        return self._put(kind, COMPANY, **named | texts)

    def _make_companies(self) -> None:
        self._company("plain")
        self._company("plain")
        number = len(self._used)
        self._company("further", hs_additional_domains=f"old-{number}.example")
        self._company("www", domain=f"www.with-{number}.example")
        first = self._company("twin domain")
        self._company("twin domain", domain=first.texts["domain"])
        first = self._company("twin name")
        self._company("twin name", name=first.texts["name"])
        self._archive(self._company("archived"))
        self._merge(self._company("merged"), self._company("winner"))

    def _make_deals(self) -> None:
        self._put("plain", DEAL, dealname=f"{self._word()} {self._word()}")
        name = f"{self._word()} {self._word()}"
        for _ in range(2):
            self._put("twin name", DEAL, dealname=name)
        self._archive(self._put("archived", DEAL, dealname=f"{self._word()} {self._word()}"))

    def _archive(self, record: Record) -> None:
        self.sandbox.archive(record.object_type, record.object_id, True, 0)

    def _merge(self, old: Record, new: Record) -> None:
        self.sandbox.merge(old.object_type, old.object_id, new.object_id, 0)
        self.merged[old.object_type, old.object_id] = new.object_id

    # --- what people write ------------------------------------------------------------------------

    def any(self, object_type: str, *kinds: str) -> Record:
        found = [kind for kind in kinds if (object_type, kind) in self.kinds]
        return self.chance.choice(self.kinds[object_type, self.chance.choice(found)])

    def cell(self, object_type: str, key: str) -> Cell:
        """Something that somebody writes in a column of such records, named by `key` mostly.

        `key` is "id", "email", "domain", "name", or "" where people write what they like.
        """
        chance = self.chance
        if chance.random() < 0.04:
            return Cell(chance.choice(("", "", " ", *NO_VALUES)), "no value")
        if chance.random() < 0.06:
            key = ""
        keys = {CONTACT: ("id", "email", "name"), COMPANY: ("id", "domain", "name")}
        key = key or chance.choice(keys.get(object_type, ("id", "name")))
        ways = [*_WAYS[key], *_WAYS.get(f"{object_type} {key}", ())]
        weights = [weight for weight, _way in ways]
        way = chance.choices(ways, weights)[0][1]
        return way(self, object_type)


# --- the ways -------------------------------------------------------------------------------------

_Way = Callable[[Truth, str], Cell]
_FULL_WIDTH = str.maketrans({str(digit): chr(0xFF10 + digit) for digit in range(10)})


def _id(change: Callable[[str, Truth], str], why: str = "id") -> _Way:
    def way(truth: Truth, object_type: str) -> Cell:
        record = truth.any(object_type, "plain", "further", "twin", "twin name")
        return Cell(change(record.object_id, truth), why, (record.object_id,))

    return way


def _address(object_id: str, object_type: str) -> str:
    number = {CONTACT: "0-1", COMPANY: "0-2", DEAL: "0-3"}[object_type]
    return f"https://app.hubspot.com/contacts/4242/record/{number}/{object_id}"


def _as_address(truth: Truth, object_type: str) -> Cell:
    record = truth.any(object_type, "plain")
    end = truth.chance.choice(("", "/", "?eschref=%2Fcontacts%2F4242%2Fobjects%2F0-1", "/view/1"))
    return Cell(_address(record.object_id, object_type) + end, "address", (record.object_id,))


def _of_another_type(truth: Truth, object_type: str) -> Cell:
    other = {CONTACT: COMPANY}.get(object_type, CONTACT)
    record = truth.any(other, "plain")
    return Cell(_address(record.object_id, other), "address of another type")


def _several_ids(truth: Truth, object_type: str) -> Cell:
    count = truth.chance.choice((2, 2, 3))
    ids = tuple(dict.fromkeys(truth.any(object_type, "plain").object_id for _ in range(count)))
    return Cell(truth.chance.choice(("; ", ";", ", ", "\n")).join(ids), "several ids", ids)


def _several(truth: Truth, object_type: str) -> Cell:
    text = "email" if object_type == CONTACT else "domain"
    two = [truth.any(object_type, "plain") for _ in range(2)]
    ids = tuple(dict.fromkeys(each.object_id for each in two))
    texts = dict.fromkeys(each.texts[text] for each in two)
    return Cell("; ".join(texts), f"several {text}s", ids)


def _merged_id(truth: Truth, object_type: str) -> Cell:
    if object_type == DEAL:
        return _id(lambda text, _: text)(truth, object_type)
    record = truth.any(object_type, "merged")
    return Cell(record.object_id, "merged id", (record.object_id,))


def _archived_id(truth: Truth, object_type: str) -> Cell:
    return Cell(truth.any(object_type, "archived").object_id, "archived id")


def _archived_name(truth: Truth, object_type: str) -> Cell:
    return _name(_same, "archived name", "archived")(truth, object_type)._replace(ids=())


def _archived(text: str, why: str) -> _Way:
    def way(truth: Truth, object_type: str) -> Cell:
        return Cell(truth.any(object_type, "archived").texts[text], why)

    return way


def _nothing(why: str, *texts: str) -> _Way:
    def way(truth: Truth, object_type: str) -> Cell:
        text = truth.chance.choice(texts)
        return Cell(text.replace("#", str(truth.chance.randrange(10**5, 10**6))), why)

    return way


def _text(name: str, change: Callable[[str, Truth], str], why: str, *kinds: str) -> _Way:
    """A text that names one record by itself."""

    def way(truth: Truth, object_type: str) -> Cell:
        record = truth.any(object_type, *(kinds or ("plain",)))
        return Cell(change(record.texts[name], truth), why, (record.object_id,))

    return way


def _choice(name: str, why: str, *kinds: str) -> _Way:
    """A text that several records have: one of them is meant."""

    def way(truth: Truth, object_type: str) -> Cell:
        record = truth.any(object_type, *kinds)
        return Cell(_named(record, name), why, (record.object_id,), is_choice=True)

    return way


def _named(record: Record, name: str) -> str:
    return record.texts.get(name) or f"{record.texts['firstname']} {record.texts['lastname']}"


def _name(change: Callable[[str, Truth], str], why: str = "name", *kinds: str) -> _Way:
    def way(truth: Truth, object_type: str) -> Cell:
        record = truth.any(object_type, *(kinds or ("plain",)))
        name = {COMPANY: "name", DEAL: "dealname"}.get(object_type, "")
        return Cell(change(_named(record, name), truth), why, (record.object_id,))

    return way


def _part(truth: Truth, object_type: str) -> Cell:
    """A first name, or a company's without its form: one may be meant by it, or another."""
    record = truth.any(object_type, "plain")
    name = {COMPANY: "name", DEAL: "dealname"}.get(object_type, "firstname")
    first = record.texts[name].split()[0]
    return Cell(first, "part of a name", (record.object_id,), is_choice=True)


def _twin_name(truth: Truth, object_type: str) -> Cell:
    name = {COMPANY: "name", DEAL: "dealname"}.get(object_type, "")
    kind = "twin" if object_type == CONTACT else "twin name"
    return _choice(name, "twins by name", kind)(truth, object_type)


def _turned(truth: Truth, object_type: str) -> Cell:
    record = truth.any(object_type, "plain")
    text = f"{record.texts['lastname']}, {record.texts['firstname']}"
    return Cell(text, "last name, first name", (record.object_id,))


def _mailbox(truth: Truth, object_type: str) -> Cell:
    """Whoever writes it there most likely means the company; it does not say so."""
    record = truth.any(object_type, "plain")
    text = f"info@{record.texts['domain']}"
    return Cell(text, "mailbox of a company", (record.object_id,), is_choice=True)


def _around(text: str, truth: Truth) -> str:
    before, after = (truth.chance.choice((*_UNSEEN, " ")) for _ in "12")
    return f"{before}{text}{after}"


def _same(text: str, _: Truth) -> str:
    return text


_WAYS: dict[str, list[tuple[int, _Way]]] = {
    "id": [
        (50, _id(_same)),
        (4, _id(lambda text, _: text.translate(_FULL_WIDTH), "full-width digits")),
        (4, _id(_around, "id with marks around it")),
        (3, _id(lambda text, _: f'="{text}"', 'id as ="501"')),
        (3, _id(lambda text, _: f"'{text}", "id as '501")),
        (2, _id(lambda text, _: f"#{text}", "id as #501")),
        (3, _id(lambda text, _: f"{text}.0", "id as 501.0")),
        (2, _id(lambda text, _: f"{int(text):,}", "id as 2,000,501")),
        (4, _as_address),
        (1, _of_another_type),
        (6, _several_ids),
        (3, _merged_id),
        (3, _archived_id),
        (2, _nothing("no such id", "70000#", "91#")),
        (1, _nothing("rounded", "1.06738E+11", "5,02E+05")),
    ],
    "contacts id": [(3, _id(lambda text, _: f"Contact {text}", "id with its type"))],
    "companies id": [(3, _id(lambda text, _: f"company:{text}", "id with its type"))],
    "email": [
        (40, _text("email", _same, "e-mail", "plain", "further", "twin", "winner")),
        (6, _text("email", lambda text, _: text.upper(), "e-mail in capitals")),
        (4, _text("email", _around, "e-mail with marks around it")),
        (3, _text("email", lambda text, _: f"mailto:{text}", "mailto:")),
        (4, _text("email", lambda text, _: f'"A, B" <{text}>', "name <e-mail>")),
        (6, _text("hs_additional_emails", _same, "secondary e-mail", "further")),
        (4, _text("email", _same, "merged e-mail", "merged")),
        (3, _text("email", lambda text, _: text.replace("@", "\uff20"), "full-width @")),
        (2, _several),
        (
            3,
            lambda truth, kind: Cell(truth.any(kind, "archived").texts["email"], "archived e-mail"),
        ),
        (4, _nothing("no such e-mail", "nobody-#@nowhere.example", "n#@gmail.com")),
        (2, _nothing("broken e-mail", "ada@", "@example.com", "ada(at)example.com")),
    ],
    "domain": [
        (40, _text("domain", _same, "domain", "plain", "further", "winner")),
        (4, _text("domain", lambda text, _: text.upper(), "domain in capitals")),
        (4, _text("domain", lambda text, _: f"www.{text}", "www.")),
        (4, _text("domain", lambda text, _: f"https://www.{text}/", "address of a site")),
        (3, _text("domain", lambda text, _: f"http://{text}/de/kontakt", "page of a site")),
        (3, _text("domain", _around, "domain with marks around it")),
        (3, _text("domain", lambda text, _: text.removeprefix("www."), "www. in HubSpot", "www")),
        (5, _text("hs_additional_domains", _same, "further domain", "further")),
        (2, _several),
        (5, _choice("domain", "twins by domain", "twin domain")),
        (3, _mailbox),
        (4, _nothing("free mail", *_FREE)),
        (4, _nothing("no such domain", "nowhere-#.example")),
        (
            3,
            lambda truth, kind: Cell(
                truth.any(kind, "archived").texts["domain"], "archived domain"
            ),
        ),
    ],
    "name": [
        (40, _name(_same)),
        (4, _name(lambda text, _: text.upper(), "name in capitals")),
        (4, _name(lambda text, _: text.replace(" ", "  "), "name with two spaces")),
        (3, _name(_around, "name with marks around it")),
        (8, _twin_name),
        (4, _part),
        (3, _archived_name),
        (4, _nothing("no such name", "Nobody Atall#", "Nirgendwo Niemand#")),
    ],
    "contacts name": [(4, _turned)],
}
