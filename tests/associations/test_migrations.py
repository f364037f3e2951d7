"""From the log of before to this one, back and forward again."""

import os
import time
from datetime import timedelta
from importlib import import_module
from typing import Any
from unittest import mock

from django.db import IntegrityError, connection, transaction
from django.db.migrations.exceptions import IrreversibleError
from django.test import tag
from django.utils import timezone

from associations.audit.integrity import triggers
from associations.audit.integrity.serialization import each_line
from associations.audit.recorder import record_event
from associations.bulk.services import discard
from associations.models import (
    AssociationCheck,
    AssociationRequest,
    AuditErasure,
    AuditSeal,
    AuditTimestamp,
    BulkRun,
    RecordNames,
    SecurityEvent,
)
from hubadmin.models import User
from tests.associations.audit.integrity.base import (
    BATCH,
    CHECK,
    ENTRY,
    EVENT,
    LONG_AGO,
    as_owner,
    on_postgresql,
    seal,
    settle,
    sql,
)
from tests.associations.migrating import (
    BEFORE,
    NEWEST,
    MigrationTestCase,
    migrate,
    model_at,
    start_at,
    values_of,
)
from tests.support import LINK

ROWS = int(os.environ.get("MIGRATION_ROWS", "300"))
BEFORE_RUNS, RUNS = "0004_verification", "0005_bulk_runs"
MIGRATION = import_module("associations.migrations.0008_security_events")
DAY = timedelta(days=1)
REASONS = ("SUP-{}", "Found while cleaning up duplicates", "Größe {} von “heute”", "")


