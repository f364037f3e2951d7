"""What HubSpot had answered while the log could not be written, kept on this machine until it can.

A file an answer: what the attempt's row would have held, and no more. `recorder.read_back()` writes
them into the log; one that it cannot use is put aside, for somebody to look at.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import time, time_ns
from types import NoneType
from typing import Any
from uuid import uuid4

from django.conf import settings

from associations.audit import durable_files
from associations.hubspot.answers import Attempt
from associations.hubspot.outcomes import Cause

logger = logging.getLogger(__name__)

FORMAT = 1
MOST_FILES, MOST_BYTES = 5_000, 256 * 1024 * 1024
WAITING, ASIDE, UNDER_WAY = ".json", ".unusable", ".part"
WRITING_SECONDS = 60  # after which nobody writes the same file any more
_BATCH = dict.fromkeys(["from_object_type", "to_object_type", "cause"], str) | dict.fromkeys(
    ["run_id", "inputs"], int
)
_TYPES: dict[str, tuple[type, ...]] = {
    "duration_ms": (int,),
    "http_status": (int, NoneType),
    "headers": (dict,),
    "body": (str,),
    "body_complete": (bool,),
    "failure": (str, NoneType),
    "detail": (str,),
    "call": (str,),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """An exchange, and of which entry; of a batch the first and the last.

    `number` is the attempt's; in a run it is the next. `closes` says that whoever sent it has
    ended, so that the entry is to be closed by what is known of it. `batch` has the columns of a
    batch that are not of the exchange.
    """

    attempt: Attempt | None
    entries: list[int]
    number: int = 0
    closes: bool = False
    batch: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many answers wait on this machine, and how many were put aside."""

    files: int = 0
    aside: int = 0
    size: int = 0  # bytes of both

    @property
    def is_full(self) -> bool:
        return self.files + self.aside >= MOST_FILES or self.size >= MOST_BYTES


_may_wait = Event()
_may_wait.set()  # another process may have left something


def may_wait() -> bool:
    """Whether this process has left something, or has not looked yet; asks no disk."""
    return _may_wait.is_set()


def folder() -> Path:
    """Return where they are: as set, beside the file of SQLite, or in the service's own folder.

    systemd makes that one (StateDirectory), and tells it.
    """
    if settings.SPOOL_DIR:
        return Path(settings.SPOOL_DIR)
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        return Path(database["NAME"]).with_name(f"{Path(database['NAME']).stem}-spool")
    own = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(own or settings.BASE_DIR) / ".hubadmin-spool"


def keep(kept: Kept) -> bool:
    """Keep it; return whether that could be done. A log line says why not."""
    try:
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _demand_ours(place)
        if waiting().is_full:
            raise OSError(f"{place} is full: {MOST_FILES} files or {MOST_BYTES} bytes")
        _write(place / f"{time_ns():020d}-{uuid4().hex}{WAITING}", kept)
    except OSError as error:
        logger.error("an answer of HubSpot could not be kept", extra={"why": str(error)})
        return False
    _may_wait.set()
    return True


def _write(file: Path, kept: Kept) -> None:
    """Whole, or not at all, even if the power fails."""
    part = file.with_suffix(UNDER_WAY)
    text = json.dumps({"format": FORMAT, **asdict(kept)}, default=str, ensure_ascii=False)
    try:
        durable_files.write(part, text, errors="replace")
        part.rename(file)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
    durable_files.sync(file.parent)


def _demand_ours(place: Path) -> None:
    """What stands there goes into the log, so nobody else may put anything there."""
    found = place.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{place} is not this account's alone (chmod 700)")


def waiting() -> Waiting:
    """Count them; none where there is no such folder, or it is another account's."""
    files = aside = size = 0
    with suppress(OSError):
        for each in os.scandir(folder()):
            files += each.name.endswith(WAITING)
            aside += each.name.endswith(ASIDE)
            with suppress(FileNotFoundError):  # somebody has just taken it
                size += each.stat().st_size
    return Waiting(files, aside, size)


@contextmanager
def taken() -> Iterator[Iterator[tuple[Path, Kept]]]:
    """Give what waits, oldest first, to whoever writes it into the log and then removes it.

    If that breaks off, this process looks again.
    """
    _may_wait.clear()
    try:
        yield _usable()
    except BaseException:
        _may_wait.set()
        raise


def _usable() -> Iterator[tuple[Path, Kept]]:
    names = list[str]()
    with suppress(OSError):  # there is no such folder, or it is another account's
        found = [each.name for each in os.scandir(folder())]
        names = sorted(name for name in found if name.endswith((WAITING, UNDER_WAY)))
    try:
        if names:
            _demand_ours(folder())
    except OSError as error:
        logger.warning("what waits for the log cannot be read", extra={"why": str(error)})
        return
    for name in names:
        file = folder() / name
        try:
            if name.endswith(UNDER_WAY):
                _put_broken_aside(file)
                continue
            kept = _read(file)
        except FileNotFoundError:  # another process was quicker
            continue
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            put_aside(file, repr(error))
            continue
        yield file, kept


def kept_at(file: Path) -> datetime:
    """When this was kept, as its name says. Raises ValueError."""
    return datetime.fromtimestamp(int(file.name.partition("-")[0]) / 1e9, UTC)


def _put_broken_aside(file: Path) -> None:
    """One that nobody is writing any more: its process was killed meanwhile."""
    if file.stat().st_mtime < time() - WRITING_SECONDS:
        put_aside(file, "its process ended while it was written")


def _read(file: Path) -> Kept:
    found = json.loads(file.read_bytes())
    if found.pop("format") != FORMAT:
        raise ValueError("of another version")
    if attempt := found.pop("attempt"):
        if not all(isinstance(attempt[name], types) for name, types in _TYPES.items()):
            raise TypeError("not an exchange")
        failure = Cause(attempt["failure"]) if attempt["failure"] else None
        started_at = datetime.fromisoformat(attempt["started_at"])
        if started_at.tzinfo is None:
            raise ValueError("not a moment")
        attempt = Attempt(**attempt | {"started_at": started_at, "failure": failure})
    kept = Kept(attempt=attempt or None, **found)
    if not kept.entries or {*map(type, [*kept.entries, kept.number])} != {int}:
        raise TypeError("not of an entry")
    if kept.batch is not None and (attempt is None or not _is_batch(kept.batch)):
        raise TypeError("not a batch")
    return kept


def _is_batch(found: Any) -> bool:
    return {*found} == {*_BATCH} and all(type(found[name]) is each for name, each in _BATCH.items())


def remove(file: Path) -> None:
    """Forget what the log has. If that cannot be, it is told there once all the same."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        logger.error("a file that is not needed stays", extra={"why": str(error)})


def put_aside(file: Path, why: str) -> None:
    """Keep a file that cannot be used, where nobody takes it up again."""
    logger.error("an answer that was kept cannot be used", extra={"file": file.name, "why": why})
    with suppress(OSError):  # another process was quicker, or the disk is read-only
        file.rename(file.with_suffix(ASIDE))
