"""Many people who search and link at once: `python -m tests.load.finding --people 30 --minutes 10`.

Each has tickets to do, one after the other, and types, pauses and corrects as people do: an e-mail
address, part of a company's name, the rest of it, then the link. One ticket in five comes to
several of them at the same moment. Two processes serve; HubSpot takes 5 searches a second, and
150 ms for each call. Exit code 1: more than 3 searches came in any second, HubSpot refused a call,
or a list took longer than three seconds (at the 95th percentile). `--postgresql` starts one for it.
"""

import argparse
import math
import os
import random
import re
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests

from hubadmin.demo.sandbox import Sandbox
from tests.faults.postgresql import Cluster
from tests.identity.server import Server
from tests.load.people import BY_HEADER, Person, p95, seconds_of
from tests.support import records_to_find, warm_up

MOST_SEARCHES, LIST_GOAL = 3, 3.0
TOGETHER_EVERY, TOGETHER = 30.0, 0.2  # seconds; how many of the tickets come to all at once
DELAY = 0.15
TASK_SECONDS = (12.0, 24.0)  # from one ticket to the next
_OPTION = re.compile(r'role="option"[^>]*\bdata-type="([^"]+)"\s+data-id="(\d+)"')
_NOTE = re.compile(r'<p class="note[^"]*">(.*?)</p>', re.DOTALL)


@dataclass(slots=True)
class Told:
    """What all of them met."""

    lists: list[float] = field(default_factory=list)  # seconds until there was one
    keys: list[float] = field(default_factory=list)  # the same for e-mail addresses
    links: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)  # what was said in place of a list


class Searcher(Person):
    """Somebody at the form, with its script."""

    def open(self) -> None:
        self._hidden = dict(
            re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.get("/").text)
        )

    def find(self, side: str, text: str, told: Told, times: list[float]) -> tuple[str, str] | None:
        """Type and id of the first that is found."""
        start = time.monotonic()
        fields = self._hidden | {"side": side, f"{side}_object_id": text}
        answer = self._ask("POST", "/find/", data=fields, hx=True)
        times.append(time.monotonic() - start)
        if options := _OPTION.findall(answer.text):
            return options[0]
        note = _NOTE.search(answer.text)
        words = " ".join(unescape(note[1]).split()) if note else f"status {answer.status_code}"
        told.without[re.sub(r"\d+", "…", words)] += 1
        return None

    def link(self, first: tuple[str, str], second: tuple[str, str], told: Told) -> None:
        fields = {"from_object_type": first[0], "from_object_id": first[1]}
        fields |= {"to_object_type": second[0], "to_object_id": second[1]}
        answer = self._ask("POST", "/", data=self._hidden | fields)
        told.ends["linked" if "linked=" in answer.headers.get("Location", "") else "other"] += 1


def names_of(type_id: str, name: str) -> list[str]:
    """What may be searched for: this property of all records that search finds."""
    texts = {each.get(name, "") for each in records_to_find(type_id)}
    return sorted(text for text in texts if len(text) > 7)


class Day:
    """What they do, until it is over."""

    def __init__(self, server: Server, count: int, seconds: float) -> None:
        self._server, self._end = server, time.monotonic() + seconds
        self._emails, self._names = names_of("0-1", "email"), names_of("0-2", "name")
        self.told = Told()

    def live(self, number: int) -> None:
        chance = random.Random(number)
        someone = Searcher(self._server, f"person-{number}")
        time.sleep(chance.uniform(0, TASK_SECONDS[0]))
        while time.monotonic() < self._end:
            try:
                self._do(someone, chance)
            except requests.RequestException as error:
                self.told.ends[type(error).__name__] += 1
            at = time.monotonic() + chance.uniform(*TASK_SECONDS)
            if chance.random() < TOGETHER:
                at = math.ceil(at / TOGETHER_EVERY) * TOGETHER_EVERY
            time.sleep(at - time.monotonic())

    def _do(self, someone: Searcher, chance: random.Random) -> None:
        told = self.told
        someone.open()
        email, name = chance.choice(self._emails), chance.choice(self._names)
        first = someone.find("from", email, told, told.keys)
        second = None
        for length in (max(4, len(name) // 2), len(name)):
            if chance.random() < 0.5 or length == len(name):
                time.sleep(chance.uniform(0.5, 2))  # to type it
                second = someone.find("to", name[:length], told, told.lists)
        if first and second:
            told.links.append(seconds_of(lambda: someone.link(first, second, told)))
        else:
            told.ends["no record to link"] += 1


def spread(times: list[float]) -> str:
    if len(times) < 2:
        return "none"
    middle, late = statistics.median(times), p95(times)
    return f"{len(times):6}{middle:8.2f} s{late:8.2f} s{max(times):8.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    tree = {"tree": options.tree} if options.tree else {}
    with (
        Sandbox(rate_limit=190, search_limit=5) as sandbox,
        Cluster() if options.postgresql else nullcontext() as cluster,
    ):
        warm_up(sandbox.url)
        sandbox.calls.clear()
        database = {"DATABASE_URL": cluster.url.replace("/lane", "/postgres")} if cluster else {}
        with Server(sandbox.url, **tree, **BY_HEADER, **database) as server:
            for method in ("GET", "POST", "PUT"):
                sandbox.fault(method=method, path="/crm/", times=None, delay=DELAY)
            told = live(server, options.people, options.minutes * 60)
        calls = sandbox.calls.summary()
    tell(told, calls)
    is_late = len(told.lists) > 1 and p95(told.lists) > LIST_GOAL
    is_much = calls["most_searches_in_a_second"] > MOST_SEARCHES
    sys.exit(bool(is_late or is_much or calls["refused"] or not told.ends["linked"]))


def live(server: Server, count: int, seconds: float) -> Told:
    day = Day(server, count, seconds)
    threads = [threading.Thread(target=day.live, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return day.told


def tell(told: Told, calls: dict[str, int]) -> None:
    print(f"{'':24}{'times':>6}{'median':>10}{'p95':>10}{'longest':>10}")
    print(f"{'list of a name':24}{spread(told.lists)}")
    print(f"{'record of an e-mail':24}{spread(told.keys)}")
    print(f"{'link':24}{spread(told.links)}")
    print(f"requests: {dict(told.ends)}")
    print(f"searches {calls['searches']}, most in any second {calls['most_searches_in_a_second']}")
    print(f"calls {calls['calls']}, refused by HubSpot {calls['refused']}, {calls['by_status']}")
    print(f"without a list: {told.without.total()}")
    for words, count in told.without.most_common(8):
        print(f"{count:6}  {words}")


if __name__ == "__main__":
    main()
