"""One limit for every call to HubSpot, whoever makes it: all processes, threads and machines.

A ring of slots in the database, as many as this site allows itself calls within ten seconds.
Whoever wants to call takes a slot that was not used for that long. How many slots of the ring are
in use is what HubSpot was seen to take (call_limit.py), and no more than the setting: what is known
of it stands beside the slots, and is read in the statement that takes one. Some slots only people
may use, so that a run never keeps the form waiting, and some only their submits, so that looks
never do either: always the same part of those in use.
Searches have a small ring of a second beside it, for HubSpot counts them apart. Each person has
rings of their own for looks, downloads and finds.

SQLite lets one write at a time, and who waits for a run's rows may wait for seconds. There the ring
has a file of its own beside the database, which may be lost at any time.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import Error as DBError
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from associations.hubspot.rate_limits import LEAST
from associations.models import CallSlot

logger = logging.getLogger(__name__)
T = TypeVar("T")

# HubSpot counts when calls arrive, which may be a little sooner one time than the other.
WINDOW = 10.1  # seconds
LATE = 0.05  # seconds; so much later a call may leave than it has taken its slot
SPARE = 4  # the last of so many parts of the ring
PEOPLE_WAIT = 2.0  # seconds at most
LOOKS, LOOK_WINDOW = 60, 60.0  # for one person; a pair that is typed takes two or three
# HubSpot allows the account so many searches a second, and counts them as they come: on a busy
# machine one may be a quarter of a second longer on its way than the next.
SEARCH_WINDOW = 1.25  # seconds
FINDS, FIND_WINDOW = 30, 60.0  # for one person
# A download under way keeps its slot by using it anew, so after a crash it is soon free.
DOWNLOADS, DOWNLOAD_SECONDS = 2, 30.0  # for one person
# The numbers of slots from here on are for searches.
FIRST_OF_SEARCHES = 900_000
# From here on there are no slots, but what is known of HubSpot's limit: first of each API how many
# calls it takes, then the line on which the limit rises after a refusal, by when it was at 0; and
# when it was last lowered.
FIRST_OF_LIMIT = 950_000
LINE, LOWERED = FIRST_OF_LIMIT + 90, FIRST_OF_LIMIT + 91
RISE = 0.2  # calls a second
# From here on they are people's own: so many for each, looks, then downloads, then finds.
FIRST_OF_PEOPLE, OF_EACH_PERSON = 1_000_000, 100
_AHEAD = 1.0  # seconds; a use that lies further in the future was written before a clock was set

TABLE = CallSlot._meta.db_table
# What is known of the limit, as a row each, in calls.
KNOWN = f"""
SELECT number, CASE WHEN number < {LINE} THEN used_at
    ELSE {{greater}}({LEAST}, ROUND(({{now}} - used_at) * {RISE})) END AS calls
