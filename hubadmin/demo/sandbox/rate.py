"""The app's rate limit, and the headers in which HubSpot tells of it."""

from collections import deque
from threading import Lock
from time import monotonic

_WINDOW_SECONDS = 10
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
        while self._admitted and self._admitted[0] <= now - _WINDOW_SECONDS:
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
            "Interval-Milliseconds": _WINDOW_SECONDS * 1000,
            "Daily": DAILY_LIMIT,
            "Daily-Remaining": max(DAILY_LIMIT - self._today, 0),
        }
        return {f"X-HubSpot-RateLimit-{name}": str(value) for name, value in told.items()}
