"""PostgreSQL is stopped while HubSpot answers: what it said closes the entry once it runs again."""

import os
import re
import shutil
import signal
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import requests
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.faults.postgresql import Cluster
from tests.faults.test_rotation import AS_ADA, SECRET
from tests.identity.server import Server
from tests.support import LINK, needed

HOLDS_BACK = 3.0  # seconds for which HubSpot holds its answer back


@tag("own_database")
@needed(shutil.which("pg_config") is not None, "PostgreSQL's own programs")
class StoppedDatabaseTests(unittest.TestCase):
    def setUp(self) -> None:
        self.cluster = self.enterContext(Cluster())
        with psycopg.connect(self.cluster.url.replace("/lane", "/postgres"), autocommit=True) as it:
            it.execute("CREATE DATABASE lane")
        self.sandbox = self.enterContext(Sandbox())
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.spool = folder / "spool"
        self.server = self.enterContext(
            Server(
                self.sandbox.url,
                DATABASE_URL=self.cluster.url,
                SPOOL_DIR=str(self.spool),
                SSO_MODE="header",
                SSO_ISSUER="proxy",
                SSO_HEADER_SECRET=SECRET,
                HUBSPOT_VERIFY="false",
            )
        )

    def submit(self) -> None:
        """Link two records; whatever is answered."""
        address = f"http://127.0.0.1:{self.server.port}/"
        page = requests.get(address, headers=AS_ADA, timeout=30)
        cookies = "; ".join(f"{c.name}={c.value}" for c in page.cookies)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        headers = AS_ADA | {"Cookie": cookies}
        with suppress(requests.RequestException):  # it may be killed meanwhile
            requests.post(address, form, headers=headers, allow_redirects=False, timeout=60)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.url) as database:
            return database.execute(statement).fetchall()

    def wait_for(self, what: Callable[[], Any], seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            self.assertLess(time.monotonic(), deadline, self.server.output())
            time.sleep(0.1)
        return found

    def lose_the_log_meanwhile(self) -> None:
        self.sandbox.fault(delay=HOLDS_BACK)
        submit = threading.Thread(target=self.submit)
        submit.start()
        self.wait_for(lambda: [r for r in self.sandbox.requests if r["method"] == "PUT"])
        self.cluster.stop()
        self.wait_for(lambda: self.spool.exists() and list(self.spool.glob("*.json")))
        self.addCleanup(submit.join)

    def told(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT outcome, e.http_status, number, a.http_status, late "
            "FROM associations_associationrequest e "
            "LEFT JOIN associations_associationattempt a ON a.request_id = e.id"
        )

    def test_the_process_itself_closes_it(self) -> None:
        self.lose_the_log_meanwhile()
        self.cluster.start()
        self.wait_for(lambda: not list(self.spool.iterdir()))
        self.assertEqual(self.told(), [("linked", 200, 1, 200, False)])

    def test_after_all_was_killed_the_sealer_of_the_machine_closes_it(self) -> None:
        self.lose_the_log_meanwhile()
        leader = self.server._process._process.pid
        os.killpg(leader, signal.SIGKILL)
        self.cluster.start()
        self.assertEqual(self.told(), [("sending", None, None, None, None)])
        self.server.manage("seal_audit_log")
        self.assertEqual(self.told(), [("linked", 200, 1, 200, False)])
        self.assertEqual(list(self.spool.iterdir()), [])
        self.assertIn("Proven", self.server.manage("verify_audit_log"))