FROM {TABLE} WHERE number BETWEEN {FIRST_OF_LIMIT} AND {LINE}
"""
# How many slots of the ring are in use, and which of these leave to others what is `left` of all
# its slots, in proportion: however few there are, everybody gets one.
_IN_USE = f"(SELECT MIN(calls) AS calls FROM ({KNOWN} UNION ALL SELECT 0, %(last)s) AS known)"
_IN_PROPORTION = f"""
{TABLE} AS slot, {_IN_USE} AS in_use WHERE number BETWEEN %(first)s AND %(last)s
AND number <= calls AND number > {{smaller}}(calls * %(left)s / %(last)s, calls - 1)
"""
_ALL = f"{TABLE} AS slot WHERE number BETWEEN %(first)s AND %(last)s"
_TAKE = f"""
UPDATE {TABLE} SET used_at = {{now}} WHERE number IN (
    SELECT number FROM {{slots}} AND used_at <= {{now}} - {{window}}
    ORDER BY number LIMIT %(wanted)s {{lock}}
)
"""
_WAIT = "SELECT MIN(used_at) + {window} - {now} FROM {slots}"
_COUNT = f"SELECT COUNT(*), {_IN_USE} FROM {{slots}} AND used_at > {{now}} - {{window}}"
_LEAVE_NOW = f"""
UPDATE {TABLE} SET used_at = {{now}} WHERE number BETWEEN 1 AND %s AND used_at > {{now}} - %s
"""
# So that the newest of them is of just now: what was used ten seconds before that is free again.
_SET_BACK = f"""
UPDATE {TABLE} SET used_at = used_at - (SELECT MAX(used_at) FROM {TABLE}) + {{now}}
WHERE used_at > {{now}} + {_AHEAD}
"""
DIALECTS = {
    "postgresql": {
        "now": "extract(epoch from clock_timestamp())",
        "lock": "FOR UPDATE OF slot SKIP LOCKED",
        "greater": "GREATEST",
        "smaller": "LEAST",
    },
    # Its own clock knows no more than milliseconds.
    "sqlite": {
        "now": "((julianday('now') - 2440587.5) * 86400.0)",
        "lock": "",
        "greater": "MAX",
        "smaller": "MIN",
    },
}
_SETTLE = {
    "postgresql": ["SET synchronous_commit = off", "SET statement_timeout = '2s'"],
    "sqlite": [
        "PRAGMA synchronous = OFF",
        "PRAGMA busy_timeout = 2000",
        f"CREATE TABLE IF NOT EXISTS {TABLE} "
        "(number integer NOT NULL PRIMARY KEY, used_at real NOT NULL)",
    ],
}


class _Connection:
    """A connection of this process that is the limiter's own, for one thread at a time.

    It commits by itself whatever transaction the caller is in, and need not wait for the disk:
    after a crash of the machine ten seconds are soon over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0  # the thread that has it
        self._wrapper: BaseDatabaseWrapper | None = None
        self._pid = 0

    def run(self, work: Callable[[BaseDatabaseWrapper], T]) -> T:
        """Do `work`. Raises DBError, also where a finalizer interrupts this thread's own work."""
        if self._holder == threading.get_ident():
            raise OperationalError("this thread is at work on it")  # it would wait for itself
        with self._lock:
            self._holder = threading.get_ident()
            try:
                return self._worked(work)
            except DBError:
                self._close()
                raise
            finally:
                self._holder = 0

    def close(self) -> None:
        with self._lock:
            self._close()

    def _opened(self) -> BaseDatabaseWrapper:
        if self._wrapper is None or self._pid != os.getpid():
            self._wrapper, self._pid = _open(), os.getpid()
        return self._wrapper

    def _worked(self, work: Callable[[BaseDatabaseWrapper], T]) -> T:
        """Once more where the database, or the way to it, was away since the last time."""
        try:
            return work(self._opened())
        except DBError:
            if self._wrapper is None or self._wrapper.is_usable():
                raise
        self._close()
        return work(self._opened())

    def _close(self) -> None:
        wrapper, self._wrapper = self._wrapper, None
        if wrapper is not None and self._pid == os.getpid():
            wrapper.close()


def file_beside(database: Path) -> Path:
    """Where the ring is with SQLite."""
    return database.with_name(f"{database.stem}-calls{database.suffix}")


def _open() -> BaseDatabaseWrapper:
    wrapper = connections.create_connection("default")
    wrapper.inc_thread_sharing()
    if wrapper.vendor == "sqlite":
        file = file_beside(Path(wrapper.settings_dict["NAME"]))
        wrapper.settings_dict = wrapper.settings_dict | {"NAME": str(file)}
    with wrapper.cursor() as cursor:
        for statement in _SETTLE[wrapper.vendor]:
            cursor.execute(statement)
    return wrapper


_connection = _Connection()
close = _connection.close


def run(work: Callable[[BaseDatabaseWrapper], T]) -> T:
    """Return what `work` does with the connection that the ring is on. Raises DBError."""
    return _connection.run(work)


@dataclass(frozen=True, slots=True)
class _Slots:
    """Those with numbers from `first` to `last`, each free again after `window` seconds.

    Of the one ring whose size is learnt, only those in use, but for the part that is `left`.
    """

    first: int
    last: int
    window: float
    left: int | None = None

    @property
    def where(self) -> str:
        return _ALL if self.left is None else _IN_PROPORTION


