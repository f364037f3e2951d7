"""Proves the log by its seals, or names the first thing in it that is not as it was sealed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from associations.audit.integrity import id_ranges, signing
from associations.audit.integrity.candidates import rows_there
from associations.audit.integrity.manifest import (
    NOTHING_BEFORE,
    Coverage,
    Manifest,
    ManifestError,
    before_the_first,
    head_of,
    read,
)
from associations.audit.integrity.serialization import (
    KINDS,
    attempts_of,
    digest,
    line,
    readable_digests_of,
    rows_with_lines,
)
from associations.models import AuditPruning, AuditSeal

NAMES = {
    "entry": "Entry",
    "attempt": "Late attempt",
    "check": "Check",
    "batch": "Batch",
    "export": "Export",
    "pruning": "Pruning",
}
_AT_ONCE = 20  # seals read in one query


class TamperedError(Exception):
    """The log is not what was sealed; the message names the first thing that was found."""


@dataclass(slots=True)
class Report:
    """How far the log is proven. `heads` are those asked for, with the number of their seal."""

    seals: int = 0
    items: int = 0
    last: AuditSeal | None = None
    pruned_to: int | None = None
    heads: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Newest:
    """What a look at the newest seals gave: a report, or what was found to be wrong."""

    report: Report | None
    finding: str = ""
    is_all: bool = False


def verify_newest(at_least: int = 5_000) -> Newest:
    """Prove the newest seals once more, as many as hold so many items. Raises SigningKeyError."""
    items, after = 0, ""
    for seal in AuditSeal.objects.reverse().iterator(chunk_size=5):
        if items >= at_least:
            after = seal.head
            break
        items += seal.manifest.count("\n")
    try:
        return Newest(verify(after=after), is_all=not after)
    except TamperedError as error:
        return Newest(None, str(error))


def verify(
    *,
    after: str = "",
    heads: tuple[str, ...] = (),
    progress: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Go through all seals and what they hold; or only those after the one with this head.

    Raises TamperedError; LookupError if no seal has the head `after`; SigningKeyError.
    """
    report, trusted = Report(), signing.trusted_keys()
    start = _seal_with(after) if after else AuditSeal.objects.first()
    coverage, prunings = before_the_first(), set[int]()
    for seal in _from(start):
        manifest = check_seal(seal, trusted)
        if report.last:
            _check_order(report.last, manifest)
        # Where the chain starts, if not at the beginning, all before has been proven or archived.
        if report.last or not (after or _is_start_left_by_pruning(seal)):
            _check_contents(manifest, coverage)
            report.items += len(manifest.items)
        elif not after:
            report.pruned_to = seal.number
        prunings |= manifest.ids("pruning").keys()
        coverage, report.last = manifest.coverage, seal
        report.seals += 1
        if seal.head in heads:
            report.heads[seal.head] = seal.number
        progress(report)
    _check_beginning(report, prunings)
    _check_heads(report, heads, start)
    return report


def check_seal(seal: AuditSeal, trusted: Mapping[str, signing.PublicKey]) -> Manifest:
    """Read a seal that is whole and truly signed. Raises TamperedError."""
    if head_of(seal.manifest) != seal.head:
        raise TamperedError(f"Seal {seal.number} was altered: its text does not give its head.")
    try:
        manifest = read(seal.manifest)
    except ManifestError:
        raise TamperedError(f"Seal {seal.number} was altered: it cannot be read.") from None
    if (manifest.number, manifest.sealed_at) != (seal.number, seal.sealed_at):
        raise TamperedError(f"Seal {seal.number} was altered: its text is another seal's.")
    if manifest.key_id not in trusted:
        raise TamperedError(
            f"Seal {seal.number} was signed with the key {manifest.key_id}, which is not trusted "
            "here. If it is an earlier key of yours, name it in AUDIT_PUBLIC_KEYS."
        )
    if not trusted[manifest.key_id].signed(seal.head, seal.signature):
        raise TamperedError(f"Seal {seal.number} was rewritten: its signature is not valid.")
    if seal.number == 1 and manifest.previous != NOTHING_BEFORE:
        raise TamperedError("Seal 1 was rewritten: it follows another.")
    return manifest


def _is_start_left_by_pruning(seal: AuditSeal) -> bool:
    return seal.number > 1 or AuditPruning.objects.filter(last_seal=seal.number).exists()


