"""The sealer's sign of life, for whoever watches it from another process or machine.

A row of the ring's own table (rate_limiter.py), at no number of a slot: it may be lost, and no
disk is waited for.
"""

import logging
from datetime import UTC, datetime

from django.db import Error as DBError
from django.db.backends.base.base import BaseDatabaseWrapper

from associations.gateway.rate_limiter import DIALECTS, SEALER, TABLE, run

logger = logging.getLogger(__name__)

_GIVE = f"""
INSERT INTO {TABLE} (number, used_at) VALUES ({SEALER}, {{now}})
ON CONFLICT (number) DO UPDATE SET used_at = excluded.used_at
"""
_LAST = f"SELECT used_at FROM {TABLE} WHERE number = {SEALER}"


def give() -> None:
    """Tell that the log was looked through just now. Never raises."""

    def write(wrapper: BaseDatabaseWrapper) -> None:
        with wrapper.cursor() as cursor:
            cursor.execute(_GIVE.format(**DIALECTS[wrapper.vendor]))

    try:
        run(write)
    except DBError:
        logger.exception("the sealer's sign of life could not be written")


def last() -> datetime | None:
    """Return when that was, by the database's clock; None if it never was. Raises DBError."""

    def read(wrapper: BaseDatabaseWrapper) -> float | None:
        with wrapper.cursor() as cursor:
            cursor.execute(_LAST)
            row = cursor.fetchone()
            return row[0] if row else None

    seconds = run(read)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
