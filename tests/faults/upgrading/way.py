"""The way from a release of before to this one and back, while people use the site."""

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from tests.faults.upgrading.databases import ENTRY, Database, PostgreSQL, SQLite
from tests.faults.upgrading.load import People, pair, reason
from tests.faults.upgrading.releases import check_out
from tests.faults.upgrading.site import Site, migrate

NEW = settings.BASE_DIR
BETWEEN_HUPS = 20  # requests
Say = Callable[[str], object]


@dataclass(slots=True)
class Phase:
    name: str
    seconds: float = 0
    not_ready: float = 0
    said: Counter[str] = field(default_factory=Counter)  # by /readyz, where it was not ready


@dataclass(slots=True)
class Row:
    """What came of a phase."""

    name: str
    requests: int
    failed: int
    lost: int
    doubled: int
    not_ready: float
    longest: float

    @property
    def is_well(self) -> bool:
        return not (self.failed or self.lost or self.doubled or self.not_ready)


class Upgrade:
    """The way there and back, each step a phase."""

    def __init__(self, site: Site, database: Database, old: Path, people: People, say: Say) -> None:
        self._site, self._database, self._old, self._people = site, database, old, people
        self._say = say
        self.phases: list[Phase] = []
        self.troubles: list[str] = []

    def run(self, requests: int, hups: int) -> None:
        """With so many requests, and further ones while all servers read their secrets again."""
        steps = self._rolling() if len(self._site.machines) > 1 else self._restarting()
        share = -(-requests // (len(steps)))
        with self._people.at_work():
            for name, step in steps.items():
                with self._phase(name):
                    if step == self._reload:
                        self._reload(hups)
                    else:
                        step()
                        self._people.wait_for(share)

    def _rolling(self) -> dict[str, Callable[..., None]]:
        site, first, second = self._site, *self._site.machines

        def first_of_the_new() -> None:
            site.start("sealer", NEW)
            site.change(first, NEW)

        def rest_of_the_new() -> None:
            site.change(second, NEW)
            site.start("worker", NEW)

        def first_of_the_old() -> None:
            site.start("worker", self._old)
            site.change(first, self._old)

        def rest_of_the_old() -> None:
            site.change(second, self._old)
            site.start("sealer", self._old)

        return {
            "both old": _nothing,
            "migrate": lambda: migrate(NEW, self._database),
            "both old, new tables": _nothing,
            "sealer, server 1 to new": first_of_the_new,
            "one old, one new": _nothing,
            "server 2, worker to new": rest_of_the_new,
            "both new": _nothing,
            "HUP": self._reload,
            "worker, server 1 to old": first_of_the_old,
            "one new, one old": _nothing,
            "server 2, sealer to old": rest_of_the_old,
            "both old, new tables again": _nothing,
        }

    def _restarting(self) -> dict[str, Callable[..., None]]:
        site, (machine,) = self._site, self._site.machines

        def upgrade() -> None:
            site.stop_processes()
            machine.become(NEW, lambda tree: migrate(tree, self._database))
            site.start_processes(NEW)

        def go_back() -> None:
            site.stop_processes()
            machine.become(self._old)
            site.start_processes(self._old)

        return {
            "old": _nothing,
            "migrate, new": upgrade,
            "new": _nothing,
            "HUP": self._reload,
            "back to old": go_back,
            "old, new tables": _nothing,
        }

    def _reload(self, requests: int = 0) -> None:
        """HUP to one server after the other, again and again, until so many were asked for."""
        machines = itertools.cycle(self._site.machines)
        for count in range(0, requests, BETWEEN_HUPS):
            next(machines).read_secrets_again()
            self._people.wait_for(min(requests, count + BETWEEN_HUPS))

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._people.phase, phase = name, Phase(name)
        self.phases.append(phase)
        before, begun = [len(each.not_ready) for each in self._site.machines], time.monotonic()
        yield
        phase.seconds = time.monotonic() - begun
        for machine, known in zip(self._site.machines, before, strict=True):
            for seconds, said in machine.not_ready[known:]:
                phase.not_ready += seconds
                phase.said[said[:200]] += 1
        self.troubles += self._site.ended()
        own = [each for each in [*self._people.requests] if each.phase == name]
        failed = sum(each.has_failed for each in own)
        self._say(f"{name}: {phase.seconds:.1f} s, {len(own)} requests, {failed} failed")


def _nothing() -> None:
    pass


def judged(upgrade: Upgrade, site: Site, database: Database, people: People) -> list[Row]:
    """Compare what people were answered with the log and with what HubSpot was asked."""
    logged = Counter[str]()
    linked = set[str]()
    statement = f"SELECT reason, outcome FROM {ENTRY} WHERE reason LIKE 'SUP-%'"
    for said, outcome in database.rows(statement):
        logged[said] += 1
        if outcome == "linked":
            linked.add(said)
    paths = Counter(each["path"] for each in site.sandbox.requests if each["method"] == "PUT")
    asked = Counter[str]()
    for path, times in paths.items():
        contact = path.split("/contacts/")[1].split("/")[0]
        asked[contact] += times
    rows = []
    for phase in upgrade.phases:
        own = [each for each in people.requests if each.phase == phase.name]
        row = Row(phase.name, len(own), 0, 0, 0, phase.not_ready, 0)
        for each in own:
            row.failed += each.has_failed
            row.longest = max(row.longest, each.seconds)
            if each.number is not None:
                said, (contact, _) = reason(each.number), pair(each.number)
                is_told = each.status == 302
                row.lost += is_told and not (said in linked and asked[contact])
                row.doubled += logged[said] > 1 or asked[contact] > 1
        rows.append(row)
    return rows


def table(rows: list[Row]) -> str:
    """As Markdown has it."""
    heads = ("phase", "requests", "5xx", "lost", "doubled", "not ready, s", "longest, s")
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        seconds = f"{row.not_ready:.1f}", f"{row.longest:.1f}"
        lines.append((row.name, row.requests, row.failed, row.lost, row.doubled, *seconds))
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def upgraded(
    commit: str,
    server: str,
    *,
    rows: int,
    requests: int,
    hups: int,
    workers: int,
    sockets: bool,
    say: Say,
) -> list[str]:
    """Go the way from this commit and back; return what was wrong."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="release-")))
        old = check_out(commit, folder)
        is_sqlite = server == "sqlite"
        own: Database = (
            SQLite(Path(stack.enter_context(TemporaryDirectory())) / "rolling.sqlite3")
            if is_sqlite
            else PostgreSQL(server, f"rolling_{os.getpid()}_{commit[:7]}")
        )
        database = stack.enter_context(own)
        site = stack.enter_context(
            Site(old, database, machines=1 if is_sqlite else 2, workers=workers, sockets=sockets)
        )
        people = People(site.nginx.origin, str(site.nginx.certificate))
        people.link_once()
        database.fill(rows)
        upgrade = Upgrade(site, database, old, people, say)
        upgrade.run(requests, hups)
        done = judged(upgrade, site, database, people)
        say(table(done))
        wrong = [row.name for row in done if not row.is_well] + upgrade.troubles
        failures = Counter(
            (each.phase, each.what, each.status, first_words(each.text))
            for each in people.requests
            if each.has_failed or each.status in (400, 403, 404, 409)
        )
        for (phase, what, status, text), times in failures.most_common(12):
            say(f"{phase}: {times} x {what}: {status} {text}")
        for phase in upgrade.phases:
            for said, times in phase.said.most_common(3):
                say(f"{phase.name}: {times} x /readyz: {said}")
        for name, tree in ("old", old), ("new", NEW):
            code, words = site.verify(tree)
            say(f"verify_audit_log of the {name} code: {code}: {words}")
            if code and name == "new":
                wrong.append("the log is not proven")
        return wrong


def first_words(text: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", text.split("<main", 1)[-1]).split())[:200]
