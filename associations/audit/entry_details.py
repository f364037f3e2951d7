"""What an entry's page shows in full: HubSpot's answer, what happened when, a text to pass on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from associations.audit.integrity.serialization import format_moment
from associations.hubspot.client import ARCHIVE, DELETE, OBJECT_PATHS
from associations.hubspot.sanitizing import json_object, keyed, listed
from associations.hubspot.unseen import visible
from associations.models import AssociationAttempt, AssociationBatch, AssociationRequest
from associations.models.readable import UnreadableRow, readable_only
from associations.texts.labels import from_label, merges_of, record_label, to_label, word_for
from hubadmin import __version__

# --- HubSpot's answer -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Direction:
    """One association HubSpot named: from which record to which, and its type."""

    from_record: str
    to_record: str
    type_id: str
    category: str


def directions(entry: AssociationRequest) -> list[Direction]:
    """Return the associations that HubSpot's answer shows."""
    results = entry.results or _results_in_batch(entry)
    return [_direction(entry, result) for result in results]


def _results_in_batch(entry: AssociationRequest) -> list[Any]:
    """What the answer to the batch that an entry went out with says of this pair."""
    batch = entry.read_batch
    if not isinstance(batch, AssociationBatch):
        return []
    # None: no answer, or only its beginning
    results = (json_object(batch.body) or {}).get("results")
    asked, left = [entry.from_object_id, entry.to_object_id], [*entry.ids_left]
    pairs = (asked, asked[::-1], left, left[::-1])
    return [each for each in listed(results) if _ids(each) in pairs]


def _ids(result: Any) -> list[str]:
    return [_text(keyed(keyed(result).get(side)).get("id")) for side in ("from", "to")]


def _direction(entry: AssociationRequest, result: Any) -> Direction:
    from_id, to_id = entry.ids_left
    labels = {
        entry.to_object_id: to_label(entry),
        entry.from_object_id: from_label(entry),
        to_id: record_label(entry.to_object_type, to_id),
        from_id: record_label(entry.from_object_type, from_id),
    }
    if from_id == to_id:
        labels = {}  # both sides have this id; HubSpot does not say which is which
    one, other = (labels.get(end, end) or gettext("not named") for end in _ids(result))
    spec = keyed(keyed(result).get("associationSpec"))
    return Direction(
        one,
        other,
        type_id=_text(spec.get("associationTypeId")) or gettext("not named"),
        category=_text(spec.get("associationCategory")) or gettext("not named"),
    )


_TOLD_OTHERWISE = {"message", "errors", "context"}


@dataclass(frozen=True, slots=True)
class ToldError:
    """One error in full: its message, the other fields as texts, and the errors within it."""

    message: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    inner: list["ToldError"] = field(default_factory=list)


def told_errors(entry: AssociationRequest) -> list[ToldError]:
    """Return HubSpot's errors as a page shows them."""
    # The page shows these two of the whole answer; an error's own, if they differ, stay with it.
    shown = {"status": entry.status, "correlationId": entry.correlation_id}
    return [_told(error, shown) for error in entry.errors]


def _told(error: Any, shown: dict[str, str]) -> ToldError:
    if not isinstance(error, dict):
        error = {"message": error}
    fields = [
        (name, value)
        for name, value in error.items()
        if name not in _TOLD_OTHERWISE and value != shown.get(name, ...)
    ]
    context = error.get("context")
    fields += context.items() if isinstance(context, dict) else [("context", context)]
    return ToldError(
        _text(error.get("message")) or gettext("An error without a message."),
        [(name, text) for name, value in fields if (text := _text(value))],
        [_told(each, shown) for each in listed(error.get("errors"))],
    )


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    return "" if value in (None, {}, []) else json.dumps(value, ensure_ascii=False)


# --- what happened when ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; `by_hubspot` says whose clock tells."""

    at: datetime
    what: str
    by_hubspot: bool = False
    attempt: AssociationAttempt | None = None
    offset: float | None = None  # seconds since the request was sent


def timeline(entry: AssociationRequest) -> list[Moment]:
    """Return the moments in the order of their times; the two clocks may differ a little."""
    moments = sorted(_moments(entry), key=lambda moment: moment.at)
    start = entry.sent_at or entry.created_at
    return [
        Moment(m.at, m.what, m.by_hubspot, m.attempt, (m.at - start).total_seconds())
        for m in moments
    ]


