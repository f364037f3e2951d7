"""/healthz and /readyz."""

import sqlite3
import time
import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from unittest import mock

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TestCase

from hubadmin.web import readiness
from tests.support import LogTransactionTestCase, SignedInClient, missing_table


class HealthTests(SimpleTestCase):
    def test_the_process_answers_over_plain_http_and_signed_out(self) -> None:
        answer = self.client.get("/healthz")
        self.assertEqual((answer.status_code, answer.json()), (200, {"status": "ok"}))
        self.assertIn("no-store", answer["Cache-Control"])


class ReadyTests(TestCase):
    def test_ready(self) -> None:
        answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["status"]), (200, "ok"))

    def test_a_missing_migration(self) -> None:
        ((_, newest),) = MigrationLoader(None).graph.leaf_nodes("associations")
        MigrationRecorder(connection).record_unapplied("associations", newest)
        answer = self.client.get("/readyz")
        self.assertEqual(answer.status_code, 503)
        self.assertIn(f"associations.{newest}", answer.json()["migrations_missing"])

    def test_a_database_without_our_tables_is_not_ready(self) -> None:
        with missing_table(MigrationRecorder.Migration):
            answer = self.client.get("/readyz")
        self.assertEqual(answer.status_code, 503)


@contextmanager
def read_only() -> Iterator[None]:
    """A database that really is: opened as such, or set so by its administrator."""
    database = connection.settings_dict
    connection.close()
    if connection.vendor == "sqlite":
        changed = database | {"NAME": f"file:{database['NAME']}?mode=ro", "OPTIONS": {}}
        with mock.patch.dict(database, changed):
            yield
            connection.close()
        return
    name = connection.ops.quote_name(database["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    connection.close()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        connection.close()


class WritableTests(LogTransactionTestCase):
    def setUp(self) -> None:
        readiness.forget()
        self.addCleanup(readiness.forget)

    def probe(self) -> tuple[int, str]:
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json()["database"]

    def later(self, seconds: float) -> AbstractContextManager[object]:
        clock = mock.Mock(monotonic=mock.Mock(return_value=time.monotonic() + seconds))
        return mock.patch.object(readiness, "time", clock)

    def test_a_database_that_is_read_only_and_is_not_any_more(self) -> None:
        self.assertEqual(self.probe(), (200, "ok"))
        with read_only():
            self.assertEqual(self.probe(), (200, "ok"))  # as was found a moment ago
            with (
                self.later(readiness.WRITE_EVERY + 1),
                self.assertLogs("hubadmin.web.readiness", "ERROR") as logs,
            ):
                for _ in range(3):
                    self.assertEqual(self.probe(), (503, "not writable"))
            self.assertEqual(len(logs.records), 1)
            self.assertEqual(self.client.get("/healthz").status_code, 200)
        with self.later(2 * readiness.WRITE_EVERY + 2):
            self.assertEqual(self.probe(), (200, "ok"))

    def test_one_row_however_often_somebody_asks(self) -> None:
        for seconds in range(0, 60, 5):
            with self.later(seconds):
                self.assertEqual(self.probe(), (200, "ok"))
        self.assertEqual([each.pk for each in Session.objects.all()], [readiness.WRITTEN])
        cookie = {"cookie": f"{settings.SESSION_COOKIE_NAME}={readiness.WRITTEN}"}
        self.assertEqual(SignedInClient(headers=cookie).get("/").status_code, 302)

    @unittest.skipUnless(connection.vendor == "sqlite", "there others wait for a row, not for all")
    def test_somebody_else_who_writes_is_no_failure(self) -> None:
        self.probe()
        file = connection.settings_dict["NAME"]
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with self.later(readiness.WRITE_EVERY + 1):
                self.assertEqual(self.probe(), (200, "ok"))
            other.execute("ROLLBACK")


class WarningTests(SimpleTestCase):
    """What is slow to find is looked for by one at a time, however many ask."""

    def setUp(self) -> None:
        readiness.forget()
        self.addCleanup(readiness.forget)
        self.looks: list[dict[str, list[str]]] = []
        self.enterContext(mock.patch.object(readiness, "WARNINGS", {"slow": self.look}))

    def look(self) -> list[str]:
        self.looks.append(readiness.warnings())  # as another thread asks meanwhile
        return ["entry 5"]

    def test_who_asks_meanwhile_is_told_what_was_found_before(self) -> None:
        now = time.monotonic()
        for asked, before in ((now, {}), (now + 99, {"slow": ["entry 5"]})):
            clock = mock.Mock(monotonic=mock.Mock(return_value=asked))
            with mock.patch.object(readiness, "time", clock):
                self.assertEqual(readiness.warnings(), {"slow": ["entry 5"]})
            self.assertEqual(self.looks.pop(), before)
        self.assertEqual(self.looks, [])

    def test_after_one_that_failed_the_next_looks(self) -> None:
        fails = mock.patch.dict(readiness.WARNINGS, slow=mock.Mock(side_effect=DatabaseError))
        with fails, self.assertRaises(DatabaseError):
            readiness.warnings()
        self.assertEqual(readiness.warnings(), {"slow": ["entry 5"]})
