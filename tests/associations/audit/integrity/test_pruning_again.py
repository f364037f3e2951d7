"""Pruning once more, and what keeps a part of the log from going."""

import json
from datetime import timedelta
from itertools import pairwise

from django.db.models import Model
from django.utils import timezone

from associations.audit.integrity import archive, pruning, sealing
from associations.audit.integrity.manifest import read
from associations.audit.integrity.serialization import KINDS
from associations.models import (
    AssociationAttempt,
    AssociationCheck,
    AssociationRequest,
    AuditPruning,
    AuditSeal,
)
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    CHECK,
    ENTRY,
    LONG_AGO,
    SEAL,
    as_owner,
    clock_at,
    items_of,
    seal,
    settle,
    skip_a_number,
    sql,
)
from tests.associations.audit.integrity.pruned import PruningTestCase

DAY, MONTH = timedelta(days=1), timedelta(days=31)


class AgainTests(PruningTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.assert_pruned("first.jsonl")
        self.later = timezone.now() + MONTH

    def test_it_goes_on_where_the_last_one_ended(self) -> None:
        self.assert_pruned("second.jsonl", now=self.later)
        self.assertEqual(archive.verify_archive(self.folder / "second.jsonl"), (2, 2))
        self.assertEqual(AuditSeal.objects.first().number, 5)
        said = self.assert_proven()
        self.assertIn("What seals 1 to 5 held was archived and taken out.", said)

    def test_the_archives_are_one_chain(self) -> None:
        self.assert_pruned("second.jsonl", now=self.later)
        text = "".join((self.folder / f"{name}.jsonl").read_text() for name in ("first", "second"))
        lines = [json.loads(line) for line in text.splitlines()]
        seals = [line for line in lines if line["kind"] == "seal"]
        self.assertEqual([each["number"] for each in seals], [1, 2, 3, 4, 5])
        for before, each in pairwise(seals):
            self.assertIn(f"previous {before['head']}\n", each["manifest"])
        self.assertIn("pruning", {line["kind"] for line in lines})

    def test_as_long_as_nothing_more_is_old_enough_nothing_goes(self) -> None:
        self.assertIn("Nothing to prune.", self.prune(name="second.jsonl")[1])

    def test_and_again_and_again(self) -> None:
        for month in range(2, 6):
            self.entry()
            seal(), settle()
            self.assert_pruned(f"{month}.jsonl", now=timezone.now() + MONTH * month)
            self.assert_proven()
        self.assertEqual(AuditPruning.objects.count(), 1)

    def test_a_dry_run_tells_how_much_then_goes(self) -> None:
        _, said = self.prune("--dry-run", name="second.jsonl", now=self.later)
        self.assertIn("about 2 items", said)

    def test_the_row_of_one_accounts_for_no_more_than_it_took_out(self) -> None:
        with as_owner():
            entries = [pk for kind, pk in items_of(self.seals[3]) if kind == "entry"]
            AssociationAttempt.objects.filter(request__in=entries).delete()
            AssociationRequest.objects.filter(pk__in=entries).delete()
            sql(f"DELETE FROM {SEAL} WHERE number = 3")
        self.assert_not_proven("Seals 1 to 3 were removed: no sealed pruning accounts for them")


class HeldBackMixin:
    """What came to an entry after it had been sealed keeps it from going."""

    kind = ""

    def later(self, entry: AssociationRequest, **fields: int) -> Model:
        raise NotImplementedError

    def test_an_entry_stays_until_that_may_go_as_well(self) -> None:
        held = AssociationRequest.objects.get(reason="SUP-2")
        later = self.later(held)
        for is_sealed in (False, True):
            with self.subTest(is_sealed=is_sealed):
                self.assert_held_back_to(2)
            seal(), settle()
        self.assert_pruned()
        self.assert_there(True, held, later)
        self.assert_proven()
        self.assert_pruned("second.jsonl", now=timezone.now() + MONTH)
        self.assert_there(False, held, later)
        self.assert_proven()
        lines = map(json.loads, (self.folder / "second.jsonl").read_text().splitlines())
        told = [(line["kind"], line.get("id")) for line in lines]
        self.assertLess(told.index(("entry", held.pk)), told.index((self.kind, later.pk)))

    def assert_there(self, is_there: bool, *rows: Model) -> None:
        for row in rows:
            self.assertEqual(type(row).objects.filter(pk=row.pk).exists(), is_there, row)

    def test_one_of_the_first_seal_keeps_all_from_going(self) -> None:
        self.later(AssociationRequest.objects.get(reason="SUP-0"))
        self.assertIn("Nothing to prune.", self.prune()[1])

    def test_one_whose_number_was_missing_holds_it_back_too(self) -> None:
        """It came to an old seal's number, but into a newer seal."""
        held = self.entry(attempts=0)
        number = skip_a_number(KINDS[self.kind]._meta.db_table)
        self.later(held, number=9)
        (fifth,) = seal(at=LONG_AGO + DAY * 4)
        later = self.later(held, id=number, number=8)
        (sixth,) = seal(at=LONG_AGO + DAY * 4 + timedelta(minutes=1))
        self.assertIn((self.kind, later.pk), items_of(sixth))
        settle()
        last = pruning.last_seal_before(sixth.sealed_at)
        self.assertLess(last.number, fifth.number)

    def assert_held_back_to(self, number: int) -> None:
        self.assertIn(f"all up to seal {number} of", self.prune("--dry-run")[1])


class LateAttemptTests(HeldBackMixin, PruningTestCase):
    kind = "attempt"

    def later(self, entry: AssociationRequest, **fields: int) -> AssociationAttempt:
        return self.late_attempt(entry, **fields)

    def test_those_that_came_in_time_hold_nothing_back_however_many_they_are(self) -> None:
        entry = self.entry(attempts=0)
        with clock_at(LONG_AGO + DAY * 4):
            fifth = next(sealing.seal_log())
        for number in range(1, 6):
            self.attempt(entry, number=number)
        looked_at = read(fifth.manifest).coverage["attempt"].high
        self.assertLess(looked_at, AssociationAttempt.objects.last().pk)
        self.assertEqual(pruning.last_seal_before(fifth.sealed_at + DAY), fifth)


class CheckTests(HeldBackMixin, PruningTestCase):
    kind = "check"

    def later(self, entry: AssociationRequest, number: int = 0, **fields: int) -> AssociationCheck:
        return self.check(entry, **fields)

    def test_those_of_an_entry_that_goes_go_with_it(self) -> None:
        self.assertTrue(AssociationCheck.objects.exists())
        kept = self.check(AssociationRequest.objects.get(reason="SUP-new"))
        self.assert_pruned()
        self.assertEqual([*AssociationCheck.objects.all()], [kept])
        self.assert_proven()

    def test_one_that_was_sealed_before_its_entry_goes_before_it(self) -> None:
        waiting = self.open_entry()
        check = self.check(waiting)
        (fifth,) = seal(at=LONG_AGO + DAY * 4)
        self.assertIn(("check", check.pk), items_of(fifth))
        self.entry(), seal(), settle()
        self.assert_pruned()
        self.assert_there(False, check)
        self.assert_there(True, waiting)
        self.assertIn(f'"id":{check.pk},"is_linked":true,"kind":"check"', self.file.read_text())
        self.close(waiting), seal()
        self.assert_proven()


class StillOpenTests(PruningTestCase):
    def test_what_is_still_open_stays(self) -> None:
        waiting = self.open_entry(reason="open")
        self.entry()
        seal(at=LONG_AGO + DAY * 4), settle()
        self.entry()
        seal(), settle()
        self.assert_pruned()
        self.assertEqual(AuditSeal.objects.first().number, 5)
        self.assertEqual(AssociationRequest.objects.first(), waiting)
        self.assert_proven()
        self.close(waiting)
        self.assertIn(("entry", waiting.pk), items_of(*seal()))
        self.assert_proven()


class FirstSealTests(PruningTestCase):
    """Where only the very first seal is old enough, it is its own new start."""

    def setUp(self) -> None:
        super().setUp()
        with as_owner():
            sql(f"DELETE FROM {SEAL}")
            sql(f"DELETE FROM {ATTEMPT}")
            sql(f"DELETE FROM {CHECK}")
            sql(f"DELETE FROM {ENTRY}")
            sql("DELETE FROM associations_auditexport")
        self.sealed_log(1)
        self.entry()
        seal(), settle()

    def test_it_goes_and_the_rest_is_proven(self) -> None:
        self.assert_pruned()
        self.assert_proven()

    def test_and_once_more(self) -> None:
        self.assert_pruned()
        self.assert_pruned("second.jsonl", now=timezone.now() + MONTH)
        self.assertEqual(archive.verify_archive(self.folder / "second.jsonl"), (2, 2))
        self.assert_proven()
