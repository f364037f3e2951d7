"""32 people at the real server, each with a browser: from a submit to the page with its answer.

What a submit waits for is HubSpot, which takes 150 ms for each call. Neither a limit of calls nor
one of submits is met, and afterwards the log and HubSpot have to tell the same as the people.
"""

import itertools
import os
import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from django.db import connection
from django.test.runner import DiscoverRunner

from associations.gateway import rate_limiter
from associations.models import AssociationRequest
from tests.benchmarks.browser import Page
from tests.identity.server import Server
from tests.load.people import BY_HEADER, Person, p95
from tests.support import LINK

PEOPLE, SUBMITS, DELAY, PAUSES = 32, 6, 0.15, (4, 0)
GOALS = {False: 1.10, True: 1.25}  # by whether links are verified
UNLIMITED = {"HUBSPOT_CALLS_PER_10_SECONDS": "0", "SUBMITS_PER_PERSON_PER_MINUTE": "1000000"}
HEADERS = {"Authorization": "Bearer sandbox"}
CONTACTS, COMPANIES = 1_000_001, 2_000_001  # the first of those that the sandbox makes up
_numbers = itertools.count()


class Pair(NamedTuple):
    """Two records that nobody else links."""

    contact: str
    company: str

    @property
    def path(self) -> str:
        return (
            f"/crm/v4/objects/contacts/{self.contact}/associations/default/companies/{self.company}"
        )

    @property
    def fields(self) -> dict[str, str]:
        return LINK | {"from_object_id": self.contact, "to_object_id": self.company}


def new_pair() -> Pair:
    number = next(_numbers)
    return Pair(str(CONTACTS + number), str(COMPANIES + number))


class Browser(Person):
    """What the form's script does, and what the page with the answer fetches by itself."""

    patience = 120.0  # how long it took is what is asked here

    def prepared(self, pair: Pair) -> dict[str, list[str] | str]:
        """Open the form, have it show the two records, and return what the button would send."""
        fields = pair.fields | Page(self.get("/").text).hidden
        shown = self._ask("POST", "/preview/", data=fields, hx=True)
        assert shown.status_code == 200, shown.status_code
        return fields | Page(shown.text).hidden

    def submit(self, fields: dict[str, list[str] | str]) -> Page:
        """Press it, and go to the page that tells what came of it."""
        answer = self._ask("POST", "/?submit", data=fields)
        assert answer.status_code == 302, (answer.status_code, answer.text[:500])
        page = self.get(answer.headers["Location"])
        assert page.status_code == 200, page.status_code
        return Page(page.text)

    def wait_for_rest(self, page: Page) -> None:
        for address in page.late:
            assert self._ask("GET", address, hx=True).status_code == 200, address


@dataclass(slots=True)
class Told:
    """Seconds to the answer page, and from there to all that it fetches; and what was linked."""

    answers: list[float] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def measure(hubspot: str, submits: int) -> None:
    """Print both ways for pauses of people and for none. TEST_DATABASE_URL chooses the database."""
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        for verify in (False, True):
            settings = UNLIMITED | BY_HEADER | {"HUBSPOT_VERIFY": str(verify)}
            with Server(hubspot, **settings, DATABASE_URL=_address()) as server:
                print(f"\n{connection.vendor}, verify {'on' if verify else 'off'}")
                tell_calls(server, hubspot)
                for pause in PAUSES if submits > 1 else (0,):
                    under_load(server, hubspot, verify=verify, pause=pause, submits=submits)
    finally:
        rate_limiter.close()
        runner.teardown_databases(databases)


