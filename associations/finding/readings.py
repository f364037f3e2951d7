"""What kind of thing somebody typed for a record: an id, an address, a name. Asks nobody."""

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from associations.gateway.object_types import TypeChoices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, is_exact
from associations.hubspot.record_references import (
    PairReason,
    Reason,
    RecordIdError,
    RecordReference,
    read_id,
    read_reference,
)
from associations.hubspot.unseen import bare, without_unseen

Facts = dict[str, str | int]
LONGEST = 200  # characters of a name; nobody's is longer, and HubSpot takes no more than so many


class Kind(StrEnum):
    """The last five are what the log tells of a search."""

    EMPTY = "empty"
    REFERENCE = "reference"  # a type and an id, or an address
    ID = "id"  # without a type
    REFUSED = "refused"  # it names no record, and it is known why
    EMAIL = "email"
    DOMAIN = "domain"
    PHONE = "phone"
    NAME = "name"
    KEY = "key"  # the value of a unique property, which a text may always be


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text is read as: `text` in the form in which it is searched for.

    `object_type` is the one that it is narrowed to, or that a reference names.
    """

    kind: Kind
    text: str = ""
    object_type: ObjectType | None = None
    reason: Reason | PairReason | str = ""
    facts: Facts = field(default_factory=dict)


# Providers with whom people have mailboxes of their own: nobody's company. The world's largest,
# and those of the countries whose languages this site speaks.
_PROVIDERS = """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com aol.com
    icloud.com me.com mac.com proton.me protonmail.com gmx.com gmx.net gmx.de web.de mail.com
    zoho.com fastmail.com hey.com yandex.com yandex.ru mail.ru qq.com 163.com 126.com naver.com
    hotmail.co.uk yahoo.co.uk outlook.jp hotmail.co.jp yahoo.co.jp docomo.ne.jp ezweb.ne.jp
    softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp comcast.net verizon.net btinternet.com
    orange.fr free.fr laposte.net t-online.de libero.it
