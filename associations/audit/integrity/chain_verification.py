"""Proves the log by its seals, or names the first thing in it that is not as it was sealed.

What was made up before it was sealed proves nothing false of the rest: it is a finding, and the
proof goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from associations.audit.integrity import id_ranges, signing, timestamps
from associations.audit.integrity.beginning import made_up_prunings, seal_left_by_pruning
from associations.audit.integrity.candidates import never_given, rows_there
from associations.audit.integrity.chronology import Chronology, open_but_ahead
from associations.audit.integrity.manifest import (
    NOTHING_BEFORE,
    Coverage,
    Manifest,
    ManifestError,
    before_the_first,
    head_of,
    read,
)
from associations.audit.integrity.names import (
    Erased,
    erased_sides,
    made_up_erasures,
    names_amiss,
)
from associations.audit.integrity.processes import Processes
from associations.audit.integrity.serialization import (
    KINDS,
    digest,
    line,
    readable_digests_of,
    rows_of,
)
from associations.audit.integrity.witnesses import Witness, Witnesses
from associations.models import AuditSeal
from associations.models.readable import UNREADABLE

NAMES = {
    "entry": "Entry",
    "attempt": "Late attempt",
    "check": "Check",
    "batch": "Batch",
    "export": "Export",
    "pruning": "Pruning",
    "event": "Security event",
    "verification": "Verification",
    "erasure": "Erasure",
    "timestamp": "Timestamp",
}
FINDINGS_NAMED = 5
_AT_ONCE = 20  # seals read in one query


class TamperedError(Exception):
    """The log is not what was sealed; the message names the first thing that was found."""


@dataclass(slots=True)
class Report:
    """How far the log is proven. `heads` are those asked for, with the number of their seal.

    `findings` are the first of those that do not touch what is proven, `found` is how many.
    `times` are those of a third party that are true; `are_signed` where that was looked at.
    """

    seals: int = 0
    items: int = 0
    last: AuditSeal | None = None
    pruned_to: int | None = None
    heads: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    found: int = 0
    times: list[Witness] = field(default_factory=list)
    are_signed: bool = True

    def add(self, finding: str) -> None:
        self.found += 1
        if self.found <= FINDINGS_NAMED:
            self.findings.append(finding)


@dataclass(frozen=True, slots=True)
class Newest:
    """What a look at the newest seals gave: a report, or what was found to be wrong."""

    report: Report | None
    finding: str = ""
    is_all: bool = False


def verify_newest(at_least: int = 5_000) -> Newest:
    """Prove the newest seals once more, as many as hold so many items. Raises SigningKeyError."""
    items, after = 0, ""
    for seal in AuditSeal.objects.only("manifest", "head").reverse().iterator(chunk_size=5):
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
    up_to: int | None = None,
    heads: tuple[str, ...] = (),
    kept: Iterable[Witness] = (),
    as_of: datetime | None = None,
    progress: Callable[[Report], object] = lambda report: None,
    processes: int = 1,
) -> Report:
    """Go through all seals and what they hold; or only those after the one with this head.

    The chain is followed here; what its seals hold is read and hashed by so many processes. It is
    held against what a third party knew, and against the heads `kept` elsewhere; a copy `as_of` a
    time is as old as that. Raises TamperedError; LookupError if no seal has the head `after`;
    SigningKeyError.
    """
    report, trusted = Report(), signing.trusted_keys()
    start = _seal_with(after) if after else None
    left = _check_beginning(trusted)
    times = timestamps.prove(after=start.number if start else 0, up_to=up_to)
    report.times, report.are_signed = times.proven, times.is_signed
    known = Witnesses([*times.proven, *kept])
    erased = erased_sides()
    with Processes(processes) as others:
        for link, found in others.each(_prove, _links(start, left, up_to, erased, trusted)):
            if rewritten := known.contradict(link.seal):
                report.last = known.last
                raise TamperedError(rewritten)
            for finding in found.odd:
                report.add(finding)
            if found.amiss:  # unless somebody has erased some meanwhile
                erased = erased_sides()
                for finding in names_amiss(read(link.seal.manifest).ids("entry"), erased):
                    report.add(finding)
            report.last = link.seal
            report.items += found.items
            report.seals += 1
            if link.seal.head in heads:
                report.heads[link.seal.head] = link.seal.number
            progress(report)
    if up_to is None and (gone := known.miss(report.last)):
        raise TamperedError(gone)
    report.pruned_to = left.number if left and not after else None
    made_up = (*made_up_prunings(), *made_up_erasures())
    late = timestamps.untimely(times, is_whole=not after and up_to is None, as_of=as_of)
    for finding in (*made_up, *times.findings, *late, *_chosen_numbers(), *open_but_ahead()):
        report.add(finding)
    _check_heads(report, heads, start)
    return report


@dataclass(frozen=True, slots=True)
class _Link:
    """A seal of the chain, and what was known before it, to prove what it holds by."""

    seal: AuditSeal
    coverage: dict[str, Coverage]
    chronology: Chronology
    erased: Erased
    is_proven: bool  # what it holds: before, or archived


@dataclass(frozen=True, slots=True)
class _Found:
    """How many items a seal holds as they are in the log; what is odd, and whose names are."""

    items: int = 0
    odd: list[str] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)


def _links(
    start: AuditSeal | None,
    left: AuditSeal | None,
    up_to: int | None,
    erased: Erased,
    trusted: Mapping[str, signing.PublicKey],
) -> Iterator[_Link]:
    """Follow the chain. Raises TamperedError."""
    coverage, chronology = before_the_first(), Chronology.up_to(start or left)
    last: AuditSeal | None = None
    for seal in _from(start.number if start else 0, up_to):
        manifest = check_seal(seal, trusted)
        if last:
            _check_order(last, manifest)
        # Where the chain starts, if not at the beginning, all before has been proven or archived.
        is_proven = not last and seal in (start, left)
        yield _Link(seal, coverage, chronology, erased, is_proven)
        if not is_proven:
            chronology = chronology.after(manifest)
        coverage, last = manifest.coverage, seal


def _prove(link: _Link) -> _Found:
    """Compare what a seal holds to what is in the log. Raises TamperedError."""
    if link.is_proven:
        return _Found()
    manifest = read(link.seal.manifest)
    _check_contents(manifest, link.coverage)
    return _Found(
        len(manifest.items),
        link.chronology.odd(manifest, link.coverage),
        [*names_amiss(manifest.ids("entry"), link.erased)],
    )


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
    attempts = {row["id"]: more for row, more in rows_of(kind, sealed)}
    for row, _ in rows_of(kind, sealed):
        for whose in {pk, row["id"]}:
            if digest(line(kind, row | {"id": pk}, attempts.get(whose))) == sealed[pk]:
                yield row["id"]


def _check_beginning(trusted: Mapping[str, signing.PublicKey]) -> AuditSeal | None:
    """Return the seal that a pruning has left as the start, which accounts for all before it."""
    for kind, model in (KINDS | {"seal": AuditSeal}).items():
        for pk in model._default_manager.filter(pk__lt=1).values_list("pk", flat=True)[:1]:
            name = NAMES.get(kind, "Seal")
            raise TamperedError(f"{name} {pk} was inserted: numbers begin at 1.")
    first = next(_from(0), None)
    if first is None:
        return None
    check_seal(first, trusted)
    left = seal_left_by_pruning()
    if first.number > 1 and (left is None or left.number < first.number):
        raise TamperedError(
            f"Seals 1 to {first.number - 1} were removed: no sealed pruning accounts for them."
        )
    if left and first.number < left.number:
        raise TamperedError(
            f"Seal {first.number} was inserted: all before seal {left.number} was archived and "
            "taken out."
        )
    if left:
        _check_pruned(left)
    return left


def _check_pruned(left: AuditSeal) -> None:
    """Of what was archived nothing stands there any more, nor anything else in its place."""
    for kind, coverage in read(left.manifest).coverage.items():
        gone = id_ranges.less([(1, coverage.high)], coverage.waiting)
        for pk in sorted(rows_there(kind, gone))[:1]:
            raise TamperedError(
                f"{NAMES[kind]} {pk} was inserted: the seals up to {left.number} cover its number, "
                "and all that they held was archived and taken out."
            )


def _chosen_numbers() -> Iterator[str]:
    for kind, name in NAMES.items():
        for pk in never_given(kind):
            yield f"{name} {pk} has a number that somebody chose: the database never gave it."


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


def _from(number: int, up_to: int | None = None) -> Iterator[AuditSeal]:
    wanted = (
        AuditSeal.objects.all() if up_to is None else AuditSeal.objects.filter(number__lte=up_to)
    )
    while seals := _read(wanted.filter(number__gte=number)[:_AT_ONCE]):
        yield from seals
        number = seals[-1].number + 1


def _read(seals: QuerySet[AuditSeal]) -> list[AuditSeal]:
    try:
        return list(seals)
    except UNREADABLE:
        for number in seals.values_list("number", flat=True):
            try:
                AuditSeal.objects.get(number=number)
            except UNREADABLE:
                raise TamperedError(f"Seal {number} was altered: it cannot be read.") from None
        raise  # it was not a value, but the database
