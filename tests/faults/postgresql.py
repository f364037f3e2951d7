"""A PostgreSQL of a test's own, which may be restarted as it likes."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.identity.apache import certify

_OPTIONS = "-c fsync=on -c max_connections=300 -c listen_addresses=127.0.0.1"


class Cluster:
    """Use it by `with`; it needs PostgreSQL's own programs, and root or somebody else's account."""

    def __init__(
        self,
        *,
        strict: bool = False,
        place: Path | None = None,
        base: Path | None = None,
        options: str = "",
        **changes: str,
    ) -> None:
        """`strict`: by TCP only with TLS (its `certificate`, for localhost) and a password.

        `place` is a folder to be in; `base` is a base backup to start from, which it takes away;
        `options` are more of the server's, as for `pg_ctl`; `changes` go over its environment.
        """
        self._strict, self._place, self._base = strict, place, base
        self._more, self._changes = options, changes

    def __enter__(self) -> "Cluster":
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir=self._place))
        self._programs = Path(_output("pg_config", "--bindir"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
        self.data = self._folder / "data"
        by_tcp = "scram-sha-256" if self._strict else "trust"
        methods = "--auth-local=trust", f"--auth-host={by_tcp}"
        if self._base:
            shutil.move(self._base, self.data)
        else:
            self._run("initdb", *methods, "--username=postgres", "--no-sync")
        self._options = f"{_OPTIONS} -p {port} -k {self._folder} {self._more}"
        if self._strict:
            self._demand_tls()
        self._run("pg_ctl", "start", "--wait", f"--options={self._options}")
        self.url = f"postgres://postgres@127.0.0.1:{port}/lane"
        self.by_socket = f"postgres://postgres@/postgres?host={self._folder}&port={port}"
        self.port = port
        return self

    def __exit__(self, *error: object) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(self._folder)

    def restart(self) -> None:
        """As after a crash: nobody's transaction ends in order."""
        self._run("pg_ctl", "restart", "--mode=immediate", "--wait", f"--options={self._options}")

    def stop(self) -> None:
        """Without waiting for anybody's transaction."""
        self._run("pg_ctl", "stop", "--mode=fast", "--wait")

    def start(self) -> None:
        self._run("pg_ctl", "start", "--wait", f"--options={self._options}")

    def _demand_tls(self) -> None:
        self.certificate, key = self.data / "server.crt", self.data / "server.key"
        certify(self.certificate, key)
        for each in (self.certificate, key):
            if os.getuid() == 0:
                shutil.chown(each, "postgres")
            each.chmod(0o600)
        rules = self.data / "pg_hba.conf"
        rules.write_text(rules.read_text().replace("\nhost ", "\nhostssl "))
        self._options += " -c ssl=on"

    def _run(self, program: str, *arguments: str) -> None:
        who: dict[str, Any] = {"user": "postgres"} if os.getuid() == 0 else {}
        subprocess.run(
            [self._programs / program, "--pgdata", self.data, *arguments],
            check=True,
            cwd=self._folder,
            env=os.environ | self._changes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
