"""What has to wait for a later seal: gaps, open entries, and more than one seal takes."""

from datetime import timedelta
from unittest import mock

from django.db import connection, transaction
from django.test import skipUnlessDBFeature, tag
from django.test.utils import CaptureQueriesContext

from associations.audit.integrity import candidates, id_ranges, sealing
from associations.audit.integrity.manifest import Manifest, read
from associations.audit.integrity.sealing import LONGEST_TRANSACTION, waiting_for_a_seal
from associations.models import AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    LONG_AGO,
    LogTestCase,
    as_owner,
    give_up_to,
    items_of,
    on_postgresql,
    seal,
    sql,
)

SOON, LATER = LONGEST_TRANSACTION - timedelta(seconds=1), LONGEST_TRANSACTION * 2


def manifest_of_last() -> Manifest:
    return read(AuditSeal.objects.last().manifest)


class GapTests(LogTestCase):
    """A number without a row may be a transaction that has not ended."""

    def setUp(self) -> None:
        super().setUp()
        self.moment = LONG_AGO
        first = self.entry().pk
        self.gap, self.late = first + 1, first + 2
        give_up_to(self.late)
        self.entry(id=self.late, attempts=0)
        seal(at=LONG_AGO)

    def waiting(self) -> list[tuple[int, int]]:
        return manifest_of_last().coverage["entry"].waiting

    def seal_another(self, since: timedelta) -> None:
        self.moment = LONG_AGO + since
        number = AssociationRequest.objects.last().pk + 1
        give_up_to(number)
        self.entry(id=number, attempts=0)
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
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            lost = self.entry(attempts=0).pk
            raise ZeroDivisionError
        entry = self.entry(attempts=0)
        self.assertEqual(items_of(*seal(at=LONG_AGO + SOON)), [("entry", entry.pk)])
        self.assertIn((self.gap, self.gap), self.waiting())
        self.assertIn((lost, lost), self.waiting())
        self.seal_another(LATER)
        self.assertEqual(self.waiting(), [])

    def seal_those_below(self, number: int) -> str:
        """Honest ones that come after one that was chosen: each is sealed, only that one named."""
        for hours in range(1, 4):
            self.moment = LONG_AGO + LATER * hours
            fields = {} if on_postgresql() else {"id": self.late + hours}
            entry = self.entry(attempts=0, **fields)
            found = items_of(*seal(at=LONG_AGO + LATER * hours))
            self.assertEqual(found, [("entry", entry.pk)])
        said = self.assert_not_proven(f"Entry {number} has a number that somebody chose")
        self.assertEqual(said.count("Entry"), 1, said)
        return said

    def test_a_number_that_somebody_chose_far_ahead_takes_none_of_those_below(self) -> None:
        far = self.entry(id=10**14, attempts=0)
        # Where the database tells that it never gave it, it is in no seal at all.
        sealed = [] if on_postgresql() else [("entry", far.pk)]
        self.assertEqual(items_of(*seal(at=LONG_AGO + SOON)), sealed)
        said = self.seal_those_below(far.pk)
        self.assertIn(f"Proven up to seal {4 + len(sealed)}", said)

    @skipUnlessDBFeature("has_select_for_update")  # SQLite cannot tell
    def test_nor_does_one_that_is_but_a_little_ahead(self) -> None:
        """It was covered, and an hour later whoever got one below it was called inserted."""
        ahead = self.entry(id=self.late + 900_000, attempts=0)
        self.assertEqual(seal(at=LONG_AGO + SOON), [])
        self.seal_those_below(ahead.pk)

    @skipUnlessDBFeature("has_select_for_update")
    def test_numbers_that_somebody_used_up_are_nobody_elses_fault(self) -> None:
        number = self.late + candidates.LARGEST_GAP * 2
        sequence = f"pg_get_serial_sequence('{ENTRY}', 'id')"
        self.addCleanup(sql, f"SELECT setval({sequence}, {self.late})")  # no rollback takes it back
        give_up_to(number)
        entry = self.entry(attempts=0)
        self.assertEqual(items_of(*seal(at=LONG_AGO + SOON)), [("entry", entry.pk)])
        self.seal_another(LATER)
        self.assert_proven()


class UnreadableTests(LogTestCase):
    """What nobody can read keeps nothing else from being sealed."""

    def setUp(self) -> None:
        super().setUp()
        self.broken, self.good = self.entry(attempts=0), self.entry(attempts=0)
        with as_owner():
            value = "infinity" if on_postgresql() else "2026-13-01 00:00:00"
            sql(f"UPDATE {ENTRY} SET requested_at = %s WHERE id = %s", value, self.broken.pk)

    def test_it_waits_and_is_named_and_the_rest_is_sealed(self) -> None:
        with self.assertLogs("hubadmin.audit", "ERROR") as logs:
            (only,) = seal()
        self.assertEqual(items_of(only), [("entry", self.good.pk)])
        (told,) = logs.records
        self.assertEqual((told.kind, told.items, told.first), ("entry", 1, [self.broken.pk]))
        waiting = manifest_of_last().coverage["entry"].waiting
        self.assertTrue(id_ranges.contains(waiting, self.broken.pk))
        finding = f"1 row cannot be read, and so is in no seal: entry {self.broken.pk}."
        self.assertIn("Proven up to seal 1", self.assert_not_proven(finding))

    def test_it_alone_makes_no_seal_and_no_end(self) -> None:
        seal()
        with mock.patch.object(sealing, "ITEMS_PER_SEAL", 1):
            self.assertEqual(seal(), [])