def _check_order(before: AuditSeal, manifest: Manifest) -> None:
    if manifest.number != before.number + 1:
        raise TamperedError(
            f"Seal {before.number + 1} was removed: after seal {before.number} comes seal "
            f"{manifest.number}."
        )
    if manifest.previous != before.head:
        raise TamperedError(
            f"Seal {before.number} was rewritten: seal {manifest.number} follows another."
        )


def _check_contents(manifest: Manifest, coverage: dict[str, Coverage]) -> None:
    for kind in KINDS:
        before, now = coverage[kind], manifest.coverage[kind]
        sealed = manifest.ids(kind)
        # What waited and waits on may be there or not.
        decided = id_ranges.less(before.candidates(now.high), now.waiting)
        there = rows_there(kind, decided)
        digests, unreadable = readable_digests_of(kind, sealed)
        for pk in sorted(sealed.keys() | there):
            if pk not in sealed:
                raise TamperedError(
                    f"{NAMES[kind]} {pk} was inserted: seal {manifest.number} covers its "
                    "number, and it was not there then."
                )
            if pk in unreadable:
                raise TamperedError(
                    f"{NAMES[kind]} {pk} was altered: it cannot be read any more, and seal "
                    f"{manifest.number} holds it."
                )
            if pk not in digests:
                raise TamperedError(
                    f"{NAMES[kind]} {pk} was removed: seal {manifest.number} holds it, and the log "
                    "does not have it any more."
                )
            if digests[pk] != sealed[pk]:
                raise TamperedError(_altered(kind, pk, manifest, sealed))


def _altered(kind: str, pk: int, manifest: Manifest, sealed: dict[int, str]) -> str:
    for other in _with_the_contents_of(kind, pk, sealed):
        return (
            f"{NAMES[kind]} {pk} was reordered: seal {manifest.number} holds under this number "
            f"what now is number {other}."
        )
    when = f"{manifest.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{NAMES[kind]} {pk} was altered: it is not what seal {manifest.number} of {when} holds."


def _with_the_contents_of(kind: str, pk: int, sealed: dict[int, str]) -> Iterator[int]:
    """Rows of the same seal that, under the number `pk`, would be what was sealed."""
    attempts = attempts_of(sealed) if kind == "entry" else {}
    for row, _ in rows_with_lines(kind, sealed):
        for whose in {pk, row["id"]}:
            more = {"attempts": attempts.get(whose)}
            if digest(line(kind, row | {"id": pk}, more)) == sealed[pk]:
                yield row["id"]


def _check_beginning(report: Report, prunings: set[int]) -> None:
    """If the oldest part is gone, a pruning has to account for it, signed and sealed itself."""
    for kind, model in KINDS.items():
        for pk in model._default_manager.filter(pk__lt=1).values_list("pk", flat=True)[:1]:
            raise TamperedError(f"{NAMES[kind]} {pk} was inserted: numbers begin at 1.")
    if report.pruned_to is None:
        return
    first = AuditSeal.objects.get(number=report.pruned_to)
    accounts = AuditPruning.objects.filter(last_seal=first.number, head=first.head)
    keys = signing.trusted_keys().values()
    if not any(
        key.signed(pruning.statement, pruning.signature)
        for pruning in accounts.filter(pk__in=prunings)
        for key in keys
    ):
        raise TamperedError(
            f"Seals 1 to {first.number - 1} were removed: no sealed pruning accounts for them."
            if first.number > 1
            else "A pruning that is not signed and sealed says that seal 1 was archived."
        )


def _check_heads(report: Report, heads: tuple[str, ...], start: AuditSeal | None) -> None:
    for head in heads:
        if head in report.heads:
            continue
        earlier = AuditSeal.objects.filter(head=head, number__lt=start.number if start else 0)
        if seal := earlier.first():
            report.heads[head] = seal.number
        else:
            pruned = " It may be of a part that was archived." if report.pruned_to else ""
            raise TamperedError(
                f"No seal has the head {head}: the log was rewritten or cut short after that head "
                f"was noted.{pruned}"
            )


def _seal_with(head: str) -> AuditSeal:
    seal = AuditSeal.objects.filter(head=head).first()
    if seal is None:
        raise LookupError(head)
    return seal


def _from(start: AuditSeal | None) -> Iterator[AuditSeal]:
    number = start.number if start else 0
    while seals := AuditSeal.objects.filter(number__gte=number)[:_AT_ONCE]:
        yield from seals
        number = seals[len(seals) - 1].number + 1
