"""gunicorn's threaded worker, but that a thread gets a request only once it has come whole.

gunicorn's own has threads wait for what clients send, and its one loop wait for each client that
does not close: a few dozen slow ones, signed in or not, would hold up everybody. Here the loop
gathers requests as they come, and closes connections without waiting. Each request has a deadline.
"""

import errno
import re
import selectors
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.template.loader import render_to_string
from gunicorn import util
from gunicorn.http.errors import (
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    LimitRequestHeaders,
    NoMoreData,
)
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from hubadmin.web.context_processors import contact

REQUEST_SECONDS = 20  # from the first byte of a request to its last; longer for large ones:
LEAST_BYTES_PER_SECOND = 64 * 1024
IN_MEMORY = 128 * 1024  # bytes of a request: all of its head; of a body the rest waits on disk
ON_DISK = 16  # bodies that may be on their way at the same time
LINGER_SECONDS = 2  # in which a client may read what it was told last
CHUNK = 64 * 1024
TURNED_AWAY_SECONDS = 0.1  # in which whoever is told that there is no room may send what they want
TOLD_EVERY = 60  # seconds; so often the log says the same
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.I)
_OF_THE_LINE = (InvalidRequestLine, InvalidRequestMethod, InvalidHTTPVersion)
_ASKS_TO_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.I)


class _Gathered(Unreader):
    """What gunicorn parses a request from: what has come, and never the socket."""

    file: IO[bytes] | None = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        if self.file and (data := self.file.read(size_hint or CHUNK)):
            return data
        raise NoMoreData  # where the next request begins is not known: the connection is closed


class NoRoomError(Exception):
    """A body cannot be kept: the disk is full, or too many files are open."""


class Connection(TConn):
    """Gathers a request. What it knows of HTTP says only when to hand it over; gunicorn parses."""

    parser: Any

    def begin(self) -> None:
        """Expect the next request; what came right behind the one before begins it."""
        if self.parser is None:
            self.parser = RequestParser(self.cfg, self.sock, self.client)
            self.parser.unreader = _Gathered()
        self.data_ready = True  # for gunicorn, whose threads would wait otherwise
        self.gathered = bytearray(self.parser.unreader.take_buffered())
        self.missing: int | None = None  # bytes; not known before the head is complete
        self.file: IO[bytes] | None = None
        self.deadline = time.monotonic() + REQUEST_SECONDS
        self.sock.setblocking(False)

    def receive(self) -> bool:
        """Take what has come; return whether the request is whole.

        Raises OSError if the client has gone, LimitRequestHeaders, NoRoomError.
        """
        if not self.is_whole():
            data = self.sock.recv(CHUNK if self.missing is None else min(CHUNK, self.missing))
            if not data:
                raise ConnectionResetError
            self._add(data)
        return self.is_whole()

    def is_whole(self) -> bool:
        if self.missing is None:
            self._look_for_the_end_of_the_head()
        return self.missing == 0

    def hand_over(self) -> None:
        unreader = self.parser.unreader
        unreader.unread(bytes(self.gathered))
        unreader.file, self.file = self.file, None

    def close(self, graceful: bool = False) -> None:
        for file in (self.file, self.parser and self.parser.unreader.file):
            if file:
                with suppress(OSError):  # of a full disk, which what is left to write meets again
                    file.close()
        super().close()

    def _add(self, data: bytes) -> None:
        if self.missing is not None:
            self.missing -= len(data)
        if self.file:
            try:
                self.file.write(data)
                if self.missing == 0:
                    self.file.seek(0)
            except OSError as error:
                raise NoRoomError from error
        else:
            self.gathered += data

    def _look_for_the_end_of_the_head(self) -> None:
        end = self.gathered.find(b"\r\n\r\n")
        if end < 0:
            if len(self.gathered) > IN_MEMORY:
                raise LimitRequestHeaders("limit request headers size")
            return
        length = self._body_to_wait_for(bytes(self.gathered[: end + 2]))
        self.missing = max(0, end + 4 + length - len(self.gathered))
        self.deadline += length / LEAST_BYTES_PER_SECOND
        if end + 4 + length > IN_MEMORY:
            try:
                self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
            except OSError as error:
                raise NoRoomError from error

    def _body_to_wait_for(self, head: bytes) -> int:
        """Return how many bytes come behind the head; 0 where hubadmin reads no body either."""
        told = _LENGTH.search(head)
        length = int(told[1]) if told else 0
        if length > settings.MAX_REQUEST_BYTES + settings.BULK_MAX_BYTES:
            return 0
        if length and _ASKS_TO_CONTINUE.search(head):
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return length


def headers_too_long() -> bytes:
    """Return the whole answer to a request that no middleware and no view gets to see."""
    context = {"languages": settings.LANGUAGES, "contact": contact()}
    page = render_to_string("431.html", context).encode()
    head = (
        "HTTP/1.1 431 Request Header Fields Too Large",
        "Connection: close",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(page)}",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; style-src 'self'; frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
    )
    return "\r\n".join([*head, "", ""]).encode() + page


