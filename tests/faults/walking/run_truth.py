"""Whether what a page says of a bulk run is so. Each docstring is what was so instead."""

from associations.bulk import backoff
from associations.hubspot.outcomes import VERDICTS, Cause, Outcome
from associations.models import AssociationRequest, BulkRow, RowState
from tests.faults.walking.entry_truth import linked_at_the_end
from tests.faults.walking.row_truth import row_pair
from tests.faults.walking.saying import Saying, pause_of_the_page
from tests.faults.walking.state_truth import (
    Predicate,
    has_ended,
    outcomes_of,
    rows_of,
    totals,
    unsent,
)

# --- what was sent --------------------------------------------------------------------------------


def nothing_was_sent(say: Saying) -> bool:
    """HubSpot heard a call of this run"""
    return not say.calls_of_run


def rows_can_be_sent(say: Saying) -> bool:
    """so many rows are not ready"""
    return say.number() == rows_of(say, state=RowState.READY)


def no_row_can_be_sent(say: Saying) -> bool:
    """a row is ready"""
    return not rows_of(say, state=RowState.READY)


def would_send(say: Saying) -> bool:
    """another number would be sent"""
    ready = rows_of(say, state=RowState.READY)
    return say.number() in (ready, ready - rows_of(say, state=RowState.READY, was_linked=True))


def linked_already(say: Saying) -> bool:
    """not so many pairs were linked when HubSpot was asked, until the time that the page names"""
    rows = BulkRow.objects.filter(run=say.run, state=RowState.READY, was_linked=True)
    moments = say.world.read_at.get(say.run.pk, [])
    linked = [
        row for row in rows if any(say.world.portal.is_linked(row_pair(row), at) for at in moments)
    ]
    return say.number() == len(linked)


def not_looked_up(say: Saying) -> bool:
    """another number of rows was not looked up"""
    return say.number() == rows_of(say, state=RowState.READY, was_linked=None)


def nobody_looked(say: Saying) -> bool:
    """a row was looked up"""
    return not rows_of(say, was_linked__isnull=False)


def left_out_as_linked(say: Saying) -> bool:
    """another number of rows was left out"""
    rows = rows_of(say, state=RowState.READY, was_linked=True)
    return bool(say.run.skip_linked) and say.number() == rows


def rows_are(state: str) -> Predicate:
    def is_so(say: Saying) -> bool:
        return say.number() == rows_of(say, state=state)

    is_so.__doc__ = f"another number of rows is {state}"
    return is_so


# --- how it went ----------------------------------------------------------------------------------


def pairs_beyond_lines(say: Saying) -> bool:
    """as many pairs stand in lines with another one before them"""
    rows = BulkRow.objects.filter(run=say.run).exclude(line=0)
    return rows.count() - rows.values("line").distinct().count() == say.number()


def has_linked_before(say: Saying) -> bool:
    """no row of the run was seen linked by the dry run"""
    return bool(rows_of(say, was_linked=True))


def counts(*outcomes: str) -> Predicate:
    def is_so(say: Saying) -> bool:
        return say.number() == sum(outcomes_of(say)[each] for each in outcomes)

    is_so.__doc__ = f"another number of entries is {' or '.join(outcomes)}"
    return is_so


def can_be_tried_again(say: Saying) -> bool:
    """another number of entries failed for a cause that can pass"""
    failed = say.run.entries.filter(outcome__in=("unconfirmed", "unreachable", "rejected"))
    causes = failed.values_list("cause", flat=True)
    return say.number() == sum(not VERDICTS[Cause(cause)].lasts for cause in causes)


def are_to_correct(say: Saying) -> bool:
    """another number of rows was left out, or is not linked"""
    kept_back = say.run.rows.exclude(state__in=("ready", "double")).count()
    if not has_ended(say):
        return say.number() == kept_back
    outcomes = outcomes_of(say)
    failed = outcomes[Outcome.UNCONFIRMED] + outcomes[Outcome.UNREACHABLE]
    failed += outcomes[Outcome.REJECTED]
    not_sent = {outcomes[Outcome.CANCELED], unsent(say, outcomes)}
    return say.number() - kept_back - failed in not_sent


