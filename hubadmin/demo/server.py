"""Runs the demo: the sandbox in this process, the real web server and a worker as children."""

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from associations.audit.integrity import signing
from associations.audit.integrity.sealing import seal_for_ever
from associations.audit.recorder import look_after_log
from hubadmin.demo.sandbox import Sandbox

START_SECONDS = 30
REAL_HUBSPOT_URL = os.environ.get("HUBSPOT_API_BASE_URL", "https://api.hubapi.com")
SEAL_SECONDS = 5
STOP_SECONDS = 50  # requests and tasks under way end first
SERVER = ["gunicorn", "-c", "python:hubadmin.demo.gunicorn_conf"]
WORKER = ["hubadmin.demo.worker"]


class DemoError(Exception):
    """The demo cannot run; the message is one line for the person who started it."""


def claim_folder(folder: Path) -> None:
    """Make the demo's folder, and make sure that it can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DemoError(f"The folder {folder} cannot be written to: {error.strerror}.") from error


def forget(folder: Path) -> None:
    """Delete what demos have made in the folder, and nothing else."""
    for file in [*folder.glob("*.sqlite3*"), folder / "secret_key", folder / "audit_key"]:
        file.unlink(missing_ok=True)


def free_port(port: int) -> int:
    """Return `port` if nobody listens there; any free one for 0."""
    with socket.socket() as probe:
        # As the server will: a port that a stopped demo has just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise DemoError(
                f"Port {port} cannot be used ({getattr(error, 'strerror', error)}). "
                "Choose another with --port."
            ) from error
        return probe.getsockname()[1]


def secret_of(folder: Path, name: str, make: Callable[[], str]) -> str:
    """Return a secret of the demo's own, the same at every start, so that what it signed holds."""
    file = folder / name
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(make())
    return file.read_text()


def seal_meanwhile() -> None:
    """Seal the log as production does beside its servers; it ends with this process."""
    key = secret_of(settings.DEMO_DIR, "audit_key", lambda: signing.new_key()[0])
    settings.AUDIT_SIGNING_KEY = key
    work = partial(seal_for_ever, SEAL_SECONDS, before_each=look_after_log)
    threading.Thread(target=work, daemon=True).start()


def run(port: int, real_hubspot: bool, announce: Callable[[str, str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is told both addresses once they answer."""
    # SIGINT, too: a shell that starts us in the background has it ignored.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    sandbox = None if real_hubspot else Sandbox(rate_limit=190, search_limit=5)
    children: list[subprocess.Popen[bytes]] = []
    try:
        if sandbox:
            sandbox.start().prepare()
        hubspot_url = sandbox.url if sandbox else REAL_HUBSPOT_URL
        environment = _environment(port, hubspot_url, real_hubspot)
        children.append(_start(SERVER, environment))
        _wait_until_ready(children[0], port)
        children.append(_start(WORKER, environment))
        announce(f"http://127.0.0.1:{port}/", hubspot_url)
        _wait_for_end_of_any(*children)
    except KeyboardInterrupt:
        pass
    finally:
        with suppress(KeyboardInterrupt):
            _stop(children)
        if sandbox:
            sandbox.stop()


def _interrupt(*args: Any) -> None:
    raise KeyboardInterrupt


def _environment(port: int, hubspot_url: str, real_hubspot: bool) -> dict[str, str]:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hubadmin.demo.settings",
        "DEMO_DIR": str(settings.DEMO_DIR),
        "DEMO_SECRET_KEY": secret_of(
            settings.DEMO_DIR, "secret_key", lambda: secrets.token_urlsafe(50)
        ),
        "DEMO_AUDIT_KEY": settings.AUDIT_SIGNING_KEY,
        "DEMO_SANDBOX_URL": hubspot_url,
        "DEMO_REAL_HUBSPOT": str(real_hubspot),
        "DEMO_PARENT": str(os.getpid()),
        "WEB_BIND": f"127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
    }
    environment.pop("GUNICORN_CMD_ARGS", None)  # it would override the address
    return environment


def _start(module: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # In a session of its own, so that Ctrl-C reaches only this process, which ends it in order.
    return subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
        [sys.executable, "-m", *module],
        cwd=settings.BASE_DIR,
        env=environment,
        start_new_session=True,
    )


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoError(f"The web server did not start (exit code {server.returncode}).")
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise DemoError(f"The web server was not ready after {START_SECONDS} seconds.")


def _wait_for_end_of_any(server: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]) -> None:
    while True:
        for name, child in (("web server", server), ("worker", worker)):
            if (code := child.poll()) is not None:
                raise DemoError(f"The {name} ended by itself (exit code {code}).")
        time.sleep(0.2)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    """End all of them at the same time, in order; after a second Ctrl-C without more patience."""
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.terminate()
    try:
        for child in children:
            child.wait(max(0, deadline - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for child in children:
            _kill_session(child)


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it has started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
