"""What HubSpot calls the records of entries: asked in one call a type, and remembered for minutes.

A list shows ids until the names are there, and goes on showing them where HubSpot tells none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from django.core.cache import cache

from associations.gateway import rate_limiter
from associations.gateway.account import display_property
from associations.gateway.cache import cached_lookup, run_concurrently
from associations.hubspot import lookups
from associations.hubspot.client import ReadError
from associations.hubspot.record_references import is_record_id
from associations.hubspot.schemas import Record
from associations.models import AssociationRequest
from associations.models.readable import UnreadableRow

if TYPE_CHECKING:
    from hubadmin.models import User

SECONDS = 5 * 60

_Known = tuple[str, str]  # a record's type and the id that HubSpot has it under
Names = Mapping[_Known, str]
Rows = Iterable[AssociationRequest | UnreadableRow]


@dataclass(frozen=True, slots=True)
class Named:
    """An entry and its records' names; these are empty where they are not known."""

    entry: AssociationRequest | UnreadableRow
    from_name: str = ""
    to_name: str = ""


def remember(object_type: str, record: Record) -> None:
    """Keep a name that was shown anyway: lists need not ask for it."""
    cache.set(_key((object_type, record.object_id)), record.name, SECONDS)


def remembered_name(object_type: str, object_id: str) -> str:
    """Return what a record is called, if that was shown here a moment ago."""
    name: str = cache.get(_key((object_type, object_id)), "")
    return name


def remembered(rows: Rows) -> tuple[list[Named], bool]:
    """Return the entries with the names that are known here, and whether all of them are."""
    rows = list(rows)
    names, wanted = _remembered(rows)
    return _named(rows, names), len(names) == len(wanted)


def look_up(user: "User", rows: Rows) -> list[Named]:
    """Return the entries with their names, asked of HubSpot as far as they are not known.

    That is one of the looks that a person has: without one left, what is known has to do.
    """
    rows = list(rows)
    names, wanted = _remembered(rows)
    unknown = wanted - names.keys()
    if unknown and not rate_limiter.look_wait(user.pk):
        names |= _asked(unknown)
    return _named(rows, names)


def _remembered(rows: Rows) -> tuple[dict[_Known, str], set[_Known]]:
    """What is remembered, and what is wanted: that of which the entry keeps no name itself."""
    wanted = {
        known
        for row in rows
        for known, kept in zip(_records_of(row), _kept_by(row), strict=True)
        if not kept and is_record_id(known[1])
    }
    found = cache.get_many([_key(known) for known in wanted])
    return {known: found[_key(known)] for known in wanted if _key(known) in found}, wanted


def _asked(unknown: set[_Known]) -> dict[_Known, str]:
    by_type = defaultdict(list)
    for object_type, object_id in sorted(unknown):
        by_type[object_type].append(object_id)
    looks = [
        partial(_names_of, object_type, object_ids, display_property(object_type))
        for object_type, object_ids in by_type.items()
    ]
    return {known: name for found in run_concurrently(*looks) for known, name in found.items()}


def _names_of(object_type: str, object_ids: list[str], named_by: str) -> dict[_Known, str]:
    """What HubSpot calls them; nothing if it does not say. What it lacks has no name."""
    asked = object_type, tuple(object_ids), named_by
    try:
        found = cached_lookup(lookups.find_records, *asked, seconds=0)
    except (ReadError, ValueError):  # ValueError: a type that HubSpot cannot be asked for
        return {}
    records = [found.get(each) or Record(each) for each in object_ids]
    for record in records:
        remember(object_type, record)
    return {(object_type, record.object_id): record.name for record in records}


def _named(rows: Rows, names: Names) -> list[Named]:
    return [
        Named(
            row,
            *(
                kept or names.get(known, "")
                for known, kept in zip(_records_of(row), _kept_by(row), strict=True)
            ),
        )
        for row in rows
    ]


def _kept_by(row: AssociationRequest | UnreadableRow) -> list[str]:
    return [] if isinstance(row, UnreadableRow) else [row.from_name, row.to_name]


def _records_of(row: AssociationRequest | UnreadableRow) -> list[_Known]:
    if isinstance(row, UnreadableRow):
        return []
    return list(zip((row.from_object_type, row.to_object_type), row.ids_left, strict=True))


def _key(known: _Known) -> str:
    return "name." + sha256("\0".join(known).encode()).hexdigest()
