"""The rows of a run that need somebody, in the file that they came in: to correct and upload again.

The file has the person's own columns under their own names, and beside them the line and what is
wrong with it. It is read once more for that, in step with what is known of its rows, so that memory
stays flat. Of a run without a file, or whose file has no names of columns, the rows come in our
own columns.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext, pgettext

from associations.audit.exports import harmless
from associations.bulk.enqueueing import rows_to_send
from associations.bulk.exports import NOT_LINKED, ROWS_AT_ONCE, stretches
from associations.bulk.files.columns import MAX_COLUMNS
from associations.bulk.files.decoding import Encoding
from associations.bulk.files.errors import FileError
from associations.bulk.files.headings import FIELDS, Resolve, fields_named, without_ours
from associations.bulk.files.table import Beginning, begin, records_of
from associations.bulk.messages import sentence
from associations.bulk.staging import parts_of
from associations.bulk.template import XLSX
from associations.hubspot.unseen import visible
from associations.models import AssociationRequest, BulkRow, BulkRun, RowState
from associations.models.bulk import ENDED
from associations.models.readable import UnreadableRow
from associations.texts.labels import cannot_be_read
from associations.texts.outcomes import explain

# Every other row needs somebody, whatever keeps it back.
NEED_NOBODY = (RowState.READY, RowState.DOUBLE)


def rows_kept_back(run: BulkRun) -> QuerySet[BulkRow]:
    """Return the rows that cannot be sent unless somebody does something about them."""
    return run.rows.exclude(state__in=NEED_NOBODY)


def entries_to_correct(run: BulkRun) -> QuerySet[AssociationRequest]:
    """Return what an ended run has sent or queued, and has not surely linked."""
    return run.entries.filter(outcome__in=NOT_LINKED if run.state in ENDED else ())


def rows_never_queued(run: BulkRun) -> QuerySet[BulkRow]:
    """Return the rows that were ready, and which a cancellation has kept out of the log."""
    if run.state not in ENDED or not run.not_sent:
        return run.rows.none()
    queued = run.entries.filter(row_number=OuterRef("number"))
    return rows_to_send(run).filter(~Exists(queued))


def number_to_correct(run: BulkRun) -> int:
    """Return of how many pairs the file to correct tells.

    Of a run that undoes another there is none: uploaded, it would link them.
    """
    if run.undoes_id:
        return 0
    rest = (rows_kept_back(run), entries_to_correct(run), rows_never_queued(run))
    return sum(each.count() for each in rest)


# --- what is wrong with them ----------------------------------------------------------------------


class Fault(NamedTuple):
    """What is wrong with one pair of a line, in words; `fields` as they were read or stood there.

    The line is 0 where it is not known any more.
    """

    line: int
    fields: list[str]
    text: str


def faults_of(run: BulkRun) -> Iterator[Fault]:
    """Give the pairs that need somebody in the order of the file."""
    first = BulkRow.objects.filter(run=run.pk, number=OuterRef("row_number"))
    entries = entries_to_correct(run).select_related("names")
    lined = entries.annotate(line=Subquery(first.values("line")))
    sources = (
        (each for part in stretches(rows, number) for each in part)
        for rows, number in (
            (rows_kept_back(run), "number"),
            (lined, "row_number"),
            (rows_never_queued(run), "number"),
        )
    )
    for _number, row in merge(*sources, key=itemgetter(0)):
        yield _fault(run, row)


def _fault(run: BulkRun, row: Any) -> Fault:
    if isinstance(row, UnreadableRow):
        return Fault(0, [""] * len(FIELDS), cannot_be_read(row))
    if isinstance(row, AssociationRequest):
        told = explain(row)
        text = " ".join(filter(None, (told.sentence, told.merged, told.verification)))
        fields = [getattr(row, name) for name in FIELDS]
        return Fault(getattr(row, "line", 0) or 0, fields, text)
    # What was chosen for all rows goes with them, for the next upload.
    typed = [row.cells.get(name) or getattr(row, name) or getattr(run, name, "") for name in FIELDS]
    if row.state == RowState.READY:
        return Fault(row.line, typed, gettext("The run was canceled before this row was queued."))
    return Fault(row.line, typed, sentence(row.problem_field, row.problem, row.facts) or row.state)


# --- the file -------------------------------------------------------------------------------------


class Corrections(NamedTuple):
    """A file to correct: how its name ends, what it is, and its bytes."""

    suffix: str
    content_type: str
    content: Iterator[bytes]


def corrections_of(run: BulkRun, resolve: Resolve) -> Corrections:
    """Return the rows that need somebody, in the format in which they came."""
    beginning = _beginning(run, resolve)
    if beginning and _has_room(run, beginning):
        rows = _own_columns(run, beginning)
    else:
        rows = _our_columns(run)
    if beginning and beginning.workbook:
        return Corrections("xlsx", XLSX, _workbook(rows))
    delimiter = beginning.delimiter if beginning else ","
    encoding = _encoding_for(beginning.encoding) if beginning else Encoding.UTF_8
    said = f"sep={delimiter}\r\n" if beginning and beginning.says_delimiter else ""
    suffix, kind = ("tsv", "tab-separated-values") if delimiter == "\t" else ("csv", "csv")
    charset = "utf-16" if encoding in _MARKS and encoding != Encoding.UTF_8 else encoding
    content = _text(rows, delimiter, encoding, said)
    return Corrections(suffix, f"text/{kind}; charset={charset}", content)


def _beginning(run: BulkRun, resolve: Resolve) -> Beginning | None:
    """How the file begins; None if it is not kept."""
    if not run.uploads.exists():
        return None
    how = {name: run.layout.get(name) or run.chosen.get(name) for name in ("encoding", "sheet")}
    encoding = Encoding(how["encoding"]) if how["encoding"] else None
    try:
        return begin(parts_of(run), resolve=resolve, encoding=encoding, sheet=how["sheet"] or "")
    except FileError:
        return None


def _has_room(run: BulkRun, beginning: Beginning) -> bool:
    """Whether its columns have names, and may have a few more beside them."""
    return bool(run.headings) and len(beginning.first) + len(FIELDS) <= MAX_COLUMNS


def _names() -> list[str]:
    # Read again by files/headings.py, which knows them in each language of the pages.
    return [pgettext("column of a file", "line"), pgettext("column of a file", "problem")]


def _our_columns(run: BulkRun) -> Iterator[list[str]]:
    line, problem = _names()
    yield [line, *FIELDS, problem]
    for fault in faults_of(run):
        yield [str(fault.line or ""), *fault.fields, fault.text]


def _own_columns(run: BulkRun, beginning: Beginning) -> Iterator[list[str]]:
    """The lines as they came, each once, with all that is wrong with it."""
    names = list(without_ours(beginning.first))
    width = len(names)
    for_all = {name: getattr(run, name) for name in _said_for_all(run, names)}
    yield [*names, *for_all, *_names()]
    records = iter(records_of(beginning))
    at, cells = next(records, (0, []))
    for line, faults in groupby(faults_of(run), key=lambda fault: fault.line):
        while 0 < at < line:
            at, cells = next(records, (0, []))
        own = cells if at == line else []
        beyond = own[len(beginning.first) :]  # one cell too many is a problem of its own
        own = [*own[:width], *[""] * (width - len(own))]
        text = " ".join(dict.fromkeys(fault.text for fault in faults))
        yield [*own, *for_all.values(), str(line or ""), text, *beyond]


def _said_for_all(run: BulkRun, names: list[str]) -> list[str]:
    """What was chosen or written beside the file, and no column of it says."""
    known = {*fields_named(names)}
    for meaning in run.layout.get("meanings", []):
        name, _, object_type = meaning.partition(":")
        known |= {name, name.replace("_id", "_type")} if object_type else {name}
    said = ("from_object_type", "to_object_type", "reason")
    return [name for name in said if getattr(run, name) and name not in known]


# --- as bytes -------------------------------------------------------------------------------------

_MARKS = {
    Encoding.UTF_8: codecs.BOM_UTF8,
    Encoding.UTF_16_LE: codecs.BOM_UTF16_LE,
    Encoding.UTF_16_BE: codecs.BOM_UTF16_BE,
}
# Those that are found without a choice, as far as they can write what is to be said
_KEPT = (*_MARKS, Encoding.WINDOWS_1252, Encoding.SHIFT_JIS)


def _encoding_for(encoding: Encoding) -> Encoding:
    """The file's own, if it would be read so again and has the words of the active language."""
    if encoding not in _KEPT:
        return Encoding.UTF_8
    try:
        "".join(_names()).encode(encoding)
    except UnicodeEncodeError:
        return Encoding.UTF_8
    return encoding


