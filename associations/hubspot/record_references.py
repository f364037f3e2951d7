"""What names a record in one line, its address in HubSpot's own pages too; and what names a pair.

The form and the rows of a file are read by the same rules: read_pair() has them.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from associations.hubspot.object_types import (
    ObjectType,
    UnknownObjectTypeError,
    is_exact,
    resolve,
    stored_type,
)
from associations.hubspot.unseen import bare

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


class PairReason(StrEnum):
    """Why two records are no pair that can be sent, besides `Reason`."""

    REQUIRED = "required"
    ROUNDED = "rounded"  # (text)
    IN_GROUPS = "in_groups"  # (text)
    DECIMAL = "decimal"  # (text)
    ADDRESS_TOO_LONG = "address_too_long"  # (length, limit)
    NO_TYPE = "no_type"
    TWO_TYPES = "two_types"  # (read, chosen), canonical
    ANOTHER_TYPE = "another_type"  # (read, chosen), canonical
    ITSELF = "itself"


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

    def __init__(self, reason: Reason | PairReason, **facts: str | int) -> None:
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


_HUBSPOT_HOST = re.compile(r"app(-[a-z]{2}[0-9]{1,2})?\.hubspot\.com", re.ASCII)
_ADDRESS_SIGN = re.compile(
    r"://|\.hubspot\.|^[/\\]|^[^/. ]*\.[^/]*/|^(contacts|record)/[^/]*/",
    re.ASCII | re.IGNORECASE,
)
_SCHEME = re.compile(r"(https?:)?//", re.ASCII | re.IGNORECASE)
_ONLY_A_PATH = re.compile(r"/(?!/)|contacts/|record/", re.ASCII)
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_-]+)*/?", re.ASCII)
_RECORD_PATH = re.compile(
    r"(/contacts/(?P<portal>[1-9][0-9]*))?"
    r"/(record/(?P<type_id>[0-9]+-[0-9]+)|(?P<name>contact|company|deal|ticket))"
    r"/(?P<id>[0-9]+)(?P<rest>/([A-Za-z0-9].*)?)?",
    re.ASCII,
)
_ANOTHER_RECORD = re.compile(
    r"^/[0-9]|/(record|contacts?|company|companies|deals?|tickets?|[0-9]+-[0-9]+)/[0-9]",
    re.ASCII,
)
_LIST_PARTS = {"objects", "objectLists", "lists", "list", "board"}
_LEGACY_NAMES = {"contact": "0-1", "company": "0-2", "deal": "0-3", "ticket": "0-5"}
# Colon, slash and number sign may be wide, as a Japanese keyboard writes them.
_TYPE_AND_ID = re.compile(
    r"(?P<type>.*[^ :/#\uff1a\uff0f\uff03])"
    r"( ?[:/\uff1a\uff0f] ?| ?[:\uff1a]? ?[#\uff03] ?| )"
    r"(?P<id>\d+)"
)

Resolve = Callable[[str], ObjectType]


@dataclass(frozen=True, slots=True)
class RecordReference:
    """What a text says of a record: its id, and its type and portal if they stand there."""

    object_type: ObjectType | None
    object_id: str
    portal_id: str = ""


def record_url(ui_url: str, portal_id: str, object_type: str, object_id: str) -> str:
    """Return where people see a record; empty if the portal or the type's id is not known."""
    type_id = stored_type(object_type).type_id
    if not portal_id or not type_id:
        return ""
    return f"{ui_url.rstrip('/')}/contacts/{portal_id}/record/{type_id}/{object_id}"


def read_reference(
    text: str,
    *,
    resolve: Resolve = resolve,
    portal_id: str = "",
    ui_hosts: Collection[str] = (),
) -> RecordReference:
    """Return the record that a person wrote: `501`, `contact 501`, or its address in HubSpot.

    `ui_hosts` are hosts (with their port) that stand for HubSpot besides its own. Records of
    another portal than `portal_id` are refused; if that is empty, any is taken.
    Raises RecordIdError: whatever could be meant in two ways names no record.
    """
    text = _unwrapped(text)
    if text == f"contacts/{portal_id}":  # the portal's own page, not a contact with its number
        raise RecordIdError(Reason.NOT_A_RECORD)
    if not _is_address(text, ui_hosts):
        return _read_words(text, resolve)
    reference = _read_address(text, resolve, ui_hosts)
    if portal_id and reference.portal_id not in ("", portal_id):
        facts = {"portal": reference.portal_id, "expected": portal_id}
        raise RecordIdError(Reason.ANOTHER_PORTAL, **facts)
    return reference


