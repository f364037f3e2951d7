"""What admins and others did: exports, security events, verifications and timestamps."""

import base64
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from associations.audit import events
from associations.audit.integrity import signing
from associations.audit.integrity.timestamp_authority import Time
from associations.audit.recorder.base import NOWHERE, RequestMeta, demanded, request_meta, retry
from associations.db import insert
from associations.hubspot.unseen import visible
from associations.models import (
    AuditExport,
    AuditSeal,
    AuditTimestamp,
    AuditVerification,
    BulkRun,
    EventKind,
    SecurityEvent,
)
from hubadmin.web.http import AuthenticatedHttpRequest

if TYPE_CHECKING:
    from hubadmin.models import User


FACT_LENGTH = 300
EXPORT_QUERY_LENGTH = AuditExport._meta.get_field("query").max_length or 0


def open_export(*, user: "User", file_format: str, query: str, meta: RequestMeta) -> AuditExport:
    """Log that somebody begins to take a copy of what `query` finds, which has to fit in whole.

    Raises LogUnavailableError.
    """
    export = partial(
        AuditExport.objects.create,
        user=user,
        user_name=user.name,
        format=file_format,
        query=query,
        started_at=timezone.now(),
        client_ip=meta.client_ip,
        request_id=meta.request_id,
        client_request_id=meta.client_request_id,
    )
    with demanded():
        return insert(export)


def close_export(export: AuditExport, *, state: AuditExport.State, rows: int) -> None:
    """Log how it ended. One that a crash cut off stays as it is: it never ended."""
    still_open = AuditExport.objects.filter(pk=export.pk, finished_at=None)
    values = {"state": state, "rows": rows, "finished_at": timezone.now()}
    # It may be what ended the export that the database is away.
    retry(lambda: still_open.update(**values))
    events.record_exported(export, state, rows)


def record_event(
    what: str,
    *,
    user: "User | None" = None,
    run: BulkRun | None = None,
    meta: RequestMeta = NOWHERE,
    **facts: Any,
) -> SecurityEvent:
    """Log that something happened; where it is part of a transaction, that holds for both."""
    whose = {"user_name": user.name, "user_email": user.email, "role": user.role} if user else {}
    if run and run.undoes_id:
        facts["undoes"] = run.undoes_id
    new = partial(
        SecurityEvent.objects.create,
        at=timezone.now(),
        what=what,
        user=user,
        run=run,
        facts={name: _fact(value) for name, value in facts.items()},
        **whose,
        **asdict(meta),
    )
    event = insert(new)  # if it fails, the caller's transaction is still good
    transaction.on_commit(lambda: events.record_security_event(event))
    transaction.on_commit(lambda: events.record_run_event(event))
    return event


def record_download(
    request: AuthenticatedHttpRequest, file: str, *, run: BulkRun | None = None, **facts: Any
) -> None:
    """Log that somebody takes a file, before they have any of it; HEAD gives none.

    Raises LogUnavailableError.
    """
    if request.method == "GET":
        meta, what = request_meta(request), EventKind.DOWNLOADED
        with demanded():
            record_event(what, user=request.user, run=run, meta=meta, file=file, **facts)


def record_search(
    *, user: "User", meta: RequestMeta, how: str, types: list[str], hits: int
) -> None:
    """Log that somebody has searched HubSpot, before they see what was found; never the words.

    Raises LogUnavailableError.
    """
    what = EventKind.RECORDS_SEARCHED
    with demanded():
        record_event(what, user=user, meta=meta, how=how, types=types, hits=hits)


def _fact(value: Any) -> Any:
    """Foreign text, cut, and what cannot be seen by its name: no database takes all of it."""
    return visible(value)[:FACT_LENGTH] if isinstance(value, str) else value


def record_verification(**found: Any) -> AuditVerification:
    """Keep what a run through the log has found, signed where the signing key is."""
    verification = AuditVerification(finished_at=timezone.now(), **found)
    if settings.AUDIT_SIGNING_KEY:
        verification.signature = signing.sign(verification.statement)
    insert(lambda: verification.save(force_insert=True))
    return verification


def record_timestamp(seal: AuditSeal, answer: bytes, told: Time, asked_at: datetime) -> None:
    """Keep what an authority has answered about a seal. Raises SigningKeyError."""
    row = AuditTimestamp(
        asked_at=asked_at,
        seal=seal.number,
        head=seal.head,
        told_at=told.at,
        policy=told.policy,
        serial=told.serial,
        token=base64.b64encode(answer).decode(),
    )
    row.signature = signing.sign(row.statement)
    insert(lambda: row.save(force_insert=True))