@tag("long")
class LogOfBeforeTests(MigrationTestCase):
    """A log that was filled before there was anything to prove it."""

    def setUp(self) -> None:
        super().setUp()
        start_at(BEFORE)
        self.now = timezone.now()
        entry_model, attempt_model = (
            model_at(BEFORE, name) for name in ("AssociationRequest", "AssociationAttempt")
        )
        entries = [entry_model(**self.row(number)) for number in range(1, ROWS + 1)]
        entry_model.objects.bulk_create(entries, batch_size=500)
        numbers = [pk for (pk,) in sql(f"SELECT id FROM {ENTRY}")]
        attempts = [attempt_model(**self.attempt_row(pk)) for pk in numbers]
        attempt_model.objects.bulk_create(attempts, batch_size=500)
        self.before = self.everything(BEFORE)

    def row(self, number: int) -> dict[str, Any]:
        is_open, is_refused = number % 50 == 7, number % 9 == 0
        outcome, cause = ("rejected", "record_not_found") if is_refused else ("linked", "confirmed")
        return self.asked(REASONS[number % len(REASONS)].format(number)) | {
            "from_object_id": str(number),
            "outcome": "sending" if is_open else outcome,
            "cause": "" if is_open else cause,
            "results": [{"from": {"id": str(number)}, "é": None}],
            "error_text": f"Object {number} is gone" if is_refused and not is_open else "",
            "finished_at": None if is_open else self.now,
            "submit_key": f"{number:064}" if number % 2 else None,
        }

    def asked(self, reason: str) -> dict[str, Any]:
        """An entry that is still open."""
        who = {"user_id": self.user.pk, "user_name": self.user.name, "reason": reason}
        when = {"created_at": self.now, "sent_at": self.now}
        return {**who, **LINK, **when, "api_version": "v4", "outcome": "sending"}

    def write_at(self, migration: str, reason: str) -> None:
        """An open entry, by the program of that time."""
        model_at(migration, "AssociationRequest").objects.create(**self.asked(reason))

    def attempt_row(self, entry: int) -> dict[str, Any]:
        return {
            "request_id": entry,
            "number": 1,
            "started_at": self.now,
            "duration_ms": 95,
            "http_status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": '{"status": "COMPLETE"}',
        }

    def test_nothing_is_lost_and_all_of_it_is_guarded_found_and_sealed(self) -> None:
        began = time.monotonic()
        migrate(NEWEST)
        migrated = time.monotonic()
        self.assertEqual(self.everything(BEFORE), self.before)
        self.assert_guarded()
        self.assert_found()
        self.assert_nobody_had_looked()
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

    def assert_nobody_had_looked(self) -> None:
        seen = ("was_linked", "verified", "verified_at", "unverified_cause")
        found = AssociationRequest.objects.values_list(*seen).distinct()
        self.assertEqual([*found], [(None, None, None, "")])
        perhaps = sum(n % 9 != 0 and n % 50 != 7 for n in range(1, ROWS + 1))
        self.assertEqual(self.found(seen="not_verified"), perhaps)

    def test_what_was_open_is_closed_and_found(self) -> None:
        migrate(NEWEST)
        for entry in AssociationRequest.objects.filter(outcome="sending"):
            AssociationRequest.objects.filter(pk=entry.pk).update(
                outcome="rejected", cause="refused", finished_at=self.now, error_text="too late"
            )
        self.check(AssociationRequest.objects.first())
        self.assertEqual(
            self.found(error_words=("late",)), sum(n % 50 == 7 for n in range(ROWS + 1))
        )
        self.assert_text_index_is_whole()
        seal()
        self.assert_proven()

    def test_one_can_go_back_and_forward_again(self) -> None:
        migrate(NEWEST)
        self.check(self.entry(reason="SUP-new", verified=True, verified_at=self.now))
        seal()
        later = self.everything(BEFORE)
        migrate(BEFORE)
        self.assertEqual(self.everything(BEFORE), later)
        self.write_at(BEFORE, "SUP-old")
        migrate(NEWEST)
        self.assert_guarded()
        self.assertEqual(len(self.everything()[0]), len(later[0]) + 1)
        self.assertFalse(AssociationCheck.objects.exists())
        self.assertFalse(AssociationRequest.objects.exclude(verified=None).exists())
        self.assertEqual(self.found(reason="SUP-new") + self.found(reason="SUP-old"), 2)
        self.assert_text_index_is_whole()
        self.assertFalse(AuditSeal.objects.exists())
        seal()
        self.assert_proven()

    def test_half_way_what_there_is_is_guarded(self) -> None:
        migrate("0003_text_index")
        expected = triggers.expected(connection.vendor)
        since = {CHECK, BATCH, EVENT, RecordNames._meta.db_table, AuditErasure._meta.db_table}
        since.add(AuditTimestamp._meta.db_table)
        later = {t.name for t in expected if t.table in since}
        # These name columns that came later; of the others they guard all.
        entry, export = ("hubadmin_associationrequest_{}", "hubadmin_auditexport_taken")
        less = {*map(entry.format, ("asked", "closed", "replace")), export}
        there = {t.name for t in expected} - later
        self.assertEqual({*triggers.problems()}, later | (less & there))
        self.assertLessEqual(there, self.installed())
        for statement in (f"UPDATE {ENTRY} SET reason = ''", f"DELETE FROM {ENTRY}"):
            with self.assertRaises(IntegrityError), transaction.atomic():
                sql(statement)

    def installed(self) -> set[str]:
        table = "pg_trigger" if on_postgresql() else "sqlite_master"
        column = "tgname" if on_postgresql() else "name"
        return {name for (name,) in sql(f"SELECT {column} FROM {table}")}

    def test_half_way_a_row_can_be_written_as_well(self) -> None:
        between = ("0002_audit_log", "0003_text_index")
        self.assertNotIn(NEWEST, between)
        for name in (*between, BEFORE, *between):
            migrate(name)
            self.write_at(name, f"SUP at {name}")
        migrate(NEWEST)
        self.assertEqual(self.found(reason="SUP at 000"), 5)
        self.assert_guarded()
        self.assert_text_index_is_whole()


