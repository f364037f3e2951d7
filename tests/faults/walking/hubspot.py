"""HubSpot's stand-in with a memory: when what was linked, which records there were, who called."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from hubadmin.demo.sandbox import Sandbox, connection
from hubadmin.demo.sandbox.http import Answer
from hubadmin.demo.sandbox.http import Call as Asked
from hubadmin.demo.sandbox.links import Links
from hubadmin.demo.sandbox.portal import TYPES
from tests.faults.walking.clock import Clock
from tests.faults.walking.directory import Directory

Record = tuple[str, str]  # a type in its canonical form, and an id
Pair = tuple[Record, Record]

_PUT = re.compile(r".*/objects/(?:2026-0[39]/)?([^/]+)/(\d+)/associations/default/([^/]+)/(\d+)")
_BATCH = re.compile(r".*/associations/(?:2026-0[39]/)?([^/]+)/([^/]+)/batch/associate/default")


def same(pair: Pair) -> frozenset[Record]:
    """A pair whichever way round it is named."""
    return frozenset(pair)


@dataclass(slots=True)
class Span:
    """For how long a link was there; reads show it from `seen` on, which may be a little later."""

    label: str | None
    made: datetime
    seen: datetime
    ended: datetime | None = None

    def is_at(self, moment: datetime) -> bool:
        return self.made <= moment and not (self.ended and self.ended <= moment)

    def is_seen_at(self, moment: datetime) -> bool:
        return self.seen <= moment and self.is_at(moment)


class Store(Links):
    """The portal's links, and each that there ever was."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.spans: dict[frozenset[Record], list[Span]] = {}

    def add_many(
        self, from_type: str, to_type: str, pairs: Any, label: str | None = None, lag: float = 0
    ) -> None:
        pairs, now = list(pairs), self.clock.now()
        super().add_many(from_type, to_type, pairs, label, lag)
        for one, other in pairs:
            spans = self.spans.setdefault(same(((from_type, one), (to_type, other))), [])
            if not any(span.label == label and not span.ended for span in spans):
                spans.append(Span(label, now, now + timedelta(seconds=lag)))

    def remove(self, pair: Pair) -> None:
        """Take every link of a pair away, as somebody in HubSpot does."""
        with self._lock:
            for (one_type, one), (other_type, other) in (pair, pair[::-1]):
                self._links.get((one_type, other_type), {}).get(one, {}).pop(other, None)
        for span in self.spans.get(same(pair), []):
            span.ended = span.ended or self.clock.now()

    def move(self, object_type: str, old: str, new: str) -> None:
        """Two records are merged: what one was linked to, the other is from now on."""
        super().move(object_type, old, new)  # type: ignore[misc] - of sandboxes that can merge
        one, now = (object_type, old), self.clock.now()
        for key in [key for key in self.spans if one in key]:
            left = frozenset((object_type, new) if each == one else each for each in key)
            for span in [span for span in self.spans[key] if not span.ended]:
                span.ended = now
                self.spans.setdefault(left, []).append(Span(span.label, now, max(now, span.seen)))

    def clear(self) -> None:
        super().clear()
        self.spans.clear()


@dataclass(frozen=True, slots=True)
class Heard:
    """A call that was to link records: of which pairs, by whom, and how it was answered."""

    at: datetime
    actor: str
    pairs: list[frozenset[Record]]
    made: list[frozenset[Record]]  # those of them that it linked, and that were not linked before
    status: int
    trouble: str  # what was wrong with HubSpot


