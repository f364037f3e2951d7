"""What the tests of the seals share: a log to seal, a clock to set, and the owner's SQL."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.test import TestCase
from django.utils import timezone

from associations.audit.integrity import signing, triggers
from associations.audit.integrity.candidates import SEALABLE
from associations.audit.integrity.manifest import read
from associations.audit.integrity.sealing import seal_log
from associations.audit.integrity.serialization import KINDS
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
    BulkRun,
    RecordNames,
    SecurityEvent,
)
from tests.associations.linking.base import entry_of
from tests.support import LogTransactionTestCase, person

ENTRY, ATTEMPT, CHECK, BATCH, SEAL, EXPORT, PRUNING, EVENT = (
    model._meta.db_table
    for model in (
        *(AssociationRequest, AssociationAttempt, AssociationCheck, AssociationBatch),
        *(AuditSeal, AuditExport, AuditPruning, SecurityEvent),
    )
)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def sql(statement: str, *parameters: Any) -> list[tuple]:
    """Run one statement as it stands; return what it gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def settle() -> None:
    """Let PostgreSQL check its keys now; with checks still to come it alters no table."""
    if on_postgresql():
        sql("SET CONSTRAINTS ALL IMMEDIATE")


@contextmanager
def as_owner() -> Iterator[None]:
    """The owner of the tables at work: no guard and no constraint stands in the way."""
    settle()
    with unchecked(), triggers.lifted():
        yield


_CHECKS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', conrelid::regclass, conname,
              regexp_replace(pg_get_constraintdef(oid), ' NOT VALID$', ''))
FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text LIKE 'associations\\_%'
-- The limiter has a connection of its own, which would wait for ours.
AND conrelid::regclass::text <> 'associations_callslot'
"""


@contextmanager
def unchecked() -> Iterator[None]:
    """Tables that take whatever their columns can hold."""
    if not on_postgresql():
        sql("PRAGMA ignore_check_constraints = ON")
        try:
            yield
        finally:
            sql("PRAGMA ignore_check_constraints = OFF")
        return
    settle()
    checks = sql(_CHECKS)
    for drop, _ in checks:
        sql(drop)
    yield
    settle()
    for _, add in checks:
        sql(add)


@contextmanager
def undone() -> Iterator[None]:
    """What is done in here is undone afterwards, whatever becomes of it."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """The clock that seals are made by."""
    with mock.patch(
        "associations.audit.integrity.sealing.timezone", SimpleNamespace(now=lambda: moment)
    ):
        yield


def seal(at: datetime | None = None) -> list[AuditSeal]:
    """Seal all that there is."""
    if at is None:
        return list(seal_log())
    with clock_at(at):
        return list(seal_log())


@contextmanager
def before_there_were(kind: str) -> Iterator[None]:
    """Seal as the version did that knew no items of this kind."""
    with mock.patch.dict(KINDS):
        del KINDS[kind]
        yield


def items_of(*seals: AuditSeal) -> list[tuple[str, int]]:
    return [(kind, number) for each in seals for kind, number, _ in read(each.manifest).items]


def sealed_and_closed() -> tuple[Counter, Counter]:
    """How often each item is in a seal, and what should be in exactly one."""
    rows = {kind: KINDS[kind].objects.filter(SEALABLE[kind]) for kind in KINDS}
    closed = [(kind, pk) for kind in KINDS for pk in rows[kind].values_list("pk", flat=True)]
    return Counter(items_of(*AuditSeal.objects.all())), Counter(closed)


def run(command: str | BaseCommand, *arguments: str, **options: Any) -> tuple[int, str]:
    """Run a command; return its exit code and what it says."""
    said = StringIO()
    try:
        call_command(command, *arguments, stdout=said, stderr=said, **options)
    except CommandError as error:
        return error.returncode, f"{said.getvalue()}{error}"
    return 0, said.getvalue()


class LogMixin:
    """Somebody's entries, straight into the database, as the flow leaves them."""

    moment: datetime | None = None  # by the clock of whoever writes; None is now

    def setUp(self) -> None:
        super().setUp()
        self.user = person("admin")

    def clock(self) -> datetime:
        if self.moment is None:
            return timezone.now()
        self.moment += timedelta(milliseconds=1)
        return self.moment

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """What is written in here is written then."""
        before, self.moment = self.moment, moment
        try:
            yield
        finally:
            self.moment = before

    def entry(self, attempts: int = 1, **fields: Any) -> AssociationRequest:
        """A closed entry."""
        entry = entry_of(self.user, **self.dated(fields))
        for number in range(1, attempts + 1):
            self.attempt(entry, number=number)
        return entry

    def open_entry(self, **fields: Any) -> AssociationRequest:
        values = {"outcome": "sending", "cause": "", "finished_at": None} | fields
        return entry_of(self.user, **self.dated(values))

    def dated(self, fields: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(["created_at", "sent_at", "finished_at"], self.clock()) | fields

    def close(self, entry: AssociationRequest) -> None:
        AssociationRequest.objects.filter(pk=entry.pk).update(
            outcome="linked", cause="confirmed", finished_at=self.clock()
        )

    def attempt(self, entry: AssociationRequest, **fields: Any) -> AssociationAttempt:
        values = {"number": 1, "started_at": self.clock(), "duration_ms": 95, "http_status": 200}
        values |= {"headers": {"Content-Type": "application/json"}, "body": '{"status": "done"}'}
        return AssociationAttempt.objects.create(request=entry, **(values | fields))

    def late_attempt(self, entry: AssociationRequest, **fields: Any) -> AssociationAttempt:
        return self.attempt(entry, **({"number": 9, "late": True} | fields))

    def check(self, entry: AssociationRequest, **fields: Any) -> AssociationCheck:
        values = {"user": self.user, "user_name": self.user.name, "checked_at": self.clock()}
        values |= {"duration_ms": 80, "is_linked": True, "request_id": "r-1"}
        values |= {"types": [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]}
        return AssociationCheck.objects.create(entry=entry, **(values | fields))

    def bulk_run(self, **fields: Any) -> BulkRun:
        values = {"user": self.user, "user_name": self.user.name, "name": "pairs.csv"}
        values |= {"state": "running", "created_at": self.clock()}
        return BulkRun.objects.create(**(values | fields))

    def batch(self, run: BulkRun, **fields: Any) -> AssociationBatch:
        values = {"from_object_type": "contacts", "to_object_type": "companies", "inputs": 2}
        values |= {"started_at": self.clock(), "duration_ms": 210, "http_status": 200}
        values |= {"headers": {"Content-Type": "application/json"}, "body": '{"results": []}'}
        return AssociationBatch.objects.create(
            run=run, **({"cause": "confirmed"} | values | fields)
        )

    def entries_of(self, run: BulkRun, count: int, **fields: Any) -> list[AssociationRequest]:
        """Entries of a run that wait, but for these fields."""
        first = run.entries.count() + 1
        values = {"outcome": "queued", "cause": "", "sent_at": None, "finished_at": None}
        values |= {"run": run, "attempts": 0} | fields
        return [self.entry(**values, row_number=first + n) for n in range(count)]

    def closed_by(self, batch: AssociationBatch, count: int) -> list[AssociationRequest]:
        """Entries of a run, and the batch that closed them."""
        told = {"outcome": "linked", "cause": "confirmed", "finished_at": self.clock()}
        return self.entries_of(batch.run, count, **told, batch=batch, sent_at=self.clock())

    def export(self, **fields: Any) -> AuditExport:
        """A finished export."""
        now = self.clock()
        values = {"user": self.user, "user_name": self.user.name, "format": "csv", "rows": 3}
        values |= {"started_at": now, "finished_at": now, "state": "complete"}
        return AuditExport.objects.create(**(values | fields))

    def pruning(self, *, is_signed: bool = False, **fields: Any) -> AuditPruning:
        values = {"pruned_at": self.clock(), "last_seal": 1, "head": "0" * 64, "items": 1}
        values |= {"archive_name": "a.jsonl", "archive_sha256": "0" * 64}
        row = AuditPruning(**(values | fields))
        if is_signed:
            row.signature = signing.sign(row.statement)
        row.save(force_insert=True)
        return row

    def erasure(self, **fields: Any) -> AuditErasure:
        values = {"erased_at": self.clock(), "by": "root", "records": ["contacts/501"]}
        row = AuditErasure(**(values | {"entries": {"from": "1"}} | fields))
        row.signature = signing.sign(row.statement)
        row.save(force_insert=True)
        return row

    def timestamp(self, **fields: Any) -> AuditTimestamp:
        """One of no authority, for tests that are about rows."""
        values = {"asked_at": self.clock(), "told_at": self.clock(), "seal": 1, "head": "0" * 64}
        row = AuditTimestamp(
            **(values | {"policy": "1.2", "serial": "1", "token": "MAA="} | fields)
        )
        row.signature = signing.sign(row.statement)
        row.save(force_insert=True)
        return row

    def names_of(self, entry: AssociationRequest) -> RecordNames:
        return RecordNames.objects.create(entry=entry, from_name="Ada Byron", from_salt="5a1")

    def event(self, **fields: Any) -> SecurityEvent:
        values = {"at": self.clock(), "what": "signed_in", "user": self.user}
        values |= {"user_name": self.user.name, "facts": {"file": "a.csv"}, "request_id": "r-1"}
        return SecurityEvent.objects.create(**(values | fields))

    def verification(self, **fields: Any) -> AuditVerification:
        values = {"started_at": self.clock(), "finished_at": self.clock(), "is_proven": True}
        return AuditVerification.objects.create(**(values | {"seals": 1, "items": 1} | fields))

    def sealed_log(self, seals: int = 3, since: datetime = LONG_AGO) -> list[AuditSeal]:
        """A log of some seals, a day apart, each of two entries; the second one has some of all."""
        made = []
        for day in range(seals):
            with self.at(since + timedelta(days=day)):
                first = self.entry(reason=f"SUP-{day}", error_text=f"the error {day}")
                self.entry(attempts=2)
                if day == 1:
                    self.late_attempt(first)
                    self.check(first)
                    self.export()
            made += seal(at=since + timedelta(days=day))
        settle()
        return made

    def assert_proven(self, *arguments: str) -> str:
        code, said = run("verify_audit_log", *arguments)
        self.assertEqual(code, 0, said)
        self.assertIn("Proven up to seal", said)
        return said

    def assert_not_proven(self, finding: str, *arguments: str) -> str:
        code, said = run("verify_audit_log", *arguments)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, finding)
        return said


