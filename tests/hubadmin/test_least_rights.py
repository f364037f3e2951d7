"""What each process makes is for its own account alone, and only the sealer knows the signing key.

By the real commands, and the real server.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import requests
from django.conf import settings
from django.test import tag

from associations.audit.integrity import signing
from hubadmin.demo.sandbox import Sandbox
from tests.faults.test_rotation import AS_ADA, SECRET
from tests.identity.server import Server
from tests.support import LINK

SSO = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET}
AS_ADMIN = AS_ADA | {"X-SSO-Subject": "noah", "X-SSO-Groups": "admin"}


class ServerTestCase(unittest.TestCase):
    """The web server has the public key, the sealer the other, and next to nothing else."""

    def setUp(self) -> None:
        self.addCleanup(os.umask, os.umask(0o000))  # as careless an account as there can be
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.database = f"sqlite:///{self.folder / 'made' / 'hubadmin.sqlite3'}"
        (self.folder / "made").mkdir()
        self.server = self.enterContext(
            Server(
                self.enterContext(Sandbox()).url,
                DATABASE_URL=self.database,
                AUDIT_SIGNING_KEY="",
                AUDIT_PUBLIC_KEYS=signing.own_key().text,
                **SSO,
            )
        )

    def link(self) -> None:
        address = f"http://127.0.0.1:{self.server.port}/"
        page = requests.get(address, headers=AS_ADA, timeout=30)
        cookies = "; ".join(f"{each.name}={each.value}" for each in page.cookies)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        answer = requests.post(address, form, headers=AS_ADA | {"Cookie": cookies}, timeout=30)
        self.assertIn("linked", answer.text)

    def as_sealer(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "ENV_FILE": "", "DATABASE_URL": self.database}
        environment["AUDIT_SIGNING_KEY"] = settings.AUDIT_SIGNING_KEY
        command = [sys.executable, settings.BASE_DIR / "manage.py", *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout + ended.stderr

    def page(self, path: str) -> str:
        address = f"http://127.0.0.1:{self.server.port}{path}"
        answer = requests.get(address, headers=AS_ADMIN, timeout=30)
        self.assertEqual(answer.status_code, 200)
        return answer.text


@tag("own_database")
class KeyTests(ServerTestCase):
    def test_the_web_server_proves_the_log_without_the_key_that_signs_it(self) -> None:
        self.link()
        self.as_sealer("seal_audit_log")
        self.server.manage("check", "--deploy", "--fail-level", "WARNING")
        self.assertIn("1 seal", self.server.manage("verify_audit_log"))
        self.assertNotIn("AUDIT_SIGNING_KEY", self.page("/status/"))
        self.assertNotIn("not proven", self.page("/audit/integrity/"))


@tag("own_database")
class FileTests(ServerTestCase):
    def test_what_is_made_is_its_own_accounts_alone(self) -> None:
        self.link()
        self.as_sealer("seal_audit_log")
        database, archive = (Path(self.folder, "made", name) for name in ("hubadmin.sqlite3", "a"))
        write = f"import pathlib; write_archive(pathlib.Path({str(archive)!r}), [])"
        write = f"from associations.audit.integrity.archive import write_archive; {write}"
        self.as_sealer("shell", "--no-imports", "-c", write)
        made = {each.name: oct(each.stat().st_mode & 0o777) for each in database.parent.iterdir()}
        stems = "hubadmin.sqlite3", "hubadmin-calls.sqlite3"
        expected = {f"{stem}{end}" for stem in stems for end in ("", "-wal", "-shm")} | {"a"}
        self.assertEqual(made, dict.fromkeys(expected, "0o600"))

    def test_what_was_made_before_is_named(self) -> None:
        file = Path(self.database.removeprefix("sqlite:///"))
        file.chmod(0o640)
        with self.assertRaisesRegex(AssertionError, rf"W003.*{file}[\s\S]*chmod 600"):
            self.server.manage("check", "--deploy", "--fail-level", "WARNING")

    def test_nor_is_it_what_gunicorn_sets_for_a_daemon(self) -> None:
        start = "import os; from hubadmin import gunicorn_conf; os.umask(0o022)"
        start = f"{start}; gunicorn_conf.on_starting(None); print(oct(os.umask(0)))"
        said = self.server.manage("shell", "--no-imports", "-c", start)
        self.assertIn("0o77", said.split())
