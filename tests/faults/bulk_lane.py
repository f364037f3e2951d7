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
from typing import Any, ClassVar

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from django.db import connection
from django.test.runner import DiscoverRunner

from associations.bulk.files.rows import RowReason
from associations.gateway import rate_limiter
from associations.models import OPEN_OUTCOMES, AssociationAttempt, BulkRun, RowState, RunState
from hubadmin.demo.sandbox.generated import generate
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
# While records are sought. HubSpot may stay silent there, but what it says is so.
READS = ("/batch/read", "/search")
OF_READS = [
    fault
    for fault in FAULTS
    if "partial" not in fault and fault.get("body") is not NO and fault.get("status") != 401
]
NAMED, BY_NAME = 0.5, 0.08  # of the rows: by an address or a domain on a side; by a name
NOBODY = 0.03  # by an address that nobody has
YARDS, TWINS = 8, 3  # companies with a name of their own, and names that two have


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
    named: int = 0  # entries whose row names a record by something else than its id
    chosen: int = 0  # of these, those of which somebody chose the record
    untold: int = 0  # rows of which HubSpot did not tell whom they name
    kills: int = 0
    early: int = 0  # of the kills, those while rows were read and their records sought
    ended: int = 0  # workers that ended by themselves
    resumed: list[float] = field(default_factory=list)
    seconds: float = 0
    faults: list[str] = field(default_factory=list)


