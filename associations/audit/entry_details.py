"""What HubSpot's support needs of one request, as a text: nothing of who asked for it, or why."""

from collections.abc import Iterator

from associations.audit.integrity.serialization import text_of
from associations.hubspot.client import OBJECT_PATHS, default_association_path
from associations.models import AssociationAttempt, AssociationBatch, AssociationRequest
from hubadmin import __version__


def support_bundle(entry: AssociationRequest, base_url: str) -> str:
    return "\n".join(_lines(entry, base_url)) + "\n"


def _lines(entry: AssociationRequest, base_url: str) -> Iterator[str]:
    path = default_association_path(
        entry.from_object_type, entry.from_object_id, entry.to_object_type, entry.to_object_id
    )
    yield f"hubadmin {__version__}, entry {entry.pk}: {entry.outcome}"
    yield ""
    yield "Request"
    yield f"  PUT {base_url.rstrip('/')}{OBJECT_PATHS.get(entry.api_version, '')}{path}"
    yield "  Authorization: Bearer [redacted]"
    yield "  Accept: application/json"
    yield "  (no body)"
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
            yield f"  {name}: {value if isinstance(value, (str, int)) else text_of(value)}"
    if entry.batch:
        yield from _batch(entry.batch)
    for attempt in entry.attempts.all():
        yield from _attempt(attempt)


def _batch(batch: AssociationBatch) -> Iterator[str]:
    """The call that it went out with; its body tells of other pairs as well, and stays here."""
    yield ""
    types = f"{batch.from_object_type}/{batch.to_object_type}"
    yield f"Batch of {batch.inputs}: POST .../{types}/batch/associate/default"
    yield f"  started {text_of(batch.started_at)}, took {batch.duration_ms} ms"
    if batch.failure:
        yield f"  {batch.failure}: {batch.detail or 'no detail'}"
    if batch.http_status:
        yield f"  HTTP {batch.http_status}"
    for name, value in batch.headers.items():
        yield f"  {name}: {value}"


def _attempt(attempt: AssociationAttempt) -> Iterator[str]:
    yield ""
    yield f"Attempt {attempt.number}"
    yield f"  started {text_of(attempt.started_at)}, took {attempt.duration_ms} ms"
    if attempt.failure:
        yield f"  {attempt.failure}: {attempt.detail or 'no detail'}"
    if attempt.http_status:
        yield f"  HTTP {attempt.http_status}"
    for name, value in attempt.headers.items():
        yield f"  {name}: {value}"
    if attempt.body:
        yield ""
        yield from (f"  {line}" for line in attempt.body.splitlines())