def outcome_counts(say: Saying) -> bool:
    """another number of entries ended so"""
    outcomes = outcomes_of(say)
    counted = {outcomes[say.found["word"]]}
    if say.found["word"] == Outcome.CANCELED:
        counted.add(unsent(say, outcomes))
    return say.number() in counted


def linked_of_all(say: Saying) -> bool:
    """another number is linked, or HubSpot does not have them"""
    entries = list(say.run.entries.all())
    linked = [each for each in entries if each.outcome == Outcome.LINKED]
    is_true = all(_is_linked(say, entry) for entry in linked)
    is_counted = say.number() == len(linked) and say.number("total") in totals(say)
    return is_true and is_counted


def _is_linked(say: Saying, entry: AssociationRequest) -> bool:
    one = Saying(say.world, say.page, say.text, say.found)
    one.entry = entry
    return linked_at_the_end(one)


def counts_line(say: Saying) -> bool:
    """the log has other numbers"""
    outcomes, found = outcomes_of(say), say.found.groupdict()
    told = [int((found[name] or "0").replace(",", "")) for name in ("n", "not", "perhaps")]
    not_linked = outcomes[Outcome.REJECTED] + unsent(say, outcomes)
    in_doubt = outcomes[Outcome.UNCONFIRMED] + outcomes[Outcome.UNREACHABLE]
    return told == [outcomes[Outcome.LINKED], not_linked, in_doubt]


def were_canceled(say: Saying) -> bool:
    """another number was canceled"""
    canceled = say.run.entries.filter(outcome=Outcome.CANCELED).count()
    return say.number() in (canceled, unsent(say, outcomes_of(say)))


def closed_of_all(say: Saying) -> bool:
    """another number of entries is closed"""
    outcomes = outcomes_of(say)
    left = outcomes[Outcome.QUEUED] + outcomes[Outcome.SENDING]
    closed = {outcomes.total() - left} | ({max(totals(say))} if has_ended(say) else set())
    return say.number() in closed and say.number("total") in totals(say)


def entries_left(say: Saying) -> bool:
    """another number of entries is open"""
    outcomes = outcomes_of(say)
    return say.number() == outcomes[Outcome.QUEUED] + outcomes[Outcome.SENDING]


def queued_of_all(say: Saying) -> bool:
    """another number of rows stands in the log"""
    return say.run.state == "queueing" and say.number() == outcomes_of(say).total()


def goes_on(say: Saying) -> bool:
    """the run does not go on"""
    is_waiting = backoff.current() is not None and say.run.state == "running"
    return say.run.state == "running" and not is_waiting and say.world.may_have_worker()


def has_event(say: Saying) -> bool:
    """nobody did that"""
    codes = {code.removeprefix("run_") for code in say.run.events.values_list("what", flat=True)}
    wanted = _EVENTS.get(say.found["word"], {say.found["word"]})
    return bool(codes & wanted) or (say.found["word"] == "ended" and has_ended(say))


_EVENTS = {
    "had it go on": {"went_on", "resumed"},
    "resumed": {"went_on", "resumed"},
    "paused by itself": {"stopped"},
}


# --- what it waits for ----------------------------------------------------------------------------


def was_stopped(say: Saying) -> bool:
    """HubSpot refused no call of this run"""
    refused = {(f"run {say.run.pk}", status) for status in (401, 403, 302)}
    return not refused.isdisjoint(say.world.portal.answers)


def no_worker(say: Saying) -> bool:
    """a worker is alive"""
    return not say.world.has_worker


def waits_for(*causes: str) -> Predicate:
    def is_so(say: Saying) -> bool:
        pause = pause_of_the_page()
        return pause is not None and pause.cause in causes

    is_so.__doc__ = f"runs do not wait because of {' or '.join(causes)}"
    return is_so
