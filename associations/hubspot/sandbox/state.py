"""What the sandbox remembers: associations, faults to play, requests received, the rate limit."""

import re
from collections import deque
from threading import Lock
from typing import Any

from .faults import FaultQueue
from .portal import Association
from .rate import RateWindow
from .replies import timestamp

_CONTROL_PATH = re.compile("/_sandbox/(faults|requests|associations|reset)")


class State:
    """The memory that every connection shares; safe to use from many threads."""

    def __init__(self, rate_limit: int | None, keep_requests: int) -> None:
        self.faults = FaultQueue()
        self.window = RateWindow(rate_limit)
        self._lock = Lock()
        self._associations: set[Association] = set()
        self._requests: deque[dict[str, Any]] = deque(maxlen=keep_requests)

    @property
    def associations(self) -> set[Association]:
        """A copy of what was associated, each link in both directions."""
        with self._lock:
            return set(self._associations)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Copies of the requests received, oldest first; `status` is None until one is answered."""
        with self._lock:
            return [dict(entry) for entry in self._requests]

    def fault(self, **fields: Any) -> None:
        """Queue a fault, as posted to `/_sandbox/faults`; raises FaultError."""
        self.faults.add(fields)

    def reset(self) -> None:
        """Forget faults, requests, associations and what the rate limit counted."""
        self.faults.clear()
        self.window.clear()
        with self._lock:
            self._associations.clear()
            self._requests.clear()

    def associate(self, link: Association) -> None:
        """Remember a link in both directions; a repetition changes nothing."""
        with self._lock:
            self._associations |= {link, Association(*link[2:], *link[:2])}

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
        return entry


def _redacted(name: str, value: str) -> str:
    return "Bearer [redacted]" if name.lower() == "authorization" else value
