"""What HubSpot has of the records that rows name by ids: whether they are there, and their names.

Asked in the dry run, a hundred in one call and each once. The log gets the names with the entries.
Where HubSpot tells nothing of them they have none, and are taken to be there: unknown is not no.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from associations.audit.recorder import kept_text
from associations.bulk.files.rows import RowReason
from associations.db import update_each
from associations.gateway.account import display_property
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import archived_among, current_ids, find_records
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import SIDES, PairReason, Problem
from associations.models import BulkRow, BulkRun, new_salt

# Of one run: 100 calls, where the smallest accounts have 250,000 a day. Those of more records are
# for machines, and nobody reads their names.
MOST_RECORDS = 10_000
RECORDS_AT_ONCE = 100  # as many as HubSpot takes in one call
SECONDS = 20.0  # for the records of one look: the lease of the run ends some time
COLUMNS = [f"{side}_{part}" for side in SIDES for part in ("name", "typed", "salt")]

_Record = tuple[str, str]  # its type and its id


class _Seen(NamedTuple):
    """A record as HubSpot shows it: without an id where there is none."""

    object_id: str
    name: str = ""
    is_archived: bool = False


_Known = dict[_Record, _Seen]

# What this process has asked for the run that it was at last. Whoever takes up another one reads
# what its rows have.
_known: dict[tuple[int, datetime], _Known] = {}


def look_up(client: HubSpotClient, run: BulkRun, rows: Sequence[BulkRow]) -> dict[int, Problem]:
    """Give rows of one pair of types the names of their records, as far as HubSpot tells them.

    Return what is wrong with those of which HubSpot lacks a record, by their id. Nothing is written
    yet. Raises NoSlotError; ReadError where the run's person may not act any more.
    """
    known = _known_of(run)
    _ask(client, _wanted(rows, known), known)
    missing: dict[int, Problem] = {}
    for row in rows:
        for side in SIDES:
            record = _record(row, side)
            seen = known.get(record)
            if seen and seen.object_id:
                _give(row, side, seen)
            elif seen:
                facts: dict[str, str | int] = {"object_type": record[0], "text": record[1]}
                why = RowReason.ARCHIVED if seen.is_archived else RowReason.MISSING
                missing.setdefault(row.pk, Problem(f"{side}_object_id", why, facts))
        if _is_one_record(row):
            missing.setdefault(row.pk, Problem("to_object_id", PairReason.ITSELF, {}))
    return missing


def _is_one_record(row: BulkRow) -> bool:
    """Whether a row names one record by two ids, one of which was merged into the other."""
    left = [
        (getattr(row, f"{side}_object_type"), row.facts.get(f"{side}_merged_into") or each)
        for side, each in (("from", row.from_object_id), ("to", row.to_object_id))
    ]
    return left[0] == left[1]


def write(rows: Iterable[BulkRow]) -> None:
    """Write what the rows have of names, and of merges. Part of a transaction."""
    rows = list(rows)
    update_each([row for row in rows if row.facts], ["facts"])
    update_each([row for row in rows if row.from_salt or row.to_salt], COLUMNS)


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


def _give(row: BulkRow, side: str, seen: _Seen) -> None:
    if seen.name and settings.KEEP_RECORD_NAMES:
        setattr(row, f"{side}_name", seen.name)
        setattr(row, f"{side}_salt", getattr(row, f"{side}_salt") or new_salt())
    if seen.object_id != getattr(row, f"{side}_object_id"):
        row.facts = {**row.facts, f"{side}_merged_into": seen.object_id}


def _known_of(run: BulkRun) -> _Known:
    key = run.pk, run.created_at
    if key not in _known:
        _known.clear()
        _known[key] = _of_rows(run) if run.looked_up_to else {}
    return _known[key]


def _of_rows(run: BulkRun) -> _Known:
    """What another process has found out already."""
    known: _Known = {}
    for side in SIDES:
        columns = (f"{side}_object_type", f"{side}_object_id", f"{side}_name")
        named = run.rows.filter(facts={}).exclude(**{f"{side}_name": ""}).order_by()
        for kind, object_id, name in named.values_list(*columns).distinct():
            known[kind, object_id] = _Seen(object_id, name)
    return known


def _wanted(rows: Sequence[BulkRow], known: _Known) -> dict[str, list[str]]:
    """The records that were not asked for yet, by type; no more than a run may ask for.

    What was found by something else than its id is there, and has its name already.
    """
    found = {_record(row, side) for row in rows for side in SIDES if getattr(row, f"{side}_key_id")}
    records = {_record(row, side) for row in rows for side in SIDES} - known.keys() - found
    wanted: dict[str, list[str]] = {}
    for object_type, object_id in sorted(records)[: max(0, MOST_RECORDS - len(known))]:
        wanted.setdefault(object_type, []).append(object_id)
    return wanted


def _ask(client: HubSpotClient, wanted: dict[str, list[str]], known: _Known) -> None:
    deadline = time.monotonic() + SECONDS
    for object_type, object_ids in wanted.items():
        for start in range(0, len(object_ids), RECORDS_AT_ONCE):
            part = object_ids[start : start + RECORDS_AT_ONCE]
            if time.monotonic() > deadline:
                return
            try:
                known |= _shown(client, object_type, part)
            except ReadError as error:
                if error.cause is Cause.ACCESS_ENDED:
                    raise
                break  # of this type, another may be readable
            except ValueError:  # a type that HubSpot cannot be asked for
                break


def _shown(client: HubSpotClient, object_type: str, part: Sequence[str]) -> _Known:
    found = find_records(client, object_type, part, display_property(object_type))
    ids = {each: each for each in part if each in found}
    if lost := [each for each in part if each not in ids]:
        # Or merged into another one, which may be among these as well, and is shown once.
        ids |= current_ids(client, object_type, lost)
    gone = _archived(client, object_type, [each for each in part if each not in ids])
    names = {each: kept_text(record.name, 200) for each, record in found.items()}
    return {
        (object_type, each): _Seen(ids[each], names.get(ids[each], ""))
        if each in ids
        else _Seen("", is_archived=each in gone)
        for each in part
    }


def _archived(
    client: HubSpotClient, object_type: str, object_ids: Sequence[str]
) -> Collection[str]:
    """Which of these that are not there were deleted, as far as HubSpot tells."""
    try:
        return archived_among(client, object_type, object_ids) if object_ids else ()
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return ()
