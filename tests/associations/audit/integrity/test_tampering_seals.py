"""Whoever owns the tables changes, swaps, removes or forges seals: the first thing is named."""

import base64
import os
import unittest

from django.test import override_settings

from associations.audit.integrity import signing
from associations.audit.integrity.manifest import head_of
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    SEAL,
    as_owner,
    on_postgresql,
    run,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.tampering import SealTestCase
from tests.support import SandboxMixin, SignedInClient


class SealTests(SandboxMixin, SealTestCase):
    def test_a_text_that_was_changed(self) -> None:
        with as_owner():
            change = "replace(manifest, 'entry', 'export')"
            sql(f"UPDATE {SEAL} SET manifest = {change} WHERE number = 3")
        self.assert_found("change a seal's text", "Seal 3 was altered: its text does not give its")

    def test_a_text_that_was_changed_with_its_head(self) -> None:
        text = self.seals[2].manifest.replace("entry", "export")
        with as_owner():
            AuditSeal.objects.filter(number=3).update(manifest=text, head=head_of(text))
        finding = "Seal 3 was rewritten: its signature is not valid"
        self.assert_found("change a seal's text and head", finding)

    def test_two_that_changed_their_numbers(self) -> None:
        with as_owner():
            for old, new in ((2, 99), (3, 2), (99, 3)):
                sql(f"UPDATE {SEAL} SET number = {new} WHERE number = {old}")
        self.assert_found("swap two seals", "Seal 2 was altered: its text is another seal's")

    @unittest.skipIf(on_postgresql(), "its numbers are numbers")
    def test_one_whose_number_is_none(self) -> None:
        with as_owner():
            sql(f"UPDATE {SEAL} SET number = '' WHERE number = 5")
        self.assert_found("have a seal without a number", "Seal  was altered")
        code, said = run("seal_audit_log")
        self.assertEqual(code, 1)
        self.assertIn("was altered: it cannot be read", said)
        client = SignedInClient(self.user)
        lines = client.get("/audit/integrity/seals.jsonl").getvalue().splitlines()
        self.assertEqual(len(lines), 5)  # the other four, and the end
        for page in ("/audit/integrity/", "/status/"):
            self.assertEqual(client.get(page).status_code, 200)

    def test_one_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number = 3")
        finding = "Seal 3 was removed: after seal 2 comes seal 4"
        self.assert_found("delete a seal in the middle", finding)

    def test_one_that_was_removed_with_all_it_held(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number = 3")
            self.remove_contents_of(self.seals[2])
        self.assert_found("delete a seal in the middle, with its entries", "Seal 3 was removed")

    def test_one_and_all_after_it_rewritten_with_the_old_signatures(self) -> None:
        signatures = iter(self.rows("signature")[2:])
        self.rewrite(3, lambda head: next(signatures)[0])
        finding = "Seal 3 was rewritten: its signature is not valid"
        self.assert_found("rewrite seals 3 to 5, old signatures", finding)

    def test_one_and_all_after_it_rewritten_with_any_signature(self) -> None:
        self.rewrite(3, lambda head: base64.b64encode(os.urandom(64)).decode())
        finding = "Seal 3 was rewritten: its signature is not valid"
        self.assert_found("rewrite seals 3 to 5, random signatures", finding)

    def test_one_and_all_after_it_rewritten_with_another_key(self) -> None:
        with override_settings(AUDIT_SIGNING_KEY=signing.new_key()[0]):
            key = signing.own_key().id
            self.rewrite(3, signing.sign, key_id=key)
        finding = f"Seal 3 was signed with the key {key}, which is not trusted"
        self.assert_found("rewrite seals 3 to 5, another key", finding)

    def test_one_and_all_after_it_rewritten_with_another_key_in_the_name_of_the_own(self) -> None:
        with override_settings(AUDIT_SIGNING_KEY=signing.new_key()[0]):
            self.rewrite(3, signing.sign)
        finding = "Seal 3 was rewritten: its signature is not valid"
        self.assert_found("rewrite seals 3 to 5, another key by the own one's name", finding)

    def test_an_earlier_seal_of_the_same_number(self) -> None:
        """Somebody kept what seal 5 was before the log was cut and sealed anew."""
        kept = self.seals[4]
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number >= 4")
        seal(), self.entry(), seal()
        settle()
        with as_owner():
            AuditSeal.objects.filter(number=5).delete()
            kept.save(force_insert=True)
        finding = "Seal 4 was rewritten: seal 5 follows another"
        self.assert_found("put a seal of an earlier chain in", finding)


class BeginningTests(SealTestCase):
    def remove(self, number: int) -> None:
        self.remove_contents_of(*self.seals[:number])
        AuditSeal.objects.filter(number__lte=number).delete()

    def test_the_first_ones_that_were_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number <= 2")
        finding = "Seals 1 to 2 were removed: no sealed pruning accounts for them"
        self.assert_found("delete the first seals", finding)

    def test_the_first_ones_that_were_removed_with_all_they_held(self) -> None:
        with as_owner():
            self.remove(2)
        self.assert_found("delete the first seals, with their entries", "Seals 1 to 2 were removed")

    def test_a_pruning_that_was_made_up(self) -> None:
        with as_owner():
            self.remove(2)
            forged = self.pruning(last_seal=3, head=self.seals[2].head)
        self.assert_found("and forge a pruning", "Seals 1 to 2 were removed")
        for signature in ("", self.seals[2].signature, self.seals[4].signature):
            with as_owner():
                type(forged).objects.update(signature=signature)
        self.assert_found("and forge a pruning, signed as a seal", "Seals 1 to 2 were removed")

    def test_a_pruning_that_was_made_up_and_sealed_by_who_has_the_key(self) -> None:
        with as_owner():
            self.remove(2)
            self.pruning(last_seal=3, head=self.seals[2].head, signature=self.seals[2].signature)
        self.assertEqual(len(seal()), 1)
        finding = "Seals 1 to 2 were removed: no sealed pruning accounts for them"
        self.assert_found("and forge a pruning, and have it sealed", finding)
