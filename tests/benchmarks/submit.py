"""How near the submit comes to what it cannot do without: `python -m tests.benchmarks.submit`.

Both sides of each ratio are measured in turns in one run; medians of the rounds. TEST_DATABASE_URL
chooses the database.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
import urllib3
from django.conf import settings
from django.db import connection
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings

from associations.hubspot.client import HubSpotClient
from tests.demo import MANAGE, Demo, Person
from tests.support import LINK, SignedInClient, person

ROUNDS, CALLS = 7, 150
PATH = "/crm/v4/objects/contacts/501/associations/default/companies/902"
PEOPLE, SUBMITS, DELAY = 32, 6, 0.15


def median_ratio(name: str, ours: Callable[[], object], floor: Callable[[], object]) -> None:
    """Print the milliseconds of both and their ratio."""

    def milliseconds(call: Callable[[], object]) -> float:
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - start) / CALLS * 1000

    ours(), floor()
    rounds = [(milliseconds(ours), milliseconds(floor)) for _ in range(ROUNDS)]
    mine, least = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    print(f"{name}: {mine:.2f} ms / {least:.2f} ms = {ratio:.2f}")


def in_process(hubspot: str) -> None:
    pool, headers = urllib3.PoolManager(), {"Authorization": "Bearer sandbox"}

    def raw_put() -> None:
        pool.request("PUT", hubspot + PATH, headers=headers)

    client = HubSpotClient(base_url=hubspot, token="sandbox")
    median_ratio(
        "client PUT / urllib3 PUT", lambda: client.create_default_association(**LINK), raw_put
    )

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raw_log (who integer, body text)")

    def raw_put_and_insert() -> None:
        raw_put()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO raw_log VALUES (1, 'x')")

    browser = SignedInClient(person())
    hubspot_settings = {"HUBSPOT_API_BASE_URL": hubspot, "HUBSPOT_ACCESS_TOKEN": "sandbox"}
    # A limit so high that it is counted, but never reached.
    with override_settings(**hubspot_settings, SUBMITS_PER_PERSON_PER_MINUTE=100_000):
        median_ratio(
            f"form POST / (urllib3 PUT + INSERT), {connection.vendor}",
            lambda: browser.post("/", LINK),
            raw_put_and_insert,
        )


def under_load() -> None:
    """The time of a submit, 32 people at once, over a HubSpot that takes 150 ms."""
    limit = {"SUBMITS_PER_PERSON_PER_MINUTE": "100000"}
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder) / "demo", **limit) as demo:
        people = [Person(demo, "support") for _ in range(PEOPLE)]
        fault = {"delay": DELAY, "times": None, "status": 200, "body": "{}"}
        requests.post(f"{demo.hubspot}/_sandbox/faults", json=fault, timeout=5)
        page = people[0].get("/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        times: list[float] = []

        def submit(someone: Person) -> None:
            someone.session.cookies = people[0].session.cookies.copy()
            for _ in range(SUBMITS):
                start = time.perf_counter()
                someone.session.post(
                    demo.address + "/",
                    data=LINK | {"csrfmiddlewaretoken": token},
                    allow_redirects=False,
                    timeout=60,
                ).raise_for_status()
                times.append(time.perf_counter() - start)

        threads = [threading.Thread(target=submit, args=(someone,)) for someone in people]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        p50, took = statistics.median(times), time.perf_counter() - start
        print(
            f"submit p50 / HubSpot's {DELAY * 1000:.0f} ms, {PEOPLE} people at once, "
            f"{len(times) / took:.0f} a second: {p50 * 1000:.0f} ms = {p50 / DELAY:.2f}"
        )


def main() -> None:
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    sandbox = subprocess.Popen(
        [sys.executable, MANAGE, "hubspot_sandbox", "--port", "0", "--rate-limit", "0"],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", sandbox.stdout.readline())[0]
        in_process(address)
    finally:
        sandbox.terminate()
        runner.teardown_databases(databases)
    under_load()


if __name__ == "__main__":
    main()
