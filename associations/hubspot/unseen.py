"""Characters that cannot be seen, and turn, hide or break up what stands around them.

Controls, marks of direction, tags, spaces without width, and whatever else fonts leave out. A
joiner between letters of a script that joins (Persian, the scripts of India) or between emoji is
none of them, nor is a variation selector after what it selects: without these the text would be
another.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

# Unicode's Default_Ignorable_Code_Point, and beside it controls but for tab and line breaks, ends
# of lines and paragraphs, halves of characters, and what annotates between lines.
_SUSPECT = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"
_SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_FIRST_THAT_JOINS = "\u0600"  # Arabic; in Latin, Greek and Cyrillic a joiner only hides
# Around a text such marks, and spaces, are what copying out of documents leaves.
AROUND = "".join(filter(str.isspace, map(chr, range(0x3001))))
AROUND += "\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
AROUND += "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

_AS_TEXT = re.compile(r'="([^"]*)"')


def unseen_in(text: str) -> list[str]:
    """Return the names of what cannot be seen there, such as `U+202E`, each once, in order."""
    if text.isascii() and text.isprintable():
        return []  # as nearly all are
    return list(dict.fromkeys(_name(each[0]) for each in _found(text)))


def named(characters: list[str]) -> str:
    """Return a few of these names, for a sentence."""
    return ", ".join(characters[:5]) + (", …" if len(characters) > 5 else "")


def visible(text: str) -> str:
    """Return the text with the name of each such character in its place: `⟨U+202E⟩`."""
    return _replaced(text, lambda character: f"⟨{_name(character)}⟩")


def without_unseen(text: str) -> str:
    """Return the text without such characters."""
    return _replaced(text, lambda character: "")


def bare(text: str) -> str:
    """Return the text without what spreadsheets and documents leave around it.

    That are spaces, unseen marks, and what keeps a number a text: `'501`, `="501"`.
    """
    text = text.strip(AROUND).removeprefix("'")
    as_text = _AS_TEXT.fullmatch(text)
    return (as_text[1] if as_text else text).strip(AROUND)


def _replaced(text: str, put: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text  # as nearly all are
    parts, end = [], 0
    for each in _found(text):
        parts += [text[end : each.start()], put(each[0])]
        end = each.end()
    return "".join([*parts, text[end:]]) if parts else text


def _found(text: str) -> Iterator[re.Match[str]]:
    return (each for each in _SUSPECT.finditer(text) if not _does_its_work(each))


def _does_its_work(suspect: re.Match[str]) -> bool:
    text, at = suspect.string, suspect.start()
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if suspect[0] in _JOINERS:
        return _joins(before) and _joins(after)
    return bool(_SELECTORS.match(suspect[0])) and _is_seen(before)


def _joins(neighbour: str) -> bool:
    """A letter, its mark or an emoji, with what selects its form."""
    if not neighbour or neighbour < _FIRST_THAT_JOINS:
        return False
    is_selector = bool(_SELECTORS.match(neighbour))
    return is_selector or unicodedata.category(neighbour)[0] in "LM" or _is_emoji(neighbour)


def _is_emoji(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk")


def _is_seen(character: str) -> bool:
    return bool(character) and not character.isspace() and not _SUSPECT.match(character)


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
