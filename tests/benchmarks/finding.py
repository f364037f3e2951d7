"""100,000 rows by e-mail address and 20,000 domains, found in the dry run:
`python -m tests.benchmarks.finding [--rows 100000]`.

Prints how long it took beside the least that the two limits allow, how many calls that were, and
how many HubSpot refused. HubSpot is the stand-in with its limits, in a process of its own.
TEST_DATABASE_URL chooses the database; what a goal is missed by is marked with `!`.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from django.conf import settings
from django.db import connection
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import services, tasks
from associations.gateway import rate_limiter
from associations.gateway.rate_limiter import SEARCH_WINDOW, WINDOW
from associations.models import SendMode
from hubadmin.demo.sandbox.generated import generate, generated_ids
from tests.benchmarks.bulk import HEADERS, sandbox
from tests.support import person

DOMAINS = 20_000
GOAL, MOST_CALLS, KEYS_A_CALL, DOMAINS_A_SEARCH = 1.3, 1_300, 100, 100


def lines(rows: int) -> Iterator[bytes]:
    """The file: as many domains as there are rows, or a fifth of them."""
    contacts, companies = generated_ids()["0-1"], generated_ids()["0-2"]
    domains = [generate("0-2", str(each))["domain"] for each in companies[: rows // 5]]
    yield b"Email,Company domain\n"
    for number in range(rows):
        email = generate("0-1", str(contacts[number]))["email"]
        yield f"{email},{domains[number % len(domains)]}\n".encode()


def in_parts(rows: int) -> Iterator[bytes]:
    part: list[bytes] = []
    for line in lines(rows):
        part.append(line)
        if len(part) == 10_000:
            yield b"".join(part)
            part = []
    yield b"".join(part)


def floor(rows: int) -> float:
    """The seconds that the limits ask for at least: both at once, and the slower one counts.

    One turn to search of each second is left to people, and so are some of the calls.
    """
    calls = rows / KEYS_A_CALL
    searches = rows / 5 / DOMAINS_A_SEARCH
    of_runs = settings.HUBSPOT_CALLS_PER_10_SECONDS - settings.HUBSPOT_CALLS_FOR_PEOPLE
    turns = max(1, settings.HUBSPOT_SEARCHES_PER_SECOND - 1)
    return max(calls / of_runs * WINDOW, searches / turns * SEARCH_WINDOW)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int, hubspot: str) -> None:
    meta, user = RequestMeta(), person()
    parts = in_parts(rows)
    run = services.create(user=user, meta=meta, name="x.csv", parts=parts, way=SendMode.BATCH)
    while not run.is_read:
        tasks._read(run, time.monotonic() + 2)
        run.refresh_from_db()
    before = _peak()
    begun, cpu = time.monotonic(), time.process_time()
    while not run.is_found:
        tasks._read(run, time.monotonic() + 2)
        run.refresh_from_db()
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    told = requests.get(f"{hubspot}/_sandbox/calls", headers=HEADERS, timeout=30).json()
    print(f"{connection.vendor}: {rows:,} rows by e-mail, {run.keys.count():,} texts")
    ratio = seconds / floor(rows)
    mark = "!" if ratio > GOAL else " "
    print(f"{mark} found / the limits' floor: {seconds:.0f} s / {floor(rows):.0f} s = {ratio:.2f}")
    print(f"  processor {cpu:.0f} s; memory {_peak() - before:+.0f} MiB")
    print(f"  ready {run.rows_ready:,}, with a problem {run.rows_invalid:,}")
    print(f"  calls: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    limits = {"HUBSPOT_CALLS_PER_10_SECONDS": 190, "HUBSPOT_SEARCHES_PER_SECOND": 3}
    try:
        with sandbox(190) as hubspot, override_settings(HUBSPOT_VERIFY=False, **limits):
            measure(options.rows, hubspot)
    finally:
        rate_limiter.close()
        runner.teardown_databases(databases)


if __name__ == "__main__":
    main()
