"""PostgreSQL's own programs, which dump and restore: pg_dump and pg_restore.

They get the address by the environment, the password included, so no list of processes has it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from django.db import connection
from psycopg.pq import Conninfo

from associations.audit.backups.folders import BackupError, Code
from associations.audit.durable_files import create

_PIECE = 1024 * 1024
# Without indexes, which a dump has not either; it is compressed, so it is less than that.
_SIZE = """
SELECT COALESCE(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def size() -> int:
    """Return how many bytes a dump may take at most, as far as one can say."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZE)
        return int(cursor.fetchone()[0])


def server_version() -> str:
    major, minor = divmod(_server(), 10_000)
    return f"{major}.{minor}"


def program(name: str) -> str:
    """Return the path of pg_dump or pg_restore, no older than the server. Raises BackupError."""
    path, major = shutil.which(name), _server() // 10_000
    if path is None:
        raise BackupError(
            f"There is no {name} here. Install PostgreSQL's client {major} or later (Debian: "
            f"postgresql-client-{major}).",
            Code.NO_PROGRAM,
        )
    told = subprocess.run(  # noqa: S603 - a program of PostgreSQL
        [path, "--version"], env=_environment(), capture_output=True, text=True, check=False
    )
    version = re.search(r"\(PostgreSQL\) ([0-9]+)", told.stdout)
    if version is None or int(version[1]) < major:
        is_of = f"of PostgreSQL {version[1]}" if version else "of no version that can be read"
        raise BackupError(
            f"{path} is {is_of}, and the server is {server_version()}. Install the client "
            f"{major} or later (Debian: postgresql-client-{major}).",
            Code.NO_PROGRAM,
        )
    return path


def dump(file: Path, snapshot: str) -> None:
    """Dump what a transaction sees that has exported this snapshot. Raises BackupError, OSError."""
    command = [program("pg_dump"), "--format=custom", "--no-password", "--lock-wait-timeout=60s"]
    # By a pipe: killed, this process takes pg_dump along, which then has nobody to write to.
    with _running([*command, f"--snapshot={snapshot}"]) as out, os.fdopen(create(file), "wb") as to:
        shutil.copyfileobj(out, to, _PIECE)
        to.flush()
        os.fsync(to.fileno())


def restore(file: Path, database: str) -> None:
    """Into an empty database, all of it this role's. Raises BackupError."""
    command = [program("pg_restore"), "--no-password", "--exit-on-error", "--no-owner"]
    with _running([*command, "--no-privileges", f"--dbname={database}", str(file)]):
        pass


@contextmanager
def _running(command: list[str]) -> Iterator[IO[bytes]]:
    """What it writes; whatever ends this block, the program has ended too."""
    with (
        TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603 - a program of PostgreSQL
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as running,
    ):
        assert running.stdout  # noqa: S101 - for types
        try:
            yield running.stdout
        except BaseException:
            running.kill()
            raise
        if running.wait():
            said.seek(0)
            why = " ".join(said.read(4096).decode(errors="replace").split())
            raise BackupError(f"{Path(command[0]).name} has failed. It said: {why}")


def _server() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.server_version)


def _environment() -> dict[str, str]:
    """How Django connects, as libpq's programs are told: TLS and all."""
    variables = {
        each.keyword.decode(): each.envvar.decode()
        for each in Conninfo.get_defaults()
        if each.envvar
    }
    address = {
        variables[name]: str(value)
        for name, value in connection.get_connection_params().items()
        if name in variables and value not in (None, "")
    }
    return os.environ | address
