"""Takes a backup while others write, whole or not at all."""

import errno
import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from associations.audit.backups import folders, postgresql
from associations.audit.backups.folders import BackupError, Code, Contents, Manifest
from associations.audit.durable_files import create, sync, write
from associations.audit.integrity import role_rights
from hubadmin import __version__

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SPARE = 16 * 1024 * 1024  # bytes, for what nobody has counted


def take(place: Path) -> tuple[Path, Manifest]:
    """Make a backup in that folder; return its own. Raises BackupError, and Django's errors."""
    with _alone_in(place):
        try:
            folders.remove_unfinished(place)
            return _take(place)
        except OSError as error:
            _raise_full(error.errno in _FULL, place)
            raise BackupError(f"{place} cannot be written: {error.strerror}.") from error
        except sqlite3.Error as error:
            _raise_full(error.sqlite_errorcode == sqlite3.SQLITE_FULL, place)
            raise BackupError(f"SQLite could not copy the database: {error}.") from error


def remove_older(place: Path, keep: int) -> list[str]:
    """Leave the newest so many, and the newest proven one; return what went. Raises BackupError."""
    with _alone_in(place):
        try:
            return folders.remove_older(place, keep)
        except OSError as error:
            why = f"Older backups in {place} cannot be removed: {error.strerror}."
            raise BackupError(why) from error


def _take(place: Path) -> tuple[Path, Manifest]:
    taken_at = timezone.now()  # before it is read: whatever was sealed by then is in it
    final = place / folders.name_at(taken_at)
    if final.exists():
        raise BackupError(f"{final} is there already. Wait a second.")
    _check_room(place)
    part = place / folders.unfinished(final.name)
    part.mkdir(mode=0o700)
    try:
        manifest = _fill(part, taken_at)
        sync(part)
        part.rename(final)
        sync(place)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return final, manifest


def _fill(part: Path, taken_at: datetime) -> Manifest:
    kind = connection.vendor
    database = part / folders.DATABASES[kind]
    contents = _dump(database) if kind == "postgresql" else _copy(database)
    write(part / folders.HEAD, f"{contents.head}\n")
    manifest = Manifest(
        taken_at=taken_at,
        version=__version__,
        kind=kind,
        kind_version=_version(),
        contents=contents,
        files={each.name: folders.digest(each) for each in (database, part / folders.HEAD)},
    )
    write(part / folders.MANIFEST, manifest.text())
    return manifest


def _version() -> str:
    is_sqlite = connection.vendor == "sqlite"
    return sqlite3.sqlite_version if is_sqlite else postgresql.server_version()


def _copy(file: Path) -> Contents:
    """SQLite's backup, in one step: in smaller ones it would begin anew after each write."""
    os.close(create(file))
    connection.ensure_connection()
    with closing(sqlite3.connect(file)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it is in the one file
        contents = Contents.read(copy.cursor())
    sync(file)
    return contents


def _dump(file: Path) -> Contents:
    """What is counted is what is dumped: both see the database as of one moment."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_catalog.pg_export_snapshot()")
        ((snapshot,),) = cursor.fetchall()
        contents = Contents.read(cursor)
        postgresql.dump(file, snapshot)
    return contents


def check_rights() -> None:
    """Whether this role can read all that there is. Raises BackupError."""
    if connection.vendor == "sqlite":
        return
    rights = role_rights.of_this_role()
    if rights is None:
        raise BackupError("This database has no audit log. Is DATABASE_URL the right one?")
    if not (rights.is_owner or rights.is_superuser):
        raise BackupError(
            f"The role {rights.role} does not own the tables, and so may not read all of them. "
            "Give the owner's address in DATABASE_URL.",
            Code.NO_RIGHTS,
        )


def _check_room(place: Path) -> None:
    if connection.vendor == "postgresql":
        needed = postgresql.size()
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            needed = cursor.fetchone()[0]
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE:
        mib = 1024 * 1024
        raise BackupError(
            f"{place} has no room for it: {free // mib} MiB are free, and it may take "
            f"{(needed + _SPARE) // mib} MiB.",
            Code.NO_ROOM,
        )


def _raise_full(is_full: bool, place: Path) -> None:
    if is_full:
        raise BackupError(f"{place} is full. Nothing of this backup was left.", Code.NO_ROOM)


@contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    """In a folder that only this account can change, one backup at a time. Raises BackupError."""
    try:
        opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BackupError(
            f"{place} is no folder that can be used: {error.strerror}. Make it: install -d -m 700 "
            f"{place}"
        ) from error
    try:
        found = os.fstat(opened)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
            raise BackupError(
                f"Others may write to {place}. A backup is for a folder of this account's own: "
                f"chmod 700 {place}",
                Code.NOT_PRIVATE,
            )
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"Another backup is being made in {place}.") from error
        yield
    finally:
        os.close(opened)