def _text(
    rows: Iterable[list[str]], delimiter: str, encoding: Encoding, said: str
) -> Iterator[bytes]:
    """The rows as RFC 4180, with CRLF, none of whose cells a spreadsheet would compute."""
    yield _MARKS.get(encoding, b"") + said.encode(encoding)
    part = io.StringIO()
    writer = csv.writer(part, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    for number, row in enumerate(rows, 1):
        writer.writerow([harmless(visible(cell)) for cell in row])
        if number % ROWS_AT_ONCE == 0:
            yield part.getvalue().encode(encoding, errors="replace")
            part.seek(0)
            part.truncate()
    yield part.getvalue().encode(encoding, errors="replace")


_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_PIECE = 64 * 1024
_WIDTH = 20  # characters


def _workbook(rows: Iterable[list[str]]) -> Iterator[bytes]:
    """The rows as a workbook whose cells are texts: nothing is computed, and no digit is lost."""
    from openpyxl import Workbook  # slow to import, and hardly ever needed
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet("hubadmin")
    sheet.freeze_panes = "A2"
    rows = iter(rows)
    head = next(rows)
    for number in range(1, len(head) + 1):
        column = sheet.column_dimensions[get_column_letter(number)]
        column.width, column.number_format = _WIDTH, "@"
    for row in chain([head], rows):
        sheet.append([_cell(WriteOnlyCell(sheet), text) for text in row])
    with TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        yield from iter(lambda: file.read(_PIECE), b"")


def _cell(cell: Any, text: str) -> Any:
    # What looks like a mark for a character is marked itself, and a lone CR would be read as LF.
    text = _LOOKS_ESCAPED.sub("_x005F_", visible(text)).replace("\r", "_x000D_")
    cell.value = text
    cell.data_type, cell.number_format = "s", "@"
    return cell
