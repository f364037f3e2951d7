"""What every room needs of the database: a bound on slow queries, and patience while it is away."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Field, Model

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 20.0  # seconds; a restart of the database is over by then
LONGEST_TURN = 0.1  # seconds
TAKEN_NUMBERS = 100  # that one insert passes over
_PRIMARY_KEY = re.compile(r"_pkey\b|\.id\b")  # as PostgreSQL and SQLite name it in an error
_STEPS = 10_000  # of SQLite's machine between two looks at the clock


class QueryTimeoutError(Exception):
    """The database needs longer for this than a page may wait."""


@contextmanager
def query_timeout(seconds: float) -> Iterator[None]:
    """End queries that take longer. Raises QueryTimeoutError."""
    limited = _postgresql if connection.vendor == "postgresql" else _sqlite
    start = time.monotonic()
    try:
        with limited(seconds):
            yield
    except OperationalError as error:
        if time.monotonic() - start < seconds:
            raise
        raise QueryTimeoutError from error


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


def retry_on_outage(write: Callable[[], T], *, seconds: float = PATIENCE, atomic: bool = True) -> T:
    """Do `write`, in a transaction unless told otherwise; while the database is away, again.

    Once more at least, and for so many seconds. Then its error is raised, and what was to be
    written is lost: what is open in the log stays so, and is closed later by what is known.
    """
    deadline, pause = time.monotonic() + seconds, 0.0
    while True:
        try:
            with transaction.atomic() if atomic else nullcontext():
                return write()
        except (OperationalError, InterfaceError):
            # Within a transaction of the caller's only that one could be tried again.
            if connection.in_atomic_block or (pause and time.monotonic() >= deadline):
                raise
            logger.warning("the database is away, trying again", exc_info=True)
            connection.close()
            time.sleep(pause)
            pause = 0.5


def insert(write: Callable[[], T], *, durable: bool = False) -> T:
    """Do `write`, which adds a row, in a transaction of its own; again if its number is taken.

    Somebody with the right to insert may have given a row a number that was yet to come. Each try
    has the next one, so one row in the way is none of whoever comes honestly. Raises DatabaseError,
    also if a trigger of somebody else's keeps the row out without a word.
    """
    for tries_left in reversed(range(TAKEN_NUMBERS + 1)):
        try:
            with transaction.atomic(durable=durable):
                return write()
        except IntegrityError as error:
            if not (tries_left and _PRIMARY_KEY.search(str(error))):
                raise
        except TypeError as error:  # Django looked for the number of a row that there is not
            raise DatabaseError("the database did not keep the row") from error
    raise AssertionError("the last try returns or raises")


def write_in_turn(write: Callable[[], T]) -> T:
    """The same for one of many writes in a row: others get their turn in between.

    On SQLite whoever waits for the lock asks ever more rarely, and would hardly ever find it free.
    """
    start = time.monotonic()
    result = retry_on_outage(write)
    if connection.vendor == "sqlite":
        time.sleep(min(time.monotonic() - start, LONGEST_TURN))
    return result


def update_each(rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write these fields of rows of one table, each its own values. Part of a transaction.

    Django's bulk_update() makes one statement of all of them, and takes ten times as long for it.
    """
    if not rows:
        return
    meta = rows[0]._meta
    fields: list[Field[Any, Any]] = [meta.get_field(name) for name in names]  # type: ignore[misc]
    values = [
        [*(f.get_db_prep_save(getattr(row, f.attname), connection) for f in fields), row.pk]
        for row in rows
    ]
    columns = ", ".join(f"{field.column} = %s" for field in fields)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {meta.db_table} SET {columns} WHERE id = %s", values)  # noqa: S608
