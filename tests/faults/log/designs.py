"""What cannot be found by design: each class with its reason, and which changes are of it.

A manipulation is one by design only if each single change that it made is of some class here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils.dateparse import parse_datetime

from associations.audit.integrity.serialization import KINDS, OWNERS, UNREADABLE, each_line
from associations.audit.integrity.triggers import ASKED, TAKEN
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import SIDES
from associations.models import OPEN_OUTCOMES, name_digest
from tests.faults.log.chain import SHOWN
from tests.faults.log.databases import OWNER, ROLES
from tests.faults.log.state import Chain, Change, Row, Rows, owner_of, tables
from tests.faults.log.values import times_of

# Longer than what a seal allows for a transaction that has not ended, and for clocks that differ.
GRACE = timedelta(hours=2)
# By HubSpot's clock, as HubSpot's answer has them: whatever it says is what it said. And since
# when a verification ran, which says nothing of the log.
ANY_TIME = {("entry", "requested_at"), ("entry", "started_at"), ("entry", "completed_at")}
ANY_TIME |= {("verification", "started_at")}
ENDS = ("finished_at",)
# Rows that whoever serves has no business to add.
NOT_SERVED = ("seal", "pruning", "verification", "erasure", "names")


@dataclass(slots=True)
class Aftermath:
    """What is there after a manipulation. `chain` are the seals that are left of those before."""

    role: str
    rows: Rows
    before: Rows
    chain: Chain
    now: datetime
    is_found_with_head: bool = False
    page: str = ""  # /audit/integrity/
    unreadable: dict[tuple[str, int], bool] = field(default_factory=dict)

    def is_readable(self, kind: str, pk: int) -> bool:
        if (kind, pk) not in self.unreadable:
            self.unreadable[kind, pk] = _is_unreadable(kind, pk)
        return not self.unreadable[kind, pk]

    def is_sealed(self, change: Change) -> bool:
        """Whether a seal says what this row is: an attempt that came in time is its entry's."""
        kind, pk = change.kind, change.pk
        if kind == "attempt" and not _is_late(change.before or change.after):
            entry = owner_of(kind, change.before or change.after)
            return entry is None or self.chain.holds("entry", entry)
        return self.chain.holds(kind, pk)

    def has_good_times(self, kind: str, pk: int, row: Row, *, begins: bool = True) -> bool:
        """None lies before what the seals leave room for, and none in the future.

        When an open entry ended is no claim yet. Without `begins` only when it ended is looked at.
        """
        for each in times_of(tables()[kind]):
            is_end = each.column in ENDS
            if (kind, each.column) in ANY_TIME or row[each.column] is None:
                continue
            if is_end and kind == "entry" and _is_open(kind, row):
                continue
            at = _moment(row[each.column])
            first = self.chain.earliest(kind, pk, is_end=is_end) if begins or is_end else None
            if at is None or at > self.now + GRACE or (first and at < first - GRACE):
                return False
        return True


def _is_unreadable(kind: str, pk: int) -> bool:
    model: type[models.Model] = tables()[kind]
    try:
        row = model._default_manager.filter(pk=pk).values().get()
        if kind in KINDS:
            list(each_line(kind, [pk]))
    except (*UNREADABLE, ObjectDoesNotExist):
        return True
    return not row


def _is_late(row: Row) -> bool:
    return row.get("late") in ("true", "1", "t")


def _moment(text: str | None) -> datetime | None:
    try:
        at = parse_datetime((text or "").replace("+00", "+00:00"))
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Design:
    """A class of changes that no seal can show, by whom, and why that is so."""

    name: str
    why: str
    is_one: Callable[[Change, Aftermath], bool]
    roles: tuple[str, ...] = ROLES


def _is_same_value(change: Change, after: Aftermath) -> bool:
    if change.what != "altered" or change.kind not in KINDS:
        return False
    pairs = [(change.before[name], change.after[name]) for name in change.columns]
    return all(_plain(one) == _plain(other) for one, other in pairs)


def _plain(value: str | None) -> Any:
    """Empty is empty, and a time is a time, however either is written."""
    if value is None or value.strip() in ("", "[]", "{}", "null", '""'):
        return None
    at = _moment(value)
    return at or "".join(value.split())


def _is_written_as_it_happens(change: Change, after: Aftermath) -> bool:
    return (
        change.what == "inserted"
        and change.kind not in NOT_SERVED
        and 0 < change.pk < 10**15
        and not after.is_sealed(change)
        and after.is_readable(change.kind, change.pk)
        and after.has_good_times(change.kind, change.pk, change.after)
        and _has_its_entry(change, after)
    )


def _tells_of_a_call_long_ago(change: Change, after: Aftermath) -> bool:
    return (
        change.what == "inserted"
        and change.kind in ("attempt", "batch")
        and change.after["failure"] == Cause.INTERRUPTED
        and 0 < change.pk < 10**15
        and not after.is_sealed(change)
        and after.is_readable(change.kind, change.pk)
        and after.has_good_times(change.kind, change.pk, change.after, begins=False)
        and _has_its_entry(change, after)
    )


def _has_its_entry(change: Change, after: Aftermath) -> bool:
    return change.kind not in OWNERS or owner_of(change.kind, change.after) in after.rows["entry"]


