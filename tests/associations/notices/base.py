"""Receivers on this machine: real HTTP in every mood, a real mail server; and who is told."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from django.test import override_settings

from hubadmin.receivers import receivers

SITE = "https://hubadmin.example.com"
SECRET = "canary-signing-secret-0123"


@dataclass(frozen=True, slots=True)
class Post:
    """What came, and when, by time.monotonic()."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Hooks:
    """A server for webhooks; the first part of a path says how it behaves."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                now = time.monotonic()
                hooks.posts.append(Post(self.path, dict(self.headers), body, now))
                getattr(self, self.path.split("/")[1])()

            def do_GET(self) -> None:
                hooks.posts.append(Post(self.path, dict(self.headers), b"", time.monotonic()))
                self.ok()

            def ok(self, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def failing(self) -> None:
                self.ok(500)

            def gone(self) -> None:
                self.ok(404)

            def redirecting(self) -> None:
                self.send_response(307)
                self.send_header("Location", "/ok/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def slow(self) -> None:
                time.sleep(20)

            def dripping(self) -> None:
                for letter in "HTTP/1.1 200 OK\r\nX-Long: " + "x" * 1000:
                    self.wfile.write(letter.encode())
                    self.wfile.flush()
                    time.sleep(0.05)

            def endless(self) -> None:
                """Its body has no end."""
                self.send_response(200)
                self.end_headers()
                for _ in range(400):
                    self.wfile.write(b"x" * 65536)
                    time.sleep(0.05)

            def hanging_up(self) -> None:
                self.connection.shutdown(socket.SHUT_RDWR)

            def babbling(self) -> None:
                self.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.socket.close()  # not server_close(): it waits for the slow ones

    def paths(self) -> list[str]:
        return [each.path for each in self.posts]


class Mails:
    """A mail server that keeps what it gets; `refusing` says no to each recipient."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.mails: list[Mail] = []
        self.recipients: list[list[str]] = []
        self._refusing = refusing
        self._controller = Controller(self, hostname="127.0.0.1", port=closed_port())
        self.url = f"smtp://127.0.0.1:{self._controller.port}"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, o: Any) -> str:
        if self._refusing:
            return "550 nobody here has that name"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.recipients.append(envelope.rcpt_tos)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._controller.stop()

    @property
    def settings(self) -> dict[str, Any]:
        return mail_at(self._controller.port)


def mail_at(port: int) -> dict[str, Any]:
    backend = "django.core.mail.backends.smtp.EmailBackend"
    return {"EMAIL_BACKEND": backend, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}


def closed_port() -> int:
    """One that nobody listens at, just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def told(text: str, **further: object) -> override_settings:
    """Settings with these receivers, all of which may be on this machine."""
    read = receivers(text)
    inside = [each.name for each in read]
    values = {"NOTICE_RECEIVERS": read, "NOTICE_PRIVATE_RECEIVERS": inside, "SITE_URL": SITE}
    return override_settings(**values | {"NOTICE_SIGNING_SECRET": SECRET} | further)


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
    return found
