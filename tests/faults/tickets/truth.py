"""What is so: the portal's records as the sandbox has them, never as hubadmin reads them."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

CONTACT, COMPANY, DEAL, TICKET, CAR = "0-1", "0-2", "0-3", "0-5", "2-4001"
_NAMES = {
    CONTACT: ("firstname", "lastname"),
    COMPANY: ("name",),
    DEAL: ("dealname",),
    TICKET: ("subject",),
    CAR: ("name",),
}
_LISTS = {"email", "hs_additional_emails", "domain", "hs_additional_domains"}


class Key(NamedTuple):
    type_id: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """A record, as whoever wrote the ticket knows it."""

    key: Key
    properties: Mapping[str, str] = field(hash=False)
    is_archived: bool = False
    merged_into: str = ""

    @property
    def is_there(self) -> bool:
        return not (self.is_archived or self.merged_into)

    @property
    def name(self) -> str:
        names = (self.properties.get(name) or "" for name in _NAMES[self.key.type_id])
        return " ".join(filter(None, names))

    @property
    def facts(self) -> set[str]:
        """All else that is known of it, folded."""
        names = {*_NAMES[self.key.type_id], "hs_object_id"}
        told = (value for name, value in self.properties.items() if name not in names and value)
        return {folded(part) for value in told for part in value.split(";")}

    def all_of(self, *properties: str) -> list[str]:
        """The values of these, those of a list one by one."""
        texts = ";".join(self.properties.get(each) or "" for each in properties)
        return [text.strip() for text in texts.split(";") if text.strip()]


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", " ".join(text.split())).casefold()


class Truth:
    """All records, and which of them share a key or a name."""

    def __init__(self, records: Iterable[Known]) -> None:
        self._records: dict[Key, Known] = {}
        self._by_text: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        for record in records:
            self.put(record)

    def put(self, record: Known) -> None:
        """Add a record, or what has become of one."""
        if before := self._records.get(record.key):
            for text in _texts(before):
                self._by_text[text].discard(before.key)
        self._records[record.key] = record
        if record.is_there:
            for text in _texts(record):
                self._by_text[text].add(record.key)

    def archive(self, record: Known) -> Known:
        self.put(gone := replace(record, is_archived=True))
        return gone

    def merge(self, old: Known, new: Known) -> Known:
        """The one that is left has the other's e-mail addresses, too."""
        self.put(gone := replace(old, merged_into=new.key.record_id))
        if more := old.all_of("email", "hs_additional_emails"):
            addresses = ";".join([*new.all_of("hs_additional_emails"), *more])
            merged = {**new.properties, "hs_additional_emails": addresses}
            self.put(replace(new, properties=merged))
        return gone

    def __getitem__(self, key: Key) -> Known:
        return self._records[key]

    def get(self, key: Key) -> Known | None:
        return self._records.get(key)

    def of_type(self, type_id: str) -> list[Known]:
        return [each for each in self._records.values() if each.key.type_id == type_id]

    def now(self, key: Key) -> Known | None:
        """The record that an id means now; None if it is archived, or never was there."""
        record = self._records.get(key)
        while record and record.merged_into:
            record = self._records.get(Key(key.type_id, record.merged_into))
        return record if record and record.is_there else None

    def having(self, what: str, text: str) -> set[Key]:
        """The records that have this `email`, `domain`, `phone`, `vin` or `name`."""
        return set(self._by_text[what, _digits(text) if what == "phone" else folded(text)])


def _texts(record: Known) -> Iterable[tuple[str, str]]:
    yield "name", folded(record.name)
    for what, properties in {
        "email": ("email", "hs_additional_emails"),
        "domain": ("domain", "hs_additional_domains"),
        "vin": ("vin",),
    }.items():
        yield from ((what, folded(each)) for each in record.all_of(*properties))
    for number in record.all_of("phone", "mobilephone"):
        yield "phone", _digits(number)


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))
