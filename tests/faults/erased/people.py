"""People, and a log of weeks that names them: in entries, in files, on either side, in any script.

No two words of it stand in each other, so that whatever is found of one is found of that one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from associations.audit.integrity.sealing import seal_log
from associations.models import (
    AssociationRequest,
    BulkRow,
    BulkRun,
    RecordNames,
    name_digest,
    new_salt,
)
from hubadmin.models import User
from tests.faults.log.making import DAY, MINUTE, REASONS, Clock

PARTS = 10  # of the log, each sealed by itself, three days after the one before
_FIRST = ["Ada", "Zoë", "渡辺", "Ольга", "Grace", "José", "Lin", "O'Neil"]
_LETTERS = "bcdfghjklmnpqrstvwxz"


@dataclass(frozen=True, slots=True)
class Person:
    """A contact, or a company; `typed` is what somebody finds it by."""

    object_type: str
    object_id: str
    name: str
    typed: str
    word: str  # in both of them, and in nobody else's


@dataclass(frozen=True, slots=True)
class Side:
    """What an entry kept of one record, before anything was erased."""

    person: Person
    name: str
    typed: str
    salt: str
    digest: str
    entry: int = 0


def people(chance: random.Random, how_many: int) -> list[Person]:
    found = []
    for number, word in zip(range(how_many), _words(chance), strict=False):
        object_type = "companies" if number % 5 == 4 else "contacts"
        name = f"{chance.choice(_FIRST)} {word.title()}"
        typed = f"{word}.example" if object_type == "companies" else f"{word}@mail.example"
        found.append(Person(object_type, str(5_000 + number), name, typed, word))
    return found


def _words(chance: random.Random) -> Iterator[str]:
    """Of one length, so that none is part of another."""
    seen = set[str]()
    while True:
        word = "".join(chance.choice(_LETTERS) for _ in range(12))
        if word not in seen:
            seen.add(word)
            yield word


class Log:
    """Makes the log, part by part."""

    def __init__(self, user: User, clock: Clock, chance: random.Random, them: list[Person]) -> None:
        self.user, self.clock, self.chance, self.people = user, clock, chance, them
        self.sides: list[Side] = []

    def make(self, entries: int) -> None:
        for part in range(PARTS):
            self.add(entries // PARTS + (part < entries % PARTS))
            for _ in seal_log():
                pass
            self.clock.forward(3 * DAY)
        self.stage()

    def add(self, how_many: int) -> None:
        pairs = [self.chance.sample(self.people, 2) for _ in range(how_many)]
        kept = [(self.side(one), self.side(other)) for one, other in pairs]
        made = AssociationRequest.objects.bulk_create([self.entry(*pair) for pair in kept])
        placed = [
            (replace(one, entry=entry.pk), replace(other, entry=entry.pk))
            for entry, (one, other) in zip(made, kept, strict=True)
        ]
        RecordNames.objects.bulk_create([self.names(*pair) for pair in placed])
        self.sides += [side for pair in placed for side in pair]

    def side(self, person: Person) -> Side:
        salt, typed = new_salt(), person.typed if self.chance.random() < 0.5 else ""
        digest = name_digest(salt, person.name, typed)
        return Side(person, person.name, typed, salt, digest)

    def entry(self, one: Side, other: Side) -> AssociationRequest:
        self.clock.forward(MINUTE / 20)
        is_open = self.chance.random() < 0.01
        now = self.clock.now
        return AssociationRequest(
            user=self.user,
            user_name=self.user.name,
            api_version="v4",
            from_object_type=one.person.object_type,
            from_object_id=one.person.object_id,
            to_object_type=other.person.object_type,
            to_object_id=other.person.object_id,
            from_name_digest=one.digest,
            to_name_digest=other.digest,
            reason=self.chance.choice(REASONS),
            outcome="sending" if is_open else "linked",
            cause="" if is_open else "confirmed",
            created_at=now,
            sent_at=now,
            finished_at=None if is_open else now + timedelta(seconds=1),
        )

    def names(self, one: Side, other: Side) -> RecordNames:
        told = {
            f"{side}_{part}": getattr(kept, part)
            for side, kept in (("from", one), ("to", other))
            for part in ("name", "typed", "salt")
        }
        return RecordNames(entry_id=one.entry, **told)

    def stage(self) -> None:
        """A file that waits to be started: rows that are ready, and some in which a mail stands."""
        run = BulkRun.objects.create(
            user=self.user,
            user_name=self.user.name,
            name="pairs.csv",
            state="ready",
            created_at=self.clock.now,
        )
        BulkRow.objects.bulk_create(
            self.row(run, number, person) for number, person in enumerate(self.people, start=1)
        )

    def row(self, run: BulkRun, number: int, person: Person) -> BulkRow:
        place = {"run": run, "number": number, "line": number + 1}
        if number % 2:
            cells = {"from_object_id": f"{person.name} <{person.typed}>", "to_object_id": "9"}
            if person.object_type == "companies":
                cells["from_object_id"] = person.typed
            told = {"problem": "not_digits", "problem_field": "from", "cells": cells}
            return BulkRow(**place, state="invalid", **told, facts={"text": person.typed})
        record = {"from_object_type": person.object_type, "from_object_id": person.object_id}
        names = {"from_name": person.name, "from_typed": person.typed, "from_salt": new_salt()}
        return BulkRow(**place, **record, **names, state="ready")
