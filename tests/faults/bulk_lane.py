"""Runs that are disturbed at random, one after the other, on a stack of their own.

Prints what became of each as a line of JSON. Started by bulk_campaign.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from django.db import connection
from django.test.runner import DiscoverRunner

from associations.gateway import rate_limiter
from associations.models import OPEN_OUTCOMES, AssociationAttempt, BulkRun, RunState
from tests.faults.bulk_stack import Stack, Visitor, patiently

HEADER = "from type,from id,to type,to id"
RUN_SECONDS = 90  # most of them pauses that HubSpot has asked for
FIRST_CONTACT, NO_CONTACT, FIRST_COMPANY = 1_000_001, 7_000_001, 2_000_001
ASSOCIATE = {"PUT": "/associations/default/", "POST": "/batch/associate/default"}
NO = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{"message": "no"}]}
FAULTS: list[dict[str, Any]] = [
    {"reset": "before"},
    {"reset": "after"},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 423},
    {"status": 477, "headers": {"Retry-After": "1"}},
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"status": 503, "apply": True},
    {"status": 200, "body": "<html>", "content_type": "text/html", "apply": True},
    {"status": 401, "times": 1},
    {"truncate": 60},
    {"delay": 0.3},
    {"delay": 2},
    {"partial": True},
    {"status": 200, "body": NO},
]


@dataclass
class Result:
    """What became of a run; `faults` are sentences, and none is what is hoped for."""

    number: int
    state: str = ""
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    unreachable: dict[str, int] = field(default_factory=dict)  # by cause
    kills: int = 0
    ended: int = 0  # workers that ended by themselves
    resumed: list[float] = field(default_factory=list)
    seconds: float = 0
    faults: list[str] = field(default_factory=list)


class Disturbed:
    """One run and what is done to it."""

    def __init__(self, stack: Stack, number: int, seed: int) -> None:
        self.stack, self.visitor = stack, Visitor(stack)
        self.chance = random.Random(seed)
        self.result = Result(number)
        self.first = FIRST_CONTACT + number * 500
        self.down: dict[str, float] = {}  # what was killed, and when it is started anew
        self.held: dict[int, tuple[str, float]] = {}  # chunks held at a kill: by whom, since when

    def play(self) -> Result:
        start = time.monotonic()
        self.stack.ask_sandbox("reset", post={})
        self.upload()
        self.wait_until(RunState.READY)
        self.add_faults()
        self.plan(start=time.monotonic())
        self.act(f"/bulk/{self.run.pk}/start/", way=self.chance.choice(["batch", "single"]))
        self.wait_until(RunState.DONE, RunState.CANCELED)
        self.result.seconds = round(time.monotonic() - start, 2)
        for name in self.down:
            self.stack.start_worker(name)
        Comparison(self).compare()
        return self.result

    # --- the run ----------------------------------------------------------------------------------

    def upload(self) -> None:
        rows = self.chance.randint(50, 400)
        bad = set(self.chance.sample(range(rows), self.chance.choice([0, 0, 1, 3])))
        lines, self.pairs = [HEADER], {}
        for number in range(rows):
            contact = NO_CONTACT + self.first + number if number in bad else self.first + number
            pair = (str(contact), str(FIRST_COMPANY + number))
            lines.append(f"Contact,{pair[0]},Company,{pair[1]}")
            self.pairs[len(lines) - 1] = pair
            if self.chance.random() < 0.02:
                lines.append(lines[-1])
                lines.append("Contact,abc,Company,1")
        name = f"run-{self.result.number}.csv"
        file = {"file": (name, "\n".join(lines), "text/csv")}
        if self.chance.random() < 0.1:
            self.kill_web()
        self.visitor.post("/bulk/", data={}, files=file)
        self.run = patiently(lambda: BulkRun.objects.filter(name=name).latest("pk"))

    def act(self, path: str, **fields: str) -> None:
        self.mend()
        self.visitor.post(path, data=fields)

    def add_faults(self) -> None:
        faults = []
        for fault in self.chance.sample(FAULTS, self.chance.randint(0, 4)):
            method = self.chance.choice(["PUT", "POST"])
            chance = round(self.chance.uniform(0.02, 0.3 if method == "PUT" else 0.4), 3)
            more = {"path": ASSOCIATE[method], "probability": chance}
            seed = self.chance.randint(0, 10**6)
            faults.append({"times": None, "method": method, "seed": seed} | more | fault)
        self.stack.ask_sandbox("faults", post=faults)

    # --- what is done to it -----------------------------------------------------------------------

    def plan(self, start: float) -> None:
        actions = [self.kill_child, self.kill_worker, self.pause, self.kill_web, self.break_off]
        weights = [4, 4, 2, 1, 2 if connection.vendor == "postgresql" else 0]
        chosen = self.chance.choices(actions, weights, k=self.chance.randint(1, 3))
        if self.chance.random() < 0.15:
            chosen.append(self.cancel)
        self.planned = [(start + self.chance.uniform(0, 2.5), action) for action in chosen]

    def wait_until(self, *states: str) -> None:
        deadline = time.monotonic() + RUN_SECONDS
        while self.state() not in states:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.run} has not come to {states}: {self.stuck()}")
            self.disturb()
            self.mend()
            self.note_resumed()
            time.sleep(0.05)

    def state(self) -> str:
        patiently(self.run.refresh_from_db)
        if self.run.state == RunState.PAUSED and self.run.stop_cause:
            self.act(f"/bulk/{self.run.pk}/go-on/")
        return self.run.state

    def stuck(self) -> str:
        chunks = self.run.chunks.filter(is_done=False).values("owner", "lease_until", "way", "rows")
        return f"{list(chunks)} {Counter(self.run.entries.values_list('outcome', flat=True))}"

    def disturb(self) -> None:
        now = time.monotonic()
        due = [each for each in getattr(self, "planned", []) if each[0] <= now]
        for each in due:
            self.planned.remove(each)
            each[1]()

    def mend(self) -> None:
        """Start again what was killed, as whoever supervises services does."""
        for name in self.stack.worker_names:
            at = self.down.get(name)
            if at is None and self.stack.ended(name):
                self.down[name] = time.monotonic() + 0.5
                self.result.ended += 1
            elif at is not None and time.monotonic() >= at:
                del self.down[name]
                self.stack.start_worker(name)
        if self.stack.ended("web"):
            self.stack.start_web()

    def kill_child(self) -> None:
        self.note_held()
        self.stack.kill_child(self.chance.choice(self.stack.worker_names), self.chance)

    def kill_worker(self) -> None:
        name = self.chance.choice(self.stack.worker_names)
        self.note_held()
        self.stack.kill(name)
        self.down[name] = time.monotonic() + self.chance.uniform(0.2, 2)

    def kill_web(self) -> None:
        self.result.kills += 1
        self.stack.kill("web")
        self.stack.start_web()

    def break_off(self) -> None:
        """Every connection to the database ends."""
        with suppress(django.db.Error), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def pause(self) -> None:
        self.act(f"/bulk/{self.run.pk}/pause/")
        again = time.monotonic() + self.chance.uniform(0.1, 1)
        self.planned.append((again, lambda: self.act(f"/bulk/{self.run.pk}/go-on/")))

    def cancel(self) -> None:
        self.act(f"/bulk/{self.run.pk}/cancel/")

    def note_held(self) -> None:
        self.result.kills += 1
        held = self.run.chunks.filter(is_done=False).exclude(owner="").values_list("pk", "owner")
        for pk, owner in patiently(lambda: list(held)):
            self.held.setdefault(pk, (owner, time.monotonic()))

    def note_resumed(self) -> None:
        """A chunk that was held when a worker died has come to somebody else, or to its end."""
        if not self.held:
            return
        chunks = self.run.chunks.filter(pk__in=list(self.held)).values_list("pk", "owner")
        for pk, owner in patiently(lambda: list(chunks)):
            before, since = self.held[pk]
            if owner != before and self.run.state != RunState.PAUSED:
                self.result.resumed.append(round(time.monotonic() - since, 2))
                del self.held[pk]


class Comparison:
    """The log of a run that has ended against its file, its counters and what HubSpot has."""

    def __init__(self, disturbed: Disturbed) -> None:
        self.run, self.result = disturbed.run, disturbed.result
        self.pairs, self.stack = disturbed.pairs, disturbed.stack

    def compare(self) -> None:
        self.entries = patiently(lambda: list(self.run.entries.order_by("row_number")))
        found = Counter(entry.row_number for entry in self.entries)
        result = self.result
        result.state, result.rows = self.run.state, len(self.entries)
        result.outcomes = dict(Counter(entry.outcome for entry in self.entries))
        silent = [entry for entry in self.entries if entry.outcome == "unreachable"]
        result.unreachable = dict(Counter(f"{self.run.state}: {e.cause}" for e in silent))
        result.doubled = sum(number > 1 for number in found.values())
        unasked = [number for number in found if number not in self.pairs]
        missing = set(self.pairs) - set(found)
        still_open = [e.pk for e in self.entries if e.outcome in OPEN_OUTCOMES]
        result.lost = len(still_open) + (len(missing) if self.run.state == RunState.DONE else 0)
        self.fault_if(unasked, "rows that nobody asked for")
        self.fault_if(result.lost, "rows lost")
        self.fault_if(result.doubled, "rows doubled")
        self.compare_counters()
        self.compare_outcomes()
        self.compare_requests()
        self.compare_attempts()

    def fault_if(self, what: Any, sentence: str) -> None:
        if what:
            self.result.faults.append(f"run {self.run.pk}: {sentence}: {what}")

    def compare_counters(self) -> None:
        ends = ("linked", "unconfirmed", "rejected", "unreachable", "canceled")
        counted = {end: getattr(self.run, end) for end in ends if getattr(self.run, end)}
        self.fault_if(counted != self.result.outcomes, f"counters {counted}")
        self.fault_if(self.run.queued != len(self.entries), f"queued {self.run.queued}")
        self.fault_if(patiently(self.run.chunks.filter(is_done=False).count), "chunks left")

    def compare_outcomes(self) -> None:
        shown = self.stack.ask_sandbox("associations?from_type=contacts&to_type=companies")
        linked = self.linked = {tuple(pair) for pair in shown["links"]}
        for entry in self.entries:
            pair = (entry.from_object_id, entry.to_object_id)
            is_wrong = {
                "linked": pair not in linked,
                "rejected": pair in linked,
                "canceled": pair in linked,
            }.get(entry.outcome, False)
            if is_wrong or pair != self.pairs.get(entry.row_number):
                self.result.wrong += 1
                self.fault_if(True, f"{entry.outcome} ({entry.cause}) is wrong of {entry.pk}")

    def compare_requests(self) -> None:
        """What was sent stands in the log, call by call; and so does all that was linked."""
        known = {(entry.from_object_id, entry.to_object_id): entry for entry in self.entries}
        requests = [r for r in self.stack.ask_sandbox("requests") if _is_sent(r)]
        singles = Counter(_pair_of(r["path"]) for r in requests if r["method"] == "PUT")
        singles = Counter({p: n for p, n in singles.items() if p in self.pairs.values()})
        touched = {*singles} | (self.linked & {*self.pairs.values()})
        unseen = [pair for pair in touched if pair not in known or not known[pair].sent_at]
        self.fault_if(unseen, "sent, and the log does not show it")
        if self.run.state != RunState.DONE or unseen:
            return  # what a cancel found under way has no attempt of its own
        batches = sum(request["method"] == "POST" for request in requests)
        logged = patiently(self.run.batches.count)
        self.fault_if(batches > logged, f"{logged} batches in the log, of {batches}")
        attempts = Counter(patiently(lambda: list(self.attempts("request"))))
        unlogged = [pair for pair, n in singles.items() if n > attempts[(known[pair].pk,)]]
        self.fault_if(unlogged, "PUTs without an attempt")

    def attempts(self, *columns: str) -> Any:
        rows = AssociationAttempt.objects.filter(request__run=self.run).order_by("number")
        return rows.values_list(*columns)

    def compare_attempts(self) -> None:
        numbers: dict[int, list[int]] = {}
        for entry, number in patiently(lambda: list(self.attempts("request", "number"))):
            numbers.setdefault(entry, []).append(number)
        gaps = {e: n for e, n in numbers.items() if n != list(range(1, len(n) + 1))}
        self.fault_if(gaps, "attempts missing or doubled")
        proven = [e for e in self.entries if e.outcome in ("linked", "rejected", "unconfirmed")]
        bare = [e.pk for e in proven if e.pk not in numbers and not e.batch_id]
        self.fault_if(bare, "closed without an attempt or a batch")


def _is_sent(request: dict[str, Any]) -> bool:
    return request["path"].endswith(ASSOCIATE["POST"]) or request["method"] == "PUT"


def _pair_of(path: str) -> tuple[str, str]:
    parts = path.split("/")
    return parts[5], parts[9]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bulk_lane")
    for name in ("lane", "lanes", "runs", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(1))  # leaving no process behind
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        with Stack() as stack:
            for number in range(options.lane, options.runs, options.lanes):
                disturbed = Disturbed(stack, number, options.seed * 100_003 + number)
                try:
                    disturbed.play()
                except (AssertionError, requests.RequestException) as error:
                    disturbed.result.faults.append(f"run {number}: {error!r}")
                print(json.dumps(asdict(disturbed.result)), flush=True)
    finally:
        connection.close()
        rate_limiter.close()
        patiently(lambda: runner.teardown_databases(databases))


if __name__ == "__main__":
    main()
