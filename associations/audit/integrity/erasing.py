"""Takes the names of a record out of the log, while every proof still holds.

An entry keeps the salted digest of a name; name, typed key and salt go, and without the salt nobody
can try names on the digest. What was taken out is a row of its own, signed, and sealed at once.
Only the owner of the tables can do this, as it lifts the triggers.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from associations.audit.integrity import id_ranges, signing, triggers
from associations.audit.integrity.sealing import seal_log
from associations.hubspot.record_references import SIDES
from associations.models import (
    AssociationRequest,
    AuditErasure,
    AuditFilter,
    BulkKey,
    BulkRow,
    BulkRun,
    BulkUpload,
    RecordNames,
    RowState,
    RunState,
)
from associations.models.querysets import TRIGRAM
from associations.models.readable import with_readable

Record = tuple[str, str]  # a canonical type and an id
ROWS_AT_ONCE = 2_000
CELL_LENGTH = 40  # of what a sentence about a file tells of each cell
SHOWN = 20  # entries whose reason may name the person, and names that are looked for
_PARTS = ("name", "typed", "salt")
_UNTOLD = "…"


@dataclass(slots=True)
class Erasure:
    """What was taken out, or would be: of which records, from which sides of which entries."""

    records: list[Record] = field(default_factory=list)
    entries: dict[str, list[int]] = field(default_factory=dict)
    # of files, in runs that are not tidied away yet
    rows: set[int] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)  # what was sought for these
    texts: set[str] = field(default_factory=set)  # what stood there

    @property
    def names(self) -> int:
        return sum(map(len, self.entries.values()))

    @property
    def is_logged(self) -> bool:
        """Whether a sealed row tells of it: of a record, and of something that there was."""
        return bool(self.records and (self.names or self.rows))


def records_found_by(text: str) -> list[Record]:
    """Return the records of which the log, or a file, keeps this address, domain or whole name."""
    found = set[Record]()
    for side in SIDES:
        record = f"{side}_object_type", f"{side}_object_id"
        for model, names in ((AssociationRequest, f"names__{side}"), (BulkRow, side)):
            kept = Q(**{f"{names}_typed__iexact": text}) | Q(**{f"{names}_name__iexact": text})
            found |= {*model._default_manager.filter(kept).values_list(*record).distinct()}
    said = BulkKey.objects.filter(Q(text__iexact=text) | Q(name__iexact=text))
    found |= {*said.exclude(object_id="").values_list("object_type", "object_id").distinct()}
    return sorted(found)


def plan(records: Iterable[Record], text: str = "") -> Erasure:
    """Return what there is to erase of these records, under whatever id they have had.

    By `text` they were found; rows of files may say it of which nobody knows the record.
    """
    found = Erasure(sorted(_with_merged({*records})), texts={text})
    for side in SIDES:
        names = _names(side, found.records)
        staged = _rows(side, found.records)
        found.entries[side] = sorted(names.values_list("pk", flat=True))
        found.rows |= {*staged.values_list("pk", flat=True)}
        found.texts |= {*_texts(names, side), *_texts(staged, side)}
    found.texts |= {*_named_by(found.records)}
    found.texts.discard("")
    found.keys = _keys_that_say(found)
    found.rows |= _rows_that_say(found.texts)
    return found


def erase(records: Collection[Record], by: str, text: str = "") -> Erasure:
    """Take the names of these records out of the log and out of what is staged, in one transaction.

    Raises SigningKeyError, TamperedError; DatabaseError to whoever is not the owner.
    """
    signing.own_key()
    with triggers.lifted():
        # Once more: somebody may have found a further record by it meanwhile.
        found = plan({*records, *(records_found_by(text) if text else ())}, text)
        for side in SIDES:
            nothing = {f"{side}_{part}": "" for part in _PARTS}
            _names(side, found.records).update(**nothing)
            _rows(side, found.records).update(**nothing)
        for part in id_ranges.batches(id_ranges.of_ids(found.rows)):
            told = BulkRow.objects.filter(id_ranges.condition(part))
            told.update(cells={}, facts={})
            told.exclude(state=RowState.READY).update(reason="")  # which goes nowhere
        for part in id_ranges.batches(id_ranges.of_ids(found.keys)):
            BulkKey.objects.filter(id_ranges.condition(part)).delete()
        if found.is_logged:
            _record(found, by)
    return found


def _record(found: Erasure, by: str) -> None:
    ranges = {side: id_ranges.of_ids(ids) for side, ids in found.entries.items() if ids}
    erasure = AuditErasure(
        erased_at=timezone.now(),
        by=by,
        records=["/".join(record) for record in found.records],
        entries={side: id_ranges.to_text(each) for side, each in ranges.items()},
    )
    erasure.signature = signing.sign(erasure.statement)
    erasure.save(force_insert=True)
    for _ in seal_log():
        pass


def forget_files(texts: Collection[str], *, is_dry: bool = False) -> int:
    """Take these texts out of what runs know of their files; return of how many runs.

    What is told of the first lines loses them. A file that is kept goes whole, as nobody can change
    a part of it: its rows stay. By itself, for a worker that has hold of a run may wait for the
    tables that erasing has.
    """
    readable = with_readable(BulkRun.objects.all(), *_TOLD)
    runs = readable.exclude(problem_facts={}, unused_columns=[], layout={})
    found = 0
    for pk, facts, columns, layout in runs.values_list("pk", *_TOLD):
        told = {name: _UNTOLD if _says(value, texts) else value for name, value in facts.items()}
        left = [each for each in columns if not _says(each, texts)]
        is_kept = not (_says(layout, texts) or _file_says(pk, layout, texts))
        if (told, left) == (facts, columns) and is_kept:
            continue
        found += 1
        if not is_dry:
            # How a file is read on, in which nothing of its cells stands
            left_of_it = {name: layout[name] for name in _OF_READING if name in layout}
            known = layout if is_kept else left_of_it
            values = {"problem_facts": told, "unused_columns": left, "layout": known}
            with transaction.atomic():
                BulkRun.objects.filter(pk=pk).update(**values)
                if not is_kept:
                    BulkUpload.objects.filter(_IS_READ, run=pk).delete()
    return found


_TOLD = ("problem_facts", "unused_columns", "layout")
_OF_READING = ("meanings", "is_remembered")
_IS_READ = ~Q(run__state=RunState.READING)


def _file_says(run: int, layout: dict[str, Any], texts: Iterable[str]) -> bool:
    """Whether the file that a run keeps says one of these; one of another kind might.

    In whatever encoding it could be in, for the wrong one may be chosen.
    """
    parts = BulkUpload.objects.filter(_IS_READ, run=run).order_by("number")
    content = b"".join(bytes(part) for part in parts.values_list("content", flat=True))
    encodings = dict.fromkeys((layout.get("encoding") or "utf-8", *layout.get("encodings", {})))
    read_as = [_decoded(content, each) for each in encodings]
    wanted = [each.casefold() for each in texts if len(each) >= TRIGRAM]
    return read_as[0] is None or any(each in text for text in read_as if text for each in wanted)


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding).casefold()
    except (UnicodeDecodeError, LookupError):
        return None


def runs_with(texts: Collection[str]) -> list[int]:
    """Return the runs in whose name, or in a reason that waits there, somebody wrote a text."""
    found = set[int]()
    for text in sorted(texts)[:SHOWN]:
        if len(text) >= TRIGRAM:
            said = Q(name__icontains=text) | Q(reason__icontains=text)
            found |= {*BulkRun.objects.filter(said).values_list("pk", flat=True)}
            waiting = BulkRow.objects.filter(reason__icontains=text, state=RowState.READY)
            found |= {*waiting.values_list("run_id", flat=True).distinct()}
    return sorted(found)


def runs_being_read() -> list[int]:
    """Return the runs whose files are not read to their end: what these say is not looked at."""
    kept = BulkUpload.objects.exclude(_IS_READ)
    return sorted({*kept.values_list("run_id", flat=True).distinct()})


def overwrite() -> None:
    """Have the bytes go as well, from wherever this database has them. Raises DatabaseError."""
    with connection.cursor() as cursor:
        for statement in _OVERWRITE[connection.vendor]:
            cursor.execute(statement)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if cursor.fetchone()[0]:
                raise DatabaseError("somebody reads meanwhile: its write-ahead log was not emptied")


_OVERWRITE = {
    "sqlite": [
        "PRAGMA secure_delete = ON",
        triggers.REBUILD_NAMES,
        "VACUUM",
    ],
    "postgresql": [
        f"VACUUM (FULL, ANALYZE) {RecordNames._meta.db_table}",
        f"VACUUM (FULL, ANALYZE) {BulkRow._meta.db_table}",
        f"VACUUM (FULL, ANALYZE) {BulkKey._meta.db_table}",
        f"VACUUM (FULL, ANALYZE) {BulkRun._meta.db_table}",
        f"VACUUM FULL {BulkUpload._meta.db_table}",  # whole files, deleted once they are read
        # What the planner knew of the columns are values that stood there.
        "VACUUM FULL pg_catalog.pg_statistic",
    ],
}


def reasons_with(texts: Iterable[str]) -> Iterator[int]:
    """Give entries whose reason holds one of these texts: people wrote it, and it is sealed."""
    for text in sorted(texts)[:SHOWN]:
        if len(text) >= TRIGRAM:
            wanted = AuditFilter(reason=text)
            yield from AssociationRequest.objects.matching(wanted).values_list("pk", flat=True)


def _with_merged(records: set[Record]) -> set[Record]:
    """The same records under the ids that they had before they were merged, or have since."""
    found, new = set(records), records
    while new:
        new = _merged_once(new) - found
        found |= new
    return found


def _merged_once(records: set[Record]) -> set[Record]:
    found = set[Record]()
    for object_type, object_id in records:
        for side in SIDES:
            of_type = AssociationRequest.objects.filter(**{f"{side}_object_type": object_type})
            before = of_type.filter(**{f"{side}_merged_into": object_id})
            after = of_type.filter(**{f"{side}_object_id": object_id})
            ids = {*before.values_list(f"{side}_object_id", flat=True)}
            ids |= {*after.values_list(f"{side}_merged_into", flat=True)} - {""}
            found |= {(object_type, each) for each in ids}
    return found


def _names(side: str, records: Iterable[Record]) -> Any:
    """The rows that keep anything of this side."""
    is_kept = ~Q(**{f"{side}_{part}": "" for part in _PARTS})
    return RecordNames.objects.filter(_of(f"entry__{side}", records), is_kept)


def _rows(side: str, records: Iterable[Record]) -> Any:
    is_kept = ~Q(**{f"{side}_{part}": "" for part in _PARTS}) | ~Q(cells={}) | ~Q(facts={})
    return BulkRow.objects.filter(_of(side, records), is_kept)


def _named_by(records: Iterable[Record]) -> Iterator[str]:
    """What people wrote into files for these records, and what they are called there."""
    for object_type, object_id in records:
        keys = BulkKey.objects.filter(object_type=object_type, object_id=object_id)
        for told in with_readable(keys, "text", "name").values_list("text", "name")[:SHOWN]:
            yield from told


def _keys_that_say(found: Erasure) -> set[int]:
    """What was sought for files and names one of the records, or one of these texts."""
    wanted, names = {*found.records}, {text.casefold() for text in found.texts}
    keys = with_readable(BulkKey.objects.all(), "text", "name", "candidates")
    told = keys.values_list("pk", "object_type", "object_id", "text", "name", "candidates")
    pks = set[int]()
    for pk, object_type, object_id, text, name, candidates in told.iterator(ROWS_AT_ONCE):
        ids = {object_id, *(str(each[0]) for each in candidates if each)}
        said = {text, name, *(str(part) for each in candidates for part in each[1:])}
        if {(object_type, each) for each in ids} & wanted or {*map(str.casefold, said)} & names:
            pks.add(pk)
    return pks


def _texts(rows: QuerySet[Any], side: str) -> Iterator[str]:
    """What stands there, but for what nobody can read, which goes all the same."""
    for part in ("name", "typed"):
        readable = with_readable(rows, f"{side}_{part}")
        yield from readable.values_list(f"{side}_{part}", flat=True).distinct()[:SHOWN]


def _rows_that_say(texts: Iterable[str]) -> set[int]:
    """Rows that are not ready, in a cell of which an address or a whole name stands."""
    names = {text.casefold() for text in texts}
    addresses = [name for name in names if "@" in name]
    readable = with_readable(BulkRow.objects.all(), "cells", "facts")
    rows = readable.exclude(cells={}).values_list("pk", "cells", "facts")
    found = set[int]()
    for pk, *told in rows.iterator(ROWS_AT_ONCE):
        said = [str(value).strip().casefold() for each in told for value in each.values()]
        if any(value in names or any(a in value for a in addresses) for value in said):
            found.add(pk)
    return found


def _says(value: object, texts: Iterable[str]) -> bool:
    """Whether it says one of these, of which a cell may have been cut."""
    said = str(value).casefold()
    wanted = [" ".join(text.split())[:CELL_LENGTH].casefold() for text in texts]
    return any(text in said for text in wanted if len(text) >= TRIGRAM)


def _of(side: str, records: Iterable[Record]) -> Q:
    ids: dict[str, list[str]] = {}
    for object_type, object_id in records:
        ids.setdefault(object_type, []).append(object_id)
    condition = Q(pk__in=[])
    for object_type, of_type in ids.items():
        condition |= Q(**{f"{side}_object_type": object_type, f"{side}_object_id__in": of_type})
    return condition
