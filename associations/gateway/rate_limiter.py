"""One limit for every call to HubSpot, whoever makes it: all processes, threads and machines.

A ring of slots in the database, as many as this site allows itself calls within ten seconds: a
setting, for HubSpot counts each app apart, and allows it as much as the account has booked. Whoever
wants to call takes a slot that was not used for that long. Some slots only people may use, so that
a run never keeps the form waiting, and some only their submits, so that looks never do either.
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
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import Error as DBError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from associations.models import CallSlot

logger = logging.getLogger(__name__)
T = TypeVar("T")

# HubSpot counts when calls arrive, which may be a little sooner one time than the other.
WINDOW = 10.1  # seconds
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
# From here on they are people's own: so many for each, looks, then downloads, then finds.
FIRST_OF_PEOPLE, OF_EACH_PERSON = 1_000_000, 100
_AHEAD = 1.0  # seconds; a use that lies further in the future was written before a clock was set

_TABLE = CallSlot._meta.db_table
_TAKE = f"""
UPDATE {_TABLE} SET used_at = {{now}} WHERE number IN (
    SELECT number FROM {_TABLE} WHERE number BETWEEN %s AND %s AND used_at <= {{now}} - {{window}}
    ORDER BY number LIMIT %s {{lock}}
)
"""
_WAIT = f"""
SELECT MIN(used_at) + {{window}} - {{now}} FROM {_TABLE} WHERE number BETWEEN %s AND %s
"""
_COUNT = f"SELECT COUNT(*) FROM {_TABLE} WHERE number <= %s AND used_at > {{now}} - {{window}}"
_SET_BACK = f"UPDATE {_TABLE} SET used_at = {{now}} WHERE used_at > {{now}} + {_AHEAD}"
_DIALECTS = {
    "postgresql": {
        "now": "extract(epoch from clock_timestamp())",
        "lock": "FOR UPDATE SKIP LOCKED",
    },
    # Its own clock knows no more than milliseconds.
    "sqlite": {"now": "((julianday('now') - 2440587.5) * 86400.0)", "lock": ""},
}
_SETTLE = {
    "postgresql": ["SET synchronous_commit = off", "SET statement_timeout = '2s'"],
    "sqlite": [
        "PRAGMA synchronous = OFF",
        "PRAGMA busy_timeout = 2000",
        f"CREATE TABLE IF NOT EXISTS {_TABLE} "
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
        self._wrapper: BaseDatabaseWrapper | None = None
        self._pid = 0

    def run(self, work: Callable[[BaseDatabaseWrapper], T]) -> T:
        with self._lock:
            try:
                return work(self._opened())
            except DBError:
                self._close()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    def _opened(self) -> BaseDatabaseWrapper:
        if self._wrapper is None or self._pid != os.getpid():
            self._wrapper, self._pid = _open(), os.getpid()
        return self._wrapper

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


def acquire_interactive(seconds: float) -> bool:
    """Take a slot for a call that a submit makes, waiting for one for `seconds` or two at most.

    A limit that cannot be asked keeps nobody waiting: HubSpot has its own.
    """
    return _acquire(seconds, 1, settings.HUBSPOT_CALLS_PER_10_SECONDS, WINDOW)


def acquire_look(seconds: float) -> bool:
    """The same for a call that only looks something up: some slots are left to submits."""
    return _acquire(seconds, _first_of_looks(), settings.HUBSPOT_CALLS_PER_10_SECONDS, WINDOW)


def acquire_search(seconds: float) -> bool:
    """The same for a search, of which there are so many a second, and no other calls."""
    last = FIRST_OF_SEARCHES + settings.HUBSPOT_SEARCHES_PER_SECOND - 1
    return _acquire(seconds, FIRST_OF_SEARCHES, last, SEARCH_WINDOW)


def acquire_bulk_search(seconds: float) -> bool:
    """The same for a search of a run: one of a second's is left to people, if there are more."""
    return _acquire(seconds, FIRST_OF_SEARCHES, _last_of_bulk_searches(), SEARCH_WINDOW)


def bulk_search_wait() -> float:
    """Return after how many seconds a run may search."""
    if not settings.HUBSPOT_SEARCHES_PER_SECOND:
        return 0.0
    return _wait(FIRST_OF_SEARCHES, _last_of_bulk_searches(), SEARCH_WINDOW)


def _last_of_bulk_searches() -> int:
    count = settings.HUBSPOT_SEARCHES_PER_SECOND
    return FIRST_OF_SEARCHES + (count if count < 2 else count - 1) - 1


def _acquire(seconds: float, first: int, last: int, window: float) -> bool:
    if last < max(1, first):  # the setting is 0: no limit is kept here
        return True
    deadline = time.monotonic() + min(seconds, PEOPLE_WAIT)
    try:
        while not _take(1, first, last, window):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, max(0.01, _wait(first, last, window))))
    except DBError:
        logger.exception("the limit of calls could not be asked")
    return True


def look_wait(person: int) -> int:
    """Take one of the looks that a person has within a minute, and return 0.

    Or return in how many seconds there is one again. This counts what people ask for, which is a
    few calls each, whichever process answers.
    """
    return _wait_of(person, 0, LOOKS, LOOK_WINDOW)


def find_wait(person: int) -> int:
    """The same for what a person searches for."""
    return _wait_of(person, LOOKS + DOWNLOADS, FINDS, FIND_WINDOW)


