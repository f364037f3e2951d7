"""Which records the portal has under a text at some moment: what a row names them by may change."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from hubadmin.demo.sandbox.index import View
from hubadmin.demo.sandbox.portal import TYPES
from hubadmin.demo.sandbox.records import RecordStore
from hubadmin.demo.sandbox.words import words_of_query

FREE_MAIL = "gmail.com"
# Known, a further address, of records that are deleted and merged on the way, of one that was
# deleted before, and of nobody.
EMAILS = (
    *("ada@example.com", "ada.byron@example.com", "bruno@example.com", "daniel@example.com"),
    *("chiara@example.com", "daisuke.sato@poplar-plumbing.example", "nobody@example.com"),
)
DOMAINS = (
    *("harbour.example", "analytical.example", "byron.example", "daughters.example"),
    *("bakker-partners.example", "nowhere.example", FREE_MAIL),
)
MAILBOXES = ("sales@harbour.example", f"harbour@{FREE_MAIL}")  # in a company's column
# Whole names, those of twins, a part of some, and nobody's.
PEOPLE = ("Ada Byron", "Daniel Okafor", "Harbour", "Nobody Atall")
COMPANY_NAMES = ("Harbour Foods", "Umbra Optics", "Analytical", "Zzyzx Works")
TEXTS = {
    "contacts": (*EMAILS, *PEOPLE),
    "companies": (*DOMAINS, *MAILBOXES, *COMPANY_NAMES),
}


class Meant(NamedTuple):
    """The ids of records that a text names by itself, and of those in which it is found at all."""

    exact: frozenset[str]
    found: frozenset[str]

    @property
    def is_one(self) -> bool:
        return len(self.exact) == 1


class Directory:
    """What each text meant, from one change of the portal's records to the next."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._pages: list[tuple[datetime, dict[tuple[str, str], Meant]]] = []

    def clear(self) -> None:
        self._pages.clear()

    def note(self, now: datetime) -> None:
        """Write down what is so from now on."""
        self._pages.append(
            (now, {(kind, text): self._ask(kind, text) for kind in TEXTS for text in TEXTS[kind]})
        )

    def meant(self, object_type: str, text: str, moments: Iterable[datetime]) -> set[Meant]:
        """Return what a text meant at each of these moments."""
        return {self._at(moment)[object_type, text] for moment in moments}

    def _at(self, moment: datetime) -> dict[tuple[str, str], Meant]:
        first = self._pages[0][1]
        return next((page for at, page in reversed(self._pages) if at <= moment), first)

    def _ask(self, object_type: str, text: str) -> Meant:
        type_id = TYPES[object_type].type_id
        if object_type == "contacts" and "@" in text:
            names = ["email", "hs_additional_emails"]
            found = self._records.find_by_key(type_id, names, text)
            ids = frozenset([found["hs_object_id"]] if found else [])
            return Meant(ids, ids)
        with self._records.as_searched(type_id) as view:
            if "." in text:
                ids = _of_domain(view, text.rpartition("@")[2])
                return Meant(frozenset() if "@" in text else ids, ids)
            found_ids = frozenset(view.by_words(words_of_query(text)))
            return Meant(frozenset(i for i in found_ids if _is_called(view, i, text)), found_ids)


def _of_domain(view: View, domain: str) -> frozenset[str]:
    """A company's first domain goes before the further ones of others."""
    if domain == FREE_MAIL:
        return frozenset()
    first = frozenset(view.by_key("domain", domain))
    return first or frozenset(view.by_key("hs_additional_domains", domain))


def _is_called(view: View, record_id: str, text: str) -> bool:
    record = view.record(record_id)
    names = record.get("name") or f"{record.get('firstname', '')} {record.get('lastname', '')}"
    return names.casefold() == text.casefold()
