"""A migration on PostgreSQL while somebody has a table in use: nobody waits for it."""

import sys
import unittest

import psycopg

from associations.audit.integrity import triggers
from tests.associations.audit.integrity.base import ENTRY, on_postgresql
from tests.associations.audit.integrity.processes import MANAGE, database_url, environment
from tests.associations.migrating import APP, MigrationTestCase, migrate
from tests.identity.processes import Process

BEFORE, NEXT = "0018_sweep", "0019_looks"  # which adds columns to the entries
SECONDS = 60
ANYBODY = f"SELECT count(*) FROM {ENTRY}"


@unittest.skipUnless(on_postgresql(), "on SQLite servers are stopped for it")
class WaitingTests(MigrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.entry(reason="SUP-1")
        migrate(BEFORE)

    def migration(self) -> Process:
        command = [sys.executable, str(MANAGE), "migrate", APP, NEXT]
        return self.enterContext(Process(command, env=environment()))

    def test_it_gives_way_and_tries_again(self) -> None:
        with psycopg.connect(database_url()) as reading:
            reading.execute(ANYBODY)
            migration = self.migration()
            migration.output_with("A table is in use; trying again.", seconds=SECONDS)
            with psycopg.connect(database_url(), options="-c statement_timeout=5s") as another:
                self.assertEqual(another.execute(ANYBODY).fetchall(), [(1,)])
            self.assertIsNone(migration._process.poll(), migration.output())
        self.assertEqual(migration._process.wait(SECONDS), 0, migration.output())
        self.assertIn(f"Applying {APP}.{NEXT}", migration.output())

    def test_the_log_is_guarded_all_the_while(self) -> None:
        before = triggers.problems()
        with psycopg.connect(database_url()) as reading:
            reading.execute(ANYBODY)
            migration = self.migration()
            migration.output_with("A table is in use; trying again.", seconds=SECONDS)
            with self.assertRaises(psycopg.errors.IntegrityError):
                reading.execute(f"DELETE FROM {ENTRY}")
            self.assertEqual(triggers.problems(), before)
        self.assertEqual(migration._process.wait(SECONDS), 0, migration.output())
