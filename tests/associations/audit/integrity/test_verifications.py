"""What the page tells of the last full verification is what one has found that was signed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.test import override_settings, tag
from django.utils import timezone

from associations.audit.integrity import signing
from associations.models import AuditSeal, AuditVerification
from tests.associations.audit.integrity.base import (
    LogTestCase,
    as_owner,
    items_of,
    let_in_anything,
    on_postgresql,
    run,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.serving import ServingMixin, as_serving
from tests.support import SignedInClient

TABLE = AuditVerification._meta.db_table
FUTURE = datetime(2099, 1, 1, 12, tzinfo=UTC)


class VerificationTestCase(ServingMixin, LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.seals = self.sealed_log(3)

    def page(self) -> str:
        answer = SignedInClient(self.user).get("/audit/integrity/")
        self.assertEqual(answer.status_code, 200)
        text = answer.content.decode()
        return text.split("Last full verification")[1].split("<h2>")[0]

    def forge(self, **fields: Any) -> AuditVerification:
        values = {"started_at": FUTURE, "finished_at": FUTURE, "is_proven": True}
        values |= {"seals": 777, "items": 888, "last_seal": 777}
        with as_serving():
            row = AuditVerification.objects.create(**values | fields)
        settle()
        return row


class SignedTests(VerificationTestCase):
    def test_a_result_is_signed_with_the_head_that_it_came_to(self) -> None:
        self.assert_proven()
        row = AuditVerification.objects.get()
        self.assertEqual(row.head, self.seals[-1].head)
        self.assertTrue(signing.own_key().signed(row.statement, row.signature))
        for name in ("is_proven", "seals", "items", "last_seal", "finding", "head", "finished_at"):
            before = getattr(row, name)
            setattr(row, name, FUTURE if name == "finished_at" else 7)
            self.assertFalse(signing.own_key().signed(row.statement, row.signature), name)
            setattr(row, name, before)

    def test_without_the_secret_key_it_is_kept_and_not_signed(self) -> None:
        with override_settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[signing.own_key().text]):
            self.assert_proven()
            self.assertIn("not signed", self.page())
        self.assertEqual(AuditVerification.objects.get().signature, "")

    def test_it_is_sealed_and_proven_as_all_else_is(self) -> None:
        self.assert_proven()
        row = AuditVerification.objects.get()
        self.assertEqual(items_of(*seal()), [("verification", row.pk)])
        settle()
        self.assert_proven()
        with as_owner():
            AuditVerification.objects.filter(pk=row.pk).update(is_proven=False)
        self.assert_not_proven(f"Verification {row.pk} was altered")

    def test_nothing_of_it_is_changed_or_removed(self) -> None:
        self.assert_proven()
        for statement in (f"UPDATE {TABLE} SET is_proven = false", f"DELETE FROM {TABLE}"):
            with self.assertRaises(IntegrityError), transaction.atomic():
                sql(statement)

    def test_one_that_was_removed_is_found(self) -> None:
        self.assert_proven()
        pk = AuditVerification.objects.get().pk
        seal(), settle()
        with as_owner():
            sql(f"DELETE FROM {TABLE}")
        self.assert_not_proven(f"Verification {pk} was removed")


@tag("long")
class PageTests(VerificationTestCase):
    def test_a_made_up_one_is_shown_as_what_it_is_beside_the_true_one(self) -> None:
        self.assert_proven()
        self.forge()
        page = self.page()
        self.assertIn("3 seals, 9 items, up to seal 3", page)
        self.assertIn("not signed", page)
        self.assertEqual(page.count("✓"), 1)

    def test_alone_it_proves_nothing(self) -> None:
        self.forge()
        page = self.page()
        self.assertIn("not signed", page)
        self.assertNotIn("✓", page)

    def test_a_signature_of_something_else_is_none(self) -> None:
        self.assert_proven()
        true = AuditVerification.objects.get()
        for signature in (true.signature, self.seals[-1].signature, "nonsense", "x" * 88):
            with self.subTest(signature), transaction.atomic():
                self.forge(signature=signature, head=true.head)
                self.assertIn("not signed", self.page())
                transaction.set_rollback(True)

    def test_an_old_result_that_is_inserted_again_is_as_old_as_it_was(self) -> None:
        self.assert_proven()
        old = AuditVerification.objects.get()
        with as_owner():
            sql("DELETE FROM associations_auditexport")
        self.assert_not_proven("Export [0-9]+ was removed")
        names = [f.attname for f in AuditVerification._meta.concrete_fields if f.name != "id"]
        self.forge(**{name: getattr(old, name) for name in names})
        page = self.page()
        self.assertIn("not proven", page)
        self.assertIn("was removed", page)

    def test_many_made_up_ones_hide_no_true_one(self) -> None:
        self.assert_proven()
        made_up = {"started_at": FUTURE, "finished_at": FUTURE, "is_proven": True}
        made_up |= {"seals": 777, "items": 888, "last_seal": 777}
        for signature in ("", "x" * 88):
            with self.subTest(signature):
                with as_serving():
                    AuditVerification.objects.bulk_create(
                        AuditVerification(**made_up, signature=signature) for _ in range(450)
                    )
                settle()
                self.assertIn("3 seals, 9 items", self.page())

    def test_one_that_cannot_be_read_takes_nothing_from_the_page(self) -> None:
        self.assert_proven()
        row = self.forge()
        let_in_anything(TABLE)
        value = "infinity" if on_postgresql() else "2099-13-01 00:00:00"
        with as_owner():
            sql(f"UPDATE {TABLE} SET finished_at = '{value}' WHERE id = {row.pk}")
        self.assertIn("3 seals, 9 items", self.page())

    def test_one_whose_key_is_not_trusted_any_more_is_not_signed(self) -> None:
        self.assert_proven()
        secret, _ = signing.new_key()
        with override_settings(AUDIT_SIGNING_KEY=secret, AUDIT_PUBLIC_KEYS=[]):
            self.assertIn("not signed", self.page())

    def test_of_the_release_before(self) -> None:
        """It signed none, and inserts none of the new columns."""
        with as_serving():
            sql(
                f"INSERT INTO {TABLE} (started_at, finished_at, is_proven, seals, items, "
                "last_seal, finding) VALUES (%s, %s, true, 2, 5, 2, '')",
                *[f"{timezone.now():%Y-%m-%d %H:%M:%S}"] * 2,
            )
        settle()
        self.assertEqual(AuditVerification.objects.get().signature, "")
        page = self.page()
        self.assertIn("2 seals, 5 items", page)
        self.assertIn("not signed", page)
        self.assertEqual(items_of(*seal()), [("verification", AuditVerification.objects.get().pk)])

    def test_dates_of_made_up_ones_are_named(self) -> None:
        for days in (-900, 200):
            moment = timezone.now() + timedelta(days=days)
            self.forge(started_at=moment, finished_at=moment)
            with self.assertLogs("hubadmin.audit", "ERROR"):
                seal()
        settle()
        said = self.assert_not_proven("Verification [0-9]+ was dated back")
        self.assertRegex(said, "Verification [0-9]+ was dated ahead")
        self.assertIn("Proven up to seal", said)
        self.assertEqual(AuditSeal.objects.count(), 5)
        self.assertEqual(run("verify_audit_log")[0], 1)
