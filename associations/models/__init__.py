"""What the database keeps: the log of requests, and what watches over that log."""

from associations.models.bulk import (
    Approval,
    BulkChunk,
    BulkKey,
    BulkRow,
    BulkRun,
    BulkUpload,
    RowState,
    RunState,
    SendMode,
)
from associations.models.coordination import CallPause, CallSlot, Sealer, Sweep, Worker
from associations.models.events import EventKind, SecurityEvent
from associations.models.names import (
    AuditErasure,
    RecordNames,
    SeenNames,
    name_digest,
    new_salt,
)
from associations.models.notices import Condition, Delivery, Notice, NoticeEvent, Watch
from associations.models.querysets import OPEN_OUTCOMES, AssociationRequestQuerySet, AuditFilter
from associations.models.requests import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    Finding,
)
from associations.models.seals import (
    AuditExport,
    AuditPruning,
    AuditSeal,
    AuditTimestamp,
    AuditVerification,
)

__all__ = [
    "OPEN_OUTCOMES",
    "Approval",
    "AssociationAttempt",
    "AssociationBatch",
    "AssociationCheck",
    "AssociationRequest",
    "AssociationRequestQuerySet",
    "AuditErasure",
    "AuditExport",
    "AuditFilter",
    "AuditPruning",
    "AuditSeal",
    "AuditTimestamp",
    "AuditVerification",
    "BulkChunk",
    "BulkKey",
    "BulkRow",
    "BulkRun",
    "BulkUpload",
    "CallPause",
    "CallSlot",
    "Condition",
    "Delivery",
    "EventKind",
    "Finding",
    "Notice",
    "NoticeEvent",
    "RecordNames",
    "RowState",
    "RunState",
    "Sealer",
    "SecurityEvent",
    "SeenNames",
    "SendMode",
    "Sweep",
    "Watch",
    "Worker",
    "name_digest",
    "new_salt",
]
