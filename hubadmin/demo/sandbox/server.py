"""The sandbox as its users start, steer and stop it."""

from threading import Thread
from typing import Self

from hubadmin.demo.sandbox.connection import Listener
from hubadmin.demo.sandbox.index import prepare
from hubadmin.demo.sandbox.state import State


class Sandbox(State):
    """A HubSpot portal on 127.0.0.1, for as long as it is started.

    Port 0 takes a free one; started again after a stop it keeps the one it had. With a `version`
    it has no paths of any other one. Without a limit, or with 0, it takes as many as come.
    """

    def __init__(
        self,
        port: int = 0,
        rate_limit: int | None = None,
        keep_requests: int = 10_000,
        version: str | None = None,
        search_limit: int | None = None,
    ) -> None:
        super().__init__(port, rate_limit, keep_requests, version, search_limit)
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen; raises OSError where the port is taken."""
        if self._listener is None:
            self._listener = Listener(self.port, state=self)
            self.port = self._listener.server_address[1]
            # A short poll, so that stopping takes no noticeable time.
            serve = self._listener.serve_forever
            Thread(target=serve, args=(0.02,), daemon=True).start()
        return self

    def prepare(self) -> Self:
        """Have ready, a moment later, what somebody's first search would else wait for."""
        Thread(target=prepare, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection; what was recorded stays."""
        listener, self._listener = self._listener, None
        if listener:
            listener.stop()
