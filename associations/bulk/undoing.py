"""A run that undoes another: which links it takes back, and why not the others.

Its rows are staged from what the other one and its retries have linked. What linking/undo.py asks
of one entry is asked here of many at once: in the dry run, when they are queued, and of each chunk
before it is sent. How HubSpot has the pairs is looked at in the dry run, and around each call.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from associations.audit import recorder
from associations.bulk import row_names
from associations.bulk.leases import hold
from associations.db import retry_on_outage, update_each
from associations.hubspot.answers import Answer
from associations.hubspot.outcomes import Cause, Outcome
from associations.linking import undo
from associations.linking.undo import Bar, Known, Look
from associations.models import (
    OPEN_OUTCOMES,
    AssociationRequest,
    AssociationRequestQuerySet,
    BulkChunk,
    BulkRow,
    BulkRun,
    RowState,
    RunState,
)
from associations.models.bulk import ENDED
from associations.models.querysets import OF_PAIR

if TYPE_CHECKING:
    from hubadmin.models import User

PREFIX = "undo_"  # of a row's problem; the rest is a Bar
_NEEDED = (*OF_PAIR, "outcome", "verified", "was_linked", "undoes_id", "user_id", "created_at")
_Bars = Mapping[int, Bar]


def entries_to_undo(run: BulkRun, user: "User") -> AssociationRequestQuerySet:
    """Return what the run has linked, and the retries of it that this person may undo as well."""
    runs = runs_to_undo(run, user)
    return AssociationRequest.objects.filter(run__in=runs, outcome=Outcome.LINKED)


def runs_to_undo(run: BulkRun, user: "User") -> set[int]:
    """Return the ids of the run and of these retries."""
    runs, found = {run.pk}, {run.pk}
    while found:
        retries = BulkRun.objects.visible_to(user).filter(retry_of__in=found, undoes=None)
        found = {*retries.values_list("pk", flat=True)} - runs
        runs |= found
    return runs


def can_be_undone(run: BulkRun, user: "User") -> bool:
    """Whether this person may try; how much of it can be undone, the dry run finds out."""
    if run.state not in ENDED or run.undoes_id:
        return False
    if is_too_late(run, user) or is_being_undone(run):
        return False
    return entries_to_undo(run, user).exists()


def is_too_late(run: BulkRun, user: "User") -> bool:
    return run.started_at is None or undo.is_too_late(run.started_at, user)


def is_being_undone(run: BulkRun) -> bool:
    """Whether a run that does so has not come to its end."""
    return run.undos.exclude(state__in=(*ENDED, RunState.UNREADABLE)).exists()


def rows_of(run: BulkRun, staged: int) -> Iterator[dict[str, Any]]:
    """Give the columns of the rows that follow the one which undoes the entry of this id."""
    if run.undoes is None:
        return
    entries = entries_to_undo(run.undoes, run.user).filter(pk__gt=staged)
    first = BulkRow.objects.filter(run=OuterRef("run"), number=OuterRef("row_number"))
    # 0 is none: the rows of a file are not kept for ever.
    lined = entries.annotate(line=Coalesce(Subquery(first.values("line")), 0))
    merged = ("from_merged_into", "to_merged_into")
    names = [f"names__{column}" for column in row_names.COLUMNS]
    for each in lined.order_by("pk").values("pk", "line", *OF_PAIR, *merged, *names).iterator():
        kept = {column: each.pop(f"names__{column}") for column in row_names.COLUMNS}
        for side in ("from", "to"):
            into = each.pop(f"{side}_merged_into")
            each[f"{side}_object_id"] = into or each[f"{side}_object_id"]
        each["undoes_id"] = each.pop("pk")
        yield each | row_names.copied(kept)


# --- what the log says ----------------------------------------------------------------------------


def bars_of(run: BulkRun, undone: Collection[int]) -> _Bars:
    """Return why the log alone says that these entries are not undone, by their ids.

    What this run itself has open is no reason, nor what it has of an earlier one that is ending.
    """
    entries = AssociationRequest.objects.only("run_id", "row_number", *_NEEDED).in_bulk([*undone])
    undos = defaultdict[int | None, set[str]](set)
    of_these = AssociationRequest.objects.filter(undoes__in=undone)
    own = Q(run__in=[run.pk, *filter(None, [run.retry_of_id])], outcome__in=OPEN_OUTCOMES)
    for pk, outcome in of_these.exclude(own).values_list("undoes_id", "outcome"):
        undos[pk].add(outcome)
    before, again = _were_linked(entries.values()), _asked_again(entries.values())
    known = {pk: Known(undos[pk], before.get(pk), pk in again) for pk in entries}
    bars = {pk: known[pk].bar_of(entry) for pk, entry in entries.items()}
    # An entry that was pruned is in no log any more.
    return {pk: bar for pk in undone if (bar := bars.get(pk, Bar.NOT_KNOWN))}


def _were_linked(entries: Collection[AssociationRequest]) -> dict[int, bool | None]:
    """Whether pairs were linked before; of runs, as their dry runs have seen it."""
    of_runs = defaultdict[int, list[int]](list)
    for entry in entries:
        if entry.run_id and entry.row_number:
            of_runs[entry.run_id].append(entry.row_number)
    seen: dict[tuple[int | None, int | None], bool | None] = {}
    for run, numbers in of_runs.items():
        rows = BulkRow.objects.filter(run=run, number__in=numbers)
        seen |= {(run, number): was for number, was in rows.values_list("number", "was_linked")}
    return {
        each.pk: seen.get((each.run_id, each.row_number))
        if each.was_linked is None
        else each.was_linked
        for each in entries
    }


def _asked_again(entries: Collection[AssociationRequest]) -> set[int]:
    """Those of which somebody else has asked for the same link later, in either direction."""
    if not entries:
        return set()
    ones, others = ({getattr(each, f"{s}_object_id") for each in entries} for s in ("from", "to"))
    later = AssociationRequest.objects.filter(undoes=None, outcome=Outcome.LINKED)
    later = later.filter(created_at__gte=min(each.created_at for each in entries))
    found = defaultdict[frozenset[tuple[str, str]], list[tuple[Any, int, int]]](list)
    for from_ids, to_ids in ((ones, others), (others, ones)):
        asked = later.filter(from_object_id__in=from_ids, to_object_id__in=to_ids)
        for *sides, at, pk, user in asked.values_list(*OF_PAIR, "created_at", "pk", "user_id"):
            found[_pair(*sides)].append((at, pk, user))
    return {
        each.pk
        for each in entries
        for at, pk, user in found[_pair(*(getattr(each, name) for name in OF_PAIR))]
        if (at, pk) > (each.created_at, each.pk) and user != each.user_id
    }


def _pair(from_type: str, from_id: str, to_type: str, to_id: str) -> frozenset[tuple[str, str]]:
    return frozenset({(from_type, from_id), (to_type, to_id)})


# --- rows that are kept back ----------------------------------------------------------------------


def keep_back(
    run: BulkRun, rows: Sequence[BulkRow], looks: Mapping[int, Look] = MappingProxyType({})
) -> int:
    """Let those that cannot be undone have a problem; return how many. Part of a transaction.

    Once the run is started only those that others are undoing: of these no second entry can be
    queued. All else is asked again before each chunk, so that entries are what was approved.
    """
    bars = bars_of(run, [row.undoes_id for row in rows if row.undoes_id])
    if run.state != RunState.READING:
        bars = {pk: bar for pk, bar in bars.items() if bar is Bar.UNDER_WAY}
    at_fault = []
    for row in rows:
        look = looks.get(row.pk)
        if bar := bars.get(row.undoes_id or 0) or (look and look.bar):
            row.state, row.problem = RowState.INVALID, f"{PREFIX}{bar}"
            row.facts = _facts(look) if bar is Bar.NOT_ALONE else {}
            at_fault.append(row)
    update_each(at_fault, ["state", "problem", "facts"])
    hold(run, rows_invalid=F("rows_invalid") + len(at_fault))
    return len(at_fault)


def _facts(look: Look | None) -> dict[str, str]:
    labels = look.types.labels if look and look.types else []
    return {"labels": ", ".join(labels)[:200]}


def look_again(run: BulkRun, chunk: BulkChunk) -> None:
    """Close what the log says by now is not to be undone any more; nothing is sent for it.

    Raises LeaseLostError.
    """
    retry_on_outage(partial(_close_barred, run, chunk))


def _close_barred(run: BulkRun, chunk: BulkChunk) -> None:
    hold(chunk)
    # Of one that was sent, a look at the pair says what has become of it.
    unsent = chunk.open_entries.filter(attempts=None)
    entries = {each.undoes_id: each for each in unsent if each.undoes_id}
    bars = bars_of(run, entries)
    barred = [entries[pk] for pk in bars]
    rows = list(run.rows.filter(number__in=[each.row_number for each in barred]))
    for row in rows:
        row.problem = f"{PREFIX}{bars[row.undoes_id or 0]}"
    update_each(rows, ["problem"])
    recorder.close_entries(run.pk, [(entry, Answer(Cause.NOT_SENT)) for entry in barred])
