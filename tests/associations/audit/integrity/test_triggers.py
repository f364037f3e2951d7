"""What the database refuses, whoever asks it."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.test import skipUnlessDBFeature

from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditErasure,
    AuditExport,
    AuditPruning,
    AuditSeal,
    AuditTimestamp,
    AuditVerification,
    RecordNames,
    SecurityEvent,
)
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    BATCH,
    CHECK,
    ENTRY,
    EVENT,
    EXPORT,
    PRUNING,
    SEAL,
    LogTestCase,
    on_postgresql,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.named import NAMES

FIXED = (
    *(AssociationAttempt, AssociationBatch, AssociationCheck),
    *(AuditSeal, AuditPruning, AuditVerification, SecurityEvent, RecordNames, AuditErasure),
    AuditTimestamp,
)
MODELS = (AssociationRequest, AuditExport, *FIXED)
REFUSED = "never change|nothing is deleted|gets another number|log is replaced|is not emptied"
# What the flow fills in later: the answer to an entry, and how an export ended.
ANSWER = {
    *("outcome", "cause", "http_status", "status", "results", "num_errors", "errors", "links"),
    *("requested_at", "started_at", "completed_at", "error_category", "error_text", "body"),
    *("correlation_id", "sent_at", "finished_at"),
    *("was_linked", "verified", "verified_at", "unverified_cause", "batch_id"),
    *("from_merged_into", "to_merged_into", "links_before", "links_after"),
    *("was_linked_at", "look_due"),
}
ENDING = {"state", "rows", "finished_at"}
HIDDEN_IDS = () if on_postgresql() else ("rowid", "oid", "_rowid_")


def columns_of(model: type[Model]) -> list[str]:
    return [*(field.column for field in model._meta.concrete_fields), *HIDDEN_IDS]


class TriggerTestCase(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.closed, self.open = self.entry(submit_key="a"), self.open_entry(submit_key="b")
        self.attempt(self.open)
        self.check(self.closed)
        self.finished = self.export()
        self.running = self.export(state="running", finished_at=None, rows=None)
        self.closed_by(self.batch(self.bulk_run()), 1)
        seal()
        self.pruning(), self.verification(), self.event()
        RecordNames.objects.create(entry=self.closed, from_name="Ada Byron")
        AuditErasure.objects.create(erased_at=self.clock(), by="nobody")
        self.timestamp()
        settle()

    def assert_refused(self, statement: str, *parameters: Any) -> None:
        with (
            self.subTest(statement),
            self.assertRaisesRegex(IntegrityError, REFUSED),
            transaction.atomic(),
        ):
            sql(statement, *parameters)

    def assert_column_is_fixed(self, model: type[Model], column: str, where: str) -> None:
        value = f"{column} + 1000" if column in HIDDEN_IDS else column
        self.assert_refused(f"UPDATE {model._meta.db_table} SET {column} = {value} WHERE {where}")


class ChangeTests(TriggerTestCase):
    def test_no_column_of_a_closed_entry_is_updated(self) -> None:
        for column in columns_of(AssociationRequest):
            self.assert_column_is_fixed(AssociationRequest, column, f"id = {self.closed.pk}")

    def test_nothing_that_an_open_entry_asked_for_is_updated(self) -> None:
        for column in columns_of(AssociationRequest):
            if column not in ANSWER:
                self.assert_column_is_fixed(AssociationRequest, column, f"id = {self.open.pk}")

    def test_the_answer_to_an_open_entry_is_filled_in_once(self) -> None:
        where = f"WHERE id = {self.open.pk}"
        sql(f"UPDATE {ENTRY} SET {', '.join(f'{column} = {column}' for column in ANSWER)} {where}")
        sql(f"UPDATE {ENTRY} SET outcome = 'linked' {where}")
        self.assert_refused(f"UPDATE {ENTRY} SET outcome = 'sending' {where}")

    def test_no_column_of_what_never_changes_is_updated(self) -> None:
        for model in FIXED:
            for column in columns_of(model):
                self.assert_column_is_fixed(model, column, "1 = 1")

    def test_no_column_of_a_finished_export_is_updated(self) -> None:
        for column in columns_of(AuditExport):
            self.assert_column_is_fixed(AuditExport, column, f"id = {self.finished.pk}")

    def test_who_took_which_part_is_not_updated_in_a_running_export_either(self) -> None:
        for column in columns_of(AuditExport):
            if column not in ENDING:
                self.assert_column_is_fixed(AuditExport, column, f"id = {self.running.pk}")

    def test_a_running_export_is_finished(self) -> None:
        sql(
            f"UPDATE {EXPORT} SET state = 'complete', rows = 1, finished_at = started_at "
            "WHERE finished_at IS NULL"
        )

    def test_an_insert_that_would_become_an_update_is_refused(self) -> None:
        self.assert_refused(
            f"INSERT INTO {ENTRY} SELECT * FROM {ENTRY} WHERE id = {self.closed.pk} "
            "ON CONFLICT (id) DO UPDATE SET reason = 'another'"
        )


class RemovalTests(TriggerTestCase):
    def test_nothing_is_deleted(self) -> None:
        for model in MODELS:
            self.assertTrue(model.objects.exists())
            self.assert_refused(f"DELETE FROM {model._meta.db_table}")

    def test_nor_is_what_is_still_open(self) -> None:
        self.assert_refused(f"DELETE FROM {ENTRY} WHERE id = {self.open.pk}")
        self.assert_refused(f"DELETE FROM {EXPORT} WHERE id = {self.running.pk}")

    @skipUnlessDBFeature("has_select_for_update")  # SQLite has no TRUNCATE
    def test_no_table_is_emptied_as_a_whole(self) -> None:
        for table in (
            ATTEMPT,
            CHECK,
            SEAL,
            EXPORT,
            PRUNING,
            EVENT,
            NAMES,
            AuditErasure._meta.db_table,
            AuditTimestamp._meta.db_table,
            f"{ENTRY}, {ATTEMPT}, {CHECK}, {NAMES}",
            f"{BATCH}, {ENTRY}, {ATTEMPT}, {CHECK}, {NAMES}",
        ):
            self.assert_refused(f"TRUNCATE {table}")
        for table in (ENTRY, "hubadmin_user"):
            self.assert_refused(f"TRUNCATE {table} CASCADE")

    @skipUnlessDBFeature("has_select_for_update")
    def test_a_replica_is_refused_all_the_same(self) -> None:
        sql("SET LOCAL session_replication_role = replica")
        for model in MODELS:
            table = model._meta.db_table
            self.assert_refused(f"DELETE FROM {table}")
            self.assert_refused(f"TRUNCATE {table} CASCADE")
        self.assert_column_is_fixed(AssociationRequest, "reason", f"id = {self.closed.pk}")
        for model in FIXED:
            self.assert_column_is_fixed(model, model._meta.pk.column, "1 = 1")
