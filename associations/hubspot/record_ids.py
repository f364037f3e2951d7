"""Record ids: strings of 1 to 20 digits."""

import re

_RECORD_ID = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


class RecordIdError(ValueError):
    """The text is no record id; the message says what to do instead."""


def is_record_id(text: str) -> bool:
    """Whether `text` is an id in its one form, safe in a URL."""
    return bool(_RECORD_ID.fullmatch(text))


def read_record_id(text: str) -> str:
    """Return the id that a person wrote, spaces around it trimmed. Raises RecordIdError."""
    text = text.strip()
    if is_record_id(text):
        return text
    if not text.isdecimal():
        raise RecordIdError(
            "A record id has digits only, such as 501. It is the number at the end of the record's "
            "address in HubSpot."
        )
    if not text.isascii():
        raise RecordIdError("Write the id with the plain digits 0 to 9.")
    if not text.strip("0"):
        raise RecordIdError("No record has the id 0.")
    if text.startswith("0"):
        raise RecordIdError("A record id does not start with 0. Leave the zeros at the front out.")
    raise RecordIdError(f"A record id has at most 20 digits; this one has {len(text)}.")
