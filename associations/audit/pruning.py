"""Takes the oldest part of the log out, seal by seal, once it is safe in an archive.

The newest seal of that part stays as the new start of the chain. What was taken out is a row of
its own, sealed at once. Only the owner of the tables can do this, as it lifts the triggers.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.db.models import Min, QuerySet
from django.utils import timezone

from associations.models import AssociationAttempt, AuditPruning, AuditSeal

from . import archive, ranges, signing, triggers
from .canonical import KINDS
from .manifest import read
from .sealing import seal_log

# Deleted in one transaction, for which those who want to write have to wait.
ITEMS_AT_ONCE = 20_000


class NothingToPruneError(Exception):
    """No seal is as old as that."""


def last_seal_before(cutoff: datetime) -> AuditSeal:
    """Return the newest seal that may go. Raises NothingToPruneError."""
    last = AuditSeal.objects.filter(sealed_at__lt=cutoff).last()
    while last and (still_needed := _entries_of_later_attempts(last)):
        last = _last_without(still_needed, last)
    if last is None or not _seals_to_prune(last):
        raise NothingToPruneError
    return last


def write_archive(path: Path, last: AuditSeal) -> tuple[str, int, int]:
    """Archive all up to this seal and prove the file; return its SHA-256, seals and items."""
    sha256 = archive.write(path, _read_one_by_one(_seals_to_prune(last)))
    return sha256, *archive.verify(path)


def prune(last: AuditSeal, archive_name: str, archive_sha256: str) -> Iterator[int]:
    """Take out all up to this seal, some seals at a time; give the number of items of each time."""
    batch: list[AuditSeal] = []
    items = 0
    for seal in _read_one_by_one(_seals_to_prune(last)):
        batch.append(seal)
        items += len(read(seal.manifest).items)
        if items >= ITEMS_AT_ONCE or seal.number == last.number:
            _take_out(batch, items, archive_name, archive_sha256)
            yield items
            batch, items = [], 0


def _take_out(seals: list[AuditSeal], items: int, archive_name: str, archive_sha256: str) -> None:
    last = seals[-1]
    with triggers.lifted():
        for seal in seals:
            manifest = read(seal.manifest)
            _delete(AssociationAttempt.objects.filter(request_id__in=manifest.ids("entry")))
            for kind, model in KINDS.items():
                _delete(model.objects.filter(pk__in=manifest.ids(kind)))
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


def _delete(rows: QuerySet) -> None:
    """Without reading them first, as delete() would; the database checks what refers to them."""
    rows._raw_delete(rows.db)


def _seals_to_prune(last: AuditSeal) -> list[int]:
    """The numbers of the seals up to this one, but for the start that an earlier pruning left."""
    first = AuditSeal.objects.aggregate(first=Min("number"))["first"]
    begin = first if first == 1 else first + 1
    return list(range(begin, last.number + 1))


def _read_one_by_one(numbers: list[int]) -> Iterator[AuditSeal]:
    for number in numbers:
        yield AuditSeal.objects.get(number=number)


def _entries_of_later_attempts(last: AuditSeal) -> set[int]:
    """Entries up to this seal with an attempt so late that it is in a later seal, or in none."""
    coverage = read(last.manifest).coverage
    attempts = AssociationAttempt.objects.filter(late=True, pk__gt=coverage["attempt"].high)
    entries = attempts.filter(request_id__lte=coverage["entry"].high)
    found = set(entries.values_list("request_id", flat=True))
    return {pk for pk in found if not ranges.contains(coverage["entry"].waiting, pk)}


def _last_without(entries: set[int], last: AuditSeal) -> AuditSeal | None:
    """Return the seal before the first one that holds one of these entries."""
    for seal in _read_one_by_one(_seals_to_prune(last)):
        if entries & read(seal.manifest).ids("entry").keys():
            return AuditSeal.objects.filter(number__lt=seal.number).last()
    return None