@tag("long")
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

    def test_more_ranges_may_wait_than_a_database_takes_at_once(self) -> None:
        with mock.patch.object(sealing, "ITEMS_PER_SEAL", 10_000):
            template = self.entry(attempts=0)
            values = {f.attname: getattr(template, f.attname) for f in template._meta.fields[1:]}
            AssociationRequest.objects.bulk_create(
                AssociationRequest(**values | {"outcome": outcome})
                for _ in range(1_100)
                for outcome in ("linked", "sending")
            )
            self.assertEqual(len(items_of(*seal())), 1_101)
            self.assertEqual(seal(), [])
            self.assertEqual(waiting_for_a_seal(10), 0)
            self.close(AssociationRequest.objects.filter(outcome="sending").first())
            self.assertEqual(waiting_for_a_seal(10), 1)
            self.assertEqual(len(items_of(*seal())), 1)
            self.assert_proven()


@tag("long")
class RunTests(LogTestCase):
    """Entries of a run wait by the hundred thousand."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(candidates, "IDS_AT_ONCE", 50))
        self.enterContext(mock.patch.object(sealing, "ITEMS_PER_SEAL", 20))
        self.moment = LONG_AGO - LATER
        self.entry(attempts=0)
        seal(at=LONG_AGO - LATER)  # the numbers before are settled
        self.moment = LONG_AGO
        (template,) = self.entries_of(self.bulk_run(), 1)
        values = {f.attname: getattr(template, f.attname) for f in template._meta.fields[1:]}
        AssociationRequest.objects.bulk_create(
            AssociationRequest(**values | {"row_number": number}) for number in range(2, 401)
        )
        self.first, self.last = template.pk, AssociationRequest.objects.last().pk
        self.entry(attempts=0)
        seal(at=LONG_AGO)

    def waiting(self) -> list[tuple[int, int]]:
        return manifest_of_last().coverage["entry"].waiting

    def close_some(self, *numbers: int) -> list[int]:
        entries = AssociationRequest.objects.filter(pk__in=numbers)
        entries.update(outcome="linked", cause="confirmed", finished_at=self.clock())
        return [*numbers]

    def test_they_wait_as_one_range(self) -> None:
        self.assertIn((self.first, self.last), self.waiting())

    def test_they_are_counted_and_not_read(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(seal(), [])
        read = [q["sql"] for q in queries if "is_ready" in q["sql"] and ENTRY in q["sql"]]
        self.assertLessEqual(len(read), 1)  # of what is new

    def test_those_that_are_closed_are_found_among_them_wherever_they_stand(self) -> None:
        for numbers in (
            *([self.first], [self.last], [self.first + 49, self.first + 50]),
            [*range(self.first + 100, self.first + 230, 2)],
            [self.first + 99, self.last - 1, self.first + 101],
        ):
            closed = self.close_some(*numbers)
            self.assertEqual(waiting_for_a_seal(1_000), len(closed))
            made = seal(at=LONG_AGO)
            self.assertEqual(sorted(items_of(*made)), [("entry", pk) for pk in sorted(closed)])
            self.assertEqual(waiting_for_a_seal(1_000), 0)
        rest = AssociationRequest.objects.filter(outcome="queued").values_list("pk", flat=True)
        self.assertEqual(self.waiting(), id_ranges.of_ids(rest))
        self.assert_proven()

    def test_a_number_that_was_given_up_among_them_is_let_go_of(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {ENTRY} WHERE id = {self.first + 120}")
        self.close_some(self.first)
        seal(at=LONG_AGO + SOON)
        self.assertIn((self.first + 1, self.last), self.waiting())
        self.close_some(self.last)
        seal(at=LONG_AGO + LATER)
        parts = [(self.first + 1, self.first + 119), (self.first + 121, self.last - 1)]
        self.assertEqual(self.waiting(), parts)

    def test_what_is_not_looked_at_yet_waits_even_if_it_is_of_long_ago(self) -> None:
        self.moment = LONG_AGO + LATER
        self.close_some(*range(self.first, self.first + 30))
        seals = seal(at=LONG_AGO + LATER)
        self.assertEqual([len(items_of(each)) for each in seals], [20, 10])
        self.moment = LONG_AGO + LATER * 2
        self.close_some(*range(self.first + 30, self.last + 1))
        seals = seal(at=LONG_AGO + LATER * 2)
        self.assertEqual(len(items_of(*seals)), 370)
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
