"""SQLite's REPLACE, which deletes without a word: by id and by each unique key."""

import sqlite3
import unittest
from contextlib import closing

from django.db import connection
from django.db.models import Model

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
    CHECK,
    ENTRY,
    EXPORT,
    SEAL,
    CommittedLogTestCase,
    on_postgresql,
    seal,
)

REFUSED = "never change|nothing is deleted|gets another number|in the log is replaced"
IDS = ("rowid", "oid", "_rowid_")
# By which unique key a new row could meet an old one, and what of it is new all the same.
INSERTS: list[tuple[type[Model], set[str]]] = [
    *((model, set()) for model in (AssociationRequest, AssociationAttempt, AuditSeal)),
    *((model, set()) for model in (AssociationCheck, AuditExport, AuditPruning)),
    (AuditVerification, set()),
    (AuditErasure, set()),
    (AuditTimestamp, set()),
    (RecordNames, set()),
    (SecurityEvent, set()),
    (AssociationRequest, {"id"}),
    (AssociationRequest, {"submit_key"}),
    (AssociationRequest, {"id", "submit_key"}),
    (AssociationBatch, set()),
    (AssociationAttempt, {"id"}),
    (AssociationAttempt, {"number"}),
    (AssociationCheck, {"entry_id"}),
    (AuditSeal, {"number"}),
    (AuditSeal, {"head"}),
]


@unittest.skipIf(on_postgresql(), "PostgreSQL has no REPLACE")
class ReplaceTests(CommittedLogTestCase):
    """On a plain connection SQLite does not even ask the trigger that refuses to delete."""

    def setUp(self) -> None:
        super().setUp()
        self.closed, self.open = self.entry(submit_key="a"), self.open_entry(submit_key="b")
        self.attempt(self.open, number=5)
        self.checks = self.check(self.closed), self.check(self.closed)
        self.finished = self.export()
        self.running = self.export(state="running", finished_at=None, rows=None)
        self.pruning(), self.verification(), self.event(), self.erasure(), self.timestamp()
        self.names_of(self.closed)
        self.waiting = self.entries_of(self.bulk_run(), 2)
        self.batch(self.waiting[0].run)
        seal()
        self.entry()
        seal()

    def statements(self) -> list[str]:
        found = []
        for model, new in INSERTS:
            table, columns = model._meta.db_table, [f.column for f in model._meta.concrete_fields]
            values = ", ".join("1000" if column in new else column for column in columns)
            names = ", ".join(columns)
            for verb in ("REPLACE", "INSERT OR REPLACE"):
                which = "WHERE run_id IS NOT NULL " if new == {"id", "submit_key"} else ""
                rows = f"SELECT {values} FROM {table} {which}LIMIT 1"
                found.append(f"{verb} INTO {table} ({names}) {rows}")
        names = ", ".join(field.column for field in AuditSeal._meta.concrete_fields)
        found += [
            # The only table whose row number is not its key.
            f"REPLACE INTO {SEAL} ({hidden}, {names}) "
            f"SELECT {hidden}, 1000, sealed_at, manifest, '1000', signature FROM {SEAL} LIMIT 1"
            for hidden in IDS
        ]
        first, second = self.checks
        for name in ("id", *IDS):
            to_closed, to_finished = f"{name} = {self.closed.pk}", f"{name} = {self.finished.pk}"
            found += [
                f"UPDATE OR REPLACE {ENTRY} SET {to_closed} WHERE id = {self.open.pk}",
                f"UPDATE OR REPLACE {EXPORT} SET {to_finished} WHERE id = {self.running.pk}",
            ]
        return [
            *found,
            f"UPDATE OR REPLACE {ENTRY} SET submit_key = 'a' WHERE id = {self.open.pk}",
            f"UPDATE OR REPLACE {ENTRY} SET row_number = 1 WHERE id = {self.waiting[1].pk}",
            f"UPDATE OR REPLACE {ATTEMPT} SET request_id = {self.closed.pk}, number = 1",
            f"UPDATE OR REPLACE {CHECK} SET id = {first.pk} WHERE id = {second.pk}",
            f"UPDATE OR REPLACE {SEAL} SET number = 1 WHERE number = 2",
        ]

    def assert_refused(self, database: sqlite3.Connection) -> None:
        for statement in self.statements():
            database.execute("BEGIN IMMEDIATE")
            with self.subTest(statement), self.assertRaisesRegex(sqlite3.IntegrityError, REFUSED):
                database.execute(statement)
            database.execute("ROLLBACK")

    def test_is_refused_on_a_connection_of_the_application(self) -> None:
        with connection.cursor() as cursor:
            self.assertEqual(cursor.execute("PRAGMA recursive_triggers").fetchone(), (1,))
        self.assert_refused(connection.connection)

    def test_is_refused_on_a_plain_connection(self) -> None:
        name = connection.settings_dict["NAME"]
        with closing(sqlite3.connect(name, isolation_level=None)) as database:
            self.assertEqual(database.execute("PRAGMA recursive_triggers").fetchone(), (0,))
            self.assert_refused(database)
