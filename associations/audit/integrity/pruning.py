"""Takes the oldest part of the log out, seal by seal, once it is safe in an archive.

The newest seal of that part stays as the new start of the chain. What was taken out is a row of
its own, sealed at once. Only the owner of the tables can do this, as it lifts the triggers.

An entry goes with all that came after it, late attempts and checks, and a batch with all entries
that it closed; until the last of these is old enough, it stays, and with it what was sealed from
then on. So no seal that stays holds a row that went, and no row that stays names one that went.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from associations.audit.integrity import archive, id_ranges, signing, triggers
from associations.audit.integrity.beginning import seal_left_by_pruning
from associations.audit.integrity.candidates import SEALABLE
from associations.audit.integrity.chain_verification import verify
from associations.audit.integrity.manifest import Coverage, read
from associations.audit.integrity.names import entries_of, true_erasures
from associations.audit.integrity.sealing import seal_log
from associations.audit.integrity.serialization import KINDS, OWNERS
from associations.models import (
    AssociationAttempt,
    AssociationRequest,
    AuditPruning,
    AuditSeal,
    RecordNames,
)


class NothingToPruneError(Exception):
    """No seal is as old as that."""


def last_seal_before(cutoff: datetime) -> AuditSeal:
    """Return the newest seal that may go. Raises NothingToPruneError."""
    last = AuditSeal.objects.filter(sealed_at__lt=cutoff).last()
    while last and (still_needed := _needed_by_what_stays(last)):
        last = _last_without(still_needed, last)
    if last is None or not _seals_to_prune(last):
        raise NothingToPruneError
    return last


def write_archive(path: Path, last: AuditSeal) -> tuple[str, int, int]:
    """Archive all up to this seal and prove the file; return its SHA-256, seals and items.

    Before, this part is proven where it stands, which a file by itself does not show: that it is
    the beginning, and that nothing stands between what it holds. Raises TamperedError.
    """
    verify(up_to=last.number)
    sha256 = archive.write_archive(path, _read_one_by_one(_seals_to_prune(last)))
    return sha256, *archive.verify_archive(path)


def items_up_to(last: AuditSeal) -> int:
    """Return how many items would go."""
    return sum(len(read(each.manifest).items) for each in _read_one_by_one(_seals_to_prune(last)))


def prune(last: AuditSeal, archive_name: str, archive_sha256: str) -> int:
    """Take out all up to this seal, in one transaction; return the number of items."""
    items = 0
    with triggers.lifted():
        for seal in _read_one_by_one(_seals_to_prune(last)):
            manifest = read(seal.manifest)
            # Only what is in the archive: where more has come meanwhile, the database refuses.
            entries = manifest.ids("entry")
            own = AssociationAttempt.objects.filter(request_id__in=entries)
            _delete(own.filter(late=False))
            _delete(RecordNames.objects.filter(entry_id__in=entries))
            for kind, model in KINDS.items():
                _delete(model._default_manager.filter(pk__in=manifest.ids(kind)))
            items += len(manifest.items)
        AuditSeal.objects.filter(number__lt=last.number).delete()
        pruning = AuditPruning(
            pruned_at=timezone.now(),
            last_seal=last.number,
            head=last.head,
            items=items,
            archive_name=archive_name,
            archive_sha256=archive_sha256,
        )
        pruning.signature = signing.sign(pruning.statement)
        pruning.save(force_insert=True)
        for _ in seal_log():
            pass
    return items


def _delete(rows: QuerySet[Any]) -> None:
    """Without reading them first, as delete() would; the database checks what refers to them."""
    rows._raw_delete(rows.db)


def _seals_to_prune(last: AuditSeal) -> list[int]:
    """The numbers of the seals up to this one, but for the start that an earlier pruning left."""
    left = seal_left_by_pruning()
    first = left.number + 1 if left else 1
    return list(range(first, last.number + 1))


def _read_one_by_one(numbers: list[int]) -> Iterator[AuditSeal]:
    for number in numbers:
        yield AuditSeal.objects.get(number=number)


_Items = set[tuple[str, int]]  # kinds and ids


def _needed_by_what_stays(last: AuditSeal) -> _Items:
    """Items up to this seal that something names which is in a later seal, or in none yet."""
    coverage = read(last.manifest).coverage
    found: _Items = set()
    for kind, owner in OWNERS.items():
        later = _later(KINDS[kind]._default_manager.filter(SEALABLE[kind]), coverage[kind])
        found |= {("entry", pk) for pk in _named(later, owner, coverage["entry"])}
    # Open ones as well, which may have been sent and wait to be sent again.
    later = _later(AssociationRequest.objects.all(), coverage["entry"])
    found |= {("batch", pk) for pk in _named(later, "batch_id", coverage["batch"])}
    return found | {("erasure", pk) for pk in _erasures_of_what_stays(coverage)}


def _erasures_of_what_stays(coverage: dict[str, Coverage]) -> set[int]:
    """Those up to this seal that account for names of entries in a later one, or in none yet."""
    gone = {
        kind: id_ranges.less([(1, coverage[kind].high)], coverage[kind].waiting)
        for kind in ("entry", "erasure")
    }
    return {
        erasure.pk
        for erasure in true_erasures()
        if id_ranges.contains(gone["erasure"], erasure.pk)
        and any(id_ranges.less(ranges, gone["entry"]) for ranges in entries_of(erasure).values())
    }


def _later(rows: QuerySet[Any], coverage: Coverage) -> Iterator[QuerySet[Any]]:
    """Those that are in no seal so far, in parts."""
    yield rows.filter(pk__gt=coverage.high)
    for part in id_ranges.batches(coverage.waiting):
        yield rows.filter(id_ranges.condition(part))


def _named(parts: Iterator[QuerySet[Any]], column: str, coverage: Coverage) -> set[int]:
    """The ids that this column of the rows names, as far as they are sealed."""
    found = set[int]()
    for rows in parts:
        sealed = rows.filter(**{f"{column}__lte": coverage.high})
        found |= set(sealed.values_list(column, flat=True).distinct())
    return {pk for pk in found if not id_ranges.contains(coverage.waiting, pk)}


def _last_without(items: _Items, last: AuditSeal) -> AuditSeal | None:
    """Return the seal before the first one that holds one of these items."""
    for seal in _read_one_by_one(_seals_to_prune(last)):
        if any((kind, pk) in items for kind, pk, _ in read(seal.manifest).items):
            return AuditSeal.objects.filter(number__lt=seal.number).last()
    return None
