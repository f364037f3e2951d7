"""Where the chain begins: at seal 1, or at the one that the last pruning has left.

Only a pruning that is signed and sealed counts: whoever may write rows can make up all the others.
"""

from collections.abc import Iterable, Iterator

from associations.audit.integrity.manifest import ManifestError, read
from associations.audit.integrity.signing import is_signed
from associations.models import AuditPruning, AuditSeal
from associations.models.readable import UnreadableRow, read_rows, readable_only

# What is signed, and nothing that a made-up row could keep from being read, such as its time.
_SIGNED = ("last_seal", "head", "archive_sha256", "signature")


def seal_left_by_pruning() -> AuditSeal | None:
    """Return the seal that stayed as the start when all up to it was archived and taken out."""
    signed = [row for row in readable_only(_prunings()) if is_signed(row)]
    for pruning in sorted(signed, key=lambda row: row.last_seal, reverse=True):
        seal = AuditSeal.objects.filter(number=pruning.last_seal, head=pruning.head).first()
        if seal and _is_sealed(pruning):
            return seal
    return None


def made_up_prunings() -> Iterator[str]:
    """Name each row that tells of a pruning which nobody with a key has done."""
    true: dict[int, int] = {}  # by the seal up to which it went, its row
    for row in _prunings():
        if isinstance(row, UnreadableRow):
            yield f"Pruning {row.pk} was made up: it cannot be read ({row.why})."
        elif not is_signed(row):
            yield f"Pruning {row.pk} was made up: nobody with a key that is trusted here signed it."
        elif (first := true.setdefault(row.last_seal, row.pk)) != row.pk:
            yield f"Pruning {row.pk} was made up: it repeats pruning {first}."


def _prunings() -> list[AuditPruning | UnreadableRow]:
    return read_rows(AuditPruning.objects.only(*_SIGNED).order_by("pk"))


def _is_sealed(row: AuditPruning) -> bool:
    """It was sealed at once, so one of the next seals holds it."""
    pruned_at = AuditPruning.objects.filter(pk=row.pk).values("pruned_at")[:1]
    seals = AuditSeal.objects.filter(sealed_at__gte=pruned_at).values_list("manifest", flat=True)
    return any(row.pk in _prunings_in(manifest) for manifest in seals.iterator(5))


def _prunings_in(manifest: str) -> Iterable[int]:
    try:
        return read(manifest).ids("pruning")
    except ManifestError:
        return ()  # whoever proves that seal will say so
