"""Whether what the file of a run's results says of a row is so. Docstrings: what was so instead."""

from associations.hubspot.outcomes import Linked
from associations.models import BulkRow, RowState
from tests.faults.walking.entry_truth import linked_at_the_end, not_linked_at_all
from tests.faults.walking.hubspot import Pair
from tests.faults.walking.saying import Saying


def row_pair(row: BulkRow) -> Pair:
    return (row.from_object_type, row.from_object_id), (row.to_object_type, row.to_object_id)


def row_is(say: Saying) -> bool:
    """the log, or the row, says otherwise"""
    state = say.row["state"]
    if say.row["entry"]:
        return state == say.entry.outcome
    if state == "left_out":
        return say.run.state in ("canceling", "canceled") or _is_left_out(say)
    if state == "not_sent":
        return row_waits(say)
    return state == say.staged.state


def _is_left_out(say: Saying) -> bool:
    return bool(say.run.skip_linked and say.staged.was_linked)


def row_is_linked(say: Saying) -> bool:
    """HubSpot had no such link"""
    if say.row["entry"]:
        return say.entry.linked == Linked.YES and linked_at_the_end(say)
    moments = say.world.read_at.get(say.run.pk) or [say.world.now]
    return any(say.world.portal.is_linked(row_pair(say.staged), moment) for moment in moments)


def row_is_not_linked(say: Saying) -> bool:
    """HubSpot had this link all the time"""
    if say.row["entry"]:
        return not_linked_at_all(say)
    if say.staged.state == RowState.INVALID:
        return True
    pair, portal = row_pair(say.staged), say.world.portal
    return not (portal.is_linked(pair, say.run.created_at) and portal.is_linked(pair))


def row_waits(say: Saying) -> bool:
    """the run has ended, or leaves the row out"""
    is_ready = say.staged.state == RowState.READY and not _is_left_out(say)
    return say.run.state in ("queueing", "running", "paused") and is_ready


def row_will_not_be_sent(say: Saying) -> bool:
    """the run is not being canceled"""
    return say.run.state == "canceling"


def row_was_left_out(say: Saying) -> bool:
    """the row was not left out, or not for that"""
    return _is_left_out(say)


def row_was_canceled(say: Saying) -> bool:
    """the run was not canceled"""
    return say.run.state in ("canceling", "canceled")


def row_is_double(say: Saying) -> bool:
    """no row above says the same"""
    return say.staged.state == RowState.DOUBLE
