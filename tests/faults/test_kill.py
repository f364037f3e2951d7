"""kill -9 of the real server's workers, at the two worst moments."""

import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
from django.test import tag

from tests.demo import Demo, Person, ready

ASSOCIATION = {
    "from_object_type": "Contact",
    "from_object_id": "501",
    "to_object_type": "Company",
    "to_object_id": "902",
}
# Holds every closing of an entry for a long while, in the database itself.
SLOW_CLOSING = """
CREATE TRIGGER slow_closing BEFORE UPDATE ON associations_associationrequest BEGIN
  SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 4000000000)
          SELECT max(x) FROM c);
END
"""


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
    return found


@tag("own_database")
@unittest.skipUnless(sys.platform == "linux", "finds the workers through Linux's /proc")
class KillTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = ready(Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo")
        self.demo = self.enterContext(Demo(folder))
        self.database = folder / "hubadmin.sqlite3"
        self.support = Person(self.demo, "support")

    def sql(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            return database.execute(statement).fetchall()

    def outcomes(self) -> list[tuple]:
        return self.sql("SELECT outcome, cause FROM associations_associationrequest")

    def puts(self) -> list[dict[str, Any]]:
        received = requests.get(f"{self.demo.hubspot}/_sandbox/requests", timeout=5).json()
        return [request for request in received if request["method"] == "PUT"]

    def submit_and_kill_when(
        self, moment: Callable[[], Any], address: str = "/", **fields: str
    ) -> None:
        broken = []

        def submit() -> None:
            try:
                self.support.post(address, **(fields or ASSOCIATION))
            except requests.RequestException as error:
                broken.append(error)

        person = threading.Thread(target=submit)
        person.start()
        wait_for(moment)
        master = self.parent_of_workers()
        for worker in self.children(master):
            os.kill(worker, signal.SIGKILL)
        person.join(60)
        self.assertTrue(broken, "the person got an answer, so nothing was interrupted")

    def children(self, parent: int) -> list[int]:
        return [pid for pid in self.demo.processes() if self.parent(pid) == parent]

    def parent_of_workers(self) -> int:
        pids = self.demo.processes()
        return next(pid for pid in pids if self.parent(pid) == self.demo.process.pid)

    @staticmethod
    def parent(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def page_later(self) -> str:
        """The entry's page, when longer than any call has gone by."""
        self.assertEqual(self.outcomes(), [("sending", "")])
        self.wait_for_the_end_of(1)
        return self.support.get("/requests/1/").text

    def wait_for_the_end_of(self, entry: int) -> None:
        """Be in the time when no call of the entry's can be under way any more."""
        later = "sent_at = datetime(sent_at, '-600 seconds')"
        self.sql(f"UPDATE associations_associationrequest SET {later} WHERE id = {entry}")
        wait_for(lambda: self.get_or_none("/healthz"))

    def undo_and_kill_when(self, moment: Callable[[], Any]) -> str:
        """Undo entry 1, and return the page of that, when longer than any call has gone by."""
        self.submit_and_kill_when(moment, "/requests/1/undo/", reason="wrong")
        self.assertEqual(self.outcomes(), [("linked", "confirmed"), ("sending", "")])
        self.wait_for_the_end_of(2)
        return self.support.get("/requests/2/").text

    def links(self) -> list[Any]:
        return requests.get(f"{self.demo.hubspot}/_sandbox/associations", timeout=5).json()

    def removals(self) -> list[dict[str, Any]]:
        received = requests.get(f"{self.demo.hubspot}/_sandbox/requests", timeout=5).json()
        return [each for each in received if each["path"].endswith("/labels/archive")]

    def test_an_undo_while_hubspot_holds_its_answer_back(self) -> None:
        self.support.post("/", **ASSOCIATION)
        fault = {"method": "POST", "path": "labels/archive", "delay": 8}
        requests.post(f"{self.demo.hubspot}/_sandbox/faults", json=fault, timeout=5)
        page = self.undo_and_kill_when(self.removals)
        self.assertIn("is not known", page)
        self.assertEqual(self.outcomes()[1], ("unreachable", "interrupted"))
        self.assertEqual(len(self.removals()), 1)

    def test_an_undo_between_the_look_and_the_closing(self) -> None:
        self.support.post("/", **ASSOCIATION)
        self.sql(SLOW_CLOSING)
        attempts = "SELECT http_status FROM associations_associationattempt WHERE request_id = 2"
        self.submit_and_kill_when(lambda: self.sql(attempts), "/requests/1/undo/", reason="wrong")
        self.sql("DROP TRIGGER slow_closing")
        self.wait_for_the_end_of(2)
        page = self.support.get("/requests/2/").text
        self.assertIn("nobody has seen it yet", page)
        self.assertEqual(self.outcomes()[1], ("unconfirmed", "not_seen_gone"))
        self.assertEqual((len(self.removals()), self.links()), (1, []))

    def get_or_none(self, path: str) -> requests.Response | None:
        try:
            return self.support.get(path)
        except requests.ConnectionError:
            return None

    def test_while_hubspot_holds_its_answer_back(self) -> None:
        requests.post(f"{self.demo.hubspot}/_sandbox/faults", json={"delay": 8}, timeout=5)
        self.submit_and_kill_when(self.puts)
        page = self.page_later()
        self.assertIn("This site was interrupted", page)
        self.assertEqual(self.outcomes(), [("unreachable", "interrupted")])

    def test_between_the_answer_and_the_closing(self) -> None:
        self.sql(SLOW_CLOSING)
        attempts = "SELECT http_status FROM associations_associationattempt"
        self.submit_and_kill_when(lambda: self.sql(attempts))
        self.sql("DROP TRIGGER slow_closing")
        page = self.page_later()
        self.assertIn("Contact 501 → Company 902: linked", page)
        self.assertEqual(self.outcomes(), [("linked", "confirmed")])
        self.assertEqual(self.sql(attempts), [(200,)])
