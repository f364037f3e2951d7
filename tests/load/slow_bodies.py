"""What slow clients without a sign-in hold up: `python -m tests.load.slow_bodies [--tree DIR]`.

70 of each kind at once at the real server, without a proxy in front: more than it has threads.
Meanwhile somebody probes it. Exit code 1: a probe was lost, or slower than the goal.
"""

import argparse
import http.client
import os
import select
import socket
import statistics
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.identity.server import Server

CLIENTS, SECONDS, PAUSE = 70, 15, 2.0
PATIENCE = 5.0  # seconds after which a probe is given up, as a load balancer would
GOAL = 0.5  # seconds: the 95th percentile of the probes, on a busy machine
PORTAL = "http://127.0.0.1:9"  # nobody asks HubSpot
HEAD = "Host: localhost\r\nX-Forwarded-Proto: https\r\n"
FORM = f"POST / HTTP/1.1\r\n{HEAD}Content-Type: application/x-www-form-urlencoded\r\n"
# What each sends at once; then a byte every two seconds, but for those that send nothing more.
KINDS = {
    "nobody": None,
    "bodies": f"{FORM}Content-Length: 1000\r\n\r\n",
    "chunked bodies": f"{FORM}Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
    "uploads": f"{FORM.replace(' / ', ' /bulk/ ')}Content-Length: 9000000\r\n\r\n",
    "heads": f"GET /healthz HTTP/1.1\r\n{HEAD}X-Slow: ",
    "silent": "",
    "never closed": f"GET /healthz HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n",
}
SAY_NO_MORE = {"silent", "never closed"}


class Slow:
    """Many clients of one kind, each of which comes again when it is cut off."""

    def __init__(self, port: int, kind: str, count: int = CLIENTS, pause: float = PAUSE) -> None:
        self._address, self._kind, self._pause = ("127.0.0.1", port), kind, pause
        self._sockets = [self._begin() for _ in range(count)]
        self._over = threading.Event()
        self.answers: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _begin(self) -> socket.socket:
        client = socket.create_connection(self._address, timeout=30)
        client.sendall((KINDS[self._kind] or "").encode())
        return client

    def _go_on(self) -> None:
        while not self._over.wait(self._pause):
            for number, client in enumerate(self._sockets):
                self._sockets[number] = self._say_more(client)

    def _say_more(self, client: socket.socket) -> socket.socket:
        try:
            if self._kind not in SAY_NO_MORE:
                client.sendall(b"x")
            if self._kind == "never closed" or not select.select([client], [], [], 0)[0]:
                return client
            self.answers.append(client.recv(4096))
        except OSError:
            self.answers.append(b"")
        client.close()
        return self._begin()


@dataclass
class Probes:
    """What came of asking `/healthz` again and again."""

    times: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.times, n=20)[-1] if len(self.times) > 1 else PATIENCE

    def ask(self, port: int, path: str = "/healthz") -> None:
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path, headers={"Host": "localhost"})
            if connection.getresponse().status == 200:
                self.times.append(time.monotonic() - start)
                return
        self.times.append(PATIENCE)
        self.lost += 1


def probed(port: int, seconds: float) -> Probes:
    """Probe from four sides for so long."""
    probes, deadline = Probes(), time.monotonic() + seconds

    def ask() -> None:
        while time.monotonic() < deadline:
            probes.ask(port)
            time.sleep(0.1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return probes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    parser.add_argument("--only", choices=KINDS, help="one kind")
    options = parser.parse_args()
    tree = {"tree": options.tree} if options.tree else {}
    sso = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": "x" * 40}
    missed = False
    print(f"{'70 slow …':16}{'probes':>8}{'lost':>6}{'p50':>9}{'p95':>9}{'cut off':>9}")
    for kind in [options.only] if options.only else KINDS:
        with Server(PORTAL, **tree, **sso) as server:
            with Slow(server.port, kind, CLIENTS if KINDS[kind] is not None else 0) as slow:
                time.sleep(1)
                probes = probed(server.port, SECONDS)
            p50 = statistics.median(probes.times)
            print(
                f"{kind:16}{len(probes.times):8}{probes.lost:6}{p50 * 1000:6.0f} ms"
                f"{probes.p95 * 1000:6.0f} ms{len(slow.answers):9}",
                flush=True,
            )
        missed |= bool(probes.lost) or probes.p95 > GOAL
    sys.exit(missed)


if __name__ == "__main__":
    main()
