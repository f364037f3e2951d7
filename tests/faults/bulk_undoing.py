"""Runs that undo others, while kill -9 ends their workers around each call.

The lane of `python -m tests.faults.bulk_campaign --undo`. What a run links is linked in peace; then
a run of its own undoes it. HubSpot's stand-in is in this process: it kills all workers right before
or after a removal, or at a look, labels pairs in between, and knows what was removed when.
"""

import os
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, RLock
from typing import Any, ClassVar

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from associations.models import OPEN_OUTCOMES, BulkRun, RowState, RunState
from associations.texts.outcomes import explain
from hubadmin.demo.sandbox import Sandbox
from tests.faults.bulk_lane import HEADER, Comparison, Disturbed, Result, run_lane
from tests.faults.bulk_stack import Stack, patiently

LABEL = "Decision maker"
SIDES = ("contacts", "companies")
ARCHIVE, LOOK, ALL = "labels/archive", "associations/.*/batch/read", "/associations/"
FAULTS: list[dict[str, Any]] = [
    {"reset": "before"},
    {"reset": "after"},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 423},
    {"status": 404},
    {"status": 500},
    {"status": 503},
    {"status": 503, "apply": True},
    {"status": 200, "body": "<html>", "content_type": "text/html", "apply": True},
    {"status": 401, "times": 1},
    {"truncate": 60},
    {"delay": 0.3},
    {"delay": 2},
    {"apply": False},
]
OF_LOOKS = [each for each in FAULTS if "apply" not in each and each.get("status") != 404]
MOST_KILLS, KILLED, LABELLED = 12, 0.04, 0.03  # of each run; of the moments; of the removals
_Pair = tuple[str, str]


@dataclass
class Undone(Result):
    """What became of a run that undoes another."""

    linked: int = 0  # what there was to undo
    kept_back: int = 0
    removals: int = 0  # calls that arrived
    labels: int = 0  # that others have set meanwhile
    labels_lost: int = 0  # with a word that it may be


