"""One side of tests.benchmarks.submit, in a process of its own: hubadmin, or one of its peers.

What it is told by lines on its standard input it measures, and answers with a line of JSON. While
it does, nobody else of the benchmark is at work.
"""

import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

import django
import requests
import urllib3
from django.conf import settings
from django.db import close_old_connections, connection
from django.test import Client
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings

from tests.benchmarks.browser import Page

SYNCED = 20  # submits whose syncs are counted
HEADERS = {"Authorization": "Bearer sandbox"}
# The submit's pair, and another, so that the two sides' PUTs can be told apart.
ENDS, OTHER_ENDS = ("contacts", "501", "companies", "902"), ("contacts", "501", "companies", "903")
NAMES = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")
LINK, OTHER_LINK = (dict(zip(NAMES, ends, strict=True)) for ends in (ENDS, OTHER_ENDS))
PATH, OTHER_PATH = (
    "/crm/v4/objects/{}/{}/associations/default/{}/{}".format(*ends) for ends in (ENDS, OTHER_ENDS)
)
_FRAME = {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK"}
_WRITES = {"INSERT", "UPDATE", "DELETE"}

Samples = dict[str, list[tuple[float, float]]]  # milliseconds by the clock and of the processor


@dataclass(frozen=True, slots=True)
class App:
    """Somebody's browser, signed in; the bare call to HubSpot; and what the log has of submits."""

    client: Client
    call: Callable[[], object]
    entries: Callable[[], Counter[str]]


def hubadmin() -> App:
    from associations.gateway import clients
    from associations.models import AssociationRequest
    from tests.support import SignedInClient, person

    def entries() -> Counter[str]:
        """By outcome, and how many attempts they took."""
        found = AssociationRequest.objects.prefetch_related("attempts")
        return Counter(f"{each.outcome} by {len(each.attempts.all())}" for each in found)

    client = SignedInClient(person(), **_as_browser("https://testserver"))
    return App(
        client, lambda: clients.interactive().create_default_association(**OTHER_LINK), entries
    )


def peer() -> App:
    from django.contrib.auth.models import User

    from tests.benchmarks.peers import hubspot
    from tests.benchmarks.peers.models import LinkRequest

    def entries() -> Counter[str]:
        return Counter(f"{each} by 1" for each in LinkRequest.objects.values_list("status", flat=1))

    client = Client(**_as_browser("http://testserver"))
    client.force_login(User.objects.create_user("support"))
    return App(client, lambda: hubspot.put(*OTHER_ENDS), entries)


def _as_browser(origin: str) -> dict[str, Any]:
    return {"enforce_csrf_checks": True, "headers": {"Origin": origin}}


@dataclass(slots=True)
class Subject:
    """An app and the floor of its submit: a PUT by urllib3, and an INSERT that commits."""

    app: App
    hubspot: str
    submits: int = 0
    _pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def __post_init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE raw_log (who integer, body text)")

    # --- what is done ---

    def put(self) -> None:
        answer = self._pool.request("PUT", self.hubspot + OTHER_PATH, headers=HEADERS)
        assert answer.status == 200, answer.status

    def floor(self) -> None:
        """By the driver, on Django's own connection: as durable as its writes are."""
        self.put()
        connection.connection.execute("INSERT INTO raw_log VALUES (1, 'x')")

    def get(self, address: str) -> str:
        close_old_connections()  # as a server does before each request; the test client does not
        answer = self.app.client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return answer.content.decode()

    def fields(self) -> str:
        return self.filled_in(self.get("/"))

    def filled_in(self, form: str) -> str:
        """What somebody posts to whom this form was shown."""
        hidden = Page(form).hidden
        return urlencode(hidden | LINK | {"reason": f"SUP-{self.submits}"}, doseq=True)

    def post(self, fields: str) -> str:
        """Where the submit leads to."""
        close_old_connections()
        encoding = "application/x-www-form-urlencoded"
        answer = self.app.client.post("/", fields, content_type=encoding)
        self.submits += 1
        assert answer.status_code == 302, (answer.status_code, answer.content[:500])
        return answer["Location"]

    # --- what is measured ---

    def flows(self, count: int) -> Samples:
        """Each step of so many submits: what is small comes after a page, and never hot."""
        samples: Samples = {}
        for _ in range(count):
            fields = self.filled_in(_timed(samples, "form", lambda: self.get("/")))
            _timed(samples, "floor", self.floor)
            address = _timed(samples, "POST", lambda fields=fields: self.post(fields))
            _timed(samples, "answer", lambda address=address: self.get(address))
            _timed(samples, "put", self.put)
            _timed(samples, "list", lambda: self.get("/requests/"))
            _timed(samples, "call", self.app.call)
        return samples

    def counted(self, count: int) -> Samples:
        """So many submits that nobody counts for /metrics, and as many in turns that are counted.

        Without the signal of changed settings, which would begin the counting anew.
        """
        samples: Samples = {}
        turns = (("uncounted", ""), ("counted", "a-token-of-this-benchmark"))
        for number in range(count):
            for name, token in turns if number % 2 else reversed(turns):
                fields = self.fields()
                settings.METRICS_TOKEN = token
                _timed(samples, name, lambda fields=fields: self.post(fields))
                settings.METRICS_TOKEN = ""
        return samples

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Each submit within has to be an entry that is closed as linked, and one PUT."""
        requests.post(f"{self.hubspot}/_sandbox/reset", timeout=5)
        before, submits = self.app.entries(), self.submits
        yield
        heard = requests.get(f"{self.hubspot}/_sandbox/requests", timeout=5).json()
        puts = sum(each["method"] == "PUT" and each["path"] == PATH for each in heard)
        made, submits = self.app.entries() - before, self.submits - submits
        if made != Counter({"linked by 1": submits}) or puts != submits:
            raise AssertionError(f"{submits} submits: {dict(made)}, {puts} PUTs")

    def statements(self) -> dict[str, dict[str, int]]:
        """Of each step: what the database was asked, transactions that wrote, all it was sent."""
        fields, address = self.fields(), ""

        def post() -> None:
            nonlocal address
            address = self.post(fields)

        steps = {"floor": self.floor, "form": lambda: self.get("/"), "POST": post}
        steps |= {"answer": lambda: self.get(address), "list": lambda: self.get("/requests/")}
        return {name: _counted(_said_to_database(step)) for name, step in steps.items()}

    def syncs(self) -> float | None:
        """How often a submit waits for the disk; None where nobody can say."""
        prepared = [self.fields() for _ in range(SYNCED)]
        count = _syncs_of(_who_syncs(), lambda: [self.post(fields) for fields in prepared])
        return None if count is None else count / SYNCED


def _timed(samples: Samples, name: str, work: Callable[[], Any]) -> Any:
    clock, processor = time.perf_counter(), _processor()
    result = work()
    took = (time.perf_counter() - clock) * 1000, (_processor() - processor) * 1000
    samples.setdefault(name, []).append(took)
    return result


def _processor() -> float:
    """Seconds that this process has had of it, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _said_to_database(work: Callable[[], object]) -> list[str]:
    """The first word of each statement, as the driver tells it: it knows of those that Django's
    own wrappers do not see, BEGIN, COMMIT and whether the connection still stands among them."""
    driver = connection.connection
    if connection.vendor == "sqlite":
        said: list[str] = []
        driver.set_trace_callback(said.append)
        work()
        driver.set_trace_callback(None)
        # For each of its triggers a statement is told once more; `--` are a search table's own.
        told = [each for each, _ in groupby(each for each in said if not each.startswith("--"))]
        return [each.split()[0].upper() for each in told]
    with tempfile.TemporaryFile("w+") as file:
        driver.pgconn.trace(file.fileno())
        work()
        driver.pgconn.untrace()
        file.seek(0)
        return re.findall(r'CommandComplete\s+"(\w+)', file.read())


def _counted(said: list[str]) -> dict[str, int]:
    commits, is_open, has_written = 0, False, False
    for word in said:
        has_written |= word in _WRITES
        is_open = word == "BEGIN" or (is_open and word not in ("COMMIT", "ROLLBACK"))
        if not is_open:
            commits += has_written and word != "ROLLBACK"
            has_written = False
    asked = sum(word not in _FRAME for word in said)
    return {"statements": asked, "commits": commits, "sent": len(said)}


def _who_syncs() -> int:
    """The process that writes to the disk: this one, or PostgreSQL's for this connection."""
    if connection.vendor == "sqlite":
        return os.getpid()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def _syncs_of(process: int, work: Callable[[], object]) -> int | None:
    """How often the process calls fdatasync (or fsync) meanwhile; None without strace's leave."""
    with tempfile.NamedTemporaryFile("r") as table:
        command = ["strace", "-c", "-f", "-e", "trace=fdatasync,fsync", "-o", table.name]
        try:
            strace = subprocess.Popen(
                [*command, "-p", str(process)], stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            return None
        if "attached" not in strace.stderr.readline():
            strace.wait()
            return None
        work()
        strace.send_signal(signal.SIGINT)
        strace.communicate()
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*sync$", table.read(), re.M)
        return sum(map(int, rows))


def medians(samples: Samples) -> dict[str, list[float]]:
    """Of each step: milliseconds by the clock, and of the processor."""
    return {
        name: [statistics.median(side) for side in zip(*taken, strict=True)]
        for name, taken in samples.items()
    }


def serve(subject: Subject, rows: int) -> None:
    """Measure what the other side asks for; before that, have as many entries as a list shows."""
    with subject.checked():
        for _ in range(rows):
            subject.post(subject.fields())
        subject.flows(2)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, *count = line.split()
        with subject.checked():
            if count:
                some = {"flows": subject.flows, "counted": subject.counted}[name]
                told: Any = medians(some(int(*count)))
            else:
                told = {"statements": subject.statements, "syncs": subject.syncs}[name]()
        print(json.dumps(told), flush=True)


def main() -> None:
    django.setup()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    hubspot, rows = os.environ["HUBSPOT_URL"], int(sys.argv[1])
    ours = {"HUBSPOT_API_BASE_URL": hubspot, "HUBSPOT_ACCESS_TOKEN": "sandbox"}
    # Neither limit is what is measured: of calls there is none, and of a person's submits one so
    # high that they are counted, but never too many. The floor looks up nothing either.
    ours |= {"HUBSPOT_CALLS_PER_10_SECONDS": 0, "SUBMITS_PER_PERSON_PER_MINUTE": 1_000_000}
    try:
        if hasattr(settings, "PEER"):
            serve(Subject(peer(), hubspot), rows)
        else:
            from associations.gateway import rate_limiter

            with (
                tempfile.TemporaryDirectory() as folder,
                override_settings(**ours, HUBSPOT_VERIFY=False, METRICS_DIR=folder),
                closing(rate_limiter),
            ):
                serve(Subject(hubadmin(), hubspot), rows)
    finally:
        runner.teardown_databases(databases)


if __name__ == "__main__":
    main()
