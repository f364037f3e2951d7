"""What large uploads of some cost the others: `python -m tests.load.uploads [--tree DIR]`.

First one person uploads 14 files as large as they may be, all at once. Then ten people have work
pending: files that are read, and runs that go out as single calls, at the usual limit of them.
Each time somebody else tries one row, again and again, and a third person looks at pages. Exit code
1: a dry run of one row was not ready within five seconds, or pages took more than half as long
again as undisturbed (each at the 95th percentile). `--database` is the address of an empty
PostgreSQL, SQLite unless told.
"""

import argparse
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from django.conf import settings

from tests.demo import MANAGE
from tests.identity.processes import Process, free_port, listens
from tests.identity.server import Server
from tests.load.people import BY_HEADER, PATIENCE, Person, p95, seconds_of

FILES, READING, SENDING = 14, 5, 5
ROWS, SENT_ROWS, TRIES = 100_000, 3_000, 20
READY_GOAL, PAGES_GOAL, AT_MOST = 5.0, 1.5, 120.0
PAGES = ("/", "/requests/", "/bulk/")
DELAY = 0.15  # seconds that each call to HubSpot takes


def rows(number: int, first: int = 0, reason: str = "") -> bytes:
    lines = (
        f"Contact,{1_000_001 + first + n},Company,{2_000_001 + n % 20_000},{reason}{n}"
        for n in range(number)
    )
    return "\n".join(["from type,from id,to type,to id,reason", *lines]).encode()


class Uploader(Person):
    def upload(self, file: bytes) -> str:
        """Upload a file, and return the address of its run; empty if it was refused."""
        answer = self._ask("POST", "/bulk/", data=self._token(), files={"file": ("x.csv", file)})
        return answer.headers["Location"] if answer.is_redirect else ""

    def start(self, run: str) -> None:
        self._ask("POST", f"{run}start/", data=self._token() | {"way": "single"})

    def discard(self, run: str) -> None:
        self._ask("POST", f"{run}discard/", data=self._token())

    def is_ready(self, run: str) -> bool:
        return f'action="{run}start/"' in self.get(run).text

    def seconds_until_ready(self, run: str) -> float:
        start = time.monotonic()
        while not self.is_ready(run) and time.monotonic() - start < AT_MOST:
            time.sleep(0.1)
        return time.monotonic() - start

    def _token(self) -> dict[str, str]:
        page = self.get("/bulk/").text
        return {"csrfmiddlewaretoken": re.search(r'token" value="([^"]+)"', page)[1]}


@contextmanager
def site(options: argparse.Namespace) -> Iterator[Server]:
    """A server, a worker with two processes, and a HubSpot."""
    port, tree = free_port(), options.tree or settings.BASE_DIR
    more = BY_HEADER | ({"DATABASE_URL": options.database} if options.database else {})
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            Process([sys.executable, str(MANAGE), "hubspot_sandbox", "--port", str(port)])
        )
        sandbox.wait_until(lambda: listens(port))
        address = f"http://127.0.0.1:{port}"
        for method in ("PUT", "POST", "GET"):
            slow = {"method": method, "delay": DELAY, "times": None}
            requests.post(f"{address}/_sandbox/faults", json=slow, timeout=5)
        server = stack.enter_context(Server(address, tree=tree, **more))
        stack.enter_context(
            Process(
                [sys.executable, str(tree / "manage.py"), "run_worker"],
                env=server.environment,
                cwd=tree,
            )
        )
        yield server


def upload_at_once(port: int, number: int) -> list[str]:
    """Upload so many large files of one person; return the runs of those that are taken."""
    server = SimpleNamespace(port=port)
    with ThreadPoolExecutor(number) as pool:
        tabs = [Uploader(server, "ada") for _ in range(number)]
        return [*filter(None, pool.map(lambda tab: tab.upload(large_file()), tabs))]


@cache
def large_file() -> bytes:
    return rows(ROWS, reason="x" * 160)


def tried(person: Uploader) -> list[float]:
    """How long each of some dry runs of one row took, from the upload on."""
    times: list[float] = []
    while len(times) < TRIES and sum(times) < AT_MOST:
        start = time.monotonic()
        run = person.upload(rows(1, len(times)))
        person.seconds_until_ready(run)
        times.append(time.monotonic() - start)
        person.discard(run)
    return times


