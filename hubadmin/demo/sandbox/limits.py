"""How many calls HubSpot takes: its limits, and a tally of what came."""

from collections import Counter, deque
from threading import Lock
from time import monotonic
from typing import Any

from hubadmin.demo.sandbox.http import SECONDLY, TEN_SECONDLY

DAILY_LIMIT = 625_000


class SlidingCount:
    """How many there were in the latest so many seconds; its owner sees to the threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """Count one that comes now."""
        self._times.append(now)

    def at(self, now: float) -> int:
        """Return the count, and forget what is older."""
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        return len(self._times)

    def __len__(self) -> int:
        return len(self._times)

    def clear(self) -> None:
        """Begin afresh."""
        self._times.clear()


class RateWindow:
    """The app's limit per sliding ten seconds; safe to use from many threads.

    It may be changed at any time: what was admitted before counts towards the new one.
    """

    policy = TEN_SECONDLY
    seconds = 10

    def __init__(self, limit: int | None) -> None:
        self.limit = self._limit_at_first = limit
        self._lock = Lock()
        self._admitted = SlidingCount(self.seconds)
        self._today = 0

    def clear(self) -> None:
        """Forget what was admitted, and how the limit was changed."""
        with self._lock:
            self.limit = self._limit_at_first
            self._admitted.clear()
            self._today = 0

    @property
    def used_today(self) -> int:
        """How many requests were admitted since the last `clear`."""
        with self._lock:
            return self._today

    def admit(self, used_elsewhere: int = 0) -> tuple[bool, dict[str, str | None]]:
        """Return whether one more request may pass, and the headers that say what is left.

        Other calls of the day, `used_elsewhere`, count towards its limit.
        """
        with self._lock:
            passes = self._has_room(monotonic())
            self._today += passes
            return passes, self._headers(self._today + used_elsewhere)

    def _has_room(self, now: float) -> bool:
        passes = self._admitted.at(now) < self.limit if self.limit else True
        if passes:
            self._admitted.add(now)
        return passes

    def _headers(self, used_today: int) -> dict[str, str | None]:
        told = {
            "Interval-Milliseconds": self.seconds * 1000,
            "Daily": DAILY_LIMIT,
            "Daily-Remaining": max(DAILY_LIMIT - used_today, 0),
        }
        if self.limit:
            told |= {"Max": self.limit, "Remaining": max(self.limit - len(self._admitted), 0)}
        return {f"X-HubSpot-RateLimit-{name}": str(value) for name, value in told.items()}


class SearchWindow(RateWindow):
    """The account's limit of searches per sliding second, of which no header tells."""

    policy = SECONDLY
    seconds = 1

    def _headers(self, used_today: int) -> dict[str, str | None]:
        return {}


class CallTally:
    """Counts every call, refused or not; remembers only the latest of them one by one.

    Searches have a limit of their own and so a count of their own. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Begin afresh."""
        with self._lock:
            self._calls = self._searches = self._most = self._most_searches = 0
            self._latest = SlidingCount(RateWindow.seconds)
            self._latest_searches = SlidingCount(SearchWindow.seconds)
            self._statuses: Counter[str] = Counter()

    def arrived(self, is_search: bool = False) -> None:
        """Count a call as its head arrives."""
        with self._lock:
            now = monotonic()
            self._calls += 1
            self._searches += is_search
            (self._latest_searches if is_search else self._latest).add(now)
            self._most = max(self._most, self._latest.at(now))
            self._most_searches = max(self._most_searches, self._latest_searches.at(now))

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
                "searches": self._searches,
                "most_searches_in_a_second": self._most_searches,
                "by_status": dict(sorted((+self._statuses).items())),
            }
