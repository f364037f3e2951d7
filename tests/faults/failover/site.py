"""hubadmin on many machines: web servers, workers, PostgreSQL, Redis, a sealer, nginx, HubSpot."""

import secrets
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from unittest import mock

import psycopg
from django.conf import settings

from hubadmin.demo.sandbox import Sandbox
from hubadmin.demo.sandbox.connection import Listener
from tests.demo import MANAGE
from tests.faults.failover.network import Machine, Network
from tests.faults.postgresql import Cluster
from tests.faults.soak import Serving
from tests.faults.upgrading.databases import PostgreSQL
from tests.faults.upgrading.site import migrate
from tests.hubadmin.deploy.nginx import NGINX, SERVER, Nginx
from tests.identity.apache import certify
from tests.identity.processes import free_port, listens
from tests.load.people import BY_HEADER

REDIS = shutil.which("redis-server", path="/usr/bin:/usr/local/bin:/usr/sbin")


class HubSpot(Sandbox):
    """The stand-in on a machine of its own, which the others reach by TLS."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(0, 0, keep_requests=1_000_000, search_limit=0)
        self._machine = machine
        self.certificate, key = machine.folder / "certificate.pem", machine.folder / "key.pem"
        certify(self.certificate, key, f"IP:{machine.address}")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, key)

        class Everywhere(Listener):
            def server_bind(self) -> None:
                self.server_address = ("", self.server_address[1])  # everywhere
                # Each connection's own thread shakes hands, or one that is slow would stop all.
                self.socket = context.wrap_socket(
                    self.socket, server_side=True, do_handshake_on_connect=False
                )
                super().server_bind()

        self._listening = Everywhere

    def start(self) -> Self:
        place = "hubadmin.demo.sandbox.server.Listener"
        with self._machine.entered(), mock.patch(place, self._listening):
            return super().start()

    @property
    def origin(self) -> str:
        return f"https://{self._machine.address}:{self.port}"


class DatabaseMachine(Cluster):
    """PostgreSQL, which everybody on the network may ask."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(options="-c listen_addresses=*")
        self._machine = machine

    @property
    def address(self) -> str:
        return f"postgres://postgres@{self._machine.address}:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        with self._machine.entered():
            super()._run(program, *arguments)
        if program == "initdb":
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 0.0.0.0/0 trust\n")


