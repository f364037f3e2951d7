"""HTTP connections whose reads obey one deadline, and which know whether anything was sent.

A socket's timeout starts anew with every byte, so an answer that drips could last for ever. Here
every read, of headers and body alike, gets only the time that is left. It hooks into two extension
points: `http.client`'s `response_class` and urllib3's pool classes.
"""

import http.client
import io
import socket
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


@dataclass(slots=True)
class CallDeadline:
    """One request under way; `deadline` on time.monotonic()'s clock, `read` in seconds.

    The answer must be there, whole, `read` seconds after the request has gone, and never later than
    the deadline; after that nothing leaves. `sent` turns true with the first byte to HubSpot.
    `check` is told the address that was really connected to, and may raise.
    """

    deadline: float
    read: float
    sent: bool = False
    check: Callable[[str], object] | None = None


CALL_DEADLINE: ContextVar[CallDeadline] = ContextVar("exchange")


class _ClockedReader(io.RawIOBase):
    def __init__(self, reader: io.RawIOBase, sock: socket.socket) -> None:
        exchange = CALL_DEADLINE.get()
        self._reader, self._socket = reader, sock
        self._until = min(exchange.deadline, time.monotonic() + exchange.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(left)
        return self._reader.readinto(buffer)

    def close(self) -> None:
        self._reader.close()
        super().close()


class _ClockedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_ClockedReader(self.fp.detach(), sock))


class _NotingConnection(HTTPConnection):
    response_class = _ClockedResponse

    def connect(self) -> None:
        left = self._left() / self._addresses()
        self.timeout = left if self.timeout is None else min(self.timeout, left)
        try:
            super().connect()
            if check := CALL_DEADLINE.get().check:
                check(self.sock.getpeername()[0])
        finally:
            CALL_DEADLINE.get().sent = False  # what a proxy was asked was not HubSpot's request

    def _left(self) -> float:
        return max(0.05, CALL_DEADLINE.get().deadline - time.monotonic())

    def _addresses(self) -> int:
        """How many there are to try, each of which gets a timeout of its own."""
        try:
            return len(socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)) or 1
        except OSError:
            return 1  # connecting will say so

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = CALL_DEADLINE.get()
        if time.monotonic() >= exchange.deadline:
            raise TimeoutError("no time was left to send the request")
        exchange.sent = True
        super().send(data)


class _NotingTLSConnection(_NotingConnection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _NotingConnection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _NotingTLSConnection


def note_exchanges(manager: urllib3.PoolManager) -> None:
    """Let the connections that `manager` opens from now on obey and fill the current EXCHANGE."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
