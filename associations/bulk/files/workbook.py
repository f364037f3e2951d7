"""The rows of an Excel workbook (.xlsx, .xlsm), as those of a text with delimiters come.

Values only: nothing is computed, no macro runs, and no other file is asked for anything. A number
is given by its digits, as ids are; what Excel has rounded, or never computed, is a `Flawed` text,
which says so of its cell.
"""

import re
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from math import inf
from tempfile import TemporaryFile
from typing import IO, NamedTuple
from weakref import finalize

from django.conf import settings

from associations.bulk.files.columns import MAX_COLUMNS
from associations.bulk.files.decoding import Parts
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.packages import (
    MAX_TEXT,
    Attributes,
    Package,
    Relation,
    XmlReader,
    is_of_a_workbook,
    known_tags,
    ole_kind,
    spooled,
)
from associations.hubspot.record_references import PairReason

MAX_ROW_TEXT = 64 * 1024  # characters of a row, as a line of a text has no more bytes
MAX_SHEETS = 1_000
MAX_SHEET_NAME = 255  # characters; Excel has 31
_SHOWN = 40
MAX_STRINGS = 5_000_000  # as many as there are cells in 100,000 rows of 50
MAX_STYLES = 70_000  # Excel has 65,490
MAX_MERGED = 100_000
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
_OLE = b"\xd0\xcf\x11\xe0"
_Row = tuple[int, list[str]]


class CellReason(StrEnum):
    """Why a cell says nothing although something is shown there; the facts in brackets."""

    NO_VALUE = "no_value"  # (cell): a formula that nobody has computed
    MERGED = "merged"  # (cell, range)


class Flawed(str):
    """The text of a cell that is not what was meant: `code` and `facts` say why."""

    __slots__ = ("code", "facts")
    code: str
    facts: dict[str, str | int]

    @classmethod
    def made(cls, text: str, code: str, /, **facts: str | int) -> "Flawed":
        """Return such a text."""
        flawed = cls(text)
        flawed.code, flawed.facts = code, facts
        return flawed


class Merged(NamedTuple):
    """A range of cells that is shown as one; its first cell has the value."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int
    name: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with cells: its name, its part of the package, and whether people see it."""

    name: str
    part: str
    is_visible: bool


