"""`manage.py migrate`, which never has people wait for it: on PostgreSQL it waits for them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

# Less than PostgreSQL's deadlock_timeout, which is 1 s: of two who wait for each other, it is never
# the page that is broken off. Whoever comes meanwhile waits no longer than that, either.
LOCK_SECONDS = 0.4
PATIENCE = 600.0  # seconds, for a backup or a long query that has a table in use
LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"


class Command(migrate.Command):
    """As Django's; but what finds a table in use gives way, and is tried again."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Each migration is a transaction, so the ones that are done stay done."""
        until, pause = time.monotonic() + PATIENCE, LOCK_SECONDS
        while True:
            try:
                with _short_waits(options["database"]):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") not in (LOCK_NOT_AVAILABLE, DEADLOCK):
                    raise
                if time.monotonic() > until:
                    raise CommandError(
                        f"Somebody has had a table in use for {PATIENCE:.0f} seconds, perhaps a "
                        "backup. What was migrated before stays; run it again afterwards."
                    ) from error
            if options["verbosity"] >= 1:
                self.stdout.write("  A table is in use; trying again.")
            time.sleep(pause)
            pause = min(2 * pause, 10.0)


@contextmanager
def _short_waits(using: str) -> Iterator[None]:
    connection = connections[using]
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
