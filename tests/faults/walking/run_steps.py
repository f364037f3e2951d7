"""What people do with bulk runs, and what workers do for them."""

import random

from associations.bulk.files.rows import RowReason
from associations.models import BulkKey, BulkRun
from tests.faults.walking.directory import (
    COMPANY_NAMES,
    DOMAINS,
    EMAILS,
    MAILBOXES,
    PEOPLE,
)
from tests.faults.walking.linking_steps import (
    COMPANIES,
    CONTACTS,
    LABELS,
    MISSING,
)
from tests.faults.walking.trouble import NONE
from tests.faults.walking.world import World, work

_HEADER = "from type,from id,to type,to id"
_NONSENSE = ("0", "9" * 30, "none; 901", "<b>")


def _row(chance: random.Random) -> str:
    drawn = chance.random()
    if drawn < 0.15:
        return "Contact,50x,Company,901"
    if drawn < 0.25:
        return f"Contact,{MISSING},Company,{chance.choice(COMPANIES)}"
    if drawn < 0.3:
        return f"Deal,701,Contact,{chance.choice(CONTACTS)}"
    if drawn < 0.4:
        several = ";".join(map(str, chance.sample([*COMPANIES], 2)))
        return f"Contact,{chance.choice(CONTACTS)},Company,{several}"
    if drawn < 0.45:
        return f"Contact,{chance.choice(CONTACTS)},Company,{chance.choice(COMPANIES)}"
    # Not the other way round as well: calls are known by their pair, whichever comes first.
    return f"Contact,{_person(chance)},Company,{_company(chance)}"


def _person(chance: random.Random) -> str:
    """What a row names a contact by."""
    ways = [EMAILS, EMAILS, PEOPLE, CONTACTS, ("ADA@example.com",)]
    return chance.choice(chance.choice(ways))


def _company(chance: random.Random) -> str:
    ways = [DOMAINS, DOMAINS, COMPANY_NAMES, COMPANIES, MAILBOXES, ("https://www.harbour.example",)]
    return chance.choice(chance.choice(ways))


def upload(world: World, chance: random.Random) -> None:
    rows = [_row(chance) for _ in range(chance.randint(1, 7))]
    if chance.random() < 0.08:
        rows = ["Contact,50x,Company,901"] * chance.randint(1, 3)
    text = "\n".join([_HEADER, *rows]) if chance.random() < 0.95 else "a,b,c"
    world.post("/bulk/", "admin" if chance.random() < 0.15 else "support", rows=text)
    world.note(f"upload {len(rows)} rows: {'; '.join(rows)}")


def choose_columns(world: World, chance: random.Random) -> None:
    """Somebody says what the columns of a file mean, at times what cannot be."""
    runs = [run for run in world.runs() if run.state in ("ready", "unreadable")]
    if not runs:
        return
    run = chance.choice(runs)
    meanings = list(run.layout.get("meanings", []))
    if chance.random() < 0.5:
        chance.shuffle(meanings)
    fields = {f"column_{number}": meaning for number, meaning in enumerate(meanings, 1)}
    world.post(f"/bulk/{run.pk}/columns/", _owner(run), **fields)
    world.note(f"choose the columns of run {run.pk}: {meanings}")


def choose_records(world: World, chance: random.Random) -> None:
    """Somebody says which records are meant, or none of them; at times nothing, or nonsense."""
    runs = [run for run in world.runs() if run.state == "ready"]
    asked = [run for run in runs if run.rows_to_choose] or runs[:1]
    if not asked:
        return
    run = chance.choice(asked)
    said = {key: _choice(key, chance) for key in run.keys.filter(problem=RowReason.CHOOSE)}
    page = world.get(f"/bulk/{run.pk}/", _owner(run))
    fields = {f"key_{key.pk}": each for key, each in said.items() if each}
    fields |= {"reading": page.fields["reading"]} if "reading" in page.fields else {}
    if chance.random() < 0.1:
        fields["reading"] = "2026-01-01T00:00:00+00:00"  # of another tab
    world.post(f"/bulk/{run.pk}/choices/", _owner(run), **fields)
    for key in BulkKey.objects.filter(pk__in=[key.pk for key in said], is_chosen=True):
        world.chosen.setdefault(key.pk, said[_same(key, said)].removeprefix("none"))
    told = ", ".join(f"{key.text}: {each or 'nothing'}" for key, each in said.items())
    world.note(f"choose records of run {run.pk}: {told or 'there is nothing to choose'}")


