"""Backups by the real commands: made as the owner, proven by somebody without key and rights."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import psycopg
from django.conf import settings
from django.db import connection
from django.utils import timezone

from associations.audit.backups import folders
from associations.audit.integrity import signing
from tests.associations.audit.integrity.base import LogMixin, on_postgresql
from tests.associations.audit.integrity.processes import database_url, environment, manage

WRITER = "tests.associations.audit.backups.writer"


class BackupMixin(LogMixin):
    def setUp(self) -> None:
        super().setUp()
        self.sealed_log(2)
        self.entry(attempts=0)
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.place = self.folder / "backups"
        self.place.mkdir(mode=0o700)
        self.checker = f"sqlite:///{self.folder / 'nobody.sqlite3'}"
        if on_postgresql():
            self.role = role = f"{connection.settings_dict['NAME']}_check"
            self.addCleanup(self.as_superuser, f"DROP ROLE IF EXISTS {role}")
            self.as_superuser(
                f"DROP ROLE IF EXISTS {role}",
                f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'secret'",
            )
            self.checker = database_url(NAME="postgres", USER=role, PASSWORD="secret")

    def tearDown(self) -> None:
        """Nothing is left of a database that was restored aside."""
        if on_postgresql():
            # Of this process's role, or of a superuser, who is refused; others work beside it.
            left = self.as_superuser(
                "SELECT datname FROM pg_database WHERE datname LIKE 'hubadmin\\_check\\_%' AND "
                f"pg_get_userbyid(datdba) IN ('{self.role}', current_user)"
            )
            self.assertEqual(left, [])
        self.assertFalse((self.folder / "nobody.sqlite3").exists())
        super().tearDown()

    def as_superuser(self, *statements: str) -> list[tuple]:
        with psycopg.connect(database_url(NAME="postgres"), autocommit=True) as database:
            for statement in statements:
                done = database.execute(statement)
            return done.fetchall() if done.description else []

    def backup(self, *arguments: str, code: int = 0, **variables: str) -> str:
        done = manage("backup", str(self.place), *arguments, AUDIT_SIGNING_KEY="", **variables)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        self.assertNotIn("Traceback", said)
        return said

    def made(self) -> list[Path]:
        """Whatever passes for a backup, the newest last."""
        return sorted(self.place.glob("[!.]*"))

    def one_more(self, *arguments: str) -> Path:
        """Make one; there is one a second at most."""
        before = {*self.made()}
        while {folders.name_at(timezone.now())} & {each.name for each in before}:
            time.sleep(0.1)
        self.backup(*arguments)
        (folder,) = {*self.made()} - before
        return folder

    def prove(self, folder: Path, **variables: str) -> tuple[int, str]:
        public = {"AUDIT_SIGNING_KEY": "", "AUDIT_PUBLIC_KEYS": signing.own_key().text}
        public["DATABASE_URL"] = self.checker
        done = manage("check_backup", str(folder), **public | variables)
        said = done.stdout + done.stderr
        self.assertNotIn("Traceback", said)
        return done.returncode, said

    def assert_is_proven(self, folder: Path, **variables: str) -> str:
        code, said = self.prove(folder, **variables)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, f"^Proven: {folder} restores to the log of ")
        return said

    def assert_is_not_proven(self, folder: Path, finding: str, **variables: str) -> None:
        code, said = self.prove(folder, **variables)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, "NOT PROVEN")
        self.assertRegex(said, finding)
        self.assertFalse((folder / folders.PROVEN).exists())

    def database_in(self, folder: Path) -> Path:
        return folder / folders.DATABASES[connection.vendor]

    def forged(self, honest: Path, change: Callable[[], object], **fields: object) -> Path:
        """The honest backup with the database of a changed log, and with hashes that fit it."""
        change()
        other = self.one_more()
        forged = Path(mkdtemp(dir=self.folder)) / honest.name
        shutil.copytree(honest, forged)
        (forged / folders.PROVEN).unlink(missing_ok=True)
        shutil.copyfile(self.database_in(other), self.database_in(forged))
        told = json.loads((forged / folders.MANIFEST).read_text()) | fields
        for name in told["files"]:
            size, sha256 = folders.digest(forged / name)
            told["files"][name] = {"bytes": size, "sha256": sha256}
        (forged / folders.MANIFEST).write_text(json.dumps(told))
        shutil.rmtree(other)
        return forged

    @contextmanager
    def somebody_writes(self) -> Iterator[subprocess.Popen]:
        """Another process that writes entries and seals them, as fast as it can."""
        command = [sys.executable, "-m", WRITER]
        with subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as writer:
            try:
                writer.stdout.readline()
                yield writer
                self.assertIsNone(writer.poll())
            finally:
                writer.kill()

    def instead_of(self, program: str, script: str) -> dict[str, str]:
        """A program of that name that does this, for the environment; `$real` is the true one."""
        folder = Path(self.enterContext(TemporaryDirectory()))
        file = folder / program
        file.write_text(f"#!/bin/sh\nreal={shutil.which(program)}\n{script}\n")
        file.chmod(0o700)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}
