"""A bound on how long a page may keep the database busy."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

_STEPS = 10_000  # of SQLite's machine between two looks at the clock


class TooSlowError(Exception):
    """The database needs longer for this than a page may wait."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End queries that take longer. Raises TooSlowError."""
    limited = _postgresql if connection.vendor == "postgresql" else _sqlite
    start = time.monotonic()
    try:
        with limited(seconds):
            yield
    except OperationalError as error:
        if time.monotonic() - start < seconds:
            raise
        raise TooSlowError from error


@contextmanager
def _postgresql(seconds: float) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
        yield


@contextmanager
def _sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    database, deadline = connection.connection, time.monotonic() + seconds
    database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        database.set_progress_handler(None, _STEPS)


logger = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 20.0  # a restart of the database is over by then
LONGEST_TURN = 0.1  # seconds


def persist(write: Callable[[], T]) -> T:
    """Do `write` in a transaction; while the database is away, again until it is back.

    Raises the database's error when that takes too long. What was to be written is then lost, and
    the rows concerned are sent once more when their lease has run out.
    """
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with transaction.atomic():
                return write()
        except (OperationalError, InterfaceError):
            if time.monotonic() >= deadline or connection.in_atomic_block:
                raise
            logger.warning("the database is away, trying again", exc_info=True)
            connection.close()
            time.sleep(0.5)


def persist_in_turn(write: Callable[[], T]) -> T:
    """The same for one of many writes in a row: others get their turn in between.

    On SQLite whoever waits for the lock asks ever more rarely, and would hardly ever find it free.
    """
    start = time.monotonic()
    result = persist(write)
    if connection.vendor == "sqlite":
        time.sleep(min(time.monotonic() - start, LONGEST_TURN))
    return result
