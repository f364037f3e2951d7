"""hubadmin as it runs in production: gunicorn, its own database, nothing of our environment."""

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from django.conf import settings

from hubadmin.demo.sandbox import SANDBOX_TOKEN
from tests import demo
from tests.identity.apache import ACCOUNT
from tests.identity.processes import Process, free_port

# Hands a socket on: it is the fourth file, and meant for the process of this number.
AS_SYSTEMD = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); "
    "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)

DATABASE = "hubadmin.sqlite3"


class Server:
    """Runs as long as it is entered, at a port or, with `unix`, at a socket in the file system."""

    def __init__(
        self,
        hubspot: str,
        *,
        unix: bool = False,
        listener: socket.socket | None = None,
        tree: Path = settings.BASE_DIR,
        prefix: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        """`hubspot` is the address of a sandbox; `environment` goes over the defaults.

        `listener` is what it is to serve at, opened by somebody else, as systemd does.
        `tree` is a checkout of hubadmin, if another than this is to be measured; `prefix` stands
        before the command, as `prlimit` would.
        """
        self._prefix = prefix
        self._tree = tree
        self.port, self._unix = (None if unix else free_port()), unix
        self._listener = listener
        if listener:
            self.port = listener.getsockname()[1]
        self.socket: Path | None = None
        self._changes = {"HUBSPOT_API_BASE_URL": hubspot} | environment

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="hubadmin-")))
            if self._unix:
                self.socket = folder / "socket"
            self.environment = self._defaults(folder) | self._changes
            self._make_database(folder)
            self._start(stack)
            self._open_to_proxies(folder)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self._process.pid

    @property
    def upstream(self) -> str:
        """Where an Apache finds it, as in `ProxyPass`."""
        if self.socket:
            return f"unix:{self.socket}|http://hubadmin/"
        return f"http://127.0.0.1:{self.port}/"

    @property
    def origin(self) -> str:
        """Where people find it, without a proxy."""
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        """Its log so far; still there when it has stopped."""
        return self._process.output()

    def output_with(self, text: str, times: int = 1) -> str:
        """The same, once this stands in it so often. Raises AssertionError if it does not come."""
        return self._process.output_with(text, times)

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py as an administrator on this machine; returns its output."""
        ended = subprocess.run(
            [sys.executable, self._tree / "manage.py", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if ended.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)}:\n{ended.stderr}")
        return ended.stdout

    def reload(self) -> None:
        """SIGHUP to its first process."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """End it by SIGTERM; returns its exit code."""
        return self._process.stop()

    def restart(self) -> None:
        """End it by SIGTERM, and start it anew with what it had."""
        self.stop()
        self._start(self._stack)

    def kill(self) -> None:
        """End all of its processes at once, as when its machine loses power."""
        self._process.kill()

    def _start(self, stack: ExitStack) -> None:
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"]
        command = [*self._prefix, *gunicorn]
        options: dict[str, Any] = {"env": self.environment, "cwd": self._tree}
        if self._listener:
            descriptor = self._listener.fileno()
            command = [sys.executable, "-c", AS_SYSTEMD, str(descriptor), *command]
            options["pass_fds"] = [descriptor]
        self._process = stack.enter_context(Process(command, **options))
        self._process.wait_until(self._answers)

    def _defaults(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ENV_FILE": "",
            "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
            "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "TRUSTED_PROXY_COUNT": "1",
            "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN,
            "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY,
            "SSO_SUPPORT_GROUPS": "support",
            "SSO_ADMIN_GROUPS": "admin",
            "WEB_BIND": f"unix:{self.socket}" if self.socket else f"127.0.0.1:{self.port}",
            "WEB_WORKERS": "2",
        }

    def _make_database(self, folder: Path) -> None:
        is_of_this_tree = self._tree == settings.BASE_DIR and "DATABASE_URL" not in self._changes
        if demo.migrated and is_of_this_tree:
            shutil.copy(demo.migrated, folder / DATABASE)
        else:
            self.manage("migrate", "--verbosity", "0")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("localhost", self.port)
        family = socket.AF_UNIX if self.socket else socket.AF_INET
        address = str(self.socket) if self.socket else ("127.0.0.1", self.port)
        with socket.socket(family) as connection.sock, suppress(OSError):
            connection.sock.settimeout(5)
            connection.sock.connect(address)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False

    def _open_to_proxies(self, folder: Path) -> None:
        """Let Apache in, which serves under an account of its own when root has started it."""
        if self.socket and os.geteuid() == 0:
            folder.chmod(0o711)
            shutil.chown(self.socket, group=ACCOUNT)
