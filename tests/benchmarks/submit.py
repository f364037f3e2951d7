"""How near the submit comes to what it cannot do without: `python -m tests.benchmarks.submit`.

Both sides of each ratio are measured in turns in one run; medians of the rounds. TEST_DATABASE_URL
chooses the database.
"""

import os
import random
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
    # A limit so high that it is counted, but never reached; the floor looks up nothing either.
    hubspot_settings |= {"SUBMITS_PER_PERSON_PER_MINUTE": 100_000, "HUBSPOT_VERIFY": False}
    with override_settings(**hubspot_settings):
        median_ratio(
            f"form POST / (urllib3 PUT + INSERT), {connection.vendor}",
            lambda: browser.post("/", LINK),
            raw_put_and_insert,
        )


def under_load(hubspot: str, verify: bool, pause: float) -> None:
    """From a submit to the page with its answer, 32 people at once, ÷ one PUT of its 150 ms.

    Each of them waits up to `pause` seconds before the next; without, the machine itself is what
    they wait for, as it also has to be 32 browsers and HubSpot.
    """
    options = {
        "SUBMITS_PER_PERSON_PER_MINUTE": "100000",
        "HUBSPOT_VERIFY": str(verify),
        # A stand-in without HubSpot's limit of calls, which would be what is measured.
        "HUBSPOT_API_BASE_URL": hubspot,
        "HUBSPOT_ACCESS_TOKEN": "sandbox",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder) / "demo", "--real-hubspot", **options) as demo,
    ):
        people = [Person(demo, "support") for _ in range(PEOPLE)]
        token = token_in(people[0].get("/").text)
        requests.post(f"{hubspot}/_sandbox/reset", timeout=5)
        for method in ("PUT", "POST"):
            fault = {"method": method, "delay": DELAY, "times": None}
            requests.post(f"{hubspot}/_sandbox/faults", json=fault, timeout=5)
        least = raw_puts(hubspot)
        times: list[float] = []

        def submit(someone: Person) -> None:
            someone.session.cookies = people[0].session.cookies.copy()
            for _ in range(SUBMITS):
                time.sleep(random.uniform(0, pause))
                start = time.perf_counter()
                fields = LINK | {"csrfmiddlewaretoken": token}
                page = someone.session.post(demo.address + "/", data=fields, timeout=60)
                times.append(time.perf_counter() - start)
                assert "linked" in page.text, page.status_code

        threads = [threading.Thread(target=submit, args=(someone,)) for someone in people]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - start
        least = statistics.median(least + raw_puts(hubspot))
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(
            f"submit to answer page / one PUT, verify {'on' if verify else 'off'}, {PEOPLE} people "
            f"with pauses up to {pause:.0f} s, {len(times) / took:.0f} a second: "
            f"p50 {p50 * 1000:.0f} ms / {least * 1000:.0f} ms = {p50 / least:.2f}, "
            f"p95 {p95 / least:.2f}"
        )


def raw_puts(hubspot: str) -> list[float]:
    """Seconds of some bare PUTs, one after another, with nothing else going on."""
    pool, times = urllib3.PoolManager(), []
    for _ in range(5):
        start = time.perf_counter()
        pool.request("PUT", hubspot + PATH, headers={"Authorization": "Bearer sandbox"})
        times.append(time.perf_counter() - start)
    return times


def token_in(page: str) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]


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
        for verify in (False, True):
            for pause in (4, 0):
                under_load(address, verify, pause)
    finally:
        sandbox.terminate()
        runner.teardown_databases(databases)


if __name__ == "__main__":
    main()
