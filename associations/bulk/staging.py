"""What becomes the rows of a run, before any of it is in the log: a file's, or another run's.

Some hundred are written in one transaction, and staging goes on where the last one ended.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Subquery, Window
from django.db.models.functions import Coalesce, RowNumber

from associations.bulk import mapping, resolving, row_names, undoing
from associations.bulk.enqueueing import rows_to_send
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.rows import Named, Row, RowChecker, pairs_in
from associations.bulk.leases import asks_for, hold
from associations.bulk.shutdown import out_of_time
from associations.db import retry_on_outage, write_in_turn
from associations.gateway.account import form_options
from associations.hubspot.outcomes import LASTING, Outcome
from associations.models import (
    AssociationRequest,
    AssociationRequestQuerySet,
    BulkRow,
    BulkRun,
    RowState,
)
from associations.models.querysets import OF_PAIR

ROWS_AT_ONCE = 500
FAILED = (Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.UNCONFIRMED)


def demand_access(run: BulkRun) -> None:
    """Nothing is read or asked on in the name of somebody who may not act any more."""
    if not asks_for(run)():
        raise FileError(FileReason.ACCESS_ENDED)


def forget_rows(run: BulkRun, until: float) -> bool:
    """Delete what is staged; return whether all of it is gone."""
    while pks := list(run.rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        write_in_turn(partial(_forget_part, run, pks))
        if out_of_time(until):
            return not run.rows.exists()
    return True


def _forget_part(run: BulkRun, pks: list[int]) -> None:
    hold(run)
    run.rows.filter(pk__in=pks).delete()


def stage(run: BulkRun, until: float) -> bool:
    """Stage rows; return whether all are."""
    demand_access(run)
    if run.is_anew:
        if not forget_rows(run, until):
            return False
        retry_on_outage(lambda: hold(run, is_anew=False))
    rows = _taken_up(run) or _rows(run)
    while part := list(islice(rows, ROWS_AT_ONCE)):
        demand_access(run)
        last = write_in_turn(partial(_write, run, part))
        if out_of_time(until):
            if not (run.retry_of_id or run.undoes_id):
                _open[run.pk, run.created_at] = last, rows
            return False
    retry_on_outage(lambda: hold(run, is_read=True))
    return True


class _Staged(NamedTuple):
    """A row as it is to be written: `columns` has those that are not empty.

    A model's instance would take several times as long to make as to write.
    """

    columns: dict[str, Any]
    named: Mapping[str, Named] = MappingProxyType({})
    is_further: bool = False  # of its line it is not the first pair


def _rows(run: BulkRun) -> Iterator[_Staged]:
    if run.retry_of is None:
        return _rows_to_undo(run) if run.undoes_id else _rows_of_file(run)
    return _rows_left(run, run.retry_of) if run.is_taken_over else _rows_to_retry(run)


# The file that this process was at last: its run, the last row that was staged, and what follows.
# Whoever takes up another one has to read it anew as far as it is staged.
_open: dict[tuple[int, datetime], tuple[int, Iterator[_Staged]]] = {}


def _taken_up(run: BulkRun) -> Iterator[_Staged] | None:
    """Return the rows that follow, if nobody else has staged any meanwhile.

    By the last row itself, not its number: where the columns mean something else by now, another
    process may have staged as many.
    """
    staged, rows = _open.pop((run.pk, run.created_at), (0, None))
    _open.clear()
    return rows if staged and staged == _last_pk(run) else None


def _write(run: BulkRun, rows: list[_Staged]) -> int:
    """Write the next rows; return the id of the last one."""
    invalid = sum(row.columns["state"] == RowState.INVALID for row in rows)
    hold(
        run,
        rows_read=F("rows_read") + len(rows),
        rows_invalid=F("rows_invalid") + invalid,
        rows_further=F("rows_further") + sum(row.is_further for row in rows),
    )
    keys = resolving.keys_for(run, (each for row in rows for each in row.named.values()))
    for row in rows:
        for side, named in row.named.items():
            row.columns[f"{side}_key_id"] = keys[named].pk
    _insert(run, [row.columns for row in rows])
    return _last_pk(run)


_COLUMNS = {each.attname: each for each in BulkRow._meta.concrete_fields if not each.primary_key}


def _insert(run: BulkRun, rows: list[dict[str, Any]]) -> None:
    """Insert rows whose values are of their columns' own types, as those of a dry run are.

    bulk_create() would have each value prepared by itself, for most of a dry run's time; only
    JSON needs it.
    """
    names = [connection.ops.quote_name(name) for name in _COLUMNS]
    marks = ", ".join(["%s"] * len(names))
    table = connection.ops.quote_name(BulkRow._meta.db_table)
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of our own columns
    empty = _prepared({name: each.get_default() for name, each in _COLUMNS.items()})
    empty["run_id"] = run.pk
    with connection.cursor() as cursor:
        cursor.executemany(sql, [list((empty | _prepared(row)).values()) for row in rows])


def _prepared(row: dict[str, Any]) -> dict[str, Any]:
    as_json = {
        name: _COLUMNS[name].get_db_prep_save(row[name], connection)
        for name in ("facts", "cells")
        if name in row
    }
    return row | as_json if as_json else row


def _last_pk(run: BulkRun) -> int:
    return run.rows.order_by("-number").values_list("pk", flat=True).first() or 0


def _last_number(run: BulkRun) -> int:
    last = run.rows.order_by("-number").values_list("number", flat=True).first()
    return last or 0


# --- from a file ----------------------------------------------------------------------------------


def _rows_of_file(run: BulkRun) -> Iterator[_Staged]:
    options = form_options()
    table = mapping.table_for(run, parts_of(run), options["types"].resolve)
    checker = RowChecker(
        **options, from_object_type=run.from_object_type, to_object_type=run.to_object_type
    )
    staged = _last_number(run)
    number = 0
    for record in table:
        for place, values in enumerate(pairs_in(table.values(record))):
            number += 1
            if number > settings.BULK_MAX_ROWS:
                raise FileError(FileReason.TOO_MANY_ROWS, limit=settings.BULK_MAX_ROWS)
            if number > staged:
                row = checker.check(values)
                columns = _staged(row, values, number, record.line)
                # What a row with a problem names is not looked for.
                yield _Staged(columns, {} if row.problem else row.named, place > 0)


def parts_of(run: BulkRun) -> Callable[[], Iterator[bytes]]:
    """Return the file in parts, read from the database one by one each time it is called."""

    def parts() -> Iterator[bytes]:
        numbers = run.uploads.order_by("number").values_list("number", flat=True)
        for number in list(numbers):
            yield bytes(run.uploads.get(number=number).content)

    return parts


def _staged(checked: Row, values: Mapping[str, str], number: int, line: int) -> dict[str, Any]:
    """The columns of a row that was read."""
    columns = {
        "number": number,
        "line": line,
        "from_object_type": checked.from_object_type,
        "from_object_id": checked.from_object_id,
        "to_object_type": checked.to_object_type,
        "to_object_id": checked.to_object_id,
        "reason": checked.reason,
        "state": RowState.READY.value,
    }
    if checked.problem:
        columns["state"] = RowState.INVALID.value
        columns["problem_field"], columns["problem"], columns["facts"] = checked.problem
    elif checked.named:
        columns["state"] = RowState.TO_FIND.value
        for side, named in checked.named.items():
            columns[f"{side}_object_type"] = named.object_type
    else:
        return columns
    return columns | {"cells": dict(values)}  # whole: a line is bounded


# --- what failed before ---------------------------------------------------------------------------


def to_try_again(run: int | None) -> AssociationRequestQuerySet:
    """Return the entries of a run that failed for a cause that can pass by itself."""
    failed = AssociationRequest.objects.filter(run=run, outcome__in=FAILED)
    return failed.exclude(cause__in=LASTING)


def _rows_to_retry(run: BulkRun) -> Iterator[_Staged]:
    failed = to_try_again(run.retry_of_id).filter(row_number__gt=_last_number(run))
    first = BulkRow.objects.filter(run=run.retry_of_id, number=OuterRef("row_number"))
    # 0 is none: those of the first file are not kept for ever.
    lined = failed.annotate(line=Coalesce(Subquery(first.values("line")), 0))
    columns = ("row_number", "line", "reason", "undoes_id", *OF_PAIR)
    names = [f"names__{column}" for column in row_names.COLUMNS]
    fields_of_each = lined.order_by("row_number").values(*columns, *names)
    for fields in fields_of_each.iterator():
        kept = {column: fields.pop(f"names__{column}") for column in row_names.COLUMNS}
        number = fields.pop("row_number")
        fields |= row_names.copied(kept)
        yield _Staged(fields | {"number": number, "state": RowState.READY.value})


# --- what somebody else's run has left ------------------------------------------------------------


def _rows_left(run: BulkRun, first: BulkRun) -> Iterator[_Staged]:
    """Rows that are not linked; a call that is under way may link one yet, which does no harm."""
    done = Outcome.LINKED, Outcome.UNLINKED
    linked = first.entries.filter(row_number=OuterRef("number"), outcome__in=done)
    left = rows_to_send(first).filter(~Exists(linked), number__gt=_last_number(run))
    columns = ("number", "line", "reason", "undoes_id", *OF_PAIR)
    fields_of_each = left.order_by("number").values(*columns, *row_names.COLUMNS)
    for fields in fields_of_each.iterator():
        kept = {column: fields.pop(column) for column in row_names.COLUMNS}
        yield _Staged(fields | row_names.copied(kept) | {"state": RowState.READY.value})


# --- what another run has linked ------------------------------------------------------------------


def _rows_to_undo(run: BulkRun) -> Iterator[_Staged]:
    last = run.rows.order_by("-number").values_list("number", "undoes_id").first()
    staged, entry = last or (0, 0)
    for number, columns in enumerate(undoing.rows_of(run, entry or 0), staged + 1):
        yield _Staged(columns | {"number": number, "state": RowState.READY.value})


# --- doubles --------------------------------------------------------------------------------------


def mark_doubles(run: BulkRun, until: float) -> bool:
    """Of rows that say the same, only the first is sent. Return whether all are marked."""
    occurrence = Window(RowNumber(), partition_by=OF_PAIR, order_by=F("number").asc())
    ready = run.rows.filter(state=RowState.READY).annotate(occurrence=occurrence)
    doubles = ready.filter(occurrence__gt=1).order_by().values_list("pk", flat=True)
    # Read in full before the first of them is changed.
    pks = list(doubles)
    for start in range(0, len(pks), ROWS_AT_ONCE):
        part = pks[start : start + ROWS_AT_ONCE]
        write_in_turn(partial(_mark_part, run, part))
        if out_of_time(until):
            return False
    return True


def _mark_part(run: BulkRun, pks: list[int]) -> None:
    hold(run)
    doubles = run.rows.filter(pk__in=pks, state=RowState.READY)
    looked_up = [*doubles.exclude(was_linked=None).values_list("was_linked", flat=True)]
    marked = doubles.update(state=RowState.DOUBLE)
    hold(
        run,
        rows_double=F("rows_double") + marked,
        rows_looked_up=F("rows_looked_up") - len(looked_up),
        rows_linked=F("rows_linked") - sum(map(bool, looked_up)),
    )
