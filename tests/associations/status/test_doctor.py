"""What `manage.py doctor` tries of the database, the log and HubSpot."""

import shutil
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from associations.audit.integrity import signing
from associations.models import AuditSeal, Sealer
from associations.status import doctor
from hubadmin.web.doctor import Finding, Level
from tests.associations.audit.integrity.base import seal
from tests.associations.linking.base import PageTestCase, entry_of
from tests.hubadmin.broken_servers import answering, listening, own_authority, refused
from tests.hubadmin.test_health import read_only
from tests.identity.processes import free_port, listens
from tests.support import LogTransactionTestCase, database_away, missing_table, needed

REDIS = shutil.which("redis-server")


def worst(findings: list[Finding]) -> str:
    return max((each.level for each in findings), key=[*Level].index)


def said(findings: list[Finding]) -> str:
    return " ".join(each.text for each in findings)


class DatabaseTests(LogTransactionTestCase):
    def test_one_that_is_away(self) -> None:
        with database_away():
            found = list(doctor.database())
        self.assertEqual((len(found), worst(found)), (1, Level.FAILED))
        nowhere = "no database yet" if connection.vendor == "sqlite" else "connection refused"
        self.assertIn(nowhere, said(found))

    def test_one_that_cannot_be_written(self) -> None:
        with read_only():
            if connection.vendor == "sqlite":
                self.enterContext(unittest.mock.patch.object(doctor, "_is_missing", lambda: False))
            found = list(doctor.database())
        self.assertIn("It cannot be written", said(found))
        self.assertEqual(worst(found), Level.FAILED)

    def test_one_without_migrations(self) -> None:
        with missing_table(MigrationRecorder.Migration):
            found = list(doctor.database())
        self.assertIn("migrations are missing", said(found))

    @unittest.skipUnless(connection.vendor == "postgresql", "SQLite has no sign-in")
    def test_why_postgresql_refuses(self) -> None:
        before = dict(connection.settings_dict)
        for changes, words in (
            ({"USER": "nobody_here"}, "does not know the role"),
            ({"NAME": "nothing_here"}, "does not know the database"),
            ({"HOST": "nowhere.invalid"}, "(DNS)"),
        ):
            connection.close()
            connection.settings_dict.update(changes)
            try:
                self.assertIn(words, said(list(doctor.database())))
            finally:
                connection.close()
                connection.settings_dict.update(before)


class LogTests(PageTestCase):
    def test_keys_that_fit(self) -> None:
        entry_of(self.user)
        seal()
        self.assertIn("The keys fit the last seal.", said(list(doctor.audit_log())))

    def test_keys_that_do_not(self) -> None:
        entry_of(self.user)
        seal()
        other = signing.new_key()
        with self.settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[other[1]]):
            found = list(doctor._keys())
        self.assertEqual([each.level for each in found], ["failed"])
        self.assertIn("not trusted here", said(found))
        own = signing.own_key().text
        with self.settings(AUDIT_PUBLIC_KEYS=[other[1]]):
            found = list(doctor._keys())
        self.assertEqual([each.level for each in found], ["warning", "ok"])
        self.assertIn(own, found[0].advice)
        with self.settings(AUDIT_PUBLIC_KEYS=[other[1], own]):
            self.assertEqual(worst(list(doctor._keys())), Level.OK)
        with self.settings(AUDIT_SIGNING_KEY="none"):
            self.assertEqual(list(doctor._keys()), [])

    def test_a_seal_that_was_forged(self) -> None:
        entry_of(self.user)
        seal()
        newest = AuditSeal.objects.latest("number")
        newest.signature = "AAAA"
        with unittest.mock.patch.object(doctor, "read_rows", return_value=[newest]):
            found = list(doctor._keys())
        self.assertIn("is not good", said(found))
        self.assertEqual(worst(found), Level.FAILED)

    def test_where_answers_cannot_be_kept(self) -> None:
        found = doctor._spool()  # the tests have no such folder
        self.assertEqual(found.level, Level.WARNING)
        with tempfile.TemporaryDirectory() as folder, self.settings(SPOOL_DIR=f"{folder}/a/b"):
            self.assertEqual(doctor._spool().level, Level.OK)
            self.assertEqual([*Path(folder).iterdir()], [])

    def test_a_sealer_that_is_alive_or_none(self) -> None:
        self.assertIn("No manage.py seal_audit_log", doctor._sealer().text)
        Sealer.objects.create(name="s", seen_at=timezone.now())
        self.assertIn("gives signs of life", said(list(doctor.audit_log())))


class TimestampTests(SimpleTestCase):
    def found(self, address: str, file: str) -> list[Finding]:
        with self.settings(AUDIT_TSA_URL=f"{address}/tsr", AUDIT_TSA_CA=file):
            return list(doctor.timestamps())

    def test_whether_it_answers_and_whom_to_believe(self) -> None:
        with own_authority() as (_, file):
            with listening(answering(405)) as address:
                found = self.found(address, str(file))
                self.assertEqual([each.level for each in found], ["ok", "ok", "ok"])
                self.assertIn("clock agrees with the timestamp authority's", said(found))
                found = self.found(address, "/nowhere.pem")
                self.assertEqual([each.level for each in found], ["failed", "ok", "ok"])
                self.assertIn("AUDIT_TSA_CA cannot be read", said(found))
            with listening(answering(503)) as address:
                self.assertIn("answers with HTTP 503", said(self.found(address, str(file))))
            self.assertIn("connection refused", said(self.found(refused(), str(file))))

    def test_where_none_is_asked_nothing_is_said(self) -> None:
        self.assertEqual(list(doctor.timestamps()), [])


class HubSpotTests(PageTestCase):
    def test_the_lines_of_the_status_page(self) -> None:
        found = list(doctor.hubspot())
        self.assertIn("accepts this site's access token. It is for portal 4242", said(found))
        self.assertIn("clock agrees with HubSpot's", said(found))
        self.assertNotIn("<", said(found))

    def test_the_token_leaves_by_the_client_alone(self) -> None:
        list(doctor.hubspot())
        self.assertNotIn("Authorization", self.sandbox.requests[0]["headers"])


@needed(bool(REDIS), "redis-server")
class RedisTests(unittest.TestCase):
    def test_a_real_one_with_a_password(self) -> None:
        port = free_port()
        options = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--requirepass",
            "pw-1",
        ]
        with tempfile.TemporaryDirectory() as folder:
            server = subprocess.Popen(
                [REDIS or "", *options, "--dir", folder], stdout=subprocess.DEVNULL
            )
            try:
                while not listens(port):
                    time.sleep(0.05)
                for password, level in (("pw-1", "ok"), ("other", "failed")):
                    address = f"redis://:{password}@127.0.0.1:{port}/0"
                    with override_settings(WORKER_BROKER_URL=address):
                        (found,) = doctor.tasks_in_redis()
                    self.assertEqual(found.level, level, found)
                    self.assertNotIn(password, found.text)
            finally:
                server.kill()
                server.wait()
        with override_settings(WORKER_BROKER_URL=address):
            (found,) = doctor.tasks_in_redis()
        self.assertIn("connection refused", found.text)
        with override_settings(WORKER_BROKER_URL=""):
            self.assertEqual(list(doctor.tasks_in_redis()), [])
