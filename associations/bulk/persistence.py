"""Writing what HubSpot has answered, even if the database is away for a moment."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 20.0  # a restart of the database is over by then


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
