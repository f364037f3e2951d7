"""Who took a copy of the log, of which part of it, and whether they got all of it."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from django.db import DatabaseError, connection
from django.utils import timezone

from associations.models import AuditExport

if TYPE_CHECKING:
    from associations.linking.services import Origin
    from hubadmin.models import User

QUERY_LENGTH = AuditExport._meta.get_field("query").max_length
logger = logging.getLogger("hubadmin.audit")


def begin(*, user: "User", file_format: str, query: str, origin: "Origin") -> AuditExport:
    """Log that somebody begins to take a copy."""
    return AuditExport.objects.create(
        user=user,
        user_name=user.name,
        format=file_format,
        query=query[:QUERY_LENGTH],
        started_at=timezone.now(),
        **{key: value for key, value in asdict(origin).items() if key != "user_agent"},
    )


def end(export: AuditExport, *, state: AuditExport.State, rows: int) -> None:
    """Log how it ended. One that a crash cut off stays as it is: it never ended."""
    still_open = AuditExport.objects.filter(pk=export.pk, finished_at=None)
    values = {"state": state, "rows": rows, "finished_at": timezone.now()}
    try:
        still_open.update(**values)
    except DatabaseError:
        # It may be what ended the export: once more, on a new connection if this one is broken.
        if connection.in_atomic_block:
            raise
        connection.close_if_unusable_or_obsolete()
        still_open.update(**values)
    told = {"export": export.pk, "state": state, "rows": rows, "user_id": export.user_id}
    logger.info("audit log exported", extra=told)
