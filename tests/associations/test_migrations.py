"""From the log of before to this one, back and forward again."""

import os
import time

from django.db import connection
from django.utils import timezone

from associations.models import AssociationAttempt, AssociationRequest, AuditSeal

from .audit.base import ENTRY, seal, sql
from .migrating import BEFORE, NEWEST, MigrationTestCase, migrate

ROWS = int(os.environ.get("MIGRATION_ROWS", "300"))
REASONS = ("SUP-{}", "Found while cleaning up duplicates", "Größe {} von “heute”", "")


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
