"""A backup's folder: what it is called, what its manifest says, and which ones may go.

`DIR/hubadmin-20261129T013000Z/` holds the database, `head` (the head of its newest seal) and
`manifest.json`; `proven.json` once `check_backup` has proven it. Until it is whole its name is
another one, which begins with a point.
"""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol, Self

from django.utils import timezone

from associations.audit.durable_files import write
from associations.audit.integrity.serialization import format_moment
from associations.models import AssociationRequest, AuditSeal
from hubadmin import __version__

MANIFEST, HEAD, PROVEN = "manifest.json", "head", "proven.json"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
FORMAT = "hubadmin-backup 1"
_NAME = re.compile(r"hubadmin-[0-9]{8}T[0-9]{6}Z", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,40}", re.ASCII)
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)  # none where there is no seal yet
_NOT_AS_WRITTEN = (  # what reading raises where a manifest is none of ours
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    OverflowError,
)
_UNFINISHED = re.compile(r"\.hubadmin-[0-9]{8}T[0-9]{6}Z\.part", re.ASCII)


class Code(IntEnum):
    """What `backup` ends with if it made none; 2 is for options that nobody understands."""

    FAILED = 1
    NO_PROGRAM = 3
    NO_RIGHTS = 4
    NO_ROOM = 5
    NOT_PRIVATE = 6


class BackupError(Exception):
    """There is no backup, or it is not proven; the message says why, and what to do."""

    def __init__(self, text: str, code: Code = Code.FAILED) -> None:
        super().__init__(text)
        self.code = code


class Cursor(Protocol):
    """Django's, or SQLite's own."""

    def execute(self, sql: str, /) -> object: ...
    def fetchall(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds: each migration as `app.name`; `seal` is the newest's number, or 0."""

    migrations: list[str]
    entries: int
    seal: int
    head: str

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        """By plain SQL, as a copy has no connection of Django's."""
        entry, seal = AssociationRequest._meta.db_table, AuditSeal._meta.db_table
        applied = _rows(cursor, "SELECT app, name FROM django_migrations ORDER BY id")
        ((entries,),) = _rows(cursor, f"SELECT count(*) FROM {entry}")
        newest = _rows(cursor, f"SELECT number, head FROM {seal} ORDER BY number DESC LIMIT 1")
        number, head = newest[0] if newest else (0, "")
        return cls([f"{app}.{name}" for app, name in applied], entries, number, head)


def _rows(cursor: Cursor, sql: str) -> list[Any]:
    cursor.execute(sql)
    return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Manifest:
    """`kind` is that of the database; `files` are bytes and SHA-256 by name."""

    taken_at: datetime
    version: str
    kind: str
    kind_version: str
    contents: Contents
    files: dict[str, tuple[int, str]]

    def text(self) -> str:
        held = self.contents
        told = {
            "format": FORMAT,
            "taken_at": format_moment(self.taken_at),
            "version": self.version,
            "database": {"kind": self.kind, "version": self.kind_version},
            "migrations": held.migrations,
            "entries": held.entries,
            "seal": {"number": held.seal, "head": held.head},
            "files": {
                name: {"bytes": size, "sha256": sha256}
                for name, (size, sha256) in self.files.items()
            },
        }
        return json.dumps(told, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises BackupError."""
        try:
            manifest = cls._from(json.loads((folder / MANIFEST).read_bytes()))
        except OSError as error:
            why = f"its {MANIFEST} cannot be read ({error.strerror})"
            raise BackupError(f"{folder} is no backup: {why}.") from error
        except _NOT_AS_WRITTEN as error:
            why = f"its {MANIFEST} is not as `backup` writes it"
            raise BackupError(f"{folder} is no backup of this version: {why}.") from error
        return manifest

    @classmethod
    def _from(cls, told: dict[str, Any]) -> Self:
        database, seal = told["database"], told["seal"]
        manifest = cls(
            taken_at=datetime.fromisoformat(told["taken_at"]),
            version=str(told["version"]),
            kind=str(database["kind"]),
            kind_version=str(database["version"]),
            contents=Contents(
                [*map(str, told["migrations"])],
                int(told["entries"]),
                int(seal["number"]),
                str(seal["head"]),
            ),
            files={
                name: (int(file["bytes"]), str(file["sha256"]))
                for name, file in told["files"].items()
            },
        )
        manifest._check(told["format"])
        return manifest

    def is_of(self, folder: Path) -> bool:
        """Whether the name of the folder, perhaps noted elsewhere, says the same time."""
        return folder.resolve().name == name_at(self.taken_at)

    def _check(self, written_as: object) -> None:
        """Raises ValueError or KeyError: it is not as we write it."""
        is_dated = self.taken_at.utcoffset() == timedelta() and self.taken_at.year > 2000
        is_told = _VERSION.fullmatch(self.version) and _DIGEST.fullmatch(self.contents.head)
        is_whole = {*self.files} == {DATABASES[self.kind], HEAD}
        if not (written_as == FORMAT and is_dated and is_told and is_whole):
            raise ValueError

    def changed_files(self, folder: Path) -> list[str]:
        """Say of each file that is not what was written down here."""
        found = []
        for name, told in self.files.items():
            try:
                if digest(folder / name) != told:
                    found.append(f"{name} was changed since: its SHA-256 or size is another.")
            except OSError as error:
                found.append(f"{name} cannot be read: {error.strerror}.")
        return found


def digest(file: Path) -> tuple[int, str]:
    """Return how many bytes it has, and their SHA-256 in hex."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        return opened.tell(), sha256


def name_at(moment: datetime) -> str:
    return f"hubadmin-{moment:%Y%m%dT%H%M%S}Z"


def unfinished(name: str) -> str:
    return f".{name}.part"


def remove_unfinished(place: Path) -> None:
    """What a run has left that was killed; nobody else may be at work there."""
    for each in place.iterdir():
        if _UNFINISHED.fullmatch(each.name):
            shutil.rmtree(each)


def remove_older(place: Path, keep: int) -> list[str]:
    """Leave the newest so many, and the newest that was proven; return what went."""
    there = (each for each in place.iterdir() if _NAME.fullmatch(each.name))
    found = sorted(
        (each for each in there if each.is_dir() and not each.is_symlink()), reverse=True
    )
    proven = next(filter(is_proven, found), None)
    going = [each for each in found[keep:] if each != proven]
    for each in going:
        # Under the other name first: what is half gone passes for no backup.
        shutil.rmtree(each.rename(place / unfinished(each.name)))
    return [each.name for each in going]


def is_proven(folder: Path) -> bool:
    """Whether `check_backup` has said so of this very manifest."""
    try:
        told = json.loads((folder / PROVEN).read_bytes())
        return bool(told["manifest_sha256"] == digest(folder / MANIFEST)[1])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def note_proof(folder: Path) -> None:
    """Raises OSError."""
    told = {
        "proven_at": format_moment(timezone.now()),
        "version": __version__,
        "manifest_sha256": digest(folder / MANIFEST)[1],
    }
    beside = folder / f".{PROVEN}"
    beside.unlink(missing_ok=True)
    write(beside, json.dumps(told, indent=2) + "\n")
    beside.replace(folder / PROVEN)
