"""Marks rows as under way, right before their call leaves."""

from django.db.models import QuerySet

from associations.audit import recorder as closing
from associations.bulk.leases import hold
from associations.models import AssociationRequest, BulkChunk, BulkRun, RunState

SLOT_SECONDS = 5.0  # how long a claimed chunk waits for a slot of the limiter


class StoppedError(Exception):
    """The run is not running any more: somebody has paused or canceled it."""


def mark_rows(run: BulkRun, chunk: BulkChunk, entries: QuerySet[AssociationRequest]) -> None:
    """Part of a transaction. Raises LeaseLostError, StoppedError."""
    hold(chunk)
    if not BulkRun.objects.filter(pk=run.pk, state=RunState.RUNNING).exists():
        raise StoppedError
    closing.mark_as_sending(entries)