class Workbook:
    """One sheet of a workbook, and the names of the others that people see.

    Each call of `rows()` reads the sheet anew.
    """

    def __init__(self, file: IO[bytes], sheet: str = "") -> None:
        finalize(self, file.close)
        self._package = package = Package(file)
        document = package.document()
        relations = package.relations(document)
        sheets, self._epoch = _sheets_of(package, document, relations)
        by_kind = {each.kind: each.target for each in relations.values()}
        self._texts = _texts_of(package, by_kind.get("sharedStrings", ""))
        self._dates = _dates_of(package, by_kind.get("styles", ""))
        self._merged: list[Merged] = []
        self.sheets = tuple(each.name for each in sheets if each.is_visible)
        self._part = self._chosen(sheets, sheet)

    def rows(self) -> Iterator[_Row]:
        """Yield the number of each row with something in it, and its texts, as rows_of() does.

        Raises FileError where the sheet goes wrong.
        """
        rows = self._rows_in(self._part, anew=True)
        return _with_merged(rows, self._merged) if self._merged else rows

    def _chosen(self, sheets: Sequence[Sheet], wanted: str) -> str:
        """Choose the first visible sheet with data, or the one that is wanted; read it once."""
        if not sheets:
            raise FileError(FileReason.CHARTS_ONLY)
        visible = [each for each in sheets if each.is_visible]
        if wanted:
            visible = [each for each in visible if each.name == wanted]
            if not visible:
                facts = {"sheet": wanted[:_SHOWN], "found": _listed(self.sheets)}
                raise FileError(FileReason.NO_SHEET, **facts)
        for each in visible:
            self.sheet = each.name
            if next(self._rows_in(each.part, anew=False), None):
                self._merged = _looked_through(self._package, each.part)
                return each.part
        hidden = [each.name for each in sheets if not each.is_visible]
        if hidden and not wanted:
            raise FileError(FileReason.HIDDEN_ONLY, found=_listed(hidden))
        raise FileError(FileReason.EMPTY)

    def _rows_in(self, part: str, *, anew: bool) -> Iterator[_Row]:
        reader = _Cells(self._texts, self._dates, self._epoch)
        for _piece in self._package.feed(part, reader, anew=anew):
            yield from filter(_has_text, map(self._whole, reader.rows))
            reader.rows.clear()
        reader.demand_sheet()

    def _whole(self, row: tuple[int, list[str | int]]) -> _Row:
        """The row with the texts that it shares with others, which are looked up one row at once:
        a file of some MiB could refer to GiB of them.
        """
        line, cells = row
        texts = [self._texts.get(each) if isinstance(each, int) else each for each in cells]
        if sum(map(len, texts)) > MAX_ROW_TEXT:
            raise FileError(FileReason.LONG_ROW, line=line, limit=MAX_ROW_TEXT // 1024)
        return line, texts


def workbook_in(parts: Parts, sheet: str = "") -> Workbook | None:
    """Return the workbook that a file is; None if it is none, nor anything of that kind.

    `sheet` is the name of the sheet that is wanted, instead of the first visible one with data.
    Raises FileError for what cannot be read.
    """
    head = _head(parts)
    if head.startswith(_OLE):
        with spooled(parts(), settings.BULK_MAX_BYTES) as file:
            raise FileError(ole_kind(file))
    return Workbook(spooled(parts(), settings.BULK_MAX_BYTES), sheet) if _is_zip(head) else None


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\3\4", b"PK\5\6"))


def _listed(names: Sequence[str]) -> str:
    """The first names of sheets in one line, for a sentence."""
    return ", ".join(name[:_SHOWN] for name in names[:8]) + (", …" if len(names) > 8 else "")


def _has_text(row: _Row) -> bool:
    return any(each.strip() or isinstance(each, Flawed) for each in row[1])


def _head(parts: Parts) -> bytes:
    head = b""
    for part in parts():
        head += bytes(part[: len(_OLE)])
        if len(head) >= len(_OLE):
            break
    return head


# --- the workbook's own parts ---------------------------------------------------------------------


def _sheets_of(
    package: Package, document: str, relations: dict[str, Relation]
) -> tuple[list[Sheet], datetime]:
    """The sheets that have cells, in their order, and the day from which dates are counted."""
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH  # slow to import

    tree = package.tree(document)
    if not is_of_a_workbook(tree.tag):
        raise FileError(FileReason.WORKBOOK)
    sheets, epoch = list[Sheet](), WINDOWS_EPOCH
    for element in tree.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "workbookPr" and element.get("date1904", "") in ("1", "true"):
            epoch = MAC_EPOCH
        if tag != "sheet":
            continue
        ids = (value for name, value in element.items() if name.endswith("relationships}id"))
        relation = relations.get(next(ids, ""))
        if relation and relation.kind == "worksheet":
            is_visible = element.get("state", "visible") == "visible"
            sheets.append(Sheet(element.get("name", ""), relation.target, is_visible))
    has_long_names = any(len(each.name) > MAX_SHEET_NAME for each in sheets)
    has_doubles = len({each.part for each in sheets}) < len(sheets)
    if len(sheets) > MAX_SHEETS or has_doubles or has_long_names:
        raise FileError(FileReason.DAMAGED_WORKBOOK)
    return sheets, epoch


class _Texts:
    """The texts that cells share, on disk: there may be as many as there are cells."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed below
        finalize(self, self._file.close)
        self._ends = array("Q", [0])  # where each ends in it
        self._short: dict[int, str] = {}

    def add(self, text: str) -> None:
        if len(self._ends) > MAX_STRINGS:
            raise FileError(FileReason.TOO_MANY_CELLS)
        if len(text) > MAX_TEXT:
            raise FileError(FileReason.LONG_CELL, limit=MAX_TEXT)
        self._ends.append(self._ends[-1] + self._file.write(text.encode()))

    def demand(self, number: int) -> int | str:
        """Return the number, or the text itself if nothing is in it. Raises IndexError."""
        if not 0 <= number < len(self._ends) - 1:
            raise IndexError(number)
        return number if self._ends[number] < self._ends[number + 1] else ""

    def get(self, number: int) -> str:
        """Return a text by its number, which was demanded before."""
        text = self._short.get(number)
        if text is None:
            start, end = self._ends[number : number + 2]
            self._file.seek(start)
            text = self._file.read(end - start).decode()
            if len(self._short) < 2_000 and len(text) < 100:
                self._short[number] = text
        return text


class _TextReader(XmlReader):
    """Reads shared texts: of rich ones all parts, but not how a word is pronounced."""

    TAGS = known_tags("si", "t", "rPh")
    TEXTS = frozenset({"t"})

    def __init__(self) -> None:
        super().__init__()
        self.found = _Texts()
        self._parts: list[str] = []
        self._is_spoken = False

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "rPh":
            self._is_spoken = True

    def end(self, tag: str) -> None:
        if tag == "t":
            if not self._is_spoken:
                self._parts += self.texts
        elif tag == "rPh":
            self._is_spoken = False
        else:
            self.found.add(_unescaped("".join(self._parts)))
            self._parts.clear()


def _texts_of(package: Package, part: str) -> _Texts:
    reader = _TextReader()
    if part in package:
        deque(package.feed(part, reader), maxlen=0)
    return reader.found


_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def _unescaped(text: str) -> str:
    """The text with what XML could not hold: a line break, or an underscore that looks so."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    # No control characters and halves of others, which no database takes.
    return character if character.isprintable() or character in "\t\n\r" else escaped[0]


class _StyleReader(XmlReader):
    """Reads which styles of cells show a number as a date."""

    TAGS = known_tags("numFmt", "cellXfs", "xf")
    # Without a format of their own: everybody's, and those of East Asia.
    BUILT_IN = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
    MAX_FORMAT = 255  # characters

    def __init__(self) -> None:
        super().__init__()
        self.dates: set[str] = set()
        self._formats: dict[str, bool] = {}
        self._styles = -1  # the list is not there yet

    def begin(self, tag: str, attributes: Attributes) -> None:
        number = attributes.get("numFmtId", "")[:10]
        if tag == "cellXfs":
            self._styles = 0
        elif tag == "numFmt":
            self._formats[number] = _is_date(attributes.get("formatCode", "")[: self.MAX_FORMAT])
        elif self._styles >= 0:
            is_built_in = number.isdecimal() and int(number[:4]) in self.BUILT_IN
            if self._formats.get(number, is_built_in):
                self.dates.add(str(self._styles))
            self._styles += 1
        if max(self._styles, len(self._formats)) > MAX_STYLES:
            raise FileError(FileReason.DAMAGED_WORKBOOK)

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._styles = -1


def _is_date(code: str) -> bool:
    from openpyxl.styles.numbers import is_date_format

    return is_date_format(code)


def _dates_of(package: Package, part: str) -> frozenset[str]:
    reader = _StyleReader()
    if part in package:
        deque(package.feed(part, reader), maxlen=0)
    return frozenset(reader.dates)


# --- a sheet --------------------------------------------------------------------------------------

_CELL_NAME = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})", re.ASCII)
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_EXACT = 10**15  # Excel keeps 15 digits


