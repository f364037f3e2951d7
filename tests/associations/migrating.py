"""A log that is migrated by the real command, in whatever direction."""

from typing import Any

from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import Model

from associations.audit import triggers
from associations.models import AssociationAttempt, AssociationRequest, AuditFilter
from tests.associations.audit.base import ENTRY, CommittedLogTestCase, on_postgresql, sql

APP = "associations"
BEFORE, NEWEST = "0001_initial", "0003_text_index"


def migrate(to: str = "") -> None:
    call_command("migrate", APP, *filter(None, [to]), verbosity=0)


def values_of(model: type[Model]) -> list[tuple]:
    """Each row as the database has it, whatever the order of its columns."""
    columns = ", ".join(field.column for field in model._meta.concrete_fields)
    return sql(f"SELECT {columns} FROM {model._meta.db_table} ORDER BY id")


class MigrationTestCase(CommittedLogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(migrate, NEWEST)

    def everything(self) -> list[list[tuple]]:
        return [values_of(model) for model in (AssociationRequest, AssociationAttempt)]

    def found(self, **wanted: Any) -> int:
        return AssociationRequest.objects.matching(AuditFilter(**wanted)).count()

    def assert_guarded(self) -> None:
        self.assertEqual(triggers.problems(), [])
        self.assertEqual(self.client.get("/readyz").status_code, 200)
        for statement in (f"UPDATE {ENTRY} SET reason = ''", f"DELETE FROM {ENTRY}"):
            with self.assertRaises(IntegrityError), transaction.atomic():
                sql(statement)

    def assert_text_index_is_whole(self) -> None:
        if not on_postgresql():
            index = "associations_request_text"
            sql(f"INSERT INTO {index}({index}) VALUES ('integrity-check')")
