"""What keeps rows of a run back, in groups of one cause each, and what may be chosen there."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from associations.bulk.files.rows import RowReason
from associations.bulk.todo import ROWS_SHOWN, counted
from associations.gateway.account import calls_today
from associations.gateway.cache import run_concurrently
from associations.linking.foresight import doubts_about
from associations.models import BulkKey, BulkRow, BulkRun, RowState
from associations.models.readable import UnreadableRow, read_rows, with_readable

CHOICES_SHOWN = 25
NONE = "none"  # of the records on offer
_TYPES = ("from_object_type", "to_object_type")


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with one problem in one column: how many, and the first of them."""

    count: int
    rows: list[BulkRow | UnreadableRow]

    @property
    def left(self) -> int:
        return self.count - len(self.rows)


def groups_of(run: BulkRun) -> list[Group]:
    """Return the rows that cannot be sent and wait for no choice, the most frequent cause first."""
    kept_back = with_readable(run.rows.filter(state=RowState.INVALID), "problem", "problem_field")
    kept_back = kept_back.exclude(problem=RowReason.CHOOSE)
    groups = []
    for code, field, count in counted(kept_back, "problem", "problem_field"):
        rows = kept_back.filter(problem=code, problem_field=field).order_by("number")
        groups.append(Group(count, read_rows(rows[:ROWS_SHOWN])))
    return groups


def found_by_side(run: BulkRun) -> dict[str, dict[str, int]]:
    """Return for each side ("from", "to") of how many rows HubSpot has the record.

    `several` of the others may mean one of several. Empty where nobody has looked.
    """
    if not (run.rows_looked_up or run.keys.exists()):
        return {}
    counts = {}
    for side in ("from", "to"):
        # A row tells its first problem only, which may be of the other side: so its key is asked.
        field, of_key = f"{side}_object_id", Q(**{f"{side}_key__object_id__gt": ""})
        is_record = ~Q(**{field: ""}) & ~Q(**{f"{side}_object_type": ""})
        is_there = Q(problem="") | ~Q(problem_field=field) | Q(problem=RowReason.LIMIT)
        by_id = is_record & is_there
        counts[side] = Count("pk", filter=of_key | by_id)
        is_open = Q(**{f"{side}_key__problem": RowReason.CHOOSE})
        counts[f"{side}_several"] = Count("pk", filter=is_open)
    told = run.rows.aggregate(**counts)
    return {
        side: {"found": told[side], "several": told[f"{side}_several"], "of": run.rows_read}
        for side in ("from", "to")
    }


def foreseen_of(run: BulkRun) -> dict[str, Any]:
    """Return what may keep HubSpot from linking any of the rows, as far as it tells.

    `doubts` about their types, and how many `calls_left` there are today, if fewer than rows.
    """
    if not settings.HUBSPOT_VERIFY or not run.rows_not_linked:
        return {}
    ready = with_readable(run.rows.filter(state=RowState.READY), *_TYPES)
    types = {each for pair in ready.order_by().values_list(*_TYPES).distinct() for each in pair}
    told: list[Any] = run_concurrently(partial(doubts_about, types), calls_today)
    doubts, usage = told
    left = max(0, usage.limit - usage.used) if usage else None
    is_few = left is not None and left < run.rows_not_linked
    return {"doubts": doubts, "calls_left": left if is_few else None}


class ChoicesForm(forms.Form):
    """Which of the records that HubSpot has under a text is meant, for all rows that have it."""

    def __init__(self, data: Any = None, *, run: BulkRun) -> None:
        super().__init__(data)
        # Not those of rows that something else keeps back: a choice would not help these.
        rows = _waiting(run)
        named = Q(pk__in=rows.values("from_key")) | Q(pk__in=rows.values("to_key"))
        waiting = run.keys.filter(named, problem=RowReason.CHOOSE).order_by("pk")
        self.keys = list(waiting[:CHOICES_SHOWN])
        self.left = waiting.count() - len(self.keys) if self.keys else 0
        self._rows = _rows_of(run, self.keys)
        for key in self.keys:
            choices = [(each[0], each[1]) for each in key.candidates]
            self.fields[f"key_{key.pk}"] = forms.ChoiceField(
                label=key.text,
                choices=[*choices, (NONE, _("None of these"))],
                required=False,
                error_messages={"invalid_choice": _("Choose one of these.")},
            )

    @property
    def choices(self) -> list[dict[str, Any]]:
        """For each text: its key, the field, how many rows have it and the line of the first."""
        return [
            {"key": key, "field": self[f"key_{key.pk}"], **self._rows.get(key.pk, {})}
            for key in self.keys
        ]

    def clean(self) -> dict[str, Any]:
        super().clean()
        if not self.errors and not self.chosen:
            self.add_error(None, _("Nothing is chosen yet. Choose a record in at least one place."))
        return self.cleaned_data

    @property
    def chosen(self) -> dict[int, str]:
        """Key → the id of the record that was chosen, empty for none of these."""
        said = {key.pk: self.cleaned_data.get(f"key_{key.pk}", "") for key in self.keys}
        return {pk: "" if value == NONE else value for pk, value in said.items() if value}


def _waiting(run: BulkRun) -> QuerySet[BulkRow]:
    return run.rows.filter(state=RowState.INVALID, problem=RowReason.CHOOSE)


def _rows_of(run: BulkRun, keys: list[BulkKey]) -> dict[int, dict[str, int]]:
    pks = [key.pk for key in keys]
    of_keys = _waiting(run).filter(Q(from_key__in=pks) | Q(to_key__in=pks)).order_by("number")
    count, lines = Counter[int](), dict[int, int]()
    for line, *named in of_keys.values_list("line", "from_key_id", "to_key_id").iterator():
        for pk in set(named) & {*pks}:
            count[pk] += 1
            lines.setdefault(pk, line)
    return {pk: {"rows": count[pk], "line": lines[pk]} for pk in count}
