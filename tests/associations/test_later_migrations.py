"""What later migrations may do to the log, and how a failed one leaves it."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import DatabaseError, connection

from associations.audit.integrity import triggers
from associations.models import AssociationAttempt, AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    CommittedLogTestCase,
    on_postgresql,
    seal,
    sql,
)
from tests.associations.migrating import APP, NEWEST, MigrationTestCase, migrate

MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("associations", "{after}")]
    operations = [{operation}]
"""
ADD_FIELD = """
migrations.AddField("{model}", "added", models.CharField(max_length=20, default="something"))
"""
FAIL = 'migrations.RunSQL("SELECT * FROM nowhere", migrations.RunSQL.noop)'


class LaterMigrationTests(MigrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.entry(reason="SUP-1")
        self.late_attempt(self.entry())
        self.export()
        seal()

    @contextmanager
    def later(self, *operations: str) -> Iterator[None]:
        """The real migrations, and one for each of these operations."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="later_")))
        names = [NEWEST, *(f"900{number}_later" for number in range(len(operations)))]
        (folder / "__init__.py").write_text(
            "from associations import migrations\n__path__ += migrations.__path__\n"
        )
        for (before, name), operation in zip(pairwise(names), operations, strict=True):
            text = MIGRATION.format(after=before, operation=operation)
            (folder / f"{name}.py").write_text(text)
        path = [str(folder.parent), *sys.path]
        with mock.patch("sys.path", path), self.settings(MIGRATION_MODULES={APP: folder.name}):
            try:
                yield
            finally:
                migrate(NEWEST)

    def test_a_table_that_is_made_anew_keeps_its_triggers(self) -> None:
        """SQLite cannot add a column with a default: it copies the table and drops the old one."""
        models = ("associationrequest", "associationattempt", "auditseal", "auditexport")
        before = self.everything()
        with self.later(*(ADD_FIELD.format(model=model) for model in models)):
            migrate()
            self.assertEqual(sql(f"SELECT DISTINCT added FROM {ENTRY}"), [("something",)])
            self.assertEqual(self.everything(), before)
            self.assert_guarded()
            self.assert_proven()
            self.assertEqual(self.found(reason="SUP-1"), 1)
            self.assert_text_index_is_whole()
        self.assert_guarded()
        self.assert_proven()

    def test_one_that_fails_leaves_a_log_that_is_guarded_or_not_ready(self) -> None:
        names = [trigger.name for trigger in triggers.expected(connection.vendor)]
        missing = [] if on_postgresql() else names
        with self.later(ADD_FIELD.format(model="associationattempt"), FAIL):
            for to in ("", "9001_later"):
                with self.assertRaises(DatabaseError):
                    migrate(to)
                self.assertEqual(triggers.problems(), missing)
                self.assert_not_ready("migrations_missing", [f"{APP}.9001_later"])
                with self.settings(MIGRATION_MODULES={}):
                    if missing:
                        self.assert_not_ready("triggers_missing", names)
                    else:
                        self.assert_guarded()
                migrate("9000_later")
                self.assertEqual(triggers.problems(), [])
        self.assert_guarded()

    def assert_not_ready(self, what: str, names: list[str]) -> None:
        answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()[what]), (503, names))

    def test_with_nothing_to_migrate_what_is_missing_is_installed(self) -> None:
        triggers.remove()
        migrate()
        self.assert_guarded()

    def test_nothing_is_taken_off_while_there_is_nothing_to_migrate(self) -> None:
        with connection.execute_wrapper(self.refuse_to_drop):
            migrate()

    def refuse_to_drop(self, execute: Any, statement: str, *more: Any) -> Any:
        self.assertNotIn("DROP TRIGGER", statement)
        return execute(statement, *more)


class ClearingTests(CommittedLogTestCase):
    """What is committed is cleared up after each test, although nothing may be deleted."""

    def leave_something(self) -> None:
        for model in (AssociationRequest, AssociationAttempt, AuditSeal):
            self.assertFalse(model.objects.exists())
        self.assertEqual(triggers.problems(), [])
        self.entry()
        self.pruning()
        seal()

    def test_once(self) -> None:
        self.leave_something()

    def test_and_again(self) -> None:
        self.leave_something()
