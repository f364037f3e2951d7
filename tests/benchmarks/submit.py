"""How near the submit comes to what it cannot do without, and to what others need for the same:
`python -m tests.benchmarks.submit [--quick] [--only costs|counting|load]`.

hubadmin and its peers (tests/benchmarks/peers) take turns, each in a process of its own; within
each turn the submit and its floor alternate call by call. Medians of the rounds; what a goal is
missed by is marked with `!`. Then 32 people at once, at the real server. TEST_DATABASE_URL chooses
the database. Exit code 1: a submit was not one entry, closed as linked by one attempt and one PUT.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings
from django.db import connection

from tests.benchmarks import crowd
from tests.benchmarks.bulk import sandbox

OURS, PEERS = "hubadmin", ("plain", "auditlog", "simple_history", "sdk")
ROUNDS, FLOWS = 7, 20
ROWS = 50  # of a list
STEPS = {"POST": "POST", "form": "form", "answer": "answer page", "list": "list"}
CLOCK, PROCESSOR = 0, 1
GOALS = {"sqlite": 5.0, "postgresql": 5.5, "call": 2.0}


class Side:
    """A process of tests.benchmarks.subject, and its medians of each round."""

    def __init__(self, name: str, folder: Path, hubspot: str, rows: int) -> None:
        self.name, self.rounds = name, list[dict[str, list[float]]]()
        module = "tests.settings" if name == OURS else "tests.benchmarks.peers.settings"
        environment = {"DJANGO_SETTINGS_MODULE": module, "PEER": name, "HUBSPOT_URL": hubspot}
        environment |= {"ENV_FILE": "", "TEST_FILE": str(folder / f"{name}.sqlite3")}
        if url := os.environ.get("TEST_DATABASE_URL"):
            environment["TEST_DATABASE_URL"] = f"{url}_{name}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.subject", str(rows)],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._told()

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # it drops its database

    def ask(self, what: str) -> Any:
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.name} has ended")
        return json.loads(line)

    def cost(self, step: str, kind: int = PROCESSOR) -> float:
        """Milliseconds."""
        return statistics.median(each[step][kind] for each in self.rounds)

    def ratio(self, step: str, floor: str, kind: int = PROCESSOR) -> float:
        """How many times the floor, of the same process in the same rounds."""
        return statistics.median(each[step][kind] / each[floor][kind] for each in self.rounds)

    def against(self, other: "Side", step: str) -> float:
        """How many times the processor time of another, round by round."""
        both = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(a[step][PROCESSOR] / b[step][PROCESSOR] for a, b in both)


def costs(hubspot: str, rounds: int, flows: int, rows: int) -> None:
    with (
        tempfile.TemporaryDirectory(dir=settings.BASE_DIR, prefix=".test.sqlite3-") as folder,
        ExitStack() as stack,
    ):
        sides = [
            stack.enter_context(Side(name, Path(folder), hubspot, rows)) for name in (OURS, *PEERS)
        ]
        for _ in range(rounds):
            for side in sides:
                side.rounds.append(side.ask(f"flows {flows}"))
        tell_costs(sides, rows)
        tell_database(sides)


def counting(hubspot: str, rounds: int, submits: int) -> None:
    """What it costs that submits are counted for /metrics."""
    with (
        tempfile.TemporaryDirectory(dir=settings.BASE_DIR, prefix=".test.sqlite3-") as folder,
        Side(OURS, Path(folder), hubspot, 1) as side,
    ):
        side.rounds += [side.ask(f"counted {submits}") for _ in range(rounds)]
    print(
        f"\n{connection.vendor}: a submit that is counted for /metrics / one that is not: "
        f"CPU {side.ratio('counted', 'uncounted'):.3f} "
        f"({side.cost('counted'):.2f} and {side.cost('uncounted'):.2f} ms), "
        f"wall {side.ratio('counted', 'uncounted', CLOCK):.3f}"
    )


def tell_costs(sides: list[Side], rows: int) -> None:
    ours, *peers = sides
    print(
        f"\n{connection.vendor}: a submit / (urllib3 PUT + INSERT), call / urllib3 PUT, and ms of "
        f"CPU; a list has {rows} rows"
    )
    heads = ("", "wall", "CPU", "call wall", "call CPU", *(f"{each} ms" for each in STEPS.values()))
    print("{:16}{:>8}{:>8}{:>11}{:>10}{:>9}{:>9}{:>16}{:>9}".format(*heads))
    for side in sides:
        wall, call = side.ratio("POST", "floor", CLOCK), side.ratio("call", "put", CLOCK)
        marks = [
            "!" if side is ours and value > goal else " "
            for value, goal in ((wall, GOALS[connection.vendor]), (call, GOALS["call"]))
        ]
        print(
            f"{side.name:16}{wall:7.2f}{marks[0]}{side.ratio('POST', 'floor'):8.2f}"
            f"{call:10.2f}{marks[1]}{side.ratio('call', 'put'):10.2f}"
            f"{side.cost('POST'):9.2f}{side.cost('form'):9.2f}{side.cost('answer'):16.2f}"
            f"{side.cost('list'):9.2f}"
        )
    wall = [f"{side.name} {side.cost('floor', CLOCK):.2f}" for side in sides]
    print(f"floor, wall ms: {', '.join(wall)}")
    print("\nCPU of hubadmin / that of a peer, same rounds")
    print("{:16}{:>8}{:>8}{:>15}{:>8}".format("", *STEPS.values()))
    for side in peers:
        ratios = [ours.against(side, step) for step in STEPS]
        print("{:16}{:8.2f}{:8.2f}{:15.2f}{:8.2f}".format(side.name, *ratios))


def tell_database(sides: list[Side]) -> None:
    print(
        "\nstatements of a submit / with BEGIN, COMMIT and the like, its commits and syncs; "
        "statements of pages"
    )
    print(
        "{:16}{:>14}{:>9}{:>8}{:>7}{:>9}{:>7}".format(
            "", "statements", "commits", "syncs", "form", "answer", "list"
        )
    )
    for side in sides:
        said, syncs = side.ask("statements"), side.ask("syncs")
        if said["floor"] != {"statements": 1, "commits": 1, "sent": 1}:
            raise AssertionError(f"the floor is not one INSERT: {said['floor']}")
        post = said["POST"]
        waits = "?" if syncs is None else f"{syncs:.1f}"
        pages = [said[page]["statements"] for page in ("form", "answer", "list")]
        print(
            f"{side.name:16}{post['statements']:8} /{post['sent']:4}{post['commits']:9}{waits:>8}"
            "{:7}{:9}{:7}".format(*pages)
        )
    if syncs is None:
        print("syncs are not counted: strace is not installed, or may not look at the process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether it works, in one short round")
    parser.add_argument("--only", choices=["costs", "counting", "load"])
    options = parser.parse_args()
    with sandbox(0) as hubspot:
        if options.only in (None, "costs"):
            costs(hubspot, *((1, 2, 2) if options.quick else (ROUNDS, FLOWS, ROWS)))
        if options.only in (None, "counting"):
            counting(hubspot, *((1, 2) if options.quick else (ROUNDS, 2 * FLOWS)))
        if options.only in (None, "load"):
            crowd.measure(hubspot, submits=1 if options.quick else crowd.SUBMITS)


if __name__ == "__main__":
    main()
