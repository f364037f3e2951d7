"""Hands answers on as fast as they are read, and no longer than anybody should wait for that.

In gunicorn a thread waits for a slow reader within `send`, for as long as the reader likes. Here it
waits before that, until the kernel has room for a piece: so it may look up in between whether the
answer is still wanted, and ends what takes too long. An answer that is broken off has no end, and
the connection is reset, so no part passes for the whole, and nothing more of it is delivered.
"""

import errno
import logging
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

logger = logging.getLogger(__name__)

PIECE = 32 * 1024  # bytes
# What the kernel may hold back for a reader. It tells of room once a third of it is free (of twice
# as much, as the kernel counts), so that a piece then goes in at once.
BUFFER = 128 * 1024
# Seconds for which a reader may be waited for. Reading earns them back, at so many bytes a second:
# in the long run nobody is slower.
PATIENCE, LEAST_RATE = 10.0, 32 * 1024
LOOK_EVERY = 1.0  # seconds
# In the environment of a request: what is asked, while its answer is sent, whether that may go on.
GOES_ON = "hubadmin.goes_on"
_RESET = struct.pack("ii", 1, 0)

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BrokenOffError(ConnectionResetError):
    """The answer is not sent to its end. To gunicorn it is as if the reader had gone away."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ECONNRESET, why)


def paced(application: Application) -> Application:
    """Have a WSGI application's answers handed on so."""

    def paced_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = application(environ, start_response)
        reader = environ.get("gunicorn.socket")
        return Paced(answer, reader, environ) if reader else answer

    return paced_application


class Paced:
    """One answer, in pieces."""

    def __init__(
        self, answer: Iterable[bytes], reader: socket.socket, environ: dict[str, Any]
    ) -> None:
        self._answer, self._reader = answer, reader
        self._path = environ.get("PATH_INFO", "")
        self._goes_on: Callable[[], bool] = environ.get(GOES_ON, lambda: True)
        self._patience = PATIENCE
        self._poll = select.poll()
        self._poll.register(reader, select.POLLOUT)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        reader.settimeout(PATIENCE)  # for what is sent besides, such as headers

    def __iter__(self) -> Iterator[bytes]:
        for part in self._answer:
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                self._wait()
                yield piece
                self._patience = min(PATIENCE, self._patience + len(piece) / LEAST_RATE)

    def close(self) -> None:
        if close := getattr(self._answer, "close", None):
            close()

    def _wait(self) -> None:
        """Wait until there is room for a piece. Raises BrokenOffError."""
        if not self._goes_on():
            self._break_off("it is not wanted any more")
        while not self._has_room():
            if self._patience <= 0:
                self._break_off("it was read too slowly")
            if not self._goes_on():
                self._break_off("it is not wanted any more")

    def _has_room(self) -> bool:
        start = time.monotonic()
        ready = self._poll.poll(max(0.0, min(LOOK_EVERY, self._patience)) * 1000)
        self._patience -= time.monotonic() - start
        return bool(ready)

    def _break_off(self, why: str) -> None:
        logger.warning("an answer was broken off", extra={"why": why, "path": self._path})
        # What the kernel holds goes nowhere any more once gunicorn closes the connection, which it
        # does at once, as nothing can be read from it either.
        self._reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._reader.shutdown(socket.SHUT_RDWR)
        raise BrokenOffError(why)
