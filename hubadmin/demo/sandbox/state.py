"""What the sandbox knows: its address, links, faults to play, requests received, rate limit."""

import re
from collections import deque
from threading import Lock
from typing import Any

from hubadmin.demo.sandbox.calls import CallTally
from hubadmin.demo.sandbox.faults import FaultQueue
from hubadmin.demo.sandbox.http import is_api_path, timestamp
from hubadmin.demo.sandbox.links import Links, parse_link
from hubadmin.demo.sandbox.portal import Association
from hubadmin.demo.sandbox.rate import RateWindow

_CONTROL_PATH = re.compile(r"/_sandbox/(faults|requests|calls|associations|reset)(\?.*)?")


class State:
    """The memory that every connection shares; safe to use from many threads."""

    def __init__(self, port: int, rate_limit: int | None, keep_requests: int) -> None:
        self.port = port
        self.faults = FaultQueue()
        self.window = RateWindow(rate_limit)
        self.calls = CallTally()
        self.links = Links()
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
        """Forget faults, requests, associations and every count."""
        self.faults.clear()
        self.window.clear()
        self.calls.clear()
        self.links.clear()
        with self._lock:
            self._requests.clear()

    def link(
        self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None
    ) -> None:
        """Link two records, which may be absent, by a label or the default; raises LinkError."""
        ends = Association(from_type, from_id, to_type, to_id)
        self.links.add(*parse_link({**ends._asdict(), "label": label}))

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