def _is_answer(change: Change, after: Aftermath) -> bool:
    asked = {"entry": ASKED, "export": TAKEN}.get(change.kind, "")
    return (
        bool(asked)
        and change.what == "altered"
        and not change.columns & {*asked.split()}
        and _is_open(change.kind, change.before)
        and after.is_readable(change.kind, change.pk)
        and after.has_good_times(change.kind, change.pk, change.after)
    )


def _is_open(kind: str, row: Row) -> bool:
    if kind == "entry":
        return row["outcome"] in OPEN_OUTCOMES
    return kind == "export" and row["finished_at"] is None


def _is_not_sealed_yet(change: Change, after: Aftermath) -> bool:
    if change.kind not in KINDS or change.kind == "pruning" or after.is_sealed(change):
        return False
    if change.what == "deleted":
        return True
    return after.is_readable(change.kind, change.pk) and (
        after.has_good_times(change.kind, change.pk, change.after)
    )


def _is_dated_back_while_open(change: Change, after: Aftermath) -> bool:
    columns = {each.column for each in times_of(tables()[change.kind])} - {*ENDS}
    return (
        change.kind in KINDS
        and change.what == "altered"
        and bool(change.columns & columns)
        and not after.is_sealed(change)
        and after.chain.has_seen(change.kind, change.pk)
        and after.is_readable(change.kind, change.pk)
        and after.has_good_times(change.kind, change.pk, change.after, begins=False)
    )


def _is_cut_off(change: Change, after: Aftermath) -> bool:
    """Seals that are gone are the newest ones, and whoever kept a head learns of it."""
    if change.kind != "seal" or change.what != "deleted":
        return False
    return after.is_found_with_head and change.pk > after.chain.number


def _is_pruning_cut_off(change: Change, after: Aftermath) -> bool:
    return (
        change.kind in ("pruning", "verification", "erasure")
        and change.what == "deleted"
        and change.kind in KINDS
        and after.is_found_with_head
        and not after.chain.holds(change.kind, change.pk)
    )


def _is_shown_as_unsigned(change: Change, after: Aftermath) -> bool:
    return (
        change.kind == "verification"
        and change.kind in KINDS
        and change.what == "inserted"
        and 0 < change.pk < 10**15
        and not after.is_sealed(change)
        and after.is_readable(change.kind, change.pk)
        and after.has_good_times(change.kind, change.pk, change.after)
        and ("not signed" in after.page or f"{SHOWN:,}" not in after.page)
    )


def _opens_what_its_entry_holds(change: Change, after: Aftermath) -> bool:
    """It says what the entry says, or no more than nothing."""
    if change.kind != "names":
        return False
    entry = after.rows["entry"].get(change.pk, {})
    return all(_is_opened(side, entry, change) for side in SIDES)


def _is_opened(side: str, entry: Row, change: Change) -> bool:
    before, now = (
        [row.get(f"{side}_{part}") or "" for part in ("name", "typed", "salt")]
        for row in (change.before, change.after)
    )
    if not any(now):
        return not any(before) or not entry.get(f"{side}_name_digest")
    return name_digest(now[2], now[0], now[1]) == entry.get(f"{side}_name_digest")


DESIGNS = [
    Design(
        "another spelling",
        "An item's line leaves out what is empty and writes times in one way: it is the same item.",
        _is_same_value,
    ),
    Design(
        "written as it happens",
        "Whoever serves writes the log: a row as of now that no seal has to hold is its job, and "
        "nothing tells whether that was ever asked for.",
        _is_written_as_it_happens,
    ),
    Design(
        "a call of long ago",
        "Who takes up a run tells of a call that somebody else had under way, however long ago: "
        "nothing tells whether there was one.",
        _tells_of_a_call_long_ago,
    ),
    Design(
        "the name that the entry holds",
        "A name is what the entry's digest says; who makes up an entry makes up its name, and a "
        "row that is empty is as good as none.",
        _opens_what_its_entry_holds,
    ),
    Design(
        "answered while open",
        "Whoever serves fills in the answer to what is open, and may do so falsely.",
        _is_answer,
    ),
    Design(
        "not sealed yet",
        "Until it is sealed a row is guarded by triggers and roles alone, and the owner of the "
        "tables takes these off.",
        _is_not_sealed_yet,
        (OWNER,),
    ),
    Design(
        "dated back while open",
        "A seal that has seen an open row does not say what it says: since when it is open, was "
        "sent or was seen is the row's own word until it is sealed.",
        _is_dated_back_while_open,
    ),
    Design(
        "newest seals cut off",
        "The seals before prove nothing of those after; a head kept elsewhere (--head) does, and "
        "finds it.",
        _is_cut_off,
        (OWNER,),
    ),
    Design(
        "went with the seals cut off",
        "The same for a pruning or a verification that none of the seals that are left hold.",
        _is_pruning_cut_off,
        (OWNER,),
    ),
    Design(
        "result of a verification",
        "Whoever verifies writes down the result; one that the key has not signed is shown as "
        "such, or not at all, and a signed one that is there twice says what it said.",
        _is_shown_as_unsigned,
    ),
]


def designs_of(changes: Iterable[Change], after: Aftermath) -> list[str] | None:
    """The names of the classes that all these changes are of; None if one is of none."""
    names = []
    for change in changes:
        found = [d.name for d in DESIGNS if after.role in d.roles and d.is_one(change, after)]
        if not found:
            return None
        names.append(found[0])
    return sorted({*names})