class _Cells(XmlReader):
    """Reads the rows of a sheet; `rows` has those that are whole and were not taken yet."""

    TAGS = known_tags("worksheet", "row", "c", "v", "f", "t", "rPh")
    TEXTS = frozenset({"v", "f", "t"})

    def __init__(self, texts: _Texts, dates: frozenset[str], epoch: datetime) -> None:
        super().__init__()
        self.rows: list[tuple[int, list[str | int]]] = []
        self._shared, self._dates, self._epoch = texts, dates, epoch
        self._is_sheet = False
        self._line, self._line_name = 0, ""
        self._row: list[str | int] = []
        self._column = self._filled = 0
        self._attributes: Attributes = {}
        self._value: str | None = None
        self._formula: str | None = None
        self._parts: list[str] = []
        self._is_spoken = False

    def demand_sheet(self) -> None:
        """Raise FileError if it was none."""
        if not self._is_sheet:
            raise FileError(FileReason.DAMAGED_WORKBOOK)

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            self._attributes, self._value, self._formula = attributes, None, None
            self._column = self._place(attributes.get("r"))
        elif tag == "row":
            self._begin_row(attributes)
        elif tag == "worksheet":
            self._is_sheet = True
        elif tag == "rPh":
            self._is_spoken = True

    def end(self, tag: str) -> None:
        if tag == "v":
            self._value = "".join(self.texts)
        elif tag == "c":
            self._end_cell()
        elif tag == "row":
            self._end_row()
        elif tag == "t":
            if not self._is_spoken:
                self._parts += self.texts
        elif tag == "f":
            self._formula = "".join(self.texts)
        elif tag == "rPh":
            self._is_spoken = False

    def _begin_row(self, attributes: Attributes) -> None:
        line = int(attributes.get("r", self._line + 1))
        if not self._line < line <= _LAST_ROW:
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        self._line, self._line_name, self._row = line, str(line), []
        self._column = self._filled = 0

    def _end_row(self) -> None:
        if self._filled > MAX_COLUMNS:
            facts = {"line": self._line, "columns": self._filled, "limit": MAX_COLUMNS}
            raise FileError(FileReason.TOO_MANY_COLUMNS, **facts)
        if self._row:
            self.rows.append((self._line, self._row))

    def _place(self, name: str | None) -> int:
        """The number of the cell's column; its name may be left out, but not lie."""
        if name is None:
            return self._column + 1
        letters = name.rstrip("0123456789")
        column = _COLUMNS.get(letters, 0)
        if column <= self._column or name[len(letters) :] != self._line_name:
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        return column

    def _end_cell(self) -> None:
        if self._value is None and self._formula is None and not self._parts:
            return  # as many as have a format and nothing else
        text = self._text()
        self._parts.clear()
        if type(text) is str and not text.strip():
            return
        self._filled = self._column
        if self._column <= MAX_COLUMNS:
            row = self._row
            row += [""] * (self._column - len(row) - 1)
            row.append(text)

    def _text(self) -> str | int:
        """What stands in the cell; of a text that it shares with others, its number."""
        value, kind = self._value, self._attributes.get("t", "n")
        if self._formula is not None and not value and not (kind == "str" and value == ""):
            return Flawed.made(f"={self._formula[:200]}", CellReason.NO_VALUE, cell=self._name())
        if kind == "inlineStr":
            return _unescaped("".join(self._parts))
        if not value:
            return ""
        if kind == "n":
            return self._number(value)
        if kind == "s":
            return self._shared.demand(int(value))
        if kind == "b":
            return "TRUE" if value in ("1", "true") else "FALSE"
        return _unescaped(value)  # of a formula, an error, or a date in words

    def _number(self, value: str) -> str:
        if self._attributes.get("s", "0") in self._dates:
            return self._moment(value)
        # As nearly all are: digits, and all of them.
        if len(value) < 16 and value.isdecimal() and value.isascii() and value[0] != "0":
            return value
        text = plain_number(value)
        if "E" in text:
            return Flawed.made(text, PairReason.ROUNDED, cell=self._name(), text=text)
        return text

    def _moment(self, value: str) -> str:
        from openpyxl.utils.datetime import from_excel

        try:
            moment = from_excel(float(value), self._epoch)
        except (ValueError, OverflowError):  # Excel shows ##### then
            return plain_number(value)
        if isinstance(moment, datetime):
            return moment.isoformat(" ", "seconds").removesuffix(" 00:00:00")
        return str(moment.isoformat("seconds") if isinstance(moment, time) else moment)

    def _name(self) -> str:
        return f"{column_letters(self._column)}{self._line}"


