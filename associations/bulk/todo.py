"""What runs leave for somebody to do: of an ended one, and which ones there are."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext

from associations.bulk.corrections import entries_to_correct, rows_kept_back, rows_never_queued
from associations.bulk.files.errors import OF_THE_COLUMNS
from associations.bulk.messages import headline, sentence
from associations.hubspot.outcomes import LASTING, OF_UNDO
from associations.models import BulkRun, RunState
from associations.models.bulk import ENDED, Approval
from associations.models.readable import (
    UNREADABLE,
    UnreadableRow,
    read_rows,
    with_readable,
)
from associations.texts.labels import cannot_be_read, icon, word_for

if TYPE_CHECKING:
    from hubadmin.models import User

GROUPS_SHOWN, ROWS_SHOWN = 20, 25
RUNS_COUNTED = 100

_HAS_FAULTS = Q(rows_invalid__gt=0) | Q(rejected__gt=0) | Q(unreachable__gt=0)
_HAS_FAULTS |= Q(unconfirmed__gt=0)
_HAS_MORE_TO_SEND = Q(rows_read__gt=F("rows_invalid") + F("rows_double") + F("rows_linked"))
_NEED_SOMEBODY = (
    Q(state=RunState.UNREADABLE, problem__in=OF_THE_COLUMNS) & ~Q(layout={})
    | Q(state=RunState.READY) & ~Q(approval=Approval.ASKED) & (_HAS_FAULTS | _HAS_MORE_TO_SEND)
    | Q(state=RunState.PAUSED) & ~Q(stop_cause="")
)
_STATES = (RunState.UNREADABLE, RunState.READY, RunState.PAUSED, *ENDED)


def runs_needing(user: "User") -> frozenset[int]:
    """Return the runs of this person that stand still, or have left something, until they come.

    Its file is not understood, it waits for a start, it has paused by itself, or it has ended and
    its person has not taken along what is to correct there, while that is kept.
    """
    since = timezone.now() - timedelta(days=settings.BULK_KEEP_DAYS)
    has_left = Q(state__in=ENDED, finished_at__gt=since) & _HAS_FAULTS
    found = BulkRun.objects.filter(user=user, attended_at=None, state__in=_STATES)
    needing = with_readable(found.filter(_NEED_SOMEBODY | has_left))
    return frozenset(needing.order_by().values_list("pk", flat=True)[:RUNS_COUNTED])


@dataclass(frozen=True, slots=True)
class Item:
    """Pairs of an ended run with one cause: how many, in words, and the first of them."""

    count: int
    text: str
    icon: str
    tone: str
    rows: list[Any]
    can_pass: bool  # trying again may do

    @property
    def left(self) -> int:
        return self.count - len(self.rows)


def todo_of(run: BulkRun) -> list[Item]:
    """Return what an ended run has not linked, the most frequent cause first."""
    return [*_sent(run), *_left_out(run)]


def _sent(run: BulkRun) -> list[Item]:
    entries = entries_to_correct(run).select_related("names").order_by("row_number")
    items = []
    for outcome, cause, count in _causes(entries, "outcome", "cause"):
        rows = read_rows(entries.filter(outcome=outcome, cause=cause)[:ROWS_SHOWN])
        can_pass = outcome != "canceled" and cause not in LASTING
        # What is canceled was perhaps sent before, and refused.
        is_told = outcome != "canceled" or cause in OF_UNDO
        text = word_for(cause or outcome if is_told else outcome)
        items.append(Item(count, text, icon(outcome), outcome, rows, can_pass))
    return items


def _left_out(run: BulkRun) -> list[Item]:
    kept_back = rows_kept_back(run).order_by("number")
    items = []
    for code, field, count in _causes(kept_back, "problem", "problem_field"):
        rows = read_rows(kept_back.filter(problem=code, problem_field=field)[:ROWS_SHOWN])
        items.append(
            Item(count, _said(rows, field, code), icon("rejected"), "rejected", rows, False)
        )
    if count := (never := rows_never_queued(run).order_by("number")).count():
        text = gettext("The run was canceled before this row was queued.")
        rows = read_rows(never[:ROWS_SHOWN])
        items.append(Item(count, text, icon("canceled"), "canceled", rows, False))
    return items


def _causes(rows: Any, *columns: str) -> list[tuple[str, str, int]]:
    try:
        return counted(rows, *columns)
    except UNREADABLE:  # the rest can be told; results.csv says which rows cannot be read
        return counted(with_readable(rows, *columns), *columns)


def counted(rows: Any, *columns: str) -> list[tuple[str, str, int]]:
    """Return what rows have in these two columns, and how many have it; the most frequent first."""
    groups = rows.order_by().values_list(*columns).annotate(count=Count("pk"))
    return list(groups.order_by("-count", *columns)[:GROUPS_SHOWN])


def _said(rows: list[Any], field: str, code: str) -> str:
    """What all of these rows have in common; else what the first one's problem is."""
    if text := headline(field, code):
        return text
    first = rows[0] if rows else None
    if isinstance(first, UnreadableRow):
        return cannot_be_read(first)
    return sentence(field, code, first.facts if first else {})
