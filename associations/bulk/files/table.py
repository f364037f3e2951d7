"""The records of a file: its delimiter, its columns, and what stands in each row."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from associations.bulk.files.columns import (
    MAX_COLUMNS,
    Layout,
    fitting_columns,
    found_in,
    has_header_in,
    layout_of,
    layout_with,
)
from associations.bulk.files.decoding import Encoding, Parts, encoding_of, lines_in
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import Resolve
from associations.bulk.files.workbook import Workbook, workbook_in
from associations.gateway.object_types import standard_choices

MAX_RECORD = 64 * 1024  # characters; what goes on longer has a quotation mark that is not closed


def rows_of(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each record begins, and its cells, if anything stands in them.

    Raises FileError for a quotation mark that is not closed, and for too many columns.
    """
    source = _Source(lines, delimiter)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        source.begin(reader.line_num + 1)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise source.open_quote() from None
        if len(cells) > MAX_COLUMNS:
            facts = {"line": source.line, "columns": len(cells), "limit": MAX_COLUMNS}
            raise FileError(FileReason.TOO_MANY_COLUMNS, **facts)
        if any(map(str.strip, cells)):
            yield source.line, cells


class _Source:
    """The lines for the reader, which would take any number of them for one record."""

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        self.lines = iter(lines)
        self.quoted = re.compile(rf'(?:^|{re.escape(delimiter)}) *(")[^"]*(?:""[^"]*)*"?')
        self.begin(1)

    def begin(self, line: int) -> None:
        self.line, self.length, self.taken = line, 0, list[str]()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.length > MAX_RECORD:
            raise self.open_quote()
        line = next(self.lines)
        self.length += len(line)
        self.taken.append(line)
        return line

    def open_quote(self) -> FileError:
        """The error that tells in which line the quotation mark stands that goes wrong."""
        text = "".join(self.taken)
        starts = [match.start(1) for match in self.quoted.finditer(text)]
        before = text[: starts[-1]] if starts else ""
        line = self.line + len(re.findall(r"\r\n|\r|\n", before))
        return FileError(FileReason.OPEN_QUOTE, line=line)


EXTRA_CELLS = "extra_cells"
NAMED_BY = "_by"
_DELIMITERS = ",;\t"
_SAMPLE = 20
# What Excel takes for no record, but for the sign that parts the cells.
_SAYS_DELIMITER = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)


class TableRow(NamedTuple):
    """A row: its number among the rows with data, the line where it begins, and its cells."""

    number: int
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file that can be read. Each iteration reads it anew and yields its records.

    An iteration raises FileError where the file goes wrong further down.
    """

    parts: Parts
    encoding: Encoding
    delimiter: str
    layout: Layout
    says_delimiter: bool = False  # its first line does: `sep=;`
    titles: int = 0  # rows above the names of its columns
    workbook: Workbook | None = None  # it is one, not a text

    @property
    def columns(self) -> dict[str, int]:
        """Field → index of its column."""
        return self.layout.columns

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of columns that nobody knows."""
        return self.layout.unused

    @property
    def has_header(self) -> bool:
        """Whether the first row holds names."""
        return self.layout.has_header

    def __iter__(self) -> Iterator[TableRow]:
        rows = _records(self.workbook, self.parts, self.encoding, self.delimiter)
        before = self.says_delimiter + self.titles + self.has_header
        for number, (line, cells) in enumerate(islice(rows, before, None), 1):
            yield TableRow(number, line, cells)

    def values(self, record: TableRow) -> dict[str, str]:
        """Return field → text of a record, as RowChecker.check() takes it.

        Cells beyond the last column, if anything stands in them, are told by their number as
        `extra_cells`; a row that ends too early has empty fields. What names a record by a unique
        property has that as `from_object_id_by`.
        """
        cells, layout = record.cells, self.layout
        width = len(cells)
        values = {name: cells[at] if at < width else "" for name, at in layout.columns.items()}
        values.update(layout.types)
        values.update({f"{name}{NAMED_BY}": key for name, key in layout.keys.items()})
        if width > layout.width and any(map(str.strip, cells[layout.width :])):
            values[EXTRA_CELLS] = str(width - layout.width)
        return values


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a file's first records show, before anybody says what its columns mean."""

    parts: Parts
    encoding: Encoding
    delimiter: str
    first: list[str]
    sample: list[list[str]]  # the records after it
    says_delimiter: bool = False
    titles: int = 0
    workbook: Workbook | None = None  # it is one, not a text