def _wait_of(person: int, offset: int, count: int, window: float) -> int:
    first = FIRST_OF_PEOPLE + person * OF_EACH_PERSON + offset
    last = first + count - 1
    try:
        if _take_own(first, last, window):
            return 0
        return max(1, math.ceil(_wait(first, last, window)))
    except DBError:
        logger.exception("the limit of looks could not be asked")
        return 0


def take_download(person: int) -> int:
    """Take one of the slots that a person has for downloads; return its number, 0 if none is free.

    It stays taken for DOWNLOAD_SECONDS. Raises DBError.
    """
    first = FIRST_OF_PEOPLE + person * OF_EACH_PERSON + LOOKS
    numbers = range(first, first + DOWNLOADS)
    return next((each for each in numbers if _take_own(each, each, DOWNLOAD_SECONDS)), 0)


def keep_download(slot: int) -> None:
    """Keep a slot taken for as long again. Raises DBError."""
    _use(f"UPDATE {_TABLE} SET used_at = {{now}} WHERE number = %s", slot)


def end_download(slot: int) -> None:
    """Give a slot back. Raises DBError."""
    _use(f"UPDATE {_TABLE} SET used_at = 0 WHERE number = %s", slot)


def acquire_bulk(wanted: int) -> int:
    """Take up to so many slots for calls of a run; return how many were free."""
    if not settings.HUBSPOT_CALLS_PER_10_SECONDS:
        return wanted
    return _take(wanted, first=_first_of_runs())


def bulk_wait() -> float:
    """Return after how many seconds a run may make its next call."""
    if not settings.HUBSPOT_CALLS_PER_10_SECONDS:
        return 0.0
    return _wait(first=_first_of_runs())


def acquire_spare() -> bool:
    """Take a slot for what can always wait, if most are free: one of those that are taken last."""
    last = settings.HUBSPOT_CALLS_PER_10_SECONDS
    if not last:
        return True
    first = last - max(1, last // SPARE) + 1
    if calls_in_window() * 2 <= last and _take(1, first):
        return True
    _wait(first)  # by which the first call of all makes the ring
    return False


def calls_in_window() -> int:
    """Return how many slots are in use, by people and by runs."""
    last = settings.HUBSPOT_CALLS_PER_10_SECONDS

    def count(wrapper: BaseDatabaseWrapper) -> int:
        with wrapper.cursor() as cursor:
            cursor.execute(_sql(_COUNT, wrapper), [last])
            return cursor.fetchone()[0]

    return _connection.run(count)


def _first_of_runs() -> int:
    # However few there are, a run gets one.
    return min(settings.HUBSPOT_CALLS_FOR_PEOPLE + 1, settings.HUBSPOT_CALLS_PER_10_SECONDS)


def _first_of_looks() -> int:
    # Half of what no run may take; however few there are, a look gets one.
    left_to_submits = settings.HUBSPOT_CALLS_FOR_PEOPLE // 2
    return min(left_to_submits + 1, settings.HUBSPOT_CALLS_PER_10_SECONDS)


def _use(sql: str, slot: int) -> None:
    def use(wrapper: BaseDatabaseWrapper) -> None:
        with wrapper.cursor() as cursor:
            cursor.execute(_sql(sql, wrapper), [slot])

    _connection.run(use)


def _take_own(first: int, last: int, window: float) -> bool:
    """Take one of a person's own slots, if one is free."""
    if _take(1, first, last, window):
        return True
    # Perhaps it is the person's first, or a clock was set back.
    _connection.run(lambda wrapper: _settle(wrapper, last, first))
    return bool(_take(1, first, last, window))


def _take(wanted: int, first: int, last: int | None = None, window: float | None = None) -> int:
    last = last or settings.HUBSPOT_CALLS_PER_10_SECONDS

    def take(wrapper: BaseDatabaseWrapper) -> int:
        with wrapper.cursor() as cursor:
            cursor.execute(_sql(_TAKE, wrapper, window), [first, last, wanted])
            return cursor.rowcount

    return _connection.run(take)


def _wait(first: int, last: int | None = None, window: float | None = None) -> float:
    begin, last = (first, last) if last else (1, settings.HUBSPOT_CALLS_PER_10_SECONDS)

    def wait(wrapper: BaseDatabaseWrapper) -> float | None:
        _settle(wrapper, last, begin)
        with wrapper.cursor() as cursor:
            cursor.execute(_sql(_WAIT, wrapper, window), [first, last])
            return cursor.fetchone()[0]

    return max(0.0, float(_connection.run(wait) or 0.0))


def _settle(wrapper: BaseDatabaseWrapper, last: int, first: int = 1) -> None:
    """Make the slots of a ring that are missing, and free those that a clock set back holds."""
    numbers = range(first, last + 1)
    with wrapper.cursor() as cursor:
        count = f"SELECT COUNT(*) FROM {_TABLE} WHERE number BETWEEN %s AND %s"
        cursor.execute(count, [first, last])
        if cursor.fetchone()[0] < len(numbers):
            cursor.executemany(
                f"INSERT INTO {_TABLE} (number, used_at) VALUES (%s, 0) ON CONFLICT DO NOTHING",
                [(number,) for number in numbers],
            )
        cursor.execute(_sql(_SET_BACK, wrapper))


def _sql(text: str, wrapper: BaseDatabaseWrapper, window: float | None = None) -> str:
    return text.format(**_DIALECTS[wrapper.vendor], window=window or WINDOW)
