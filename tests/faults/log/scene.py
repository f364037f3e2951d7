"""Who does what to which log: what manipulations are made of."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.log.state import Chain, Rows, table, tables

CHILDREN = {"entry": [("attempt", "request_id"), ("check", "entry_id"), ("names", "entry_id")]}


@dataclass(slots=True)
class Manipulation:
    """What is done, in SQL. `must` be found: it takes a guard off, though all rows stay."""

    name: str
    statements: list[str]
    tables: list[str] = field(default_factory=list)
    must: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A log, and who lays hands on it. `now` is the time that its clock shows."""

    chance: random.Random
    role: str
    rows: Rows
    chain: Chain
    now: str

    def kind(self, *others: str) -> str:
        """One that there are rows of, entries rather than others."""
        found = [kind for kind in self.rows if self.rows[kind] and kind not in others]
        return self.chance.choices(found, [4 if kind == "entry" else 1 for kind in found])[0]

    def pk(self, kind: str) -> int:
        return self.chance.choice(sorted(self.rows[kind]))

    def pks(self, kind: str) -> tuple[int, int]:
        first, second = self.chance.sample(sorted(self.rows[kind]), 2)
        return first, second


Way = Callable[[Scene], Manipulation | None]
# What the chain and the prunings are made of has manipulations of its own.
WATCHING = ("seal", "pruning", "verification")


def quoted_name(name: str) -> str:
    return f'"{name}"'


def with_children(kind: str) -> list[str]:
    return [table(kind), *(table(child) for child, _ in CHILDREN.get(kind, []))]


def set_column(kind: str, pk: int, column: str, value: str) -> str:
    set_to = f"{quoted_name(column)} = {value}"
    return f"UPDATE {table(kind)} SET {set_to} WHERE {key_of(kind)} = {pk}"


def key_of(kind: str) -> str:
    return tables()[kind]._meta.pk.column
