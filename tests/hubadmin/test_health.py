"""/healthz and /readyz."""

import time
from unittest import mock

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TestCase

from hubadmin.web import readiness
from tests.support import missing_table


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
