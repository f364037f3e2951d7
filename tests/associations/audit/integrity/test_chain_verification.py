"""Proving the log: how far, from where, with whose keys, and what is kept of it."""

import re
from contextlib import AbstractContextManager

from django.test import override_settings

from associations.audit.integrity import signing
from associations.audit.integrity.chain_verification import TamperedError, verify, verify_newest
from associations.management.commands import verify_audit_log
from associations.models import AuditSeal, AuditVerification
from tests.associations.audit.integrity.base import ENTRY, LogTestCase, as_owner, run, seal, sql


class SealedTestCase(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.seals = self.sealed_log(4)
        self.heads = [each.head for each in self.seals]

    def change_an_entry_of(self, seal: AuditSeal) -> int:
        entry = min(int(pk) for pk in re.findall(r"^entry (\d+)", seal.manifest, re.M))
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {entry}")
        return entry


class VerifyTests(SealedTestCase):
    def test_all_of_it_is_proven(self) -> None:
        said = self.assert_proven()
        self.assertIn("Proven up to seal 4 of 2025-01-04 00:00:00 UTC: 4 seals, 11 items.", said)
        self.assertIn(f"head {self.heads[3]}", said)
        self.assertIn("Without a head noted elsewhere (--head), nothing shows whether", said)

    def test_what_no_seal_holds_yet_is_told(self) -> None:
        self.assertNotIn("in no seal yet", self.assert_proven())
        self.entry(), self.entry(), self.open_entry()
        self.assertIn("Closed since, and in no seal yet: 2.", self.assert_proven())

    def test_it_is_not_proven_and_how_far_it_was(self) -> None:
        entry = self.change_an_entry_of(self.seals[2])
        said = self.assert_not_proven(f"NOT PROVEN. Entry {entry} was altered")
        self.assertIn("it is not what seal 3 of 2025-01-03 00:00:00 UTC holds.", said)
        self.assertIn("Proven before that: up to seal 2.", said)

    def test_progress_is_told_seal_by_seal(self) -> None:
        told = []
        verify(progress=lambda report: told.append((report.last.number, report.items)))
        self.assertEqual(told, [(1, 2), (2, 7), (3, 9), (4, 11)])


class HeadTests(SealedTestCase):
    def test_the_newest_one(self) -> None:
        said = self.assert_proven("--head", self.heads[3])
        self.assertIn("The newest seal is the one whose head you gave.", said)

    def test_an_earlier_one(self) -> None:
        said = self.assert_proven("--head", self.heads[1])
        self.assertIn("Seals 3 to 4 are later than the newest head you gave (seal 2).", said)

    def test_several(self) -> None:
        said = self.assert_proven(*(part for head in self.heads for part in ("--head", head)))
        self.assertIn("The newest seal is the one whose head you gave.", said)

    def test_one_that_is_not_there_among_several(self) -> None:
        lost = "f" * 64
        finding = f"No seal has the head {lost}: the log was rewritten or cut short"
        self.assert_not_proven(finding, "--head", self.heads[0], "--head", lost)


class AfterTests(SealedTestCase):
    def test_a_head_from_before_it_counts_as_what_it_is(self) -> None:
        said = self.assert_proven("--after", self.heads[2], "--head", self.heads[1])
        self.assertIn("Seals 3 to 4 are later than the newest head you gave (seal 2).", said)

    def test_only_what_comes_after_is_gone_through(self) -> None:
        self.change_an_entry_of(self.seals[0])
        self.change_an_entry_of(self.seals[1])
        said = self.assert_proven("--after", self.heads[1])
        self.assertIn("Proven up to seal 4", said)
        self.assert_not_proven("was altered", "--after", self.heads[0])

    def test_after_the_first_one(self) -> None:
        self.change_an_entry_of(self.seals[0])
        self.assert_proven("--after", self.heads[0])

    def test_after_the_last_one_nothing_is_left(self) -> None:
        self.assert_proven("--after", self.heads[3])

    def test_a_head_before_it_counts(self) -> None:
        self.assert_proven("--after", self.heads[2], "--head", self.heads[0])

    def test_after_none_that_there_is_nothing_is_checked(self) -> None:
        code, said = run("verify_audit_log", "--after", "f" * 64)
        self.assertEqual(code, 1)
        self.assertIn("so nothing was checked", said)
        self.assertFalse(AuditVerification.objects.exists())

    def test_an_interrupted_run_tells_how_to_go_on(self) -> None:
        code, said = run(_InterruptedAfter(2))
        self.assertEqual(code, 1)
        self.assertIn("Interrupted.\nProven before that: up to seal 2.", said)
        arguments = re.search(r"^Go on: manage.py verify_audit_log (.*)$", said, re.M)[1].split()
        self.assertEqual(arguments, ["--after", self.heads[1]])
        self.change_an_entry_of(self.seals[0])
        self.assert_proven(*arguments)
        self.change_an_entry_of(self.seals[2])
        self.assert_not_proven("was altered", *arguments)

    def test_the_heads_that_were_given_go_on_with_it(self) -> None:
        _, said = run(_InterruptedAfter(2), "--head", self.heads[3])
        self.assertIn(f"--after {self.heads[1]} --head {self.heads[3]}", said)

    def test_an_interrupted_run_leaves_no_result(self) -> None:
        run(_InterruptedAfter(1))
        self.assertFalse(AuditVerification.objects.exists())


class _InterruptedAfter(verify_audit_log.Command):
    """Somebody presses Ctrl-C once so many seals are proven."""

    def __init__(self, seals: int) -> None:
        super().__init__()
        self.seals = seals

    def progress(self, report: verify_audit_log.Report) -> None:
        super().progress(report)
        if report.seals == self.seals:
            raise KeyboardInterrupt


class ResultTests(SealedTestCase):
    def test_a_proof_is_kept(self) -> None:
        self.assert_proven()
        result = AuditVerification.objects.get()
        self.assertEqual(
            (result.is_proven, result.seals, result.items, result.last_seal, result.finding),
            (True, 4, 11, 4, ""),
        )
        self.assertLessEqual(result.started_at, result.finished_at)

    def test_a_finding_is_kept(self) -> None:
        entry = self.change_an_entry_of(self.seals[1])
        self.assert_not_proven("was altered")
        result = AuditVerification.objects.get()
        self.assertEqual((result.is_proven, result.last_seal, result.seals), (False, 1, 1))
        self.assertIn(f"Entry {entry} was altered", result.finding)

    def test_a_log_without_a_seal_is_not_proven(self) -> None:
        with as_owner():
            AuditSeal.objects.all().delete()
        code, said = run("verify_audit_log")
        self.assertIn("There is no seal yet, so nothing is proven", said)
        self.assertEqual(code, 1)

    def test_the_newest_part_is_proven_as_one_looks(self) -> None:
        self.assertTrue(verify_newest().is_all)
        newest = verify_newest(at_least=1)
        self.assertEqual((newest.report.last.number, newest.is_all), (4, False))
        entry = self.change_an_entry_of(self.seals[3])
        self.assertIn(f"Entry {entry} was altered", verify_newest(at_least=1).finding)
        self.change_an_entry_of(self.seals[0])
        self.assertIsNone(verify_newest(at_least=1).report)


class KeyTests(SealedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.old_public = signing.own_key().text
        self.new_secret, self.new_public = signing.new_key()

    def keys(self, secret: str, *public: str) -> AbstractContextManager:
        return override_settings(AUDIT_SIGNING_KEY=secret, AUDIT_PUBLIC_KEYS=[*public])

    def test_the_public_key_alone_proves(self) -> None:
        with self.keys("", self.old_public):
            self.assert_proven()

    def test_a_key_that_is_not_trusted_proves_nothing(self) -> None:
        key = signing.own_key().id
        for secret, public in ((self.new_secret, ""), ("", self.new_public)):
            with self.keys(secret, *filter(None, [public])):
                self.assert_not_proven(
                    f"Seal 1 was signed with the key {key}, which is not trusted"
                )

    def test_no_key_at_all_proves_nothing(self) -> None:
        with self.keys(""):
            self.assert_not_proven("which is not trusted here")

    def test_a_key_that_is_none_is_told(self) -> None:
        with self.keys("", "x"):
            self.assert_not_proven("AUDIT_PUBLIC_KEYS names 'x', which is no key")

    def test_after_a_change_of_keys_both_are_needed(self) -> None:
        with self.keys(self.new_secret, self.old_public):
            self.entry()
            (fifth,) = seal()
            self.assertIn(f"key {signing.own_key().id}\n", fifth.manifest)
            self.assertIn("Proven up to seal 5", self.assert_proven())
        with self.keys("", self.old_public, self.new_public):
            self.assert_proven()
        with self.keys(self.new_secret):
            self.assert_not_proven("Seal 1 was signed with the key")
        with self.keys("", self.old_public), self.assertRaisesRegex(TamperedError, "^Seal 5 was"):
            verify()
