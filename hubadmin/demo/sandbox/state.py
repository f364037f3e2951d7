"""What the sandbox knows: its address, links, faults to play, requests received, rate limit."""

import re
from collections import Counter, deque
from threading import Lock
from time import monotonic
from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.faults import FaultQueue
from hubadmin.demo.sandbox.http import is_api_path, timestamp
from hubadmin.demo.sandbox.links import Links, parse_link
from hubadmin.demo.sandbox.merges import Merges
from hubadmin.demo.sandbox.portal import TYPES, Association

_LIMIT_SECONDS = 10
_USUAL_LIMIT = 190
DAILY_LIMIT = 625_000


class RateWindow:
    """The app's limit per sliding ten seconds; safe to use from many threads."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._lock = Lock()
        self._admitted: deque[float] = deque()
        self._today = 0

    def clear(self) -> None:
        """Forget what was admitted."""
        with self._lock:
            self._admitted.clear()
            self._today = 0

    @property
    def used_today(self) -> int:
        """How many requests were admitted since the last `clear`."""
        with self._lock:
            return self._today

    def admit(self) -> tuple[bool, dict[str, str | None]]:
        """Return whether one more request may pass, and the headers that say what is left."""
        with self._lock:
            passes = self._has_room(monotonic())
            self._today += passes
            return passes, self._headers()

    def _has_room(self, now: float) -> bool:
        if not self._limit:
            return True
        while self._admitted and self._admitted[0] <= now - _LIMIT_SECONDS:
            self._admitted.popleft()
        passes = len(self._admitted) < self._limit
        if passes:
            self._admitted.append(now)
        return passes

    def _headers(self) -> dict[str, str | None]:
        limit = self._limit or _USUAL_LIMIT
        told = {
            "Max": limit,
            "Remaining": limit - len(self._admitted),
            "Interval-Milliseconds": _LIMIT_SECONDS * 1000,
            "Daily": DAILY_LIMIT,
            "Daily-Remaining": max(DAILY_LIMIT - self._today, 0),
        }
        return {f"X-HubSpot-RateLimit-{name}": str(value) for name, value in told.items()}


_WINDOW_SECONDS = 10


class CallTally:
    """Counts every call, refused or not; remembers only the last ten seconds one by one.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Begin afresh."""
        with self._lock:
            self._calls = self._most = 0
            self._latest: deque[float] = deque()
            self._statuses: Counter[str] = Counter()

    def arrived(self) -> None:
        """Count a call as its head arrives."""
        with self._lock:
            now = monotonic()
            self._latest.append(now)
            while self._latest[0] <= now - _WINDOW_SECONDS:
                self._latest.popleft()
            self._calls += 1
            self._most = max(self._most, len(self._latest))

    def answered(self, status: int) -> None:
        """Count an answer; a call whose connection is reset has none."""
        with self._lock:
            self._statuses[str(status)] += 1

    def summary(self) -> dict[str, Any]:
        """Return the counts; `refused` are the 429s, by the limit or by a fault."""
        with self._lock:
            return {
                "calls": self._calls,
                "refused": self._statuses["429"],
                "most_in_10_seconds": self._most,
                "by_status": dict(sorted((+self._statuses).items())),
            }


_CONTROL_PATH = re.compile(r"/_sandbox/(faults|requests|calls|associations|reset)(\?.*)?")


class State:
    """The memory that every connection shares; safe to use from many threads."""

    def __init__(
        self, port: int, rate_limit: int | None, keep_requests: int, version: str | None = None
    ) -> None:
        self.port = port
        self.version = version
        self.faults = FaultQueue()
        self.window = RateWindow(rate_limit)
        self.calls = CallTally()
        self.links = Links()
        self.merges = Merges()
        # Whether the answer to a link names merged records by the ids that it was asked for.
        self.names_as_asked = False
        self._lock = Lock()
        self._requests: deque[dict[str, Any]] = deque(maxlen=keep_requests)

    @property
    def host(self) -> str:
        """Where the sandbox listens, with the port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address to use in HubSpot's place."""
        return f"http://{self.host}"

    @property
    def associations(self) -> set[Association]:
        """A copy of what was associated, each link in both directions, a lagging one too."""
        return self.links.all()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Copies of the requests received, oldest first; `status` is None until one is answered."""
        with self._lock:
            return [dict(entry) for entry in self._requests]

    def fault(self, **fields: Any) -> None:
        """Queue a fault, as posted to `/_sandbox/faults`; raises FaultError."""
        self.faults.add(fields)

    def reset(self) -> None:
        """Forget faults, requests, associations, what was merged since, and every count."""
        self.faults.clear()
        self.window.clear()
        self.calls.clear()
        self.links.clear()
        self.merges.clear()
        self.names_as_asked = False
        with self._lock:
            self._requests.clear()

    def link(
        self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None
    ) -> None:
        """Link two records, which may be absent, by a label or the default; raises LinkError."""
        ends = Association(from_type, from_id, to_type, to_id)
        self.links.add(*parse_link({**ends._asdict(), "label": label}))

    def merge(self, type_name: str, old: str, new: str) -> None:
        """Merge one record into another, with its links."""
        object_type = TYPES[type_name]
        self.merges.add(object_type.type_id, old, new)
        self.links.move(object_type.canonical, old, new)

    def id_of(self, object_type: ObjectType, record_id: str) -> str:
        """Return the id of the record that an id means now."""
        return self.merges.id_of(object_type.type_id, record_id)

    def record(self, method: str, target: str, headers: dict[str, str]) -> dict[str, Any]:
        """Note a request on its arrival and return the note; one for the controls is not kept."""
        entry = {
            "method": method,
            "path": target,
            "headers": {name: _redacted(name, value) for name, value in headers.items()},
            "received_at": timestamp(),
            "status": None,
        }
        if not _CONTROL_PATH.fullmatch(target):
            with self._lock:
                self._requests.append(entry)
        if is_api_path(target):
            self.calls.arrived()
        return entry

    def note_status(self, entry: dict[str, Any], status: int) -> None:
        """Add to a request's note how it is answered."""
        entry["status"] = status
        if is_api_path(entry["path"]):
            self.calls.answered(status)


def _redacted(name: str, value: str) -> str:
    return "Bearer [redacted]" if name.lower() == "authorization" else value
