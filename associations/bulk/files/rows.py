"""One row of a bulk run, checked by the same rules as the form."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from associations.bulk.files.errors import bare
from associations.bulk.files.table import EXTRA_CELLS
from associations.hubspot.object_types import UnknownObjectTypeError
from associations.hubspot.record_references import (
    Reason,
    RecordIdError,
    RecordReference,
    is_record_id,
    read_reference,
)
from associations.linking.forms import MAX_ADDRESS
from associations.texts.object_types import TypeChoices


class RowReason(StrEnum):
    """Why a row cannot be sent, besides `Reason`; the facts that go with it in brackets."""

    EXTRA_CELLS = "extra_cells"  # (cells)
    REQUIRED = "required"
    ADDRESS_TOO_LONG = "address_too_long"  # (length, limit)
    ROUNDED = "rounded"  # (text)
    IN_GROUPS = "in_groups"  # (text)
    DECIMAL = "decimal"  # (text)
    NO_TYPE = "no_type"
    TWO_TYPES = "two_types"  # (read, chosen), canonical
    ANOTHER_TYPE = "another_type"  # (read, chosen), canonical
    ITSELF = "itself"
    REASON_TOO_LONG = "reason_too_long"  # (length, limit)


class Problem(NamedTuple):
    """Why a row cannot be sent: at which field, a Reason or RowReason, facts for the sentence."""

    field: str
    code: str
    facts: dict[str, str | int]


class ProblemError(Exception):
    """What is wrong with one cell: a Reason or RowReason, and facts for the sentence."""

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


def shortened(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """The facts, as short as a database and a sentence want them."""
    limits = {"text": 40, "choices": 300}
    return {
        name: value[: limits[name] - 1] + "…"
        if isinstance(value, str) and len(value) > limits.get(name, 100)
        else value
        for name, value in facts.items()
    }


__all__ = ["Problem", "Row", "RowChecker", "RowReason"]

MAX_REASON = 500
_KEPT_TYPES, _MAX_KEPT = 1000, 200
_FORMULA = re.compile(r"'[=+\-@\t\r\n]")
_WHOLE = re.compile(r"([1-9][0-9]{0,14})\.0", re.ASCII)
_ROUNDED = re.compile(r"[0-9]+([.,][0-9]+)?e\+?[0-9]+", re.ASCII | re.IGNORECASE)
_IN_GROUPS = re.compile(r"[0-9]{1,3}([.,'\u2019 \u00a0\u202f][0-9]{3})+", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+", re.ASCII)


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
        self.chosen = {"from": from_object_type, "to": to_object_type}
        self._canonical: dict[str, str] = {}

    def check(self, values: Mapping[str, str]) -> Row:
        """Return the row of `values` (field → text, missing ones are empty).

        Of several problems the first is told: at the first record, the second, the reason.
        """
        problems: list[Problem] = []
        if EXTRA_CELLS in values:
            cells = int(values[EXTRA_CELLS])
            problems.append(Problem("", RowReason.EXTRA_CELLS.value, {"cells": cells}))
        from_type, from_id, from_portal = self._side("from", values, problems)
        to_type, to_id, to_portal = self._side("to", values, problems)
        if from_portal and to_portal and from_portal != to_portal:
            facts = {"portal": to_portal, "expected": from_portal}
            problems.append(Problem("to_object_id", Reason.ANOTHER_PORTAL.value, facts))
        if from_id and (from_type, from_id) == (to_type, to_id):
            problems.append(Problem("to_object_id", RowReason.ITSELF.value, {}))
        reason = _reason(values.get("reason", ""), problems)
        return Row(from_type, from_id, to_type, to_id, reason, problems[0] if problems else None)

    def _side(
        self, side: str, values: Mapping[str, str], problems: list[Problem]
    ) -> tuple[str, str, str]:
        """Type, id and portal of a side, each empty where it could not be read."""
        read, object_id, portal_id, chosen = "", "", "", ""
        name = f"{side}_object_id"
        try:
            read, object_id, portal_id = self._record(values.get(name, ""))
            name = f"{side}_object_type"
            chosen = self._type(values.get(name, ""), self.chosen[side])
            return self._settled(read, chosen), object_id, portal_id
        except ProblemError as error:
            problems.append(Problem(name, str(error.code), error.facts))
            return "", object_id, portal_id

    def _record(self, text: str) -> tuple[str, str, str]:
        """Type, id and portal as the id's cell says them."""
        if is_record_id(text):
            return "", text, ""
        text = bare(text)
        if not text:
            raise ProblemError(RowReason.REQUIRED)
        if len(text) > MAX_ADDRESS:
            raise ProblemError(RowReason.ADDRESS_TOO_LONG, length=len(text), limit=MAX_ADDRESS)
        whole = _WHOLE.fullmatch(text)
        if whole:
            return "", whole[1], ""
        _refuse_numbers_of_spreadsheets(text)
        reference = self._reference(text)
        object_type = reference.object_type
        return (
            object_type.canonical if object_type else "",
            reference.object_id,
            reference.portal_id,
        )

    def _reference(self, text: str) -> RecordReference:
        where = {"portal_id": self.portal_id, "ui_hosts": self.ui_hosts}
        try:
            return read_reference(text, resolve=self.types.resolve, **where)
        except RecordIdError as error:
            raise ProblemError(error.reason, **shortened(error.facts)) from None

    def _type(self, text: str, chosen: str) -> str:
        """The canonical type of a cell, or else that of the run; empty if neither says one."""
        if not text:
            return chosen
        canonical = self._canonical.get(text)
        if canonical is None:
            canonical = self._resolved(bare(text))
            if len(self._canonical) < _KEPT_TYPES and len(text) <= _MAX_KEPT:
                self._canonical[text] = canonical
        if chosen and canonical and canonical != chosen:
            raise ProblemError(RowReason.ANOTHER_TYPE, read=canonical, chosen=chosen)
        return canonical or chosen

    def _resolved(self, text: str) -> str:
        try:
            return self.types.resolve(text).canonical if text else ""
        except UnknownObjectTypeError as error:
            facts = shortened({"text": text, "choices": ", ".join(error.candidates)})
            if error.candidates:
                raise ProblemError(Reason.AMBIGUOUS_TYPE, **facts) from None
            raise ProblemError(Reason.UNKNOWN_TYPE, text=facts["text"]) from None

    def _settled(self, read: str, chosen: str) -> str:
        if read and chosen and read != chosen:
            raise ProblemError(RowReason.TWO_TYPES, read=read, chosen=chosen)
        if not (read or chosen):
            raise ProblemError(RowReason.NO_TYPE)
        return read or chosen


def _refuse_numbers_of_spreadsheets(text: str) -> None:
    forms = {
        RowReason.ROUNDED: _ROUNDED,
        RowReason.IN_GROUPS: _IN_GROUPS,
        RowReason.DECIMAL: _DECIMAL,
    }
    for reason, pattern in forms.items():
        if pattern.fullmatch(text):
            raise ProblemError(reason, **shortened({"text": text}))


def _reason(text: str, problems: list[Problem]) -> str:
    if not text:
        return ""
    if _FORMULA.match(text):  # our own exports put it before what a spreadsheet would compute
        text = text[1:]
    text = text.strip()
    if len(text) > MAX_REASON:
        facts = {"length": len(text), "limit": MAX_REASON}
        problems.append(Problem("reason", RowReason.REASON_TOO_LONG.value, facts))
        return ""
    return " ".join(text.split())
