"""Record ids: strings of 1 to 20 digits, and why a text names no record."""

import re
from enum import StrEnum

_RECORD_ID = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


class Reason(StrEnum):
    """Why a text names no record; the facts that go with it stand in brackets."""

    NOT_DIGITS = "not_digits"
    NOT_PLAIN_DIGITS = "not_plain_digits"
    ZERO = "zero"
    LEADING_ZERO = "leading_zero"
    TOO_LONG = "too_long"  # (length)

    NOT_HUBSPOT = "not_hubspot"
    LIST_PAGE = "list_page"
    NOT_A_RECORD = "not_a_record"
    ALTERED = "altered"
    MORE_THAN_ADDRESS = "more_than_address"
    TWO_RECORDS = "two_records"
    ANOTHER_PORTAL = "another_portal"  # (portal, expected)
    UNKNOWN_TYPE = "unknown_type"  # (text)
    AMBIGUOUS_TYPE = "ambiguous_type"  # (text, choices)
    NO_ID = "no_id"  # (text)


OF_THE_DIGITS = frozenset(
    {
        Reason.NOT_DIGITS,
        Reason.NOT_PLAIN_DIGITS,
        Reason.ZERO,
        Reason.LEADING_ZERO,
        Reason.TOO_LONG,
    }
)


class RecordIdError(ValueError):
    """The text names no record: `reason` says why, `facts` are for the sentence about it."""

    def __init__(self, reason: Reason, **facts: str | int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.facts = facts


def is_record_id(text: str) -> bool:
    """Whether `text` is an id in its one form, safe in a URL."""
    return bool(_RECORD_ID.fullmatch(text))


def read_record_id(text: str) -> str:
    """Return the id that a person wrote, spaces around it trimmed. Raises RecordIdError."""
    text = text.strip()
    if is_record_id(text):
        return text
    if not text.isdecimal():
        raise RecordIdError(Reason.NOT_DIGITS)
    if not text.isascii():
        raise RecordIdError(Reason.NOT_PLAIN_DIGITS)
    if not text.strip("0"):
        raise RecordIdError(Reason.ZERO)
    if text.startswith("0"):
        raise RecordIdError(Reason.LEADING_ZERO)
    raise RecordIdError(Reason.TOO_LONG, length=len(text))