def _unwrapped(text: str) -> str:
    """The text in one line, without the angle brackets in which mails put addresses."""
    text = " ".join(text.split())
    return text[1:-1].strip() if text[:1] == "<" and text[-1:] == ">" else text


def _is_address(text: str, ui_hosts: Collection[str]) -> bool:
    return bool(_ADDRESS_SIGN.search(text)) or _stands_for_hubspot(text.split("/")[0], ui_hosts)


def _stands_for_hubspot(host: str, ui_hosts: Collection[str]) -> bool:
    host = host.lower()
    return bool(_HUBSPOT_HOST.fullmatch(host)) or host in {h.lower() for h in ui_hosts if h}


def _read_address(text: str, resolve: Resolve, ui_hosts: Collection[str]) -> RecordReference:
    # A space may stand where an address was broken in two: the id could go on after it.
    if " " in text:
        raise RecordIdError(Reason.MORE_THAN_ADDRESS)
    host, path = _host_and_path(text)
    if host is not None and not _stands_for_hubspot(host, ui_hosts):
        raise RecordIdError(Reason.NOT_HUBSPOT)
    if not _PLAIN_PATH.fullmatch(path):
        raise RecordIdError(Reason.ALTERED)
    return _read_path(path, resolve)


def _host_and_path(text: str) -> tuple[str | None, str]:
    """The host, None if there is only a path; nothing of the query, which embeds other paths."""
    address = re.split(r"[?#]", text, maxsplit=1)[0]
    if _ONLY_A_PATH.match(address):
        return None, "/" + address.removeprefix("/")
    scheme = _SCHEME.match(address)
    host, slash, path = address[scheme.end() if scheme else 0 :].partition("/")
    return host, slash + path


def _read_path(path: str, resolve: Resolve) -> RecordReference:
    found = _RECORD_PATH.fullmatch(path)
    if not found:
        is_list = not _LIST_PARTS.isdisjoint(path.split("/"))
        raise RecordIdError(Reason.LIST_PAGE if is_list else Reason.NOT_A_RECORD)
    if _ANOTHER_RECORD.search(found["rest"] or ""):
        raise RecordIdError(Reason.TWO_RECORDS)
    object_type = _resolved(found["type_id"] or _LEGACY_NAMES[found["name"]], resolve)
    return RecordReference(object_type, read_record_id(found["id"]), found["portal"] or "")


def _read_words(text: str, resolve: Resolve) -> RecordReference:
    """An id with or without its type: `501`, `contact 501`, `0-1/501`, `deal #77`."""
    if is_record_id(text):
        return RecordReference(None, text)
    if _names_a_type(text, resolve):
        raise RecordIdError(Reason.NO_ID, text=text)
    found = _TYPE_AND_ID.fullmatch(text)
    if not found or not _could_name_a_type(found["type"]):
        return RecordReference(None, read_record_id(text))
    return RecordReference(_resolved(found["type"], resolve), read_record_id(found["id"]))


def _could_name_a_type(text: str) -> bool:
    """Not so the `50` of `50 1`."""
    return is_exact(text) or any(map(str.isalpha, text))


def _names_a_type(text: str, resolve: Resolve) -> bool:
    try:
        return bool(resolve(text))
    except UnknownObjectTypeError:
        return False


def _resolved(text: str, resolve: Resolve) -> ObjectType:
    try:
        return resolve(text)
    except UnknownObjectTypeError as error:
        if error.candidates:
            choices = ", ".join(error.candidates)
            raise RecordIdError(Reason.AMBIGUOUS_TYPE, text=text, choices=choices) from None
        raise RecordIdError(Reason.UNKNOWN_TYPE, text=text) from None


# --- pairs ----------------------------------------------------------------------------------------

SIDES = ("from", "to")
MAX_ADDRESS = 2000
# As a Japanese keyboard writes them; what else is a digit is refused.
_WIDE_DIGITS = {0xFF10 + digit: str(digit) for digit in range(10)}
# What a spreadsheet makes of an id that it takes for a number.
_WHOLE = re.compile(r"([1-9][0-9]{0,14})\.0", re.ASCII)
_NUMBERS = {
    PairReason.ROUNDED: re.compile(r"[0-9]+([.,][0-9]+)?e\+?[0-9]+", re.ASCII | re.IGNORECASE),
    PairReason.IN_GROUPS: re.compile(r"[0-9]{1,3}([.,'\u2019 \u00a0\u202f][0-9]{3})+", re.ASCII),
    PairReason.DECIMAL: re.compile(r"[0-9]+[.,][0-9]+", re.ASCII),
}