def _ring(left: int) -> _Slots:
    """The slots for calls, without so many of the setting's."""
    return _Slots(1, settings.HUBSPOT_CALLS_PER_10_SECONDS, WINDOW, left)


def acquire_interactive(seconds: float) -> bool:
    """Take a slot for a call that a submit makes, waiting for one for `seconds` or two at most.

    A limit that cannot be asked keeps nobody waiting: HubSpot has its own.
    """
    return _acquire(seconds, _ring(0))


def acquire_look(seconds: float) -> bool:
    """The same for a call that only looks something up: some slots are left to submits."""
    return _acquire(seconds, _ring(settings.HUBSPOT_CALLS_FOR_PEOPLE // 2))


def acquire_search(seconds: float) -> bool:
    """The same for a search, of which there are so many a second, and no other calls."""
    return _acquire(seconds, _of_searches(settings.HUBSPOT_SEARCHES_PER_SECOND))


def acquire_bulk_search(seconds: float) -> bool:
    """The same for a search of a run: one of a second's is left to people, if there are more."""
    return _acquire(seconds, _of_bulk_searches())


def bulk_search_wait() -> float:
    """Return after how many seconds a run may search."""
    return _wait(_of_bulk_searches()) if settings.HUBSPOT_SEARCHES_PER_SECOND else 0.0


def _of_searches(count: int) -> _Slots:
    return _Slots(FIRST_OF_SEARCHES, FIRST_OF_SEARCHES + count - 1, SEARCH_WINDOW)


def _of_bulk_searches() -> _Slots:
    count = settings.HUBSPOT_SEARCHES_PER_SECOND
    return _of_searches(count if count < 2 else count - 1)


def _acquire(seconds: float, slots: _Slots) -> bool:
    if slots.last < slots.first:  # the setting is 0: no limit is kept here
        return True
    deadline = time.monotonic() + min(seconds, PEOPLE_WAIT)
    try:
        while not _take(1, slots):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, max(0.01, _wait(slots))))
    except DBError:
        logger.exception("the limit of calls could not be asked")
    return True


def look_wait(person: int) -> int:
    """Take one of the looks that a person has within a minute, and return 0.

    Or return in how many seconds there is one again. This counts what people ask for, which is a
    few calls each, whichever process answers.
    """
    return _wait_of(_of_person(person, 0, LOOKS, LOOK_WINDOW))


def find_wait(person: int) -> int:
    """The same for what a person searches for."""
    return _wait_of(_of_person(person, LOOKS + DOWNLOADS, FINDS, FIND_WINDOW))


def _of_person(person: int, offset: int, count: int, window: float) -> _Slots:
    first = FIRST_OF_PEOPLE + person * OF_EACH_PERSON + offset
    return _Slots(first, first + count - 1, window)


def _wait_of(slots: _Slots) -> int:
    try:
        if _take_own(slots):
            return 0
        return max(1, math.ceil(_wait(slots)))
    except DBError:
        logger.exception("the limit of looks could not be asked")
        return 0


def take_download(person: int) -> int:
    """Take one of the slots that a person has for downloads; return its number, 0 if none is free.

    It stays taken for DOWNLOAD_SECONDS. Raises DBError.
    """
    for number in range(DOWNLOADS):
        slot = _of_person(person, LOOKS + number, 1, DOWNLOAD_SECONDS)
        if _take_own(slot):
            return slot.first
    return 0


def keep_download(slot: int) -> None:
    """Keep a slot taken for as long again. Raises DBError."""
    _use(f"UPDATE {TABLE} SET used_at = {{now}} WHERE number = %s", slot)


def end_download(slot: int) -> None:
    """Give a slot back. Raises DBError."""
    _use(f"UPDATE {TABLE} SET used_at = 0 WHERE number = %s", slot)


def acquire_bulk(wanted: int) -> int:
    """Take up to so many slots for calls of a run; return how many were free."""
    if not settings.HUBSPOT_CALLS_PER_10_SECONDS:
        return wanted
    return _take(wanted, _ring(settings.HUBSPOT_CALLS_FOR_PEOPLE))


