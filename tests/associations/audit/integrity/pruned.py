"""A log to prune, again and again as time goes by."""

import tempfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from django.utils import timezone

from associations.audit.integrity.serialization import KINDS
from associations.models import AssociationAttempt, AuditSeal
from tests.associations.audit.integrity.base import (
    CommittedLogTestCase,
    LogTestCase,
    run,
    seal,
    settle,
)

OLD = "--older-than", "30d"
COMMAND_TIME = "associations.management.commands.prune_audit_log.timezone"


class PruningMixin:
    """Three old seals and a new one."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "archive.jsonl"
        self.seals = self.sealed_log(3)
        self.entry(reason="SUP-new")
        self.seals += seal()
        settle()

    def prune(
        self, *arguments: str, name: str = "archive.jsonl", now: datetime | None = None
    ) -> tuple[int, str]:
        settle()
        moment = now or timezone.now()
        with mock.patch(COMMAND_TIME, SimpleNamespace(now=lambda: moment)):
            return run("prune_audit_log", *OLD, "--archive", str(self.folder / name), *arguments)

    def assert_pruned(self, name: str = "archive.jsonl", now: datetime | None = None) -> str:
        code, said = self.prune(name=name, now=now)
        self.assertEqual(code, 0, said)
        self.assertIn("items taken out", said)
        return said

    def everything(self) -> dict[str, list]:
        models = {**KINDS, "seal": AuditSeal, "every attempt": AssociationAttempt}
        return {name: list(model.objects.order_by("pk").values()) for name, model in models.items()}


class PruningTestCase(PruningMixin, LogTestCase):
    pass


class CommittedPruningTestCase(PruningMixin, CommittedLogTestCase):
    pass
