"""Wherever a database could hold what was erased of it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from tests.associations.audit.integrity.processes import database_url
from tests.faults.erased.searching import of_files

_TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"


def bytes_of_the_database(cluster: Path | None) -> Iterator[bytes]:
    """All files of SQLite's; of PostgreSQL all that it tells, and its files where they are ours."""
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        yield from of_files(path.parent.glob(f"{path.name}*"))
        return
    yield from _copied()
    yield b"\n"
    dump = "pg_dump", database_url()
    yield subprocess.run(dump, capture_output=True, check=True).stdout
    if cluster:
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
        yield from of_files(_files(cluster / "base"))


def bytes_of_the_write_ahead_log(cluster: Path) -> Iterator[bytes]:
    """Out of the command's reach: PostgreSQL writes over it as it goes on."""
    yield from of_files(_files(cluster / "pg_wal"))


def _copied() -> Iterator[bytes]:
    """All tables as text, and what the planner knows of them."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for name in [*(row[0] for row in cursor.fetchall()), "pg_stats"]:
            with cursor.copy(f"COPY (SELECT * FROM {name}) TO STDOUT") as copy:
                yield from map(bytes, copy)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