def _address() -> str:
    """Of the tests' database, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}").geturl()


def tell_calls(server: Server, hubspot: str) -> None:
    """What one submit asks of HubSpot: before the click, until the answer page, and after it."""
    browser = Browser(server, "first")
    browser.submit(browser.prepared(new_pair()))  # what is looked up once has been
    heard = []
    requests.post(f"{hubspot}/_sandbox/reset", timeout=5)
    fields = browser.prepared(new_pair())
    heard.append(calls(hubspot))
    page = browser.submit(fields)
    heard.append(calls(hubspot))
    browser.wait_for_rest(page)
    heard.append(calls(hubspot))
    told = []
    for before, until in itertools.pairwise([[], *heard]):
        methods = Counter(each["method"] == "PUT" for each in until[len(before) :])
        told.append(f"{methods[True]} PUT + {methods[False]} looks")
    shown, answer, after = told
    print(f"calls of a submit: the form {shown}; to the answer page {answer}; after it {after}")


def calls(hubspot: str) -> list[dict[str, str]]:
    return requests.get(f"{hubspot}/_sandbox/requests", timeout=10).json()


def under_load(server: Server, hubspot: str, *, verify: bool, pause: float, submits: int) -> None:
    """Each waits up to `pause` seconds before the click; without, the machine is what they wait
    for, as it also has to be 32 browsers and HubSpot."""
    requests.post(f"{hubspot}/_sandbox/reset", timeout=5)
    for method in ("GET", "POST", "PUT"):
        fault = {"method": method, "path": "^/crm/", "delay": DELAY, "times": None}
        requests.post(f"{hubspot}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
    newest = AssociationRequest.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    least, told = raw_puts(hubspot), Told()

    def live(number: int) -> None:
        browser = Browser(server, f"person-{number}")
        for _ in range(submits):
            pair = new_pair()
            try:
                fields = browser.prepared(pair)
                time.sleep(random.uniform(0, pause))
                start = time.perf_counter()
                page = browser.submit(fields)
                shown = time.perf_counter()
                browser.wait_for_rest(page)
            except (AssertionError, requests.RequestException) as error:
                told.failed.append(repr(error)[:300])
                continue
            told.answers.append(shown - start)
            told.rests.append(time.perf_counter() - shown)
            told.pairs.append(pair)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(PEOPLE)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    check(told, newest, calls(hubspot))
    least = statistics.median(least + raw_puts(hubspot))
    p50, rest = statistics.median(told.answers), statistics.median(told.rests)
    missed = "!" if pause and p50 / least > GOALS[verify] else " "
    print(
        f"{missed} to the answer page / one PUT, {PEOPLE} people with pauses up to {pause} s, "
        f"{len(told.answers) / took:.0f} a second: p50 {p50 * 1000:.0f} ms / {least * 1000:.0f} ms "
        f"= {p50 / least:.2f}, p95 {p95(told.answers) / least:.2f}, longest "
        f"{max(told.answers) / least:.0f}; what comes after it: "
        f"p50 {rest * 1000:.0f} ms = {rest / least:.2f}, p95 {p95(told.rests) / least:.2f}"
    )


def check(told: Told, newest: int, heard: list[dict[str, str]]) -> None:
    """Each submit has to be one entry, closed as linked by one attempt, and one PUT."""
    if told.failed:
        raise AssertionError(f"{len(told.failed)} submits failed: {told.failed[0]}")
    entries = AssociationRequest.objects.filter(pk__gt=newest).prefetch_related("attempts")
    ends = Counter(f"{each.outcome} by {len(each.attempts.all())}" for each in entries)
    logged = Counter((each.from_object_id, each.to_object_id) for each in entries)
    puts = Counter(each["path"] for each in heard if each["method"] == "PUT")
    puts.pop(RAW.path, None)
    is_one_each = logged == Counter(told.pairs) and puts == Counter(p.path for p in told.pairs)
    if ends != Counter({"linked by 1": len(told.pairs)}) or not is_one_each:
        raise AssertionError(f"{len(told.pairs)} submits: {dict(ends)}, {puts.total()} PUTs")
    print(f"  {len(told.pairs)} submits: as many entries, linked by one attempt, and PUTs")


RAW = Pair("501", "902")


def raw_puts(hubspot: str) -> list[float]:
    """Seconds of some bare PUTs, one after another, with nothing else going on."""
    pool, times = urllib3.PoolManager(), []
    for _ in range(5):
        start = time.perf_counter()
        pool.request("PUT", hubspot + RAW.path, headers=HEADERS)
        times.append(time.perf_counter() - start)
    return times