class Site:
    """Use it by `with`, in one thread; whoever may do so has namespaces for the machines."""

    def __init__(self, webs: int, workers: int, more: dict[str, str]) -> None:
        self._counts, self._more = {"web": webs, "worker": workers}, more

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="machines-")))
            self._folder.chmod(0o711)
            self.network = stack.enter_context(Network())
            self.machines: dict[str, Machine] = {}
            stack.callback(self._stop)
            self.sandbox = stack.enter_context(HubSpot(self._machine("hubspot")))
            self.cluster = stack.enter_context(DatabaseMachine(self._machine("postgresql")))
            self._database = PostgreSQL(self.cluster.address, "hubadmin")
            self._database.grant()
            migrate(settings.BASE_DIR, self._database)
            self._redis_port = free_port()
            self._machine("redis")
            self.start_redis()
            self._shared = self._settings()
            self._servers = {name: self._web(stack, name) for name in self.names("web")}
            self.server = self._nginx(stack)  # where people are
            for name in self.names("worker"):
                self._machine(name)
                self.start_worker(name)
            self._machine("sealer")
            self.start_sealer()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def names(self, kind: str) -> list[str]:
        return [f"{kind}-{number}" for number in range(1, self._counts[kind] + 1)]

    # --- what is started (again) ------------------------------------------------------------------

    def start_redis(self) -> None:
        more = ["--port", str(self._redis_port), "--save", "", "--protected-mode", "no"]
        machine = self.machines["redis"]
        process = machine.run([REDIS or "redis-server", *more], cwd=machine.folder)
        with machine.entered():
            process.wait_until(lambda: listens(self._redis_port))

    def start_web(self, name: str) -> None:
        server, machine = self._servers[name], self.machines[name]
        with machine.entered():
            server._start(server._stack)
        machine.processes = [server._process]

    def start_worker(self, name: str) -> None:
        self._manage_on(self.machines[name], "run_worker")

    def start_sealer(self) -> None:
        signing = {"AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY, "HUBSPOT_ACCESS_TOKEN": ""}
        self._manage_on(self.machines["sealer"], "seal_audit_log", "--every", "5", **signing)

    def hold_rows(self, name: str, run: int) -> None:
        """Have somebody on this machine in the midst of a transaction with all chunks of a run."""
        code = (
            "import time\nfrom django.db import transaction\n"
            "from associations.models import BulkChunk\n"
            "with transaction.atomic():\n"
            f"    list(BulkChunk.objects.select_for_update().filter(run={run}, is_done=False))\n"
            "    print('it holds them', flush=True)\n    time.sleep(600)\n"
        )
        process = self._manage_on(self.machines[name], "shell", "-c", code)
        process.output_with("it holds them")

    def _manage_on(self, machine: Machine, *arguments: str, **changes: str) -> Any:
        environment = self.environment | self._own(machine) | changes
        return machine.run([sys.executable, str(MANAGE), *arguments], env=environment)

    # --- the parts --------------------------------------------------------------------------------

    def _machine(self, name: str) -> Machine:
        self.machines[name] = self.network.machine(name, self._folder)
        return self.machines[name]

    def _settings(self) -> dict[str, str]:
        redis = f"redis://{self.machines['redis'].address}:{self._redis_port}/0"
        return BY_HEADER | {
            "DATABASE_URL": self._database.url,
            "SECRET_KEY": secrets.token_urlsafe(50),
            "HUBSPOT_CA_BUNDLE": str(self.sandbox.certificate),
            "HUBSPOT_API_VERSION": "2026-09",
            "HUBSPOT_CALLS_PER_10_SECONDS": "1000",
            "SUBMITS_PER_PERSON_PER_MINUTE": "0",
            "WORKER_BROKER_URL": redis,
            "WEB_THREADS": "8",
            "SWEEP_QUOTA_PERCENT": "0",
            **self._more,
        }

    def _own(self, machine: Machine) -> dict[str, str]:
        return {"SPOOL_DIR": f"{machine.folder}/spool", "METRICS_DIR": f"{machine.folder}/metrics"}

    def _web(self, stack: ExitStack, name: str) -> Serving:
        machine = self._machine(name)
        port = free_port()
        own = self._own(machine) | {"WEB_BIND": f"0.0.0.0:{port}"}
        server = Serving(self.sandbox.origin, **self._shared | own)
        server.port = port
        with machine.entered():
            stack.enter_context(server)
        machine.processes = [server._process]
        return server

    def _nginx(self, stack: ExitStack) -> Nginx:
        machine = self._machine("nginx")
        places = [f"{self.machines[n].address}:{it.port}" for n, it in self._servers.items()]
        lines = "\n".join(SERVER.replace("127.0.0.1:8000", place) for place in places)
        with machine.entered():
            return stack.enter_context(Nginx(changes=[(SERVER, lines)]))

    @property
    def environment(self) -> dict[str, str]:
        """Of the first web server, which has no secrets but its own."""
        return self._servers["web-1"].environment

    def _stop(self) -> None:
        for each in self.machines.values():
            with suppress(Exception):
                each.stop()

    # --- who looks --------------------------------------------------------------------------------

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database.url, connect_timeout=3) as database:
            return database.execute(statement).fetchall()

    def manage(self, *arguments: str, **changes: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())


def within(seconds: float, what: Callable[[], Any]) -> Any:
    """What it returns once that is true; asked again and again, also if it fails; None if never."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(psycopg.Error):
            if found := what():
                return found
        time.sleep(0.2)
    return None


LACKING = ", ".join(
    name
    for name, found in {
        "nginx": NGINX,
        "PostgreSQL's server": shutil.which("pg_config"),
        "redis-server": REDIS,
    }.items()
    if not found
)