class LogTestCase(LogMixin, TestCase):
    pass


class CommittedLogTestCase(LogMixin, LogTransactionTestCase):
    """A log that other connections see."""


def skip_a_number(table: str) -> int:
    """Let a number go by, as an insert that was rolled back does on PostgreSQL; return it."""
    if on_postgresql():
        return sql(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")[0][0]
    sql("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = %s", table)
    return sql("SELECT seq FROM sqlite_sequence WHERE name = %s", table)[0][0]


def give_up_to(number: int, table: str = ENTRY) -> None:
    """Have the database have given the numbers up to this one, by transactions that failed, say."""
    if on_postgresql():
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        sql(f"SELECT setval({sequence}, GREATEST({number}, pg_sequence_last_value({sequence})))")


def let_in_anything(table: str) -> None:
    """Take what a release without any CHECK has taken."""
    if not on_postgresql():
        sql("PRAGMA ignore_check_constraints = ON")
        return
    settle()
    checks = f"contype = 'c' AND conrelid = '{table}'::regclass"
    for (name,) in sql(f"SELECT conname FROM pg_constraint WHERE {checks}"):
        sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


def refuse_rows_in(table: str, why: str, *, integrity: bool = False) -> None:
    """Let the database take no new row there, as if its disk was full."""
    if on_postgresql():
        code = "integrity_constraint_violation" if integrity else "disk_full"
        body = f"BEGIN RAISE EXCEPTION '{why}' USING ERRCODE = '{code}'; END"
        sql(f"CREATE FUNCTION refuse_rows() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        sql(f"CREATE TRIGGER refused BEFORE INSERT ON {table} EXECUTE FUNCTION refuse_rows()")
    else:  # always a violation of integrity
        body = f"SELECT RAISE(ABORT, '{why}')"
        sql(f"CREATE TRIGGER refused BEFORE INSERT ON {table} BEGIN {body}; END")
