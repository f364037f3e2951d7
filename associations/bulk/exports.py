"""What became of each row of a run, as a file.

It is read stretch by stretch, so that no query stays open while a slow reader takes its time,
and memory stays flat.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import get_language, gettext, override

from associations.audit.exports import harmless
from associations.bulk.files.headings import FIELDS
from associations.bulk.files.rows import RowReason
from associations.bulk.messages import sentence
from associations.hubspot.outcomes import Outcome
from associations.hubspot.unseen import visible
from associations.models import AssociationRequest, BulkRow, BulkRun, RowState, RunState
from associations.models.readable import UnreadableRow, read_rows, with_readable
from associations.texts.labels import cannot_be_read
from associations.texts.outcomes import explain

ROWS_AT_ONCE = 1_000
NAMES = ("from_name", "to_name")
_TOLD = ("state", "linked", "what_happened", "hubspot", "entry")
RESULT_COLUMNS = ("row", "line", *FIELDS, *_TOLD, *NAMES)
# What the log has of an entry that no line of the file shows.
_NOT_SHOWN = ("body", "results", "links", "user_agent")
LEFT_OUT, NOT_SENT = "left_out", "not_sent"
_CANCELED = (RunState.CANCELING, RunState.CANCELED)
NOT_LINKED = (Outcome.UNCONFIRMED, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.CANCELED)
_Numbered = tuple[int, BulkRow | AssociationRequest | UnreadableRow]


def rows_left_out(run: BulkRun) -> Iterator[dict[str, object]]:
    """Give the rows that cannot be sent, each with its line, why by our name, and in a sentence.

    Of those that need a choice, also what could be meant.
    """
    bad = run.rows.filter(state=RowState.INVALID).select_related("from_key", "to_key")
    for part in stretches(bad, "number"):
        for number, row in part:
            yield _left_out(run, number, row)


def _left_out(run: BulkRun, number: int, row: Any) -> dict[str, object]:
    if isinstance(row, UnreadableRow):
        return {"line": number, "reason_code": "unreadable", "problem": cannot_be_read(row)}
    typed = {name: _seen(row.cells.get(name) or getattr(run, name, "")) for name in FIELDS}
    problem = sentence(row.problem_field, row.problem, row.facts)
    told = {"line": row.line, "reason_code": row.problem, **typed, "problem": problem}
    return told | _candidates(row)


def _candidates(row: Any) -> dict[str, object]:
    if isinstance(row, UnreadableRow) or row.problem != RowReason.CHOOSE:
        return {}
    key = getattr(row, f"{row.problem_field.partition('_')[0]}_key")
    return {
        "candidates": [
            dict(zip(("id", "name", "detail"), map(_seen, each), strict=False))
            for each in key.candidates
        ]
    }


def pairs_not_linked(run: BulkRun) -> Iterator[dict[str, object]]:
    """Give the pairs that have ended, and of which it is not certain that they are linked."""
    entries = run.entries.filter(outcome__in=NOT_LINKED).defer(*_NOT_SHOWN)
    for part in stretches(entries.select_related("names"), "row_number"):
        lines = dict(
            run.rows.filter(number__range=(part[0][0], part[-1][0])).values_list("number", "line")
        )
        for number, entry in part:
            yield {"line": lines.get(number)} | _told_of(entry)


def _told_of(entry: Any) -> dict[str, object]:
    if isinstance(entry, UnreadableRow):
        return {"entry": entry.pk, "outcome": "unreadable", "problem": cannot_be_read(entry)}
    told = {name: getattr(entry, name) for name in ("outcome", "cause", *FIELDS)}
    problem = explain(entry).sentence
    return {"entry": entry.pk} | told | {"problem": problem}


def _seen(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


def spoken(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of a file in the language of this request, which is over when they are written."""
    language = get_language()

    def given() -> Iterator[bytes]:
        while True:
            with override(language):
                part = next(parts, None)
            if part is None:
                return
            yield part

    return given()


def result_lines(run: BulkRun) -> Iterator[bytes]:
    """Give each row of the file in its order, as far as it is still known, and how it stands.

    Some days after its end the rows that were not sent are not known any more.
    """
    yield _head(RESULT_COLUMNS)
    entries = run.entries.select_related("names").defer(*_NOT_SHOWN)
    sources = (
        (each for part in stretches(entries, "row_number") for each in part),
        (each for part in stretches(run.rows.all(), "number") for each in part),
    )
    numbered = groupby(merge(*sources, key=itemgetter(0)), key=itemgetter(0))
    lines = (_result(run, number, found) for number, found in numbered)
    for part in _parts(lines):
        yield _csv(part)


