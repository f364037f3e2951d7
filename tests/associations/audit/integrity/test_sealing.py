"""What goes into a seal and when, and what has to wait."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from associations.audit.integrity import signing
from associations.audit.integrity.manifest import NOTHING_BEFORE, head_of, read
from associations.audit.integrity.serialization import digest, each_line
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    LONG_AGO,
    SEAL,
    LogTestCase,
    items_of,
    refuse_rows_in,
    seal,
    sealed_and_closed,
    sql,
)


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
        line = dict(each_line("entry", [entry.pk]))[entry.pk]
        self.assertEqual(read(only.manifest).ids("entry"), {entry.pk: digest(line)})

    def test_late_attempts_checks_exports_and_prunings_are_items_of_their_own(self) -> None:
        entry = self.entry(attempts=2)
        late, check = self.late_attempt(entry), self.check(entry)
        export, pruning = self.export(), self.pruning()
        (only,) = seal()
        expected = [("entry", entry.pk), ("attempt", late.pk), ("check", check.pk)]
        expected += [("export", export.pk), ("pruning", pruning.pk)]
        self.assertEqual(items_of(only), expected)

    def test_what_comes_to_an_entry_sealed_long_ago_is_sealed(self) -> None:
        entry = self.entry()
        seal()
        late = self.late_attempt(entry)
        self.assertEqual(items_of(*seal()), [("attempt", late.pk)])
        check = self.check(entry)
        self.assertEqual(items_of(*seal()), [("check", check.pk)])

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