def begin(
    parts: Parts,
    *,
    resolve: Resolve | None = None,
    encoding: Encoding | None = None,
    sheet: str = "",
) -> Beginning:
    """Return what the file begins with, having read all of it once where no encoding is chosen.

    Of a workbook it is the first visible sheet with data, or the one called `sheet`. Raises
    FileError.
    """
    resolve = resolve or standard_choices().resolve
    delimiter, said = "", None
    workbook = workbook_in(parts, sheet)
    if workbook is None:
        encoding = encoding or encoding_of(parts)
        lines = _first_lines(lines_in(parts, encoding))
        said = _SAYS_DELIMITER.fullmatch(lines[0].strip("\r\n")) if lines else None
        delimiter = said[1] if said else _delimiter(lines, resolve)
    encoding = encoding or Encoding.UTF_8
    rows = islice(_records(workbook, parts, encoding, delimiter), bool(said), None)
    shown = [cells for _line, cells in islice(rows, 1 + _SAMPLE)]
    if not shown:
        raise FileError(FileReason.EMPTY)
    titles = _titles_in(shown, resolve)
    first, *sample = shown[titles:]
    # The last cells of a workbook's row are not there where they are empty.
    if workbook and not has_header_in(first, resolve, sample):
        first = first + [""] * (max(map(len, [first, *sample])) - len(first))
    return Beginning(parts, encoding, delimiter, first, sample, bool(said), titles, workbook)


def _titles_in(rows: Sequence[Sequence[str]], resolve: Resolve) -> int:
    """How many rows with a single text stand above the names of columns, of three at most."""
    for number, cells in enumerate(rows[:4]):
        if sum(bool(cell.strip()) for cell in cells) > 1:
            try:
                return number * layout_of(cells, resolve, rows[number + 1 :]).has_header
            except FileError:
                return 0
    return 0


def table_of(
    beginning: Beginning,
    *,
    given: Collection[str] = (),
    resolve: Resolve | None = None,
    meanings: Sequence[str] = (),
) -> Table:
    """Return the file as a table, by what its columns say or by what they were chosen to mean.

    `given` names the type fields that the run gives to all rows (`from_object_type`, …); `resolve`
    reads object types, HubSpot's own if left out. Raises FileError.
    """
    resolve = resolve or standard_choices().resolve
    first, sample = beginning.first, beginning.sample
    if meanings:
        layout = layout_with(first, meanings, resolve, sample)
    else:
        layout = layout_of(first, resolve, sample)
    if layout.has_header and not sample:
        raise FileError(FileReason.HEADER_ONLY)
    table = Table(
        beginning.parts,
        beginning.encoding,
        beginning.delimiter,
        layout,
        beginning.says_delimiter,
        beginning.titles,
        beginning.workbook,
    )
    _refuse_without_types(table, first, sample if layout.has_header else [first, *sample], given)
    return table


def records_of(beginning: Beginning) -> Iterator[tuple[int, list[str]]]:
    """Give all records of the file, its names of columns among them, each with its line."""
    each = beginning
    return _records(each.workbook, each.parts, each.encoding, each.delimiter)


def _records(
    workbook: Workbook | None, parts: Parts, encoding: Encoding, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    return workbook.rows() if workbook else rows_of(lines_in(parts, encoding), delimiter)


def _first_lines(lines: Iterable[str]) -> list[str]:
    return list(islice((line for line in lines if line.strip()), _SAMPLE))


def _delimiter(lines: list[str], resolve: Resolve) -> str:
    """The one that makes the most of the first record; the comma where none does better.

    Where nothing in it is understood, that is the one that makes records of as many cells, and the
    most of them. Ids may be parted by such a sign as well: `902;903` in a first row of data.
    """

    def fit(delimiter: str) -> tuple[int, bool, int]:
        cells, *others = _first_records(lines, delimiter) or [[]]
        others = [each for each in others if any(map(str.strip, each))]
        is_even = len(cells) > 1 and all(len(each) == len(cells) for each in others)
        understood = fitting_columns(cells, resolve)
        if others and not is_even and not has_header_in(cells, resolve):
            understood = 0
        return understood, is_even, 0 if understood else len(cells)

    return max(_DELIMITERS, key=fit)


def _first_records(lines: list[str], delimiter: str) -> list[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    records = list[list[str]]()
    with suppress(csv.Error):  # a cell as long as all of these lines
        records += reader
    return records


def _refuse_without_types(
    table: Table, first: list[str], sample: list[list[str]], given: Collection[str]
) -> None:
    """Where no type is said anywhere, all rows would be wrong for the one reason."""
    for side in ("from", "to"):
        name, at = f"{side}_object_type", table.columns[f"{side}_object_id"]
        if name in given or name in table.columns or name in table.layout.types:
            continue
        ids = [cells[at].strip() for cells in sample if at < len(cells)]
        if ids and all(map(str.isdecimal, ids)):
            raise FileError(FileReason.NO_TYPE, field=name, found=found_in(first))
