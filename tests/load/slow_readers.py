"""What one person's slow downloads hold up: `python -m tests.load.slow_readers [--tree DIR]`.

80 connections of one person ask for a large file, and read a little of it now and then; whoever is
refused or broken off comes again about when they were told to. Meanwhile somebody else looks at
pages. Exit code 1: one was lost, or they took more than half as long again as undisturbed, at the
95th percentile.
"""

import argparse
import os
import random
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.identity.server import Server
from tests.load.people import BY_HEADER, PATIENCE, Person, headers_of, p95, seconds_of

READERS, ROWS, GOAL = 80, 20_000, 1.5
ROUNDS, SECONDS = 3, 10
PAGES = ("/", "/requests/", "/bulk/")
FILES = ("/bulk/1/results.csv", "/audit/export.csv", "/audit/export.jsonl")
COME_AGAIN, READ_EVERY, BYTES = 30.0, 0.5, 512
FILL = f"""
from datetime import timedelta
from django.utils import timezone
from associations.models import AssociationRequest, BulkRun
from hubadmin.models import User
ada, now = User.objects.get(subject="ada"), timezone.now() - timedelta(hours=1)
run = BulkRun.objects.create(user=ada, user_name="Ada", name="x.csv", state="done", created_at=now)
AssociationRequest.objects.bulk_create([AssociationRequest(
    user=ada, created_at=now, finished_at=now, user_name="x" * 200, user_agent="x" * 300,
    from_object_type="contacts", from_object_id="501", to_object_type="companies",
    to_object_id="902", reason="y" * 290, outcome="linked", cause="confirmed", api_version="v4",
    run=run, row_number=n + 1) for n in range({ROWS})], batch_size=500)
"""


class SlowReaders:
    """All connections of one person; one thread reads for them."""

    def __init__(self, port: int, path: str) -> None:
        lines = [f"{name}: {value}\r\n" for name, value in headers_of("ada", "admin").items()]
        self._request = f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()
        self._address, self._over = ("127.0.0.1", port), threading.Event()
        self.refused = 0
        self._open: dict[int, socket.socket] = {}
        self._again = {each: time.monotonic() + 2 * each / READERS for each in range(READERS)}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for each in self._open.values():
            each.close()

    def _go_on(self) -> None:
        while not self._over.wait(READ_EVERY):
            for number, when in list(self._again.items()):
                if when <= time.monotonic():
                    del self._again[number]
                    self._open[number] = self._begin()
            for number, connection in list(self._open.items()):
                if self._has_ended(connection):
                    connection.close()
                    del self._open[number]
                    self._again[number] = time.monotonic() + COME_AGAIN * random.uniform(0.5, 1.5)

    def _begin(self) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        connection.settimeout(5)
        connection.connect(self._address)
        connection.sendall(self._request)
        connection.setblocking(False)
        return connection

    def _has_ended(self, connection: socket.socket) -> bool:
        with suppress(BlockingIOError):
            try:
                part = connection.recv(BYTES)
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    raise
                return True
            is_refused = part.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503"))
            self.refused += is_refused
            return is_refused or not part
        return False


def looked_at(person: Person) -> list[float]:
    """How long each page took, for a while."""
    times, deadline = [], time.monotonic() + SECONDS
    while time.monotonic() < deadline or len(times) < 20:
        for path in PAGES:
            times.append(seconds_of(lambda path=path: person.get(path)))
            time.sleep(0.03)
        if times[-len(PAGES) :] == [PATIENCE] * len(PAGES) and len(times) >= len(PAGES):
            break  # it will not become better
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    options = parser.parse_args()
    tree = {"tree": options.tree} if options.tree else {}
    missed = False
    print(
        f"{'pages of another, with':28}{'pages':>6}{'lost':>6}{'p95':>10}{'ratio':>7}{'refused':>9}"
    )
    with Server("http://127.0.0.1:9", HUBSPOT_PORTAL_ID="1", **tree, **BY_HEADER) as server:
        Person(server, "ada", "admin").get("/requests/")
        server.manage("shell", "-c", FILL)
        bea = Person(server, "bea")
        looked_at(bea)
        for path in FILES:
            alone, times, refused = list[float](), list[float](), 0
            for _ in range(ROUNDS):  # in turns, as other work on the machine comes and goes
                alone += looked_at(bea)
                with SlowReaders(server.port, path) as readers:
                    time.sleep(3)
                    times += looked_at(bea)
                refused += readers.refused
                time.sleep(6)  # until the server has noticed
            lost, ratio = times.count(PATIENCE), p95(times) / p95(alone)
            missed |= bool(lost) or ratio > GOAL
            print(f"{'nothing else':28}{len(alone):6}{0:6}{p95(alone) * 1000:7.0f} ms")
            print(
                f"{f'{READERS} slow {path}':28}{len(times):6}{lost:6}{p95(times) * 1000:7.0f} ms"
                f"{ratio:7.2f}{refused:9}",
                flush=True,
            )
    sys.exit(missed)


if __name__ == "__main__":
    main()
