"""The dry run: a file, or the failed rows of an earlier run, becomes staged rows.

Nothing of it is in the log, and nothing is sent but questions: which records are meant, whether
they are there, whether they are linked already, and whether there is room for their link.
Each step writes a few hundred rows in one transaction, and goes on where the last one ended.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Subquery, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from associations.bulk import mapping, resolving, room, row_names, undoing
from associations.bulk.enqueueing import rows_to_send
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import FIELDS
from associations.bulk.files.rows import Named, Row, RowChecker, RowReason, pairs_in
from associations.bulk.leases import asks_for, hold, release
from associations.bulk.shutdown import out_of_time
from associations.bulk.turns import is_quick
from associations.db import retry_on_outage, update_each, write_in_turn
from associations.gateway import clients, rate_limiter
from associations.gateway.account import form_options
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import association_types, current_ids, links_of_many
from associations.hubspot.outcomes import LASTING, Cause, Outcome
from associations.hubspot.record_references import Problem
from associations.hubspot.schemas import Links
from associations.linking.undo import Look, look_at_many
from associations.models import (
    AssociationRequest,
    AssociationRequestQuerySet,
    BulkRow,
    BulkRun,
    RowState,
    RunState,
)
from hubadmin.web.access import watch

TYPES_SECONDS = 10 * 60  # so long the types of links that two types of records have are remembered
PAIRS_AT_ONCE = 1_000  # as many as HubSpot takes in one call
_ORDER = ("from_object_type", "to_object_type", "number")


def look_up_next(run: BulkRun) -> bool:
    """Look up the next rows of one pair of types; return False if none are left, or none can be.

    Raises LeaseLostError, NoSlotError; FileError once its person may not act any more.
    """
    if run.undoes_id:
        return _look_at_next_undos(run)
    if not settings.HUBSPOT_VERIFY or run.lookup_cause:
        return False
    rows = _next_rows(run)
    if not rows:
        return False
    _demand_access(run)
    try:
        client = clients.dry_run(quick=_is_look(run)).on_behalf(watch(asks_for(run)))
        refused = _refused_pairs(client, rows) or row_names.look_up(client, run, rows)
        there = [row for row in rows if row.pk not in refused]
        found = _links(client, there) if there else {}
        left = _ids_left(client, there, found) if there else {}
        seen = {row.pk: _was_linked(row, found, left) for row in there}
        full = room.rows_without_room(client, run, rows, seen, found, left) if there else {}
    except ReadError as error:
        _note_silence(run, error)
        return False
    seen = {pk: is_seen for pk, is_seen in seen.items() if pk not in full}
    retry_on_outage(lambda: _note(run, rows, seen, refused | full))
    return True


def _note_silence(run: BulkRun, error: ReadError) -> None:
    if error.cause is Cause.ACCESS_ENDED:
        raise FileError(FileReason.ACCESS_ENDED) from error
    retry_on_outage(lambda: hold(run, lookup_cause=error.cause))


def _look_at_next_undos(run: BulkRun) -> bool:
    """The same of a run that undoes another: which of these cannot be undone, and why.

    What the log says counts for all of them, even where HubSpot shows nothing.
    """
    rows = _next_rows(run)
    if not rows:
        return False
    _demand_access(run)
    looks: dict[int, Look] = {}
    if settings.HUBSPOT_VERIFY and not run.lookup_cause:
        client = clients.dry_run(quick=False).on_behalf(watch(asks_for(run)))
        try:
            looks = look_at_many(client, rows, seconds=clients.READ_SECONDS)
        except ReadError as error:
            _note_silence(run, error)
    retry_on_outage(lambda: _note_undos(run, rows, looks))
    return True


def _note_undos(run: BulkRun, rows: Sequence[BulkRow], looks: Mapping[int, Look]) -> None:
    kept_back = undoing.keep_back(run, rows, looks)
    seen = len(looks) and len(rows) - kept_back
    place = [getattr(rows[-1], name) for name in _ORDER]
    hold(run, looked_up_to=place, rows_looked_up=F("rows_looked_up") + seen)


def _links(client: HubSpotClient, rows: Sequence[BulkRow]) -> dict[str, Links]:
    return links_of_many(
        client,
        rows[0].from_object_type,
        sorted({row.from_object_id for row in rows}),
        rows[0].to_object_type,
        seconds=clients.READ_SECONDS,
    )


def _refused_pairs(client: HubSpotClient, rows: Sequence[BulkRow]) -> dict[int, Problem]:
    """All of these rows, by their id, if HubSpot would not link their types at all."""
    pair = rows[0].from_object_type, rows[0].to_object_type
    try:
        types = cached_lookup(
            association_types, *pair, seconds=TYPES_SECONDS, client=lambda: client
        )
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return {}  # unknown is not no
    if any(not each.label for each in types):
        return {}
    facts: dict[str, str | int] = {"read": pair[0], "chosen": pair[1]}
    problem = Problem("to_object_id", RowReason.NO_DEFAULT, facts)
    return {row.pk: problem for row in rows}


def _is_look(run: BulkRun) -> bool:
    # What somebody waits for at the screen begins with a look like that of the form, and the
    # person's looks are bounded.
    is_first = is_quick(run) and not run.looked_up_to
    return is_first and not rate_limiter.look_wait(run.user_id)


def _ids_left(
    client: HubSpotClient, rows: Sequence[BulkRow], found: dict[str, Links]
) -> dict[str, str]:
    """Look up under which ids HubSpot has the second records that may be there by another one.

    They may where the first is linked, but not to the id that was asked for.
    """
    in_doubt = {
        row.to_object_id
        for row in rows
        if (links := found.get(row.from_object_id, Links())).records
        and links.to(row.to_object_id) is None
    }
    return current_ids(
        client,
        rows[0].to_object_type,
        sorted(in_doubt),
        seconds=clients.READ_SECONDS,
    )


def _next_rows(run: BulkRun) -> Sequence[BulkRow]:
    # Those that were looked up before somebody made a choice for others need no second look.
    rows = run.rows.filter(state=RowState.READY, was_linked=None).order_by(*_ORDER)
    if run.looked_up_to:
        from_type, to_type, number = run.looked_up_to
        of_pair = Q(from_object_type=from_type, to_object_type=to_type)
        later = Q(from_object_type=from_type, to_object_type__gt=to_type)
        same = list(rows.filter(of_pair, number__gt=number)[:PAIRS_AT_ONCE])
        if same:
            return same
        rows = rows.filter(later | Q(from_object_type__gt=from_type))
    first = rows.first()
    if first is None:
        return []
    pair = {name: getattr(first, name) for name in _ORDER[:2]}
    return list(rows.filter(**pair)[:PAIRS_AT_ONCE])


def _note(
    run: BulkRun,
    rows: Sequence[BulkRow],
    seen: dict[int, bool | None],
    refused: dict[int, Problem],
) -> None:
    hold(
        run,
        rows_invalid=F("rows_invalid") + len(refused),
        looked_up_to=[getattr(rows[-1], name) for name in _ORDER],
        rows_looked_up=F("rows_looked_up") + sum(is_seen is not None for is_seen in seen.values()),
        rows_linked=F("rows_linked") + sum(map(bool, seen.values())),
    )
    for answer in (True, False):
        pks = [pk for pk, is_seen in seen.items() if is_seen is answer]
        run.rows.filter(pk__in=pks).update(was_linked=answer)
    row_names.write(rows)
    _refuse(rows, refused)


def _refuse(rows: Sequence[BulkRow], refused: dict[int, Problem]) -> None:
    at_fault = [row for row in rows if row.pk in refused]
    for row in at_fault:
        row.state = RowState.INVALID
        row.problem_field, row.problem, row.facts = refused[row.pk]
        row.cells = {name: getattr(row, name) for name in FIELDS}
    update_each(at_fault, ["state", "problem_field", "problem", "facts", "cells"])


def _was_linked(row: BulkRow, found: dict[str, Links], ids_left: dict[str, str]) -> bool | None:
    """By the default type; None where HubSpot did not show enough to tell."""
    links = found.get(row.from_object_id)
    if links is None:
        return None
    link = links.to(ids_left.get(row.to_object_id, row.to_object_id))
    if link is not None:
        return link.is_default
    return False if links.is_whole else None


ROWS_AT_ONCE = 500
FAILED = (Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.UNCONFIRMED)
_PAIR = ["from_object_type", "from_object_id", "to_object_type", "to_object_id"]


def read_run(run: BulkRun, until: float) -> None:
    """Stage the rows of a claimed run, as far as one comes until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError.
    """
    if run.problem:  # told of before all rows were forgotten
        return _end_unreadable(run, until)
    try:
        if not run.is_read and not _stage(run, until):
            return release(run)
        if not run.is_found and not _find(run, until):
            return release(run)
        while look_up_next(run):
            if out_of_time(until):
                return release(run)
    except FileError as error:
        # Kept at once: what is forgotten in part cannot be gone on with, even if all is well again.
        facts = {"problem": str(error.reason), "problem_facts": error.facts}
        retry_on_outage(partial(hold, run, **facts))
        return _end_unreadable(run, until)
    except clients.NoSlotError:
        return release(run)
    except resolving.NotNowError:
        return release(run, seconds=resolving.PATIENCE)
    return retry_on_outage(lambda: _end(run, RunState.READY))


def _demand_access(run: BulkRun) -> None:
    """Nothing is read or asked on in the name of somebody who may not act any more."""
    if not asks_for(run)():
        raise FileError(FileReason.ACCESS_ENDED)


def _end_unreadable(run: BulkRun, until: float) -> None:
    """Its file stays, as long as its columns may be told to mean something else."""
    # Of a run that can never start nobody needs what was staged; nor does it count as waiting.
    if not _forget_rows(run, until):
        return release(run)
    return retry_on_outage(lambda: _end(run, RunState.UNREADABLE))


def _end(run: BulkRun, state: RunState) -> None:
    hold(run, state=state, read_at=timezone.now())
    run.refresh_from_db()
    if not mapping.can_be_chosen(run):
        run.uploads.all().delete()
    release(run)


def _forget_rows(run: BulkRun, until: float) -> bool:
    """Delete what is staged; return whether all of it is gone."""
    while pks := list(run.rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        write_in_turn(partial(_forget_part, run, pks))
        if out_of_time(until):
            return not run.rows.exists()
    return True


def _forget_part(run: BulkRun, pks: list[int]) -> None:
    hold(run)
    run.rows.filter(pk__in=pks).delete()


def _stage(run: BulkRun, until: float) -> bool:
    """Stage rows; return whether all are."""
    _demand_access(run)
    if run.is_anew:
        if not _forget_rows(run, until):
            return False
        retry_on_outage(lambda: hold(run, is_anew=False))
    rows = _taken_up(run) or _rows(run)
    while part := list(islice(rows, ROWS_AT_ONCE)):
        _demand_access(run)
        last = write_in_turn(partial(_write, run, part))
        if out_of_time(until):
            if not (run.retry_of_id or run.undoes_id):
                _open[run.pk, run.created_at] = last, rows
            return False
    retry_on_outage(lambda: hold(run, is_read=True))
    return True


def _find(run: BulkRun, until: float) -> bool:
    """Find the records that rows name by something else than their ids; return whether all are."""
    _demand_access(run)
    for step in (resolving.find_next, resolving.settle_next):
        while step(run):
            if out_of_time(until):
                return False
            _demand_access(run)
    if not _mark_doubles(run, until):
        return False
    retry_on_outage(lambda: hold(run, is_found=True))
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
    columns = ("row_number", "line", "reason", "undoes_id", *_PAIR)
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
    columns = ("number", "line", "reason", "undoes_id", *_PAIR)
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


def _mark_doubles(run: BulkRun, until: float) -> bool:
    """Of rows that say the same, only the first is sent. Return whether all are marked."""
    occurrence = Window(RowNumber(), partition_by=_PAIR, order_by=F("number").asc())
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