class Problem(NamedTuple):
    """Why a pair cannot be sent: at which field, a Reason or PairReason, facts about it."""

    field: str
    code: Reason | PairReason | str
    facts: dict[str, str | int]


class Side(NamedTuple):
    """What could be read of one of the two records: None or empty where nothing could."""

    object_type: ObjectType | None
    object_id: str
    portal_id: str = ""
    names_type: bool = False  # the type is the one that was written with the id


class Pair(NamedTuple):
    """Two records as far as they could be read; without problems they are whole."""

    from_: Side
    to: Side
    problems: list[Problem]

    @property
    def by_side(self) -> dict[str, Side]:
        return {"from": self.from_, "to": self.to}


def read_pair(
    values: Mapping[str, str],
    *,
    resolve: Resolve = resolve,
    portal_id: str = "",
    ui_hosts: Collection[str] = (),
    chosen: Mapping[str, ObjectType | None] | None = None,
) -> Pair:
    """Return the pair that `values` name, `from_object_type` to `to_object_id`, as people write it.

    An id may say its type, too. `chosen` has the type that holds for a side ("from", "to") where
    its own field says none. The rest is as read_reference() has it. Problems come in the order of
    the fields, an id before its type; a field has at most one.
    """
    problems: list[Problem] = []
    read = partial(read_reference, resolve=resolve, portal_id=portal_id, ui_hosts=ui_hosts)
    one, other = (
        _read_side(side, values, problems, (chosen or {}).get(side), resolve, read)
        for side in SIDES
    )
    at_id = "to_object_id"
    # Records of two portals are no pair, even where the own portal is not known.
    if one.portal_id and other.portal_id and one.portal_id != other.portal_id:
        facts: dict[str, str | int] = {"portal": other.portal_id, "expected": one.portal_id}
        problems.append(Problem(at_id, Reason.ANOTHER_PORTAL, facts))
    elif one.object_type and one.object_id and one[:2] == other[:2] and not problems:
        problems.append(Problem(at_id, PairReason.ITSELF, {}))
    return Pair(one, other, problems)


def _read_side(
    side: str,
    values: Mapping[str, str],
    problems: list[Problem],
    default: ObjectType | None,
    resolve: Resolve,
    read_address: Callable[[str], RecordReference],
) -> Side:
    id_name, type_name = f"{side}_object_id", f"{side}_object_type"
    reference, chosen = RecordReference(None, ""), default
    could_say_type = False
    try:
        reference = read_id(bare(values.get(id_name, "")), read_address)
    except RecordIdError as error:
        problems.append(Problem(id_name, error.reason, error.facts))
        # More than an id was written, but not so that it could be taken.
        could_say_type = error.reason not in OF_THE_DIGITS | {PairReason.REQUIRED, *_NUMBERS}
    read = reference.object_type
    try:
        if text := bare(values.get(type_name, "")):
            chosen = _resolved(text, resolve)
            _demand_same(PairReason.ANOTHER_TYPE, chosen, default)
        _demand_same(PairReason.TWO_TYPES, read, chosen)
        if not (read or chosen or could_say_type):
            raise RecordIdError(PairReason.NO_TYPE)
    except RecordIdError as error:
        problems.append(Problem(type_name, error.reason, error.facts))
    return Side(read or chosen, reference.object_id, reference.portal_id, read is not None)


def read_id(text: str, read_address: Callable[[str], RecordReference]) -> RecordReference:
    if text.isdecimal():
        text = text.translate(_WIDE_DIGITS)
    if is_record_id(text):
        return RecordReference(None, text)
    if not text:
        raise RecordIdError(PairReason.REQUIRED)
    if len(text) > MAX_ADDRESS:
        raise RecordIdError(PairReason.ADDRESS_TOO_LONG, length=len(text), limit=MAX_ADDRESS)
    if whole := _WHOLE.fullmatch(text):
        return RecordReference(None, whole[1])
    for reason, pattern in _NUMBERS.items():
        if pattern.fullmatch(text):
            raise RecordIdError(reason, text=text)
    if "\0" in text:
        raise RecordIdError(Reason.ALTERED)
    return read_address(text)


def _demand_same(reason: PairReason, read: ObjectType | None, chosen: ObjectType | None) -> None:
    if read and chosen and read.canonical != chosen.canonical:
        raise RecordIdError(reason, read=read.canonical, chosen=chosen.canonical)
