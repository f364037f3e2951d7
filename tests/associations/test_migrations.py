"""From the log of before to this one, back and forward again; and what later migrations may do."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from associations.audit import triggers
from associations.models import AssociationAttempt, AssociationRequest, AuditFilter, AuditSeal
from tests.associations.audit.base import ENTRY, CommittedLogTestCase, on_postgresql, seal, sql

ROWS = int(os.environ.get("MIGRATION_ROWS", "300"))
APP = "associations"
BEFORE, NEWEST = "0001_initial", "0003_text_index"
REASONS = ("SUP-{}", "Found while cleaning up duplicates", "Größe {} von “heute”", "")


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


class LogOfBeforeTests(MigrationTestCase):
    """A log that was filled before there was anything to prove it."""

    def setUp(self) -> None:
        super().setUp()
        migrate(BEFORE)
        self.now = timezone.now()
        entries = [self.row(number) for number in range(1, ROWS + 1)]
        AssociationRequest.objects.bulk_create(entries, batch_size=500)
        attempts = [self.attempt_row(pk) for (pk,) in sql(f"SELECT id FROM {ENTRY}")]
        AssociationAttempt.objects.bulk_create(attempts, batch_size=500)
        self.before = self.everything()

    def row(self, number: int) -> AssociationRequest:
        is_open, is_refused = number % 50 == 7, number % 9 == 0
        outcome, cause = ("rejected", "record_not_found") if is_refused else ("linked", "confirmed")
        return AssociationRequest(
            user=self.user,
            user_name=self.user.name,
            from_object_type="contacts",
            from_object_id=str(number),
            to_object_type="companies",
            to_object_id="902",
            reason=REASONS[number % len(REASONS)].format(number),
            api_version="v4",
            outcome="sending" if is_open else outcome,
            cause="" if is_open else cause,
            results=[{"from": {"id": str(number)}, "é": None}],
            error_text=f"Object {number} is gone" if is_refused and not is_open else "",
            created_at=self.now,
            sent_at=self.now,
            finished_at=None if is_open else self.now,
            submit_key=f"{number:064}" if number % 2 else None,
        )

    def attempt_row(self, entry: int) -> AssociationAttempt:
        return AssociationAttempt(
            request_id=entry,
            number=1,
            started_at=self.now,
            duration_ms=95,
            http_status=200,
            headers={"Content-Type": "application/json"},
            body='{"status": "COMPLETE"}',
        )

    def test_nothing_is_lost_and_all_of_it_is_guarded_found_and_sealed(self) -> None:
        began = time.monotonic()
        migrate(NEWEST)
        migrated = time.monotonic()
        self.assertEqual(self.everything(), self.before)
        self.assert_guarded()
        self.assert_found()
        sealing = time.monotonic()
        seal()
        verifying = time.monotonic()
        self.assert_proven()
        if "MIGRATION_ROWS" in os.environ:
            took = migrated - began, verifying - sealing, time.monotonic() - verifying
            times = "migrate {:.2f} s, seal {:.2f} s, verify {:.2f} s".format(*took)
            print(f"\n{ROWS} rows on {connection.vendor}: {times}")

    def assert_found(self) -> None:
        numbers = range(1, ROWS + 1)
        self.assertEqual(self.found(reason="duplicates"), sum(n % 4 == 1 for n in numbers))
        self.assertEqual(self.found(reason="Größe 6 VON"), 1)
        refused = sum(n % 9 == 0 and n % 50 != 7 for n in numbers)
        self.assertEqual(self.found(error_words=("OBJECT", "gone")), refused)
        self.assertEqual(self.found(error_words=("Object 18 is",)), 1)

    def test_what_was_open_is_closed_and_found(self) -> None:
        migrate(NEWEST)
        for entry in AssociationRequest.objects.filter(outcome="sending"):
            AssociationRequest.objects.filter(pk=entry.pk).update(
                outcome="rejected", cause="refused", finished_at=self.now, error_text="too late"
            )
        self.assertEqual(
            self.found(error_words=("late",)), sum(n % 50 == 7 for n in range(ROWS + 1))
        )
        self.assert_text_index_is_whole()
        seal()
        self.assert_proven()

    def test_one_can_go_back_and_forward_again(self) -> None:
        migrate(NEWEST)
        self.entry(reason="SUP-new")
        seal()
        later = self.everything()
        migrate(BEFORE)
        self.assertEqual(self.everything(), later)
        self.open_entry(reason="SUP-old")
        migrate(NEWEST)
        self.assert_guarded()
        self.assertEqual(len(self.everything()[0]), len(later[0]) + 1)
        self.assertEqual(self.found(reason="SUP-new") + self.found(reason="SUP-old"), 2)
        self.assert_text_index_is_whole()
        self.assertFalse(AuditSeal.objects.exists())
        seal()
        self.assert_proven()

    def test_half_way_a_row_can_be_written_as_well(self) -> None:
        for name in ("0002_audit_log", BEFORE, "0002_audit_log"):
            migrate(name)
            self.open_entry(reason=f"SUP at {name}")
        migrate(NEWEST)
        self.assertEqual(self.found(reason="SUP at 000"), 3)
        self.assert_text_index_is_whole()


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

    def test_one_that_fails_leaves_a_log_that_is_not_ready(self) -> None:
        names = [trigger.name for trigger in triggers.expected(connection.vendor)]
        with self.later(ADD_FIELD.format(model="associationattempt"), FAIL):
            for to in ("", "9001_later"):
                with self.assertRaises(DatabaseError):
                    migrate(to)
                self.assertEqual(triggers.problems(), names)
                self.assert_not_ready("migrations_missing", [f"{APP}.9001_later"])
                with self.settings(MIGRATION_MODULES={}):
                    self.assert_not_ready("triggers_missing", names)
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
