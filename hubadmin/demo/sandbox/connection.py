"""The HTTP beneath the sandbox: its listening socket, and a thread for each connection."""

import re
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from http.client import responses as phrases
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

from hubadmin.demo.sandbox.faults import ORDINARY, Fault
from hubadmin.demo.sandbox.http import Answer, Call, error_body
from hubadmin.demo.sandbox.routes import answer_call
from hubadmin.demo.sandbox.state import State

_WITHOUT_BODY = {204, 304}
# A fault that sets these decides itself how the answer ends, so nothing may follow it.
_FRAMING = {"connection", "content-length", "transfer-encoding"}


class Listener(socketserver.ThreadingTCPServer):
    """Accepts connections on 127.0.0.1 and can end them all at once."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, state: State) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.state = state
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._live.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._live.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Accept nothing more, wake whatever waits and end every live connection."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            live = set(self._live)
        for connection in live:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def handle(self) -> None:
        # A client that goes away, or a sandbox that stops, is nothing to report.
        with suppress(OSError):
            super().handle()

    def __getattr__(self, name: str) -> Any:
        # Every method is answered alike, if only with a 405.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def send_error(self, code: int, message: str | None = None, *_: Any) -> None:
        """Refuse what is not even HTTP, in JSON like everything else."""
        self.close_connection = True
        self._send(Answer(int(code), error_body(message or phrases[code])))

    def _serve(self) -> None:
        state = self.server.state
        target = self.requestline.split()[1]  # self.path has lost a doubled slash
        entry = state.record(self.command, target, dict(self.headers.items()))
        call = Call(self.command, target, self._token(), self._read_body())
        if call.is_api:
            call.fault = state.faults.take(call.method, call.target)
        self._wait(call.fault.delay)
        answer = answer_call(state, call)
        if call.fault.reset:
            self._reset()
        else:
            state.note_status(entry, answer.status)
            self._send(answer, call.fault)

    def _token(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            # Where such a body ends is not known, so no further request can be read.
            self.close_connection = True
            return b""
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError
        return body

    def _wait(self, seconds: float) -> None:
        if seconds and self.server.stopping.wait(seconds):
            raise ConnectionAbortedError

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        # Closed here and now: the listener would first say goodbye in order.
        self.rfile.close()
        self.connection.close()

    def _send(self, answer: Answer, fault: Fault = ORDINARY) -> None:
        body = b"" if answer.status in _WITHOUT_BODY else answer.encoded()
        head = self._head(answer, len(body))
        if fault.truncate is not None or _FRAMING & {name.lower() for name in fault.headers}:
            self.close_connection = True
        if self.command == "HEAD":
            body = b""
        fault.send(self.connection, head, body, self._wait)

    def _head(self, answer: Answer, length: int) -> bytes:
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": None if answer.status in _WITHOUT_BODY else str(length),
            "Connection": "close" if self.close_connection else None,
            "X-HubSpot-Correlation-Id": _correlation_id(answer),
        }
        by_name = {n.lower(): (n, v) for n, v in (headers | answer.headers).items()}
        lines = [f"{name}: {value}" for name, value in by_name.values() if value is not None]
        start = f"HTTP/1.1 {answer.status} {phrases.get(answer.status, '')}"
        return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


def _correlation_id(answer: Answer) -> str:
    told = answer.body.get("correlationId") if isinstance(answer.body, dict) else None
    # A fault's body may hold anything; only a plain word may stand in a header.
    if isinstance(told, str) and re.fullmatch("[!-~]+", told):
        return told
    return str(uuid4())
