"""A log pipe that nobody drains: everything goes on, and afterwards it is told what is missing."""

import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import time
from contextlib import suppress

import requests
from django.conf import settings
from django.test import SimpleTestCase, tag

from hubadmin.logging import JSONFormatter, NonBlockingHandler
from hubadmin.web import readiness
from tests.identity.processes import free_port
from tests.identity.server import Server
from tests.identity.test_request_line import SETTINGS

SMALL = 4096  # bytes, the smallest pipe that Linux makes
LINES = """
import logging, multiprocessing, os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "hubadmin.settings"
django.setup()
log = logging.getLogger("x")
log.warning("parent")
def child(name):
    log.warning(name)
process = multiprocessing.get_context("fork").Process(target=child, args=("of a pool",))
process.start(); process.join()
if os.fork() == 0:
    log.warning("forked")
    sys.exit()
os.wait()
log.warning("last")
"""


class HandlerTests(SimpleTestCase):
    def setUp(self) -> None:
        self.reader, writer = os.pipe()
        self.addCleanup(os.close, self.reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALL)
        handler = NonBlockingHandler(fd=writer, most_waiting=100)
        handler.setFormatter(JSONFormatter())
        self.addCleanup(handler.close)
        self.logger = logging.Logger("tests")
        self.logger.addHandler(handler)

    def read(self, until: str) -> list[dict]:
        text, deadline = "", time.monotonic() + 20
        while until not in text and time.monotonic() < deadline:
            if select.select([self.reader], [], [], 1)[0]:  # it may be that nothing comes any more
                text += os.read(self.reader, 65536).decode()
        return [json.loads(line) for line in text.splitlines()]

    def test_whoever_logs_never_waits_and_what_is_missing_is_counted(self) -> None:
        begun = time.monotonic()
        for number in range(1000):
            self.logger.warning("line %s", number)
        self.assertLess(time.monotonic() - begun, 2)
        *lines, told = self.read("were dropped")
        self.assertEqual(told["level"], "error")
        self.assertEqual(len(lines) + told["lines"], 1000)
        self.assertGreater(told["lines"], 700)
        self.assertEqual([each["event"] for each in lines[:2]], ["line 0", "line 1"])
        self.logger.warning("and on")
        self.assertEqual([each["event"] for each in self.read("and on")], ["and on"])

    def test_readyz_says_so_meanwhile(self) -> None:
        """The log cannot, until somebody reads it."""
        (handler,) = self.logger.handlers
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)
        self.assertEqual(readiness.WARNINGS["log_lines"](), [])
        for number in range(1000):
            self.logger.warning("line %s", number)
        (said,) = readiness.WARNINGS["log_lines"]()
        self.assertRegex(said, r"^\d{3} lines were dropped: nobody reads them$")
        self.read("were dropped")
        self.assertEqual(readiness.WARNINGS["log_lines"](), [])


@tag("own_database")
class ProcessTests(SimpleTestCase):
    def test_no_line_is_lost_at_an_end_nor_told_twice(self) -> None:
        environment = {"ENV_FILE": "", "PATH": os.environ["PATH"], "SECRET_KEY": "x" * 50}
        ended = subprocess.run(
            [sys.executable, "-c", LINES],
            env=environment,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=60,
        )
        told = [json.loads(line)["event"] for line in ended.stderr.splitlines() if line[:1] == "{"]
        self.assertEqual(told, ["parent", "of a pool", "forked", "last"], ended.stderr)

    def test_the_server_answers_while_nobody_reads_its_log(self) -> None:
        with Server("http://127.0.0.1:9", **SETTINGS) as server:
            port = free_port()
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALL)
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"],
                env=server.environment | {"WEB_BIND": f"127.0.0.1:{port}", "WEB_THREADS": "4"},
                cwd=settings.BASE_DIR,
                stderr=writer,
            )
            os.close(writer)
            try:
                self._ask_often(f"http://127.0.0.1:{port}")
            finally:
                os.set_blocking(reader, False)
                process.terminate()
                process.wait(60)
                with suppress(BlockingIOError):
                    self.assertIn(b'"event"', os.read(reader, 65536))
                os.close(reader)

    def _ask_often(self, address: str) -> None:
        for _ in range(200):
            with suppress(requests.ConnectionError):
                requests.get(f"{address}/healthz", timeout=5)
                break
            time.sleep(0.1)
        for _ in range(120):  # of some 300 bytes each
            requests.get(f"{address}/nowhere", timeout=10, allow_redirects=False)
        answer = requests.get(f"{address}/healthz", timeout=5)
        self.assertEqual(answer.json(), {"status": "ok"})
