"""What a process needs to do its work, for /readyz; an app adds its own when it is ready."""

import time
from collections.abc import Callable
from threading import Lock

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

REMEMBERED_SECONDS = 30


def missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


# Each returns what is missing; in this order, the first that misses something is told.
CHECKS: dict[str, Callable[[], list[str]]] = {"migrations": missing_migrations}
# Each returns what somebody has to look at, though work goes on: no reason to send people away.
WARNINGS: dict[str, Callable[[], list[str]]] = {}
_remembered: dict[str, tuple[float, list[str]]] = {}
_looking = Lock()


def warnings() -> dict[str, list[str]]:
    """What there is to look at, looked for no more often than every REMEMBERED_SECONDS.

    And by one at a time: where much waits it takes a while, and anybody may ask. The others are
    told what was found before.
    """
    if _looking.acquire(blocking=False):
        try:
            _look()
        finally:
            _looking.release()
    return {name: found for name, (_, found) in [*_remembered.items()] if found}


def _look() -> None:
    now = time.monotonic()
    for name, check in WARNINGS.items():
        if name not in _remembered or _remembered[name][0] < now:
            found = check()
            _remembered[name] = time.monotonic() + REMEMBERED_SECONDS, found


def forget() -> None:
    """Look anew the next time."""
    _remembered.clear()
