"""Addresses made up from a known record, and spoilt in known ways or at random: through the form.

GENERATED_ADDRESSES says how many; a number in a failure's name makes the same one again.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from django.test import SimpleTestCase, tag

from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot.object_types import CATALOGUE, ObjectType
from associations.linking.forms import AssociationForm

COUNT = int(os.environ.get("GENERATED_ADDRESSES", "500"))
PORTAL_ID, UI_HOST = "4242", "127.0.0.1:8001"
CUSTOM = [
    ObjectType("2-4001", "2-4001", "Car", "Cars"),
    ObjectType("2-4002", "2-4002", "Car 2", "Cars 2"),
    ObjectType("2-135792468", "2-135792468", "Contact", "Contacts"),
]
TYPES = TypeChoices([*standard_choices(), *(TypeChoice(each, each.label) for each in CUSTOM)])
ALL_TYPES = [*CATALOGUE, *CUSTOM]
LEGACY = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}
HOSTS = [
    "app.hubspot.com",
    "app-eu1.hubspot.com",
    "app-na2.hubspot.com",
    "App.HubSpot.COM",
    UI_HOST,
]
ENDS = ["", "", "/", "/view/1", "/view/1/", "/history", "/properties", "/thread/99", "/lists"]
ODD = "0123456789/-?#%.:@\\ <>_&=\n\0acrt\u200b\u2026\uff11\u0665\u2044\u202e"

Random = random.Random


@dataclass(frozen=True, slots=True)
class Parts:
    """An address in pieces, so that each can be spoilt by itself."""

    start: str
    portal: str
    middle: str
    object_id: str
    end: str
    query: str

    def __str__(self) -> str:
        return f"{self.start}/contacts/{self.portal}/{self.middle}/{self.object_id}" + (
            self.end + self.query
        )


@dataclass(frozen=True, slots=True)
class Record:
    object_type: ObjectType
    object_id: str


def a_record(rng: Random) -> Record:
    length = rng.choice([1, 2, 3, 6, 9, 11, 12, 20])
    return Record(rng.choice(ALL_TYPES), str(rng.randrange(10 ** (length - 1), 10**length)))


def a_path(rng: Random, record: Record) -> str:
    return f"/contacts/{rng.choice(['4242', '999'])}/" + (
        f"record/{record.object_type.type_id}/{record.object_id}"
    )


def a_query(rng: Random) -> str:
    """What follows the path; most of it names other records."""
    path = a_path(rng, a_record(rng))
    lists = f"/contacts/4242/objects/{rng.choice(ALL_TYPES).type_id}/views/all/list"
    return rng.choice(
        [
            "",
            "",
            "?",
            f"?eschref={quote(path, safe='')}",
            f"?eschref={path}",
            f"?eschref={quote(lists, safe='')}&engagement={rng.randrange(10**9)}",
            f"?utm_source=mail&utm_id={rng.randrange(10**6)}",
            f"#{path}",
            f"?x=1#{rng.randrange(10**6)}",
            f"?next=https://{rng.choice(HOSTS)}{path}",
        ]
    )


def an_address(rng: Random, record: Record) -> Parts:
    type_id = record.object_type.type_id
    host = rng.choice(HOSTS)
    start = rng.choice([f"https://{host}", f"http://{host}", f"//{host}", host, ""])
    middle = f"record/{type_id}"
    if type_id in LEGACY and rng.random() < 0.3:
        middle = LEGACY[type_id]
    return Parts(start, PORTAL_ID, middle, record.object_id, rng.choice(ENDS), a_query(rng))


def some_words(rng: Random, record: Record) -> str:
    """The type and the id, as people write them."""
    object_type = record.object_type
    name = rng.choice([TYPES.label_of(object_type.canonical), object_type.type_id])
    if object_type in CATALOGUE:
        name = rng.choice([name, object_type.plural, object_type.label.replace(" ", "_")])
    name = rng.choice([str, str.upper, str.lower])(name)
    return (
        name + rng.choice([" ", "  ", "/", ":", ": ", " / ", "#", " #", ": #"]) + record.object_id
    )


def surrounded(rng: Random, text: str) -> str:
    before, after = rng.choice(
        [("", ""), ("", ""), (" ", "\n"), ("<", ">"), ("\t< ", " >\r\n"), ("\u00a0", "\u2003")]
    )
    return before + text + after


def spoilt(rng: Random, parts: Parts) -> str:
    """The address, so that it names no record any more, or none for certain."""
    return str(rng.choice(SPOILERS)(rng, parts))


def changed(parts: Parts, **pieces: str) -> Parts:
    values = {name: getattr(parts, name) for name in Parts.__slots__} | pieces
    return Parts(**values)


def _in_the_id(inserted: str) -> Callable[[Random, Parts], Parts]:
    def spoil(rng: Random, parts: Parts) -> Parts:
        at = rng.randrange(1, len(parts.object_id) + 1)
        digits = parts.object_id
        return changed(parts, object_id=digits[:at] + inserted + (digits[at:] or "1"))

    return spoil


def _one_digit(rewrite: Callable[[str], str]) -> Callable[[Random, Parts], Parts]:
    def spoil(rng: Random, parts: Parts) -> Parts:
        at = rng.randrange(len(parts.object_id))
        digits = parts.object_id
        digit = rewrite(digits[at])
        return changed(parts, object_id=digits[:at] + digit + digits[at + 1 :])

    return spoil


def _always(**pieces: str) -> Callable[[Random, Parts], Parts]:
    return lambda rng, parts: changed(parts, **pieces)


def _formatted(name: str, template: str) -> Callable[[Random, Parts], Parts]:
    return lambda rng, parts: changed(parts, **{name: template.format(getattr(parts, name))})


SPOILERS: list[Callable[[Random, Parts], Parts | str]] = [
    # another host
    _always(start="https://app.hubspot.com.evil.test"),
    _always(start="https://evil.test"),
    _always(start="evil.test"),
    _always(start="https://ada@app.hubspot.com"),
    _always(start="https://app.hubspot.com@evil.test"),
    _always(start="https://app.hubspot.com:8443"),
    _always(start="http://127.0.0.1:8002"),
    _always(start="https://www.hubspot.com"),
    _always(start="https://app-eu1.hubspot.com\\"),
    _always(start="https://evil.test/https://app.hubspot.com"),
    _always(start="https://evil.test?https://app.hubspot.com"),
    _always(start="ftp://app.hubspot.com"),
    # another portal
    _always(portal="999"),
    _always(portal="42420"),
    _always(portal="04242"),
    _always(portal="my-portal"),
    _always(portal=""),
    # another page
    _always(middle="record/0-9999"),
    _always(middle="record/1-1"),
    _always(middle="record"),
    _always(middle="objects/0-1/views"),
    _always(middle="objectLists"),
    _always(middle="contacts"),
    _always(middle="tasks"),
    _always(middle="Contact"),
    _formatted("middle", "{}/.."),
    _formatted("middle", "x/{}"),
    _formatted("middle", "{}/"),
    _formatted("middle", "/{}"),
    # another id
    *map(_in_the_id, [" ", "\n", "%20", "/", "\\", ".", ",", "-", "_", "x", "\u200b", "\0"]),
    *map(_in_the_id, ["/../", "%2F", ";", "&", "\u2044"]),
    _one_digit(lambda digit: f"%3{digit}"),
    _one_digit(lambda digit: chr(0xFF10 + int(digit))),
    _one_digit(lambda digit: chr(0x0660 + int(digit))),
    _formatted("object_id", "0{}"),
    _formatted("object_id", "{}" + "1" * 20),
    _always(object_id="0"),
    _always(object_id="new"),
    _always(object_id=""),
    _formatted("object_id", "{}/902"),
    # another record behind it, or words around it
    _always(end="/record/0-2/902"),
    _always(end="/company/902"),
    _always(end="/view/1/0-2/902"),
    _always(end="/../902"),
    _formatted("query", "{} and more"),
    _formatted("start", "see {}"),
    lambda rng, parts: f"{parts}\n{parts}",
    lambda rng, parts: str(parts).replace("/", "%2F"),
    lambda rng, parts: str(parts).replace("/", "\\"),
]


def noisy(rng: Random, text: str) -> str:
    """The text with a few characters added, left out, replaced or in another order."""
    characters = list(text)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(characters) + 1)
        length = rng.choice([0, 0, 1, 1, 2, 9])
        characters[at : at + length] = rng.choice(
            ["", rng.choice(ODD), rng.choice(ODD), characters[at : at + length] * 2]
        )
    return "".join(characters)


def stands_there(text: str, object_type: ObjectType, object_id: str) -> bool:
    """Whether type and id stand side by side before any query, and the path's other parts after."""
    words = " ".join(text.split()).strip("<> ")
    before_query = re.split(r"[?#]", words)[0] if "/contacts/" in f"/{words}" else words
    spelt = {object_type.label, object_type.plural, LEGACY.get(object_type.type_id, "-")}
    loosely = {r"[\s_-]*".join(map(re.escape, re.sub(r"\s", "", name))) for name in spelt}
    exactly = {object_type.type_id, TYPES.label_of(object_type.canonical)}
    pattern = "|".join(loosely | {*map(re.escape, exactly)})
    found = re.findall(
        rf"(?<![0-9A-Za-z-])(?:{pattern})[-_]?[\s/:#]+([0-9]+)(?=/?$|/[A-Za-z])",
        before_query,
        re.IGNORECASE | re.ASCII,
    )
    return object_id in found


