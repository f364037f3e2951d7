"""One row of a bulk run, read by the same rules as the form."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from associations.bulk.files.headings import FIELDS
from associations.bulk.files.table import EXTRA_CELLS
from associations.bulk.files.workbook import Flawed
from associations.gateway.object_types import TypeChoices
from associations.hubspot.object_types import ObjectType, stored_type
from associations.hubspot.record_references import PairReason, Problem, Reason, Side, read_pair
from associations.hubspot.unseen import AROUND, bare, named, unseen_in


class RowReason(StrEnum):
    """Why a row cannot be sent, besides `Reason`; the facts that go with it in brackets."""

    EXTRA_CELLS = "extra_cells"  # (cells)
    SEVERAL_ON_BOTH = "several_on_both"
    REASON_TOO_LONG = "reason_too_long"  # (length, limit)
    REASON_UNSEEN = "reason_unseen"  # (characters)


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
_OF_BOTH = {PairReason.ITSELF, Reason.ANOTHER_PORTAL}
_KEPT_TYPES, _MAX_KEPT = 1000, 200
_FORMULA = re.compile(r"'[=+\-@\t\r\n]")


# Not a comma alone, which may group the digits of one number.
_BETWEEN_IDS = re.compile(r"[;\uff1b\r\n]|[,\u3001]\s")
_AN_ID = re.compile(r"\d+")
_IDS = ("from_object_id", "to_object_id")


def pairs_in(values: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return the values of each pair that a row names: a cell such as `902;903` names several.

    Where both cells do, nobody knows which belong together: that row stays as it is, for check()
    to refuse.
    """
    listed = {name: ids for name in _IDS if (ids := ids_in(values.get(name, "")))}
    if not listed or _names_several_twice(values):
        return [values]
    choices = product(*listed.values())
    return [{**values, **dict(zip(listed, ids, strict=True))} for ids in choices]


def _names_several_twice(values: Mapping[str, str]) -> bool:
    return all(len(ids_in(values.get(name, ""))) > 1 for name in _IDS)


def ids_in(cell: str) -> list[str]:
    """Return the ids of a cell that holds nothing but ids, else an empty list."""
    if not _BETWEEN_IDS.search(cell):
        return []
    parts = [part for text in _BETWEEN_IDS.split(cell) if (part := bare(text).strip(" ,"))]
    return parts if all(map(_AN_ID.fullmatch, parts)) else []


class Row(NamedTuple):
    """A row as it will be sent, as far as it could be read; `problem` says what keeps it back."""

    from_object_type: str
    from_object_id: str
    to_object_type: str
    to_object_id: str
    reason: str
    problem: Problem | None


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

    def check(self, values: Mapping[str, str]) -> Row:
        """Return the row of `values` (field → text, missing ones are empty).

        Of several problems the first is told: of a workbook's cells, then at the first record,
        the second, the reason.
        """
        problems = _of_cells(values)
        if EXTRA_CELLS in values:
            cells = int(values[EXTRA_CELLS])
            problems.append(Problem("", RowReason.EXTRA_CELLS, {"cells": cells}))
        if _names_several_twice(values):
            problems.append(Problem("to_object_id", RowReason.SEVERAL_ON_BOTH, {}))
        one, other, of_pair = read_pair(
            values,
            resolve=self._resolve,
            portal_id=self.portal_id,
            ui_hosts=self.ui_hosts,
            chosen=self.chosen,
        )
        problems += of_pair
        reason = _reason(values.get("reason", ""), problems)
        problem = _told(problems[0]) if problems else None
        # Of a side with a problem of its own, the cell says more than what was understood.
        at_fault = {p.field.partition("_")[0] for p in of_pair if p.code not in _OF_BOTH}
        sides = (*_stored(one, "from" in at_fault), *_stored(other, "to" in at_fault))
        return Row(*sides, reason, problem)

    def _resolve(self, text: str) -> ObjectType:
        """As the types on offer do; each name is looked up once."""
        found = self._resolved.get(text)
        if found is None:
            found = self.types.resolve(text)
            if len(self._resolved) < _KEPT_TYPES and len(text) <= _MAX_KEPT:
                self._resolved[text] = found
        return found


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
    if _FORMULA.match(text):  # our own exports put it before what a spreadsheet would compute
        text = text[1:]
    text = text.strip(AROUND)
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