@tag("long")
class RunsOfBeforeTests(MigrationTestCase):
    """Who goes back behind the runs would lose a part of the log, and is told so."""

    def test_one_can_go_back_as_long_as_no_entry_is_of_a_run(self) -> None:
        self.bulk_run(state="unreadable")
        self.entry()
        seal()
        before = self.everything(BEFORE_RUNS)
        migrate(BEFORE_RUNS)
        self.assertEqual(self.everything(BEFORE_RUNS), before)
        self.assert_refuses_an_update_half_way()
        migrate(NEWEST)
        self.assert_guarded()
        self.assert_proven()

    def assert_refuses_an_update_half_way(self) -> None:
        for column in ("reason", "submit_key"):
            with self.assertRaises(IntegrityError), transaction.atomic():
                sql(f"UPDATE {ENTRY} SET {column} = {column}")

    def test_entries_of_a_run_are_not_lost_by_going_back(self) -> None:
        run = self.bulk_run()
        for of_run in (lambda: self.entries_of(run, 1), lambda: self.closed_by(self.batch(run), 2)):
            migrate(NEWEST)
            of_run()
            before = self.everything(RUNS)
            with self.assertRaisesRegex(IrreversibleError, "holds entries of bulk runs"):
                migrate(BEFORE_RUNS)
            self.assertEqual(self.everything(RUNS), before)
            migrate(NEWEST)
        self.assert_guarded()
        seal()
        self.assert_proven()


def write_as_before(user: User) -> None:
    now = timezone.now()
    model_at(RUNS, "AssociationRequest").objects.create(
        user_id=user.pk,
        user_name=user.name,
        api_version="v4",
        outcome="linked",
        cause="confirmed",
        created_at=now,
        sent_at=now,
        finished_at=now,
        **LINK,
    )


@tag("long")
class MergedRecordsTests(MigrationTestCase):
    """The columns that say into what a record was merged."""

    def test_a_server_of_before_goes_on_writing(self) -> None:
        write_as_before(self.user)
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.from_merged_into, entry.to_merged_into), ("", ""))
        self.check(entry)
        seal()
        self.assert_proven()

    def test_what_was_sealed_before_stays_proven(self) -> None:
        start_at(RUNS)
        write_as_before(self.user)
        migrate(NEWEST)
        line = dict(each_line("entry", [AssociationRequest.objects.get().pk])).popitem()[1]
        self.assertNotIn("merged_into", line)
        self.assert_guarded()

    def test_one_can_go_back_as_long_as_none_was_merged(self) -> None:
        self.check(self.entry())
        seal()
        before = self.everything(RUNS)
        migrate(RUNS)
        self.assertEqual(self.everything(RUNS), before)
        migrate(NEWEST)
        self.assert_guarded()
        self.assert_proven()

    def test_merges_are_not_lost_by_going_back(self) -> None:
        self.check(self.entry())
        for table, column in ((CHECK, "to_merged_into"), (ENTRY, "from_merged_into")):
            # From the second one on from where the first had to stop.
            with as_owner():
                sql(f"UPDATE {table} SET {column} = '9902'")
            before = self.everything(RUNS)
            with self.assertRaisesRegex(IrreversibleError, "records that were merged"):
                migrate(RUNS)
            self.assertEqual(self.everything(RUNS), before)
            self.assertEqual(sql(f"SELECT {column} FROM {table}"), [("9902",)])
            if table == CHECK:
                with as_owner():
                    sql(f"UPDATE {table} SET {column} = ''")
        migrate(NEWEST)
        self.assertEqual(AssociationRequest.objects.get().from_merged_into, "9902")
        self.assert_guarded()
        seal()
        self.assert_proven()


@tag("long")
class ClientRequestIdsOfBeforeTests(MigrationTestCase):
    """The columns beside our own request ids."""

    def test_a_server_of_the_release_before_goes_on_writing(self) -> None:
        entry = self.entry()
        for kept in (entry, self.check(entry), self.export(), self.bulk_run()):
            model = model_at(RUNS, type(kept).__name__)
            new = model.objects.get(pk=kept.pk)
            new.pk, new._state.adding = None, True
            new.save(force_insert=True)
            self.assertEqual(type(kept).objects.get(pk=new.pk).client_request_id, "")

    def test_one_can_go_back_as_long_as_there_is_none(self) -> None:
        kept = [self.entry(), self.export(), self.check(self.entry())]
        tables = [type(row)._meta.db_table for row in kept]
        migrate(RUNS)
        migrate(NEWEST)
        for table in tables:
            with self.subTest(table):
                # From the second one on from where the first had to stop.
                with as_owner():
                    sql(f"UPDATE {table} SET client_request_id = 'trace-1'")
                with self.assertRaisesRegex(IrreversibleError, "request ids of clients"):
                    migrate(RUNS)
                told = sql(f"SELECT DISTINCT client_request_id FROM {table}")
                self.assertEqual(told, [("trace-1",)])
                with as_owner():
                    sql(f"UPDATE {table} SET client_request_id = ''")
        with as_owner():
            for table in tables:
                sql(f"UPDATE {table} SET client_request_id = 'trace-1'")
        migrate(NEWEST)
        for row in kept:
            row.refresh_from_db()
            self.assertEqual(row.client_request_id, "trace-1")
        self.assert_guarded()


