"""A bound on how long a page may keep the database busy."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

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