def stretches(rows: QuerySet[Any], number: str) -> Iterator[list[_Numbered]]:
    """Give the rows in the order of their numbers, so many at a time."""
    rest = rows = with_readable(rows, number).order_by(number)
    while part := [(_number(row, number), row) for row in read_rows(rest[:ROWS_AT_ONCE], number)]:
        yield part
        rest = rows.filter(**{f"{number}__gt": part[-1][0]})


def _number(row: Any, name: str) -> int:
    found = row.known[name] if isinstance(row, UnreadableRow) else getattr(row, name)
    return int(found)


def _parts(lines: Iterator[list[object]]) -> Iterator[list[list[object]]]:
    part: list[list[object]] = []
    for line in lines:
        part.append(line)
        if len(part) == ROWS_AT_ONCE:
            yield part
            part = []
    yield part


def _result(run: BulkRun, number: int, found: Iterable[_Numbered]) -> list[object]:
    row: BulkRow | None = None
    entry: AssociationRequest | None = None
    for _, each in found:
        if isinstance(each, UnreadableRow):
            return _unreadable(number, each)
        if isinstance(each, BulkRow):
            row = each
        else:
            entry = each
    line = (row.line if row else 0) or ""
    if row and not entry:
        return [number, line, *_as_read(row), *_of_row(run, row), "", "", *_names(row)]
    if entry:
        told = _of_entry(run, entry, was_linked=bool(row and row.was_linked))
        if row and row.problem:  # it was kept back when its turn came
            told = *told[:2], sentence(row.problem_field, row.problem, row.facts)
        of_log = entry.error_text, entry.pk, *_names(entry)
        return [number, line, *_fields(entry), *told, *of_log]
    raise ValueError("a number that neither a row nor an entry has")


def _unreadable(number: int, row: UnreadableRow) -> list[object]:
    entry = row.pk if row.model is AssociationRequest else ""
    told = ("unreadable", "", cannot_be_read(row), "", entry)
    return [number, "", *("" for _ in FIELDS), *told, *("" for _ in NAMES)]


def _fields(row: BulkRow | AssociationRequest) -> list[str]:
    return [getattr(row, name) for name in FIELDS]


def _names(row: BulkRow | AssociationRequest) -> list[str]:
    return [getattr(row, name) for name in NAMES]


def _as_read(row: BulkRow) -> list[str]:
    """What was understood of the row, and of a field where nothing was, what stood there."""
    return [getattr(row, name) or str(row.cells.get(name, "")) for name in FIELDS]


def _of_row(run: BulkRun, row: BulkRow) -> tuple[str, str, str]:
    if row.state == RowState.INVALID:
        return row.state, "", sentence(row.problem_field, row.problem, row.facts)
    if row.state == RowState.DOUBLE:
        return row.state, "", gettext("A row above says the same, so this one was not sent.")
    if row.state != RowState.READY:
        return row.state, "", ""  # of another version of this code
    linked = {True: "yes", False: "no", None: ""}[row.was_linked]
    if row.was_linked and run.skip_linked:
        text = gettext("The records were linked already, so this row was left out.")
        return LEFT_OUT, linked, text
    if run.undoes_id:
        linked = ""
    if run.state in _CANCELED:
        text = gettext("The run was canceled before this row was queued.")
        return LEFT_OUT, linked, text
    return NOT_SENT, linked, gettext("This row was not sent yet.")


def _of_entry(run: BulkRun, entry: AssociationRequest, *, was_linked: bool) -> tuple[str, str, str]:
    """What came of it; a pair that the dry run saw linked is not unlinked by its cancellation."""
    if run.state == RunState.CANCELING and entry.outcome == Outcome.QUEUED:
        text = gettext("The run is being canceled, so this row will not be sent any more.")
        return entry.outcome, "", text
    explanation = explain(entry)
    told = (explanation.sentence, explanation.merged, explanation.verification)
    stays = was_linked and entry.outcome == Outcome.CANCELED
    return entry.outcome, "yes" if stays else entry.linked or "", " ".join(filter(None, told))


def _head(columns: Iterable[str]) -> bytes:
    return b"\xef\xbb\xbf" + ",".join(columns).encode() + b"\n"


def _csv(lines: Iterable[list[object]]) -> bytes:
    """Lines as RFC 4180, all cells between quotes, none of which a spreadsheet would compute."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([harmless(cell) for cell in line] for line in lines)
    return visible(text.getvalue()).encode()
