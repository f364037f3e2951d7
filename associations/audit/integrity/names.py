"""Proves what records were called by the digests that their entries hold, and what was erased.

A name that is gone is accounted for by an erasure, and only by one that is signed: whoever may
write rows can make up all the others.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from associations.audit.integrity import id_ranges
from associations.audit.integrity.serialization import line
from associations.audit.integrity.signing import SigningKeyError, is_signed
from associations.hubspot.record_references import SIDES
from associations.models import AssociationRequest, AuditErasure, RecordNames, name_digest
from associations.models.readable import (
    UNREADABLE,
    UnreadableRow,
    demand_value,
    read_rows,
    readable_only,
)

ENTRIES_AT_ONCE = 2_000
# For so long a page that was open hands on what it has shown; an hour for clocks that differ.
HANDED_ON = timedelta(hours=25)
PARTS = ("name", "typed", "salt")
_COLUMNS = {side: tuple(f"{side}_{part}" for part in PARTS) for side in SIDES}
_WORDS = {"from": "From", "to": "To"}

Erased = Mapping[str, id_ranges.Ranges]  # by side, the entries of which it was erased
_Row = dict[str, Any]


def names_amiss(entries: Collection[int], erased: Erased) -> Iterator[str]:
    """Say of which of these entries a name is not the one that was sealed with it."""
    wanted = sorted(entries)
    for start in range(0, len(wanted), ENTRIES_AT_ONCE):
        part = wanted[start : start + ENTRIES_AT_ONCE]
        for row in _rows(AssociationRequest.objects.filter(pk__in=part)):
            yield from _amiss(row, erased)


def erased_sides() -> dict[str, id_ranges.Ranges]:
    """Return of which entries each side was erased, by somebody with a key."""
    found: dict[str, list[id_ranges.Ranges]] = {side: [] for side in SIDES}
    for row in true_erasures():
        for side, ranges in entries_of(row).items():
            found[side].append(ranges)
    return {side: id_ranges.merged(*ranges) for side, ranges in found.items()}


def true_erasures() -> list[AuditErasure]:
    """Return those that somebody with a key has done, each once. Raises SigningKeyError."""
    signed = {row.signature: row for row in reversed(readable_only(_erasures())) if is_signed(row)}
    return [*reversed(signed.values())]


def erased_since(moment: datetime) -> set[tuple[str, str]]:
    """Return the records that were erased since then: their types and ids.

    Whoever signed it, for a server may have no key to tell: in doubt less is kept. PostgreSQL lets
    nobody erase, then, before the transaction ends that has asked this.
    """
    rows = readable_only(read_rows(AuditErasure.objects.filter(erased_at__gt=moment)))
    parts = [str(record).partition("/") for row in rows for record in row.records]
    return {(object_type, object_id) for object_type, _, object_id in parts}


def entries_of(erasure: AuditErasure) -> dict[str, id_ranges.Ranges]:
    """Return the ids of the entries of which an erasure took a side; it has to be a true one."""
    told = erasure.entries
    return {side: id_ranges.from_text(str(told[side])) for side in SIDES if told.get(side)}


def erasures_told() -> list[str]:
    """Say of each erasure what it took out, and when."""
    told = []
    for row in true_erasures():
        count = sum(map(id_ranges.size, entries_of(row).values()))
        names = "1 name" if count == 1 else f"{count} names" if count else "what files said"
        told.append(f"Erased on {row.erased_at:%Y-%m-%d}: {names} of {', '.join(row.records)}.")
    return told


def made_up_erasures() -> Iterator[str]:
    """Name each row that tells of an erasure which nobody with a key has done.

    Of two that are the same, the copy may have the lower number: where one was never used.
    """
    true = {row.signature: row.pk for row in true_erasures()}
    for row in _erasures():
        if isinstance(row, UnreadableRow):
            yield f"Erasure {row.pk} was made up: it cannot be read ({row.why})."
        elif not is_signed(row):
            yield f"Erasure {row.pk} was made up: nobody with a key that is trusted here signed it."
        elif (first := true[row.signature]) != row.pk:
            yield f"Erasure {row.pk} repeats erasure {first}: one of the two was made up."


def erased_on(entry: AssociationRequest) -> dict[str, Any]:
    """Return by side when the name of an entry's record was erased, if it was.

    Nobody who has no key here can tell: then as if none was.
    """
    found = {}
    try:
        rows = true_erasures()
    except SigningKeyError:
        return {}
    for row in rows:
        for side, ranges in entries_of(row).items():
            if id_ranges.contains(ranges, entry.pk):
                found[side] = row.erased_at
    return found


def name_lines(entries: Collection[int], *, with_unreadable: bool = False) -> dict[int, str]:
    """Return by entry the line that opens its digests: names, and the salts to prove them by.

    No line where no name is kept, or where all was erased; where nobody can read it one that says
    so, if that is wanted.
    """
    found = {}
    for row in read_rows(RecordNames.objects.filter(entry_id__in=list(entries))):
        if isinstance(row, RecordNames):
            found[row.pk] = _line(row)
        elif with_unreadable:
            found[row.pk] = line("unreadable", {"id": row.pk, "of": "names", "why": row.why})
    return {pk: told for pk, told in found.items() if told}


def is_opened_by(entry: Mapping[str, Any], side: str, names: Mapping[str, Any]) -> bool:
    """Whether the names of a line are those whose digest an entry's line holds."""
    name, typed, salt = (str(names.get(column, "")) for column in _COLUMNS[side])
    digest = entry.get(f"{side}_name_digest", "")
    return name_digest(salt, name, typed) == digest if salt or name or typed else True


