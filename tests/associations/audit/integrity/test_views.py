"""The page that says whether the log is as it was sealed, and the seals to take away."""

import json
from datetime import UTC, datetime
from functools import partial
from unittest import mock

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from associations.audit.integrity import signing
from associations.audit.integrity.chain_verification import verify_newest
from associations.audit.integrity.views import SEALS_SHOWN
from associations.models import AssociationRequest, AuditSeal, AuditVerification
from tests.associations.audit.integrity.base import as_owner, run, seal, settle, sql
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import know_of_no_changes

ADDRESS, SEALS = "/audit/integrity/", "/audit/integrity/seals.jsonl"
PROVEN, TAMPERED = "log is as it was sealed", "The log is not what was sealed"


class IntegrityTestCase(PageTestCase):
    def page(self) -> HttpResponse:
        return self.as_admin.get(ADDRESS)

    def sealed(self, *counts: int) -> list[AssociationRequest]:
        """Entries, in seals of so many."""
        entries = []
        for count in counts:
            entries += [entry_of(self.user, reason="SUP-1") for _ in range(count)]
            seal()
        settle()
        return entries

    def alter(self, entry: AssociationRequest) -> None:
        with as_owner():
            AssociationRequest.objects.filter(pk=entry.pk).update(reason="SUP-2")


class ResultTests(IntegrityTestCase):
    def test_nothing_is_proven_while_nothing_is_sealed(self) -> None:
        page = self.page()
        self.assertContains(page, "Nothing is proven yet")
        self.assertContains(page, "There are no closed entries to seal")
        self.assertContains(page, "Nothing has been sealed yet")
        entry_of(self.user)
        entry_of(self.user, outcome="sending", cause="", finished_at=None)
        page = self.page()
        self.assertContains(page, "1 closed entry is in no seal")
        self.assertNotContains(page, PROVEN)
        self.assertNotContains(page, SEALS)

    def test_all_of_it_is_proven(self) -> None:
        self.sealed(2, 1)
        page = self.page()
        self.assertContains(page, f"The whole {PROVEN}")
        self.assertContains(page, "3 items, up to seal 2")
        self.assertContains(page, "Every closed entry is sealed")
        self.assertNotContains(page, 'role="alert"')

    def test_what_waits_for_a_seal_is_told(self) -> None:
        self.sealed(1)
        for _ in range(2):
            entry_of(self.user)
        self.assertContains(self.page(), "2 closed entries are in no seal yet")
        with mock.patch(
            "associations.audit.integrity.views.waiting_for_a_seal", return_value=10_001
        ):
            self.assertContains(self.page(), "More than 10,000 closed entries")

    def test_of_a_long_log_the_newest_part(self) -> None:
        first, *_, last = self.sealed(3, 3, 3)
        newest = partial(verify_newest, at_least=4)
        with mock.patch("associations.audit.integrity.views.verify_newest", newest):
            page = self.page()
            self.assertContains(page, f"The newest part of the {PROVEN}")
            self.assertContains(page, "manage.py verify_audit_log")
            self.assertContains(page, "items, up to seal 3")
            self.assertNotContains(page, "The whole log")
            self.alter(first)
            self.assertContains(self.page(), f"The newest part of the {PROVEN}")
            self.alter(last)
            self.assertContains(self.page(), f"Entry {last.pk} was altered")
        self.assertContains(self.page(), f"Entry {first.pk} was altered")

    def test_what_was_altered_is_named(self) -> None:
        entries = self.sealed(2, 2)
        self.alter(entries[1])
        page = self.page()
        self.assertContains(page, TAMPERED)
        self.assertContains(page, f"Entry {entries[1].pk} was altered")
        self.assertContains(page, 'role="alert"')
        self.assertNotContains(page, PROVEN)
        self.assertNotContains(page, "Nothing is proven yet")

    def test_what_was_removed_is_named(self) -> None:
        pk = self.sealed(2)[0].pk
        with as_owner():
            AssociationRequest.objects.filter(pk=pk).delete()
        self.assertContains(self.page(), f"Entry {pk} was removed")

    def test_a_seal_that_cannot_be_read_is_a_finding_and_no_failure(self) -> None:
        self.sealed(1, 1)
        for manifest in ("", "nonsense", "hubadmin-seal 1\nnumber 2\n"):
            with self.subTest(manifest):
                with as_owner():
                    AuditSeal.objects.filter(number=2).update(manifest=manifest)
                page = self.page()
                self.assertContains(page, TAMPERED)
                self.assertContains(page, "Seal 2 was altered")

    def test_one_that_cannot_be_read_is_no_failure_without_a_key_either(self) -> None:
        self.sealed(1)
        with as_owner():
            AuditSeal.objects.update(manifest="nonsense")
        with override_settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[]):
            self.assertContains(self.page(), "No key is configured")

    def test_only_admins_see_it(self) -> None:
        for address in (ADDRESS, SEALS):
            self.assertEqual(self.client.get(address).status_code, 403)
            self.assertEqual(self.as_admin.post(address).status_code, 405)

    def test_the_number_of_queries_does_not_grow_with_the_entries(self) -> None:
        self.sealed(1)
        few = self.queries()
        with as_owner():
            AuditSeal.objects.all().delete()
        self.sealed(30)
        self.assertEqual(self.queries(), few)

    def queries(self) -> int:
        know_of_no_changes()
        with CaptureQueriesContext(connection) as found:
            self.page()
        return len(found)


