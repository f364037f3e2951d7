"""Why a service does not start: a line of JSON to whoever collects logs, a sentence to a person."""

import json
import os
import pty
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Mapping
from contextlib import suppress

from django.conf import settings
from django.test import tag

from tests.hubadmin.test_settings import PRODUCTION

MANAGE = str(settings.BASE_DIR / "manage.py")
SERVER = ("-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf")
WORKER, SEALER = (MANAGE, "run_worker"), (MANAGE, "seal_audit_log", "--every", "60")
SERVICES = {"hubadmin": SERVER, "The worker": WORKER, "The sealer": SEALER}
BAD = {
    "LOG_LEVEL": ("LOUD", "LOG_LEVEL is 'LOUD'; it must be one of"),
    "TIME_ZONE": ("Mars/Olympus", "TIME_ZONE is 'Mars/Olympus'; no time zone is called so."),
    "DATABASE_URL": ("postgres://u:canary@h:port/x", "DATABASE_URL is no address of a database"),
    "WORKER_PROCESSES": ("two", "WORKER_PROCESSES is 'two'; it must be a whole number."),
    "SECRET_KEY_FILE": ("/nowhere", "SECRET_KEY and SECRET_KEY_FILE are both set"),
}


@tag("own_database")
class RefusalTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        own = {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "WEB_BIND": "127.0.0.1:0"}
        self.environment = {"PATH": os.environ["PATH"]} | PRODUCTION | own

    def run_service(self, arguments: tuple[str, ...], **changed: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment | changed,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(ended.stdout, "")
        return ended.returncode, ended.stderr

    def told(self, arguments: tuple[str, ...], **changed: str) -> Mapping[str, str]:
        """The last line of its log, of which each is JSON."""
        code, text = self.run_service(arguments, **changed)
        self.assertEqual(code, 1, text)
        *_, last = [json.loads(line) for line in text.splitlines()]
        self.assertEqual((last["level"], last["logger"]), ("critical", "hubadmin.startup"))
        return last

    def test_settings_that_cannot_be_read(self) -> None:
        for who, arguments in SERVICES.items():
            for name, (value, sentence) in BAD.items():
                with self.subTest(who, setting=name):
                    event = self.told(arguments, **{name: value})["event"]
                    self.assertTrue(event.startswith(f"{who} does not start: "), event)
                    self.assertIn(sentence, event)
                    self.assertNotIn("canary", event)

    def test_what_serving_needs(self) -> None:
        for who, arguments in [*SERVICES.items()][:2]:
            event = self.told(arguments, SECRET_KEY="", HUBSPOT_ACCESS_TOKEN="")["event"]
            self.assertTrue(event.startswith(f"{who} does not start: "), event)
            for name in ("SECRET_KEY", "HUBSPOT_ACCESS_TOKEN"):
                self.assertIn(f"{name} is not set", event)

    def test_a_key_that_is_none_and_a_database_that_nobody_has_migrated(self) -> None:
        event = self.told(SEALER, AUDIT_SIGNING_KEY="canary")["event"]
        self.assertIn("AUDIT_SIGNING_KEY is no key", event)
        self.assertNotIn("canary", event)
        code, text = self.run_service(SEALER[:2])
        *_, last = [json.loads(line) for line in text.splitlines()]
        self.assertEqual((code, last["level"]), (1, "critical"))
        self.assertIn("The database refused: no such table", last["event"])

    def test_redis_that_is_away(self) -> None:
        for address in ("redis://:canary@127.0.0.1:9/0", "carrier pigeon"):
            event = self.told(WORKER, WORKER_BROKER_URL=address)["event"]
            self.assertIn("WORKER_BROKER_URL", event)
            self.assertNotIn("canary", event)

    def test_a_person_at_a_terminal_reads_plain_text(self) -> None:
        for arguments in SERVICES.values():
            said = self.said_at_a_terminal(arguments, TIME_ZONE="Mars", LOG_LEVEL="LOUD")
            self.assertIn(" does not start:\r\n- ", said)
            self.assertIn("\r\n- TIME_ZONE is 'Mars'", said)
            self.assertNotIn("critical", said)

    def test_so_does_who_debugs(self) -> None:
        _, text = self.run_service(WORKER, DEBUG="true", SECRET_KEY="")
        self.assertIn("The worker does not start:\n- ", text)

    def said_at_a_terminal(self, arguments: tuple[str, ...], **changed: str) -> str:
        own, terminal = pty.openpty()
        self.addCleanup(os.close, own)
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment | changed,
            stderr=terminal,
        )
        os.close(terminal)
        self.addCleanup(process.wait)
        said = b""
        with suppress(OSError):  # Linux's way to tell that the other end is closed
            while part := os.read(own, 65536):
                said += part
        self.assertEqual(process.wait(30), 1)
        return said.decode()
