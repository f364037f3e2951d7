"""The dry run: rows are staged (`staging.py`), found, and looked at.

Nothing of it is in the log, and nothing is sent but questions: which records are meant, whether
they are there, whether they are linked already, and whether there is room for their link.
Each step writes a few hundred rows in one transaction, and goes on where the last one ended.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from associations.bulk import mapping, resolving, room, row_names, undoing
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import FIELDS
from associations.bulk.files.rows import RowReason
from associations.bulk.leases import asks_for, hold, release
from associations.bulk.shutdown import out_of_time
from associations.bulk.staging import demand_access, forget_rows, mark_doubles, stage
from associations.bulk.turns import is_quick
from associations.db import retry_on_outage, update_each
from associations.gateway import clients, rate_limiter
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import association_types, current_ids, links_of_many
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import Problem
from associations.hubspot.schemas import Links
from associations.linking.undo import Look, look_at_many
from associations.models import (
    BulkRow,
    BulkRun,
    RowState,
    RunState,
)
from hubadmin.web.access import watch

TYPES_SECONDS = 10 * 60  # so long the types of links that two types of records have are remembered
PAIRS_AT_ONCE = 1_000  # as many as HubSpot takes in one call
_ORDER = ("from_object_type", "to_object_type", "number")


def read_run(run: BulkRun, until: float) -> None:
    """Stage the rows of a claimed run, as far as one comes until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError.
    """
    if run.problem:  # told of before all rows were forgotten
        return _end_unreadable(run, until)
    try:
        if not run.is_read and not stage(run, until):
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


def _end_unreadable(run: BulkRun, until: float) -> None:
    """Its file stays, as long as its columns may be told to mean something else."""
    # Of a run that can never start nobody needs what was staged; nor does it count as waiting.
    if not forget_rows(run, until):
        return release(run)
    return retry_on_outage(lambda: _end(run, RunState.UNREADABLE))


def _end(run: BulkRun, state: RunState) -> None:
    hold(run, state=state, read_at=timezone.now())
    run.refresh_from_db()
    if not mapping.can_be_chosen(run):
        run.uploads.all().delete()
    release(run)


def _find(run: BulkRun, until: float) -> bool:
    """Find the records that rows name by something else than their ids; return whether all are."""
    demand_access(run)
    for step in (resolving.find_next, resolving.settle_next):
        while step(run):
            if out_of_time(until):
                return False
            demand_access(run)
    if not mark_doubles(run, until):
        return False
    retry_on_outage(lambda: hold(run, is_found=True))
    return True


# --- what HubSpot shows of the rows ---------------------------------------------------------------


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
    demand_access(run)
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
    demand_access(run)
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
