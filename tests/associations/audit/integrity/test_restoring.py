"""A backup that is restored is proven at once; what was changed in it is found."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import psycopg
from django.db import connection

from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    CommittedLogTestCase,
    on_postgresql,
    seal,
)
from tests.associations.audit.integrity.processes import database_url, manage
from tests.support import needed

CLOSED = "hubadmin_associationrequest_closed"
PROGRAMS = ("pg_dump", "pg_restore", "psql")


@unittest.skipUnless(on_postgresql(), "SQLite's backup is a copy of the file")
@needed(all(map(shutil.which, PROGRAMS)), " or ".join(PROGRAMS))
class RestoringTests(CommittedLogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sealed_log(2)
        self.late_attempt(self.entry()), self.check(self.entry()), self.export()
        self.closed_by(self.batch(self.bulk_run()), 2), self.open_entry()
        seal()
        self.name = f"{connection.settings_dict['NAME']}_restored"
        self.role = {"NAME": self.name, "USER": f"{self.name}_owner", "PASSWORD": "secret"}
        self.addCleanup(self.execute, *self.away())
        self.execute(
            *self.away(),
            f"CREATE ROLE {self.role['USER']} LOGIN PASSWORD 'secret'",
            f"CREATE DATABASE {self.name} OWNER {self.role['USER']}",
        )
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def away(self) -> list[str]:
        return [
            f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)",
            f"DROP ROLE IF EXISTS {self.role['USER']}",
        ]

    def execute(self, *statements: str, **changes: str) -> None:
        with psycopg.connect(database_url(**changes), autocommit=True) as database:
            for statement in statements:
                database.execute(statement)

    def program(self, name: str, *arguments: str, **changes: str) -> None:
        address = f"--dbname={database_url(**changes)}"
        done = subprocess.run(
            [name, address, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)

    def dump(self, form: str, **changes: str) -> str:
        file = str(self.folder / f"dump.{form}")
        self.program("pg_dump", f"--format={form}", "--no-owner", f"--file={file}", **changes)
        return file

    def restore(self, form: str, file: str) -> None:
        """As somebody else, who owns that database."""
        if form == "plain":
            options = ("--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
            self.program("psql", *options, f"--file={file}", **self.role)
        else:
            self.program("pg_restore", "--no-owner", "--exit-on-error", file, **self.role)

    def verified(self) -> tuple[int, str]:
        done = manage(
            "verify_audit_log",
            "--head",
            AuditSeal.objects.last().head,
            DATABASE_URL=database_url(**self.role),
        )
        return done.returncode, done.stdout + done.stderr

    def test_it_is_proven_at_once(self) -> None:
        for form in ("custom", "plain", "tar"):
            with self.subTest(form):
                self.execute(
                    self.away()[0], f"CREATE DATABASE {self.name} OWNER {self.role['USER']}"
                )
                self.restore(form, self.dump(form))
                code, said = self.verified()
                self.assertEqual(code, 0, said)
                self.assertIn("The newest seal is the one whose head you gave.", said)

    def test_and_once_more_from_what_was_restored(self) -> None:
        self.restore("custom", self.dump("custom"))
        again = self.dump("plain", NAME=self.name)
        self.execute(self.away()[0], f"CREATE DATABASE {self.name} OWNER {self.role['USER']}")
        self.restore("plain", again)
        code, said = self.verified()
        self.assertEqual(code, 0, said)

    def test_a_condition_that_was_changed_is_found_there(self) -> None:
        self.restore("custom", self.dump("custom"))
        (definition,) = (
            psycopg.connect(database_url(**self.role))
            .execute(f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{CLOSED}'")
            .fetchone()
        )
        for old, new in (("'sending'", "'linked'"), ("WHEN (", "WHEN (false AND ")):
            with self.subTest(new):
                changed = definition.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER")
                self.assertIn(old, changed)
                self.execute(
                    changed.replace(old, new),
                    f"ALTER TABLE {ENTRY} ENABLE ALWAYS TRIGGER {CLOSED}",
                    **self.role,
                )
                code, said = self.verified()
                self.assertEqual(code, 1)
                self.assertIn(f"These triggers are missing or changed: {CLOSED}.", said)

    def test_migrating_has_nothing_to_do_there(self) -> None:
        self.restore("custom", self.dump("custom"))
        before = self.triggers()
        done = manage("migrate", DATABASE_URL=database_url(**self.role))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.triggers(), before)

    def triggers(self) -> list[tuple]:
        statement = "SELECT oid, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
        with psycopg.connect(database_url(**self.role)) as database:
            return database.execute(statement).fetchall()
