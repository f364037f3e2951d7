"""What a log says, row by row and in the database's own words; and what its seals hold of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import models

from associations.audit.integrity import id_ranges, sealing
from associations.audit.integrity.manifest import Coverage, Manifest, before_the_first, read
from associations.audit.integrity.serialization import KINDS, OWNERS
from associations.models import AuditSeal, AuditVerification, RecordNames
from tests.faults.log.databases import on_postgresql, rows_of
from tests.faults.log.values import columns_of

Row = dict[str, str | None]
Rows = dict[str, dict[int, Row]]  # of each kind, by id


def tables() -> dict[str, type[models.Model]]:
    """Every kind there is, by the name that seals have for it, and what watches over them."""
    return {"seal": AuditSeal, "verification": AuditVerification, "names": RecordNames} | KINDS


def table(kind: str) -> str:
    return tables()[kind]._meta.db_table


def read_rows() -> Rows:
    """The texts of all columns, whatever they hold."""
    return {kind: _rows_of(model) for kind, model in tables().items()}


def _rows_of(model: type[models.Model]) -> dict[int, Row]:
    names = [each.column for each in columns_of(model)]
    text = '"{0}"::text' if on_postgresql() else 'hex("{0}") || \' \' || typeof("{0}")'
    chosen = ", ".join(text.format(name) for name in names)
    key = model._meta.pk.column
    found = rows_of(f'SELECT "{key}", {chosen} FROM {model._meta.db_table}')
    return {row[0]: dict(zip(names, map(_text, row[1:]), strict=True)) for row in found}


def _text(value: str | None) -> str | None:
    if value is None or on_postgresql():
        return value
    content, _, kind = value.rpartition(" ")
    text = bytes.fromhex(content).decode(errors="surrogateescape")
    return None if kind == "null" else f"blob {content}" if kind == "blob" else text


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one row. `columns` are those that are not as they were."""

    kind: str
    pk: int
    what: str  # inserted, altered, deleted
    before: Row = field(default_factory=dict)
    after: Row = field(default_factory=dict)

    @property
    def columns(self) -> set[str]:
        names = self.before.keys() | self.after.keys()
        return {name for name in names if self.before.get(name) != self.after.get(name)}

    def __str__(self) -> str:
        columns = f" ({', '.join(sorted(self.columns))})" if self.what == "altered" else ""
        return f"{self.kind} {self.pk} {self.what}{columns}"


def changes_of(before: Rows, after: Rows) -> list[Change]:
    return [each for kind in after for each in _changes_of(kind, before[kind], after[kind])]


def _changes_of(kind: str, before: dict[int, Row], after: dict[int, Row]) -> Iterator[Change]:
    for pk in before.keys() | after.keys():
        old, new = before.get(pk, {}), after.get(pk, {})
        if old != new:
            what = "inserted" if not old else "altered" if new else "deleted"
            yield Change(kind, pk, what, old, new)


class Chain:
    """Seals that were read while nobody had touched them, up to one of them."""

    def __init__(self, seals: list[Manifest]) -> None:
        self.seals = seals
        self.last = seals[-1].coverage if seals else before_the_first()
        self.number = seals[-1].number if seals else 0

    @classmethod
    def of_log(cls) -> "Chain":
        return cls([read(each.manifest) for each in AuditSeal.objects.all()])

    def up_to(self, number: int) -> "Chain":
        return Chain([each for each in self.seals if each.number <= number])

    def holds(self, kind: str, pk: int) -> bool:
        """Whether some seal says what this row is, or that there is none."""
        coverage = self.last.get(kind, Coverage())
        return pk <= coverage.high and not id_ranges.contains(coverage.waiting, pk)

    def has_seen(self, kind: str, pk: int) -> bool:
        """Whether some seal has looked at this number, whatever it says of it."""
        return any(pk <= each.coverage.get(kind, Coverage()).high for each in self.seals)

    def earliest(self, kind: str, pk: int, *, is_end: bool) -> datetime | None:
        """No time of a row that no seal holds can lie (long) before this seal.

        A row that had ended by then would be in it, if it was not full; one that had begun would at
        least have been seen.
        """
        for seal in reversed(self.seals):
            is_full = len(seal.ids(kind)) >= sealing.ITEMS_PER_SEAL
            has_seen = pk <= seal.coverage.get(kind, Coverage()).high
            if not is_full and (is_end or not has_seen):
                return seal.sealed_at
        return None

    def ids(self, kind: str, where: str) -> list[int]:
        """Ids that no row has: `pruned` with their seals, or `waiting` for a row to come."""
        coverage = self.last.get(kind, Coverage())
        if where == "waiting":
            return _some(coverage.waiting)
        start = self.seals[0] if self.seals and self.seals[0].number > 1 else None
        gone = start.coverage.get(kind, Coverage()) if start else Coverage()
        covered = gone if where == "pruned" else coverage
        return _some(id_ranges.less([(1, covered.high)] if covered.high else [], covered.waiting))


def _some(ranges: id_ranges.Ranges) -> list[int]:
    return [pk for first, last in ranges for pk in range(first, min(last, first + 50) + 1)]


def owner_of(kind: str, row: Row) -> int | None:
    """The entry that a row came to, if it came to one."""
    owner = row.get({**OWNERS, "names": "entry_id"}.get(kind, ""))
    return int(owner) if owner and owner.lstrip("-").isdecimal() else None
