"""Seals what has been closed since the last seal. The entries themselves are not touched."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error as DBError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ExpressionWrapper, Q
from django.utils import timezone

from associations.models import OPEN_OUTCOMES, AuditSeal

from . import ranges, signing
from .canonical import KINDS, digest, readable_lines_of
from .manifest import NOTHING_BEFORE, Coverage, Manifest, before_the_first, head_of, read

logger = logging.getLogger("hubadmin.audit")

ITEMS_PER_SEAL = 2_000  # of a kind
# A number without a row may be a transaction that has not ended. After so long it is none.
LONGEST_TRANSACTION = timedelta(hours=1)
LARGEST_GAP = 1_000_000

# Of each kind: what can be sealed now, and what never will be by itself. The rest will be later.
SEALABLE = {
    "entry": ~Q(outcome__in=OPEN_OUTCOMES),
    "attempt": Q(late=True),
    "check": Q(pk__gt=0),
    "export": Q(finished_at__isnull=False),
    "pruning": Q(pk__gt=0),
}
# Other attempts are part of their entries.
NEVER_SEALED = {kind: Q(late=False) if kind == "attempt" else Q(pk__lt=0) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class _Step:
    """What one seal has to say of one kind: the lines of its items by id, and how far it comes."""

    lines: dict[int, str]
    coverage: Coverage
    is_last: bool


def seal_log() -> Iterator[AuditSeal]:
    """Seal all that is closed, a bounded number at a time; give each seal as it is committed.

    Two that run at once do no harm: a seal's number can be taken only once, and the slower one
    goes on from there. Raises SigningKeyError.
    """
    key_id = signing.own_key().id
    is_done = False
    while not is_done:
        last = AuditSeal.objects.last()
        steps = {kind: _next_step(kind, _coverage(last)[kind]) for kind in KINDS}
        is_done = all(step.is_last for step in steps.values())
        is_empty = not any(step.lines for step in steps.values())
        if is_empty and (
            is_done or all(steps[k].coverage == c for k, c in _coverage(last).items())
        ):
            return
        try:
            seal = _write(last, key_id, steps)
        except IntegrityError:
            if AuditSeal.objects.last() == last:
                raise  # not because another was quicker
            is_done = False
            continue
        yield seal


def seal_for_ever(seconds: float, before_each: Callable[[], object] = lambda: None) -> None:
    """Seal again and again. A database that is away is no reason to stop."""
    while True:
        try:
            before_each()
            for _ in seal_log():
                pass
        except DBError:
            logger.exception("the audit log could not be sealed")
            connection.close_if_unusable_or_obsolete()
        time.sleep(seconds)


def rows_there(kind: str, ids: ranges.Ranges) -> dict[int, bool]:
    """Return which of these ids are rows that belong into a seal, and whether they can go now."""
    found = {}
    for part in ranges.batches(ids):
        rows = KINDS[kind].objects.filter(ranges.condition(part)).exclude(NEVER_SEALED[kind])
        is_ready = ExpressionWrapper(SEALABLE[kind], models.BooleanField())
        found |= dict(rows.annotate(is_ready=is_ready).values_list("pk", "is_ready"))
    return found


def waiting_for_a_seal(at_most: int) -> int:
    """Return how many closed entries no seal holds yet, counted no further than asked."""
    coverage = _coverage(AuditSeal.objects.last())["entry"]
    later = KINDS["entry"].objects.filter(SEALABLE["entry"], pk__gt=coverage.high)
    earlier = sum(rows_there("entry", coverage.waiting).values())
    return min(at_most, earlier + later[:at_most].count())


def _coverage(seal: AuditSeal | None) -> dict[str, Coverage]:
    return read(seal.manifest).coverage if seal else before_the_first()


def _next_step(kind: str, before: Coverage) -> _Step:
    rows = KINDS[kind].objects.order_by("pk")
    new = list(rows.filter(pk__gt=before.high).values_list("pk", flat=True)[:ITEMS_PER_SEAL])
    top = new[-1] if new else before.high
    candidates = before.candidates(top)
    there = rows_there(kind, candidates)
    ready = sorted(pk for pk, is_ready in there.items() if is_ready)
    lines, unreadable = readable_lines_of(kind, ready[:ITEMS_PER_SEAL])
    for pk in unreadable:
        logger.error("an item cannot be read, and so not be sealed", extra={kind: pk})
    gaps = ranges.without(candidates, {*there, *new})
    # No transaction leaves so large a gap: somebody chose that number, and all below is still free.
    large = [(first, last) for first, last in gaps if last - first >= LARGEST_GAP]
    later = ranges.of_ids(there.keys() - lines.keys())
    waiting = ranges.merged(later, ranges.above(gaps, _settled(kind)), large)
    is_last = len(new) < ITEMS_PER_SEAL and len(ready) <= ITEMS_PER_SEAL
    return _Step(lines, Coverage(top, waiting), is_last)


def _settled(kind: str) -> int:
    """The id up to which every transaction has ended, so that a missing row is none."""
    long_ago = timezone.now() - LONGEST_TRANSACTION
    seal = AuditSeal.objects.filter(sealed_at__lt=long_ago).last()
    return _coverage(seal)[kind].high


def _write(last: AuditSeal | None, key_id: str, steps: dict[str, _Step]) -> AuditSeal:
    manifest = Manifest(
        number=last.number + 1 if last else 1,
        previous=last.head if last else NOTHING_BEFORE,
        sealed_at=timezone.now(),
        key_id=key_id,
        coverage={kind: step.coverage for kind, step in steps.items()},
        items=[
            (kind, number, digest(line))
            for kind, step in steps.items()
            for number, line in step.lines.items()
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
