"""The only writer of the audit log: entries and all about them, exports, proofs, security events.

An entry is committed before anything is sent for it, and closed once, by a conditional update. What
concerns a run is part of a transaction of the caller's, which began with a hold() of the chunk.
"""

from associations.audit.recorder.abandoned import (
    ABANDONED_CLOSED,
    LONGEST_MS,
    close_abandoned,
    close_abandoned_now_and_then,
    look_after_log,
    requeue_interrupted,
)
from associations.audit.recorder.acts import (
    EXPORT_QUERY_LENGTH,
    FACT_LENGTH,
    close_export,
    open_export,
    record_download,
    record_event,
    record_search,
    record_timestamp,
    record_verification,
)
from associations.audit.recorder.base import (
    CLOSING_GRACE,
    ENTRY_BODY_LENGTH,
    NOWHERE,
    LogUnavailableError,
    RequestMeta,
    answers_of,
    request_meta,
)
from associations.audit.recorder.entries import (
    NO_NAMES,
    close_entry,
    kept_text,
    note_look,
    open_entry,
    record_attempt,
    record_check,
    record_finding,
)
from associations.audit.recorder.kept import keep_batch, kept_if_away, read_back
from associations.audit.recorder.runs import (
    cancel_unsent,
    close_entries,
    close_entries_by_batch,
    known_answer,
    mark_as_sending,
    queue_entries,
    record_attempts,
    record_batch,
    requeue,
)

__all__ = [
    "ABANDONED_CLOSED",
    "CLOSING_GRACE",
    "ENTRY_BODY_LENGTH",
    "EXPORT_QUERY_LENGTH",
    "FACT_LENGTH",
    "LONGEST_MS",
    "NOWHERE",
    "NO_NAMES",
    "LogUnavailableError",
    "RequestMeta",
    "answers_of",
    "cancel_unsent",
    "close_abandoned",
    "close_abandoned_now_and_then",
    "close_entries",
    "close_entries_by_batch",
    "close_entry",
    "close_export",
    "keep_batch",
    "kept_if_away",
    "kept_text",
    "known_answer",
    "look_after_log",
    "mark_as_sending",
    "note_look",
    "open_entry",
    "open_export",
    "queue_entries",
    "read_back",
    "record_attempt",
    "record_attempts",
    "record_batch",
    "record_check",
    "record_download",
    "record_event",
    "record_finding",
    "record_search",
    "record_timestamp",
    "record_verification",
    "request_meta",
    "requeue",
    "requeue_interrupted",
]
