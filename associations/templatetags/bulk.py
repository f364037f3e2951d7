"""What the templates of bulk runs need."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import ngettext

from associations.bulk.labels import look_of, run_name
from associations.bulk.messages import (
    column_label,
    file_sentence,
    headline,
    sentence,
    stop_sentence,
)
from associations.hubspot.record_references import SIDES
from associations.models import BulkRow, BulkRun
from associations.texts.labels import merged_text

register = template.Library()

register.filter("column_label", column_label)
register.filter("run_name", run_name)
register.filter("look", look_of)
register.filter("stop_sentence", stop_sentence)


@register.filter
def why_unreadable(run: BulkRun) -> str:
    return file_sentence(run.problem, run.problem_facts)


@register.filter
def problem_sentence(row: BulkRow) -> str:
    return sentence(row.problem_field, row.problem, row.facts)


@register.filter
def problem_headline(row: BulkRow) -> str:
    """The same of all rows with this problem, where there are words for that."""
    return headline(row.problem_field, row.problem) or problem_sentence(row)


@register.filter
def problem_cell(row: BulkRow) -> str:
    """What stood in the cell that has the problem."""
    return str(row.cells.get(row.problem_field, ""))


@register.filter
def written_pair(row: BulkRow) -> str:
    """Both sides as they stood in the file, or as far as they were understood."""
    sides = (f"{side}_object_id" for side in SIDES)
    return " → ".join(str(row.cells.get(name) or getattr(row, name) or "…") for name in sides)


@register.filter
def merges_told(row: BulkRow) -> list[str]:
    """Which of its records were merged into others, as far as the dry run saw it."""
    told = [(side, row.facts.get(f"{side}_merged_into")) for side in SIDES]
    return [
        merged_text(
            getattr(row, f"{side}_object_type"), getattr(row, f"{side}_object_id"), str(into)
        )
        for side, into in told
        if into
    ]


@register.filter
def side_of(meaning: str) -> str:
    """The side whose record a column names, by what it means; empty for others."""
    field = str(meaning).partition(":")[0]
    return field.removesuffix("_object_id") if field.endswith("_object_id") else ""


@register.filter
def for_side(counts: dict[str, dict[str, int]], side: str) -> dict[str, int]:
    return counts.get(side, {})


@register.filter
def rate(rows_a_second: float) -> str:
    digits = 0 if rows_a_second >= 10 else 1
    return number_format(round(rows_a_second, digits), digits, force_grouping=True)


@register.filter
def about(seconds: int) -> str:
    """A time to wait or to look back on, as exact as anybody wants it."""
    if seconds < 100:
        text = ngettext("{count} second", "{count} seconds", seconds)
        return text.format(count=seconds)
    minutes = round(seconds / 60)
    if minutes < 100:
        return ngettext("{count} minute", "{count} minutes", minutes).format(count=minutes)
    hours = round(seconds / 3600)
    return ngettext("{count} hour", "{count} hours", hours).format(count=hours)
