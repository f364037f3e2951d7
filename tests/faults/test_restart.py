"""A server that is started the moment another one is told to stop takes its port over."""

import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
import unittest
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import requests
from django.conf import settings
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.faults.test_rotation import AS_ADA, SECRET
from tests.hubadmin.deploy.crowd import SSO
from tests.identity.processes import Process
from tests.identity.server import Server
from tests.support import LINK

TIMES = 4
HOLDS_BACK = 8.0  # seconds for which a submit is under way; gunicorn tries to bind for five
COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"]


@tag("own_database")
class RestartTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.sandbox = self.enterContext(Sandbox())
        self.server = self.enterContext(
            Server(
                self.sandbox.url,
                DATABASE_URL=f"sqlite:///{folder / 'db.sqlite3'}",
                SSO_MODE="header",
                SSO_ISSUER="proxy",
                SSO_HEADER_SECRET=SECRET,
                HUBSPOT_VERIFY="false",
            )
        )
        self.address = f"http://127.0.0.1:{self.server.port}"

    def submit(self, number: int) -> str:
        page = requests.get(f"{self.address}/", headers=AS_ADA, timeout=30)
        cookies = "; ".join(f"{c.name}={c.value}" for c in page.cookies)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        answer = requests.post(
            f"{self.address}/",
            form | {"from_object_id": str(504 + number % 2)},
            headers=AS_ADA | {"Cookie": cookies},
            allow_redirects=False,
            timeout=60,
        )
        return answer.headers.get("Location", f"{answer.status_code}: {answer.text}")

    def under_way(self, pool: ThreadPoolExecutor, number: int) -> Future[str]:
        """A submit that HubSpot lets wait, once it does."""
        before = self.puts()
        self.sandbox.fault(method="PUT", delay=HOLDS_BACK)
        submit = pool.submit(self.submit, number)
        while self.puts() == before:
            self.assertFalse(submit.done(), submit.done() and submit.result())
            time.sleep(0.05)
        return submit

    def puts(self) -> int:
        return sum(each["method"] == "PUT" for each in self.sandbox.requests)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", headers=AS_ADA, timeout=5).ok
        except requests.RequestException:
            return False

    def test_again_and_again_with_a_submit_under_way(self) -> None:
        old: Process = self.server._process
        for number in range(TIMES):
            with ThreadPoolExecutor() as pool:
                submit = self.under_way(pool, number)
                old._process.terminate()
                begun = time.monotonic()
                new = Process(COMMAND, env=self.server.environment, cwd=settings.BASE_DIR)
                self.enterContext(new)
                new.wait_until(self.answers, 20)
                self.assertLess(time.monotonic() - begun, HOLDS_BACK)
                self.assertFalse(submit.done())
                self.assertRegex(submit.result(), r"^/\?linked=")
            self.assertEqual(old._process.wait(60), 0)
            self.assertIsNone(new._process.poll(), new.output())
            old = new

    def test_after_its_first_process_was_killed(self) -> None:
        with ThreadPoolExecutor() as pool:
            submit = self.under_way(pool, 0)
            self.server._process._process.kill()
            new = Process(COMMAND, env=self.server.environment, cwd=settings.BASE_DIR)
            self.enterContext(new)
            new.output_with("Listening at")
            new.wait_until(self.answers, 20)
            self.assertFalse(submit.done())
            self.assertRegex(submit.result(), r"^/\?linked=")


@tag("own_database")
class BacklogTests(unittest.TestCase):
    """Whom the system has connected, and nobody has let in yet, when the server is told to stop."""

    COUNT = 6

    def test_they_are_answered(self) -> None:
        with Server("http://127.0.0.1:9", WEB_WORKERS="1", **SSO) as server:
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
            (worker,) = map(int, children.split())
            os.kill(worker, signal.SIGSTOP)
            server._process.wait_until(lambda: self.told(worker, "State").startswith("T"))
            clients = [
                self.enterContext(socket.create_connection(("127.0.0.1", server.port), 20))
                for _ in range(self.COUNT)
            ]
            for client in clients:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server._process.send_signal(signal.SIGTERM)
            server._process.wait_until(lambda: self.is_told_to_end(worker))
            os.kill(worker, signal.SIGCONT)
            answers = [client.recv(15) for client in clients]
            self.assertEqual(answers, [b"HTTP/1.1 200 OK"] * self.COUNT)

    def is_told_to_end(self, process: int) -> bool:
        return bool(int(self.told(process, "ShdPnd"), 16) >> signal.SIGTERM - 1 & 1)

    def told(self, process: int, name: str) -> str:
        """By Linux, of a process."""
        status = Path(f"/proc/{process}/status").read_text()
        return re.search(rf"^{name}:\s+(\w+)", status, re.M)[1]


@tag("own_database")
class PullTests(unittest.TestCase):
    def test_other_code_on_the_disk_changes_nothing_of_what_runs(self) -> None:
        tree = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("associations", "hubadmin", "templates"):
            shutil.copytree(settings.BASE_DIR / name, tree / name)
        shutil.copy(settings.BASE_DIR / "manage.py", tree)
        server = self.enterContext(Server("http://127.0.0.1:9", tree=tree, **SSO))
        for file in (tree / "templates").rglob("*.html"):
            file.write_text("PULLED {% no_tag_of_this_release %}")
        for path in ("/", "/requests/", "/bulk/", "/nowhere/"):
            page = requests.get(f"http://127.0.0.1:{server.port}{path}", headers=AS_ADA, timeout=30)
            self.assertIn(page.status_code, (200, 404))
            self.assertIn("hubadmin", page.text)
            self.assertNotIn("PULLED", page.text)
