"""Reading whatever came, of any shape, into what any database can keep. Nothing here raises."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from associations.hubspot.unseen import visible

REDACTED = "[redacted]"

_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',;\\]+")
_PRIVATE_APP_TOKEN = re.compile(r"(?i)pat-[a-z0-9]{2,6}-[0-9a-z][0-9a-z-]{7,}")


def redact(text: str, token: str = "") -> str:
    """Return `text` without `token`, bearer credentials and whatever looks like a token."""
    if token:
        text = _in_any_spelling(token).sub(REDACTED, text)
    text = _BEARER.sub(rf"\g<1>{REDACTED}", text)
    return _PRIVATE_APP_TOKEN.sub(REDACTED, text)


@lru_cache(maxsize=4)
def _in_any_spelling(token: str) -> re.Pattern[str]:
    """The token as it is, and with any of its characters escaped as JSON may have them."""
    spellings = (rf"(?:\\?{re.escape(c)}|\\u(?i:{ord(c):04x}))" for c in token)
    return re.compile("".join(spellings))


MAX_DEPTH = 50  # HubSpot nests four levels; the log's columns take some more, Python a thousand
MAX_NUMBER = 10**300
MAX_EXPONENT = 30  # PostgreSQL writes a fraction out: of 1e299 it makes 300 digits


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that `text` is, made storable; None if it is anything else."""
    try:
        body = json.loads(text)
        return _storable(body) if isinstance(body, dict) else None
    except (ValueError, RecursionError):
        return None


def _storable(value: Any, depth: int = 0) -> Any:
    """Return `value` as any database can keep it: no NUL, no lone surrogate, no NaN, not too deep.

    Escaped text is decoded by now, so what looks like a token is looked for once more.
    """
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {storable_text(key): _storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if not value or _is_of_size(abs(value)) else None
    # Longer ones are kept by some databases, and read by no program.
    return None if isinstance(value, int) and abs(value) >= MAX_NUMBER else value


def _is_of_size(value: float) -> bool:
    return 10.0**-MAX_EXPONENT <= value <= 10.0**MAX_EXPONENT


def storable_text(text: str) -> str:
    """Return `text` without NUL and lone surrogates, which PostgreSQL and UTF-8 refuse.

    What else cannot be seen is named in its place: it is kept, and turns or hides nothing.
    """
    if text.isascii() and (text.isalnum() or text.isidentifier()):
        return text  # an id or a name, as a batch's answer has by the thousand: no token is either
    text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return visible(redact(text))


def clean(text: str, token: str) -> str:
    """Return what HubSpot or the network said, without the token, as any database can keep it."""
    return storable_text(redact(text, token))


def clean_headers(headers: Mapping[str, str], kept: tuple[str, ...], token: str) -> dict[str, str]:
    """Return the headers whose names start so, in lower case, cleaned and of bounded length."""
    return {
        clean(name, token)[:500]: clean(value, token)[:500]
        for name, value in headers.items()
        if name.lower().startswith(kept)
    }


def listed(value: Any) -> list[Any]:
    """A list as it is; anything else that says something, as a list of it."""
    return value if isinstance(value, list) else [value] if value else []


def keyed(value: Any) -> dict[str, Any]:
    """A JSON object as it is; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def cut_text(value: Any, length: int) -> str:
    """A string, cut to `length`; empty for anything else."""
    return value[:length] if isinstance(value, str) else ""


def whole_number(value: Any) -> int | None:
    """A count as a database column takes it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None


def parse_moment(value: Any) -> datetime | None:
    """An ISO time, in UTC if it names no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if 2000 <= moment.year < 2200 else None  # all that the log's columns take


def header(headers: dict[str, str], name: str) -> str:
    """Return what a header says, in whatever case its name was sent; empty if it is absent."""
    return next((str(text) for key, text in headers.items() if key.lower() == name.lower()), "")
