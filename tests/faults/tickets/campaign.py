"""Many tasks, one after the other, judged by what HubSpot's stand-in has heard of each."""

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from associations.audit.recorder import RequestMeta
from associations.finding import finder
from associations.finding.finder import Found, Hit
from associations.gateway.account import form_options
from associations.hubspot.object_types import resolve
from associations.linking import services
from hubadmin.models import User
from tests.faults.tickets.person import choose, key_of
from tests.faults.tickets.sayings import Said, Telling, address_of
from tests.faults.tickets.tasks import Task, tell
from tests.faults.tickets.world import Call, World
from tests.support import forget_looks, person

PEOPLE = 25
TOLD_EVERY = 500
EXAMPLES = 12
MOST_SEARCHES = 2  # for one text
Find = Callable[..., Found]


@dataclass(slots=True)
class Kind:
    """How the texts of one kind fared."""

    ends: Counter[str] = field(default_factory=Counter)
    finds: int = 0
    searches: int = 0
    calls: int = 0


BY_ITSELF, CHOSEN, GIVEN_UP, NOTHING = "by itself", "chosen", "given up", "nothing there"
LOST = "lost"  # not even the address led to the record


@dataclass(slots=True)
class Campaign:
    world: World
    seed: int
    find: Find = finder.find
    tasks: int = 0
    sent: Counter[str] = field(default_factory=Counter)  # by outcome
    wrong_pairs: int = 0
    not_unique: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    kinds: defaultdict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    searches: Counter[int] = field(default_factory=Counter)  # per task: how many tasks had so many
    calls: Counter[int] = field(default_factory=Counter)  # the same, besides what linking takes
    most_searches: int = 0  # for one text
    examples: list[str] = field(default_factory=list)
    _people: list[User] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        is_wrong = self.wrong_pairs or self.not_unique or self.count(LOST)
        return not (is_wrong or self.most_searches > MOST_SEARCHES)

    def count(self, end: str) -> int:
        return sum(kind.ends[end] for kind in self.kinds.values())

    def take(self, count: int) -> None:
        chance = random.Random(self.seed)
        telling = Telling(self.world, chance)
        self._people = [person(f"finder-{n}", "support") for n in range(PEOPLE)]
        for _ in range(count):
            self._do(tell(telling), chance.choice(self._people))
            if self.tasks % TOLD_EVERY == 0:
                print(f"{self.tasks} tasks", file=sys.stderr, flush=True)

    # --- one task ---------------------------------------------------------------------------------

    def _do(self, task: Task, user: User) -> None:
        if not self.world.is_limited:
            forget_looks()  # how much one person may find is another matter
        mark = self.world.mark()
        first = self._found(user, "from", task.from_)
        second = self._found(user, "to", task.to, first)
        calls = self.world.since(mark)
        self.tasks += 1
        self.searches[sum(call.is_search for call in calls)] += 1
        self.calls[len(calls)] += 1
        if first and second:
            mark = self.world.mark()
            self._send(user, first, second)
            self._judge(task, self.world.since(mark))

    def _found(self, user: User, side: str, said: Said, other: Hit | None = None) -> Hit | None:
        """What the person has in the card at last."""
        kind, mark = self.kinds[said.kind], self.world.mark()
        hit, end = self._take(user, side, said, other, kind)
        kind.ends[end] += 1
        calls = self.world.since(mark)
        kind.calls += len(calls)
        kind.searches += sum(call.is_search for call in calls)
        return hit

    def _take(
        self, user: User, side: str, said: Said, other: Hit | None, kind: Kind
    ) -> tuple[Hit | None, str]:
        narrowed = said.narrowed
        while True:
            found = self._asked(user, side, said.text, narrowed, other)
            kind.finds += 1
            if found.chosen:
                self._judge_chosen(said, found.chosen)
                return found.chosen, BY_ITSELF
            if said.wanted and (hit := choose(found.hits, said.wanted)):
                return hit, CHOSEN
            if narrowed or not _is_left_out(said, found):
                return self._pasted(user, side, said, other)
            narrowed = said.wanted.key.type_id  # "Search companies only"

    def _pasted(
        self, user: User, side: str, said: Said, other: Hit | None
    ) -> tuple[Hit | None, str]:
        if said.wanted is None:
            return None, NOTHING
        found = self._asked(user, side, address_of(said.wanted.key), "", other)
        if found.chosen and key_of(found.chosen) == said.wanted.key:
            return found.chosen, GIVEN_UP
        self._tell("lost", said, found.why)
        return None, LOST

    def _asked(self, user: User, side: str, text: str, narrowed: str, other: Hit | None) -> Found:
        mark = self.world.mark()
        found = self.find(
            user=user,
            meta=RequestMeta(),
            side=side,
            text=text,
            narrowed=resolve(narrowed) if narrowed else None,
            other=other.object_type if other else None,
            **form_options(),
        )
        if found.error:
            self.errors[found.error.cause] += 1
        searches = sum(call.is_search for call in self.world.since(mark))
        self.most_searches = max(self.most_searches, searches)
        return found

    def _send(self, user: User, first: Hit, second: Hit) -> None:
        try:
            entry = services.create_association(
                user=user,
                from_object_type=first.object_type.canonical,
                from_object_id=first.asked_id or first.record.object_id,  # as the form has it
                to_object_type=second.object_type.canonical,
                to_object_id=second.asked_id or second.record.object_id,
            )
        except ValueError:  # a record with itself
            self.sent["not sent"] += 1
        else:
            self.sent[entry.outcome] += 1

    # --- judging ----------------------------------------------------------------------------------

    def _judge_chosen(self, said: Said, hit: Hit) -> None:
        """A name may have one hit: still somebody else may be meant, who is not found yet."""
        if not said.may_be(key_of(hit)):
            self.not_unique += 1
            self._tell("resolved by itself", said, key_of(hit))

    def _judge(self, task: Task, calls: Sequence[Call]) -> None:
        wanted = [said.wanted and self.world.truth.now(said.wanted.key) for said in task]
        for pair in (call.pair for call in calls if call.pair):
            if [self.world.truth.now(key) for key in pair] != wanted:
                self.wrong_pairs += 1
                self._tell("WRONG PAIR", *task, pair)

    def _tell(self, what: str, *facts: Any) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {'; '.join(map(_shown, facts))}")

    # --- what is printed --------------------------------------------------------------------------

    def tell(self, seconds: float) -> None:
        head = ("kind of text", "sides", *(BY_ITSELF, CHOSEN, GIVEN_UP, NOTHING))
        print("{:30}{:>7}{:>11}{:>8}{:>10}{:>15}".format(*head), "  finds searches calls a side")
        for name, kind in sorted(self.kinds.items()):
            print(f"{name:30}{kind.ends.total():7}{_line(kind)}")
        sides = sum(kind.ends.total() for kind in self.kinds.values())
        print(f"\n{self.tasks} tasks in {seconds:.0f} s; requests: {_counts(self.sent)}")
        print(f"needed a choice: {self.count(CHOSEN) / sides:.1%} of the sides")
        print(f"given up, address pasted: {self.count(GIVEN_UP) / sides:.1%}; {LOST}: ", end="")
        print(f"{self.count(LOST)}; could not be looked up: {_counts(self.errors)}")
        print(f"searches a task: {_spread(self.searches)}; most for one text: {self.most_searches}")
        print(f"calls a task, besides those of linking: {_spread(self.calls)}")
        print(f"wrong pairs sent: {self.wrong_pairs}")
        print(f"resolved by itself although not unique: {self.not_unique}")
        for example in self.examples:
            print(f"  {example}")


def _is_left_out(said: Said, found: Found) -> bool:
    """Whether types were searched, but not the one that is meant."""
    searched = {each.type_id for each in found.searched}
    return bool(said.wanted and searched) and said.wanted.key.type_id not in searched


def _line(kind: Kind) -> str:
    sides = kind.ends.total()
    ends = (kind.ends[end] for end in (BY_ITSELF, CHOSEN, GIVEN_UP, NOTHING))
    shares = (kind.finds / sides, kind.searches / sides, kind.calls / sides)
    counted = "{:11}{:8}{:10}{:15}".format(*ends)
    return counted + "  {:5.2f}{:9.2f}{:6.2f}".format(*shares)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counter.most_common()) or "0"


def _spread(counts: Counter[int]) -> str:
    mean = sum(n * count for n, count in counts.items()) / max(1, counts.total())
    return f"{mean:.2f} ({', '.join(f'{n}: {counts[n]}' for n in sorted(counts))})"


def _shown(fact: Any) -> str:
    if not isinstance(fact, Said):
        return str(fact)
    wanted = f"{fact.wanted.name} {tuple(fact.wanted.key)}" if fact.wanted else "nothing"
    return f"{fact.kind} “{fact.text}” {fact.narrowed}, which is {wanted}"
