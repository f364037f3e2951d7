"""Logs that nobody has touched: whatever honest thing has become of them, they are proven."""

import argparse
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from associations.audit.integrity.chain_verification import verify_newest
from associations.audit.integrity.signing import own_key
from associations.models import AuditSeal
from tests.associations.audit.integrity.processes import database_url
from tests.faults.log.databases import (
    OWNER,
    Databases,
    execute,
    migrate,
    on_postgresql,
    undone,
    use,
)
from tests.faults.log.making import Clock, Maker, command, small_seals
from tests.faults.log.restoring import restore
from tests.faults.log.runs import RunMaker
from tests.support import SignedInClient, person

SMALL = [3, 5, 9, 2_000]
# Of each hundred logs so many are committed, which takes seconds; all others are rolled back.
RESTORED, MIGRATED, UPGRADED = 4, 1, 1
BEFORE_RUNS = 3  # the place of 0004_verification
VERIFY_EXPORT = settings.BASE_DIR / "associations" / "audit" / "integrity" / "verify_export.py"
# What the release before is asked to do, with the two modules that make logs.
_MADE_WITH = ("__init__.py", "making.py", "runs.py")
_MAKE = """
import random, sys
import django
django.setup()
from tests.faults.log.making import Clock, small_seals
from tests.faults.log.runs import RunMaker
clock = Clock()
with clock.set(), small_seals(int(sys.argv[2])):
    maker = RunMaker(random.Random(sys.argv[1]), clock)
    maker.make(40)
    maker.seal()
print(clock.now.isoformat())
"""


class AlarmError(Exception):
    """A log that is as it was is said not to be."""


class Untouched:
    """Makes so many logs, each by its number, and tells of each what was said."""

    def __init__(self, databases: Databases, options: argparse.Namespace) -> None:
        self.databases, self.options = databases, options
        self.numbers = range(options.lane, options.untouched, options.lanes)
        self.release: Path | None = None

    def logs(self) -> Iterator[dict[str, Any]]:
        with release(self.options.release, self.databases.folder / "release") as self.release:
            use(self.databases.empty)
            for number in self.numbers:
                way = self.way(number)
                yield {"log": number, "way": way.__name__, "alarm": self.tried(way, number)}

    def way(self, number: int) -> Callable[[random.Random, Clock, int], None]:
        """Rare ones first, so that a small campaign has one of each."""
        rare = [self.migrated] * MIGRATED + [self.restored] * RESTORED
        rare = [self.upgraded] * UPGRADED + rare if self.release else rare
        place = number % 100
        return rare[place] if place < len(rare) else self.plain if place % 3 else self.pruned

    def tried(self, way: Callable[[random.Random, Clock, int], None], number: int) -> str:
        chance, clock = random.Random(f"{self.options.seed} log {number}"), Clock()
        try:
            with clock.set(), small_seals(self.size_of_seals(number)):
                way(chance, clock, number)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def size_of_seals(self, number: int) -> int:
        return random.Random(f"{self.options.seed} size {number}").choice(SMALL)

    # --- what becomes of a log --------------------------------------------------------------------

    def plain(self, chance: random.Random, clock: Clock, number: int) -> None:
        with undone():
            maker = RunMaker(chance, clock)
            for _ in range(3):
                maker.make(chance.randint(8, 16))
                if chance.random() < 0.7:
                    maker.seal()
                prove()
            maker.seal()
            prove()
            if number % 10 == 0:
                prove_by_itself(self.databases.folder)

    def pruned(self, chance: random.Random, clock: Clock, number: int) -> None:
        """Once or more, and it goes on."""
        with undone():
            maker = RunMaker(chance, clock)
            for _ in range(3):
                maker.make(chance.randint(8, 16))
                maker.seal()
                settle()
                maker.prune(self.databases.folder)
                prove()
                maker.make(2)
                prove()

    def restored(self, chance: random.Random, clock: Clock, number: int) -> None:
        """Dumped, brought back under another name, and it goes on there."""
        with self.committed(number) as name:
            maker = RunMaker(chance, clock)
            maker.make(30)
            maker.seal()
            head = maker.head()
            other = self.databases.name_of(f"other{number}")
            self.databases.made.append(other)
            restore(name, other, chance.choice(["custom", "plain"]), self.databases.folder)
            try:
                use(other)
                prove("--head", head)
                RunMaker(chance, clock).make(6)
                command("seal_audit_log")
                prove("--head", head)
            finally:
                self.databases.drop(other)

    def migrated(self, chance: random.Random, clock: Clock, number: int) -> None:
        """Back to an earlier version's tables and forward again, as far as that is let be."""
        with self.committed(number):
            maker = Maker(chance, clock)  # with runs there is no way back
            maker.make(25)
            maker.seal()
            earlier = sorted(n for app, n in _migrations() if app == "associations")
            with suppress(Exception):  # whatever refuses: nothing of the log may be lost by it
                self.as_owner("associations", chance.choice(earlier[BEFORE_RUNS:]))
            self.as_owner()
            prove(*(("--head", maker.head()) if maker.head() else ()))
            maker.make(5)
            maker.seal()
            prove()

    def upgraded(self, chance: random.Random, clock: Clock, number: int) -> None:
        """Made and sealed by the release before; this one takes it over."""
        name = self.databases.name_of(f"old{number}")
        self.databases.made.append(name)
        if on_postgresql():
            use(self.databases.home)
            execute(f"CREATE DATABASE {name}")
        use(name)
        try:
            self.by_the_release("manage.py", "migrate", "--verbosity", "0")
            size = str(self.size_of_seals(number))
            made = self.by_the_release("-c", _MAKE, f"{self.options.seed} {number}", size)
            clock.now = datetime.fromisoformat(made.split()[-1])
            migrate()
            prove()
            maker = RunMaker(chance, clock)
            for _ in range(2):
                maker.make(8)
                maker.seal()
                prove()
        finally:
            self.databases.drop(name)

    def as_owner(self, *arguments: str) -> None:
        with self.databases.as_role(OWNER):
            migrate(*arguments)

    def by_the_release(self, *arguments: str) -> str:
        """Run its code on the database that is in use."""
        own = {**os.environ, "PYTHONPATH": str(self.release), "TEST_DATABASE_URL": database_url()}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.release, env=own, capture_output=True, text=True
        )
        if done.returncode:
            raise AssertionError(f"{arguments[0]}: {done.stderr[-800:]}")
        return done.stdout

    @contextmanager
    def committed(self, number: int) -> Iterator[str]:
        name = self.databases.copy(f"log{number}")
        try:
            yield name
        finally:
            self.databases.drop(name)
            use(self.databases.empty)


