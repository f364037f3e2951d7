"""How many calls arrived for HubSpot, and how closely they followed each other."""

from collections import Counter, deque
from threading import Lock
from time import monotonic
from typing import Any

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
