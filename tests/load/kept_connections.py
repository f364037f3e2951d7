"""POSTs over connections that a proxy keeps: `python -m tests.load.kept_connections [--tree DIR]`.

Each connection is idle for 1.9 to 3.1 seconds, then a POST is sent on it, as a proxy would: on a
new one if this is known to be closed. With `--reloads`, secrets are read again meanwhile (SIGHUP).
Exit code 1: a POST was lost.
"""

import argparse
import http.client
import os
import random
import select
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.identity.server import Server

TOKEN = "a" * 32
HEADERS = {
    "Host": "localhost",
    "X-Forwarded-Proto": "https",
    "Origin": "https://localhost",
    "Cookie": f"__Host-csrftoken={TOKEN}",
    "Content-Type": "application/x-www-form-urlencoded",
}
FORM = f"language=ja&csrfmiddlewaretoken={TOKEN}"


class Kept:
    """A connection of the proxy's."""

    def __init__(self, port: int, told: Counter[str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._told = told

    def post(self) -> None:
        if self._is_closed():
            self._connection.close()
            self._told["closed while idle"] += 1
        try:
            self._connection.request("POST", "/language", FORM, HEADERS)
            answer = self._connection.getresponse()
            answer.read()
            self._told[f"answered {answer.status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._told[f"lost: {type(error).__name__}"] += 1

    def _is_closed(self) -> bool:
        sock = self._connection.sock
        return sock is not None and bool(select.select([sock], [], [], 0)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    parser.add_argument("--keepalive", type=int, help="seconds, instead of the server's own")
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=250)
    parser.add_argument("--reloads", type=int, default=0, help="one every five seconds")
    options = parser.parse_args()
    tree = {"tree": options.tree} if options.tree else {}
    environment = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": "x" * 40}
    if options.keepalive is not None:
        environment["GUNICORN_CMD_ARGS"] = f"--keep-alive {options.keepalive}"
    told: Counter[str] = Counter()
    with Server("http://127.0.0.1:9", **tree, **environment) as server:

        def use(posts: int) -> None:
            kept = Kept(server.port, told)
            for _ in range(posts):
                kept.post()
                time.sleep(random.uniform(1.9, 3.1))

        each = options.posts // options.connections
        threads = [threading.Thread(target=use, args=(each,)) for _ in range(options.connections)]
        for thread in threads:
            thread.start()
        for _ in range(options.reloads):
            time.sleep(5)
            server.reload()
        for thread in threads:
            thread.join()
    for what, count in sorted(told.items()):
        print(f"{what:30}{count:8}")
    lost = sum(count for what, count in told.items() if not what.startswith("closed"))
    lost -= told["answered 302"]
    print(f"{'lost or not answered well':30}{lost:8} of {each * options.connections}")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
