"""How HubSpot's search reads a text: its words, without regard to case and accents."""

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import normalize

_EAST_ASIAN = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff"  # written without spaces: each is a word
_WORD = re.compile(f"[{_EAST_ASIAN}]|[^\\W_{_EAST_ASIAN}]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_APOSTROPHE = re.compile("['\u2019\u02bc]")
_WITHOUT_PARTS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})
_NUMBER = re.compile(r"\+?[\d\s().\-/]{5,}")
_COUNTRY_CODE = re.compile(
    r"\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(?=[\d\s(])"
)


def fold(text: str) -> str:
    """Return a text as it is compared: without case and accents."""
    if text.isascii():
        return text.lower()
    bare = _ACCENT.sub("", normalize("NFKD", text).casefold())
    return normalize("NFC", bare).translate(_WITHOUT_PARTS)


def words_of(text: str) -> list[str]:
    """Return the words of a text."""
    return _WORD.findall(fold(text))


def words_of_query(text: str) -> list[str]:
    """Return what a query looks for; a phone number is one word, however it is grouped."""
    if _NUMBER.fullmatch(text.strip()):
        return [re.sub(r"\D", "", text)]
    return words_of(text)


def indexed_words(text: str) -> Iterator[str]:
    """Yield the words by which a text is found: O'Brien by its two parts and by OBrien."""
    yield from words_of(text)
    joined, apostrophes = _APOSTROPHE.subn("", text)
    if apostrophes:
        yield from words_of(joined)


@lru_cache(maxsize=20_000)  # each search for a number asks it of every record
def searchable_number(phone: str) -> str:
    """Return what a phone number is found by: area code and local number, no country's code."""
    return re.sub(r"\D", "", _COUNTRY_CODE.sub("", phone.strip(), count=1))
