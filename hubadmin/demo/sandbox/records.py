"""The records of a portal: what it begins with, and what was done to them at run time.

Reads show a change at once, search some seconds later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import RLock
from time import monotonic
from typing import NamedTuple

from hubadmin.demo.sandbox import portal
from hubadmin.demo.sandbox.http import timestamp
from hubadmin.demo.sandbox.index import View
from hubadmin.demo.sandbox.merges import Merges

Properties = dict[str, str]
_Key = tuple[str, str]  # type id, record id
_FIRST_CREATED = 6_000_001
# What a record that was merged leaves to the other one.
_INHERITED = {"email": "hs_additional_emails", "domain": "hs_additional_domains"}


class RecordError(ValueError):
    """A change that cannot be made; the message is a sentence that says why."""


class _Change(NamedTuple):
    shown_from: float
    number: int
    key: _Key
    record: Properties | None


class RecordStore:
    """The records as they are, and as search shows them; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self.merges = Merges()
        self.clear()

    def clear(self) -> None:
        """Go back to what every portal begins with."""
        with self._lock:
            self.merges.clear()
            self.search_lag: float = 0
            self._ids = count(_FIRST_CREATED)
            self._numbers = count()
            self._created: set[_Key] = set()
            self._changed: dict[_Key, dict[str, str | None]] = {}
            self._archived: dict[_Key, bool] = {}
            self._late: list[_Change] = []
            self._latest: dict[_Key, int] = {}
            self._now: dict[str, View] = {}
            self._shown: dict[str, View] = {}

    def find(self, type_id: str, record_id: str, archived: bool = False) -> Properties | None:
        """Return the properties of what an id means now; None where there is no such record.

        A record that is new by a merge looks like the first of those that were merged into it.
        """
        left = self.merges.id_of(type_id, record_id)
        record = self._whole((type_id, left)) or self._by_merge(type_id, left)
        if not record or self.is_archived(type_id, left) != archived:
            return None
        return {**record, "hs_object_id": left}

    def find_by_key(
        self, type_id: str, names: list[str], value: str, archived: bool = False
    ) -> Properties | None:
        """Return the properties of the record with a value in one of these properties."""
        with self._lock:
            now = self._view(self._now, type_id)
            ids = [i for name in names for i in now.by_key(name, value)]
        found = (self.find(type_id, record_id, archived) for record_id in ids)
        return next(filter(None, found), None)

    def is_archived(self, type_id: str, record_id: str) -> bool:
        """Whether a record was deleted."""
        key = (type_id, record_id)
        return self._archived.get(key, portal.is_archived(*key))

    def created_ids(self, type_id: str) -> list[str]:
        """Return the ids of those that were created at run time."""
        return [i for each, i in sorted(self._created) if each == type_id]

    def create(self, type_id: str, properties: Properties, lag: float | None = None) -> str:
        """Create a record, for search `lag` seconds later, and return its id."""
        with self._lock:
            record_id, now = str(next(self._ids)), timestamp()
            self._created.add((type_id, record_id))
            self._changed[type_id, record_id] = {**properties, "createdate": now}
            self._touch(type_id, record_id, lag)
            return record_id

    def change(
        self,
        type_id: str,
        record_id: str,
        properties: dict[str, str | None],
        lag: float | None = None,
    ) -> None:
        """Change some of a record's properties, None clears one; raises RecordError."""
        with self._lock:
            left = self._required(type_id, record_id)
            self._changed.setdefault((type_id, left), {}).update(properties)
            self._touch(type_id, left, lag)

    def archive(
        self, type_id: str, record_id: str, archived: bool = True, lag: float | None = None
    ) -> None:
        """Delete a record, or bring it back; raises RecordError."""
        with self._lock:
            left = self._required(type_id, record_id, archived=not archived)
            self._archived[type_id, left] = archived
            self._touch(type_id, left, lag)

    def merge(self, type_id: str, old: str, new: str, lag: float | None = None) -> None:
        """Merge one record into another, which may be new and gets its addresses.

        Raises RecordError where they are one already.
        """
        with self._lock:
            if old in (new, self.merges.id_of(type_id, new)):
                raise RecordError(f"{old} cannot be merged into itself.")
            loser, winner = self.find(type_id, old), self.find(type_id, new)
            self.merges.add(type_id, old, new)
            if loser and winner:
                changed = self._changed.setdefault((type_id, winner["hs_object_id"]), {})
                changed.update(_inherited(loser, winner))
            self._note(type_id, old, None)
            self._note_for_search(type_id, old, None, lag)
            self._touch(type_id, self.merges.id_of(type_id, new), lag)

    @contextmanager
    def as_searched(self, type_id: str) -> Iterator[View]:
        """Give the records of a type as search shows them now."""
        with self._lock:
            self._catch_up(monotonic())
            yield self._view(self._shown, type_id)

    def _whole(self, key: _Key) -> Properties | None:
        begun: Properties | None = {} if key in self._created else portal.find_record(*key)
        changed = self._changed.get(key)
        if begun is None or not changed:
            return begun
        return {name: value for name, value in {**begun, **changed}.items() if value}

    def _by_merge(self, type_id: str, left: str) -> Properties | None:
        found = (self._whole((type_id, old)) for old in self.merges.into(type_id, left))
        return next(filter(None, found), None)

    def _required(self, type_id: str, record_id: str, archived: bool = False) -> str:
        if not self.find(type_id, record_id, archived):
            told = "archived" if archived else "such"
            raise RecordError(f"The portal has no {told} record {record_id} of type {type_id}.")
        return self.merges.id_of(type_id, record_id)

    def _touch(self, type_id: str, record_id: str, lag: float | None) -> None:
        changed = self._changed.setdefault((type_id, record_id), {})
        changed |= dict.fromkeys(("hs_lastmodifieddate", "lastmodifieddate"), timestamp())
        live = self.find(type_id, record_id)
        self._note(type_id, record_id, live or self.find(type_id, record_id, archived=True))
        self._note_for_search(type_id, record_id, live, lag)

    def _note(self, type_id: str, record_id: str, record: Properties | None) -> None:
        self._view(self._now, type_id).put(record_id, record)

    def _note_for_search(
        self, type_id: str, record_id: str, record: Properties | None, lag: float | None
    ) -> None:
        shown_from = monotonic() + (self.search_lag if lag is None else lag)
        self._late.append(_Change(shown_from, next(self._numbers), (type_id, record_id), record))

    def _catch_up(self, now: float) -> None:
        due = [change for change in self._late if change.shown_from <= now]
        if due:
            self._late = [change for change in self._late if change.shown_from > now]
        for _, number, key, record in sorted(due, key=lambda change: change.number):
            # An older change may be due later than a newer one, which told all that is so.
            if number > self._latest.get(key, -1):
                self._latest[key] = number
                self._view(self._shown, key[0]).put(key[1], record)

    def _view(self, views: dict[str, View], type_id: str) -> View:
        if type_id not in views:
            hidden = portal.archived_ids(type_id) if views is self._shown else set()
            views[type_id] = View(type_id, hidden)
        return views[type_id]


def _inherited(loser: Properties, winner: Properties) -> Properties:
    taken = {}
    for name, several in _INHERITED.items():
        told = [winner.get(several), loser.get(name), loser.get(several)]
        if loser.get(name):
            taken[several] = ";".join(filter(None, told))
    return taken