def _same(key: BulkKey, keys: dict[BulkKey, str]) -> BulkKey:
    return next(each for each in keys if each.pk == key.pk)


def _choice(key: BulkKey, chance: random.Random) -> str:
    drawn = chance.random()
    if drawn < 0.15:
        return "none"
    if drawn < 0.3:
        return ""
    if drawn < 0.35:
        return chance.choice(_NONSENSE)
    return str(chance.choice(key.candidates)[0])


def upload_linked(world: World, chance: random.Random) -> None:
    """A run of pairs that are linked, or were, so that it finds some linked already."""
    known = sorted(tuple(sorted(each, reverse=True)) for each in world.portal.store.spans)
    pairs = [pair for pair in known if len(pair) == 2 and {kind for kind, _ in pair} < {*LABELS}]
    if pairs:
        chosen = chance.sample(pairs, min(len(pairs), 3))
        cells = [",".join(f"{LABELS[kind]},{number}" for kind, number in pair) for pair in chosen]
        world.post("/bulk/", rows="\n".join([_HEADER, *cells, *(_row(chance) for _ in range(2))]))
        world.note(f"upload rows of before: {'; '.join(cells)}, and two more")


def worker_works(world: World, chance: random.Random) -> None:
    """A worker does a little for a run: one read of rows, one chunk."""
    _work(world, chance, chance.choice([0, 1, 2, 3]))


def worker_finishes(world: World, chance: random.Random) -> None:
    """A worker does what it can for a run, until nothing is left or it has to wait."""
    for _ in range(12):
        if not _work(world, chance, 8):
            return


def _work(world: World, chance: random.Random, turns: int) -> bool:
    runs = [
        run for run in world.runs() if run.state in ("reading", "queueing", "running", "canceling")
    ]
    if not runs or not world.has_worker:
        return False
    run = runs[-1]
    world.portal.actor = f"run {run.pk}"
    before = _position(run)
    work(run, turns)
    world.read_at.setdefault(run.pk, []).append(world.now)
    if world.trouble is not NONE:
        world.met_trouble.add(run.pk)
    run.refresh_from_db()
    world.note(f"a worker works on run {run.pk}: {run.state}, {run.closed} of {run.queued}")
    return _position(run) != before


def _position(run: BulkRun) -> tuple[object, ...]:
    asked = run.keys.exclude(asked_at=None).count()
    return run.state, run.rows_read, asked, run.is_found, run.looked_up_to, run.queued, run.closed


def start(world: World, chance: random.Random) -> None:
    runs = [run for run in world.runs() if run.state == "ready"]
    if not runs or chance.random() < 0.1:
        runs = world.runs()  # Back, and Start once more
    if runs:
        run = chance.choice(runs)
        choice = {"way": chance.choice(["batch", "single"])}
        choice |= {"skip_linked": "on"} if chance.random() < 0.6 else {}
        world.post(f"/bulk/{run.pk}/start/", _owner(run), **choice)
        world.note(f"start run {run.pk}: {choice}")


def start_twice(world: World, chance: random.Random) -> None:
    start(world, chance)
    start(world, chance)


def pause(world: World, chance: random.Random) -> None:
    _act(world, chance, "pause", {"running"})


def resume(world: World, chance: random.Random) -> None:
    _act(world, chance, "go-on", {"paused"})


def cancel(world: World, chance: random.Random) -> None:
    _act(world, chance, "cancel", {"queueing", "running", "paused"})


def discard(world: World, chance: random.Random) -> None:
    _act(world, chance, "discard", {"reading", "ready", "unreadable"})


def retry(world: World, chance: random.Random) -> None:
    _act(world, chance, "retry", {"done", "canceled"})


def _act(world: World, chance: random.Random, what: str, states: set[str]) -> None:
    runs = [run for run in world.runs() if run.state in states]
    if not runs and chance.random() < 0.15:
        runs = world.runs()  # from a page that is older than that
    if runs:
        run = chance.choice(runs)
        is_own = what in ("discard", "retry")
        who = _owner(run) if is_own or chance.random() < 0.7 else "admin"
        world.post(f"/bulk/{run.pk}/{what}/", who)
        world.note(f"{who.title()}: {what} run {run.pk} ({run.state})")


def _owner(run: BulkRun) -> str:
    return run.user.name.lower()


def worker_comes_or_goes(world: World, chance: random.Random) -> None:
    world.has_worker = not world.has_worker
    world.worker_left = None if world.has_worker else world.now
    world.sees_worker()
    world.note("a worker starts" if world.has_worker else "the worker ends")
