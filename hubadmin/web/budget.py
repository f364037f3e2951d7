"""How much strangers may leave in the database: so much an hour, in each process of the server."""

import time
from collections import deque
from threading import Lock

SECONDS = 3600


class Budget:
    def __init__(self, count: int) -> None:
        self.count = count
        self._taken: deque[float] = deque()
        self._lock = Lock()

    def take(self) -> bool:
        """Take one if any is left of this hour's."""
        now = time.monotonic()
        with self._lock:
            while self._taken and now - self._taken[0] >= SECONDS:
                self._taken.popleft()
            if len(self._taken) >= self.count:
                return False
            self._taken.append(now)
            return True
