"""Rows that are not of the time that they say, and those that only look so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import models
from django.test import tag
from django.utils import timezone

from associations.audit.integrity import chronology, sealing
from associations.audit.integrity.chain_verification import verify_newest
from associations.audit.integrity.serialization import KINDS
from associations.models import AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    LogTestCase,
    as_owner,
    before_there_were,
    clock_at,
    items_of,
    on_postgresql,
    seal,
    settle,
    skip_a_number,
    undone,
)
from tests.associations.audit.integrity.serving import ServingMixin, as_serving
from tests.support import SignedInClient

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TIMES = ("created_at", "sent_at", "finished_at", "verified_at")


class DatesTestCase(ServingMixin, LogTestCase):
    """A log that was sealed some days ago."""

    def setUp(self) -> None:
        super().setUp()
        self.now = timezone.now()
        self.sealed_at(self.now - DAY * 9)

    def sealed_at(self, moment: Any, *, write: Callable[[], object] | None = None) -> AuditSeal:
        """Something was closed and sealed then; of every kind, as far as there is one."""
        with self.at(moment):
            (write or self.some_of_each)()
            *_, made = seal(at=moment)
        settle()
        return made

    def some_of_each(self) -> None:
        entry = self.entry()
        self.late_attempt(entry), self.check(entry), self.export()
        self.batch(self.bulk_run()), self.verification()

    def seal_now(self) -> list[AuditSeal]:
        made = seal()
        settle()
        return made


class OpenTests(DatesTestCase):
    """What is open is in no seal yet; but nothing has begun in the future."""

    def test_what_began_in_the_future_is_named_while_it_is_open(self) -> None:
        entry, export = self.open_entry(), self.export(finished_at=None)
        self.seal_now()
        self.assert_proven()
        with as_owner():
            for row, column in ((entry, "created_at"), (export, "started_at")):
                later = {column: self.now + DAY * 30}
                type(row).objects.filter(pk=row.pk).update(**later)
        settle()
        self.assert_not_proven(f"Entry {entry.pk} was dated ahead")
        self.assert_not_proven(f"Export {export.pk} was dated ahead")


@tag("long")
class ForgedDatesTests(DatesTestCase):
    """It was last sealed two hours ago."""

    def setUp(self) -> None:
        super().setUp()
        self.sealed_at(self.now - DAY * 2)
        self.last = self.sealed_at(self.now - HOUR * 2)

    def assert_named(self, name: str, row: models.Model, what: str = "dated back") -> None:
        with self.assertLogs("hubadmin.audit", "ERROR") as logs:
            self.seal_now()
        self.assertIn(f"{name} {row.pk} was {what}", "\n".join(logs.records[0].first))
        said = self.assert_not_proven(f"{name} {row.pk} was {what}")
        self.assertIn("Proven up to seal", said)

    def forge(self, moment: Any, make: Callable[[], models.Model]) -> models.Model:
        with as_serving(), self.at(moment):
            return make()

    def makes(self) -> dict[str, tuple[str, Callable[[], models.Model]]]:
        entry, run = AssociationRequest.objects.last(), self.bulk_run()
        return {
            "entry": ("Entry", self.entry),
            "attempt": ("Attempt", lambda: self.late_attempt(entry, number=7)),
            "check": ("Check", lambda: self.check(entry)),
            "batch": ("Batch", lambda: self.batch(run)),
            "export": ("Export", self.export),
            "verification": ("Verification", self.verification),
            "pruning": ("Pruning", lambda: self.pruning(is_signed=True, pruned_at=self.clock())),
        }

    def test_a_row_of_any_kind_inserted_today_and_dated_long_ago(self) -> None:
        self.sealed_at(self.now - HOUR * 2, write=lambda: self.pruning(pruned_at=self.clock()))
        for kind, (name, make) in self.makes().items():
            with self.subTest(kind), undone():
                self.assert_named(name, self.forge(self.now - DAY * 250, make))

    def test_or_in_the_future(self) -> None:
        for kind, (name, make) in self.makes().items():
            with self.subTest(kind), undone():
                row = self.forge(self.now + DAY * 400, make)
                self.assert_named(name, row, "dated ahead")

    def test_each_time_of_an_entry_counts(self) -> None:
        for column in TIMES:
            for moment, what in (
                (self.now - HOUR * 4, "dated back"),
                (self.now + HOUR * 4, "dated ahead"),
            ):
                with self.subTest(column, what=what), undone():
                    with as_serving():
                        entry = self.entry(**{column: moment})
                    self.assert_named("Entry", entry, what)

    def test_an_attempt_within_an_entry(self) -> None:
        for moment, what in (
            (self.now - DAY, "dated back"),
            (self.now + DAY, "dated ahead"),
        ):
            with as_serving():
                entry = self.entry(attempts=0)
                row = self.attempt(entry, started_at=moment)
            self.assert_named("Attempt", row, what)

    def test_one_that_was_open_when_it_was_first_seen(self) -> None:
        with as_serving():
            entry = self.open_entry(created_at=self.now - DAY * 100)
        with self.assertLogs("hubadmin.audit", "ERROR"):
            self.entry(), self.seal_now()
        with as_serving():
            self.close(entry)
        self.seal_now()
        self.assert_not_proven(f"Entry {entry.pk} was dated back")

    def test_one_that_was_open_and_is_closed_as_if_it_had_been_long_ago(self) -> None:
        entry = self.open_entry()
        self.entry(), self.seal_now()
        with as_serving():
            AssociationRequest.objects.filter(pk=entry.pk).update(
                outcome="linked", cause="confirmed", finished_at=self.now - DAY * 3
            )
        self.assert_named("Entry", entry)

    def test_one_that_is_closed_without_saying_when(self) -> None:
        with as_serving():
            entry = self.entry(finished_at=None)
        self.assert_named("Entry", entry, "closed without a time")

    def test_a_number_far_ahead_is_named_as_it_would_hide_those_below(self) -> None:
        with as_serving():
            far = self.entry(id=10**12, attempts=0)
        if on_postgresql():  # which tells that it never gave it: no seal covers it
            self.seal_now()
        else:
            with self.assertLogs("hubadmin.audit", "ERROR"):
                self.seal_now()
        self.assert_not_proven(f"Entry {far.pk} has a number that somebody chose")
        with as_serving():
            entry = self.entry(finished_at=self.now - DAY * 30)
        self.assert_named("Entry", entry)

    def test_the_first_few_are_named_and_all_are_counted(self) -> None:
        with as_serving():
            rows = [self.entry(created_at=self.now - DAY) for _ in range(8)]
        with self.assertLogs("hubadmin.audit", "ERROR"):
            self.seal_now()
        said = self.assert_not_proven(f"Entry {rows[0].pk} was dated back")
        self.assertIn("And 3 more like these.", said)
        self.assertIn("Proven up to seal 4", said)

    def test_whoever_goes_on_after_a_head_and_whoever_looks_at_the_page_is_told(self) -> None:
        with as_serving():
            entry = self.entry(created_at=self.now - DAY)
        with self.assertLogs("hubadmin.audit", "ERROR"):
            self.seal_now()
        self.assert_not_proven(f"Entry {entry.pk} was dated back", "--after", self.last.head)
        for items in (1, 5_000):
            found = verify_newest(at_least=items).report.findings
            self.assertIn(f"Entry {entry.pk} was dated back", found[0])
        page = SignedInClient(self.user).get("/audit/integrity/")
        self.assertContains(page, "is not what it says that it is")
        self.assertContains(page, f"Entry {entry.pk} was dated back")


@tag("long")
class TrueDatesTests(DatesTestCase):
    """What is late, and nobody's lie."""

    def assert_well(self) -> None:
        with self.assertNoLogs("hubadmin.audit", "ERROR"):
            self.seal_now()
        self.assert_proven()

    def test_all_of_it(self) -> None:
        self.some_of_each()
        self.assert_well()

    def test_a_sealer_that_was_away_for_days(self) -> None:
        for hours in range(100, 0, -24):
            with self.at(self.now - HOUR * hours):
                self.some_of_each()
        self.assert_well()

    def test_seals_that_were_full(self) -> None:
        """What was closed days ago waits for a seal that has room."""
        self.enterContext(mock.patch.object(sealing, "ITEMS_PER_SEAL", 2))
        self.enterContext(mock.patch.object(chronology, "ITEMS_PER_SEAL", 2))
        with self.at(self.now - DAY * 2):
            for _ in range(9):
                self.entry()
        with self.assertNoLogs("hubadmin.audit", "ERROR"):
            for hours in (47, 20, 3):
                with clock_at(self.now - HOUR * hours):
                    self.assertEqual(len(items_of(next(sealing.seal_log()))), 2)
        self.assert_well()

    def test_an_entry_that_was_open_for_days(self) -> None:
        with self.at(self.now - DAY * 2):
            waiting = self.open_entry()
        self.sealed_at(self.now - DAY)
        self.sealed_at(self.now - HOUR * 2)
        self.close(waiting)
        self.assert_well()

    def test_a_transaction_that_took_an_hour(self) -> None:
        gap = skip_a_number(ENTRY)
        self.sealed_at(self.now - MINUTE * 2)
        with self.at(self.now - MINUTE * 59):
            self.entry(id=gap, attempts=0)
        self.assert_well()

    def test_clocks_that_differ_a_little(self) -> None:
        for minutes in (-20, 20):
            self.sealed_at(self.now - MINUTE)
            with self.at(self.now + MINUTE * minutes):
                self.some_of_each()
            self.seal_now()
        self.assert_well()

    def test_a_sealer_whose_clock_was_ahead_for_once(self) -> None:
        with self.at(self.now):
            self.entry()
            seal(at=self.now + DAY)
        self.some_of_each()
        self.assert_well()

    def test_a_call_that_was_interrupted_days_ago_and_is_told_by_who_takes_up_the_run(self) -> None:
        entry = self.open_entry()
        told = {"started_at": self.now - DAY * 5, "failure": "interrupted", "http_status": None}
        self.attempt(entry, **told)
        self.batch(self.bulk_run(), **told, cause="interrupted")
        self.close(entry)
        self.assert_well()

    def test_an_export_that_runs_for_hours_and_one_that_a_crash_left(self) -> None:
        with self.at(self.now - HOUR * 3):
            running, _ = (
                self.export(state="running", finished_at=None, rows=None) for _ in range(2)
            )
        self.sealed_at(self.now - HOUR * 2)
        type(running).objects.filter(pk=running.pk).update(state="complete", finished_at=self.now)
        self.assert_well()

    def test_a_kind_that_comes_up_later(self) -> None:
        with as_owner():
            AuditSeal.objects.all().delete()
        for kind in KINDS:
            with self.subTest(kind), undone():
                with before_there_were(kind):
                    for days in (3, 2):
                        self.sealed_at(self.now - DAY * days)
                self.assert_well()

    def test_a_sealer_of_the_release_before_in_between(self) -> None:
        """It knows nothing of the newest kind, so that the next one seals that once more."""
        with before_there_were("check"):
            self.sealed_at(self.now - HOUR)
        self.assert_well()

    def test_a_log_that_was_never_sealed_before(self) -> None:
        with as_owner():
            AuditSeal.objects.all().delete()
        self.assert_well()

    def test_what_is_looked_back_at_is_bounded(self) -> None:
        self.enterContext(mock.patch.object(chronology, "ITEMS_PER_SEAL", 1))
        self.enterContext(mock.patch.object(chronology, "LOOKED_BACK", 1))
        self.assert_well()


class KindTests(LogTestCase):
    def test_each_has_its_times(self) -> None:
        self.assertEqual({*chronology.TIMES}, {*KINDS})
        for kind, columns in chronology.TIMES.items():
            names = {field.attname for field in KINDS[kind]._meta.concrete_fields}
            self.assertLessEqual({*columns}, names)
