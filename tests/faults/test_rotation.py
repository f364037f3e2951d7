"""Changing HubSpot's token under load: the real server, as hubadmin/README.md says to do it."""

import re
import sqlite3
import tempfile
import threading
import time
import unittest
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import requests
from django.test import tag

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from hubadmin.demo.sandbox.portal import NO_SCOPES_TOKEN
from tests.identity.server import Server
from tests.support import LINK

SECRET = "a-secret-that-the-proxy-and-we-share-42"
AS_ADA = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.7",
    "X-SSO-Secret": SECRET,
    "X-SSO-Subject": "ada",
    "X-SSO-Groups": "support",
    "Host": "localhost",
    "Referer": "https://localhost/",
}
PEOPLE = 6


@tag("own_database")
class RotationTests(unittest.TestCase):
    """Both tokens are good meanwhile; the old one may write nothing, which tells them apart."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.token_file, self.database = folder / "token", folder / "db.sqlite3"
        self.token_file.write_text(f"{NO_SCOPES_TOKEN}\n")
        sandbox = self.enterContext(Sandbox())
        sandbox.fault(delay=0.2, times=None)
        self.server = self.enterContext(
            Server(
                sandbox.url,
                DATABASE_URL=f"sqlite:///{self.database}",
                HUBSPOT_ACCESS_TOKEN="",
                HUBSPOT_ACCESS_TOKEN_FILE=str(self.token_file),
                SSO_MODE="header",
                SSO_ISSUER="proxy",
                SSO_HEADER_SECRET=SECRET,
                SUBMITS_PER_PERSON_PER_MINUTE="0",
            )
        )

    def wait_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            self.assertLess(time.monotonic(), deadline, self.server.output())
            time.sleep(0.1)

    def submit(self) -> str:
        """Link two records; return where that led."""
        address = f"http://127.0.0.1:{self.server.port}/"
        page = requests.get(address, headers=AS_ADA, timeout=30)
        cookies = "; ".join(f"{c.name}={c.value}" for c in page.cookies)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        answer = requests.post(
            address, form, headers=AS_ADA | {"Cookie": cookies}, allow_redirects=False, timeout=30
        )
        return answer.headers.get("Location", f"{answer.status_code}: {answer.text}")

    def outcomes(self) -> dict[int, str]:
        with closing(sqlite3.connect(self.database, timeout=20)) as database:
            rows = database.execute("SELECT id, outcome FROM associations_associationrequest")
            return dict(rows.fetchall())

    def many(self, outcome: str) -> Callable[[], bool]:
        return lambda: Counter(self.outcomes().values())[outcome] >= 3 * PEOPLE

    def test_no_request_is_lost(self) -> None:
        over = threading.Event()

        def submits(number: int) -> list[str]:
            led_to = []
            while not over.is_set():
                led_to.append(self.submit())
            return led_to

        with ThreadPoolExecutor(PEOPLE) as pool:
            running = [pool.submit(submits, number) for number in range(PEOPLE)]
            try:
                self.wait_until(self.many("rejected"))
                self.token_file.write_text(f"{SANDBOX_TOKEN}\n")
                self.server.reload()
                self.wait_until(self.many("linked"))
            finally:
                over.set()
            addresses = [address for people in running for address in people.result()]
        self.assert_said('"secrets were read again", "changed": ["HUBSPOT_ACCESS_TOKEN"]')
        outcomes = self.outcomes()
        page = {"rejected": "/requests/{}/", "linked": "/?linked={}"}
        led_to = [page[outcome].format(pk) for pk, outcome in outcomes.items()]
        self.assertEqual(sorted(addresses), sorted(led_to))
        self.assertEqual(set(outcomes.values()), {"rejected", "linked"})

    def assert_said(self, *texts: str) -> None:
        """The log has these; and which secrets a file cannot have changed; and none of them."""
        told = '"secrets": ["SSO_HEADER_SECRET"]'
        for text in (*texts, told):
            log = self.server.output_with(text)
        for secret in (SECRET, SANDBOX_TOKEN + '"', NO_SCOPES_TOKEN):
            self.assertNotIn(secret, log)

    def test_that_nothing_has_changed_is_said_too(self) -> None:
        self.server.reload()
        self.assert_said('"secrets were read again", "changed": []')

    def test_a_file_that_is_wrong_changes_nothing(self) -> None:
        self.token_file.write_text("no token\n")
        self.server.reload()
        log = self.server.output_with("secrets were not changed")
        self.assertIn("another character that no token has", log)
        self.assertIn("/requests/", self.submit())
