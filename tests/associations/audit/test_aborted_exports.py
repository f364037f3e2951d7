"""Exports that do not come to their end: none passes for the whole, and the log says so."""

import threading
from collections.abc import Callable, Iterator
from unittest import mock

from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import skipUnlessDBFeature

from associations.audit.exports import ROWS_AT_ONCE
from associations.models import AssociationRequest, AuditExport
from tests.associations.linking.base import entry_of
from tests.support import LogTransactionTestCase, SignedInClient, missing_table, person

FORMATS = ("csv", "jsonl")


def end_the_connection() -> None:
    """As when the database starts anew: from outside, while the export holds its connection."""

    def terminate() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    thread = threading.Thread(target=terminate)
    thread.start()
    thread.join()


class AbortedTests(LogTransactionTestCase):
    """Really committed: what is noted of a broken export must not go with it."""

    def setUp(self) -> None:
        super().setUp()
        self.admin = person("admin")
        self.as_admin = SignedInClient(self.admin)
        for _ in range(7):
            entry_of(self.admin)
        self.enterContext(mock.patch.dict(ROWS_AT_ONCE, csv=2, jsonl=2))

    def begun(self, file_format: str) -> tuple[HttpResponse, Iterator[bytes]]:
        """An export of which four entries have been read."""
        answer = self.as_admin.get(f"/audit/export.{file_format}")
        content = iter(answer.streaming_content)
        text = b""
        while text.count(b"\n") < 4 + (file_format == "csv"):
            text += next(content)
        return answer, content

    def assert_aborted(self, rows: int) -> None:
        record = AuditExport.objects.first()
        self.assertEqual((record.state, record.rows), ("aborted", rows))
        self.assertIsNotNone(record.finished_at)
        page = self.as_admin.get("/audit/exports/")
        self.assertContains(page, "aborted")
        self.assertNotContains(page, "not ended")

    def assert_broken(self, content: Iterator[bytes], answer: HttpResponse) -> None:
        """What a server gets to see: an error, and not an end."""
        with self.assertRaises(DatabaseError):
            b"".join(content)
        answer.close()

    def test_the_reader_goes_away(self) -> None:
        for file_format in FORMATS:
            answer, _ = self.begun(file_format)
            answer.close()
            self.assert_aborted(4)

    def test_the_database_fails_in_the_middle(self) -> None:
        for file_format in FORMATS:
            answer, content = self.begun(file_format)
            with missing_table(AssociationRequest):
                self.assert_broken(content, answer)
            self.assert_aborted(4)

    @skipUnlessDBFeature("has_select_for_update")  # SQLite has no connection to lose
    def test_the_connection_to_the_database_is_lost_in_the_middle(self) -> None:
        for file_format in FORMATS:
            answer, content = self.begun(file_format)
            end_the_connection()
            self.assert_broken(content, answer)
            self.assert_aborted(4)

    def test_it_was_begun_before_it_broke(self) -> None:
        answer, _ = self.begun("csv")
        seen: list[str] = []
        self._elsewhere(lambda: seen.append(AuditExport.objects.get().state))
        self.assertEqual(seen, ["running"])
        answer.close()

    def test_one_that_has_ended_stays_as_it_ended(self) -> None:
        answer = self.as_admin.get("/audit/export.csv")
        answer.getvalue()
        answer.close()
        record = AuditExport.objects.get()
        self.assertEqual((record.state, record.rows), ("complete", 7))

    def test_no_transaction_is_open_between_two_stretches(self) -> None:
        answer, content = self.begun("csv")
        self.assertFalse(connection.in_atomic_block)
        written: list[int] = []
        self._elsewhere(lambda: written.append(entry_of(self.admin).pk))
        self.assertEqual(len(written), 1)
        for _ in content:
            pass
        answer.close()
        self.assertEqual(AuditExport.objects.get().rows, 7)

    @staticmethod
    def _elsewhere(do: Callable[[], object]) -> None:
        """On another connection, which sees only what is committed."""

        def work() -> None:
            do()
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
