"""Each closed entry and each security event as one line of the log stream, for whatever watches.

README documents the fields; they are added to, never renamed.
"""

import logging

from associations.audit.integrity.serialization import format_moment
from associations.audit.integrity.timestamp_authority import Time
from associations.hubspot.answers import Answer
from associations.hubspot.outcomes import VERDICTS, Cause, Outcome
from associations.models import (
    AssociationBatch,
    AssociationRequest,
    AuditExport,
    AuditSeal,
    BulkChunk,
    EventKind,
    SecurityEvent,
)
from hubadmin.web import measuring

logger = logging.getLogger("hubadmin.audit")
run_logger = logging.getLogger("hubadmin.runs")

SCHEMA = "hubadmin.audit/1"
_FIELDS = (
    *("outcome", "cause", "user_id", "user_name", "user_email"),
    *("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason"),
    *("http_status", "error_category", "error_text", "correlation_id", "api_version", "client_ip"),
    *("was_linked", "verified", "unverified_cause", "from_merged_into", "to_merged_into"),
)
_OF_EVENT = (
    *("what", "user_id", "user_name", "user_email", "role", "facts"),
    *("client_ip", "user_agent", "client_request_id"),
)
# Counted by whoever closes them, right after the commit, as the lines are written: in ten million
# entries nobody can count those of each outcome every few seconds, and a sum in a row of its own
# would have all submits wait for each other.
REQUESTS = measuring.Counter(
    "hubadmin_requests",
    "Entries of the log that were closed for good, with the look after them if one was due.",
    ("outcome", "cause"),
    lambda: ((str(verdict.outcome), str(cause)) for cause, verdict in VERDICTS.items()),
)
RETRIES = measuring.Counter(
    "hubadmin_retries",
    "Entries that were sent once more, by the form, and put back for another turn, of a run.",
    ("of",),
    lambda: (("form",), ("run",)),
)
_MOMENTS = ("created_at", "sent_at", "finished_at", "was_linked_at", "verified_at")


def record_closed(entry: AssociationRequest) -> None:
    """Write the line; call it once the closing is committed."""
    _record(entry, "entry closed")


def record_looked(entry: AssociationRequest) -> None:
    """The same for what a look showed after that."""
    _record(entry, "entry looked at")


def _record(entry: AssociationRequest, what: str) -> None:
    if not entry.look_due:  # else what the look shows may yet change it
        _count(entry.outcome, entry.cause)
    fields = {name: getattr(entry, name) for name in _FIELDS}
    times = {
        name: format_moment(moment) if (moment := getattr(entry, name)) else None
        for name in _MOMENTS
    }
    # The entry's own, not that of the request that may have closed it for another.
    own = {"schema": SCHEMA, "entry": entry.pk, "entry_request_id": entry.request_id}
    own["entry_client_request_id"] = entry.client_request_id
    own |= {"run": entry.run_id} if entry.run_id else {}
    own |= {"undoes": entry.undoes_id} if entry.undoes_id else {}
    own |= {"look_due": True} if entry.look_due else {}
    logger.info(what, extra=own | fields | times)


def record_batch_closed(
    batch: AssociationBatch, ids: tuple[int, int], answer: Answer, entries: int
) -> None:
    """Write one line for the entries of a run, within a range of ids, that a batch closed.

    `answer` is that of these entries; the batch may have another, about all its pairs.
    """
    outcome = str(answer.verdict.outcome)
    _count(outcome, answer.cause, entries)
    told = {"batch": batch.pk, "cause": batch.cause, "http_status": batch.http_status}
    _record_many(batch.run_id, ids, outcome, entries, told)


def record_canceled(run: int, chunk: BulkChunk, entries: int) -> None:
    """Write one line for the entries of a run that were closed before they had been sent."""
    _count(Outcome.CANCELED, Cause.NOT_SENT, entries)
    _record_many(run, (chunk.first_id, chunk.last_id), "canceled", entries, {})


def _record_many(
    run: int, ids: tuple[int, int], outcome: str, entries: int, told: dict[str, object]
) -> None:
    if entries:
        range_ = {"run": run, "first_entry": ids[0], "last_entry": ids[1], "entries": entries}
        logger.info("entries closed", extra={"schema": SCHEMA, "outcome": outcome} | range_ | told)


def _count(outcome: str, cause: str, entries: int = 1) -> None:
    """A code that only another version has is one of many."""
    known = (outcome, cause) if cause in VERDICTS else ("other", "other")
    REQUESTS.add(*known, by=entries)


def record_sent_again(number: int) -> None:
    """Note which attempt of an entry, sent by the form, this is."""
    if number > 1:
        RETRIES.add("form")


def record_requeued(entries: int) -> None:
    """Note that entries of a run wait for another turn; call it once that is committed."""
    if entries:
        RETRIES.add("run", by=entries)


def record_told_time(seal: AuditSeal, told: Time) -> None:
    """Write one line for the time that a third party has told of a seal."""
    said = {"seal": seal.number, "head": seal.head, "told_at": told.at.isoformat()}
    logger.info("a third party has told the time of a seal", extra=said | {"serial": told.serial})


def record_exported(export: AuditExport, state: str, rows: int) -> None:
    told = {"export": export.pk, "state": state, "rows": rows, "user_id": export.user_id}
    logger.info("audit log exported", extra=told)


def record_security_event(event: SecurityEvent) -> None:
    """Write the line; the id of its request is the line's own."""
    told = {"schema": SCHEMA, "security_event": event.pk, "at": format_moment(event.at)}
    told |= {"run": event.run_id} if event.run_id else {}
    logger.info("security event", extra=told | {name: getattr(event, name) for name in _OF_EVENT})


_OF_RUNS: dict[str, str] = {
    EventKind.RUN_STARTED: "started",
    EventKind.RUN_PAUSED: "paused",
    EventKind.RUN_STOPPED: "paused by itself",
    EventKind.RUN_RESUMED: "resumed",
    EventKind.RUN_TAKEN_OVER: "taken over",
    EventKind.RUN_CANCELED: "canceled",
    EventKind.RUN_ENDED: "ended",
}


def record_run_event(event: SecurityEvent) -> None:
    """Write one line for whoever watches the runs: what became of it, and why; nobody's name."""
    if word := _OF_RUNS.get(event.what):
        why = {name: event.facts[name] for name in ("cause", "state") if name in event.facts}
        run_logger.warning(f"bulk run {word}", extra={"run": event.run_id} | why)
