"""A log that is migrated by the real command, in whatever direction."""

from functools import cache
from typing import Any

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from associations.audit.integrity import triggers
from associations.models import AssociationRequest, AuditFilter
from tests.associations.audit.integrity.base import ENTRY, CommittedLogTestCase, on_postgresql, sql

APP = "associations"
BEFORE = "0001_initial"
(NEWEST,) = (name for _, name in MigrationLoader(None).graph.leaf_nodes(APP))


def migrate(to: str = "") -> None:
    call_command("migrate", APP, *filter(None, [to]), verbosity=0)


def start_at(migration: str) -> None:
    """An empty log of that time, made as it was made then: sooner than by going back to it."""
    triggers.remove()
    if on_postgresql():
        names = connection.introspection.table_names()
        tables = [name for name in names if name.startswith(f"{APP}_")]
        sql(f"DROP TABLE {', '.join(tables)} CASCADE")
    else:
        with connection.constraint_checks_disabled():
            for (table,) in sql(_TABLES, f"{APP}_%"):
                sql(f"DROP TABLE IF EXISTS {table}")
    MigrationRecorder(connection).migration_qs.filter(app=APP).delete()
    migrate(migration)


# The virtual ones first: they take tables of their own with them.
_TABLES = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE %s
ORDER BY sql NOT LIKE 'CREATE VIRTUAL%%'
"""


@cache
def model_at(migration: str, name: str) -> type[Model]:
    """The model as it was then; today's has columns that its table did not."""
    return MigrationLoader(None).project_state((APP, migration)).apps.get_model(APP, name)


def values_of(model: type[Model]) -> list[tuple]:
    """Each row as the database has it, whatever the order of its columns."""
    columns = ", ".join(field.column for field in model._meta.concrete_fields)
    return sql(f"SELECT {columns} FROM {model._meta.db_table} ORDER BY id")


class MigrationTestCase(CommittedLogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(migrate, NEWEST)

    def everything(self, at: str = NEWEST) -> list[list[tuple]]:
        """The rows, as far as there were columns for them at this migration."""
        names = ("AssociationRequest", "AssociationAttempt")
        return [values_of(model_at(at, name)) for name in names]

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
