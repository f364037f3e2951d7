"""What the sandbox knows: its address, links, faults to play, requests received, rate limit."""

import re
from collections import deque
from threading import Lock
from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.faults import FaultQueue
from hubadmin.demo.sandbox.http import is_api_path, is_search, timestamp
from hubadmin.demo.sandbox.limits import CallTally, RateWindow, SearchWindow
from hubadmin.demo.sandbox.links import Links, parse_link, types_there_and_back
from hubadmin.demo.sandbox.portal import LIMITED, TYPES, Association
from hubadmin.demo.sandbox.records import RecordStore

_CONTROL_PATH = re.compile(
    r"/_sandbox/(faults|requests|calls|associations|limits|rate|records|search|reset)(\?.*)?"
)


class State:
    """The memory that every connection shares; safe to use from many threads."""

    def __init__(
        self,
        port: int,
        rate_limit: int | None,
        keep_requests: int,
        version: str | None = None,
        search_limit: int | None = None,
    ) -> None:
        self.port = port
        self.version = version
        self.faults = FaultQueue()
        self.window = RateWindow(rate_limit)
        self.search_window = SearchWindow(search_limit)
        # The associations API's own, once it has a limit; until then the app's is for all calls.
        self.associations_window = RateWindow(None)
        self.calls = CallTally()
        self.links = Links()
        self.records = RecordStore()
        # Whether the answer to a link names merged records by the ids that it was asked for.
        self.names_as_asked = False
        # How many records one may be linked to, by the two types and the association type.
        self.most_linked = dict(LIMITED)
        self.limits_as_in_guide = True  # at which of its two addresses v4 tells them
        # Records, by type and id, of whose links reads say that something went wrong.
        self.unreadable: set[tuple[str, str]] = set()
        self.tells_merges = True  # whether records name those that were merged into them
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
        """Forget faults, requests, associations, changes of records, and every count."""
        self.faults.clear()
        self.window.clear()
        self.associations_window.clear()
        self.search_window.clear()
        self.calls.clear()
        self.links.clear()
        self.records.clear()
        self.names_as_asked = False
        self.most_linked, self.limits_as_in_guide = dict(LIMITED), True
        self.unreadable.clear()
        self.tells_merges = True
        with self._lock:
            self._requests.clear()

    def link(
        self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None
    ) -> None:
        """Link two records, which may be absent, by a label or the default; raises LinkError."""
        ends = Association(from_type, from_id, to_type, to_id)
        self.links.add(*parse_link({**ends._asdict(), "label": label}))

    def limit(
        self, from_type: str, to_type: str, most: int | None, label: str | None = None
    ) -> None:
        """Let a record be linked to so many of a type, or without a limit; raises LinkError."""
        link = Association(from_type, "1", to_type, "1")
        link, label = parse_link({**link._asdict(), "label": label})
        meant, _ = types_there_and_back(link.from_type, link.to_type, label)
        types = TYPES[link.from_type].type_id, TYPES[link.to_type].type_id, meant.type_id
        self.most_linked.pop(types, None)
        self.most_linked |= {types: most} if most else {}

    def unlink(
        self, from_type: str, from_id: str, to_type: str, to_id: str, *, whole: bool = True
    ) -> None:
        """Take a link away, or with `whole=False` only the default of it; raises LinkError."""
        ends = Association(from_type, from_id, to_type, to_id)
        link, _ = parse_link(ends._asdict())
        if whole:
            self.links.remove(link.from_type, link.to_type, (link.from_id, link.to_id))
        else:
            self.links.remove_default(link)

    def take(self, calls: int | None, associations: int | None = None) -> None:
        """Take so many calls within ten seconds from now on; None or 0 is no limit.

        With `associations` those to the associations API are counted apart, by a limit of its own.
        """
        self.window.limit, self.associations_window.limit = calls, associations

    @property
    def used_today(self) -> int:
        """How many calls of the day were admitted, searches left out."""
        return self.window.used_today + self.associations_window.used_today

    @property
    def search_lag(self) -> float:
        """How many seconds later than reads search shows what was changed."""
        return self.records.search_lag

    @search_lag.setter
    def search_lag(self, seconds: float) -> None:
        self.records.search_lag = seconds

    def create(self, type_name: str, properties: dict[str, str], lag: float | None = None) -> str:
        """Create a record and return its id; search shows it `lag` seconds later."""
        return self.records.create(TYPES[type_name].type_id, properties, lag)

    def change(
        self,
        type_name: str,
        record_id: str,
        properties: dict[str, str | None],
        lag: float | None = None,
    ) -> None:
        """Change some of a record's properties; raises RecordError."""
        self.records.change(TYPES[type_name].type_id, record_id, properties, lag)

    def archive(
        self, type_name: str, record_id: str, archived: bool = True, lag: float | None = None
    ) -> None:
        """Delete a record, or bring it back; raises RecordError."""
        self.records.archive(TYPES[type_name].type_id, record_id, archived, lag)

    def merge(self, type_name: str, old: str, new: str, lag: float | None = None) -> None:
        """Merge one record into another, which may be a new one, with its links."""
        object_type = TYPES[type_name]
        self.records.merge(object_type.type_id, old, new, lag)
        self.links.move(object_type.canonical, old, new)

    def id_of(self, object_type: ObjectType, record_id: str) -> str:
        """Return the id of the record that an id means now."""
        return self.records.merges.id_of(object_type.type_id, record_id)

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
            self.calls.arrived(is_search(method, target))
        return entry

    def note_status(self, entry: dict[str, Any], status: int) -> None:
        """Add to a request's note how it is answered."""
        entry["status"] = status
        if is_api_path(entry["path"]):
            self.calls.answered(status)


def _redacted(name: str, value: str) -> str:
    return "Bearer [redacted]" if name.lower() == "authorization" else value
