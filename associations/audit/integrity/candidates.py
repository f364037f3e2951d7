"""Which rows can go into a seal, and which have to wait, however many wait.

Entries of a run wait by the hundred thousand. Where all do, they are counted and not read, so that
a look takes little memory and little time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import connection, models
from django.db.models import Count, ExpressionWrapper, Q, QuerySet

from associations.audit.integrity import id_ranges
from associations.audit.integrity.manifest import (
    Coverage,
    ManifestError,
    before_the_first,
    read,
)
from associations.audit.integrity.serialization import KINDS, readable_digests_of
from associations.models import OPEN_OUTCOMES, AuditSeal
from associations.models.readable import UNREADABLE

_LAST_GIVEN = """
SELECT pg_catalog.pg_sequence_last_value(
    pg_catalog.pg_get_serial_sequence(%s, 'id')::pg_catalog.regclass
)
"""
ITEMS_PER_SEAL = 2_000  # of a kind
# A number without a row may be a transaction that has not ended. After so long it is none.
LONGEST_TRANSACTION = timedelta(hours=1)
LARGEST_GAP = 1_000_000
IDS_AT_ONCE = 5_000
LAST_ID = 2**63 - 1
NAMED = 10

# Of each kind: what can be sealed now, and what never will be by itself. The rest will be later.
SEALABLE = {
    "entry": ~Q(outcome__in=OPEN_OUTCOMES) & Q(look_due__isnull=True),
    "attempt": Q(late=True),
    "check": Q(pk__gt=0),
    "batch": Q(pk__gt=0),
    "export": Q(finished_at__isnull=False),
    "pruning": Q(pk__gt=0),
    "event": Q(pk__gt=0),
    "verification": Q(pk__gt=0),
    "erasure": Q(pk__gt=0),
    "timestamp": Q(pk__gt=0),
}
# Other attempts are part of their entries.
NEVER_SEALED = {kind: Q(late=False) if kind == "attempt" else Q(pk__lt=0) for kind in KINDS}


@dataclass(slots=True)
class Candidates:
    """What there is of one kind up to the id `top`, by the ids that are in no seal yet.

    `ready` can go; `waiting` are rows that cannot yet; in `gaps` are no rows, or none that belong
    into a seal; what is `unseen` was not looked at, as there was enough before.
    """

    top: int
    ready: list[int] = field(default_factory=list)
    waiting: id_ranges.Ranges = field(default_factory=list)
    others: id_ranges.Ranges = field(default_factory=list)  # rows that are part of another item
    gaps: id_ranges.Ranges = field(default_factory=list)
    unseen: id_ranges.Ranges = field(default_factory=list)
    is_all: bool = True


def find_candidates(
    kind: str, before: Coverage, at_most: int, without: id_ranges.Ranges | None = None
) -> Candidates:
    """Look at what waits and what is new, until a few more can go than `at_most`.

    What is `without` waits on, unseen; and so does what has a number that was never given: a seal
    that covered it would take all below for free, and who gets one of these later for inserted.
    """
    found, seen = Candidates(before.high), LAST_ID
    given = last_given(kind)
    if given is not None:
        without = id_ranges.merged(without or [], [(given + 1, LAST_ID)])
    for part in _parts(kind, id_ranges.less(before.candidates(LAST_ID), without or [])):
        _look_at(kind, part, found)
        if len(found.ready) > at_most:
            found.is_all, seen = False, part[-1][1]
            break
    candidates = before.candidates(found.top)
    left_out = id_ranges.less(candidates, id_ranges.less(candidates, without or []))
    found.waiting = id_ranges.merged(found.waiting, left_out)
    found.unseen = id_ranges.above(candidates, seen)
    there = id_ranges.merged(
        found.waiting, found.others, id_ranges.of_ids(found.ready), found.unseen
    )
    found.gaps = id_ranges.less(candidates, there)
    return found


def last_given(kind: str) -> int | None:
    """Return the highest number that the database has given a row; None where it cannot tell.

    SQLite gives the one after the highest that there is, whoever chose that.
    """
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(_LAST_GIVEN, [KINDS[kind]._meta.db_table])
        return cursor.fetchone()[0] or 0


def never_given(kind: str) -> list[int]:
    """Return the highest few numbers of rows that the database never gave: somebody chose them."""
    numbers = KINDS[kind]._default_manager.order_by("-pk").values_list("pk", flat=True)
    highest = list(numbers[:NAMED])  # before the other look: meanwhile more may be given
    given = last_given(kind)
    return [] if given is None else [number for number in highest if number > given]


def find_unreadable(at_most: int = 25) -> list[str]:
    """Name the rows that nobody can read, such as `entry 5`, among the first that no seal holds.

    So many of each kind are read of what can be sealed, and as many of what waits: those that
    cannot be read stay there, and so come to the front.
    """
    try:
        manifest = AuditSeal.objects.values_list("manifest", flat=True).last()
        coverage = read(manifest).coverage if manifest is not None else before_the_first()
    except (ManifestError, *UNREADABLE):
        return []  # a seal that cannot be read does not tell what comes after it
    found = []
    for kind, before in coverage.items():
        look = find_candidates(kind, before, at_most)
        ids = [*sorted(look.ready)[:at_most], *islice(id_ranges.each(look.waiting), at_most)]
        found += [f"{kind} {pk}" for pk in readable_digests_of(kind, ids)[1]]
    return found


def told_unreadable(names: list[str]) -> str:
    """Say how many these are, and which the first."""
    are = "row cannot be read, and so is" if len(names) == 1 else "rows cannot be read, and so are"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {are} in no seal: {', '.join(names[:NAMED])}{more}."


def rows_there(kind: str, ids: id_ranges.Ranges) -> set[int]:
    """Return which of these ids are rows that belong into a seal."""
    found = set[int]()
    for part in id_ranges.batches(ids):
        rows = rows_of(kind, part).exclude(NEVER_SEALED[kind])
        found.update(rows.values_list("pk", flat=True))
    return found


def rows_of(kind: str, ids: id_ranges.Ranges) -> QuerySet[Any]:
    return KINDS[kind]._default_manager.filter(id_ranges.condition(ids))


def _parts(kind: str, ids: id_ranges.Ranges) -> Iterator[id_ranges.Ranges]:
    """Give the ids a few at a time, and none of those between two rows that are far apart."""
    part: id_ranges.Ranges = []
    for first, last in _short(kind, ids):
        if part and (len(part) == 200 or id_ranges.size(part) + last - first >= IDS_AT_ONCE):
            yield part
            part = []
        part.append((first, last))
    if part:
        yield part


def _short(kind: str, ids: id_ranges.Ranges) -> Iterator[tuple[int, int]]:
    for first, last in ids:
        start = first
        while last - start >= IDS_AT_ONCE:
            yield start, start + IDS_AT_ONCE - 1
            rest = rows_of(kind, [(start + IDS_AT_ONCE, last)]).order_by("pk")
            start = rest.values_list("pk", flat=True).first() or last + 1
        if start <= last:
            yield start, last


def _look_at(kind: str, part: id_ranges.Ranges, found: Candidates) -> None:
    rows = rows_of(kind, part)
    if kind == "entry" and _count_of_open(rows) == id_ranges.size(part):
        found.waiting = id_ranges.merged(found.waiting, part)
        found.top = max(found.top, part[-1][1])
    else:
        _look_at_each(kind, rows, found)


def _count_of_open(rows: QuerySet[Any]) -> int:
    """Not by filter(): SQLite would go through all open entries for every part."""
    counted = rows.aggregate(count=Count("pk", filter=~SEALABLE["entry"]))
    return int(counted["count"])


def _look_at_each(kind: str, rows: QuerySet[Any], found: Candidates) -> None:
    is_ready, is_other = (
        ExpressionWrapper(each[kind], models.BooleanField()) for each in (SEALABLE, NEVER_SEALED)
    )
    waiting, others = list[int](), list[int]()
    told = rows.annotate(is_ready=is_ready, is_other=is_other)
    for pk, ready, other in told.values_list("pk", "is_ready", "is_other"):
        (found.ready if ready else others if other else waiting).append(pk)
        found.top = max(found.top, pk)
    found.waiting = id_ranges.merged(found.waiting, id_ranges.of_ids(waiting))
    found.others = id_ranges.merged(found.others, id_ranges.of_ids(others))
