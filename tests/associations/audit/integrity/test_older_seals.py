"""Seals of versions that knew no checks, batches or events: they hold; all are sealed since."""

from associations.audit.integrity.manifest import read
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    BATCH,
    CHECK,
    EVENT,
    LONG_AGO,
    as_owner,
    before_there_were,
    items_of,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.pruned import PruningTestCase
from tests.associations.audit.integrity.test_independent import AuditorMixin


class OlderSealTests(AuditorMixin, PruningTestCase):
    def setUp(self) -> None:
        with before_there_were("check"):
            super().setUp()
        self.older = [*AuditSeal.objects.all()]

    def test_they_knew_none(self) -> None:
        for each in self.older:
            self.assertNotIn("check", each.manifest)
            self.assertEqual(read(each.manifest).coverage["check"].high, 0)

    def test_they_are_proven_and_what_there_was_already_is_sealed_next(self) -> None:
        self.assert_proven()
        (next_seal,) = seal()
        # and that it was proven just now
        (kind, pk), (other, _) = items_of(next_seal)
        self.assertEqual((kind, next_seal.number), ("check", self.older[-1].number + 1))
        self.assertEqual(other, "verification")
        settle()
        self.assert_proven()
        with as_owner():
            sql(f"DELETE FROM {CHECK}")
        self.assert_not_proven(f"Check {pk} was removed")

    def test_an_auditor_proves_them_with_the_newer_ones(self) -> None:
        export, seals = self.exported(), self.seals_file()
        self.assertIn("check 1: in no seal", self.numbered(self.assert_proves(export, seals)))
        seal(), settle()
        export, seals = self.exported(), self.seals_file()
        self.assertIn("check 1: proven", self.numbered(self.assert_proves(export, seals)))

    def numbered(self, said: list[str]) -> str:
        """What was said, the first check as number 1."""
        first = sql(f"SELECT min(id) FROM {CHECK}")[0][0]
        return "\n".join(said).replace(f"check {first}:", "check 1:")

    def test_they_are_pruned_with_the_checks_of_what_they_held(self) -> None:
        seal(at=LONG_AGO), settle()
        self.entry(), seal(), settle()
        self.assert_pruned()
        self.assertEqual(sql(f"SELECT count(*) FROM {CHECK}"), [(0,)])
        self.assert_proven()
        self.assert_proves(self.file, "--complete")


class BeforeBatchesTests(AuditorMixin, PruningTestCase):
    def setUp(self) -> None:
        with before_there_were("batch"):
            super().setUp()
        self.older = [*AuditSeal.objects.all()]

    def test_they_knew_none(self) -> None:
        for each in self.older:
            self.assertNotIn("batch", each.manifest)
            self.assertEqual(read(each.manifest).coverage["batch"].high, 0)

    def test_they_are_proven_with_newer_ones_that_hold_batches(self) -> None:
        self.assert_proven()
        batch = self.batch(self.bulk_run())
        (next_seal,) = seal()
        self.assertEqual(items_of(next_seal)[0], ("batch", batch.pk))
        entries = self.closed_by(batch, 2)
        seal(), settle()
        self.assert_proven()
        said = self.assert_proves(self.exported(), self.seals_file())
        names = [f"batch {batch.pk}", *(f"entry {entry.pk}" for entry in entries)]
        self.assertLessEqual({f"{name}: proven" for name in names}, {*said})
        with as_owner():
            sql(f"UPDATE {BATCH} SET body = ''")
        self.assert_not_proven(f"Batch {batch.pk} was altered")

    def test_they_are_pruned_as_before(self) -> None:
        self.assert_pruned()
        self.assert_proven()


class BeforeEventsTests(AuditorMixin, PruningTestCase):
    def setUp(self) -> None:
        with before_there_were("event"):
            super().setUp()
        self.older = [*AuditSeal.objects.all()]

    def test_they_are_proven_and_what_was_copied_is_sealed_next(self) -> None:
        for each in self.older:
            self.assertNotIn("event", each.manifest)
        copied = [self.event(at=LONG_AGO, facts={"copied_from": n}).pk for n in (1, 2)]
        self.assert_proven()
        (next_seal,) = seal()
        events = [("event", pk) for pk in copied]
        self.assertEqual(items_of(next_seal)[:-1], events)  # the last one is the verification
        settle()
        self.assert_proven()
        with as_owner():
            sql(f"UPDATE {EVENT} SET what = 'run_started' WHERE id = {copied[0]}")
        self.assert_not_proven(f"Security event {copied[0]} was altered")
        with as_owner():
            sql(f"DELETE FROM {EVENT} WHERE id = {copied[0]}")
        self.assert_not_proven(f"Security event {copied[0]} was removed")

    def test_an_auditor_proves_a_copy_of_the_events(self) -> None:
        event = self.event()
        seal(), settle()
        events = self.saved("/audit/events.jsonl", "events.jsonl")
        seals = self.seals_file()
        self.assertIn(f"event {event.pk}: proven", self.assert_proves(events, seals))
        self.change(events, "signed_in", "signed_on")
        self.assert_refuses(f"event {event.pk} was altered", events, seals)

    def test_they_are_pruned_as_before_and_events_with_the_seal_they_are_in(self) -> None:
        event = self.event()
        seal(at=LONG_AGO), settle()
        self.entry(), seal(), settle()
        self.assert_pruned()
        self.assertEqual(sql(f"SELECT count(*) FROM {EVENT} WHERE id = {event.pk}"), [(0,)])
        self.assert_proven()
        self.assert_proves(self.file, "--complete")
