"""/healthz and /readyz."""

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TestCase

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
