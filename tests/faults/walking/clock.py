"""A clock that may be put forward, for the site and for HubSpot's stand-in alike."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest import mock

# Those that took the name of the function, or of the class, when they were imported.
_BY_TIME = ("associations.gateway.account.time", "associations.gateway.cache.time", "time.time")
_BY_MONOTONIC = ("hubadmin.demo.sandbox.links.monotonic",)
_BY_DATETIME = (
    "associations.bulk.backoff.datetime",
    "associations.hubspot.client.datetime",
    "hubadmin.demo.sandbox.account.datetime",
    "hubadmin.demo.sandbox.http.datetime",
)
_time, _monotonic = time.time, time.monotonic


class Clock:
    """Real time, and the seconds that were skipped: everybody tells the same."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def put_forward(self, seconds: float) -> None:
        self.skipped += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skipped)

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        clock = self

        class Moved(datetime):
            @classmethod  # a plain datetime will do for whoever asks
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return clock.now().astimezone(tz)

        with ExitStack() as stack:
            stack.enter_context(mock.patch("django.utils.timezone.now", self.now))
            for name in _BY_TIME:
                stack.enter_context(mock.patch(name, lambda: _time() + self.skipped))
            for name in _BY_MONOTONIC:
                stack.enter_context(mock.patch(name, lambda: _monotonic() + self.skipped))
            for name in _BY_DATETIME:
                stack.enter_context(mock.patch(name, Moved))
            yield
