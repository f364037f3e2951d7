"""One row of a bulk run, read by the same rules as the form."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from associations.bulk.files.headings import FIELDS, IDS, fields_named
from associations.bulk.files.table import EXTRA_CELLS, NAMED_BY
from associations.bulk.files.workbook import Flawed
from associations.finding.readings import Kind, Reading, read_text
from associations.gateway.object_types import TypeChoices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, stored_type
from associations.hubspot.record_references import (
    SIDES,
    PairReason,
    Problem,
    Reason,
    Side,
    is_record_id,
    read_pair,
)
from associations.hubspot.unseen import AROUND, bare, named, unseen_in, without_unseen


class RowReason(StrEnum):
    """Why a row cannot be sent, besides `Reason`; the facts that go with it in brackets.

    The last ones are what HubSpot says of a record: by its id, or by what it is named by instead
    (text, object_type).
    """

    EXTRA_CELLS = "extra_cells"  # (cells)
    SEVERAL_ON_BOTH = "several_on_both"
    REASON_TOO_LONG = "reason_too_long"  # (length, limit)
    REASON_UNSEEN = "reason_unseen"  # (characters)
    MISSING = "missing"  # there is no record with this id (text, object_type)
    ARCHIVED = "archived"  # there was one, which was deleted (text, object_type)
    LIMIT = "limit"  # it has as many links as an admin allows (text, object_type, chosen, limit)
    NO_DEFAULT = "no_default"  # two types that cannot be linked so (read, chosen: the types)
    CHOOSE = "choose"  # several could be meant, or it is not certain that the one is (count)
    NONE_MEANT = "none_meant"  # and somebody said that it is none of these
    CHANGED = "changed"  # it was found, and names another one or none by the time it is sent
    NOT_FOUND = "not_found"
    NO_SUCH_EMAIL = "no_such_email"
    NO_SUCH_KEY = "no_such_key"
    FREE_MAIL = "free_mail"
    TOO_MANY_WORDS = "too_many_words"  # so many are not searched for one by one
    NOT_SHOWN = "not_shown"  # HubSpot did not tell (cause)


def shortened(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """The facts, as short as a database and a sentence want them."""
    limits = {"text": 40, "choices": 300}
    return {
        name: value[: limits[name] - 1] + "…"
        if isinstance(value, str) and len(value) > limits.get(name, 100)
        else value
        for name, value in facts.items()
    }


MAX_REASON = 500
SOUGHT = (Kind.EMAIL, Kind.DOMAIN, Kind.PHONE, Kind.NAME)
MOST_SOUGHT = 254  # characters
_USUAL = {Kind.EMAIL: "contacts", Kind.DOMAIN: "companies"}
_OF_BOTH = {PairReason.ITSELF, Reason.ANOTHER_PORTAL}
_KEPT_TYPES, _MAX_KEPT = 1000, 200
_QUOTED = re.compile("'(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


def unquoted(text: str) -> str:
    """Return the text without the mark that our own files put before what would be computed."""
    return text[1:] if _QUOTED.match(text) else text


# Not a comma alone, which may group the digits of one number.
_BETWEEN_IDS = re.compile(r"[;\uff1b\r\n]|[,\u3001]\s")
# An id, an e-mail address or a domain: no name, in which such signs may stand as well.
_ONE_OF_SEVERAL = re.compile(r"\d+|[^\s@<>\"]+@[^\s@<>\"]+\.[^\W\d_]{2,}|([\w-]+\.)+[^\W\d_]{2,}")
_FIELDS = frozenset(FIELDS)


def pairs_in(values: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return the values of each pair that a row names: a cell such as `902;903` names several.

    Where both cells do, nobody knows which belong together: that row stays as it is, for check()
    to refuse.
    """
    if is_record_id(values.get(IDS[0], "")) and is_record_id(values.get(IDS[1], "")):
        return [values]  # as nearly all are
    listed = {name: each for name in IDS if (each := records_in(values.get(name, "")))}
    if not listed or _names_several_twice(values):
        return [values]
    choices = product(*listed.values())
    return [{**values, **dict(zip(listed, ids, strict=True))} for ids in choices]


def _names_several_twice(values: Mapping[str, str]) -> bool:
    return all(len(records_in(values.get(name, ""))) > 1 for name in IDS)


def records_in(cell: str) -> list[str]:
    """Return the parts of a cell that holds nothing but ids, addresses or domains, else nothing."""
    if not _BETWEEN_IDS.search(cell):
        return []
    parts = [part for text in _BETWEEN_IDS.split(cell) if (part := bare(text).strip(" ,"))]
    return parts if all(map(_ONE_OF_SEVERAL.fullmatch, parts)) else []


