"""How a request can end: every cause, and what it says of the outcome and of the link.

This table is the one place that decides it; the log, the pages and the tests read it from here.
"""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The state of a request in the audit log; all but the first two are final."""

    QUEUED = "queued"
    SENDING = "sending"
    LINKED = "linked"
    UNLINKED = "unlinked"  # of an undo: the link was seen gone
    UNCONFIRMED = "unconfirmed"  # a 2xx answer that does not show the link, or that it is gone
    REJECTED = "rejected"  # HubSpot answered no
    UNREACHABLE = "unreachable"  # no usable answer
    CANCELED = "canceled"


class Linked(StrEnum):
    """Whether the two records are linked now, as far as is known."""

    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


class Cause(StrEnum):
    """Why a request ended as it did."""

    CONFIRMED = "confirmed"
    IN_PROGRESS = "in_progress"
    NOT_SHOWN = "not_shown"
    PARTLY_FAILED = "partly_failed"
    UNKNOWN_STATUS = "unknown_status"
    UNREADABLE = "unreadable"
    CANCELED_BY_HUBSPOT = "canceled_by_hubspot"
    UNKNOWN_OBJECT_TYPE = "unknown_object_type"
    RECORD_NOT_FOUND = "record_not_found"
    NO_DEFAULT_TYPE = "no_default_type"
    ASSOCIATION_LIMIT = "association_limit"
    SAME_RECORD = "same_record"  # the two were merged into each other
    REFUSED = "refused"
    REDIRECTED = "redirected"
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    SCOPE_MISSING = "scope_missing"
    FORBIDDEN = "forbidden"
    LOCKED = "locked"
    RATE_LIMITED = "rate_limited"
    DAILY_LIMIT = "daily_limit"
    MIGRATING = "migrating"
    HUBSPOT_ERROR = "hubspot_error"
    HUBSPOT_DOWN = "hubspot_down"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    INTERRUPTED = "interrupted"
    NO_CONNECTION = "no_connection"
    NOT_SENT = "not_sent"  # canceled here, before anything left
    ACCESS_ENDED = "access_ended"  # whoever asked for it may not act any more
    # Of an undo only: what the look after it showed, or the one that kept it from being sent
    SEEN_GONE = "seen_gone"
    STILL_LINKED = "still_linked"  # HubSpot said yes, and the records are linked
    NOT_SEEN_GONE = "not_seen_gone"  # HubSpot said yes, and nobody could look
    ALREADY_GONE = "already_gone"
    NOT_ALONE = "not_alone"  # other types link the pair as well, and would go, too
    MERGED = "merged"  # HubSpot has one of the records under another id since
    NOT_SEEN_ALONE = "not_seen_alone"  # nobody could look before it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one cause means.

    `retried`: the client tries again before it accepts this answer.
    `settles`: the answer also settles what an earlier attempt left in doubt, for it could not have
    made the link either (there is no such record). A refused token tells nothing of the attempt
    that timed out before it, and a limit may have been reached by that very attempt.
    `lasts`: the same request would end the same again, until somebody has changed it or a record.
    """

    outcome: Outcome
    linked: Linked
    retried: bool = False
    settles: bool = False
    lasts: bool = False


def _unconfirmed() -> Verdict:
    return Verdict(Outcome.UNCONFIRMED, Linked.PERHAPS, settles=True)


def _rejected(*, retried: bool = False, settles: bool = False, lasts: bool = False) -> Verdict:
    return Verdict(Outcome.REJECTED, Linked.NO, retried=retried, settles=settles, lasts=lasts)


def _unreachable(linked: Linked = Linked.PERHAPS, *, retried: bool = True) -> Verdict:
    return Verdict(Outcome.UNREACHABLE, linked, retried=retried)


VERDICTS: dict[Cause, Verdict] = {
    Cause.CONFIRMED: Verdict(Outcome.LINKED, Linked.YES, settles=True),
    Cause.IN_PROGRESS: _unconfirmed(),
    Cause.NOT_SHOWN: _unconfirmed(),
    Cause.PARTLY_FAILED: _unconfirmed(),
    Cause.UNKNOWN_STATUS: _unconfirmed(),
    Cause.UNREADABLE: _unconfirmed(),
    Cause.CANCELED_BY_HUBSPOT: _rejected(),
    Cause.UNKNOWN_OBJECT_TYPE: _rejected(settles=True, lasts=True),
    Cause.RECORD_NOT_FOUND: _rejected(settles=True, lasts=True),
    Cause.NO_DEFAULT_TYPE: _rejected(settles=True, lasts=True),
    Cause.ASSOCIATION_LIMIT: _rejected(lasts=True),
    Cause.SAME_RECORD: _rejected(settles=True, lasts=True),
    Cause.REFUSED: _rejected(lasts=True),
    Cause.REDIRECTED: _rejected(),
    Cause.TOKEN_REFUSED: _rejected(),
    Cause.SCOPE_MISSING: _rejected(),
    Cause.FORBIDDEN: _rejected(),
    Cause.LOCKED: _rejected(retried=True),
    Cause.RATE_LIMITED: _rejected(retried=True),
    Cause.DAILY_LIMIT: _rejected(),
    Cause.MIGRATING: _rejected(retried=True),
    Cause.HUBSPOT_ERROR: _unreachable(retried=False),
    Cause.HUBSPOT_DOWN: _unreachable(),
    Cause.TIMED_OUT: _unreachable(),
    Cause.CONNECTION_LOST: _unreachable(),
    Cause.INTERRUPTED: _unreachable(retried=False),
    Cause.NO_CONNECTION: _unreachable(Linked.NO),
    Cause.NOT_SENT: Verdict(Outcome.CANCELED, Linked.NO),
    Cause.ACCESS_ENDED: Verdict(Outcome.CANCELED, Linked.NO),
    Cause.SEEN_GONE: Verdict(Outcome.UNLINKED, Linked.NO, settles=True),
    Cause.STILL_LINKED: Verdict(Outcome.UNCONFIRMED, Linked.YES, settles=True),
    Cause.NOT_SEEN_GONE: _unconfirmed(),
    Cause.ALREADY_GONE: Verdict(Outcome.CANCELED, Linked.NO, lasts=True),
    Cause.NOT_ALONE: Verdict(Outcome.CANCELED, Linked.YES, lasts=True),
    Cause.MERGED: Verdict(Outcome.CANCELED, Linked.PERHAPS, lasts=True),
    Cause.NOT_SEEN_ALONE: Verdict(Outcome.CANCELED, Linked.PERHAPS),
}

# What only an undo ends in, and says of the link as it is; of an undo every other cause that says
# "not linked" says that nothing has changed.
OF_UNDO = frozenset(
    {
        *(Cause.SEEN_GONE, Cause.STILL_LINKED, Cause.NOT_SEEN_GONE),
        *(Cause.ALREADY_GONE, Cause.NOT_ALONE, Cause.MERGED, Cause.NOT_SEEN_ALONE),
    }
)

# What trying the same again does not help with.
LASTING = frozenset(cause for cause, verdict in VERDICTS.items() if verdict.lasts)


def verdict_of(cause: str) -> Verdict | None:
    """Return what a stored cause means; None of one that only another version of this code has."""
    return VERDICTS[Cause(cause)] if cause in VERDICTS else None