def column_letters(number: int) -> str:
    """Return the name of a column by its number, 1 for A."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


_COLUMNS = {column_letters(number): number for number in range(1, _LAST_COLUMN + 1)}


def plain_number(value: str) -> str:
    """Return a number's text as Excel shows it in a cell that is wide enough.

    Digits only if it is whole; from 16 digits on with an E, as Excel has rounded it.
    """
    text = value.strip()
    number = float(text) if _NUMBER.fullmatch(text) else inf
    if abs(number) == inf:
        return text
    if abs(number) >= _EXACT:
        digits, _, power = f"{number:.14E}".partition("E")
        return f"{digits.rstrip('0').rstrip('.')}E{power}"
    if number.is_integer():
        return str(int(number))
    small = f"{number:.15g}"
    return f"{number:.20f}".rstrip("0") if "e" in small else small


# --- merged cells ---------------------------------------------------------------------------------


class _Survey(XmlReader):
    """Reads a sheet to its end for what comes after the cells, and whether it is whole."""

    TAGS = known_tags("mergeCell")

    def __init__(self) -> None:
        super().__init__()
        self.merged: list[Merged] = []

    def begin(self, tag: str, attributes: Attributes) -> None:
        name = attributes.get("ref", "")
        first, _, last = name.partition(":")
        ends = [_CELL_NAME.fullmatch(each) for each in (first, last or first)]
        if not ends[0] or not ends[1] or len(self.merged) >= MAX_MERGED:
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        (top, left), (bottom, right) = ((int(e[2]), _COLUMNS.get(e[1], 0)) for e in ends if e)
        if left <= MAX_COLUMNS:
            self.merged.append(Merged(top, left, bottom, min(right, MAX_COLUMNS), name))


def _looked_through(package: Package, part: str) -> list[Merged]:
    survey = _Survey()
    deque(package.feed(part, survey), maxlen=0)
    return sorted(survey.merged)


def _with_merged(rows: Iterator[_Row], merged: list[Merged]) -> Iterator[_Row]:
    """The rows; a cell that is merged with another one says so in the place of its value."""
    coming, open_ = list(reversed(merged)), list[Merged]()
    for line, row in rows:
        while coming and coming[-1].first_row <= line:
            open_.append(coming.pop())
        open_ = [each for each in open_ if each.last_row >= line]
        if len(open_) > MAX_COLUMNS:  # they lie over each other
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        for each in open_:
            start = each.first_column + (line == each.first_row)
            for column in range(start, each.last_column + 1):
                row += [""] * (column - len(row))
                if not row[column - 1]:
                    cell = f"{column_letters(column)}{line}"
                    facts = {"cell": cell, "range": each.name}
                    row[column - 1] = Flawed.made("", CellReason.MERGED, **facts)
        yield line, row
