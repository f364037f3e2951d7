"""Random manipulations of an audit log, by those who may write to it; and logs that nobody touched.

`python -m tests.faults.log_campaign --runs 10000 --seed 1 --database postgresql`, where
`postgresql` is one of its own; an address takes another, `sqlite` files. Each manipulation is
sealed over, verified, and looked at by an admin. What nothing finds is printed with what is needed
to repeat it: `--only RUN` with the same seed does that run alone.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import nullcontext
from typing import Any

from tests.faults.postgresql import Cluster

VERDICTS = ("refused", "nothing changed", "detected", "by design", "UNDETECTED")
LAST_RELEASE = "91fd431"


def lane(number: int, options: argparse.Namespace, database: str, folder: str) -> subprocess.Popen:
    environment = {name: os.environ[name] for name in os.environ if name != "TEST_DATABASE_URL"}
    environment["TEST_FILE"] = f"{folder}/lane-{number}.sqlite3"
    if database != "sqlite":
        environment["TEST_DATABASE_URL"] = f"{database}_{os.getpid()}_{number}"
    values = {name: getattr(options, name) for name in ("lanes", "runs", "seed", "role", "release")}
    values |= {"lane": number, "untouched": options.untouched}
    if options.only is not None:
        values["only"] = options.only
    arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.log.lane", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def results_of(lanes: list[subprocess.Popen], options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the lanes print, as it comes; what is not as it should be is told at once."""
    found: list[dict[str, Any]] = []

    def read(process: subprocess.Popen) -> None:
        for line in process.stdout:
            found.append(json.loads(line))
            tell_of(found[-1], options)

    readers = [threading.Thread(target=read, args=(each,)) for each in lanes]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return found


def tell_of(result: dict[str, Any], options: argparse.Namespace) -> None:
    if result.get("alarm"):
        print(f"FALSE ALARM seed {options.seed} log {result['log']} ({result['way']}): ", end="")
        print(result["alarm"], flush=True)
    is_wrong = result.get("verdict") == "UNDETECTED" or result.get("faults")
    if is_wrong or ("run" in result and options.only is not None):
        which = f"seed {options.seed} run {result['run']} by {result['role']}, {result['name']}"
        print(f"{result['verdict']} {which}: {'; '.join(result['changed'])}: {result['told']}")
        for fault in result["faults"]:
            print(f"    BROKE {fault}")
        for statement in result["sql"]:
            shown = statement if len(statement) < 1_500 else f"{statement[:1_500]}…"
            print(f"    {shown};", flush=True)


def table_of(results: list[dict[str, Any]]) -> str:
    """Role by role and class by class, what became of how many."""
    counted = Counter((each["role"], each["name"], each["verdict"]) for each in results)
    broken = Counter((each["role"], each["name"]) for each in results if each["faults"])
    lines = [("role", "class", *VERDICTS, "broke")]
    for role, name in sorted({(role, name) for role, name, _ in counted}):
        numbers = [counted[role, name, verdict] for verdict in VERDICTS]
        lines.append((role, name, *map(str, numbers), str(broken[role, name])))
    totals = [sum(each["verdict"] == verdict for each in results) for verdict in VERDICTS]
    lines.append(("all", "", *map(str, totals), str(sum(broken.values()))))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        " | ".join(
            text.rjust(width) if column > 1 else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def tell(found: list[dict[str, Any]], options: argparse.Namespace, seconds: float) -> bool:
    """Print the figures; return whether all is well."""
    results = [each for each in found if "run" in each]
    logs = [each for each in found if "log" in each]
    print(f"\n{table_of(results)}\n")
    for name, number in Counter(n for each in results for n in each["designs"]).most_common():
        print(f"by design, {name}: {number}")
    alarms = [each for each in logs if each["alarm"]]
    ways = dict(Counter(each["way"] for each in logs))
    print(f"untouched logs {len(logs)}, {ways}: false alarms {len(alarms)}")
    undetected = sum(each["verdict"] == "UNDETECTED" for each in results)
    faults = sum(len(each["faults"]) for each in results)
    print(
        f"manipulations {len(results)}: undetected {undetected}, pages or commands broken {faults}"
    )
    print(f"{seconds:.0f} s")
    wanted = options.runs if options.only is None else 1
    return len(results) == wanted and not (alarms or undetected or faults)


def give_up(*args: object) -> None:
    """Leave no process behind; whoever asks twice need not."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.log_campaign")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--untouched", type=int, help="how many logs; a tenth of the runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="RUN", help="this run alone, once more")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or an address")
    parser.add_argument("--role", choices=["serving", "owner", "both"], default="both")
    parser.add_argument("--lanes", type=int, default=1, help="how many processes")
    parser.add_argument("--release", default=LAST_RELEASE, help="the commit to upgrade from")
    options = parser.parse_args()
    if options.untouched is None:
        options.untouched = options.runs // 10
    signal.signal(signal.SIGTERM, give_up)
    start = time.monotonic()
    is_own = options.database == "postgresql"
    with tempfile.TemporaryDirectory() as folder, Cluster() if is_own else nullcontext() as cluster:
        database = cluster.url if cluster else options.database
        lanes = [lane(number, options, database, folder) for number in range(options.lanes)]
        try:
            found = results_of(lanes, options)
        finally:
            for each in lanes:
                each.terminate()
            codes = [each.wait() for each in lanes]  # they take their databases off
    is_well = tell(found, options, time.monotonic() - start)
    return 0 if is_well and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