@tag("long")
class EventsOfBeforeTests(MigrationTestCase):
    """Who did what with a run, from a table that anybody could change."""

    TOLD = (
        ("uploaded", True, "run_uploaded"),
        ("started", True, "run_started"),
        ("paused", True, "run_paused"),
        ("went_on", True, "run_resumed"),
        ("stopped", False, "run_stopped"),
        ("canceled", True, "run_canceled"),
        ("canceled", False, "run_ended"),
        ("done", False, "run_ended"),
        ("of another version", True, "run_of another version"),
    )

    def setUp(self) -> None:
        super().setUp()
        start_at(RUNS)
        write_as_before(self.user)
        who = {"user_id": self.user.pk, "user_name": self.user.name}
        made = {"name": "pairs.csv", "state": "ready", "created_at": timezone.now()}
        number = model_at(RUNS, "BulkRun").objects.create(**who, **made).pk
        self.run_ = BulkRun(pk=number)
        self.old = model_at(RUNS, "BulkEvent")
        for number, (what, by_somebody, _) in enumerate(self.TOLD):
            self.add(what, number, by_somebody)

    def add(self, what: str, number: int, by_somebody: bool) -> None:
        who = {"user_id": self.user.pk, "user_name": self.user.name} if by_somebody else {}
        at = LONG_AGO + timedelta(days=number)
        self.old.objects.create(run_id=self.run_.pk, what=what, at=at, **who)

    def test_all_is_copied_in_its_order_with_its_times_and_guarded(self) -> None:
        with mock.patch.object(MIGRATION, "AT_ONCE", 2):
            migrate(NEWEST)
        events = [*SecurityEvent.objects.order_by("pk")]
        told = [(e.what, e.user_id, e.user_name, e.run_id, e.at) for e in events]
        me = (self.user.pk, self.user.name)
        self.assertEqual(
            told,
            [
                (new, *(me if by_somebody else (None, "")), self.run_.pk, LONG_AGO + n * DAY)
                for n, (_, by_somebody, new) in enumerate(self.TOLD)
            ],
        )
        copied = [*self.old.objects.order_by("pk").values_list("pk", flat=True)]
        self.assertEqual([e.facts for e in events], [{"copied_from": pk} for pk in copied])
        self.assert_guarded()
        seal()
        self.assert_proven()

    def test_a_server_of_the_release_before_goes_on_and_runs_are_deleted_by_both(self) -> None:
        migrate(NEWEST)
        self.add("paused", 20, True)
        old_runs = model_at(RUNS, "BulkRun").objects
        other = old_runs.create(user_id=self.user.pk, name="x", created_at=LONG_AGO, state="ready")
        self.old.objects.create(run_id=other.pk, what="uploaded", at=LONG_AGO)
        old_runs.filter(pk=other.pk).delete()  # as the old server knows its events
        discard(run=self.run_)  # as this one does not know them
        with transaction.atomic():
            settle()
        self.assertFalse(BulkRun.objects.exists())
        self.assertEqual(SecurityEvent.objects.last().what, "run_discarded")

    def test_one_can_go_back_as_long_as_there_are_but_copies(self) -> None:
        migrate(NEWEST)
        before = values_of(self.old)
        migrate(RUNS)
        self.assertEqual(values_of(self.old), before)
        migrate(NEWEST)
        self.assertEqual(SecurityEvent.objects.count(), len(self.TOLD))
        BulkRun.objects.all().delete()  # it left events in the old table
        migrate(RUNS)
        self.assertEqual(values_of(self.old), [])
        migrate(NEWEST)
        record_event("signed_in", user=self.user)
        with self.assertRaisesRegex(IrreversibleError, "holds security events"):
            migrate(RUNS)
        self.assertEqual(SecurityEvent.objects.get().what, "signed_in")
        migrate(NEWEST)
        self.assert_guarded()