@dataclass(slots=True)
class Portal:
    """The sandbox, its links with their past, its records with theirs, and the calls it heard."""

    sandbox: Sandbox
    clock: Clock
    actor: str = ""
    trouble: str = ""
    heard: list[Heard] = field(default_factory=list)
    gone: list[tuple[datetime, Record, bool]] = field(default_factory=list)
    merged: list[tuple[datetime, Record, str]] = field(default_factory=list)
    answers: list[tuple[str, int]] = field(default_factory=list)  # to all calls: whose, its status
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.directory = Directory(self.sandbox.records)

    @property
    def store(self) -> Store:
        return self.sandbox.links

    def reset(self) -> None:
        self.sandbox.reset()
        self.answers.clear()
        self.directory.clear()
        self.directory.note(self.clock.now())
        self.actor = self.trouble = ""
        self.heard.clear()
        self.gone.clear()
        self.merged.clear()

    @contextmanager
    def listening(self) -> Iterator[None]:
        answer_call = connection.answer_call

        def listen(state: Any, call: Asked) -> Answer:
            pairs = _pairs_in(call)
            before = [len(self.spans_of(pair)) for pair in pairs]
            answer = answer_call(state, call)
            self.answers.append((self.actor, answer.status))
            after = [len(self.spans_of(pair)) for pair in pairs]
            made = [pair for pair, b, a in zip(pairs, before, after, strict=True) if a > b]
            if pairs:
                told = answer.status, self.trouble
                self.heard.append(Heard(self.clock.now(), self.actor, pairs, made, *told))
            return answer

        self.sandbox.links = Store(self.clock)
        with mock.patch.object(connection, "answer_call", listen):
            yield

    # --- what somebody does in HubSpot itself -----------------------------------------------------

    def delete(self, record: Record) -> None:
        """Delete a record, and its links with it."""
        self.sandbox.archive(*record)
        self.directory.note(self.clock.now())
        self.gone.append((self.clock.now(), record, True))
        for pair in [tuple(each) for each in self.store.spans if record in each]:
            self.store.remove(pair)

    def restore(self, record: Record) -> None:
        self.sandbox.archive(*record, archived=False)
        self.directory.note(self.clock.now())
        self.gone.append((self.clock.now(), record, False))

    @property
    def can_merge(self) -> bool:
        return hasattr(self.sandbox, "merge")

    def merge(self, record: Record, new: str) -> None:
        """Merge a record into another of its type, which may be a new one."""
        self.sandbox.merge(record[0], record[1], new)
        self.merged.append((self.clock.now(), record, new))
        self.directory.note(self.clock.now())

    def change(self, record: Record, **properties: str | None) -> None:
        """Give a record other values, such as an address that was another's."""
        self.sandbox.change(*record, properties)
        self.directory.note(self.clock.now())

    # --- what is so -------------------------------------------------------------------------------

    def has(self, record: Record, moment: datetime | None = None) -> bool:
        """Whether there is such a record, or was at some moment."""
        if any(record == old or record[1] == new for _, old, new in self.merged):
            return True  # an id that was merged goes on working
        if moment is None:
            return self.sandbox.records.find(*_key(record)) is not None
        changes = [(at, is_gone) for at, each, is_gone in self.gone if each == record]
        before = [is_gone for at, is_gone in changes if at <= moment]
        return not before[-1] if before else bool(changes) or self.has(record)

    def identity(self, record: Record, moment: datetime | None = None) -> Record:
        """Under which id HubSpot has a record, or had it at some moment."""
        into = {old: new for at, old, new in self.merged if moment is None or at <= moment}
        while record in into:
            record = record[0], into[record]
        return record

    def spans_of(self, pair: Iterable[Record], moment: datetime | None = None) -> list[Span]:
        return self.store.spans.get(frozenset(self.identity(each, moment) for each in pair), [])

    def is_linked(
        self, pair: Pair, moment: datetime | None = None, *, default: bool = True
    ) -> bool:
        """Whether a pair is linked, or was at some moment: by the default type, or by any."""
        at = moment or self.clock.now()
        spans = self.spans_of(pair, at)
        return any(span.is_at(at) for span in spans if not (default and span.label))

    def shows(self, pair: Pair, moment: datetime | None = None, *, default: bool = True) -> bool:
        """The same, as reads show it."""
        at = moment or self.clock.now()
        spans = self.spans_of(pair, at)
        return any(span.is_seen_at(at) for span in spans if not (default and span.label))

    def calls(self, actor: str, pair: Pair, since: datetime, until: datetime) -> list[Heard]:
        return [
            each
            for each in self.heard
            if each.actor == actor and same(pair) in each.pairs and since <= each.at <= until
        ]


def _key(record: Record) -> tuple[str, str]:
    return TYPES[record[0]].type_id, record[1]


def _pairs_in(call: Asked) -> list[frozenset[Record]]:
    if call.method == "PUT" and (found := _PUT.fullmatch(call.path)):
        from_type, from_id, to_type, to_id = found.groups()
        return [same(((from_type, from_id), (to_type, to_id)))]
    if call.method == "POST" and (found := _BATCH.fullmatch(call.path)):
        inputs = json.loads(call.body)["inputs"]
        one, other = found.groups()
        return [same(((one, each["from"]["id"]), (other, each["to"]["id"]))) for each in inputs]
    return []
