"""What the templates of bulk runs need."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.bulk.messages import column_label, file_sentence, sentence
from associations.models import BulkEvent, BulkRow, BulkRun

register = template.Library()

register.filter("column_label", column_label)

# An icon, a word, an outcome of the same tone, and what is said when a run gets there.
_STATES = {
    "reading": ("…", pgettext_lazy("state of a run", "being read"), "", _("The file is read.")),
    "unreadable": (
        "✕",
        pgettext_lazy("state of a run", "cannot be read"),
        "rejected",
        _("The file cannot be read."),
    ),
    "ready": (
        "◇",
        pgettext_lazy("state of a run", "ready to start"),
        "",
        _("The rows are read. The run can be started."),
    ),
    "queueing": ("…", pgettext_lazy("state of a run", "being queued"), "", _("The run begins.")),
    "running": ("▸", pgettext_lazy("state of a run", "running"), "", _("The run is under way.")),
    "paused": (
        "‖",
        pgettext_lazy("state of a run", "paused"),
        "unconfirmed",
        _("The run is paused."),
    ),
    "canceling": (
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "being canceled"),
        "",
        _("The run is being canceled."),
    ),
    "canceled": (
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "canceled"),
        "",
        _("The run is canceled."),
    ),
    "done": ("✓", pgettext_lazy("state of a run", "done"), "linked", _("The run is done.")),
}
_EVENTS = {
    "uploaded": pgettext_lazy("what somebody did with a run", "uploaded"),
    "started": pgettext_lazy("what somebody did with a run", "started"),
    "paused": pgettext_lazy("what somebody did with a run", "paused"),
    "went_on": pgettext_lazy("what somebody did with a run", "had it go on"),
    "canceled": pgettext_lazy("what somebody did with a run", "canceled"),
    "stopped": pgettext_lazy("what a run did", "paused by itself"),
    "done": pgettext_lazy("what a run did", "ended"),
}


@register.filter
def run_name(run: BulkRun) -> str:
    """The name of its file, or what stands for one."""
    return run.name or gettext("pasted rows")


@register.filter
def state_icon(state: str) -> str:
    return _STATES[state][0]


@register.filter
def state_word(state: str) -> str:
    return str(_STATES[state][1])


@register.filter
def state_tone(state: str) -> str:
    return _STATES[state][2]


@register.filter
def state_said(state: str) -> str:
    return str(_STATES[state][3])


@register.filter
def event_word(event: BulkEvent) -> str:
    is_end = event.what == "canceled" and not event.user_id
    what = "done" if is_end else event.what
    return str(_EVENTS.get(what, what))


@register.filter
def why_unreadable(run: BulkRun) -> str:
    return file_sentence(run.problem, run.problem_facts)


@register.filter
def problem_sentence(row: BulkRow) -> str:
    return sentence(row.problem_field, row.problem, row.facts)


@register.filter
def problem_cell(row: BulkRow) -> str:
    """What stood in the cell that has the problem."""
    return str(row.cells.get(row.problem_field, ""))


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