class Named(NamedTuple):
    """What a record is named by instead of its id, in the form in which it is sought."""

    object_type: str
    kind: Kind
    text: str
    property_name: str = ""  # of KEY: the one that is unique


class Row(NamedTuple):
    """A row as it will be sent, as far as it could be read; `problem` says what keeps it back.

    `named` has what sides ("from", "to") without an id have instead.
    """

    from_object_type: str
    from_object_id: str
    to_object_type: str
    to_object_id: str
    reason: str
    problem: Problem | None
    named: Mapping[str, Named] = MappingProxyType({})


class RowChecker:
    """Checks the rows of one run.

    `types` are those on offer; `portal_id` and `ui_hosts` say whose addresses are taken, as
    read_reference() has it. `from_object_type` and `to_object_type` are canonical types chosen for
    all rows, empty if there are none.
    """

    def __init__(
        self,
        types: TypeChoices,
        portal_id: str = "",
        ui_hosts: Collection[str] = (),
        from_object_type: str = "",
        to_object_type: str = "",
    ) -> None:
        self.types, self.portal_id, self.ui_hosts = types, portal_id, ui_hosts
        chosen = {"from": from_object_type, "to": to_object_type}
        self.chosen = {side: stored_type(name) if name else None for side, name in chosen.items()}
        self._resolved: dict[str, ObjectType] = {}
        self._plain_types: dict[tuple[str, str], str] = {}

    def check(self, values: Mapping[str, str]) -> Row:
        """Return the row of `values` (field → text, missing ones are empty).

        Of several problems the first is told: of a workbook's cells, then at the first record,
        the second, the reason.
        """
        return self._plain(values) or self._any(values)

    def _plain(self, values: Mapping[str, str]) -> Row | None:
        """Read a row of nothing but ids, types and a reason, as nearly all are, in short.

        None for any other one, and for one with a problem.
        """
        if not _FIELDS.issuperset(values):
            return None
        one, other = values.get("from_object_id", ""), values.get("to_object_id", "")
        if not (is_record_id(one) and is_record_id(other)):
            return None
        one_type = self._plain_type("from", values.get("from_object_type", ""))
        other_type = self._plain_type("to", values.get("to_object_type", ""))
        reason = values.get("reason", "")
        if not (one_type and other_type) or (one == other and one_type == other_type):
            return None
        if len(reason) > MAX_REASON or not (reason.isascii() and reason.isprintable()):
            return None
        if any(type(cell) is Flawed for cell in values.values()):
            return None
        return Row(one_type, one, other_type, other, _reason(reason, []), None)

    def _plain_type(self, side: str, cell: str) -> str:
        """The canonical type of a side without one beside its id; empty where there is a doubt."""
        kept = self._plain_types.get((side, cell))
        if kept is not None:
            return kept
        chosen = self.chosen[side]
        try:
            written = self._resolve(text) if (text := bare(cell)) else chosen
        except UnknownObjectTypeError:
            written = None
        is_one = written and (chosen is None or written.canonical == chosen.canonical)
        found = written.canonical if written and is_one else ""
        if len(self._plain_types) < _KEPT_TYPES and len(cell) <= _MAX_KEPT:
            self._plain_types[side, cell] = found
        return found

    def _any(self, values: Mapping[str, str]) -> Row:
        problems = _of_cells(values)
        if EXTRA_CELLS in values:
            cells = int(values[EXTRA_CELLS])
            problems.append(Problem("", RowReason.EXTRA_CELLS, {"cells": cells}))
        if _names_several_twice(values):
            problems.append(Problem("to_object_id", RowReason.SEVERAL_ON_BOTH, {}))
        keyed = self._keyed(values)
        one, other, of_pair = read_pair(
            values if not keyed else {**values, **{f"{side}_object_id": "" for side in keyed}},
            resolve=self._resolve,
            portal_id=self.portal_id,
            ui_hosts=self.ui_hosts,
            chosen=self.chosen,
        )
        named = self._named(values, of_pair) | keyed
        # What is no id is none of a record that it names otherwise.
        of_pair = [p for p in of_pair if p.field.partition("_")[0] not in named]
        problems += of_pair
        reason = _reason(values.get("reason", ""), problems)
        problem = _told(problems[0]) if problems else None
        # Of a side with a problem of its own, the cell says more than what was understood.
        at_fault = {p.field.partition("_")[0] for p in of_pair if p.code not in _OF_BOTH}
        sides = (*_stored(one, "from" in at_fault), *_stored(other, "to" in at_fault))
        return Row(*sides, reason, problem, named)

    def _keyed(self, values: Mapping[str, str]) -> dict[str, Named]:
        """The sides whose column holds a unique property."""
        keyed = {}
        for side in SIDES:
            name = values.get(f"{side}_object_id{NAMED_BY}")
            text = " ".join(bare(values[f"{side}_object_id"]).split()) if name else ""
            if name and text:
                object_type = self._resolve(values[f"{side}_object_type"]).canonical
                keyed[side] = Named(object_type, Kind.KEY, text[:MOST_SOUGHT], name)
        return keyed

    def _named(self, values: Mapping[str, str], problems: list[Problem]) -> dict[str, Named]:
        """The sides without an id that name a record by something else."""
        at_ids = (p for p in problems if p.field in IDS and p.code is not Reason.NO_ID)
        no_id = [p.field.partition("_")[0] for p in at_ids]
        no_id = [side for side in no_id if type(values.get(f"{side}_object_id")) is not Flawed]
        no_id = [side for side in no_id if f"{side}_object_id{NAMED_BY}" not in values]
        found = {side: self._reading(values, side) for side in no_id}
        return {side: named for side, named in found.items() if named}

    def _reading(self, values: Mapping[str, str], side: str) -> Named | None:
        written = bare(values.get(f"{side}_object_type", ""))
        try:
            narrowed = self._resolve(written) if written else self.chosen[side]
        except UnknownObjectTypeError:
            return None
        reading = read_text(
            values.get(f"{side}_object_id", ""),
            self.types,
            narrowed,
            portal_id=self.portal_id,
            ui_hosts=self.ui_hosts,
        )
        usual = _USUAL.get(reading.kind)
        object_type = reading.object_type or (stored_type(usual) if usual else None)
        if reading.kind not in SOUGHT or object_type is None:
            return None
        if narrowed and object_type != narrowed:  # it says another type than its column does
            return None
        if not _can_be_sought(values.get(f"{side}_object_id", ""), reading):
            return None
        text = without_unseen(reading.text)[:MOST_SOUGHT]
        exact = reading.kind in (Kind.EMAIL, Kind.DOMAIN)
        return Named(object_type.canonical, reading.kind, text.lower() if exact else text)

    def _resolve(self, text: str) -> ObjectType:
        """As the types on offer do; each name is looked up once."""
        found = self._resolved.get(text)
        if found is None:
            found = self.types.resolve(text)
            if len(self._resolved) < _KEPT_TYPES and len(text) <= _MAX_KEPT:
                self._resolved[text] = found
        return found


