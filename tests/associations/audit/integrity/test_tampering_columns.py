"""Every column of every table counts, and what cannot even be read is named, too."""

from django.db.models import Field, Model
from django.test import tag

from associations.audit.integrity.chain_verification import NAMES
from associations.audit.integrity.serialization import KINDS
from associations.models import AssociationAttempt, AuditSeal, AuditTimestamp
from tests.associations.audit.integrity.authority import needs_openssl
from tests.associations.audit.integrity.base import (
    ENTRY,
    LogTestCase,
    as_owner,
    on_postgresql,
    sql,
    undone,
)
from tests.associations.audit.integrity.stamped import StampedMixin
from tests.associations.audit.integrity.tampering import TamperTestCase
from tests.support import person

CHANGES: dict[str, str] = {
    "Integer": "COALESCE({0}, 0) + 1",
    "Boolean": "NOT COALESCE({0}, FALSE)",
    "JSON": """'{{"another": 1}}'""",
    "DateTime": "'2001-01-01 00:00:00'",
    "GenericIP": "'2001:db8::99'",
    "ForeignKey": "(SELECT max(id) FROM {1})",
    "": "'x' || SUBSTR(COALESCE({0}, ''), 2)",
}


class ColumnMixin:
    def change(self, field: Field) -> str:
        kind = field.get_internal_type()
        table = field.related_model._meta.db_table if field.is_relation else ""
        change = next(change for part, change in CHANGES.items() if part in kind)
        return change.format(f'"{field.column}"', table)

    def assert_each_column_counts(self, model: type[Model], pk: int, finding: str) -> None:
        self.assert_proven()
        for field in model._meta.concrete_fields:
            if field.primary_key:
                continue
            with self.subTest(model.__name__, column=field.column), undone():
                with as_owner():
                    table, where = model._meta.db_table, f"{model._meta.pk.column} = {pk}"
                    sql(f'UPDATE {table} SET "{field.column}" = {self.change(field)} WHERE {where}')
                self.assert_not_proven(f"^NOT PROVEN. {finding}")


@tag("long")
class ColumnTests(ColumnMixin, TamperTestCase):
    """Every column of every table counts, whatever its type."""

    def test_of_each_kind(self) -> None:
        person("somebody else", "admin")
        self.moment = self.seals[-1].sealed_at
        event = self.event(run=self.bulk_run(), client_ip="192.0.2.7")
        self.bulk_run()
        # Of a seal that there is not: the first one would count as the new start of the chain.
        pruning = self.pruning(last_seal=10**6, is_signed=True)
        verification = self.verification(head="a", finding="b", signature="c")
        erasure = self.erasure()
        self.seal_all()
        rows = {"entry": self.second[0].pk, "attempt": self.late.pk, "check": self.checks[0].pk}
        rows |= {"batch": self.batches[1].pk, "export": self.taken.pk, "pruning": pruning.pk}
        rows |= {"event": event.pk, "verification": verification.pk, "erasure": erasure.pk}
        self.assertEqual(rows.keys(), KINDS.keys() - {"timestamp"})
        for kind, pk in rows.items():
            finding = f"{NAMES[kind]} {pk} was altered"
            if kind == "attempt":  # one that is called in time is a part of its entry
                finding = f"({finding}|Entry {self.second[0].pk} was altered)"
            self.assert_each_column_counts(KINDS[kind], pk, finding)

    def test_of_an_attempt_within_an_entry(self) -> None:
        attempt, entry = self.first[1].attempts.last().pk, self.first[1].pk
        self.assert_each_column_counts(AssociationAttempt, attempt, f"Entry {entry} was altered")

    def test_of_a_seal(self) -> None:
        self.assert_each_column_counts(AuditSeal, 3, "Seal 3 was (altered|rewritten)")


@tag("long")
@needs_openssl
class TimestampColumnTests(StampedMixin, ColumnMixin, LogTestCase):
    """And of one, which nothing proves but an authority's answer."""

    def test_of_a_timestamp(self) -> None:
        self.stamped_log()
        pk = AuditTimestamp.objects.earliest("pk").pk
        self.assert_each_column_counts(AuditTimestamp, pk, f"Timestamp {pk} was altered")


SPOILT = (
    {"created_at": "'infinity'", "finished_at": "'20000-01-01'"}
    if on_postgresql()
    else {
        "error_text": "CAST(x'ff' AS TEXT)",
        "created_at": "'2026-13-45 00:00:00'",
        "finished_at": "'soon'",
        "http_status": "'many'",
        "results": "'{'",
        "user_name": "x'00ff'",
    }
)


class UnreadableTests(TamperTestCase):
    """A database takes more than can be read back: that is named as well."""

    def test_values_that_cannot_be_read(self) -> None:
        pk = self.second[0].pk
        for column, value in {**SPOILT, "errors": f"'{'[' * 3000}{']' * 3000}'"}.items():
            with self.subTest(column), undone():
                with as_owner():
                    self.unchecked(f"UPDATE {ENTRY} SET {column} = {value} WHERE id = {pk}")
                name = f"write {value[:24]} into {column}"
                self.assert_found(name, f"Entry {pk} was altered")

    def unchecked(self, statement: str) -> None:
        pragma = "" if on_postgresql() else "PRAGMA ignore_check_constraints = %s"
        for each in (pragma % "ON", statement, pragma % "OFF") if pragma else (statement,):
            sql(each)
