"""A backup that is taken while others write is whole, proven, and found out if it was changed."""

import fcntl
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
import unittest
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection
from django.test import override_settings, tag

from associations.audit.backups import folders
from associations.audit.backups.folders import BackupError, Manifest
from associations.audit.integrity import triggers
from associations.audit.integrity.heads_file import HeadsFile
from associations.audit.integrity.serialization import format_moment
from associations.models import AssociationRequest, AuditSeal
from hubadmin import __version__
from tests.associations.audit.backups.base import BackupMixin
from tests.associations.audit.integrity.base import (
    ENTRY,
    SEAL,
    CommittedLogTestCase,
    on_postgresql,
    seal,
    sql,
)
from tests.associations.audit.integrity.processes import Process, database_url
from tests.support import needed

NO_PROGRAM, NO_RIGHTS, NO_ROOM, NOT_PRIVATE = 3, 4, 5, 6
programs = needed(
    not on_postgresql() or all(map(shutil.which, ("pg_dump", "pg_restore"))), "pg_dump, pg_restore"
)


@tag("long")
@programs
class BackupTests(BackupMixin, CommittedLogTestCase):
    def test_it_is_whole_and_for_this_account_alone(self) -> None:
        os.umask(os.umask(0))
        folder = self.one_more()
        self.assertRegex(folder.name, r"^hubadmin-\d{8}T\d{6}Z$")
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
        database = self.database_in(folder).name
        self.assertEqual(files, dict.fromkeys([database, "head", "manifest.json"], 0o600))
        told = json.loads((folder / "manifest.json").read_text())
        last = AuditSeal.objects.last()
        self.assertEqual(told["seal"], {"number": last.number, "head": last.head})
        self.assertEqual((folder / "head").read_text(), f"{last.head}\n")
        self.assertEqual(told["entries"], AssociationRequest.objects.count())
        self.assertEqual(
            (told["version"], told["database"]["kind"]), (__version__, connection.vendor)
        )
        self.assertIn("associations.0001_initial", told["migrations"])
        self.assertEqual({*told["files"]}, {database, "head"})

    def test_it_is_proven_without_the_key_and_says_so(self) -> None:
        folder = self.one_more()
        said = self.assert_is_proven(folder)
        self.assertIn("whole with its 5 entries, unaltered up to seal 2.", said)
        self.assertIn("Closed since, and in no seal yet: 1.", said)
        self.assertIn("The newest seal is the one whose head you gave.", said)
        self.assertTrue(folders.is_proven(folder))

    def test_others_write_meanwhile(self) -> None:
        counts, made = [], []
        with self.somebody_writes():
            for _ in range(3):
                before = AssociationRequest.objects.count()
                made.append(self.one_more())
                held = Manifest.read(made[-1]).contents.entries
                # Whatever was there before it began, and nothing that came after its end.
                self.assertLessEqual(before, held)
                self.assertLessEqual(held, AssociationRequest.objects.count())
                time.sleep(1)
        for folder in made:
            said = self.assert_is_proven(folder)
            counts.append(int(re.search(r"with its (\d+) entries", said)[1]))
        self.assertEqual(counts, sorted({*counts}))

    def test_whatever_is_changed_in_it_is_found(self) -> None:
        folder = self.one_more()
        database = self.database_in(folder)
        whole = database.read_bytes()
        for place in (40, len(whole) // 2, len(whole) - 1):
            changed = bytearray(whole)
            changed[place] ^= 1
            database.write_bytes(changed)
            self.assert_is_not_proven(folder, f"{database.name} was changed since")
        database.write_bytes(whole[:-1])
        self.assert_is_not_proven(folder, f"{database.name} was changed since")
        database.unlink()
        self.assert_is_not_proven(folder, f"{database.name} cannot be read: No such file")

    def test_so_is_what_was_changed_by_somebody_who_wrote_the_hashes_anew(self) -> None:
        """All but a row that no seal held is found by the seals, and that by its number."""
        honest, pk = self.one_more(), AssociationRequest.objects.first().pk
        self.assert_is_proven(self.forged(honest, lambda: None))  # it is the change that is found
        changes = (
            (f"UPDATE {ENTRY} SET reason = 'x' WHERE id = {pk}", f"Entry {pk} was altered"),
            (f"DELETE FROM {SEAL} WHERE number = 2", "No seal has the head|newest seal is 1,"),
            (f"DELETE FROM {ENTRY} WHERE id = (SELECT max(id) FROM {ENTRY})", "It has 4 entries"),
        )
        for statement, finding in changes:
            with self.subTest(statement), Changed(statement) as change:
                self.assert_is_not_proven(self.forged(honest, change), finding)

    def test_a_seal_that_is_cut_off_in_all_of_it_is_found_by_heads_elsewhere(self) -> None:
        heads = self.folder / "heads"
        elsewhere = {"AUDIT_HEADS_FILE": str(heads)}
        with override_settings(AUDIT_HEADS_FILE=str(heads)):
            HeadsFile().keep()
        honest = self.one_more()
        self.entry()
        seal()
        with override_settings(AUDIT_HEADS_FILE=str(heads)):
            HeadsFile().keep()
        # What was sealed since is no alarm.
        self.assertEqual(heads.read_text().count("\n"), 3)
        self.assert_is_proven(honest, **elsewhere)
        first = AuditSeal.objects.first()
        with Changed(f"DELETE FROM {SEAL} WHERE number > 1") as change:
            told = {"number": 1, "head": first.head}
            forged = self.forged(honest, change, seal=told)
            self.assert_is_not_proven(
                forged, "The seals after seal 1 are gone: .*heads knew seal 2", **elsewhere
            )

    def test_so_is_one_that_says_it_was_taken_before_that(self) -> None:
        """Heads of later are no alarm: so the folder's name, noted elsewhere, has to agree."""
        honest = self.one_more()
        taken_at = Manifest.read(honest).taken_at
        earlier = format_moment(taken_at - timedelta(hours=1))
        forged = self.forged(honest, lambda: None, taken_at=earlier)
        self.assert_is_not_proven(forged, "has another name than a backup of")
        there = f"{taken_at:%Y-%m-%dT%H:%M:%S}+14:00"  # the same digits of another day
        elsewhere = self.forged(honest, lambda: None, taken_at=there)
        self.assert_is_not_proven(elsewhere, "is not as `backup` writes it")
        forged.rename(forged.with_name("renamed"))
        self.assert_is_not_proven(forged.with_name("renamed"), "has another name than")

    def test_another_head_beside_it_is_found(self) -> None:
        folder = self.one_more()
        manifest = folder / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(text.replace(AuditSeal.objects.last().head, "0" * 64))
        self.assert_is_not_proven(folder, "No seal has the head 0000")

    def test_a_manifest_that_is_none_is_a_sentence(self) -> None:
        folder = self.one_more()
        manifest = folder / "manifest.json"
        text = manifest.read_text()
        told = json.loads(text)
        others = [
            {"entries": float("inf")},
            {"taken_at": "0001-01-01T00:00:00Z"},
            {"taken_at": "2026-11-29T00:00:00"},
            {"seal": {"number": 1, "head": "a\0"}},
            {"version": "\ud800"},
            {"database": {"kind": "other", "version": "1"}},
            {"files": {"../head": {"bytes": 1, "sha256": ""}}},
        ]
        texts = [json.dumps(told | other) for other in others]
        foreign = text.replace("hubadmin-backup 1", "x")
        for changed in ("", "[]", "[" * 9999, foreign, text[:-9], *texts):
            manifest.write_text(changed)
            with self.subTest(changed[:40]), self.assertRaisesRegex(BackupError, "is not as"):
                Manifest.read(folder)
        self.assert_is_not_proven(folder, "is no backup of this version: its manifest.json")
        manifest.unlink()
        self.assert_is_not_proven(folder, "is no backup: its manifest.json cannot be read")

    def test_one_of_another_release_says_by_which_to_check_it(self) -> None:
        of_ours = "FROM django_migrations WHERE app = 'associations'"
        ((number, name),) = sql(f"SELECT id, name {of_ours} ORDER BY name DESC LIMIT 1")
        sql(f"UPDATE django_migrations SET name = 'unknown' WHERE id = {number}")
        try:
            folder = self.one_more()
        finally:
            sql(f"UPDATE django_migrations SET name = '{name}' WHERE id = {number}")
        self.assert_is_not_proven(
            folder, f"is of version {__version__}.*{name}.*Check it with the version"
        )

    def test_killed_in_the_middle_nothing_passes_for_a_backup(self) -> None:
        variables = {}
        if on_postgresql():
            script = '[ "$1" = --version ] && exec $real --version\n$real "$@" | head -c 2000\n'
            variables = self.instead_of("pg_dump", f"{script}while echo x; do sleep 0.1; done")
        for _ in range(10):
            process = Process("backup", str(self.place), **variables)
            while process.poll() is None and not any(self.place.iterdir()):
                pass
            process.send_signal(signal.SIGKILL)
            process.finish()
            if [*self.place.glob(".*.part")]:
                break
            for each in self.made():
                shutil.rmtree(each)
        (part,) = self.place.iterdir()
        self.assertEqual(self.made(), [])
        self.assert_is_not_proven(part, "is no backup: its manifest.json cannot be read")
        folder = self.one_more()
        self.assertEqual([*self.place.iterdir()], [folder])
        self.assert_is_proven(folder)

    def test_older_ones_go_but_not_the_newest_that_was_proven(self) -> None:
        proven, other = self.one_more(), self.one_more()
        self.assert_is_proven(proven)
        not_ours = self.place / "hubadmin-2025"
        not_ours.mkdir()
        (self.place / "hubadmin-20250101T000000Z").symlink_to(not_ours)
        newest = self.one_more("--keep", "1")
        self.assertFalse(other.exists())
        kept = {proven, newest, not_ours, self.place / "hubadmin-20250101T000000Z"}
        self.assertEqual({*self.place.iterdir()}, kept)
        # A mark that was put beside another manifest is none.
        shutil.copy(proven / folders.PROVEN, newest / folders.PROVEN)
        self.assertFalse(folders.is_proven(newest))

    def test_none_is_made_where_others_may_write_or_there_is_no_folder(self) -> None:
        for mode in (0o720, 0o702, 0o777, 0o1777):
            self.place.chmod(mode)
            said = self.backup(code=NOT_PRIVATE)
            self.assertIn(f"Others may write to {self.place}.", said)
        self.place.rmdir()
        self.assertIn("is no folder that can be used: No such file", self.backup(code=1))
        self.place.write_text("")
        self.assertIn("is no folder that can be used: Not a directory", self.backup(code=1))

    def test_two_at_once_are_one(self) -> None:
        opened = os.open(self.place, os.O_RDONLY)
        self.addCleanup(os.close, opened)
        fcntl.flock(opened, fcntl.LOCK_EX)
        self.assertIn("Another backup is being made", self.backup(code=1))

    def test_numbers_that_are_none(self) -> None:
        for number in ("0", "-1", "x", "1.5"):
            self.assertIn(
                "is not a whole number from 1 on", self.backup(f"--keep={number}", code=2)
            )

    def test_a_database_that_is_away_is_a_sentence(self) -> None:
        url = database_url(NAME="nobody_knows_it")
        if not on_postgresql():
            url = f"sqlite:///{self.folder / 'x' / 'y.sqlite3'}"
        said = self.backup(code=1, DATABASE_URL=url)
        self.assertIn("There is no backup.", said)
        self.assertEqual([*self.place.iterdir()], [])

    @needed(os.geteuid() == 0 and shutil.which("mount"), "root, to mount")
    def test_no_room_is_found_before(self) -> None:
        with Mounted(self.place, "1m"):
            said = self.backup(code=NO_ROOM)
            self.assertRegex(said, "has no room for it: 1 MiB are free, and it may take [0-9]+ MiB")
            self.assertEqual([*self.place.iterdir()], [])


class Changed:
    """The log as somebody has changed it who lifted the guards; as it was afterwards."""

    def __init__(self, statement: str) -> None:
        self.statement = statement

    def __enter__(self) -> "Changed":
        self.entries = [*AssociationRequest.objects.values()]
        self.seals = [*AuditSeal.objects.values()]
        return self

    def __call__(self) -> None:
        with triggers.lifted():
            sql(self.statement)

    def __exit__(self, *_: object) -> None:
        with triggers.lifted():
            for model, rows in ((AssociationRequest, self.entries), (AuditSeal, self.seals)):
                for row in rows:
                    model.objects.update_or_create(pk=row[model._meta.pk.attname], defaults=row)


class Mounted:
    """A small file system of its own in that folder."""

    def __init__(self, place: Path, size: str) -> None:
        self.place, self.size = place, size

    def __enter__(self) -> None:
        options = f"size={self.size},mode=0700"
        done = subprocess.run(
            [
                shutil.which("mount") or "mount",
                "-t",
                "tmpfs",
                "-o",
                options,
                "tmpfs",
                str(self.place),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise unittest.SkipTest(done.stderr)

    def __exit__(self, *_: object) -> None:
        subprocess.run([shutil.which("umount") or "umount", str(self.place)], check=True)


@unittest.skipUnless(on_postgresql(), "SQLite needs no program and has no roles")
@tag("long")
@programs
class PostgreSQLTests(BackupMixin, CommittedLogTestCase):
    def test_without_pg_dump_it_says_what_to_install(self) -> None:
        empty = self.enterContext(TemporaryDirectory())
        said = self.backup(code=NO_PROGRAM, PATH=empty)
        self.assertRegex(said, r"There is no pg_dump here\. .*postgresql-client-\d+")
        self.assertEqual([*self.place.iterdir()], [])

    def test_a_pg_dump_that_is_older_than_the_server_is_not_tried(self) -> None:
        for told, why in (
            ("pg_dump (PostgreSQL) 9.6.1", "is of PostgreSQL 9"),
            ("x", "no version"),
        ):
            old = self.instead_of("pg_dump", f"echo '{told}'")
            self.assertIn(why, self.backup(code=NO_PROGRAM, **old))
        self.assertEqual([*self.place.iterdir()], [])

    def test_what_it_says_is_told_if_it_fails(self) -> None:
        script = (
            '[ "$1" = --version ] && exec $real --version\necho PGDMP; echo no luck >&2; exit 1'
        )
        said = self.backup(code=1, **self.instead_of("pg_dump", script))
        self.assertIn("pg_dump has failed. It said: no luck", said)
        self.assertEqual([*self.place.iterdir()], [])

    def test_the_password_is_in_no_list_of_processes_and_tls_is_as_django_has_it(self) -> None:
        told = self.folder / "told"
        script = f'echo "$@" "$PGPASSWORD $PGSSLMODE $PGAPPNAME" >> {told}; ps -ef >> {told}.ps\n'
        seen = self.instead_of("pg_dump", f'{script}exec $real "$@"')
        address = f"{database_url(PASSWORD='not-to-be-seen')}?sslmode=allow&application_name=b"
        self.backup(DATABASE_URL=address, **seen)
        self.assertIn("not-to-be-seen allow b", told.read_text().splitlines()[-1])
        listed = Path(f"{told}.ps").read_text()
        self.assertIn("--format=custom", listed)
        self.assertNotIn("not-to-be-seen", listed)

    def test_a_role_that_is_not_the_owner_makes_none(self) -> None:
        role = f"{connection.settings_dict['NAME']}_check"
        said = self.backup(code=NO_RIGHTS, DATABASE_URL=database_url(USER=role, PASSWORD="secret"))
        self.assertIn(f"The role {role} does not own the tables", said)

    def test_none_is_restored_as_somebody_who_may_do_more_than_that(self) -> None:
        folder = self.one_more()
        superuser = database_url(NAME="postgres")
        self.assert_is_not_proven(folder, "is a superuser", DATABASE_URL=superuser)
        role = f"{connection.settings_dict['NAME']}_check"
        self.as_superuser(f"ALTER ROLE {role} NOCREATEDB")
        self.assert_is_not_proven(folder, "may not make databases")

    def test_one_of_sqlite_needs_sqlite(self) -> None:
        folder = self.one_more()
        url = f"sqlite:///{self.folder / 'x.sqlite3'}"
        self.assert_is_not_proven(folder, "is a backup of postgresql", DATABASE_URL=url)

    @needed(os.geteuid() == 0 and shutil.which("mount"), "root, to mount")
    def test_a_disk_that_fills_up_meanwhile_is_a_sentence(self) -> None:
        script = '[ "$1" = --version ] && exec $real --version\nexec cat /dev/zero'
        with Mounted(self.place, "64m"):
            said = self.backup(code=NO_ROOM, **self.instead_of("pg_dump", script))
            self.assertIn("is full. Nothing of this backup was left.", said)
            self.assertEqual([*self.place.iterdir()], [])