class Worker(ThreadWorker):
    """Waits for requests and for ends of connections in its loop, and for neither in a thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: dict[Connection, None] = {}  # for their requests; who waits longest is first
        self.closing: dict[Connection, float] = {}  # until when each may linger
        self.spare: IO[bytes] | None = None  # a file to do without once no more can be opened
        self.told_at = -float(TOLD_EVERY)

    def init_process(self) -> None:
        self._keep_a_file_spare()
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:
        """As gunicorn's; but whoever stops leaves the address to the next server at once.

        Else it would be taken for as long as a submit is under way, and a connection that comes
        meanwhile would wait for nobody. Those that have come are let in first: the system would
        break them off, and with them requests that a proxy may not send twice.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not (self.alive and self.is_parent_alive()):
            while self.sockets:
                listener = self.sockets.pop()
                while self.nr_conns < self.worker_connections and self.accept(listener):
                    pass
                listener.close()

    def accept(self, listener: socket.socket) -> bool:
        """As gunicorn's, with our kind of connection. Returns whether there was one.

        If need be, one makes room: who has been told all and does not go, else who waits longest.
        """
        try:
            client, address = listener.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            if error.errno not in _NO_MORE_FILES:
                raise
            self._turn_away(listener)
            return False
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            if self.closing:
                self._close_now(next(iter(self.closing)))
            elif self.waiting:
                self._give_up(next(iter(self.waiting)))
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))
        return True

    def _turn_away(self, listener: socket.socket) -> None:
        """Tell whoever waits that no more files can be open; there is one in reserve for this.

        They would wait else until there are, and gunicorn's own would end the whole process.
        """
        if time.monotonic() - self.told_at >= TOLD_EVERY:
            self.told_at = time.monotonic()
            self.log.error("no more files can be open: people are turned away (LimitNOFILE)")
        if self.spare:
            self.spare.close()
        try:
            client, _ = listener.accept()
        except OSError:
            time.sleep(TURNED_AWAY_SECONDS)  # a thread was quicker; the loop is not to spin
        else:
            # What they have sent is read, or the end of the connection would overtake the answer.
            with client, suppress(OSError):
                client.settimeout(TURNED_AWAY_SECONDS)
                client.recv(CHUNK)
                text = "The server is too busy. Nothing was done; please try again in a minute."
                util.write_error(client, 503, "Service Unavailable", text)
        self._keep_a_file_spare()

    def _keep_a_file_spare(self) -> None:
        try:
            self.spare = Path("/dev/null").open("rb")  # noqa: SIM115 - it is to stay open
        except OSError:
            self.spare = None

    def enqueue_req(self, conn: Connection) -> None:
        """Wait for the connection's next request, then have a thread answer it."""
        conn.begin()
        self.waiting[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
        self._receive(conn)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """As gunicorn's, which waits two seconds for a client that does not close."""
        conn.parser.unreader.file = None
        if not fs.cancelled() and not fs.exception() and not fs.result():
            self._close(conn)
        else:
            super().finish_request(conn, fs)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """As gunicorn's; but people whose headers are too long are told what to do about it.

        And no log has the line of a request that is none: there may be words in its address.
        """
        if isinstance(exc, _OF_THE_LINE):
            exc = InvalidRequestLine("(not logged)")
        if not isinstance(exc, LimitRequestHeaders):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("a request's headers are too long, from %s: %s", addr or "a socket", exc)
        with suppress(OSError):
            util.write_nonblock(client, headers_too_long())

    def murder_pending(self) -> None:
        """Cut off whoever is too slow; gunicorn calls it every second."""
        now = time.monotonic()
        stopping = 0 if self.alive else REQUEST_SECONDS - LINGER_SECONDS
        for conn in [*self.waiting]:
            # Once the server is to stop, nobody need begin a request any more.
            if conn.deadline - (0 if conn.gathered else stopping) <= now:
                self._cut_off(conn)
        for conn in [conn for conn, until in self.closing.items() if until <= now]:
            self._close_now(conn)

    def _receive(self, conn: Connection, _: Any = None) -> None:
        if conn not in self.waiting:  # it made room for another since the poller told of it
            return
        try:
            is_whole = conn.receive()
        except (BlockingIOError, InterruptedError):
            return
        except LimitRequestHeaders as error:
            self._refuse(conn, partial(self.handle_error, None, conn.sock, conn.client, error))
            return
        except NoRoomError:
            self.log.exception("there is no room for a large request")
            text = "The server has no room for this. Nothing was done; please try again later."
            tell = partial(util.write_error, conn.sock, 503, "Service Unavailable", text)
            self._refuse(conn, tell)
            return
        except OSError:
            self._give_up(conn)
            return
        if is_whole:
            self._forget(conn)
            conn.hand_over()
            super().enqueue_req(conn)
        elif conn.file:
            self._bound_bodies_on_disk()

    def _bound_bodies_on_disk(self) -> None:
        on_disk = [conn for conn in self.waiting if conn.file]
        if len(on_disk) > ON_DISK:
            self._cut_off(on_disk[0])

    def _cut_off(self, conn: Connection) -> None:
        """End it; with an answer if it has sent anything at all."""
        if not conn.gathered:
            self._give_up(conn)
            return
        self.log.warning("a request did not come in time, from %s", conn.client or "a socket")
        text = "The request took too long to arrive. Nothing was done; please send it again."
        self._refuse(conn, partial(util.write_error, conn.sock, 408, "Request Timeout", text))

    def _refuse(self, conn: Connection, tell: Callable[[], object]) -> None:
        try:
            tell()
        except OSError:
            self._give_up(conn)
        else:
            self._forget(conn)
            self._close(conn)

    def _forget(self, conn: Connection) -> None:
        del self.waiting[conn]
        self.poller.unregister(conn.sock)

    def _give_up(self, conn: Connection) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _close(self, conn: Connection) -> None:
        """Say that this was all, and let the client read it: closed at once it might be lost."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        self.closing[conn] = time.monotonic() + LINGER_SECONDS
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        if self.nr_conns >= self.worker_connections:  # nobody is let in meanwhile
            self._close_now(next(iter(self.closing)))

    def _drain(self, conn: Connection, _: Any = None) -> None:
        if conn not in self.closing:  # as above
            return
        try:
            if conn.sock.recv(CHUNK):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._close_now(conn)

    def _close_now(self, conn: Connection) -> None:
        del self.closing[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