class TriggerTests(IntegrityTestCase):
    def test_a_guard_that_was_taken_off_is_named(self) -> None:
        self.assertNotContains(self.page(), "does not protect the log")
        name, table = "hubadmin_associationrequest_closed", AssociationRequest._meta.db_table
        on = f" ON {table}" if connection.vendor == "postgresql" else ""
        sql(f"DROP TRIGGER {name}{on}")
        page = self.page()
        self.assertContains(page, "The database does not protect the log as it should")
        self.assertContains(page, name)
        self.assertContains(page, 'role="alert"')


class KeyTests(IntegrityTestCase):
    def test_every_trusted_key_is_shown_and_no_secret_one(self) -> None:
        secret, public = signing.new_key()
        with override_settings(AUDIT_PUBLIC_KEYS=[public]):
            page = self.page()
        own = signing.own_key()
        for text in (public, own.text, own.id):
            self.assertContains(page, text)
        self.assertNotContains(page, secret)
        self.assertNotContains(page, settings.AUDIT_SIGNING_KEY)

    def test_without_the_secret_key_the_public_one_proves_it(self) -> None:
        self.sealed(2)
        with override_settings(AUDIT_PUBLIC_KEYS=[signing.own_key().text], AUDIT_SIGNING_KEY=""):
            self.assertContains(self.page(), f"The whole {PROVEN}")

    @override_settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[])
    def test_without_any_key_nothing_is_proven(self) -> None:
        page = self.page()
        self.assertContains(page, "No key is configured")
        self.assertContains(page, "Nothing is proven yet")

    def test_without_any_key_seals_are_neither_proven_nor_wrong(self) -> None:
        self.sealed(1)
        with override_settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[]):
            page = self.page()
        self.assertContains(page, "No key is configured")
        self.assertNotContains(page, PROVEN)
        self.assertNotContains(page, TAMPERED)

    def test_a_key_that_is_none_is_said_to_be_none(self) -> None:
        self.sealed(1)
        with override_settings(AUDIT_PUBLIC_KEYS=["nonsense"]):
            page = self.page()
        self.assertNotContains(page, PROVEN)
        self.assertNotContains(page, TAMPERED)


class VerificationTests(IntegrityTestCase):
    def test_the_last_full_one_is_shown(self) -> None:
        self.assertContains(self.page(), "goes through the whole log and leaves its result here")
        entries = self.sealed(2, 1)
        call_command("verify_audit_log", verbosity=0, stdout=mock.Mock())
        page = self.page()
        self.assertContains(page, "2 seals, 3 items, up to seal 2.")
        self.assertNotContains(page, "not proven")
        self.alter(entries[0])
        self.assertEqual(run("verify_audit_log")[0], 1)
        page = self.page()
        self.assertContains(page, "not proven")
        self.assertContains(page, f"Entry {entries[0].pk} was altered", count=2)

    def test_only_the_last(self) -> None:
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        for number in (1, 2):
            AuditVerification.objects.create(
                started_at=now, finished_at=now, is_proven=True, seals=number, items=number * 111
            )
        page = self.page()
        self.assertContains(page, "222 items")
        self.assertNotContains(page, "111 items")


class SealsTests(IntegrityTestCase):
    def test_the_newest_are_listed(self) -> None:
        self.sealed(*[1] * (SEALS_SHOWN + 2))
        page = self.page()
        for each in AuditSeal.objects.all():
            count = 1 if each.number > 2 else 0
            self.assertContains(page, f"<code>{each.head}</code>", count=count)
        self.assertContains(page, f'href="{SEALS}"')

    def test_all_of_them_as_lines(self) -> None:
        self.sealed(*[1] * 23)
        answer = self.as_admin.get(SEALS)
        self.assertEqual(answer["Content-Type"], "application/x-ndjson; charset=utf-8")
        self.assertIn('filename="hubadmin-seals.jsonl"', answer["Content-Disposition"])
        *lines, end, rest = answer.getvalue().split(b"\n")
        self.assertEqual((len(lines), rest), (23, b""))
        told = json.loads(end)
        self.assertEqual((told["kind"], told["complete"], told["lines"]), ("end", True, 23))
        for line, each in zip(lines, AuditSeal.objects.all(), strict=True):
            found = json.loads(line)
            self.assertEqual(
                found,
                {
                    "kind": "seal",
                    "number": each.number,
                    "sealed_at": f"{each.sealed_at:%Y-%m-%dT%H:%M:%S.%f}Z",
                    "manifest": each.manifest,
                    "head": each.head,
                    "signature": each.signature,
                },
            )

    def test_of_none_there_is_only_the_end(self) -> None:
        (end,) = self.as_admin.get(SEALS).getvalue().splitlines()
        self.assertEqual(json.loads(end)["lines"], 0)

    def test_they_prove_themselves(self) -> None:
        """All that an auditor needs besides the public key, with nothing of ours."""
        self.sealed(1, 2)
        key = signing.own_key()
        before = "0" * 64
        for line in self.as_admin.get(SEALS).getvalue().splitlines()[:-1]:
            found = json.loads(line)
            self.assertTrue(key.signed(found["head"], found["signature"]))
            self.assertIn(f"\nprevious {before}\n", found["manifest"])
            before = found["head"]
