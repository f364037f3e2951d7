"""The oldest part goes into a file, whole seals at a time; what stays is proven as before."""

import hashlib
import json

from django.db import IntegrityError, transaction

from associations.audit.integrity import archive, signing, triggers
from associations.models import (
    AssociationAttempt,
    AssociationRequest,
    AuditFilter,
    AuditPruning,
    AuditSeal,
)
from tests.associations.audit.integrity.base import (
    ENTRY,
    LONG_AGO,
    PRUNING,
    as_owner,
    items_of,
    on_postgresql,
    run,
    sql,
)
from tests.associations.audit.integrity.pruned import PruningTestCase


class PruneTests(PruningTestCase):
    def test_a_dry_run_does_nothing(self) -> None:
        before = self.everything()
        code, said = self.prune("--dry-run")
        self.assertEqual(code, 0)
        self.assertIn("all up to seal 3 of 2025-01-03 00:00 UTC: about 9 items.", said)
        self.assertIn("Nothing was done.", said)
        self.assertEqual(self.everything(), before)
        self.assertFalse(self.file.exists())

    def test_whole_seals_go_and_the_last_of_them_stays_as_the_new_start(self) -> None:
        kept = AssociationRequest.objects.get(reason="SUP-new")
        self.assert_pruned()
        self.assertEqual(list(AssociationRequest.objects.all()), [kept])
        self.assertEqual([row.request_id for row in AssociationAttempt.objects.all()], [kept.pk])
        self.assertEqual([each.number for each in AuditSeal.objects.all()], [3, 4, 5])

    def test_the_rest_is_proven_and_what_is_gone_is_told(self) -> None:
        self.assert_pruned()
        said = self.assert_proven()
        self.assertIn("What seals 1 to 3 held was archived and taken out.", said)
        for head in (self.seals[2].head, self.seals[3].head):
            self.assert_proven("--head", head)
        self.assert_not_proven("may be of a part that was archived", "--head", self.seals[0].head)

    def test_the_archive_has_all_of_it_and_is_proven_by_itself(self) -> None:
        said = self.assert_pruned()
        self.assertEqual(archive.verify_archive(self.file), (3, 9))
        content = self.file.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        self.assertIn(f"3 seals, 9 items, proven; SHA-256 {sha256}", said)
        found = [(r["kind"], r.get("id")) for r in map(json.loads, content.splitlines())]
        self.assertLessEqual({*items_of(*self.seals[:3])}, {*found})

    def test_the_pruning_is_logged_signed_and_sealed(self) -> None:
        self.assert_pruned()
        row = AuditPruning.objects.get()
        self.assertEqual((row.last_seal, row.head, row.items), (3, self.seals[2].head, 9))
        sha256 = hashlib.sha256(self.file.read_bytes()).hexdigest()
        self.assertEqual((row.archive_name, row.archive_sha256), ("archive.jsonl", sha256))
        self.assertTrue(signing.own_key().signed(row.statement, row.signature))
        self.assertIn(("pruning", row.pk), items_of(AuditSeal.objects.last()))

    def test_a_pruning_that_was_changed_or_removed_is_found(self) -> None:
        self.assert_pruned()
        row = AuditPruning.objects.get()
        for statement, finding in {
            f"UPDATE {PRUNING} SET archive_name = 'none'": f"Pruning {row.pk} was altered",
            f"DELETE FROM {PRUNING}": "Seals 1 to 2 were removed: no sealed pruning accounts for",
        }.items():
            with as_owner():
                sql(statement)
            self.assert_not_proven(finding)

    def test_the_triggers_are_back(self) -> None:
        self.assert_pruned()
        self.assertEqual(triggers.problems(), [])
        with self.assertRaises(IntegrityError), transaction.atomic():
            sql(f"DELETE FROM {ENTRY}")

    def test_what_is_gone_is_not_found_by_its_text_any_more(self) -> None:
        self.assert_pruned()
        wanted = AssociationRequest.objects.matching(AuditFilter(reason="SUP-"))
        self.assertEqual([entry.reason for entry in wanted], ["SUP-new"])
        if not on_postgresql():
            index = "associations_request_text"
            sql(f"INSERT INTO {index}({index}) VALUES ('integrity-check')")

    def test_with_nothing_old_enough_nothing_is_done(self) -> None:
        before = self.everything()
        code, said = run("prune_audit_log", "--older-than", "9999d", "--archive", str(self.file))
        self.assertEqual((code, said), (0, "No seal is older than 9999 days. Nothing to prune.\n"))
        self.assertEqual(self.everything(), before)
        self.assertFalse(self.file.exists())

    def test_only_what_is_as_old_as_that(self) -> None:
        days = (self.seals[3].sealed_at - LONG_AGO).days
        age = "--older-than", f"{days - 1}d"
        code, said = run("prune_audit_log", *age, "--archive", str(self.file))
        self.assertEqual(code, 0, said)
        self.assertEqual(AuditSeal.objects.first().number, 2)
        self.assert_proven()

    def test_an_age_that_is_none_is_refused(self) -> None:
        for text in ("30", "d", "0d", "-1d", "1y", "030d", "٣d", "100000d"):
            with self.subTest(text):
                code, said = run("prune_audit_log", f"--older-than={text}")
                self.assertEqual(code, 1)
                self.assertIn("is no age; write days, such as 400d", said)