def looked_at(person: Person, goes_on: Callable[[], bool]) -> list[float]:
    times: list[float] = []
    while goes_on() or len(times) < 20:
        times += [seconds_of(lambda path=path: person.get(path)) for path in PAGES]
        time.sleep(0.05)
    return times


class Looking:
    """Somebody who looks at pages meanwhile."""

    def __init__(self, person: Person) -> None:
        self._person, self._over, self.times = person, threading.Event(), list[float]()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        self.times += looked_at(self._person, lambda: not self._over.is_set())


class Table:
    def __init__(self) -> None:
        self.is_missed = False

    def tell(self, name: str, tries: list[float], pages: list[float], alone: list[float]) -> None:
        ratio = p95(pages) / p95(alone)
        ready = sorted(tries)[-1 - len(tries) // 20]
        self.is_missed |= ready > READY_GOAL or ratio > PAGES_GOAL
        print(
            f"{name:34}{len(tries):4} tries: ready after {sorted(tries)[len(tries) // 2]:6.1f} s, "
            f"p95 {ready:6.1f} s; {len(pages):4} pages: p95 {p95(pages) * 1000:5.0f} ms, "
            f"alone {p95(alone) * 1000:5.0f} ms: {ratio:.2f}, lost {pages.count(PATIENCE)}",
            flush=True,
        )


def undisturbed(table: Table, bea: Uploader, cy: Uploader) -> list[float]:
    """How long pages take while nobody else has work pending."""
    for is_warm in (False, True):
        with Looking(cy) as looking:
            tries = tried(bea)
        if is_warm:
            table.tell("nothing else", tries, looking.times, looking.times)
    return looking.times


def one_person(server: Server, table: Table) -> None:
    """14 files of one person, all at once."""
    ada, bea, cy = (Uploader(server, name) for name in ("ada", "bea", "cy"))
    alone = undisturbed(table, bea, cy)
    # In a process of its own, or the pages would wait for each other here.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(large_file).result()
        begun = time.monotonic()
        with Looking(cy) as arriving:
            runs = pool.submit(upload_at_once, server.port, FILES).result()
    print(
        f"{FILES} large files, {len(runs)} taken, arrived within {time.monotonic() - begun:.1f} s; "
        f"{len(arriving.times)} pages meanwhile: p95 {p95(arriving.times) * 1000:.0f} ms"
    )
    with Looking(cy) as looking:
        tries = tried(bea)
    table.tell(f"{FILES} large uploads of one", tries, looking.times, alone)
    for run in runs:
        ada.seconds_until_ready(run)
    print(f"all of them were read {time.monotonic() - begun:.0f} s after the first upload")


def ten_people(server: Server, table: Table) -> None:
    bea, cy = Uploader(server, "bea"), Uploader(server, "cy")
    alone = undisturbed(table, bea, cy)
    senders = [Uploader(server, f"sender{number}") for number in range(SENDING)]
    readers = [Uploader(server, f"reader{number}") for number in range(READING)]
    runs = [person.upload(rows(SENT_ROWS, 30_000 * n)) for n, person in enumerate(senders, 1)]
    for person, run in zip(senders, runs, strict=True):
        person.seconds_until_ready(run)
    for person, run in zip(senders, runs, strict=True):
        person.start(run)
    read = [person.upload(rows(ROWS)) for person in readers]
    with Looking(cy) as looking:
        tries = tried(bea)
    pending = sum(not person.is_ready(run) for person, run in zip(readers, read, strict=True))
    table.tell(f"ten people ({pending} files unread yet)", tries, looking.times, alone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    parser.add_argument("--database", help="the address of an empty PostgreSQL")
    parser.add_argument("--only", choices=["one", "ten"])
    options = parser.parse_args()
    table = Table()
    with site(options) as server:
        if options.only != "ten":
            one_person(server, table)
        if options.only != "one":
            ten_people(server, table)
    sys.exit(table.is_missed)


if __name__ == "__main__":
    main()
