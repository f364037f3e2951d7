"""A whole site that something breaks in, and everybody who should notice it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psycopg
import requests
from prometheus_client.parser import text_string_to_metric_families

from hubadmin.demo.sandbox import Sandbox
from tests.associations.notices.base import Hooks
from tests.demo import MANAGE
from tests.faults.bulk_stack import Visitor
from tests.faults.clock import Clock
from tests.identity.processes import Process
from tests.identity.server import Server
from tests.load.people import SECRET

TOKEN = "a-token-to-read-metrics"
LINK = {"from_object_type": "contacts", "to_object_type": "companies"}
Labels = frozenset[tuple[str, str]]
Samples = dict[tuple[str, Labels], float]
Told = dict[str, str]  # by where it was told: the words


@dataclass(frozen=True, slots=True)
class Signs:
    """How a breakdown shows: regular expressions of the words, or a comparison of metrics.

    `notice`: events. `status`: lines that need attention, with level and event before the text.
    `log`: logger and event of lines from INFO on. Without a pattern nothing shows there.
    """

    notice: str = ""
    status: str = ""
    metrics: Callable[[Samples, Samples], bool] | None = None
    readyz: str = ""
    log: str = ""

    @property
    def wanted(self) -> set[str]:
        names = ("notice", "status", "metrics", "readyz", "log")
        return {name for name in names if getattr(self, name)}


def of(name: str, **labels: str) -> tuple[str, Labels]:
    return f"hubadmin_{name}", frozenset(labels.items())


class Address:
    """What a visitor has to know of the server."""

    def __init__(self, server: Server) -> None:
        self.bind, self.secret = f"127.0.0.1:{server.port}", SECRET


@dataclass
class Site:
    """Server, worker, sealer, HubSpot's sandbox and somebody who is told; use it by `with`."""

    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()  # of the worker's command
    everywhere: tuple[str, ...] = ()  # before each command
    port: int = 0
    clock: Clock | None = None  # the worker's, where it has one of its own

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="broken-")))
            self.sandbox = stack.enter_context(Sandbox(keep_requests=1_000_000))
            self.hooks = stack.enter_context(Hooks())
            settings = {
                "HUBSPOT_API_VERSION": "2026-09",
                "HUBSPOT_PORTAL_ID": "4242",
                "METRICS_TOKEN": TOKEN,
                "METRICS_DIR": str(self.folder / "metrics"),
                "SPOOL_DIR": str(self.folder / "spool"),
                "SITE_URL": "https://hubadmin.example.com",
                "NOTICE_RECEIVERS": f"hook json {self.hooks.url}/ok",
                "NOTICE_PRIVATE_RECEIVERS": "hook",
                "NOTICE_SIGNING_SECRET": SECRET,
                "WEB_WORKERS": "1",
                "WEB_THREADS": "8",
                "WORKER_PROCESSES": "1",
                "SWEEP_QUOTA_PERCENT": "0",
                "SSO_MODE": "header",
                "SSO_ISSUER": "proxy",
                "SSO_HEADER_SECRET": SECRET,
            }
            self.server = Server(
                self.sandbox.url, prefix=self.everywhere, **settings | self.environment
            )
            stack.enter_context(self.server)
            self.worker = self._start("run_worker", prefix=self.prefix)
            self.sealer = self._start("seal_audit_log", "--every", "5", HUBSPOT_ACCESS_TOKEN="")
            stack.callback(self._stop)
            self.visitor = Visitor(Address(self.server))
            self.links = 0
            wait_for(lambda: {"hubadmin_workers"} <= {name for name, _ in self.metrics()})
            sealer = "hubadmin_sealer_seen_timestamp_seconds"
            wait_for(lambda: self.metrics().get(("hubadmin_workers", frozenset())))
            wait_for(lambda: sealer in {name for name, _ in self.metrics()})
            self.submit()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, *arguments: str, prefix: tuple[str, ...] = (), **changes: str) -> Process:
        command = [*self.everywhere, *prefix, sys.executable, str(MANAGE), *arguments]
        return Process(command, env=self.server.environment | changes).__enter__()

    @property
    def probed(self) -> str:
        """Where monitoring asks: this site's server, or another one of it, if a test says so."""
        return f"http://127.0.0.1:{self.port or self.server.port}"

    def start_worker(self) -> None:
        self.worker = self._start("run_worker")

    def start_sealer(self) -> None:
        self.sealer = self._start("seal_audit_log", "--every", "5", HUBSPOT_ACCESS_TOKEN="")

    def _stop(self) -> None:
        for each in (self.worker, self.sealer):
            with suppress(Exception):
                each.stop(5)

    # --- normal use -------------------------------------------------------------------------------

    def submit(self) -> int:
        """Link two records; return the status of the answer, or 0 if there is none."""
        self.links += 1
        # All of them exist: what people mistype is no normal use.
        pair = {"from_object_id": str(501 + self.links // 10 % 20)}
        pair |= {"to_object_id": str(901 + self.links % 10)}
        with suppress(requests.RequestException, TypeError):
            return self.visitor._post("/", LINK | pair).status_code
        return 0

    def upload(self, rows: int, start: bool = True, first: tuple[int, int] = (501, 901)) -> str:
        """Upload a file of so many pairs, and start the run once it is ready; return its path.

        `first` are the ids of the first contact and the first company.
        """
        file = self.folder / f"pairs-{time.monotonic_ns()}.csv"
        pairs = "".join(f"{first[0] + n},{first[1] + n}\n" for n in range(rows))
        file.write_text(f"contact id,company id\n{pairs}")
        with file.open("rb") as opened:
            answer = self.visitor.post("/bulk/", data={}, files={"file": opened})
        run = answer.headers["Location"]
        number = run.strip("/").rsplit("/", 1)[1]
        state = f"SELECT state FROM associations_bulkrun WHERE id = {int(number)}"
        wait_for(lambda: self.sql(state) == [("ready",)])
        if start:
            self.visitor.post(f"{run}start/", data={"way": "batch"})
        return run

    # --- the database, as somebody beside the site ------------------------------------------------

    @property
    def file(self) -> str:
        return self.server.environment["DATABASE_URL"].removeprefix("sqlite:///")

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run these in one transaction; return the last one's rows."""
        url = self.server.environment["DATABASE_URL"]
        if url.startswith("postgres:"):
            with psycopg.connect(url) as database:
                found = [database.execute(each) for each in statements][-1]
                return found.fetchall() if found.description else []
        with closing(sqlite3.connect(self.file, timeout=20)) as database, database:
            return [database.execute(each).fetchall() for each in statements][-1]

    def manage(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Run a command as an administrator; return its exit code and its output."""
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            env=self.server.environment | changes,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    # --- who should notice ------------------------------------------------------------------------

    def notices(self) -> list[dict[str, Any]]:
        return [post.json for post in self.hooks.posts]

    def metrics(self) -> Samples:
        with suppress(requests.RequestException):
            headers = {"Authorization": f"Bearer {TOKEN}", "Host": "localhost"}
            answer = requests.get(f"{self.probed}/metrics", headers=headers, timeout=15)
            return {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(answer.text if answer.ok else "")
                for sample in family.samples
            }
        return {}

    def readyz(self) -> str:
        with suppress(requests.RequestException):
            headers = {"Host": "localhost"}
            return requests.get(f"{self.probed}/readyz", headers=headers, timeout=15).text
        return "no answer"

    def status(self) -> list[str]:
        """The lines that need attention, or that the database cannot be asked."""
        code, text = self.manage("status", "--json")
        facts = json.loads(text)
        told = [
            f"{line['level']} {line['event']} {line['text']}"
            for section in facts["sections"]
            for line in section["lines"]
            if line["level"] in ("wrong", "warning")
        ]
        return [*told, f"unknown None {facts['headline']}"] if code == 3 else told

    def log(self) -> list[str]:
        """Logger, level and event of each line that any process has written so far."""
        outputs = (each.output() for each in (self.server._process, self.worker, self.sealer))
        return [*_events("\n".join(outputs))]


def _events(text: str) -> Iterator[str]:
    for line in text.splitlines():
        with suppress(ValueError, AttributeError):
            facts = json.loads(line)
            yield f"{facts.get('logger')} {facts.get('level')} {facts.get('event')}"


class Watcher:
    """Looks everywhere, again and again, for what was not there before it began."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._notices, self._lines = len(site.notices()), len(site.log())
        self._metrics, self._ready = site.metrics(), site.readyz()
        self._status = set(site.status())

    def seen(self, signs: Signs, use: Callable[[], object], seconds: float) -> dict[str, float]:
        """Return after how many seconds it showed where; `use` is what people do meanwhile."""
        begun, found = time.monotonic(), dict[str, float]()
        while True:
            with suppress(Exception):  # what people do fails as well
                use()
            for where in signs.wanted - found.keys():
                if getattr(self, f"_{where}_shows")(signs):
                    found[where] = time.monotonic() - begun
            if signs.wanted == found.keys() or time.monotonic() - begun > seconds:
                return found
            time.sleep(1)

    def _notice_shows(self, signs: Signs) -> bool:
        new = self._site.notices()[self._notices :]
        return any(re.search(signs.notice, each["event"]) for each in new if not each["is_over"])

    def _status_shows(self, signs: Signs) -> bool:
        return any(re.search(signs.status, each) for each in {*self._site.status()} - self._status)

    def _metrics_shows(self, signs: Signs) -> bool:
        now = self._site.metrics()
        return signs.metrics is not None and bool(now) and signs.metrics(self._metrics, now)

    def _readyz_shows(self, signs: Signs) -> bool:
        body = self._site.readyz()
        return body != self._ready and bool(re.search(signs.readyz, body))

    def _log_shows(self, signs: Signs) -> bool:
        return any(re.search(signs.log, each) for each in self._site.log()[self._lines :])


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.2)
    return found


def kill(process: Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
