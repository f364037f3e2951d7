"""Bulk runs under kill -9, faults of HubSpot's and a database that goes away.

`python -m tests.faults.bulk_campaign --runs 200 [--database sqlite|cluster|postgres://…]`, where
`cluster` is a PostgreSQL of its own, which is restarted now and then without a warning. With
`--undo` each run is undone by a run of its own, and it is that one which is disturbed.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from tests.faults.postgresql import Cluster

RESTARTS_EVERY = (15, 40)  # seconds
PROGRAMS = {False: "tests.faults.bulk_lane", True: "tests.faults.bulk_undoing"}


def lane(number: int, options: argparse.Namespace, database: str, folder: str) -> subprocess.Popen:
    environment = {name: os.environ[name] for name in os.environ if name != "TEST_DATABASE_URL"}
    environment["TEST_FILE"] = f"{folder}/lane-{number}.sqlite3"
    if database != "sqlite":
        environment["TEST_DATABASE_URL"] = f"{database}_{os.getpid()}_{number}"
    values = {"lane": number, "lanes": options.lanes, "runs": options.runs, "seed": options.seed}
    arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", PROGRAMS[options.undo], *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def results_of(lanes: list[subprocess.Popen], begun: list[int]) -> list[dict[str, Any]]:
    """What the lanes print, as it comes; first of all that they have begun."""
    found: list[dict[str, Any]] = []

    def read(process: subprocess.Popen) -> None:
        if process.stdout.readline():
            begun.append(process.pid)
        for line in process.stdout:
            found.append(json.loads(line))
            for fault in found[-1]["faults"]:
                print(fault[:2000], flush=True)

    readers = [threading.Thread(target=read, args=(each,)) for each in lanes]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return found


@contextmanager
def restarted(cluster: Cluster, seed: int, lanes: int, begun: list[int]) -> Iterator[list[float]]:
    """Restart the cluster at random for as long as this lasts, once all lanes have begun.

    Give the times when it was.
    """
    times: list[float] = []
    over, chance = threading.Event(), random.Random(seed)

    def restart() -> None:
        while not over.wait(chance.uniform(*RESTARTS_EVERY)):
            if len(begun) == lanes:  # before, their databases are being made
                cluster.restart()
                times.append(time.time())

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()


def tell(found: list[dict[str, Any]], wanted: int, restarts: int, seconds: float) -> bool:
    """Print the figures; return whether all is well."""
    outcomes, silent = Counter(), Counter()
    for each in found:
        outcomes.update(each["outcomes"])
        silent.update(each["unreachable"])
    rows, lost, doubled, wrong, kills = (
        sum(each[name] for each in found) for name in ("rows", "lost", "doubled", "wrong", "kills")
    )
    resumed = [one for each in found for one in each["resumed"]] or [0.0]
    states = Counter(each["state"] for each in found)
    print(f"runs {len(found)} of {wanted} in {seconds:.0f} s: {dict(states)}")
    print(f"rows {rows}, lost {lost}, doubled {doubled}, wrong outcomes {wrong}")
    print(f"outcomes {dict(outcomes)}")
    if any("labels" in each for each in found):
        _tell_undone(found)
    else:
        _tell_named(found)
        print(f"share of unreachable {outcomes['unreachable'] / max(rows, 1):.2%}: {dict(silent)}")
    ended = sum(each["ended"] for each in found)
    early = sum(each["early"] for each in found)
    print(f"kills {kills}, {early} of them before the start")
    print(f"restarts of the database {restarts}, workers that ended {ended}")
    print(f"seconds to resume: median {statistics.median(resumed)}, most {max(resumed)}")
    print(f"seconds of a run: median {statistics.median(each['seconds'] for each in found):.1f}")
    return len(found) == wanted and not any(each["faults"] for each in found)


def _tell_named(found: list[dict[str, Any]]) -> None:
    named, chosen, untold = (sum(e[name] for e in found) for name in ("named", "chosen", "untold"))
    print(f"rows that name a record otherwise {named}, by a choice {chosen}, not told {untold}")


def _tell_undone(found: list[dict[str, Any]]) -> None:
    names = ("linked", "kept_back", "removals", "labels", "labels_lost", "untold")
    linked, kept_back, removals, labels, lost, untold = (sum(e[n] for e in found) for n in names)
    print(f"links {linked}, kept back {kept_back}, calls to remove {removals}")
    print(f"labels set by others {labels}, gone with a link {lost}, of these untold {untold}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bulk_campaign")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--lanes", type=int, default=3, help="how many runs at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--undo", action="store_true")
    options = parser.parse_args()
    start, begun = time.monotonic(), list[int]()
    is_own = options.database == "cluster"
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster() if is_own else nullcontext() as cluster,
        restarted(cluster, options.seed, options.lanes, begun)
        if cluster
        else nullcontext([]) as restarts,
    ):
        database = cluster.url if cluster else options.database
        lanes = [lane(number, options, database, folder) for number in range(options.lanes)]
        try:
            found = results_of(lanes, begun)
        finally:
            for each in lanes:
                each.terminate()
        codes = [each.wait() for each in lanes]
    is_well = tell(found, options.runs, len(restarts), time.monotonic() - start)
    return 0 if is_well and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