class Disturbed:
    """One run and what is done to it."""

    seconds = RUN_SECONDS
    often: ClassVar = {"PUT": 0.3, "POST": 0.4}

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
        self.make_companies()
        self.add_faults(OF_READS, {"POST": READS})
        self.upload()
        self.plan_reading(start=time.monotonic())
        self.wait_until(RunState.READY)
        self.choose()
        self.add_faults(FAULTS, {each: (path,) for each, path in ASSOCIATE.items()})
        self.plan(start=time.monotonic())
        self.act(f"/bulk/{self.run.pk}/start/", way=self.chance.choice(["batch", "single"]))
        self.wait_until(RunState.DONE, RunState.CANCELED)
        self.result.seconds = round(time.monotonic() - start, 2)
        for name in self.down:
            self.stack.start_worker(name)
        Comparison(self).compare()
        return self.result

    # --- the run ----------------------------------------------------------------------------------

    def make_companies(self) -> None:
        """Companies that rows name by their names; of some names there are two."""
        number = self.result.number
        yards = [f"Yard {number} Nr {each}" for each in range(YARDS)]
        twins = [f"Twin {number} Nr {each}" for each in range(TWINS)]
        names = [*yards, *twins, *twins]
        made = [{"type": "companies", "properties": {"name": each}} for each in names]
        ids = [each["id"] for each in self.stack.ask_sandbox("records", post=made)]
        self.yards = dict(zip(yards, ids, strict=False))
        two = zip(ids[YARDS : YARDS + TWINS], ids[YARDS + TWINS :], strict=True)
        self.twins = {name: {*pair} for name, pair in zip(twins, two, strict=True)}

    def upload(self) -> None:
        rows = self.chance.randint(50, 400)
        self.bad, self.named = set[int](), set[int]()
        bad = set(self.chance.sample(range(rows), self.chance.choice([0, 0, 1, 3])))
        lines, self.pairs = [HEADER], {}
        for number in range(rows):
            cells, pair = self.row(number, is_bad=number in bad)
            lines.append(cells)
            at = len(lines) - 1
            self.pairs[at] = pair
            if number in bad:
                self.bad.add(at)
            if cells != f"Contact,{pair[0]},Company,{pair[1]}":
                self.named.add(at)
            if self.chance.random() < 0.02:
                lines.append(lines[-1])
                lines.append("Contact,abc,Company,1")
            if self.chance.random() < NOBODY:
                lines.append(f"Contact,nobody.{number}@example.com,Company,{pair[1] or 901}")
        name = f"run-{self.result.number}.csv"
        file = {"file": (name, "\n".join(lines), "text/csv")}
        if self.chance.random() < 0.1:
            self.kill_web()
        self.visitor.post("/bulk/", data={}, files=file)
        self.run = patiently(lambda: BulkRun.objects.filter(name=name).latest("pk"))

    def row(self, number: int, *, is_bad: bool) -> tuple[str, tuple[str, str]]:
        """A row, and the ids of its records; that of one to choose is empty until it is chosen."""
        contact, company = str(self.first + number), str(FIRST_COMPANY + number)
        if is_bad:
            contact = str(NO_CONTACT + self.first + number)
        person, firm = contact, company
        if not is_bad and self.chance.random() < NAMED:
            person = generate("0-1", contact)["email"]
        if self.chance.random() < BY_NAME:
            firm = self.chance.choice([*self.yards, *self.twins])
            company = self.yards.get(firm, "")
        elif self.chance.random() < NAMED:
            firm = generate("0-2", company)["domain"]
        return f"Contact,{person},Company,{firm}", (contact, company)

    def choose(self) -> None:
        """Say which of the twins is meant, as often as it takes; of some that it is none."""
        for _ in range(5):
            keys = patiently(lambda: list(self.run.keys.filter(problem=RowReason.CHOOSE)))
            if not self.run.rows_to_choose or not keys:
                return
            said = {}
            for key in keys:
                offered = {each[0] for each in key.candidates}
                if offered != self.twins.get(key.text):
                    self.result.wrong += 1
                    self.result.faults.append(f"{key.text}: {offered} were offered")
                said[key] = self.chance.choice([*sorted(offered), "none"])
            fields = {f"key_{key.pk}": each for key, each in said.items()}
            self.act(f"/bulk/{self.run.pk}/choices/", **fields)
            self.note_chosen({key.text: each for key, each in said.items()})
            self.plan_reading(start=time.monotonic())
            self.wait_until(RunState.READY)
        raise AssertionError(f"{self.run} waits for a choice that was made")

    def note_chosen(self, said: dict[str, str]) -> None:
        rows = self.run.rows.exclude(to_key=None).values_list("number", "to_key__text")
        for number, text in patiently(lambda: list(rows)):
            if text in said and number in self.pairs:
                self.pairs[number] = (self.pairs[number][0], said[text])
                self.result.chosen += said[text] != "none"
        self.pairs = {at: pair for at, pair in self.pairs.items() if pair[1] != "none"}

    def act(self, path: str, **fields: str) -> None:
        self.mend()
        self.visitor.post(path, data=fields)

    def add_faults(self, some: list[dict[str, Any]], paths: dict[str, tuple[str, ...]]) -> None:
        """A few of some, on these paths of each method."""
        faults = []
        for fault in self.chance.sample(some, self.chance.randint(0, 4)):
            method = self.chance.choice(sorted(paths))
            chance = round(self.chance.uniform(0.02, self.often[method]), 3)
            more = {"path": self.chance.choice(paths[method]), "probability": chance}
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

    def plan_reading(self, start: float) -> None:
        """The same while the rows are read and their records are sought."""
        actions = [self.kill_child, self.kill_worker, self.kill_web, self.break_off]
        weights = [4, 4, 1, 2 if connection.vendor == "postgresql" else 0]
        chosen = self.chance.choices(actions, weights, k=self.chance.choice([0, 1, 1, 2]))
        self.planned = [(start + self.chance.uniform(0, 1.5), action) for action in chosen]

    def wait_until(self, *states: str) -> None:
        deadline = time.monotonic() + self.seconds
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
            kills = self.result.kills
            each[1]()
            if self.run.state == RunState.READING:
                self.result.early += self.result.kills - kills

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
        self.bad, self.named = disturbed.bad, disturbed.named

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
        result.named = len(self.named & set(found))
        missing = set(self.pairs) - set(found) - self.kept_back()
        still_open = [e.pk for e in self.entries if e.outcome in OPEN_OUTCOMES]
        result.lost = len(still_open) + (len(missing) if self.run.state == RunState.DONE else 0)
        self.fault_if(unasked, "rows that nobody asked for")
        self.fault_if(result.lost, "rows lost")
        self.fault_if(result.doubled, "rows doubled")
        self.compare_counters()
        self.compare_outcomes()
        self.compare_requests()
        self.compare_attempts()

    def kept_back(self) -> set[int]:
        """Rows that were left out for what is so: of an id that HubSpot lacks, or is silent on."""
        invalid = self.run.rows.filter(state=RowState.INVALID).values_list("number", "problem")
        known = patiently(lambda: dict(invalid))
        untold = {n for n, problem in known.items() if problem == RowReason.NOT_SHOWN} & self.named
        self.result.untold = len(untold)
        return untold | {n for n in self.bad if known.get(n) == RowReason.MISSING}

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


def run_lane(stack_of: type[Stack], disturbed_of: type[Disturbed]) -> None:
    """Play the runs of one lane, on a database and a stack of its own."""
    parser = argparse.ArgumentParser()
    for name in ("lane", "lanes", "runs", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(1))  # leaving no process behind
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        with stack_of() as stack:
            print("begun", flush=True)
            for number in range(options.lane, options.runs, options.lanes):
                disturbed = disturbed_of(stack, number, options.seed * 100_003 + number)
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
    run_lane(Stack, Disturbed)
