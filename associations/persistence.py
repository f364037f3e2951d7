"""Writing what HubSpot has answered, even if the database is away for a moment."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

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