# What stands in addresses, formulas, markup and programs, and in nobody's name; and what else
# spreadsheets write into a cell.
_NO_NAME = re.compile(r"[<>=%{}|\\;:^~\[\]#*@]|://", re.ASCII)
_NO_VALUES = {"true", "false", "null", "none", "nan", "n/a", "id", "ids", "record id"}
_PHONE = re.compile(r"\+|\(|0(?!-\d+/)")  # else it may be a date
_PATH = re.compile(r"(https?://|//)?+[^/?#]+[/?#].", re.IGNORECASE)


def _can_be_sought(cell: str, reading: Reading) -> bool:
    """Whether it is no attempt at an id or an address, which are told what is wrong with them."""
    text = bare(cell)
    if reading.kind is Kind.DOMAIN:
        return not _PATH.match(text)
    if reading.kind is Kind.PHONE:
        return bool(_PHONE.match(text))
    if reading.kind is not Kind.NAME:
        return True
    words = reading.text.casefold()
    is_type = fields_named([words]) != [""] or words in _NO_VALUES
    return sum(map(str.isalpha, words)) > 1 and not is_type and not _NO_NAME.search(words)


def _of_cells(values: Mapping[str, str]) -> list[Problem]:
    cells = [(name, values[name]) for name in FIELDS if name in values]
    return [Problem(name, cell.code, cell.facts) for name, cell in cells if type(cell) is Flawed]


def _stored(side: Side, is_at_fault: bool) -> tuple[str, str]:
    known = None if is_at_fault else side.object_type
    return known.canonical if known else "", side.object_id


def _told(problem: Problem) -> Problem:
    """As it is kept: a plain code, and facts as short as a database and a sentence want them."""
    return Problem(problem.field, str(problem.code), shortened(problem.facts))


def _reason(text: str, problems: list[Problem]) -> str:
    if not text:
        return ""
    text = unquoted(text).strip(AROUND)
    facts: dict[str, str | int] = {}
    if len(text) > MAX_REASON:
        facts = {"length": len(text), "limit": MAX_REASON}
        problems.append(Problem("reason", RowReason.REASON_TOO_LONG, facts))
        return ""
    text = " ".join(text.split())
    if unseen := unseen_in(text):
        facts = {"characters": named(unseen)}
        problems.append(Problem("reason", RowReason.REASON_UNSEEN, facts))
        return ""
    return text