"""
FREE_MAIL = frozenset(_PROVIDERS.split())

_PREFIX = re.compile(r"([^:\uff1a]{1,100})[:\uff1a](?!//)(.*)", re.DOTALL)
_IN_BRACKETS = re.compile(r"[^<>]*<([^<>]+)>")
_OF_AN_ADDRESS = r"[^\s@<>,;:\"()]"
_EMAIL = re.compile(
    rf"(?:mailto:)?({_OF_AN_ADDRESS}{{1,64}}@{_OF_AN_ADDRESS}+\.{_OF_AN_ADDRESS}{{2,}})",
    re.IGNORECASE,
)
_DOMAIN = re.compile(
    r"(?:https?://|//|@)?"
    r"((?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,63}|xn--[a-z0-9-]{1,59}))"
    r"(?::[0-9]{1,5})?(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_PHONE = re.compile(r"[+(0-9][0-9 ()./\u2010-\u2015-]*")
_DIGITS_OF_PHONE = range(7, 16)
# Who writes so means an address; anything else that is none may be a name: "A.P. Byron / Sons".
_LIKE_AN_ADDRESS = re.compile(r"://|^[/\\]|^(contacts|record)/|\bhubspot\.", re.IGNORECASE)
_OF_ADDRESSES = {
    *(Reason.LIST_PAGE, Reason.NOT_A_RECORD, Reason.ALTERED, Reason.MORE_THAN_ADDRESS),
    *(Reason.TWO_RECORDS, Reason.NOT_HUBSPOT),
}
# What is of digits, and could be a phone number all the same.
_NOT_OF_PHONES = {PairReason.DECIMAL, PairReason.ROUNDED}


def read_text(
    text: str,
    types: TypeChoices,
    narrowed: ObjectType | None = None,
    *,
    portal_id: str = "",
    ui_hosts: Collection[str] = (),
) -> Reading:
    """Return what `text` is; what it says of its type goes before `narrowed`. Never raises."""
    reference = partial(
        read_reference, resolve=types.resolve, portal_id=portal_id, ui_hosts=ui_hosts
    )
    text = bare(text)
    reading = _read(text, narrowed, reference)
    if reading.kind in (Kind.REFERENCE, Kind.ID) or not (prefix := _PREFIX.fullmatch(text)):
        return reading
    try:
        named = types.resolve(prefix[1])
    except UnknownObjectTypeError as error:
        if not error.candidates:
            return reading
        facts: Facts = {"text": prefix[1].strip(), "choices": ", ".join(error.candidates)}
        return Reading(Kind.REFUSED, reason=Reason.AMBIGUOUS_TYPE, facts=facts)
    return _read(bare(prefix[2]), named, reference)


def domain_of(email: str) -> str:
    """Return the domain of an e-mail address."""
    return email.rpartition("@")[2]


def _read(
    text: str, narrowed: ObjectType | None, reference: Callable[[str], RecordReference]
) -> Reading:
    try:
        found = read_id(text, reference)
    except RecordIdError as error:
        return _read_words(text, narrowed, error)
    kind = Kind.REFERENCE if found.object_type else Kind.ID
    return Reading(kind, found.object_id, found.object_type or narrowed)


def _read_words(text: str, narrowed: ObjectType | None, error: RecordIdError) -> Reading:
    """What names no record by itself, in the form in which it can be searched for."""
    if error.reason is PairReason.ADDRESS_TOO_LONG:  # so much might take minutes to normalize
        return Reading(Kind.REFUSED, object_type=narrowed, reason=error.reason, facts=error.facts)
    words = " ".join(without_unseen(text).split())
    # As a Japanese keyboard may write them; names stay as they are.
    plain = unicodedata.normalize("NFKC", words)
    if email := _email_in(plain):
        return Reading(Kind.EMAIL, email, narrowed)
    if _is_phone(plain, error.reason):
        return Reading(Kind.PHONE, plain, narrowed)
    if _is_refused(error, plain, narrowed):
        return Reading(Kind.REFUSED, object_type=narrowed, reason=error.reason, facts=error.facts)
    if domain := _domain_in(plain):
        return Reading(Kind.DOMAIN, domain, narrowed)
    if not _is_enough(words):
        return Reading(Kind.EMPTY, object_type=narrowed)
    return Reading(Kind.NAME, words[:LONGEST], narrowed)


def _is_refused(error: RecordIdError, text: str, narrowed: ObjectType | None) -> bool:
    """Whether it is certain enough that an id or an address was meant."""
    reason = error.reason
    if reason in _OF_ADDRESSES:
        is_elsewhere = reason is Reason.NOT_HUBSPOT and bool(_domain_in(text))
        return bool(_LIKE_AN_ADDRESS.search(text)) and not is_elsewhere
    if reason is Reason.UNKNOWN_TYPE:
        return is_exact(str(error.facts["text"]))
    if reason is Reason.NO_ID:  # of companies there may be one of that name
        return narrowed is None
    return reason not in (PairReason.REQUIRED, Reason.NOT_DIGITS)


def _email_in(text: str) -> str:
    if in_brackets := _IN_BRACKETS.fullmatch(text):  # as programs for mail write it
        text = in_brackets[1].strip()
    found = _EMAIL.fullmatch(text) if len(text) <= LONGEST else None
    return found[1].lower() if found else ""


def _domain_in(text: str) -> str:
    """The domain that it is or begins with; no address of HubSpot's has one that is meant."""
    found = _DOMAIN.fullmatch(text)
    domain = found[1].lower().removeprefix("www.") if found else ""
    is_hubspots = "hubspot" in domain.split(".")
    return "" if is_hubspots or len(domain) > LONGEST else domain


def _is_phone(text: str, reason: Reason | PairReason) -> bool:
    digits = "".join(filter(str.isdigit, text))
    if not _PHONE.fullmatch(text) or len(digits) not in _DIGITS_OF_PHONE:
        return False
    begins_so = text[0] in "+(0" and bool(digits.strip("0"))
    if reason is PairReason.IN_GROUPS or text == digits:
        return begins_so
    return reason not in _NOT_OF_PHONES


def _is_enough(words: str) -> bool:
    """Not a single letter, unless it is a word of its own, as in Chinese and Japanese."""
    letters = "".join(filter(str.isalnum, words))
    return len(letters) > 1 or not letters.isascii()
