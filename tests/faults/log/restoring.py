"""A faithful copy of a database, by what the database brings along for it."""

import sqlite3
import subprocess
from pathlib import Path

from django.db import connection

from tests.associations.audit.integrity.processes import database_url
from tests.faults.log.databases import on_postgresql


def restore(name: str, other: str, how: str, folder: Path) -> None:
    """Dump the database that is in use, `custom` or `plain`, and bring it back as another."""
    connection.close()
    if on_postgresql():
        _restore_on_postgresql(other, how, folder / "log.dump")
    else:
        _restore_on_sqlite(name, other, how)


def _restore_on_postgresql(other: str, how: str, file: Path) -> None:
    address, target, start = database_url(), database_url(NAME=other), database_url(NAME="postgres")
    read = {
        "custom": ["pg_restore", "--exit-on-error", "--dbname", target, str(file)],
        "plain": ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(file), target],
    }[how]
    for step in (
        ["pg_dump", "--format", how, "--file", str(file), address],
        ["psql", "--quiet", "--command", f"CREATE DATABASE {other}", start],
        read,
    ):
        subprocess.run(step, check=True, capture_output=True)
    file.unlink()


def _restore_on_sqlite(name: str, other: str, how: str) -> None:
    source = sqlite3.connect(name)
    if how == "plain":
        source.execute("VACUUM INTO ?", [other])
    else:
        target = sqlite3.connect(other)
        source.backup(target)
        target.close()
    source.close()