def leave_now(seconds: float) -> None:
    """Tell that a run's calls leave only now, whose slots were taken so many seconds ago.

    HubSpot counts when they arrive. Others' slots that were taken meanwhile are used as late.
    """
    ceiling = settings.HUBSPOT_CALLS_PER_10_SECONDS
    if not ceiling or seconds < LATE:
        return
    try:
        _use(_LEAVE_NOW, ceiling, seconds + LATE)
    except DBError:
        logger.exception("that calls are late could not be told to the limit")


def bulk_wait() -> float:
    """Return after how many seconds a run may make its next call."""
    if not settings.HUBSPOT_CALLS_PER_10_SECONDS:
        return 0.0
    return _wait(_ring(settings.HUBSPOT_CALLS_FOR_PEOPLE))


def acquire_spare() -> bool:
    """Take a slot for what can always wait, if most are free: one of those that are taken last."""
    ceiling = settings.HUBSPOT_CALLS_PER_10_SECONDS
    if not ceiling:
        return True
    slots = _ring(ceiling - max(1, ceiling // SPARE))
    used, limit = usage()
    if used * 2 <= limit and _take(1, slots):
        return True
    _wait(slots)  # by which the first call of all makes the ring
    return False


def usage() -> tuple[int, int]:
    """Return how many slots of the ring are used just now, and how many there are to use."""

    def count(wrapper: BaseDatabaseWrapper) -> tuple[int, int]:
        with wrapper.cursor() as cursor:
            cursor.execute(*_sql(_COUNT, wrapper, _ring(0)))
            used, limit = cursor.fetchone()
            return used, int(limit)

    return run(count)


def _use(sql: str, *values: float) -> None:
    def use(wrapper: BaseDatabaseWrapper) -> None:
        with wrapper.cursor() as cursor:
            cursor.execute(sql.format(**DIALECTS[wrapper.vendor]), values)

    run(use)


def _take_own(slots: _Slots) -> bool:
    """Take one of a person's own slots, if one is free."""
    if _take(1, slots):
        return True
    # Perhaps it is the person's first, or a clock was set back.
    run(lambda wrapper: _settle(wrapper, slots))
    return bool(_take(1, slots))


def _take(wanted: int, slots: _Slots) -> int:
    def take(wrapper: BaseDatabaseWrapper) -> int:
        with wrapper.cursor() as cursor:
            cursor.execute(*_sql(_TAKE, wrapper, slots, wanted=wanted))
            return cursor.rowcount

    return run(take)


def _wait(slots: _Slots) -> float:
    def wait(wrapper: BaseDatabaseWrapper) -> float | None:
        _settle(wrapper, slots)
        with wrapper.cursor() as cursor:
            cursor.execute(*_sql(_WAIT, wrapper, slots))
            return cursor.fetchone()[0]

    return max(0.0, float(run(wait) or 0.0))


def _settle(wrapper: BaseDatabaseWrapper, slots: _Slots) -> None:
    """Make the slots of a ring that are missing, and free those that a clock set back holds."""
    numbers = range(slots.first, slots.last + 1)
    with wrapper.cursor() as cursor:
        count = f"SELECT COUNT(*) FROM {TABLE} WHERE number BETWEEN %s AND %s"
        cursor.execute(count, [slots.first, slots.last])
        if cursor.fetchone()[0] < len(numbers):
            cursor.executemany(
                f"INSERT INTO {TABLE} (number, used_at) VALUES (%s, 0) ON CONFLICT DO NOTHING",
                [(number,) for number in numbers],
            )
        cursor.execute(_SET_BACK.format(**DIALECTS[wrapper.vendor]))


def _sql(
    text: str, wrapper: BaseDatabaseWrapper, slots: _Slots, **values: int
) -> tuple[str, dict[str, int | None]]:
    """The statement about these slots, and its parameters."""
    words: dict[str, object] = {**DIALECTS[wrapper.vendor], "window": slots.window}
    statement = text.replace("{slots}", slots.where).format(**words)
    numbers = {"first": slots.first, "last": slots.last, "left": slots.left}
    return statement, numbers | values
