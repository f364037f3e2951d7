"""Restores a backup aside, where it can be looked at; the real database is none of its business."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection

from associations.audit.backups import folders, postgresql
from associations.audit.backups.folders import BackupError, Contents, Manifest

SCRATCH = "hubadmin_check_"
_ROLE = "SELECT rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user"


@contextmanager
def restored(folder: Path, manifest: Manifest) -> Iterator[None]:
    """In here Django's connection, and what starts other processes, use a copy of the backup.

    Raises BackupError, and Django's errors.
    """
    if connection.vendor != manifest.kind:
        raise BackupError(
            f"This is a backup of {manifest.kind}, and DATABASE_URL is an address of "
            f"{connection.vendor}. Give one of {manifest.kind}."
        )
    aside = _on_sqlite if manifest.kind == "sqlite" else _on_postgresql
    with aside(folder / folders.DATABASES[manifest.kind]):
        yield


@contextmanager
def _on_sqlite(file: Path) -> Iterator[None]:
    with TemporaryDirectory(prefix=SCRATCH) as scratch:
        try:
            copy = shutil.copyfile(file, Path(scratch) / file.name)
        except OSError as error:
            raise BackupError(
                f"{file} cannot be copied to {scratch}: {error.strerror}. TMPDIR may name another "
                "place."
            ) from error
        with _connected_to(str(copy)):
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA integrity_check(1)")
                ((found,),) = cursor.fetchall()
            if found != "ok":
                raise BackupError(f"SQLite finds the database damaged: {found}.")
            yield


@contextmanager
def _on_postgresql(file: Path) -> Iterator[None]:
    """A database of its own beside the one that the address names."""
    name = SCRATCH + secrets.token_hex(8)
    _check_role()
    _execute(
        f"CREATE DATABASE {name} TEMPLATE template0", f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"
    )
    try:
        postgresql.restore(file, name)
        with _connected_to(name):
            yield
    finally:
        _execute(f"DROP DATABASE {name} WITH (FORCE)")


def _check_role() -> None:
    """Whoever has changed a dump has it do what this role may: so that must be next to nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        is_superuser, may_create = cursor.fetchone()
    if is_superuser or not may_create:
        why = "is a superuser" if is_superuser else "may not make databases"
        raise BackupError(
            f"The role of DATABASE_URL {why}. To restore aside takes one that may make databases, "
            "and nothing else: CREATE ROLE hubadmin_check LOGIN CREATEDB."
        )


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def differences(manifest: Manifest) -> list[str]:
    """Say what of the manifest is not so in the database that is connected."""
    with connection.cursor() as cursor:
        there = Contents.read(cursor)
    told = manifest.contents
    found = []
    if there.entries != told.entries:
        found.append(
            f"It has {there.entries} entries; when it was taken there were {told.entries}."
        )
    if (there.seal, there.head) != (told.seal, told.head):
        found.append(
            f"Its newest seal is {there.seal}, {there.head or 'none'}; when it was taken it was "
            f"{told.seal}, {told.head or 'none'}."
        )
    if there.migrations != told.migrations:
        found.append("Its migrations are others than when it was taken.")
    return found