@tag("one_database")
class GeneratedTests(SimpleTestCase):
    counts: Counter[str] = Counter()

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        if "GENERATED_ADDRESSES" in os.environ:
            print(dict(sorted(cls.counts.items())))

    def read(self, text: str) -> tuple[ObjectType, str] | None:
        """What the form takes for the first record; None if it is refused, and says why."""
        fields = {"from_object_id": text, "to_object_type": "note", "to_object_id": "9" * 19}
        form = AssociationForm(fields, types=TYPES, portal_id=PORTAL_ID, ui_hosts=[UI_HOST])
        side = form.pair.from_
        if not form.is_valid():
            self.assertTrue(all(form.errors.values()))
            return None
        read = form.cleaned_data["from_object_type"], form.cleaned_data["from_object_id"]
        self.assertEqual((side.object_type, side.object_id), read)
        return read

    def count(self, kind: str, is_read: bool) -> None:
        self.counts[f"{kind}, {'read' if is_read else 'refused'}"] += 1

    def test_whatever_is_around_a_record_it_is_read(self) -> None:
        for number in range(COUNT * 2 // 5):
            rng = random.Random(f"known {number}")
            record = a_record(rng)
            written = rng.choice([an_address, an_address, some_words])(rng, record)
            text = surrounded(rng, str(written))
            with self.subTest(number, text=text):
                read = self.read(text)
                self.count("known", read is not None)
                self.assertEqual(read, (record.object_type, record.object_id))

    def test_whatever_spoils_it_it_is_refused(self) -> None:
        for number in range(COUNT * 3 // 10):
            rng = random.Random(f"spoilt {number}")
            text = surrounded(rng, spoilt(rng, an_address(rng, a_record(rng))))
            with self.subTest(number, text=text):
                read = self.read(text)
                self.count("spoilt", read is not None)
                self.assertIsNone(read)

    def test_whatever_is_read_stands_there(self) -> None:
        for number in range(COUNT * 3 // 10):
            rng = random.Random(f"noisy {number}")
            written = rng.choice([an_address, some_words])(rng, a_record(rng))
            text = noisy(rng, surrounded(rng, str(written)))
            with self.subTest(number, text=text):
                read = self.read(text)
                self.count("noisy", read is not None)
                self.assertTrue(read is None or stands_there(text, *read))
