"""What goes into a seal and when, and what has to wait."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import IntegrityError, connection, transaction
from django.test import override_settings, skipUnlessDBFeature
from django.test.utils import CaptureQueriesContext

from associations.audit import sealing, signing
from associations.audit.canonical import digest, lines_of
from associations.audit.manifest import NOTHING_BEFORE, Manifest, head_of, read
from associations.audit.sealing import LONGEST_TRANSACTION, waiting_for_a_seal
from associations.models import AssociationRequest, AuditSeal

from .base import (
    ENTRY,
    LONG_AGO,
    SEAL,
    LogTestCase,
    items_of,
    refuse_rows_in,
    seal,
    sealed_and_closed,
    sql,
)

SOON, LATER = LONGEST_TRANSACTION - timedelta(seconds=1), LONGEST_TRANSACTION * 2


def manifest_of_last() -> Manifest:
    return read(AuditSeal.objects.last().manifest)


class SealingTests(LogTestCase):
    def test_a_closed_entry_is_sealed_and_an_open_one_waits(self) -> None:
        closed, still_open = self.entry(), self.open_entry()
        (first,) = seal()
        self.assertEqual(items_of(first), [("entry", closed.pk)])
        waiting = read(first.manifest).coverage["entry"].waiting
        self.assertIn((still_open.pk, still_open.pk), waiting)

    def test_one_that_is_closed_late_goes_into_a_later_seal(self) -> None:
        late, early = self.open_entry(), self.entry()
        (first,) = seal()
        self.close(late)
        (second,) = seal()
        self.assertEqual(items_of(first, second), [("entry", early.pk), ("entry", late.pk)])
        self.assertNotIn((late.pk, late.pk), read(second.manifest).coverage["entry"].waiting)

    def test_an_item_is_held_by_the_digest_of_its_line(self) -> None:
        entry = self.entry(attempts=2)
        (only,) = seal()
        line = lines_of("entry", [entry.pk])[entry.pk]
        self.assertEqual(read(only.manifest).ids("entry"), {entry.pk: digest(line)})

    def test_late_attempts_exports_and_prunings_are_items_of_their_own(self) -> None:
        entry = self.entry(attempts=2)
        late, export, pruning = self.late_attempt(entry), self.export(), self.pruning()
        (only,) = seal()
        expected = [("entry", entry.pk), ("attempt", late.pk)]
        expected += [("export", export.pk), ("pruning", pruning.pk)]
        self.assertEqual(items_of(only), expected)

    def test_a_late_attempt_of_an_entry_sealed_long_ago_is_sealed(self) -> None:
        entry = self.entry()
        seal()
        late = self.late_attempt(entry)
        self.assertEqual(items_of(*seal()), [("attempt", late.pk)])

    def test_a_running_export_waits(self) -> None:
        export = self.export(state="running", finished_at=None)
        self.entry()
        self.assertNotIn(("export", export.pk), items_of(*seal()))
        sql("UPDATE associations_auditexport SET finished_at = started_at")
        self.assertEqual(items_of(*seal()), [("export", export.pk)])

    def test_nothing_to_seal_makes_no_seal(self) -> None:
        self.assertEqual(seal(), [])
        self.open_entry()
        self.assertEqual(seal(), [])
        self.entry()
        self.assertEqual(len(seal()), 1)
        self.assertEqual(seal(), [])

    def test_the_seals_are_a_chain_signed_with_the_own_key(self) -> None:
        self.sealed_log(3)
        previous = NOTHING_BEFORE
        for number, each in enumerate(AuditSeal.objects.all(), 1):
            manifest = read(each.manifest)
            found = (manifest.number, manifest.previous, manifest.sealed_at, manifest.key_id)
            own = signing.own_key()
            self.assertEqual(found, (number, previous, each.sealed_at, own.id))
            self.assertEqual((each.number, each.head), (number, head_of(each.manifest)))
            self.assertTrue(own.signed(each.head, each.signature))
            previous = each.head

    def test_a_number_is_taken_once(self) -> None:
        (first,) = self.sealed_log(1)
        with self.assertRaises(IntegrityError), transaction.atomic():
            AuditSeal.objects.create(number=1, sealed_at=LONG_AGO, manifest="", head="x")
        self.assertEqual(AuditSeal.objects.get(), first)

    def test_the_slower_of_two_goes_on_from_where_the_other_came_to(self) -> None:
        """Just before it writes its seal another one takes the number; then something is closed."""
        self.entry()
        others = []

        def overtake(execute: Callable, statement: str, *more: Any) -> Any:
            if statement.startswith("SAVEPOINT") and not others:
                others.append(None)
                others[:] = seal()
                self.entry()
            return execute(statement, *more)

        with connection.execute_wrapper(overtake):
            own = seal()
        self.assertEqual([each.number for each in (*others, *own)], [1, 2])
        self.assertEqual(*sealed_and_closed())

    def test_the_entries_are_not_touched(self) -> None:
        self.entry(), self.open_entry(), self.late_attempt(self.entry())
        with CaptureQueriesContext(connection) as queries:
            seal()
        written = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
        self.assertEqual(len(written), 1)
        self.assertIn("associations_auditseal", written[0])

    def test_the_log_tells_number_and_head_once_it_is_committed(self) -> None:
        self.entry()
        with self.assertNoLogs("hubadmin.audit"), self.captureOnCommitCallbacks() as callbacks:
            (only,) = seal()
        with self.assertLogs("hubadmin.audit", "INFO") as logs:
            for callback in callbacks:
                callback()
        (record,) = logs.records
        told = (record.getMessage(), record.seal, record.head, record.key, record.items)
        key = signing.own_key().id
        self.assertEqual(told, ("audit log sealed", only.number, only.head, key, 1))

    def test_a_refusal_that_stays_is_not_tried_for_ever(self) -> None:
        """A number that was taken meanwhile is tried again, with the next one; all else is not."""
        self.entry()
        refuse_rows_in(SEAL, "no", integrity=True)
        tries = []

        def count(execute: Callable, statement: str, *more: Any) -> Any:
            if statement.startswith("INSERT"):
                tries.append(statement)
                self.assertLess(len(tries), 10)
            return execute(statement, *more)

        with connection.execute_wrapper(count), self.assertRaises(IntegrityError):
            seal()

    @override_settings(AUDIT_SIGNING_KEY="")
    def test_without_a_key_nothing_is_sealed(self) -> None:
        self.entry()
        with self.assertRaises(signing.SigningKeyError):
            seal()
        self.assertFalse(AuditSeal.objects.exists())


class GapTests(LogTestCase):
    """A number without a row may be a transaction that has not ended."""

    def setUp(self) -> None:
        super().setUp()
        first = self.entry().pk
        self.gap, self.late = first + 1, first + 2
        self.entry(id=self.late, attempts=0)
        seal(at=LONG_AGO)

    def waiting(self) -> list[tuple[int, int]]:
        return manifest_of_last().coverage["entry"].waiting

    def seal_another(self, since: timedelta) -> None:
        self.entry(id=AssociationRequest.objects.last().pk + 1, attempts=0)
        seal(at=LONG_AGO + since)

    def test_it_waits(self) -> None:
        self.assertIn((self.gap, self.gap), self.waiting())
        self.seal_another(SOON)
        self.assertIn((self.gap, self.gap), self.waiting())

    def test_one_that_comes_meanwhile_is_sealed(self) -> None:
        entry = self.entry(id=self.gap, attempts=0)
        self.assertEqual(items_of(*seal(at=LONG_AGO + SOON)), [("entry", entry.pk)])
        self.assertNotIn((self.gap, self.gap), self.waiting())
        self.assert_proven()

    def test_it_is_given_up_once_no_transaction_can_be_as_old(self) -> None:
        self.seal_another(LATER)
        self.assertEqual(self.waiting(), [])
        self.entry(id=self.gap, attempts=0)
        self.assertEqual(seal(at=LONG_AGO + LATER), [])
        self.assert_not_proven(f"Entry {self.gap} was inserted: seal 2 covers its number")

    def test_an_open_entry_is_never_given_up(self) -> None:
        entry = self.open_entry(id=self.gap)
        for hours in range(1, 4):
            self.seal_another(LATER * hours)
            self.assertEqual(self.waiting(), [(entry.pk, entry.pk)])
        self.close(entry)
        self.assertEqual(items_of(*seal(at=LONG_AGO + LATER * 4)), [("entry", entry.pk)])

    @skipUnlessDBFeature("has_select_for_update")  # SQLite gives the number to the next
    def test_an_insert_that_was_rolled_back_leaves_one(self) -> None:
        sql(f"SELECT setval(pg_get_serial_sequence('{ENTRY}', 'id'), {self.late})")
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            lost = self.entry(attempts=0).pk
            raise ZeroDivisionError
        entry = self.entry(attempts=0)
        self.assertEqual(items_of(*seal(at=LONG_AGO + SOON)), [("entry", entry.pk)])
        self.assertIn((self.gap, self.gap), self.waiting())
        self.assertIn((lost, lost), self.waiting())
        self.seal_another(LATER)
        self.assertEqual(self.waiting(), [])


class AmountTests(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(sealing, "ITEMS_PER_SEAL", 2))

    def test_no_seal_has_more_of_a_kind_than_it_may(self) -> None:
        entries = [self.entry() for _ in range(5)]
        late = [self.late_attempt(entry) for entry in entries[:3]]
        found = [items_of(each) for each in seal()]
        sealed = sorted(item for items in found for item in items)
        expected = [("attempt", row.pk) for row in late] + [("entry", row.pk) for row in entries]
        self.assertEqual(sealed, sorted(expected))
        for items in found:
            for kind in ("entry", "attempt"):
                self.assertLessEqual(sum(kind == each for each, _ in items), 2)
        self.assert_proven()

    def test_many_that_were_closed_late_are_spread_as_well(self) -> None:
        entries = [self.open_entry() for _ in range(5)]
        self.entry()
        seal()
        for entry in entries:
            self.close(entry)
        counts = [len(items_of(each)) for each in seal()]
        self.assertEqual(counts, [2, 2, 1])
        self.assert_proven()

    def test_open_ones_in_front_do_not_hold_up_the_rest(self) -> None:
        for _ in range(5):
            self.open_entry()
        entry = self.entry()
        self.assertEqual(items_of(*seal()), [("entry", entry.pk)])

    def test_hundreds_of_ranges_may_wait(self) -> None:
        with mock.patch.object(sealing, "ITEMS_PER_SEAL", 2_000):
            template = self.entry(attempts=0)
            values = {f.attname: getattr(template, f.attname) for f in template._meta.fields[1:]}
            AssociationRequest.objects.bulk_create(
                AssociationRequest(**values | {"outcome": outcome})
                for _ in range(450)
                for outcome in ("linked", "sending")
            )
            self.assertEqual(len(items_of(*seal())), 451)
            self.assertEqual(seal(), [])
            self.assertEqual(waiting_for_a_seal(10), 0)
            self.close(AssociationRequest.objects.filter(outcome="sending").first())
            self.assertEqual(waiting_for_a_seal(10), 1)
            self.assertEqual(len(items_of(*seal())), 1)
            self.assert_proven()


class WaitingTests(LogTestCase):
    def test_closed_entries_in_no_seal_are_counted_no_further_than_asked(self) -> None:
        late = self.open_entry()
        self.assertEqual(waiting_for_a_seal(10), 0)
        for _ in range(3):
            self.entry()
        self.assertEqual(waiting_for_a_seal(10), 3)
        self.assertEqual(waiting_for_a_seal(2), 2)
        seal()
        self.assertEqual(waiting_for_a_seal(10), 0)
        self.close(late)
        self.entry()
        self.assertEqual(waiting_for_a_seal(10), 2)
