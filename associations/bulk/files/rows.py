"""One row of a bulk run, read by the same rules as the form."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from associations.bulk.files.table import EXTRA_CELLS
from associations.gateway.object_types import TypeChoices
from associations.hubspot.object_types import ObjectType, stored_type
from associations.hubspot.record_references import PairReason, Problem, Reason, Side, read_pair
from associations.hubspot.unseen import AROUND, named, unseen_in


class RowReason(StrEnum):
    """Why a row cannot be sent, besides `Reason`; the facts that go with it in brackets."""

    EXTRA_CELLS = "extra_cells"  # (cells)
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

        Of several problems the first is told: at the first record, the second, the reason.
        """
        problems: list[Problem] = []
        if EXTRA_CELLS in values:
            cells = int(values[EXTRA_CELLS])
            problems.append(Problem("", RowReason.EXTRA_CELLS, {"cells": cells}))
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
