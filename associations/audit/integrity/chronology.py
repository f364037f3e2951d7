"""Whether what a seal holds is of the time that it says: by the seals before it, which had it not.

A seal that is not full has looked at every row that there was, and holds whatever could be sealed.
So what came to a later one came later, but for a transaction that was under way, and for clocks
that differ a little; that is what GRACE is for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db import models
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.utils import timezone

from associations.audit.integrity import id_ranges
from associations.audit.integrity.candidates import (
    ITEMS_PER_SEAL,
    LARGEST_GAP,
    LONGEST_TRANSACTION,
    NAMED,
    SEALABLE,
    last_given,
    rows_of,
)
from associations.audit.integrity.manifest import Coverage, Manifest, ManifestError, read
from associations.audit.integrity.serialization import KINDS
from associations.hubspot.outcomes import Cause
from associations.models import AuditSeal

GRACE = LONGEST_TRANSACTION
LOOKED_BACK = 20  # seals, for one that is not full
# What our own clock said, first of all when the row was made.
TIMES = {
    "entry": ("created_at", "was_linked_at", "sent_at", "finished_at", "verified_at"),
    "attempt": ("started_at",),
    "check": ("checked_at",),
    "batch": ("started_at",),
    "export": ("started_at", "finished_at"),
    "pruning": ("pruned_at",),
    "event": ("at",),
    "verification": ("finished_at",),
    "erasure": ("erased_at",),
    "timestamp": ("asked_at",),
}
# These may have been open for as long as they like, and are sealed once they are closed.
CLOSED = {"entry": "finished_at", "export": "finished_at"}
# Who takes up a run tells of a call that somebody else had under way, however long ago that was.
_TOLD_LATER = {kind: Q(failure=Cause.INTERRUPTED) for kind in ("attempt", "batch")}
_NEVER = Q(pk__lt=0)


def open_but_ahead() -> Iterator[str]:
    """Name what is still open and says that it began in the future: no seal holds it to its time.

    The first few; a seal looks at each once it is closed.
    """
    latest = timezone.now() + GRACE
    for kind in CLOSED:
        rows = KINDS[kind]._default_manager.exclude(SEALABLE[kind])
        ahead = rows.filter(**{f"{TIMES[kind][0]}__gt": latest}).order_by("pk")
        for pk in ahead.values_list("pk", flat=True)[:NAMED]:
            yield f"{kind.capitalize()} {pk} was dated ahead: it says that it is of a later time."


class _Seal(NamedTuple):
    number: int
    sealed_at: datetime

    def __str__(self) -> str:
        return f"seal {self.number} of {self.sealed_at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class Chronology:
    """What is known of the time before a seal."""

    newest: dict[str, _Seal] = field(default_factory=dict)  # by kind, that was not full of it

    @classmethod
    def up_to(cls, last: AuditSeal | None) -> Self:
        newest, missing = dict[str, _Seal](), {*KINDS}
        before = AuditSeal.objects.filter(number__lte=last.number if last else 0).reverse()
        texts = before.values_list("manifest", flat=True)[:LOOKED_BACK]
        for text in texts.iterator(chunk_size=1):
            try:
                manifest = read(text)
            except ManifestError:
                break  # whoever proves that seal will say so
            for kind in [*missing]:
                if not manifest.coverage[kind].is_told:
                    missing.discard(kind)
                elif not _is_full(manifest, kind):
                    newest[kind] = _of(manifest)
                    missing.discard(kind)
            if not missing:
                break
        return cls(newest)

    def after(self, manifest: Manifest) -> Self:
        """What is known after this seal."""
        newest = dict(self.newest)
        for kind in KINDS:
            if not manifest.coverage[kind].is_told:
                newest.pop(kind, None)  # by a release that did not know it: it begins anew
            elif not _is_full(manifest, kind):
                newest[kind] = _of(manifest)
        return type(self)(newest)

    def odd(self, manifest: Manifest, before: dict[str, Coverage]) -> list[str]:
        """Name what the next seal covers or holds that cannot be of the time that it says."""
        return [
            f"{kind.capitalize()} {pk} {what}"
            for kind in KINDS
            for pk, what in self._odd(kind, manifest, before[kind])
        ]

    def _odd(self, kind: str, manifest: Manifest, before: Coverage) -> Iterator[tuple[int, str]]:
        told: dict[int, str] = {}
        for pk, is_back, is_ahead in (
            *self._new(kind, manifest, before),
            *self._sealed(kind, manifest),
        ):
            told.setdefault(pk, self._why(kind, manifest, is_back, is_ahead))
        yield from sorted(told.items())
        yield from _chosen(kind, manifest.coverage[kind], before)

    def _why(self, kind: str, manifest: Manifest, is_back: bool, is_ahead: bool) -> str:
        if is_back:
            newest = self.newest.get(kind)
            came = f"came after {newest}" if newest else "has begun"
            return f"was dated back: it {came}, and says that it is older."
        if is_ahead:
            return (
                f"was dated ahead: {_of(manifest)} knows it, and it says that it is of a later "
                "time."
            )
        return "was closed without a time."

    def _new(self, kind: str, manifest: Manifest, before: Coverage) -> Iterator[Any]:
        """Of the numbers that this seal is the first to cover, whatever has become of them."""
        now = manifest.coverage[kind]
        # Behind a number that somebody chose, those below it are still to come.
        large = [(first, last) for first, last in now.waiting if last - first >= LARGEST_GAP]
        ids = id_ranges.less(id_ranges.merged([(before.high + 1, now.high)]), large)
        first, *_ = TIMES[kind]
        earliest, latest = self._span(kind, manifest)
        back = _any(TIMES[kind], "lt", earliest) & ~_TOLD_LATER.get(kind, _NEVER)
        yield from _which(kind, ids, back, Q(**{f"{first}__gt": latest}))

    def _sealed(self, kind: str, manifest: Manifest) -> Iterator[Any]:
        """Of what was closed since."""
        if closed := CLOSED.get(kind):
            earliest, latest = self._span(kind, manifest)
            back = _any((closed,), "lt", earliest) | _before_its_first(kind)
            ahead = _any(TIMES[kind], "gt", latest)
            ids = id_ranges.of_ids(manifest.ids(kind))
            yield from _which(kind, ids, back, ahead, Q(**{f"{closed}__isnull": True}))

    def _span(self, kind: str, manifest: Manifest) -> tuple[datetime | None, datetime]:
        """Between which times all that comes to this seal has to be."""
        newest, sealed_at = self.newest.get(kind), manifest.sealed_at
        # Where that one's clock was ahead, this one's shows it.
        earliest = min(newest.sealed_at, sealed_at) - GRACE if newest else None
        return earliest, sealed_at + GRACE


def _is_full(manifest: Manifest, kind: str) -> bool:
    """There may have been more that it had no room for."""
    return len(manifest.ids(kind)) >= ITEMS_PER_SEAL


def _of(manifest: Manifest) -> _Seal:
    return _Seal(manifest.number, manifest.sealed_at)


def _any(columns: tuple[str, ...], comparison: str, moment: Any) -> Q:
    found = _NEVER
    for column in columns if moment else ():
        found |= Q(**{f"{column}__{comparison}": moment})
    return found


def _before_its_first(kind: str) -> Q:
    """That something of it is older than its beginning, by more than clocks differ."""
    first, *others = TIMES[kind]
    # Only where it is older at all: SQLite has Python compute the other.
    found = _NEVER
    for other in others:
        found |= Q(**{f"{other}__lt": F(first)}) & Q(**{f"{other}__lt": F(first) - GRACE})
    return found


def _which(
    kind: str, ids: id_ranges.Ranges, back: Q, ahead: Q, untimed: Q = _NEVER
) -> Iterator[tuple[int, bool, bool]]:
    """Without reading a time: it may be one that cannot be read."""
    is_back, is_ahead = (ExpressionWrapper(q, models.BooleanField()) for q in (back, ahead))
    for part in id_ranges.batches(ids):
        rows: QuerySet[Any] = rows_of(kind, part).filter(back | ahead | untimed)
        told = rows.annotate(is_back=is_back, is_ahead=is_ahead)
        yield from told.values_list("pk", "is_back", "is_ahead")


def _chosen(kind: str, now: Coverage, before: Coverage) -> Iterator[tuple[int, str]]:
    """Behind a gap that no transaction leaves, which the rows below it would hide in.

    Where the database tells which numbers it gave, such rows are never covered, and a gap is none.
    """
    if last_given(kind) is not None:
        return
    for first, last in id_ranges.above(now.waiting, before.high):
        size = last - first + 1
        if size > LARGEST_GAP and rows_of(kind, [(first, last)]).count() < size // 2:
            yield last + 1, "has a number that somebody chose: those before it were never given."
