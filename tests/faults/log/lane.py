"""A share of the campaign, on databases of its own. Prints what became of each run as JSON.

Started by log_campaign.
"""

import argparse
import json
import os
import random
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings
from django.test import override_settings
from django.test.runner import DiscoverRunner
from django.test.utils import setup_test_environment

from associations.gateway import clients, rate_limiter
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from tests.faults.log.databases import ROLES, Databases
from tests.faults.log.judging import Base
from tests.faults.log.making import Clock, small_seals
from tests.faults.log.runs import RunMaker
from tests.faults.log.untouched import Untouched
from tests.faults.log_campaign import give_up
from tests.support import QUICK

RUNS_PER_BASE = 100
SMALL = [3, 5, 9, 2_000]  # items of a kind in a seal
PATIENT = dict.fromkeys(["SESSION", "IDLE", "RECHECK"], 10**9)  # seconds


def tell(**values: Any) -> None:
    print(json.dumps(values, default=str), flush=True)


@contextmanager
def surroundings() -> Iterator[Databases]:
    """A sandbox for the pages that ask HubSpot, sessions that last, and databases to fill."""
    times = {f"SSO_{name}_SECONDS": seconds for name, seconds in PATIENT.items()}
    with (
        Sandbox() as sandbox,
        override_settings(
            HUBSPOT_API_BASE_URL=sandbox.url, HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN, **times
        ),
        tempfile.TemporaryDirectory() as folder,
        Databases(Path(folder)) as databases,
    ):
        clients.interactive.cache_clear()
        clients.interactive().limits = QUICK
        yield databases


def manipulate(databases: Databases, options: argparse.Namespace) -> None:
    """Base by base: a log is made once, and manipulated in so many ways."""
    for number in range(-(-options.runs // RUNS_PER_BASE)):
        runs = range(number * RUNS_PER_BASE, min(options.runs, (number + 1) * RUNS_PER_BASE))
        if options.only is not None:
            runs = [run for run in runs if run == options.only]
        if number % options.lanes == options.lane and runs:
            manipulate_base(databases, number, runs, options)


def manipulate_base(
    databases: Databases, number: int, runs: list[int] | range, options: argparse.Namespace
) -> None:
    chance, clock = random.Random(f"{options.seed} base {number}"), Clock()
    name = databases.copy(f"base{options.lane}_{number}")
    roles = ROLES if options.role == "both" else (options.role,)
    with clock.set(), small_seals(chance.choice(SMALL)):
        make_base(RunMaker(chance, clock), databases.folder, is_pruned=number % 2 == 1)
        base = Base(databases, clock)
        for run in runs:
            choices = random.Random(f"{options.seed} run {run}")
            result = base.manipulated(run, roles[run % len(roles)], choices)
            tell(**result.as_data())
    databases.drop(name)


def make_base(maker: RunMaker, folder: Path, *, is_pruned: bool) -> None:
    """Some seals, or none yet; what is open or not sealed; a verification; a pruning or none."""
    maker.make(maker.chance.randint(15, 30))
    maker.seal()
    maker.verify()
    maker.erase()
    maker.make(maker.chance.randint(10, 20))
    maker.seal()
    if is_pruned:
        maker.prune(folder)
        maker.make(8)
        maker.seal()
    for step in (maker.begin, maker.link, maker.begin_run, maker.export, maker.check):
        step()
        maker.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.log.lane")
    for name in ("lane", "lanes", "runs", "seed", "untouched", "only"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--role", required=True)
    parser.add_argument("--release", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, give_up)  # leaving no database behind
    settings.ALLOWED_HOSTS = ["*"]
    setup_test_environment()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    found = runner.setup_databases()
    try:
        with surroundings() as databases:
            manipulate(databases, options)
            if options.only is None:
                for told in Untouched(databases, options).logs():
                    tell(**told)
    finally:
        rate_limiter.close()
        runner.teardown_databases(found)


if __name__ == "__main__":
    main()
