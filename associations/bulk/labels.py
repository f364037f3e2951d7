"""What people read for a run, the states it can be in, and what becomes of it."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.models import BulkEvent, BulkRun


class StateLabel(NamedTuple):
    """`tone` is the outcome whose colour it has, `said` what is told once a run gets there."""

    icon: str
    word: str | Promise
    tone: str
    said: str | Promise


_STATES: dict[str, StateLabel] = {
    "reading": StateLabel(
        "…", pgettext_lazy("state of a run", "being read"), "", _("The file is read.")
    ),
    "unreadable": StateLabel(
        "✕",
        pgettext_lazy("state of a run", "cannot be read"),
        "rejected",
        _("The file cannot be read."),
    ),
    "ready": StateLabel(
        "◇",
        pgettext_lazy("state of a run", "ready to start"),
        "",
        _("The rows are read. The run can be started."),
    ),
    "queueing": StateLabel(
        "…", pgettext_lazy("state of a run", "being queued"), "", _("The run begins.")
    ),
    "running": StateLabel(
        "▸", pgettext_lazy("state of a run", "running"), "", _("The run is under way.")
    ),
    "paused": StateLabel(
        "‖",
        pgettext_lazy("state of a run", "paused"),
        "unconfirmed",
        _("The run is paused."),
    ),
    "canceling": StateLabel(
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "being canceled"),
        "",
        _("The run is being canceled."),
    ),
    "canceled": StateLabel(
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "canceled"),
        "",
        _("The run is canceled."),
    ),
    "done": StateLabel(
        "✓", pgettext_lazy("state of a run", "done"), "linked", _("The run is done.")
    ),
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


def run_name(run: BulkRun) -> str:
    """The name of its file, or what stands for one."""
    return run.name or gettext("pasted rows")


def state_label(state: str) -> StateLabel:
    """Return what there is of a state; of one that is not known here, its code."""
    return _STATES.get(state, StateLabel("", state, "", state))


def event_word(event: BulkEvent) -> str:
    is_end = event.what == "canceled" and not event.user_id
    what = "done" if is_end else event.what
    return str(_EVENTS.get(what, what))