def _moments(entry: AssociationRequest) -> Iterator[Moment]:
    yield Moment(entry.created_at, gettext("Written to the log"))
    if entry.sent_at and entry.sent_at != entry.created_at:
        yield Moment(entry.sent_at, gettext("Sent"))
    for attempt in readable_only(entry.read_attempts):
        what = gettext("Attempt {number}").format(number=attempt.number)
        yield Moment(attempt.started_at, what, attempt=attempt)
    told = [
        (entry.requested_at, gettext("HubSpot: requested")),
        (entry.started_at, gettext("HubSpot: started")),
        (entry.completed_at, gettext("HubSpot: completed")),
    ]
    yield from (Moment(at, what, by_hubspot=True) for at, what in told if at)
    if entry.was_linked_at:
        was_there = gettext("linked already") if entry.was_linked else gettext("not linked yet")
        what = gettext("Looked up before: {what}").format(what=was_there)
        yield Moment(entry.was_linked_at, what)
    if entry.verified_at:
        is_there, is_not = gettext("Looked up: linked"), gettext("Looked up: not linked")
        # Of an undo it was verified that the link is not there.
        is_seen = bool(entry.verified) is not bool(entry.undoes_id)
        yield Moment(entry.verified_at, is_there if is_seen else is_not)
    looked_at = entry.verified_at or entry.finished_at
    if looked_at and (merges := merges_of(entry)):
        yield Moment(looked_at, gettext("Looked up: {what}").format(what=merges))
    if entry.finished_at:
        what = gettext("Closed: {outcome}").format(outcome=word_for(entry.outcome))
        yield Moment(entry.finished_at, what)


# --- a text for HubSpot's support -----------------------------------------------------------------


def support_bundle(entry: AssociationRequest, base_url: str) -> str:
    """Return what HubSpot's support needs: nothing of who asked for it, or why."""
    return visible("\n".join(_lines(entry, base_url)) + "\n")


def _lines(entry: AssociationRequest, base_url: str) -> Iterator[str]:
    from_ = f"{entry.from_object_type}/{entry.from_object_id}"
    to = f"{entry.to_object_type}/{entry.to_object_id}"
    yield f"hubadmin {__version__}, entry {entry.pk}: {entry.outcome}"
    yield ""
    yield "Request"
    objects = f"{base_url.rstrip('/')}{OBJECT_PATHS.get(entry.api_version, '')}"
    if entry.undoes_id:
        yield f"  removal of the default association between {from_} and {to}"
    else:
        yield f"  PUT {objects}/{from_}/associations/default/{to}"
    yield "  Authorization: Bearer [redacted]"
    yield "  Accept: application/json"
    if not entry.undoes_id:
        yield "  (no body)"
    for record, merged_into in ((from_, entry.from_merged_into), (to, entry.to_merged_into)):
        if merged_into:
            yield f"  {record} was merged into {merged_into}"
    yield ""
    yield "Answer"
    told = {
        "correlationId": entry.correlation_id,
        "HTTP status": entry.http_status,
        "status": entry.status,
        "category": entry.error_category,
        "message": entry.error_text,
        "requestedAt": entry.requested_at,
        "startedAt": entry.started_at,
        "completedAt": entry.completed_at,
    }
    for name, value in told.items():
        if value not in (None, ""):
            yield f"  {name}: {value if isinstance(value, (str, int)) else format_moment(value)}"
    for part in (entry.read_batch, *entry.read_attempts):
        if isinstance(part, UnreadableRow):
            yield from ("", f"{part.model.__name__} {part.pk} cannot be read: {part.why}")
        elif isinstance(part, AssociationBatch):
            yield from _batch(part)
        elif part:
            yield from _attempt(part)


def _batch(batch: AssociationBatch) -> Iterator[str]:
    """The call that it went out with; its body tells of other pairs as well, and stays here."""
    yield ""
    types = f"{batch.from_object_type}/{batch.to_object_type}"
    yield f"Batch of {batch.inputs}: POST .../{types}/batch/associate/default"
    yield from _exchange(batch)


_CALLS = {ARCHIVE: "POST .../batch/labels/archive", DELETE: "DELETE of all of the pair"}


def _attempt(attempt: AssociationAttempt) -> Iterator[str]:
    yield ""
    call = _CALLS.get(attempt.call, "")
    yield f"Attempt {attempt.number}" + (f": {call}" if call else "")
    yield from _exchange(attempt)
    if attempt.body:
        yield ""
        yield from (f"  {line}" for line in attempt.body.splitlines())


def _exchange(exchange: AssociationAttempt | AssociationBatch) -> Iterator[str]:
    yield f"  started {format_moment(exchange.started_at)}, took {exchange.duration_ms} ms"
    if exchange.failure:
        yield f"  {exchange.failure}: {exchange.detail or 'no detail'}"
    if exchange.http_status:
        yield f"  HTTP {exchange.http_status}"
    for name, value in exchange.headers.items():
        yield f"  {name}: {value}"
