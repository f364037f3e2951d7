"""A batch goes with the last entry that names it; the entries never without what they name."""

from datetime import timedelta

from associations.audit.integrity import archive, pruning
from associations.models import AssociationBatch, AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import LONG_AGO, items_of, seal, settle
from tests.associations.audit.integrity.pruned import PruningTestCase

DAY, LATER = timedelta(days=1), timedelta(days=31)


class BatchPruningTests(PruningTestCase):
    """All that is old has gone, and two batches are in no seal yet."""

    def setUp(self) -> None:
        super().setUp()
        self.assert_pruned("before.jsonl", now=AuditSeal.objects.last().sealed_at + LATER)
        self.batches = [self.batch(self.bulk_run()) for _ in range(2)]
        self.start = AuditSeal.objects.last().sealed_at + DAY

    def seal_after(self, days: int) -> AuditSeal:
        (made,) = seal(at=self.start + DAY * days)
        settle()
        return made

    def last_before(self, days: int) -> AuditSeal:
        return pruning.last_seal_before(self.start + DAY * days)

    def test_it_goes_with_its_entries_and_the_archive_holds_both(self) -> None:
        entries = self.closed_by(self.batches[0], 2) + self.closed_by(self.batches[1], 1)
        sealed = self.seal_after(0)
        with self.at(self.start + DAY):
            self.entry()
        self.seal_after(1)
        said = self.assert_pruned(now=self.start + LATER)
        self.assertIn("items taken out", said)
        self.assertFalse(AssociationBatch.objects.exists())
        self.assertFalse(AssociationRequest.objects.filter(run__isnull=False).exists())
        expected = {("batch", each.pk) for each in self.batches}
        expected |= {("entry", each.pk) for each in entries}
        self.assertLessEqual(expected, {*items_of(sealed)})
        archive.verify_archive(self.file)
        self.assert_proven()

    def test_it_stays_while_an_entry_that_names_it_is_in_a_later_seal(self) -> None:
        self.entry()
        before = self.seal_after(0)
        self.closed_by(self.batches[0], 1)
        self.seal_after(1)
        self.closed_by(self.batches[0], 1)
        after = self.seal_after(20)
        self.assertEqual(self.last_before(10).number, before.number - 1)
        self.assertEqual(self.last_before(21), after)

    def test_it_stays_while_an_open_entry_names_it(self) -> None:
        (waiting,) = self.entries_of(self.batches[0].run, 1, batch=self.batches[0])
        self.entry()
        held_back = self.seal_after(0)
        self.entry()
        self.seal_after(1)
        self.assertEqual(self.last_before(10).number, held_back.number - 1)
        self.close(waiting)
        after = self.seal_after(2)
        self.assertEqual(self.last_before(10), after)

    def test_one_that_no_entry_names_holds_nothing_back(self) -> None:
        self.entry()
        sealed = self.seal_after(0)
        self.assertIn(("batch", self.batches[1].pk), items_of(sealed))
        self.entry()
        self.seal_after(20)
        self.assertEqual(self.last_before(10), sealed)


class FarTests(PruningTestCase):
    def test_those_of_the_part_that_stays_hold_nothing_back(self) -> None:
        self.closed_by(self.batch(self.bulk_run()), 2)
        seal(), settle()
        self.assertEqual(pruning.last_seal_before(LONG_AGO + DAY * 10).number, 3)
        self.assert_pruned()
        self.assertEqual(AssociationBatch.objects.count(), 1)
        self.assert_proven()
