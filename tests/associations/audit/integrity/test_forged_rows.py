"""What whoever serves inserts: rows under numbers that went, prunings and seals of nobody."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from associations.audit.integrity import archive
from associations.audit.integrity.chain_verification import verify_newest
from associations.audit.integrity.manifest import head_of, read
from associations.audit.integrity.serialization import KINDS
from associations.models import AssociationRequest, AuditPruning, AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    as_owner,
    run,
    seal,
    settle,
    skip_a_number,
    sql,
    undone,
)
from tests.associations.audit.integrity.pruned import PruningTestCase
from tests.associations.audit.integrity.serving import ServingMixin, as_serving
from tests.associations.audit.integrity.test_independent import AuditorMixin

MONTH = timedelta(days=31)


class PrunedNumberTests(AuditorMixin, ServingMixin, PruningTestCase):
    """The seal that a pruning leaves covers numbers of which no row is left."""

    def setUp(self) -> None:
        super().setUp()
        self.assert_pruned()
        self.kept = AssociationRequest.objects.get(reason="SUP-new")
        self.start = read(AuditSeal.objects.first().manifest)

    def taken(self, kind: str) -> int:
        """A number of this kind that went."""
        ids = self.start.ids(kind)
        return max(ids) if ids else self.start.coverage[kind].high

    def forge(self, kind: str, **fields: object) -> int:
        makes: dict[str, Callable] = {
            "entry": lambda **more: self.entry(attempts=0, **more),
            "attempt": lambda **more: self.late_attempt(self.kept, **more),
            "check": lambda **more: self.check(self.kept, **more),
            "export": self.export,
        }
        with as_serving():
            row = makes[kind](id=self.taken(kind), **fields)
        settle()
        return row.pk

    def test_a_row_of_any_kind_is_found(self) -> None:
        for kind, name in {
            "entry": "Entry",
            "attempt": "Late attempt",
            "check": "Check",
            "export": "Export",
        }.items():
            with self.subTest(kind):
                pk = self.forge(kind)
                finding = f"NOT PROVEN. {name} {pk} was inserted: the seals up to 3"
                self.assert_not_proven(finding)
                with as_owner():
                    sql(f"DELETE FROM {KINDS[kind]._meta.db_table} WHERE id = {pk}")
                self.assert_proven()

    def test_whichever_number_it_takes(self) -> None:
        for number in (self.taken("entry") - 1, 2, 1):
            with self.subTest(number):
                with as_serving():
                    self.entry(id=number, attempts=0)
                self.assert_not_proven(f"Entry {number} was inserted")

    def test_with_attempts_of_its_own(self) -> None:
        pk = self.forge("entry")
        with as_serving():
            self.attempt(AssociationRequest.objects.get(pk=pk), id=self.taken("attempt"))
        settle()
        self.assert_not_proven(f"Entry {pk} was inserted")

    def test_whoever_goes_on_after_a_head_finds_it(self) -> None:
        pk = self.forge("entry")
        for each in AuditSeal.objects.all():
            self.assert_not_proven(f"Entry {pk} was inserted", "--after", each.head)

    def test_a_look_at_the_newest_part_finds_it(self) -> None:
        pk = self.forge("entry")
        for items in (1, 5_000):
            self.assertIn(f"Entry {pk} was inserted", verify_newest(at_least=items).finding)

    def test_an_auditor_finds_one_that_no_seal_that_is_left_has_held(self) -> None:
        """What seals 1 and 2 held stands in none of those that are left."""
        number = min(self.start.ids("entry")) - 1
        with as_serving():
            self.entry(id=number, attempts=0)
        settle()
        self.assert_refuses(
            f"entry {number} was altered or inserted", self.exported(), self.seals_file()
        )

    def test_an_auditor_finds_it_without_the_archive_and_with_it(self) -> None:
        self.assert_proves(self.exported(), self.seals_file())
        pk = self.forge("entry", reason="SUP-forged")
        finding = f"entry {pk} was altered or inserted"
        self.assert_refuses(finding, self.exported(), self.seals_file())
        self.assert_refuses(finding, self.file, self.exported(), self.seals_file())


class MadeUpPruningTests(AuditorMixin, ServingMixin, PruningTestCase):
    """Nobody without the key can account for a part that is gone."""

    def forge(self, **fields: object) -> AuditPruning:
        with as_serving():
            row = self.pruning(**({"last_seal": 1, "head": self.seals[0].head} | fields))
        settle()
        return row

    def test_the_first_seal_is_proven_and_archived_all_the_same(self) -> None:
        self.forge()
        self.assert_pruned()
        self.assertEqual(archive.verify_archive(self.file), (3, 9))
        self.assertFalse(AssociationRequest.objects.filter(reason="SUP-0").exists())

    def test_signed_as_a_seal_or_not_it_does_not_count(self) -> None:
        for signature in ("", self.seals[0].signature, "nonsense"):
            self.forge(signature=signature)
        seal(), settle()
        _, said = self.prune("--dry-run")
        self.assertIn("about 9 items", said)
        self.assert_pruned()
        self.assertEqual(archive.verify_archive(self.file), (3, 9))

    def test_it_is_named_sealed_or_not_and_the_rest_is_proven(self) -> None:
        row = self.forge()
        for _ in range(2):
            said = self.assert_not_proven(f"Pruning {row.pk} was made up: nobody with a key")
            self.assertIn("Proven up to seal", said)
            seal(), settle()

    def test_it_hides_nothing_that_is_altered_in_the_first_seal(self) -> None:
        self.forge()
        with as_owner():
            AssociationRequest.objects.filter(reason="SUP-0").update(reason="another")
        self.assert_not_proven("Entry [0-9]+ was altered: it is not what seal 1 of")

    def test_one_that_is_signed_stays_where_it_was_made_from_another(self) -> None:
        """A true row copied says nothing new, and is told."""
        self.assert_pruned()
        true = AuditPruning.objects.get()
        copy = self.forge(
            **{name: getattr(true, name) for name in ("last_seal", "head", "archive_sha256")},
            signature=true.signature,
        )
        self.assert_not_proven(f"Pruning {copy.pk} was made up: it repeats pruning {true.pk}")

    def test_a_pruning_proves_the_part_first(self) -> None:
        with as_owner():
            sql("DELETE FROM associations_auditexport")
        code, said = self.prune()
        self.assertEqual(code, 1)
        self.assertRegex(said, "Export [0-9]+ was removed: seal 2 holds it")
        self.assertFalse(self.file.exists())

    def test_nothing_goes_while_something_stands_there_that_no_seal_holds(self) -> None:
        gap = skip_a_number(ENTRY)
        self.entry(), seal(at=timezone.now() + MONTH), settle()
        self.entry(), seal(at=timezone.now() + MONTH * 2), settle()
        with as_serving():
            self.entry(id=gap, attempts=0)
        settle()
        code, said = self.prune(now=timezone.now() + MONTH * 4)
        self.assertEqual(code, 1, said)
        self.assertIn(f"Entry {gap} was inserted", said)


class SealRowTests(ServingMixin, PruningTestCase):
    """Whoever serves may insert seals, too; and cannot sign them."""

    def copy(self, seal: AuditSeal, **fields: object) -> None:
        names = ("number", "sealed_at", "manifest", "head", "signature")
        with as_serving():
            AuditSeal.objects.create(**{n: getattr(seal, n) for n in names} | fields)

    def test_an_old_one_is_inserted_again(self) -> None:
        self.assert_pruned()
        self.copy(self.seals[1])
        self.assert_not_proven("Seal 2 was inserted: all before seal 3 was archived and taken out")
        code, said = self.prune(name="second.jsonl", now=timezone.now() + MONTH)
        self.assertEqual(code, 1)
        self.assertIn("Seal 2 was inserted", said)

    def test_nothing_is_sealed_after_one_that_nobody_signed(self) -> None:
        last = AuditSeal.objects.last()
        text = last.manifest.replace(f"number {last.number}\n", f"number {last.number + 1}\n")
        text = text.replace(read(last.manifest).previous, last.head)
        self.copy(last, number=last.number + 1, manifest=text, head=head_of(text))
        self.entry()
        code, said = run("seal_audit_log")
        self.assertEqual(code, 1)
        self.assertIn(f"Seal {last.number + 1} was rewritten: its signature is not valid", said)
        self.assertEqual(AuditSeal.objects.count(), last.number + 1)

    def test_one_whose_text_was_changed_is_named_whoever_looks_past_it(self) -> None:
        self.entry(), seal(), settle()
        heads = [each.head for each in AuditSeal.objects.all()]
        for number in (2, 4):
            with self.subTest(number), undone():
                if number == 4:
                    self.assert_pruned()
                with as_owner():
                    AuditSeal.objects.filter(number=number).update(manifest="nonsense")
                self.assert_not_proven(f"Seal {number} was altered")
                self.assert_proven("--after", heads[4])  # that one is not gone through
                later = timezone.now() + MONTH
                code, said = self.prune(name="second.jsonl", now=later)
                self.assertEqual(code, 1)
                self.assertIn(f"Seal {number} was altered", said)

    def test_one_that_cannot_be_read_is_named(self) -> None:
        last = AuditSeal.objects.last()
        self.copy(last, number=last.number + 1, manifest="nonsense", head="x" * 64)
        self.assert_not_proven(f"Seal {last.number + 1} was altered")
        self.assertEqual(run("seal_audit_log")[0], 1)
