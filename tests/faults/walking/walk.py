"""A walk: some steps after each other, each of which can be done once more in the same way."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from associations.models.bulk import NOT_STARTED
from tests.faults.walking import linking_steps as form
from tests.faults.walking import run_steps as runs
from tests.faults.walking.hubspot import Portal
from tests.faults.walking.linking_steps import fields_of, some_pair
from tests.faults.walking.oracle import Finding, Oracle
from tests.faults.walking.world import World, world

Act = Callable[[World, random.Random], None]
_FORM: dict[Act, int] = {
    form.submit: 7,
    form.look_link_and_look: 4,
    form.open_form: 3,
    form.submit_tab: 4,
    form.preview: 5,
    form.check_form: 2,
    form.submit_wrong: 1,
    form.submit_twice_at_once: 2,
    form.back_and_submit: 7,
    form.back_and_change: 2,
    form.again: 5,
    form.check_again: 4,
    form.reload: 2,
    form.link_removed: 5,
    form.link_made: 3,
    form.record_deleted: 2,
    form.records_merged: 3,
    form.previews_used_up: 1,
}
_RUNS: dict[Act, int] = {
    runs.upload: 4,
    runs.upload_linked: 5,
    runs.choose_columns: 4,
    runs.choose_records: 7,
    runs.worker_works: 9,
    runs.worker_finishes: 8,
    runs.start: 10,
    runs.start_twice: 1,
    runs.pause: 3,
    runs.resume: 4,
    runs.cancel: 2,
    runs.discard: 1,
    runs.retry: 2,
    runs.worker_comes_or_goes: 1,
    form.submit: 3,
    form.link_removed: 3,
    form.link_made: 5,
    form.record_deleted: 1,
    form.records_merged: 2,
    form.text_moves: 3,
    form.an_hour_passes: 1,
}
_TO_THE_END = (runs.worker_finishes, runs.start, runs.worker_finishes)
_HUBSPOT: dict[Act, int] = {form.trouble_begins: 5, form.trouble_ends: 4}
ACTS = {act.__name__: act for act in (*_FORM, *_RUNS, *_HUBSPOT)}
PAUSES = (0.5, 1, 2, 4, 8, 15, 40, 90, 700)
READS = 0.5  # of the steps, after which somebody reads a page
SHORTEST, LONGEST = 4, 15
TO_THE_END = 0.5  # of the walks with runs: else few of these would have results


@dataclass(frozen=True, slots=True)
class Step:
    """What is done, after how many seconds, and what chance decides about it."""

    name: str
    pause: float
    seed: int


@dataclass(slots=True)
class Walked:
    """What came of a walk. `told` are its steps in words, `at` the number of each finding's."""

    told: list[str]
    findings: list[tuple[int, Finding]]
    oracle: Oracle


def draw(seed: int) -> list[Step]:
    """The steps of a walk: about the form, about runs, or about both."""
    chance = random.Random(seed)
    acts = chance.choice([_FORM, _FORM, _RUNS, _RUNS, {**_FORM, **_RUNS}]) | _HUBSPOT
    names, weights = [act.__name__ for act in acts], list(acts.values())
    chosen = chance.choices(names, weights, k=chance.randint(SHORTEST, LONGEST))
    if acts is not _FORM and runs.upload.__name__ not in chosen:
        chosen[0] = runs.upload.__name__
    if acts is not _FORM and chance.random() < TO_THE_END:
        chosen += [each.__name__ for each in _TO_THE_END]
    return [Step(name, chance.choice(PAUSES), chance.getrandbits(32)) for name in chosen]


def walk(portal: Portal, steps: Sequence[Step], seed: int) -> Walked:
    """Take the steps, and compare after each what pages say with what is so."""
    with world(portal, random.Random(seed)) as made:
        oracle = Oracle(made)
        made.judge = oracle.judge
        walked = Walked(made.story, [], oracle)
        for number, step in enumerate([*steps, None]):
            before = len(oracle.found)
            if step:
                _take(made, step)
            else:
                _look_around(made, random.Random(seed))
            while len(made.story) <= number:
                made.note("(nothing)")
            walked.findings += [(number, each) for each in oracle.found[before:]]
        return walked


def _take(made: World, step: Step) -> None:
    chance, told = random.Random(step.seed), len(made.story)
    made.clock.put_forward(step.pause)
    made.sees_worker()
    made.step_began, made.resent = made.now, None
    ACTS[step.name](made, chance)
    made.settle()
    made.resent = None
    done = "; ".join(made.story[told:]) or f"({step.name}: nothing to do)"
    made.story[told:] = [f"{done}  (after {step.pause:g} s)"]
    if chance.random() < READS:
        _read(made, chance)


def _read(made: World, chance: random.Random) -> None:
    """Somebody reads a page."""
    all_runs, entries = made.runs(), made.entries()
    who = chance.choice(["support", "admin"])
    choices: list[Callable[[], object]] = [
        lambda: made.get("/", "support"),
        lambda: made.get("/requests/", who),
        lambda: made.get("/status/", "admin"),
        lambda: made.get("/audit/", "admin"),
        lambda: made.post("/preview/", who, **fields_of(some_pair(made, chance))),
    ]
    if entries:
        entry = chance.choice(entries)
        choices.append(lambda: made.get(f"/requests/{entry.pk}/", "admin"))
    if all_runs:
        run = chance.choice(all_runs)
        reader = chance.choice(["admin", run.user.name.lower()])
        old = chance.choice(["reading", "queueing", "running", "paused"])
        choices += [
            lambda: made.get("/bulk/", who),
            *([lambda: made.get(f"/bulk/{run.pk}/", reader)] * 2),
            lambda: made.get(f"/bulk/{run.pk}/progress/", reader, state=old),
        ]
        if run.state not in NOT_STARTED:
            choices += [lambda: made.get(f"/bulk/{run.pk}/results.csv", "admin")] * 2
        choices.append(lambda: made.get(f"/bulk/{run.pk}/bad-rows.csv", "admin"))
    chance.choice(choices)()


def _look_around(made: World, chance: random.Random) -> None:
    """At the end some of what there is to read."""
    addresses = ["/", "/requests/", "/audit/", "/status/", "/status/times/"]
    for run in made.runs():
        addresses += [f"/bulk/{run.pk}/"] * 2
        if run.state not in NOT_STARTED:
            addresses += [f"/bulk/{run.pk}/results.csv"] * 2
    addresses += [f"/requests/{entry.pk}/" for entry in made.entries()]
    for address in chance.sample(addresses, 2):
        made.get(address, "support" if address in ("/", "/requests/") else "admin")
