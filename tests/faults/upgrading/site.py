"""A site of several machines behind nginx, whose code is exchanged while people use it."""

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import requests

from hubadmin.demo.sandbox import Sandbox
from tests.faults.upgrading.databases import Database
from tests.hubadmin.deploy.crowd import SSO
from tests.hubadmin.deploy.nginx import Nginx
from tests.identity.processes import Process
from tests.identity.server import Server

PROBE_SECONDS = 0.25
RELOAD_SECONDS = 2  # for nginx, whose processes of before hand over what they have begun


def migrate(tree: Path, database: Database) -> None:
    """As the owner of the tables, by the code of a release; then give the rights."""
    own = {"DATABASE_URL": database.owner_url, "ENV_FILE": "", "SECRET_KEY": "x" * 50}
    ended = subprocess.run(
        [sys.executable, tree / "manage.py", "migrate", "--verbosity", "0"],
        env={"PATH": os.environ["PATH"]} | own,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise AssertionError(ended.stderr[-3000:])
    database.grant()


class Machine(Server):
    """A server of some release, asked for /readyz all the while that it serves."""

    def __init__(self, hubspot: str, database: Database, **more: Any) -> None:
        super().__init__(hubspot, DATABASE_URL=database.url, **more)
        self.not_ready: list[tuple[float, str]] = []  # for how many seconds, and what it said

    def __enter__(self) -> Self:
        super().__enter__()
        self._serves, self._over = threading.Event(), threading.Event()
        self._serves.set()
        self._prober = threading.Thread(target=self._probe)
        self._prober.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._prober.join()
        super().__exit__(*error)

    def become(self, tree: Path, meanwhile: Callable[[Path], None] | None = None) -> None:
        """Stop, and start with the code of another release."""
        self._serves.clear()
        self.stop()
        self._tree = tree
        if meanwhile:
            meanwhile(tree)
        self._start(self._stack)
        self._serves.set()

    def read_secrets_again(self) -> None:
        """HUP, and wait until it is done."""
        said = "secrets were read again"
        before = self.output().count(said)
        self.reload()
        self._process.output_with(said, before + 1, seconds=60)

    def _make_database(self, folder: Path) -> None:
        """The site does."""

    def _probe(self) -> None:
        last = time.monotonic()
        while not self._over.wait(PROBE_SECONDS):
            served, said, now = self._serves.is_set(), self._why_not_ready(), time.monotonic()
            if said and served and self._serves.is_set():
                self.not_ready.append((now - last, said))
            last = now

    def _why_not_ready(self) -> str:
        address = f"http://127.0.0.1:{self.port}/readyz"
        try:
            answer = requests.get(address, headers={"Host": "localhost"}, timeout=20)
        except requests.RequestException as error:
            return repr(error)
        return "" if answer.status_code == 200 else answer.text


class Site:
    """Machines, a worker and a sealer of one release, HubSpot's stand-in, and nginx in front."""

    def __init__(
        self, tree: Path, database: Database, *, machines: int, workers: int, sockets: bool
    ) -> None:
        """`sockets` stay open while a machine is restarted, as systemd's do; else they close."""
        self._tree, self._database, self._count = tree, database, machines
        self._workers, self._sockets = str(workers), sockets

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="upgrading-"))
            self.sandbox = Sandbox(0, 0, keep_requests=10**6, search_limit=0)
            stack.enter_context(self.sandbox)
            shared = SSO | {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "SPOOL_DIR": f"{folder}/spool",
                "METRICS_DIR": f"{folder}/metrics",
                "HUBSPOT_CALLS_PER_10_SECONDS": "0",
                "WEB_WORKERS": self._workers,
                "WORKER_PROCESSES": "1",
            }
            migrate(self._tree, self._database)
            self.machines = [
                stack.enter_context(self._machine(stack, shared)) for _ in range(self._count)
            ]
            ports = [machine.port for machine in self.machines]
            self.nginx = stack.enter_context(Nginx(*ports))
            self._processes: dict[str, Process] = {}
            stack.callback(self.stop_processes)
            self.start_processes(self._tree)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def change(self, machine: Machine, tree: Path) -> None:
        """As README has it: out of the proxy's list, another release, and into the list again."""
        if self._sockets:
            machine.become(tree)
            return
        ports = [each.port for each in self.machines]
        self.nginx.serve(*(port for port in ports if port != machine.port))
        time.sleep(RELOAD_SECONDS)
        machine.become(tree)
        self.nginx.serve(*ports)
        time.sleep(RELOAD_SECONDS)

    def start(self, name: str, tree: Path) -> None:
        """Start worker or sealer with the code of a release, in the place of the one there was."""
        if name in self._processes:
            self._processes.pop(name).stop()
        command = {"worker": ["run_worker"], "sealer": ["seal_audit_log", "--every", "2"]}[name]
        if (tree / f"associations/management/commands/{command[0]}.py").exists():
            program = [sys.executable, str(tree / "manage.py"), *command]
            own = self.machines[0].environment
            self._processes[name] = Process(program, env=own).__enter__()

    def start_processes(self, tree: Path) -> None:
        for name in ("worker", "sealer"):
            self.start(name, tree)

    def stop_processes(self) -> None:
        for name in [*self._processes]:
            self._processes.pop(name).stop()

    def ended(self) -> list[str]:
        """What worker and sealer said, if they have ended by themselves."""
        return [
            f"{name}: {each.output()[-500:]}"
            for name, each in self._processes.items()
            if each._process.poll() is not None
        ]

    def verify(self, tree: Path) -> tuple[int, str]:
        """What the verification of a release says of the log: its exit code, and its words."""
        ended = subprocess.run(
            [sys.executable, tree / "manage.py", "verify_audit_log"],
            env=self.machines[0].environment,
            capture_output=True,
            text=True,
        )
        return ended.returncode, (ended.stdout + ended.stderr)[-1000:]

    def _machine(self, stack: ExitStack, settings: dict[str, str]) -> Machine:
        listener = None
        if self._sockets:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        return Machine(
            self.sandbox.url, self._database, tree=self._tree, listener=listener, **settings
        )