@contextmanager
def release(commit: str, folder: Path) -> Iterator[Path | None]:
    """The release before, in a folder of its own; none where this is no clone that has it."""
    git = ["git", "-C", str(settings.BASE_DIR), "worktree"]
    added = [*git, "add", "--detach", str(folder), commit]
    if subprocess.run(added, capture_output=True).returncode:
        yield None
        return
    own = folder / "tests" / "faults" / "log"
    own.mkdir(exist_ok=True)
    for name in _MADE_WITH:
        shutil.copyfile(Path(__file__).with_name(name), own / name)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], capture_output=True)


def prove(*arguments: str) -> None:
    """What whoever verifies is told, of the whole, and of what a page shows."""
    code, said = command("verify_audit_log", *arguments)
    is_empty = not AuditSeal.objects.exists()
    if code and not (is_empty and "no seal yet" in said):
        raise AlarmError(said.replace("\n", " ")[:600])
    if finding := verify_newest(at_least=5).finding:
        raise AlarmError(f"the page: {finding}")


def prove_by_itself(folder: Path) -> None:
    """What an auditor is told who has an export and the seals alone."""
    client, files = SignedInClient(person("admin")), []
    for path in ("/audit/export.jsonl", "/audit/integrity/seals.jsonl"):
        files.append(folder / path.rpartition("/")[2])
        files[-1].write_bytes(b"".join(client.get(path).streaming_content))
    arguments = [sys.executable, str(VERIFY_EXPORT), own_key().text, *map(str, files)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise AlarmError(f"verify_export.py: {done.stdout}{done.stderr}"[:600])


def settle() -> None:
    if on_postgresql():
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def _migrations() -> list[tuple[str, str]]:
    return list(MigrationLoader(connection).disk_migrations)
