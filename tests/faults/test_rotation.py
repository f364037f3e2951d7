"""Changing HubSpot's token under load: the real server, as README says to do it."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import requests
from django.conf import settings

from associations.hubspot.sandbox import SANDBOX_TOKEN, Sandbox
from associations.hubspot.sandbox.api import NO_SCOPES_TOKEN
from tests.support import LINK

SECRET = "a-secret-that-the-proxy-and-we-share-42"
AS_ADA = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.7",
    "X-SSO-Secret": SECRET,
    "X-SSO-Subject": "ada",
    "X-SSO-Groups": "support",
    "Host": "hubadmin.example.com",
    "Referer": "https://hubadmin.example.com/",
}
PEOPLE = 6


class RotationTests(unittest.TestCase):
    """Both tokens are good meanwhile; the old one may write nothing, which tells them apart."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.token_file = self.folder / "token"
        self.token_file.write_text(f"{NO_SCOPES_TOKEN}\n")
        self.log = (self.folder / "log").open("w+")
        self.addCleanup(self.log.close)
        sandbox = self.enterContext(Sandbox())
        sandbox.fault(delay=0.2, times=None)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": "",
            "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
            "SECRET_KEY": "q7fX-long-and-random-enough-for-djangos-own-check-0192837465",
            "ALLOWED_HOSTS": "hubadmin.example.com",
            "DATABASE_URL": f"sqlite:///{self.folder}/db.sqlite3",
            "HUBSPOT_ACCESS_TOKEN_FILE": str(self.token_file),
            "HUBSPOT_API_BASE_URL": sandbox.url,
            "SSO_MODE": "header",
            "SSO_ISSUER": "proxy",
            "SSO_HEADER_SECRET": SECRET,
            "SSO_SUPPORT_GROUPS": "support",
            "SUBMITS_PER_PERSON_PER_MINUTE": "0",
            "TRUSTED_PROXY_COUNT": "1",
            "WEB_BIND": f"127.0.0.1:{self.port}",
        }
        self.run_and_check("manage.py", "migrate", "--verbosity", "0")
        self.server = self.start("-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf")
        self.addCleanup(self.server.wait, 40)
        self.addCleanup(self.server.terminate)
        self.wait_for("Booting worker")

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stderr=self.log,
            start_new_session=True,
        )

    def run_and_check(self, *arguments: str) -> None:
        self.assertEqual(self.start(*arguments).wait(60), 0)

    def logged(self) -> str:
        return (self.folder / "log").read_text()

    def wait_for(self, event: str) -> None:
        deadline = time.monotonic() + 30
        while event not in self.logged():
            self.assertLess(time.monotonic(), deadline, self.logged())
            time.sleep(0.05)

    def submit(self) -> str:
        """Link two records; return where that led."""
        address = f"http://127.0.0.1:{self.port}/"
        page = requests.get(address, headers=AS_ADA, timeout=30)
        cookies = "; ".join(f"{c.name}={c.value}" for c in page.cookies)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        answer = requests.post(
            address, form, headers=AS_ADA | {"Cookie": cookies}, allow_redirects=False, timeout=30
        )
        return answer.headers.get("Location", f"{answer.status_code}: {answer.text}")

    def test_no_request_is_lost(self) -> None:
        over = threading.Event()

        def submits(number: int) -> list[str]:
            led_to = []
            while not over.is_set():
                led_to.append(self.submit())
            return led_to

        with ThreadPoolExecutor(PEOPLE) as pool:
            running = [pool.submit(submits, number) for number in range(PEOPLE)]
            time.sleep(1.5)
            self.token_file.write_text(f"{SANDBOX_TOKEN}\n")
            self.server.send_signal(signal.SIGHUP)
            self.wait_for("secrets were read again")
            time.sleep(4)
            over.set()
            addresses = [address for people in running for address in people.result()]
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            rows = database.execute("SELECT id, outcome FROM associations_associationrequest")
            outcomes = dict(rows.fetchall())
        self.assertEqual(sorted(addresses), sorted(f"/requests/{pk}/" for pk in outcomes))
        counts = Counter(outcomes.values())
        self.assertEqual(set(counts), {"rejected", "linked"}, counts)
        first_linked = min(pk for pk, outcome in outcomes.items() if outcome == "linked")
        late = [
            pk for pk, outcome in outcomes.items() if outcome == "rejected" and pk > first_linked
        ]
        self.assertLessEqual(len(late), 2 * PEOPLE, "the old token is in use no longer")

    def test_a_file_that_is_wrong_changes_nothing(self) -> None:
        self.token_file.write_text("no token\n")
        self.server.send_signal(signal.SIGHUP)
        self.wait_for("secrets were not changed")
        self.assertIn("another character that no token has", self.logged())
        self.assertIn("/requests/", self.submit())
