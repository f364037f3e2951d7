"""Rows that the database takes and nobody can read: they are sealed round, and named everywhere."""

import time
from unittest import mock

from django.db import models
from django.test import Client

from associations.audit.integrity import candidates, sealing
from associations.audit.integrity.candidates import find_unreadable
from associations.models import AuditSeal
from hubadmin.web import readiness
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    LogTestCase,
    items_of,
    let_in_anything,
    on_postgresql,
    run,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.serving import ServingMixin, as_serving
from tests.support import SignedInClient

VALUES = ("infinity", "12000-01-01", "4000-01-01 BC")
if not on_postgresql():
    VALUES = ("2026-13-01 00:00:00", "2026-01-32 00:00:00")


class UnreadableTestCase(ServingMixin, LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        readiness.forget()
        self.addCleanup(readiness.forget)
        self.enterContext(mock.patch.object(sealing, "ITEMS_PER_SEAL", 2))

    def forge(self, row: models.Model, column: str, value: str = VALUES[0]) -> int:
        """The same row once more, under a number of its own and with this value."""
        table = row._meta.db_table
        names = [field.column for field in row._meta.concrete_fields if field.column != "id"]
        values = ", ".join(f"'{value}'" if name == column else f'"{name}"' for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        let_in_anything(table)
        with as_serving():
            sql(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id = {row.pk}")
        settle()
        return sql(f"SELECT max(id) FROM {table}")[0][0]

    def entries(self, count: int) -> list[int]:
        first = self.entry(attempts=0)
        return [
            self.forge(first, "requested_at", VALUES[number % len(VALUES)])
            for number in range(count)
        ]


class SealingTests(UnreadableTestCase):
    def test_more_than_a_seal_takes_do_not_keep_the_rest_from_being_sealed(self) -> None:
        broken = self.entries(5)
        good = [self.entry(attempts=0).pk for _ in range(3)]
        code, said = run("seal_audit_log")
        sealed = {pk for kind, pk in items_of(*AuditSeal.objects.all()) if kind == "entry"}
        self.assertLess({*good}, sealed)
        self.assertFalse({*broken} & sealed)
        self.assertEqual(code, 1)
        self.assertRegex(said, r"(?m)^seal 1\t")
        named = ", ".join(f"entry {pk}" for pk in broken)
        self.assertIn(f"5 rows cannot be read, and so are in no seal: {named}", said)
        self.assertNotIn("Nothing is left to seal", said)

    def test_with_nothing_but_these_it_says_so(self) -> None:
        (broken,) = self.entries(1)
        run("seal_audit_log")
        code, said = run("seal_audit_log")
        self.assertEqual(code, 1)
        self.assertIn(f"1 row cannot be read, and so is in no seal: entry {broken}.", said)
        self.assertNotIn("Nothing is left to seal", said)

    def test_of_each_kind(self) -> None:
        entry = self.entry()
        rows = {
            "check": (self.check(entry), "checked_at"),
            "export": (self.export(), "started_at"),
            "pruning": (self.pruning(is_signed=True), "pruned_at"),
            "batch": (self.batch(self.bulk_run()), "started_at"),
        }
        broken = [(kind, self.forge(*row)) for kind, row in rows.items() for _ in range(4)]
        code, said = run("seal_audit_log")
        self.assertEqual(code, 1)
        self.assertIn("16 rows cannot be read", said)
        sealed = items_of(*AuditSeal.objects.all())
        for kind, (row, _) in rows.items():
            self.assertIn((kind, row.pk), sealed)
        self.assertFalse({*broken} & {*sealed})
        self.assertEqual({*find_unreadable()}, {f"{kind} {pk}" for kind, pk in broken})

    def test_an_attempt_makes_its_entry_unreadable(self) -> None:
        attempt = self.attempt(self.open_entry())
        let_in_anything(ATTEMPT)
        with as_serving():
            pk = self.entry(attempts=0).pk
            sql(
                f"INSERT INTO {ATTEMPT} (request_id, number, started_at, duration_ms, headers, "
                "body, body_complete, failure, detail, late) SELECT "
                f"{pk}, 1, '{VALUES[0]}', duration_ms, headers, body, body_complete, failure, "
                f"detail, late FROM {ATTEMPT} WHERE id = {attempt.pk}"
            )
        settle()
        self.assertEqual(find_unreadable(), [f"entry {pk}"])

    def test_it_goes_on_for_ever_and_logs_an_error(self) -> None:
        broken = self.entries(3)
        good = self.entry(attempts=0).pk
        with (
            mock.patch.object(time, "sleep", side_effect=[None, KeyboardInterrupt]),
            self.assertLogs("hubadmin.audit", "ERROR") as logs,
            self.assertRaises(KeyboardInterrupt),
        ):
            sealing.seal_for_ever(1)
        self.assertIn(("entry", good), items_of(*AuditSeal.objects.all()))
        told = [(each.kind, pk) for each in logs.records for pk in each.first]
        self.assertEqual({*told}, {("entry", pk) for pk in broken})

    def test_it_says_once_a_minute_that_it_is_alive(self) -> None:
        self.entry()
        ticks = [None] * 3 + [KeyboardInterrupt]
        with (
            mock.patch.object(time, "sleep", side_effect=ticks),
            self.assertLogs(sealing.__name__, "INFO") as logs,
            self.assertRaises(KeyboardInterrupt),
        ):
            sealing.seal_for_ever(1)
        (line,) = logs.records
        self.assertEqual((line.getMessage(), line.seals), ("the sealer is alive", 1))

    def test_a_seal_with_fewer_than_it_takes_has_all_there_is_to_take(self) -> None:
        self.entries(3)
        self.entry(), self.entry()
        for each in [*seal()][:-1]:
            self.assertEqual(len(items_of(each)), 2)

    def test_a_database_that_is_away_makes_none_unreadable(self) -> None:
        self.entry(attempts=0)
        with self.assertNoLogs("hubadmin.audit", "ERROR"):
            self.assertEqual(find_unreadable(), [])


class NamedTests(UnreadableTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.broken = self.entries(2)
        seal()

    def test_verifying_names_them_and_proves_the_rest(self) -> None:
        said = self.assert_not_proven("2 rows cannot be read, and so are in no seal: entry")
        self.assertIn("Proven up to seal 1", said)
        self.assertIn(f"entry {self.broken[1]}", said)

    def test_the_page_names_them(self) -> None:
        page = SignedInClient(self.user).get("/audit/integrity/")
        self.assertContains(page, "cannot be read")
        for pk in self.broken:
            self.assertContains(page, f"entry {pk}")

    def test_the_status_page_names_them(self) -> None:
        page = SignedInClient(self.user).get("/status/")
        self.assertContains(page, "Rows of the log cannot be read")
        for pk in self.broken:
            self.assertContains(page, f"<code>entry {pk}</code>")

    def test_a_probe_is_told_and_the_server_stays_in_the_pool(self) -> None:
        answer = Client().get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["status"]), (200, "degraded"))
        self.assertEqual(answer.json()["unreadable"], [f"entry {pk}" for pk in self.broken])

    def test_they_are_not_looked_for_with_every_probe(self) -> None:
        Client().get("/readyz")
        with mock.patch.object(candidates, "find_candidates", side_effect=AssertionError):
            self.assertEqual(Client().get("/readyz").json()["status"], "degraded")

    def test_an_open_one_is_named_as_well(self) -> None:
        pk = self.forge(self.open_entry(), "requested_at")
        self.assertIn(f"entry {pk}", find_unreadable())

    def test_no_more_are_read_than_asked_for(self) -> None:
        self.assertEqual(len(find_unreadable(at_most=1)), 1)