def _line(row: RecordNames) -> str:
    columns = [column for side in SIDES for column in _COLUMNS[side]]
    told = {column: value for column in columns if (value := getattr(row, column))}
    return line("names", {"entry": row.pk, **told}) if told else ""


def _rows(entries: QuerySet[AssociationRequest]) -> Iterator[_Row]:
    """Those that hold a digest or have names, with both."""
    digests = [f"{side}_name_digest" for side in SIDES]
    columns = [f"names__{column}" for side in SIDES for column in _COLUMNS[side]]
    is_named = ~Q(from_name_digest="") | ~Q(to_name_digest="") | Q(names__isnull=False)
    rows = entries.filter(is_named).order_by("pk")
    try:
        yield from list(rows.values("pk", *digests, *columns))
    except UNREADABLE as error:
        demand_value(error)
        for pk in list(rows.values_list("pk", flat=True)):
            yield from _row_or_none(rows.filter(pk__in=[pk]).values("pk", *digests, *columns), pk)


def _row_or_none(row: QuerySet[Any, _Row], pk: int) -> list[_Row]:
    try:
        return list(row)
    except UNREADABLE as error:
        demand_value(error)
        return [{"pk": pk, "is_unreadable": True}]


def _amiss(row: _Row, erased: Erased) -> Iterator[str]:
    pk = row["pk"]
    if row.get("is_unreadable"):
        yield f"The names of entry {pk} were altered: they cannot be read."
        return
    for side in SIDES:
        name, typed, salt = (row[f"names__{column}"] or "" for column in _COLUMNS[side])
        digest = row[f"{side}_name_digest"]
        which = f"The name under {_WORDS[side]} of entry {pk}"
        is_there = bool(name or typed or salt)
        if is_there and not digest:
            yield f"{which} was inserted: the entry was sealed without one."
        elif is_there and name_digest(salt, name, typed) != digest:
            yield f"{which} was altered: it does not give the digest that was sealed."
        elif is_there and id_ranges.contains(erased[side], pk):
            yield f"{which} was put back: it had been erased."
        elif digest and not is_there and not id_ranges.contains(erased[side], pk):
            yield f"{which} was removed: no signed erasure accounts for that."


def _erasures() -> list[AuditErasure | UnreadableRow]:
    return read_rows(AuditErasure.objects.order_by("pk"))
