"""What the records of a run's rows are called: asked for once in the dry run, kept with the rows.

The log gets these names with the entries. Where HubSpot tells none, or takes its time, there are
none, and nothing waits for them.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection

from associations.audit.recorder import kept_text
from associations.gateway.account import display_property
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import find_records
from associations.hubspot.record_references import SIDES
from associations.models import BulkRow, BulkRun, new_salt

# Of one run: 100 calls, where the smallest accounts have 250,000 a day. Those of more records are
# for machines, and nobody reads their names.
MOST_RECORDS = 10_000
RECORDS_AT_ONCE = 100  # as many as HubSpot takes in one call
SECONDS = 5.0  # for the records of one look: the lease of the run ends some time
COLUMNS = [f"{side}_{part}" for side in SIDES for part in ("name", "typed", "salt")]

_Record = tuple[str, str]  # its type and its id
_Names = dict[_Record, str]

# What this process has asked for the run that it was at last; empty where HubSpot has no such one.
# Whoever takes up another one reads what its rows have.
_known: dict[tuple[int, datetime], _Names] = {}


def look_up(client: HubSpotClient, run: BulkRun, rows: Sequence[BulkRow]) -> None:
    """Give rows of one pair of types the names of their records, as far as HubSpot tells them.

    Nothing is written yet.
    """
    if not settings.KEEP_RECORD_NAMES:
        return
    known = _known_of(run)
    _ask(client, _wanted(rows, known), known)
    for row in rows:
        for side in SIDES:
            _give(row, side, known.get(_record(row, side), ""))


def write(rows: Iterable[BulkRow]) -> None:
    """Write what the rows have of names. Part of a transaction."""
    named = [row for row in rows if row.from_salt or row.to_salt]
    if not named:
        return
    columns = ", ".join(f"{column} = %s" for column in COLUMNS)
    values = [[*(getattr(row, column) for column in COLUMNS), row.pk] for row in named]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE associations_bulkrow SET {columns} WHERE id = %s", values)


def copied(values: dict[str, str]) -> dict[str, str]:
    """Return the columns for a row that goes on with another one, under salts of its own."""
    new = dict[str, str]()
    for side in SIDES if settings.KEEP_RECORD_NAMES else ():
        name, typed = values.get(f"{side}_name") or "", values.get(f"{side}_typed") or ""
        if name or typed:
            new |= {f"{side}_name": name, f"{side}_typed": typed, f"{side}_salt": new_salt()}
    return new


def _record(row: BulkRow, side: str) -> _Record:
    return getattr(row, f"{side}_object_type"), getattr(row, f"{side}_object_id")


def _give(row: BulkRow, side: str, name: str) -> None:
    if name:
        setattr(row, f"{side}_name", name)
        setattr(row, f"{side}_salt", getattr(row, f"{side}_salt") or new_salt())


def _known_of(run: BulkRun) -> _Names:
    key = run.pk, run.created_at
    if key not in _known:
        _known.clear()
        _known[key] = _of_rows(run) if run.looked_up_to else {}
    return _known[key]


def _of_rows(run: BulkRun) -> _Names:
    """What another process has found out already."""
    known: _Names = {}
    for side in SIDES:
        columns = (f"{side}_object_type", f"{side}_object_id", f"{side}_name")
        named = run.rows.exclude(**{f"{side}_name": ""}).order_by().values_list(*columns)
        known |= {(kind, object_id): name for kind, object_id, name in named.distinct()}
    return known


def _wanted(rows: Sequence[BulkRow], known: _Names) -> dict[str, list[str]]:
    """The records that were not asked for yet, by type; no more than a run may ask for."""
    records = {_record(row, side) for row in rows for side in SIDES} - known.keys()
    wanted: dict[str, list[str]] = {}
    for object_type, object_id in sorted(records)[: max(0, MOST_RECORDS - len(known))]:
        wanted.setdefault(object_type, []).append(object_id)
    return wanted


def _ask(client: HubSpotClient, wanted: dict[str, list[str]], known: _Names) -> None:
    deadline = time.monotonic() + SECONDS
    for object_type, object_ids in wanted.items():
        named_by = display_property(object_type)
        for start in range(0, len(object_ids), RECORDS_AT_ONCE):
            part = object_ids[start : start + RECORDS_AT_ONCE]
            if time.monotonic() > deadline:
                return
            try:
                found = find_records(client, object_type, part, named_by)
            except (ReadError, ValueError):  # ValueError: a type that HubSpot cannot be asked for
                break  # of this type, another may be readable
            names = {each: found[each].name for each in part if each in found}
            known |= {(object_type, each): kept_text(names.get(each, ""), 200) for each in part}
