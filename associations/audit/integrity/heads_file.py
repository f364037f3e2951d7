"""The head of each seal in a small file of the sealer's own machine (`AUDIT_HEADS_FILE`).

A line a seal, `<number> <head> <sealed_at>`, written once the seal is committed: so what stands
there was in the log, and what a crash has kept from being written is caught up with. Whoever owns
the tables does not reach it, and no backup of the database brings back an older one.
"""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path

from django.conf import settings

from associations.audit.durable_files import sync
from associations.audit.integrity.serialization import format_moment
from associations.audit.integrity.witnesses import Witness
from associations.models import AuditSeal

MOST_BYTES = 2 * 1024 * 1024  # about 20,000 seals: two weeks of one a minute
AT_FIRST = 10_000  # seals of a log that is older than its file
UNDER_WAY = timedelta(minutes=1)  # a seal has its time before others see it
_AT_ONCE = 500
_LINE = re.compile(r"([1-9][0-9]{0,15}) ([0-9a-f]{64}) ([0-9]{4}[0-9T:.-]{15,22}Z)", re.ASCII)
_OF_ANOTHER_LOG = (
    "{file} has {count} heads, and none of them is in this log. Either the file is of another log, "
    "or all of this one was made anew, or restored from a backup that is older than the file."
)
logger = logging.getLogger("hubadmin.audit")


class HeadsFileError(Exception):
    """The file shows nothing of this log; the message says why."""


def witnesses(as_of: datetime | None = None) -> list[Witness]:
    """Return what the file knows of this log; nothing where there is no such setting.

    Of a copy `as_of` a time: what the copy should have by then. Read it before the log, which may
    have grown since, and never has less. Raises HeadsFileError.
    """
    if not settings.AUDIT_HEADS_FILE:
        return []
    try:
        kept = _read(Path(settings.AUDIT_HEADS_FILE).read_bytes())
    except OSError as error:
        raise HeadsFileError(_unreadable(error)) from error
    if as_of:
        last = AuditSeal.objects.values_list("number", flat=True).last() or 0
        until = as_of - UNDER_WAY
        kept = [each for each in kept if each.number <= last or each.at < until]
    if kept:
        _newest_in_the_log(kept)
    return kept


LACKS = "the log lacks a seal that was made before"


class HeadsFile:
    """The file to what seals. Whatever is wrong with it is logged, once, and stops no sealing."""

    def __init__(self) -> None:
        self._said = ""

    def keep(self) -> None:
        """Write down each seal that is not there yet."""
        if not settings.AUDIT_HEADS_FILE:
            return
        try:
            with _locked() as file:
                self._keep(file)
        except OSError as error:
            self._say("the heads of the seals cannot be written down", _unreadable(error))
        except HeadsFileError as error:
            self._say("the heads of the seals cannot be written down", str(error))

    def _keep(self, file: FileIO) -> None:
        data = file.readall()
        kept = _read(data)
        last = _newest_in_the_log(kept) if kept else None
        if last != (kept[-1] if kept else None):
            self._say(LACKS, f"{kept[-1].statement}.")
        if lines := _lines_after(last.number if last else 0):
            whole = data[: data.rfind(b"\n") + 1]  # what a crash has cut in two goes
            file.truncate(len(whole))
            file.seek(0, os.SEEK_END)
            _write(file, lines)
            if len(whole) > MOST_BYTES:
                _thin_out([*kept, *_read(lines)])

    def _say(self, what: str, why: str) -> None:
        if self._said != why:
            self._said = why
            logger.error(what, extra={"why": why})


def _read(data: bytes) -> list[Witness]:
    """What whole lines say; the last one may be cut off by a crash. Raises HeadsFileError."""
    found = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        told = _LINE.fullmatch(line.decode("ascii", "replace"))
        try:
            at = datetime.fromisoformat(told[3]) if told else None
        except ValueError:
            at = None
        if told is None or at is None:
            raise HeadsFileError(
                f"Line {number} of {settings.AUDIT_HEADS_FILE} cannot be read: it is not as "
                "seal_audit_log writes it."
            )
        found.append(Witness(int(told[1]), told[2], at, settings.AUDIT_HEADS_FILE))
    return found


def _newest_in_the_log(kept: list[Witness]) -> Witness:
    """Return the last one whose seal is in the log. Raises HeadsFileError: none is."""
    for end in range(len(kept), 0, -_AT_ONCE):
        part = kept[max(0, end - _AT_ONCE) : end]
        found = AuditSeal.objects.filter(head__in=[each.head for each in part])
        there = {*found.values_list("number", "head")}
        for each in reversed(part):
            if (each.number, each.head) in there:
                return each
    told = _OF_ANOTHER_LOG.format(file=settings.AUDIT_HEADS_FILE, count=len(kept))
    raise HeadsFileError(told)


def _lines_after(number: int) -> bytes:
    newest = AuditSeal.objects.values_list("number", flat=True).last() or 0
    seals = AuditSeal.objects.filter(number__gt=max(number, newest - AT_FIRST))
    told = seals.values_list("number", "head", "sealed_at")
    return "".join(f"{n} {head} {format_moment(at)}\n" for n, head, at in told).encode()


def _thin_out(kept: list[Witness]) -> None:
    """Keep the newer half, and of what is older each day's last.

    A crash leaves one file or the other.
    """
    half = len(kept) // 2
    last_of_day = {each.at.date(): each for each in kept[:half]}
    stay = [*last_of_day.values(), *kept[half:]]
    beside = Path(f"{settings.AUDIT_HEADS_FILE}.new")
    with FileIO(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        lines = [f"{each.number} {each.head} {format_moment(each.at)}\n" for each in stay]
        _write(file, "".join(lines).encode())
    beside.replace(settings.AUDIT_HEADS_FILE)
    sync(Path(settings.AUDIT_HEADS_FILE).parent)


def _write(file: FileIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) :]
    os.fsync(file.fileno())


@contextmanager
def _locked() -> Iterator[FileIO]:
    """The file, made if it is not there, to one sealer at a time."""
    path = Path(settings.AUDIT_HEADS_FILE)
    while True:
        is_new = not path.exists()
        with FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            try:
                is_same = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                is_same = False
            if is_same:  # nobody has put another one into its place meanwhile
                if is_new:
                    sync(Path(settings.AUDIT_HEADS_FILE).parent)
                yield file
                return


def _unreadable(error: OSError) -> str:
    return f"AUDIT_HEADS_FILE is {settings.AUDIT_HEADS_FILE}: {error.strerror}."
