"""Seals what has been closed since the last seal. The entries themselves are not touched."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import ceil

from django.db import Error as DBError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from associations.audit.integrity import id_ranges, signing
from associations.audit.integrity.candidates import (
    ITEMS_PER_SEAL,
    LARGEST_GAP,
    LONGEST_TRANSACTION,
    Candidates,
    find_candidates,
)
from associations.audit.integrity.chain_verification import TamperedError, check_seal
from associations.audit.integrity.chronology import Chronology
from associations.audit.integrity.heads_file import HeadsFile
from associations.audit.integrity.manifest import (
    NOTHING_BEFORE,
    Coverage,
    Manifest,
    ManifestError,
    before_the_first,
    head_of,
    read,
)
from associations.audit.integrity.processes import Processes
from associations.audit.integrity.serialization import readable_digests_of
from associations.audit.integrity.stamping import Stamping
from associations.models import AuditSeal
from associations.models.readable import UnreadableRow, read_rows

logger = logging.getLogger("hubadmin.audit")
alive_logger = logging.getLogger(__name__)  # no part of the audit log

ITEMS_AT_LEAST = 250  # that another process is asked for
ALIVE_SECONDS = 60  # between two lines that say so
UNREADABLE_SECONDS = 600  # after so long what could not be read is tried once more


Unreadable = dict[str, id_ranges.Ranges]  # by kind, what nobody could read


@dataclass(frozen=True, slots=True)
class _Look:
    """What there is of a kind, and the digests of as much as one seal takes."""

    found: Candidates
    digests: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Step:
    """What one seal has to say of one kind: the digests of its items by id, how far it comes."""

    digests: dict[int, str]
    coverage: Coverage


def seal_log(unreadable: Unreadable | None = None, *, processes: int = 1) -> Iterator[AuditSeal]:
    """Seal all that is closed, a bounded number at a time; give each seal as it is committed.

    Where there is much, it is read and hashed by so many processes. What cannot be read is gone
    round, and added to `unreadable`; what is there is not read again.

    Two that run at once do no harm: a seal's number can be taken only once, and the slower one
    goes on from there. Raises SigningKeyError, and TamperedError where the last seal is none of
    ours: whoever follows it would make a chain that is never proven again.
    """
    with Processes(processes) as others:
        yield from _seal_all({} if unreadable is None else unreadable, others)


def _seal_all(unreadable: Unreadable, others: Processes) -> Iterator[AuditSeal]:
    key_id = signing.own_key().id
    is_done = False
    while not is_done:
        last = _last_seal()
        if last:
            check_seal(last, signing.trusted_keys())
        looks = {
            kind: _look(kind, before, unreadable, others)
            for kind, before in _coverage(last).items()
        }
        if not any(look.digests for look in looks.values()):
            return
        settled = _settled()
        steps = {kind: _step(look, settled[kind].high) for kind, look in looks.items()}
        is_done = all(look.found.is_all for look in looks.values())
        try:
            seal = _write(last, key_id, steps)
        except IntegrityError:
            if AuditSeal.objects.last() == last:
                raise  # not because another was quicker
            is_done = False
            continue
        _log_odd_times(last, seal)
        yield seal


def _last_seal() -> AuditSeal | None:
    for seal in read_rows(AuditSeal.objects.reverse()[:1]):
        if isinstance(seal, UnreadableRow):
            raise TamperedError(f"Seal {seal.pk} was altered: it cannot be read.")
        return seal
    return None


def _log_odd_times(last: AuditSeal | None, seal: AuditSeal) -> None:
    if odd := Chronology.up_to(last).odd(read(seal.manifest), _coverage(last)):
        told = {"seal": seal.number, "items": len(odd), "first": odd[:5]}
        logger.error("what was sealed is not of the time that it says", extra=told)


def seal_for_ever(
    seconds: float, before_each: Callable[[], object] = lambda: None, *, processes: int = 1
) -> None:
    """Seal again and again. A database that is away is no reason to stop."""
    unreadable, forget_at = Unreadable(), 0.0
    seals, say_at, stamping, heads = 0, 0.0, Stamping(), HeadsFile()
    while True:
        if time.monotonic() >= forget_at:
            unreadable, forget_at = Unreadable(), time.monotonic() + UNREADABLE_SECONDS
        try:
            before_each()
            for _ in seal_log(unreadable, processes=processes):
                seals += 1
            heads.keep()
            stamping.go_on()
            if time.monotonic() >= say_at:
                alive_logger.info("the sealer is alive", extra={"seals": seals})
                seals, say_at = 0, time.monotonic() + ALIVE_SECONDS
        except (DBError, ManifestError, TamperedError, BrokenProcessPool):
            logger.exception("the audit log could not be sealed")
            connection.close_if_unusable_or_obsolete()
        time.sleep(seconds)


def waiting_for_a_seal(at_most: int) -> int:
    """Return how many closed entries no seal holds yet, counted no further than asked."""
    coverage = _coverage(AuditSeal.objects.last())["entry"]
    return min(at_most, len(find_candidates("entry", coverage, at_most).ready))


def _coverage(seal: AuditSeal | None) -> dict[str, Coverage]:
    return read(seal.manifest).coverage if seal else before_the_first()


def _settled() -> dict[str, Coverage]:
    """Up to where every transaction has ended, so that a missing row is none."""
    long_ago = timezone.now() - LONGEST_TRANSACTION
    # No more of the seal than this: another column may have been made unreadable.
    texts = AuditSeal.objects.filter(sealed_at__lt=long_ago).values_list("manifest", flat=True)
    text = texts.last()
    return read(text).coverage if text else before_the_first()


def _look(kind: str, before: Coverage, unreadable: Unreadable, others: Processes) -> _Look:
    """Look for as much as one seal takes, past all that nobody can read."""
    while True:
        without = unreadable.get(kind, [])
        found = find_candidates(kind, before, ITEMS_PER_SEAL, without)
        digests, broken = _digests(kind, sorted(found.ready)[:ITEMS_PER_SEAL], others)
        if not broken:
            return _Look(found, digests)
        unreadable[kind] = id_ranges.merged(without, id_ranges.of_ids(broken))
        told = {"kind": kind, "items": len(broken), "first": broken[:5]}
        logger.error("items cannot be read, and so not be sealed", extra=told)


def _digests(kind: str, ids: list[int], others: Processes) -> tuple[dict[int, str], list[int]]:
    """The digests of these rows, and which cannot be read; a part from each process."""
    size = max(ITEMS_AT_LEAST, ceil(len(ids) / others.number))
    parts = [
        others.submit(readable_digests_of, kind, ids[start : start + size])
        for start in range(0, len(ids), size)
    ]
    digests, broken = dict[int, str](), list[int]()
    for part in parts:
        some, unread = part.result()
        digests |= some
        broken += unread
    return digests, broken


def _step(look: _Look, settled: int) -> _Step:
    found, digests = look.found, look.digests
    later = id_ranges.of_ids(pk for pk in found.ready if pk not in digests)
    free = id_ranges.merged(found.gaps, found.unseen)
    # No transaction leaves so large a gap: somebody chose that number, and all below is still free.
    large = [(first, last) for first, last in free if last - first >= LARGEST_GAP]
    gaps = id_ranges.above(found.gaps, settled)
    waiting = id_ranges.merged(found.waiting, later, found.unseen, gaps, large)
    return _Step(digests, Coverage(found.top, waiting))


def _write(last: AuditSeal | None, key_id: str, steps: dict[str, _Step]) -> AuditSeal:
    manifest = Manifest(
        number=last.number + 1 if last else 1,
        previous=last.head if last else NOTHING_BEFORE,
        sealed_at=timezone.now(),
        key_id=key_id,
        coverage={kind: step.coverage for kind, step in steps.items()},
        items=[
            (kind, number, sha256)
            for kind, step in steps.items()
            for number, sha256 in step.digests.items()
        ],
    )
    head = head_of(manifest.text)
    with transaction.atomic():
        seal = AuditSeal.objects.create(
            number=manifest.number,
            sealed_at=manifest.sealed_at,
            manifest=manifest.text,
            head=head,
            signature=signing.sign(head),
        )
    told = {"seal": seal.number, "head": head, "key": key_id, "items": len(manifest.items)}
    transaction.on_commit(lambda: logger.info("audit log sealed", extra=told))
    return seal
