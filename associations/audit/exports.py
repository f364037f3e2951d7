"""Copies of the log: CSV for people and spreadsheets, JSON lines for whatever is to prove it.

Both are read stretch by stretch, so that no query and no transaction stays open while a slow reader
takes its time, and memory stays flat whatever their length.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connections, models
from django.db.models import Case, F, Func, Q, TextField, Value, When
from django.db.models.functions import Coalesce

from associations.audit.integrity.candidates import SEALABLE
from associations.audit.integrity.names import name_lines
from associations.audit.integrity.serialization import (
    KINDS,
    OWNERS,
    format_moment,
    line,
    lines_from,
)
from associations.hubspot.outcomes import OF_UNDO, VERDICTS, Linked
from associations.hubspot.unseen import visible
from associations.models import AssociationRequestQuerySet, AuditErasure
from associations.models.readable import (
    UNREADABLE,
    demand_times,
    demand_value,
    why_unreadable,
)

ROWS_AT_ONCE = {"csv": 8_000, "jsonl": 1_000}
WRITTEN_AT_ONCE = 500
_WORDS = {True: "yes", False: "no"}
# What a spreadsheet would take for the beginning of a formula; the last four as in East Asian text.
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def harmless(cell: object) -> object:
    """Return a cell as it is, or after a quote mark if a spreadsheet would compute it."""
    is_formula = isinstance(cell, str) and cell[:1] and cell[0] in FORMULA_STARTS
    return f"'{cell}" if is_formula else cell


class _Text(Func):
    """A text, made harmless by the database."""

    template = (
        "CASE WHEN substr(%(expressions)s, 1, 1) IN ("
        + ", ".join(f"'{character}'" for character in FORMULA_STARTS)
        + ") THEN '''' || %(expressions)s ELSE %(expressions)s END"
    )
    output_field = TextField()


class _Moment(Func):
    """A time in UTC, as both databases and every spreadsheet write it."""

    template = "+%(expressions)s"  # no more a time to SQLite's driver, which could not read some
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        zoned = "(%(expressions)s AT TIME ZONE 'UTC')"
        return self.as_sql(compiler, connection, template=zoned, **context)


def _yes_or_no(name: str) -> Case:
    """The two databases would write them in ways of their own."""
    yes, no = (When(**{name: value}, then=Value(word)) for value, word in _WORDS.items())
    return Case(yes, no, default=Value(""), output_field=TextField())


def _linked() -> Case:
    causes = {
        linked: [cause for cause, verdict in VERDICTS.items() if verdict.linked is linked]
        for linked in Linked
    }
    yes, no = Value(Linked.YES.value), Value(Linked.NO.value)
    is_undo = Q(undoes__isnull=False)
    nothing_changed = is_undo & Q(cause__in=set(causes[Linked.NO]) - OF_UNDO)
    seen = [When(is_undo, verified=True, then=no), When(verified=True, then=yes)]
    known = [When(cause__in=causes[linked], then=Value(linked.value)) for linked in Linked]
    kept = When(nothing_changed, then=yes)
    return Case(*seen, kept, *known, default=Value(""), output_field=TextField())


def _kept(column: str) -> Coalesce:
    """What is kept of names; nothing where none are."""
    return Coalesce(_Text(f"names__{column}"), Value(""), output_field=TextField())


# README tells what each column holds.
CSV_COLUMNS: dict[str, models.expressions.Combinable] = {
    "id": F("id"),
    "created_at": _Moment("created_at"),
    "sent_at": _Moment("sent_at"),
    "finished_at": _Moment("finished_at"),
    "user_id": F("user_id"),
    "user_name": _Text("user_name"),
    "user_email": _Text("user_email"),
    "from_object_type": F("from_object_type"),
    "from_object_id": F("from_object_id"),
    "to_object_type": F("to_object_type"),
    "to_object_id": F("to_object_id"),
    "reason": _Text("reason"),
    "outcome": F("outcome"),
    "cause": F("cause"),
    "linked": _linked(),
    "was_linked": _yes_or_no("was_linked"),
    "verified": _yes_or_no("verified"),
    "verified_at": _Moment("verified_at"),
    "unverified_cause": F("unverified_cause"),
    "http_status": F("http_status"),
    "status": _Text("status"),
    "num_errors": F("num_errors"),
    "error_category": _Text("error_category"),
    "error_text": _Text("error_text"),
    "correlation_id": _Text("correlation_id"),
    "requested_at": _Moment("requested_at"),
    "started_at": _Moment("started_at"),
    "completed_at": _Moment("completed_at"),
    "api_version": F("api_version"),
    "client_ip": F("client_ip"),
    "user_agent": _Text("user_agent"),
    "request_id": _Text("request_id"),
    "run": F("run_id"),
    "row_number": F("row_number"),
    "batch": F("batch_id"),
    "client_request_id": _Text("client_request_id"),
    "from_merged_into": F("from_merged_into"),
    "to_merged_into": F("to_merged_into"),
    "from_name": _kept("from_name"),
    "from_typed": _kept("from_typed"),
    "to_name": _kept("to_name"),
    "to_typed": _kept("to_typed"),
    "undoes": F("undoes_id"),
}


@dataclass(slots=True)
class ExportProgress:
    """How many entries an export has given so far."""

    rows: int = 0


def csv_lines(entries: AssociationRequestQuerySet, progress: ExportProgress) -> Iterator[bytes]:
    """Give the entries as CSV (RFC 4180, UTF-8 with a mark that spreadsheets know it by).

    All cells stand between quotes: some spreadsheets also split at semicolons, tabs and CRs. What
    cannot be seen is named in its place.
    """
    yield b"\xef\xbb\xbf" + ",".join(CSV_COLUMNS).encode() + b"\n"
    on_postgresql = connections[entries.db].vendor == "postgresql"
    read = _copied if on_postgresql else _written
    for stretch in _stretches(entries, ROWS_AT_ONCE["csv"]):
        rows, parts = read(stretch.values_list(*CSV_COLUMNS.values()))
        progress.rows += rows
        for part in parts:
            # Line by line: nearly all are told at a glance to hold nothing that cannot be seen.
            yield "\n".join(map(visible, part.split("\n"))).encode()


def json_lines(
    entries: AssociationRequestQuerySet, progress: ExportProgress, exported_at: datetime, query: str
) -> Iterator[bytes]:
    """Give each entry as its canonical line, after it what came later, and an end.

    Its names come next (README.md of integrity/ tells how they are proven). What came later are
    attempts that nobody waited for any more, and checks. The batch that an entry went out with
    follows the first one that names it. Erasures come last.

    The last line is `{"kind":"end","complete":true,...}`; without it the file is not whole.
    """
    lines, told = 0, set[int]()
    for stretch in _stretches(entries, ROWS_AT_ONCE["jsonl"]):
        for part in _with_batches(_with_what_came_later(stretch, progress), told):
            lines += len(part)
            yield "".join(f"{line}\n" for line in part).encode()
    erasures = [told for _, told in readable_lines("erasure", AuditErasure.objects.all())]
    if erasures:
        yield "".join(f"{told}\n" for told in erasures).encode()
    yield end_line(lines + len(erasures), exported_at, query)


def end_line(lines: int, exported_at: datetime, query: str) -> bytes:
    """Return the line that says that a file is whole."""
    end = {
        "kind": "end",
        "complete": True,
        "lines": lines,
        "exported_at": format_moment(exported_at),
        "query": query,
    }
    return json.dumps(end).encode() + b"\n"


def _stretches(
    entries: AssociationRequestQuerySet, size: int
) -> Iterator[AssociationRequestQuerySet]:
    """Give the entries, newest first, in stretches of so many."""
    rest = entries.newest_first()
    while True:
        end = rest.places()[size - 1 : size].first()
        if end is None:
            yield rest
            return
        yield rest.not_older_than(*end)
        rest = entries.newest_first().older_than(*end)


_Lines = tuple[int | None, list[str]]  # the entry's batch; its line, and what came later


def _with_what_came_later(
    stretch: AssociationRequestQuerySet, progress: ExportProgress
) -> list[_Lines]:
    found: dict[int, _Lines] = {
        row["id"]: (row.get("batch_id"), [told]) for row, told in readable_lines("entry", stretch)
    }
    progress.rows += len(found)
    for pk, told in name_lines([*found], with_unreadable=True).items():
        found[pk][1].append(told)
    for kind, owner in OWNERS.items():
        later = KINDS[kind]._default_manager.filter(SEALABLE[kind], **{f"{owner}__in": [*found]})
        for row, told in readable_lines(kind, later.order_by("id"), owner):
            found[row[owner]][1].append(told)
    return [*found.values()]


def _with_batches(found: list[_Lines], told: set[int]) -> Iterator[list[str]]:
    """Give the lines, those of a batch by themselves: one may be of megabytes."""
    part: list[str] = []
    for batch, lines in found:
        part += lines
        if isinstance(batch, int) and batch not in told:  # SQLite keeps anything
            told.add(batch)
            yield part
            own = KINDS["batch"]._default_manager.filter(pk=batch)
            yield [line for _, line in readable_lines("batch", own)]
            part = []
    yield part


def readable_lines(
    kind: str, rows: models.QuerySet[Any], *owner: str
) -> Iterator[tuple[dict[str, Any], str]]:
    """Give each row with its line; in the place of one that cannot be read, a line that says so."""
    try:
        found = list(lines_from(kind, rows))
        _demand_readable(kind, found)
        yield from found
    except UNREADABLE as error:
        demand_value(error)
        for key in list(rows.values("pk", *owner)):
            yield _line_or_why(kind, key)


def _demand_readable(kind: str, found: list[tuple[dict[str, Any], str]]) -> None:
    """Raise one of UNREADABLE if a line says what cannot be written, or leaves out what stands."""
    "".join(told for _, told in found).encode()
    demand_times(KINDS[kind], [row["id"] for row, _ in found])


def _line_or_why(kind: str, key: dict[str, Any]) -> tuple[dict[str, Any], str]:
    row = KINDS[kind]._default_manager.filter(pk__in=[key["pk"]])
    try:
        found = list(lines_from(kind, row))
        _demand_readable(kind, found)
        return found[0]
    except UNREADABLE as error:
        demand_value(error)
        facts = {"id": key["pk"], "of": kind, "why": why_unreadable(row, error)}
        return {"id": key["pk"], **key}, line("unreadable", facts)


def _written(rows: models.QuerySet[Any, Any]) -> tuple[int, list[str]]:
    """Rows as CSV, as the database gives them: no conversion that CSV would undo again."""
    sql, parameters = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        try:
            cursor.execute(sql, parameters)
            return _in_parts(cursor)  # Django's, not the driver's: whose errors are none of these
        except UNREADABLE as error:
            demand_value(error)
            # SQLite holds what is no text: with a mark in its place.
            database = cursor.db.connection
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            try:
                cursor.execute(sql, parameters)
                return _in_parts(cursor)
            finally:
                database.text_factory = str


def _in_parts(cursor: Any) -> tuple[int, list[str]]:
    """All rows of a query, few of them in memory as rows, which take several times as much."""
    count, parts = 0, []
    while found := cursor.fetchmany(WRITTEN_AT_ONCE):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(found)
        parts.append(text.getvalue())
        count += len(found)
    return count, parts


def _copied(rows: models.QuerySet[Any, Any]) -> tuple[int, list[str]]:
    """Rows as CSV, written by PostgreSQL itself."""
    sql, parameters = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        command = f"COPY ({cursor.mogrify(sql, parameters)}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"
        with cursor.copy(command) as copy:
            lines = iter(copy)
            parts = [*iter(lambda: b"".join(islice(lines, WRITTEN_AT_ONCE)).decode(), "")]
        return cursor.rowcount, parts
