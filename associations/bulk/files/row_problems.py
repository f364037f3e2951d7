"""Why a row of a bulk run cannot be sent."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


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
