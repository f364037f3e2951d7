"""What somebody says in words of a file's columns: `Contact=contact id`, `B=To: company`."""

import re
from collections.abc import Iterable, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from associations.bulk.files.headings import Resolve, folded
from associations.bulk.forms import ColumnsForm
from associations.bulk.mapping import short
from associations.hubspot.object_types import UnknownObjectTypeError
from associations.hubspot.record_references import SIDES

_NO_SIGN = _("“{text}” does not say a column and what it means. Write it like {examples}.")
_NO_COLUMN = _("No column is called “{text}”. The file has: {found}.")
_SEVERAL = _("Several columns are called “{text}”. Name the one that is meant by its number.")
_NO_MEANING = _("“{text}” is nothing that a column can mean. Write one such as {examples}.")
# As they are typed, whatever the language
_EXAMPLE = "--map 'Contact=contact id'"
_EXAMPLES = "contact id, company id, from: contact, to: company, reason, ignore"
_UNUSED = {"", "ignore", "notused"}
_LETTERS = re.compile(r"[A-Za-z]{1,2}", re.ASCII)
_SIDE = re.compile(r"(from|to)\s*[:\s]\s*(.+)", re.IGNORECASE)
# What may stand behind a type: the rows say themselves by what they name a record.
_KINDS = re.compile(
    r"[\s_-]+(record[\s_-]+id|id|e-?mail(\s+address)?|address|url|domain|name)s?", re.IGNORECASE
)


class NotUnderstoodError(Exception):
    """It names no column, or nothing that one can mean; its text is a sentence."""

    def __init__(self, sentence: str | Promise, **facts: str) -> None:
        super().__init__(str(sentence).format(**facts))


def meanings_said(form: ColumnsForm, said: Iterable[str], resolve: Resolve) -> list[str]:
    """Return what each column means: as it is said, and else as the file was understood.

    `form` is that of a run's file, whose choices are all that a column can mean. A type without a
    side is that of the first record where none is said to be that yet, and else of the second.
    Raises NotUnderstoodError.
    """
    chosen = dict[int, str]()
    for text in said:
        name, sign, meaning = text.rpartition("=")
        if not sign or not name.strip():
            raise NotUnderstoodError(_NO_SIGN, text=short(text), examples=_EXAMPLE)
        chosen[_column(form, name)] = _meaning(form, meaning, chosen.values(), resolve)
    said_fields = {name for each in chosen.values() for name in _fields(each)}
    # What was only proposed gives way to what is said.
    proposed = [each if _field(each) not in said_fields else "" for each in form.meanings]
    proposed += [""] * (len(form.columns) - len(proposed))
    return [chosen.get(index, each) for index, each in enumerate(proposed)]


def _field(meaning: str) -> str:
    return meaning.partition(":")[0]


def _fields(meaning: str) -> set[str]:
    """What it says: with its type an id says what a column with nothing but types says, too."""
    name, typed, _type = meaning.partition(":")
    return {name, name.replace("_id", "_type")} - {""} if typed else {name} - {""}


def _column(form: ColumnsForm, text: str) -> int:
    """Where the column stands that a name, a number or a letter says."""
    names = [str(name) for name, _values in form.columns]
    for plain in (str, str.casefold):
        found = [i for i, name in enumerate(names) if name and plain(name) == plain(short(text))]
        if len(found) > 1:
            raise NotUnderstoodError(_SEVERAL, text=short(text))
        if found:
            return found[0]
    number = _number(text.strip())
    if not 0 < number <= len(names):
        told = ", ".join(filter(None, names)) or gettext("columns without names")
        raise NotUnderstoodError(_NO_COLUMN, text=short(text), found=told)
    return number - 1


def _number(text: str) -> int:
    """The number of a column, which a spreadsheet calls by letters; 0 of none."""
    if text.isascii() and text.isdecimal():
        return int(text[:4])
    if not _LETTERS.fullmatch(text):
        return 0
    number = 0
    for letter in text.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _meaning(form: ColumnsForm, text: str, taken: Iterable[str], resolve: Resolve) -> str:
    """One of the form's choices, by its name, by what it is called, or by a type."""
    choices = form.choices
    named = {folded(value): value for value, _label in choices}
    named |= {folded(str(label)): value for value, label in choices}
    plain = folded(text)
    if plain in _UNUSED:
        return ""
    if plain in named:
        return named[plain]
    told = _SIDE.fullmatch(text.strip())
    sides: Sequence[str] = [told[1].lower()] if told else _free_sides(taken)
    rest = told[2] if told else text
    for side in sides:
        for value in (f"{side} {rest}", _typed_id(side, rest, resolve)):
            if folded(value) in named:
                return named[folded(value)]
    raise NotUnderstoodError(_NO_MEANING, text=short(text), examples=_EXAMPLES)


def _free_sides(taken: Iterable[str]) -> list[str]:
    fields = {_field(each) for each in taken}
    return [side for side in SIDES if f"{side}_object_id" not in fields][:1]


def _typed_id(side: str, text: str, resolve: Resolve) -> str:
    type_name = _KINDS.sub("", text.strip())
    try:
        return f"{side}_object_id:{resolve(type_name).canonical}"
    except UnknownObjectTypeError:
        return ""
