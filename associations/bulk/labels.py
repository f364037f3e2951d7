"""What people read for a run: how it stands, by its state and numbers, and what became of it."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.bulk import approval
from associations.bulk.files.errors import OF_THE_COLUMNS
from associations.bulk.progress import NO_WORKER, Wait
from associations.hubspot.unseen import visible
from associations.models import Approval, BulkRun, RunState
from associations.models.bulk import UNDER_WAY


class Look(NamedTuple):
    """`tone` is the outcome whose colour it has, `said` what is told once a run gets there."""

    icon: str
    word: str | Promise
    tone: str
    said: str | Promise


_STATES: dict[str, Look] = {
    "reading": Look(
        "…", pgettext_lazy("state of a run", "being read"), "", _("The rows are being read.")
    ),
    "unreadable": Look(
        "✕",
        pgettext_lazy("state of a run", "cannot be read"),
        "rejected",
        _("The file cannot be read."),
    ),
    "ready": Look(
        "◇",
        pgettext_lazy("state of a run", "ready to start"),
        "",
        _("The rows are read. The run can be started."),
    ),
    "queueing": Look(
        "…", pgettext_lazy("state of a run", "being queued"), "", _("The run begins.")
    ),
    "running": Look(
        "▸", pgettext_lazy("state of a run", "running"), "", _("The run is under way.")
    ),
    "paused": Look(
        "‖",
        pgettext_lazy("state of a run", "paused"),
        "unconfirmed",
        _("The run is paused."),
    ),
    "canceling": Look(
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "being canceled"),
        "",
        _("The run is being canceled."),
    ),
    "canceled": Look(
        "\N{EN DASH}",
        pgettext_lazy("state of a run", "canceled"),
        "",
        _("The run is canceled. Nothing was sent."),
    ),
    "done": Look(
        "✓",
        pgettext_lazy("state of a run", "done"),
        "linked",
        _("The run is done. Every pair is linked."),
    ),
}
_OF_APPROVALS: dict[str, Look] = {
    Approval.ASKED: Look(
        "…",
        pgettext_lazy("state of a run", "waits for approval"),
        "unconfirmed",
        _("The run waits for somebody else's approval."),
    ),
    Approval.REFUSED: Look(
        "✕",
        pgettext_lazy("state of a run", "not approved"),
        "rejected",
        _("The run was not approved. Nothing was sent."),
    ),
    Approval.EXPIRED: Look(
        "?",
        pgettext_lazy("state of a run", "approval expired"),
        "unconfirmed",
        _("Nobody has answered the request for approval in time. Nothing was sent."),
    ),
    Approval.VOID: Look(
        "?",
        pgettext_lazy("state of a run", "approval void"),
        "unconfirmed",
        _("The rows have changed since approval was asked for. Nothing was sent."),
    ),
}
_COLUMNS = Look(
    "?",
    pgettext_lazy("state of a run", "columns not understood"),
    "unconfirmed",
    _("The file waits for somebody to say what its columns mean."),
)
_WAITING = Look("…", pgettext_lazy("state of a run", "waiting"), "unconfirmed", _("The run waits."))
_NOTHING_TO_SEND = Look(
    "\N{EN DASH}",
    pgettext_lazy("state of a run", "nothing to send"),
    "",
    _("The rows are read. There is nothing to start."),
)
_LEFT_OUT = Look(
    "✓",
    pgettext_lazy("state of a run", "done, with rows left out"),
    "linked",
    _("The run is done. Every pair that was sent is linked; some rows were left out."),
)
_PARTLY = Look(
    "◐",
    pgettext_lazy("state of a run", "partly done"),
    "unconfirmed",
    _("The run has ended. Only a part of it is done."),
)
_NOTHING_LINKED = Look(
    "✕",
    pgettext_lazy("state of a run", "done, nothing linked"),
    "rejected",
    _("The run has ended. Nothing was linked."),
)
_NOTHING_CERTAIN = Look(
    "?",
    pgettext_lazy("state of a run", "done, nothing certain"),
    "unconfirmed",
    _("The run has ended. Of no pair it is certain that it is linked."),
)
_NOTHING_SENT = Look(
    "\N{EN DASH}",
    pgettext_lazy("state of a run", "done, nothing sent"),
    "",
    _("The run has ended. Nothing was sent."),
)
_NOTHING_ACCEPTED = _STATES["canceled"]._replace(
    said=_("The run is canceled. HubSpot had accepted nothing of it.")
)
_PARTLY_SENT = Look(
    "\N{EN DASH}",
    pgettext_lazy("state of a run", "canceled, partly sent"),
    "unconfirmed",
    _("The run is canceled. A part of it had been sent."),
)
_CANCELED_LATE = Look(
    "\N{EN DASH}",
    pgettext_lazy("state of a run", "canceled after all was sent"),
    "",
    _("The run is canceled. All of it had been sent."),
)


_OF_UNDOS: dict[Look, Look] = {
    _STATES["done"]: _STATES["done"]._replace(said=_("The run is done. Every link is removed.")),
    _LEFT_OUT: _LEFT_OUT._replace(
        word=pgettext_lazy("state of a run", "done, with links left"),
        said=_("The run is done. Every link that was to go is removed; some were left."),
    ),
    _NOTHING_LINKED: _NOTHING_LINKED._replace(
        word=pgettext_lazy("state of a run", "done, nothing undone"),
        said=_("The run has ended. Nothing was undone."),
    ),
    _NOTHING_CERTAIN: _NOTHING_CERTAIN._replace(
        said=_("The run has ended. Of no pair it is certain that it is unlinked.")
    ),
}


def run_name(run: BulkRun) -> str:
    """The name of its file, or what stands for one; of an undo, of the file that it undoes."""
    name = visible(run.name) or gettext("pasted rows")
    if not run.undoes_id:
        return name
    return gettext("undo of run {number}, {name}").format(number=run.undoes_id, name=name)


def look_of(run: BulkRun, wait: Wait | None = None) -> Look:
    """Return how a run is shown everywhere; of a state that is not known here, its code.

    `wait` is what those that are under way wait for, as far as it was asked.
    """
    match run.state:
        case RunState.READY if run.approval in _OF_APPROVALS and approval.is_on():
            return _OF_APPROVALS[run.approval]
        case RunState.READY:
            return _STATES["ready"] if run.rows_not_linked else _worrying(_NOTHING_TO_SEND, run)
        # Of a file that was erased meanwhile nothing is known that could be chosen.
        case RunState.UNREADABLE if run.problem in OF_THE_COLUMNS and run.layout.get("columns"):
            return _COLUMNS
        case RunState.DONE:
            look = _done(run)
            return _OF_UNDOS.get(look, look) if run.undoes_id else look
        case RunState.CANCELED:
            return _canceled(run)
    if wait and _stands_still(run, wait):
        return _WAITING
    return _STATES.get(run.state, Look("", run.state, "", run.state))


def _done(run: BulkRun) -> Look:
    if not run.sent:
        return _worrying(_NOTHING_SENT, run)
    if run.achieved == run.pairs and (run.undoes_id or not run.rows_invalid):
        return _LEFT_OUT if run.left_out else _STATES["done"]
    if run.achieved:
        return _PARTLY
    return _NOTHING_CERTAIN if run.in_doubt else _NOTHING_LINKED


def _canceled(run: BulkRun) -> Look:
    if not run.sent:
        # Calls that HubSpot refused as a whole count for no pair, but were sent.
        return _NOTHING_ACCEPTED if run.answered_at else _STATES["canceled"]
    return _PARTLY_SENT if run.not_sent else _worrying(_CANCELED_LATE, run)


def _worrying(look: Look, run: BulkRun) -> Look:
    """The same, but not calm where something is left to do about rows or pairs."""
    return look._replace(tone="unconfirmed") if run.failed or run.rows_invalid else look


def _stands_still(run: BulkRun, wait: Wait) -> bool:
    if run.state == RunState.RUNNING:
        return wait.is_standstill
    return run.state in UNDER_WAY and wait.cause == NO_WORKER