class Watch:
    """What the stand-in has been asked to remove, and what was there; it also disturbs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self._lock = sandbox, Lock()
        self._record, self._remove = sandbox.record, sandbox.links.remove
        sandbox.record, sandbox.links.remove = self._arrives, self._is_removed
        self.begin(random.Random(0), lambda: None)

    def begin(self, chance: random.Random, kill: Any) -> None:
        self.chance, self._kill, self.is_on = chance, kill, False
        self.arrived = 0
        self.asked = Counter[_Pair]()  # removals that the stand-in went about
        self.removed = defaultdict[_Pair, list[set[str]]](list)  # each that was one: labels gone
        self.labelled: dict[_Pair, datetime] = {}  # once it was set

    def _arrives(self, method: str, target: str, headers: dict[str, str]) -> Any:
        is_removal = method == "DELETE" or target.endswith(ARCHIVE)
        with self._lock:
            self.arrived += is_removal
        noted = self._record(method, target, headers)
        if is_removal or target.endswith("/batch/read"):
            self._perhaps_kill()
        return noted

    def _is_removed(self, one: str, other: str, pair: _Pair, types: Any = None) -> None:
        pair = pair if one == SIDES[0] else pair[::-1]
        if self.is_on and self.chance.random() < LABELLED:
            self.label(pair)
        with self._lock:
            before = self.types(pair)
            self._remove(*SIDES, pair, types)
            self.asked[pair] += 1
            if before and not self.types(pair):
                self.removed[pair].append({each for each in before if each})
        self._perhaps_kill()

    def _perhaps_kill(self) -> None:
        if self.is_on and self.chance.random() < KILLED:
            self._kill()

    def label(self, pair: _Pair) -> None:
        """Somebody else says what the two are to each other, if they are linked still."""
        with self._lock:
            if self.types(pair) and pair not in self.labelled:
                self.sandbox.link(SIDES[0], pair[0], SIDES[1], pair[1], label=LABEL)
                self.labelled[pair] = datetime.now(UTC)

    def types(self, pair: _Pair) -> set[str]:
        """The labels by which the two are linked; that of the default type is empty."""
        linked = self.sandbox.links.seen(SIDES[0], pair[0], SIDES[1])
        return {each.label or "" for each in linked.get(pair[1], [])}


class UndoStack(Stack):
    """The same with the stand-in in this process."""

    def start_hubspot(self) -> str:
        self.watch = Watch(Sandbox().start())
        return self.watch.sandbox.url

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.watch.sandbox.stop()


class DisturbedUndo(Disturbed):
    """A run that links in peace, and the one that undoes it."""

    seconds = 180
    often: ClassVar = {"POST": 0.1, "DELETE": 0.3}

    def __init__(self, stack: UndoStack, number: int, seed: int) -> None:
        super().__init__(stack, number, seed)
        self.watch = stack.watch
        self.result = Undone(number)
        self._lock = RLock()  # what is started anew here, the stand-in's threads may kill

    def play(self) -> Result:
        self.watch.sandbox.reset()
        self.watch.begin(random.Random(self.chance.random()), self.kill_all)
        self.link()
        start = time.monotonic()
        self.add_faults(OF_LOOKS, {"POST": (LOOK,)})
        self.act(f"/bulk/{self.linked.pk}/undo/", reason="SUP-9")
        self.run = patiently(lambda: BulkRun.objects.filter(undoes=self.linked).latest("pk"))
        self.plan_reading(start=time.monotonic())
        self.wait_until(RunState.READY)
        if self.run.rows_ready:
            self.undo()
        self.watch.is_on = False
        self.result.seconds = round(time.monotonic() - start, 2)
        for name in self.down:
            self.stack.start_worker(name)
        UndoComparison(self).compare()
        return self.result

    def link(self) -> None:
        self.pairs = {
            number: (str(self.first + number), str(2_000_001 + number))
            for number in range(1, self.chance.randint(50, 250))
        }
        lines = [HEADER, *(f"Contact,{one},Company,{other}" for one, other in self.pairs.values())]
        name = f"run-{self.result.number}.csv"
        self.visitor.post("/bulk/", data={}, files={"file": (name, "\n".join(lines), "text/csv")})
        self.run = self.linked = patiently(lambda: BulkRun.objects.filter(name=name).latest("pk"))
        self.wait_until(RunState.READY)
        way = self.chance.choice(["batch", "single"])
        self.act(f"/bulk/{self.run.pk}/start/", way=way)
        self.wait_until(RunState.DONE)
        self.result.linked = self.linked.linked
        for pair in self.chance.sample(sorted(self.pairs.values()), 3):
            self.watch.label(pair)

    def undo(self) -> None:
        looks, removals = {"POST": (LOOK,)}, {"POST": (ARCHIVE,), "DELETE": (ALL,)}
        self.add_faults(*self.chance.choice([(OF_LOOKS, looks), (FAULTS, removals)]))
        self.plan(start=time.monotonic())
        self.left = self.chance.randint(2, MOST_KILLS)
        self.watch.is_on = True
        self.act(f"/bulk/{self.run.pk}/start/", way="single")
        self.wait_until(RunState.DONE, RunState.CANCELED)

    def plan(self, start: float) -> None:
        super().plan(start)
        times = (start + self.chance.uniform(0, 10) for _ in range(5))
        self.planned += [(at, self.label_some) for at in times]
        self.planned += [(start + self.chance.uniform(0, 12), self.kill_child) for _ in range(3)]

    def label_some(self) -> None:
        for pair in self.chance.sample(sorted(self.pairs.values()), 3):
            self.watch.label(pair)

    def disturb(self) -> None:
        with self._lock:
            super().disturb()

    def mend(self) -> None:
        with self._lock:
            super().mend()

    def kill_all(self) -> None:
        """kill -9 of every worker with its processes, from the thread that answers one of them."""
        with self._lock:
            self.left -= 1
            if self.left < 0:
                return
            for name in self.stack.worker_names:
                if name not in self.down:
                    self.down[name] = time.monotonic() + 0.2
                    self.stack.kill(name)
                    self.result.kills += 1


class UndoComparison(Comparison):
    """The log of a run that undoes another against that one, its counters and the stand-in."""

    def __init__(self, disturbed: DisturbedUndo) -> None:
        self.run, self.result, self.watch = disturbed.run, disturbed.result, disturbed.watch
        self.linked_run = disturbed.linked

    def compare(self) -> None:
        self.entries = patiently(lambda: list(self.run.entries.order_by("row_number")))
        self.rows = patiently(lambda: list(self.run.rows.order_by("number")))
        linked = self.linked_run.entries.filter(outcome="linked")
        self.to_undo = {
            pk: (one, other)
            for pk, one, other in patiently(
                lambda: list(linked.values_list("pk", "from_object_id", "to_object_id"))
            )
        }
        result, found = self.result, Counter(each.undoes_id for each in self.entries)
        result.state, result.rows = self.run.state, len(self.entries)
        result.outcomes = dict(Counter(f"{e.outcome} ({e.cause})" for e in self.entries))
        result.removals, result.labels = self.watch.arrived, len(self.watch.labelled)
        staged = Counter(row.undoes_id for row in self.rows)
        ready = {row.undoes_id for row in self.rows if row.state == RowState.READY}
        result.kept_back = len(self.rows) - len(ready)
        result.doubled = sum(count > 1 for each in (found, staged) for count in each.values())
        missing = set(self.to_undo) - set(staged)
        missing |= ready - set(found) if self.run.state == RunState.DONE else set()
        still_open = [each.pk for each in self.entries if each.outcome in OPEN_OUTCOMES]
        result.lost = len(missing) + len(still_open)
        self.fault_if(result.lost, f"rows lost, open {still_open}, missing {missing}")
        self.fault_if(result.doubled, "rows doubled")
        self.fault_if(set(found) - ready, "entries that no row asks for")
        if self.run.state != RunState.READY:
            self.compare_counters()
        self.compare_pairs()
        self.compare_rows()
        self.compare_calls()
        self.compare_attempts()

    def compare_counters(self) -> None:
        ends = ("unlinked", "linked", "unconfirmed", "rejected", "unreachable", "canceled")
        counted = {end: getattr(self.run, end) for end in ends if getattr(self.run, end)}
        logged = Counter(each.outcome for each in self.entries)
        self.fault_if(counted != logged, f"counters {counted}, {logged}")
        self.fault_if(self.run.queued != len(self.entries), f"queued {self.run.queued}")
        self.fault_if(patiently(self.run.chunks.filter(is_done=False).count), "chunks left")

    def compare_pairs(self) -> None:
        """What entries say of their pairs; and no pair is gone that no entry tells of."""
        told = dict[_Pair, Any]()
        for entry in self.entries:
            pair = self.to_undo[entry.undoes_id]
            told[pair] = entry
            is_linked = bool(self.watch.types(pair))
            says_wrong = entry.linked == ("no" if is_linked else "yes")
            was_removed = bool(self.watch.removed[pair])
            if says_wrong or (entry.outcome == "unlinked") > was_removed:
                self.wrong(entry, f"says linked {entry.linked}, and it is {is_linked}")
            if pair != (entry.from_object_id, entry.to_object_id):
                self.wrong(entry, "is of another pair")
        for pair, times in self.watch.removed.items():
            if times and pair not in told:
                self.fault_if(True, f"{pair} was removed without an entry")
            self.result.doubled += len(times) > 1
            if times and times[0]:
                self.compare_label(pair, told[pair])

    def compare_label(self, pair: _Pair, entry: Any) -> None:
        """A label went with the link: nobody could see it before, and that this may be is said."""
        seen_at = entry.links_before.get("at")
        was_seen = LABEL in str(entry.links_before)
        was_seen |= bool(seen_at) and self.watch.labelled[pair] < datetime.fromisoformat(seen_at)
        is_told = "gone as well" in explain(entry).verification or entry.linked == "perhaps"
        self.result.labels_lost += 1
        if was_seen or not is_told:
            self.result.untold += 1
            self.wrong(entry, f"lost a label {'that was seen' if was_seen else 'untold'}")

    def wrong(self, entry: Any, sentence: str) -> None:
        self.result.wrong += 1
        attempts = list(entry.attempts.values_list("failure", "http_status"))
        about = f"{entry.pk}, {entry.outcome} ({entry.cause}), {attempts}, {entry.links_before}"
        self.fault_if(True, f"{sentence}: {about}")

    def compare_rows(self) -> None:
        """Why rows were kept back."""
        for row in self.rows:
            types = self.watch.types(self.to_undo[row.undoes_id])
            is_so = {"undo_gone": not types, "undo_not_alone": bool(types - {""})}
            if row.state == RowState.INVALID and not is_so.get(row.problem, bool(types)):
                self.result.wrong += 1
                self.fault_if(True, f"row {row.number} says {row.problem}")

    def compare_calls(self) -> None:
        """Calls that the log does not have, and attempts that have an answer without a call."""
        if self.run.state != RunState.DONE:
            return  # what a cancel found under way has no attempt of its own
        tried = Counter(patiently(lambda: list(self.attempts("request"))))
        short = [
            entry.pk
            for entry in self.entries
            if self.watch.asked[self.to_undo[entry.undoes_id]] > tried[(entry.pk,)]
        ]
        self.fault_if(short, "removals without an attempt")
        answered = patiently(self.attempts().exclude(http_status=None).count)
        arrived, logged = self.watch.arrived, sum(tried.values())
        self.fault_if(
            not answered <= arrived <= logged,
            f"{answered} answered attempts, {arrived} calls, {logged} attempts",
        )

    def compare_attempts(self) -> None:
        super().compare_attempts()
        numbers = {entry for (entry,) in patiently(lambda: list(self.attempts("request")))}
        bare = [e.pk for e in self.entries if e.outcome == "unlinked" and e.pk not in numbers]
        self.fault_if(bare, "unlinked without an attempt")


if __name__ == "__main__":
    run_lane(UndoStack, DisturbedUndo)
