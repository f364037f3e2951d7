"""Numbers that were taken before the database gave them, and files while the log cannot be written.

Whoever may insert can give a row any number. The honest row that comes to it takes the next one.
"""

import unittest
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, connection
from django.db.models import Model
from django.utils import timezone

from associations.audit import recorder
from associations.audit.recorder import NOWHERE, record_event
from associations.db import TAKEN_NUMBERS, insert
from associations.hubspot.answers import Attempt
from associations.models import (
    AssociationAttempt,
    AssociationRequest,
    AuditExport,
    AuditVerification,
    SecurityEvent,
)
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import LINK, missing_table


def take(row: Model, numbers: int, **other: object) -> int:
    """Insert rows like this one under the numbers that come next; return the first that is free."""
    first = row.pk + 1
    for name, value in other.items():
        setattr(row, name, value)
    for number in range(first, first + numbers):
        row.pk = number
        row.save(force_insert=True)
    return first + numbers


@contextmanager
def swallowed(model: type[Model]) -> Iterator[None]:
    """Somebody's trigger keeps each new row of the table out, and says nothing."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RETURN NULL; END$$"
            )
            act = "FOR EACH ROW EXECUTE FUNCTION swallow()"
        else:
            act = "BEGIN SELECT RAISE(IGNORE); END"
        cursor.execute(f"CREATE TRIGGER a_swallow BEFORE INSERT ON {table} {act}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            is_postgresql = connection.vendor == "postgresql"
            cursor.execute(f"DROP TRIGGER a_swallow{f' ON {table}' if is_postgresql else ''}")
            if is_postgresql:
                cursor.execute("DROP FUNCTION swallow()")


@unittest.skipUnless(connection.vendor == "postgresql", "SQLite goes on after the highest number.")
class TakenNumberTests(PageTestCase):
    def test_an_entry(self) -> None:
        free = take(entry_of(self.user), 3)
        made = recorder.open_entry(user=self.user, meta=NOWHERE, submit_token="a" * 32, **LINK)
        self.assertEqual((made[0].pk, made[1]), (free, True))

    def test_an_attempt(self) -> None:
        entry = entry_of(self.user)
        recorder.record_attempt(entry, 1, Attempt(timezone.now(), 12, http_status=200))
        free = take(AssociationAttempt.objects.get(), 1, request=entry_of(self.user))
        recorder.record_attempt(entry, 2, Attempt(timezone.now(), 12, http_status=200))
        self.assertEqual(entry.attempts.last().pk, free)

    def test_a_check(self) -> None:
        checked = {
            "entry": entry_of(self.user),
            "user": self.user,
            "meta": NOWHERE,
            "duration_ms": 9,
        }
        free = take(recorder.record_check(**checked), 2)
        self.assertEqual(recorder.record_check(**checked).pk, free)

    def test_a_verification(self) -> None:
        found = {"started_at": timezone.now(), "is_proven": True, "seals": 1, "items": 1}
        free = take(recorder.record_verification(**found), 2)
        self.assertEqual(recorder.record_verification(**found).pk, free)

    def test_an_event(self) -> None:
        free = take(record_event("signed_in", user=self.user), 4)
        self.assertEqual(record_event("signed_in", user=self.user).pk, free)

    def test_an_export(self) -> None:
        self.as_admin.get("/audit/export.csv").getvalue()
        free = take(AuditExport.objects.get(), 3)
        answer = self.as_admin.get("/audit/export.csv")
        self.assertContains(answer, "id")
        self.assertEqual(AuditExport.objects.latest("pk").pk, free)

    def test_too_many_of_them(self) -> None:
        """The log cannot be written then, and says so; nothing is given that is not logged."""
        take(record_event("signed_in", user=self.user), TAKEN_NUMBERS + 5)
        with self.assertLogs("associations.audit.recorder", "ERROR"):
            answer = self.as_admin.get("/audit/events.csv")
        self.assertContains(answer, "there is no file now", status_code=503)
        self.assertContains(self.as_admin.get("/audit/events.csv"), "signed_in")

    def test_another_constraint_is_no_number(self) -> None:
        entry_of(self.user, submit_key="a" * 64)
        before = self._given()
        with self.assertRaises(IntegrityError):
            insert(lambda: entry_of(self.user, submit_key="a" * 64))
        self.assertEqual(self._given() - before, 1)

    def _given(self) -> int:
        with connection.cursor() as cursor:
            table = AssociationRequest._meta.db_table
            cursor.execute(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id'))", [table]
            )
            return int(cursor.fetchone()[0])


class UnwritableLogTests(PageTestCase):
    """Whoever takes a file stands in the log before; where that cannot be, a page says so."""

    def assert_no_file(self, path: str, model: type[Model]) -> None:
        with missing_table(model), self.assertLogs("associations.audit.recorder", "ERROR"):
            answer = self.as_admin.get(path)
        self.assertContains(answer, "there is no file now", status_code=503)
        self.assertContains(answer, "log says why, beside this request id", status_code=503)
        self.assertNotIn("Content-Disposition", answer)

    def test_exports_of_the_log(self) -> None:
        self.assert_no_file("/audit/export.csv", AuditExport)
        self.assert_no_file("/audit/export.jsonl", AuditExport)

    def test_other_files(self) -> None:
        run = run_of(self.user)
        entry = entry_of(self.user)
        for path in (
            "/audit/events.csv",
            "/audit/events.jsonl",
            "/audit/integrity/seals.jsonl",
            f"/bulk/{run.pk}/results.csv",
            f"/requests/{entry.pk}/support-bundle.txt",
        ):
            with self.subTest(path):
                self.assert_no_file(path, SecurityEvent)

    def test_a_row_that_a_trigger_keeps_out_without_a_word(self) -> None:
        for path, model in (
            ("/audit/export.csv", AuditExport),
            ("/audit/events.csv", SecurityEvent),
        ):
            with (
                self.subTest(path),
                swallowed(model),
                self.assertLogs("associations.audit.recorder", "ERROR"),
            ):
                answer = self.as_admin.get(path)
                self.assertContains(answer, "there is no file now", status_code=503)

    def test_a_submit_whose_entry_is_kept_out_is_not_sent(self) -> None:
        with (
            swallowed(AssociationRequest),
            self.assertLogs("associations.audit.recorder", "ERROR"),
            self.assertRaises(recorder.LogUnavailableError),
        ):
            recorder.open_entry(user=self.user, meta=NOWHERE, submit_token="a" * 32, **LINK)

    def test_a_verification_that_is_kept_out(self) -> None:
        found = {"started_at": timezone.now(), "is_proven": True, "seals": 1, "items": 1}
        with swallowed(AuditVerification), self.assertRaises(DatabaseError):
            recorder.record_verification(**found)
