"""What two processes of the real server, a worker and a sealer count, against what the log has."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import unittest
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from django.conf import settings
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.associations.metrics.test_page import TOKEN, Labels, of, samples
from tests.faults.bulk_stack import Visitor
from tests.identity.processes import Process
from tests.identity.server import Server
from tests.support import needed

SECRET = "a-shared-secret-of-more-than-32-characters"
MANAGE = settings.BASE_DIR / "manage.py"
PAIR = {"from_object_type": "contacts", "to_object_type": "companies"}


class Address:
    """What a visitor has to know of the server."""

    def __init__(self, server: Server) -> None:
        self.bind, self.secret = f"127.0.0.1:{server.port}", SECRET


@tag("own_database")
@unittest.skipUnless(sys.platform == "linux", "finds the processes through /proc")
class ProcessTests(unittest.TestCase):
    def setUp(self) -> None:
        self.hubspot = self.enterContext(Sandbox())
        self.folder = Path(self.enterContext(TemporaryDirectory())) / "metrics"
        own = {"METRICS_TOKEN": TOKEN, "METRICS_DIR": str(self.folder), "WORKER_PROCESSES": "1"}
        own |= {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET}
        self.server = self.enterContext(Server(self.hubspot.url, **own))
        self.visitor = Visitor(Address(self.server))

    def start(self, *arguments: str) -> Process:
        command = [sys.executable, str(MANAGE), *arguments]
        return self.enterContext(Process(command, env=self.server.environment))

    def log(self) -> dict[tuple[str, str], int]:
        """How many entries that are closed for good ended how."""
        rows = self.sql(
            "SELECT outcome, cause, COUNT(*) FROM associations_associationrequest "
            "WHERE outcome NOT IN ('queued', 'sending') AND look_due IS NULL GROUP BY 1, 2"
        )
        return {(outcome, cause): count for outcome, cause, count in rows}

    def sql(self, statement: str) -> list[tuple]:
        file = self.server.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, timeout=20)) as database:
            return database.execute(statement).fetchall()

    def text(self) -> str:
        answer = requests.get(
            f"http://127.0.0.1:{self.server.port}/metrics",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=20,
        )
        self.assertEqual(answer.status_code, 200)
        return answer.text

    def samples(self) -> dict[tuple[str, Labels], float]:
        return samples(self.text())

    def counted(self) -> dict[tuple[str, str], int]:
        found = {}
        for (name, labels), value in self.samples().items():
            if name == "hubadmin_requests_total" and value:
                own = dict(labels)
                found[own["outcome"], own["cause"]] = value
        return found

    def submit(self, number: int, **more: str) -> None:
        pair = PAIR | {"from_object_id": "501", "to_object_id": str(number)} | more
        self.assertIn(self.visitor.post("/", data=pair).status_code, (302, 303))

    def wait_for(self, found: Callable[[], Any], seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := found()):
            if time.monotonic() > deadline:
                raise AssertionError("it did not happen in time")
            time.sleep(0.2)
        return value

    def web_workers(self) -> list[int]:
        master = self.server.pid
        return [*map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split())]

    def kill_a_web_worker(self) -> None:
        killed, *_ = self.web_workers()
        os.kill(killed, signal.SIGKILL)
        self.wait_for(lambda: len({*self.web_workers()} - {killed}) == 2)

    def agree(self) -> dict[tuple[str, str], int]:
        self.wait_for(lambda: self.counted() == self.log())
        return self.counted()

    def test_numbers_are_those_of_the_log_and_fall_never(self) -> None:
        worker = self.start("run_worker")
        sealer = self.start("seal_audit_log", "--every", "1")
        for number in range(902, 908):
            self.submit(number)
        self.hubspot.faults.add({"method": "PUT", "status": 401})
        self.submit(908)
        first = self.agree()
        self.assertEqual(first["rejected", "token_refused"], 1)
        self.assertEqual(sum(first.values()), 7)
        begun = self.samples()
        self.assertGreaterEqual(begun[of("hubspot_calls_total", kind="link", status="401")], 1)
        self.assertGreaterEqual(begun[of("hubspot_calls_total", kind="link", status="2xx")], 6)
        posts = of("http_requests_total", view="link", method="POST", status="3xx")
        self.assertEqual(begun[posts], 7)

        self.kill_a_web_worker()
        for number in range(910, 914):
            self.submit(number)
        text = "contact id,company id\n" + "".join(f"{n},{n + 400}\n" for n in range(501, 541))
        file = self.folder.parent / "pairs.csv"
        file.write_text(text)
        self.run_of(file)
        then = self.agree()
        self.assertGreaterEqual(sum(then.values()), sum(first.values()) + 4 + 10)
        self.check_monotonic(begun, now := self.samples())
        self.assertGreaterEqual(now[of("hubspot_calls_total", kind="batch", status="2xx")], 1)
        # What a process read last may be a few seconds old.
        self.wait_for(lambda: self.samples()[of("workers")] == 1)
        sealed = of("sealer_seen_timestamp_seconds")
        self.wait_for(lambda: time.time() - self.samples().get(sealed, 0) < 120)

        self.server.reload()  # on SIGHUP both begin anew, as many others as there were
        self.server.output_with("secrets were read again")
        self.assertEqual(worker.stop(), 0)
        sealer.stop()
        self.submit(920)
        self.assertEqual(sum(self.agree().values()), sum(then.values()) + 1)
        self.check_monotonic(now, self.samples())
        self.check_files()
        self.check_secrets(self.text())

    def run_of(self, file: Path) -> None:
        """Upload it, start the run, and wait for its end."""
        with file.open("rb") as opened:
            answer = self.visitor.post("/bulk/", data={}, files={"file": opened})
        run = answer.headers["Location"]

        state = "SELECT state FROM associations_bulkrun"
        self.wait_for(lambda: self.sql(state) == [("ready",)])
        self.visitor.post(f"{run}start/", data={"way": "batch"})
        self.wait_for(lambda: self.sql(state) == [("done",)])

    def check_monotonic(self, before: dict, after: dict) -> None:
        ends = ("_total", "_bucket", "_count", "_sum")
        counters = {key: value for key, value in before.items() if key[0].endswith(ends)}
        self.assertGreater(len(counters), 100)
        fallen = {key for key, value in counters.items() if after.get(key, -1) < value}
        self.assertEqual(fallen, set())

    def check_files(self) -> None:
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        names = Counter(each.suffix for each in self.folder.iterdir())
        # The server's two, twice that at a SIGHUP, its first one, those of a worker, the sealer.
        self.assertLessEqual(names[".lock"], 12)
        self.assertEqual(names[".db"], 2 * names[".lock"])

    def check_secrets(self, text: str) -> None:
        for each in (TOKEN, SECRET, "support@example.com", "Support", "Ada"):
            self.assertNotIn(each, text)

    @needed(bool(shutil.which("promtool")), "promtool (Debian: prometheus)")
    def test_promtool_finds_nothing_amiss_in_what_they_counted(self) -> None:
        self.submit(902)
        command = [shutil.which("promtool"), "check", "metrics"]
        checked = subprocess.run(command, input=self.text(), capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stderr + checked.stdout), (0, ""))

    def test_a_folder_that_cannot_be_used_any_more_stops_nothing(self) -> None:
        self.submit(902)
        shutil.rmtree(self.folder)
        self.folder.touch()
        self.kill_a_web_worker()
        # Until the new process, too, has had a request: which one gets it nobody chooses.
        for number in range(903, 943):
            self.submit(number)
            if "nothing is counted for /metrics" in self.server.output():
                break
        found = self.samples()
        self.assertEqual((found[of("ready")], found[of("counts_read")]), (1, 0))
        self.server.output_with("nothing is counted for /metrics")
