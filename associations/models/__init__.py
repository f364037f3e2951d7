"""What the database keeps: the log of requests, and what watches over that log."""

from .audit import AuditExport, AuditPruning, AuditSeal, AuditVerification
from .bulk import BulkChunk, BulkEvent, BulkRow, BulkRun, BulkUpload, RowState, RunState, Way
from .exchange import AssociationBatch
from .log import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationCheck,
    AssociationRequest,
)
from .queries import AssociationRequestQuerySet, AuditFilter
from .working import CallPause, CallSlot, Worker

__all__ = [
    "OPEN_OUTCOMES",
    "AssociationAttempt",
    "AssociationBatch",
    "AssociationCheck",
    "AssociationRequest",
    "AssociationRequestQuerySet",
    "AuditExport",
    "AuditFilter",
    "AuditPruning",
    "AuditSeal",
    "AuditVerification",
    "BulkChunk",
    "BulkEvent",
    "BulkRow",
    "BulkRun",
    "BulkUpload",
    "CallPause",
    "CallSlot",
    "RowState",
    "RunState",
    "Way",
    "Worker",
]
