"""A web server, two workers and a sandbox, each in processes of its own that may be killed."""

import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from tests.demo import MANAGE

T = TypeVar("T")
LEASE_SECONDS, PATIENCE_SECONDS = 3, 6
WORKERS = 2


def patiently(ask: Callable[[], T], seconds: float = 30) -> T:
    """Ask the database, and again while it is away."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.1)


class Stack:
    """Start it by `with`; the database is the one that Django has now."""

    def __init__(self, **more: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.bind = f"127.0.0.1:{probe.getsockname()[1]}"
        self.secret = secrets.token_urlsafe(32)
        self._more = more
        self._processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Stack":
        self.hubspot = self.start_hubspot()
        self.environment = _environment(self.hubspot, self.bind, self.secret) | self._more
        self.start_web()
        for name in self.worker_names:
            self.start_worker(name)
        return self

    def __exit__(self, *error: object) -> None:
        for name in self._processes:
            self.kill(name)

    @property
    def worker_names(self) -> list[str]:
        return [f"worker {number}" for number in range(WORKERS)]

    def start(self, name: str, command: list[Any], stdout: int = subprocess.DEVNULL) -> None:
        self._processes[name] = subprocess.Popen(
            command,
            env=os.environ | getattr(self, "environment", {}),
            cwd=settings.BASE_DIR,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def start_hubspot(self) -> str:
        """Start HubSpot's stand-in, and return its address."""
        command = [sys.executable, MANAGE, "hubspot_sandbox", "--port", "0", "--rate-limit", "0"]
        self.start("sandbox", command, stdout=subprocess.PIPE)
        out = self._processes["sandbox"].stdout
        address = re.search(r"http://127\.0\.0\.1:\d+", out.readline())[0]
        threading.Thread(target=out.read, daemon=True).start()
        return address

    def start_web(self) -> None:
        self.start("web", [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"])

    def start_worker(self, name: str) -> None:
        self.start(name, [sys.executable, "-m", "tests.faults.bulk_worker"])

    def kill(self, name: str) -> None:
        """kill -9 of all its processes."""
        process = self._processes[name]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def ended(self, name: str) -> bool:
        """Whether it has ended, or could not even start."""
        return self._processes[name].poll() is not None

    def kill_child(self, name: str, chance: random.Random) -> None:
        """kill -9 of one process that it has forked."""
        leader = self._processes[name].pid
        children = [pid for pid in _group(leader) if pid != leader]
        if children:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(children), signal.SIGKILL)

    # --- the sandbox's controls -------------------------------------------------------------------

    def ask_sandbox(self, path: str, post: Any = None) -> Any:
        address = f"{self.hubspot}/_sandbox/{path}"
        method = "GET" if post is None else "POST"
        answer = requests.request(method, address, json=post, timeout=20)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _group(leader: int) -> list[int]:
    """Every process of a process group, by Linux's /proc."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(int(file.parent.name))
    return found


class Visitor:
    """A person who comes by the proxy; whom a server that died keeps waiting, and no more."""

    def __init__(self, stack: Stack) -> None:
        self.address, self.session = f"http://{stack.bind}", requests.Session()
        self.session.headers.update(
            {
                "Host": "localhost",
                "Referer": "https://localhost/",
                "X-Forwarded-Proto": "https",
                "X-SSO-Secret": stack.secret,
                "X-SSO-Subject": "1",
                "X-SSO-Email": "support@example.com",
                "X-SSO-Name": "Support",
                "X-SSO-Groups": "support",
            }
        )

    def post(self, path: str, seconds: float = 40, **more: Any) -> requests.Response:
        """Post, and again until a server has taken it."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(requests.RequestException):
                answer = self._post(path, **more)
                if answer.status_code < 500:
                    return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} was not taken")
            time.sleep(0.1)

    def _post(self, path: str, data: dict[str, str], **more: Any) -> requests.Response:
        self.session.cookies.clear()
        self.session.headers.pop("Cookie", None)
        page = self.session.get(f"{self.address}/bulk/", timeout=10)
        page.raise_for_status()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        # They are for https; to this proxy it is.
        cookies = "; ".join(f"{each.name}={each.value}" for each in page.cookies)
        self.session.cookies.clear()
        self.session.headers["Cookie"] = cookies
        fields = data | {"csrfmiddlewaretoken": token}
        return self.session.post(
            self.address + path, data=fields, timeout=10, allow_redirects=False, **more
        )


def _environment(hubspot: str, bind: str, secret: str) -> dict[str, str]:
    """A production of this test's database and HubSpot, with short leases."""
    return {
        "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
        "ENV_FILE": "",
        "DATABASE_URL": _database_url(),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "localhost",
        "TRUSTED_PROXY_COUNT": "1",
        "WEB_BIND": bind,
        "WEB_WORKERS": "1",
        "WEB_THREADS": "4",
        "WORKER_PROCESSES": "2",
        "BULK_LEASE_SECONDS": str(LEASE_SECONDS),
        "BULK_ROW_PATIENCE_SECONDS": str(PATIENCE_SECONDS),
        "HUBSPOT_API_BASE_URL": hubspot,
        "HUBSPOT_ACCESS_TOKEN": "sandbox",
        "HUBSPOT_CALLS_PER_10_SECONDS": "2000",
        "HUBSPOT_SEARCHES_PER_SECOND": "50",
        "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY,
        "SSO_MODE": "header",
        "SSO_ISSUER": "https://proxy.example.com",
        "SSO_HEADER_SECRET": secret,
        "SSO_SUPPORT_GROUPS": "support",
        "SSO_ADMIN_GROUPS": "admin",
        "LOG_LEVEL": "WARNING",
    }


def _database_url() -> str:
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    password = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
    return f"postgres://{known['USER']}{password}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
