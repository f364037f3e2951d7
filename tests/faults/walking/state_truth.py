"""Whether what a run is called is so. Each docstring is what was so instead."""

from collections import Counter
from collections.abc import Callable

from associations.hubspot.outcomes import Outcome
from associations.models import BulkRow, RowState
from associations.models.bulk import UNDER_WAY
from tests.faults.walking.saying import Saying, pause_of_the_page

Predicate = Callable[[Saying], bool]


def outcomes_of(say: Saying) -> Counter[str]:
    return Counter(say.run.entries.values_list("outcome", flat=True))


def rows_of(say: Saying, **filters: object) -> int:
    return BulkRow.objects.filter(run=say.run, **filters).count()


# --- its state ------------------------------------------------------------------------------------


def state_is(*states: str) -> Predicate:
    def is_so(say: Saying) -> bool:
        return say.run.state in states

    is_so.__doc__ = f"the run was not {' or '.join(states)}"
    return is_so


def can_be_started(say: Saying) -> bool:
    """nothing of the run can be sent, or it was started"""
    return say.run.state == "ready" and rows_of(say, state=RowState.READY) > 0


def waits_for_approval(say: Saying) -> bool:
    """nobody has asked for an approval that is still to come"""
    return can_be_started(say) and _approval_of(say) == "run_approval_asked"


def got_no_approval(how: str) -> Predicate:
    def is_so(say: Saying) -> bool:
        return can_be_started(say) and _approval_of(say) == f"run_approval_{how}"

    is_so.__doc__ = f"the approval of the run was not {how}"
    return is_so


def _approval_of(say: Saying) -> str:
    """What the log has last of it."""
    events = say.run.events.filter(what__startswith="run_appro")
    return events.order_by("pk").values_list("what", flat=True).last() or ""


def all_are_linked(say: Saying) -> bool:
    """not every row of the run is linked"""
    return _are_all_linked(say) and bool(outcomes_of(say))


def _are_all_linked(say: Saying) -> bool:
    is_whole = set(outcomes_of(say)) <= {Outcome.LINKED} and not say.run.rows_invalid
    return say.run.state == "done" and is_whole


def stands_still(say: Saying) -> bool:
    """the run goes on, or need not"""
    is_waiting = pause_of_the_page() is not None or not say.world.has_worker
    return say.run.state in UNDER_WAY and is_waiting


def nothing_to_send(say: Saying) -> bool:
    """a row that is ready was not seen linked already, or the run was started"""
    ready = BulkRow.objects.filter(run=say.run, state=RowState.READY)
    return say.run.state == "ready" and not ready.exclude(was_linked=True).exists()


def with_rows_left_out(say: Saying) -> bool:
    """not every entry of the run is linked, or no row was left out"""
    return all_are_linked(say) and say.run.rows_read > outcomes_of(say).total()


def partly_done(say: Saying) -> bool:
    """all of the run is linked, or nothing"""
    return (
        bool(outcomes_of(say)[Outcome.LINKED])
        and say.run.state == "done"
        and (not _are_all_linked(say))
    )


def nothing_linked(say: Saying) -> bool:
    """an entry of the run is linked, or perhaps"""
    outcomes = outcomes_of(say)
    is_some = outcomes[Outcome.LINKED] or outcomes[Outcome.UNCONFIRMED]
    return say.run.state == "done" and not is_some and not outcomes[Outcome.UNREACHABLE]


def nothing_certain(say: Saying) -> bool:
    """an entry of the run is linked, or none is in doubt"""
    outcomes = outcomes_of(say)
    in_doubt = outcomes[Outcome.UNCONFIRMED] + outcomes[Outcome.UNREACHABLE]
    return say.run.state == "done" and not outcomes[Outcome.LINKED] and in_doubt > 0


def ended_unsent(say: Saying) -> bool:
    """HubSpot heard a call of this run, or it has not ended"""
    return has_ended(say) and not say.calls_of_run


def canceled_midway(say: Saying) -> bool:
    """all of the run was sent, or nothing"""
    outcomes = outcomes_of(say)
    return say.run.state == "canceled" and bool(unsent(say, outcomes)) and bool(say.calls_of_run)


def canceled_too_late(say: Saying) -> bool:
    """a row of the run was not sent"""
    return say.run.state == "canceled" and not unsent(say, outcomes_of(say))


def _to_send(say: Saying) -> int:
    rows = BulkRow.objects.filter(run=say.run, state=RowState.READY)
    return (rows.exclude(was_linked=True) if say.run.skip_linked else rows).count()


def totals(say: Saying) -> set[int]:
    """How many pairs the run has: those in the log, or all that were to come there."""
    entries = outcomes_of(say).total()
    return {entries, max(entries, _to_send(say))}


def unsent(say: Saying, outcomes: Counter[str]) -> int:
    """Those that were canceled, in the log or on the way there."""
    is_over = say.run.state == "canceled"
    return outcomes[Outcome.CANCELED] + (max(totals(say)) - outcomes.total() if is_over else 0)


def waits_for_its_columns(say: Saying) -> bool:
    """the run's file is not kept for somebody to say what its columns mean"""
    return say.run.state == "unreadable" and say.run.uploads.exists()


def cannot_be_read(say: Saying) -> bool:
    """the run was read, or somebody may still say how it is to be"""
    return say.run.state == "unreadable" and not waits_for_its_columns(say)


def has_ended(say: Saying) -> bool:
    """the run has not ended"""
    return say.run.state in ("done", "canceled")


_WORDS: dict[str, Predicate] = {
    "being read": state_is("reading"),
    "cannot be read": cannot_be_read,
    "columns not understood": waits_for_its_columns,
    "ready to start": can_be_started,
    "waits for approval": waits_for_approval,
    "not approved": got_no_approval("refused"),
    "approval expired": got_no_approval("expired"),
    "approval void": got_no_approval("void"),
    "being queued": state_is("queueing"),
    "running": state_is("running"),
    "paused": state_is("paused"),
    "being canceled": state_is("canceling"),
    "canceled": state_is("canceled"),
    "done": all_are_linked,
    "waiting": stands_still,
    "nothing to send": nothing_to_send,
    "done, with rows left out": with_rows_left_out,
    "partly done": partly_done,
    "done, nothing linked": nothing_linked,
    "done, nothing certain": nothing_certain,
    "done, nothing sent": ended_unsent,
    "canceled, partly sent": canceled_midway,
    "canceled after all was sent": canceled_too_late,
}
STATE_WORDS = "|".join(sorted(_WORDS, key=len, reverse=True))


def is_its_state(say: Saying) -> bool:
    """the run is in another state, or its numbers say otherwise"""
    return _WORDS[say.found["word"]](say)
