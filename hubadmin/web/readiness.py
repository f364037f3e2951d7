"""What a process needs to do its work, for /readyz; an app adds its own when it is ready."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from typing import Any

from django.contrib.sessions.models import Session
from django.db import Error as DBError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

logger = logging.getLogger(__name__)

REMEMBERED_SECONDS = 30
WRITE_EVERY = 10.0  # seconds, of each process; a probe in between is told what the last one found
LOCK_SECONDS = 1  # that it waits for a database where others are writing
WRITTEN = "readyz-"  # a row among the sessions; no cookie can name a key with a dash


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


class _Write:
    """A tiny write, and what came of the last one.

    That it was committed is the only proof that the next entry can be: what is rolled back reaches
    no disk, and what people wrote lately tells nothing where nobody writes.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        self._due_at, self._is_refused = 0.0, False

    def is_refused(self) -> bool:
        if self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._is_refused

    def _look(self) -> None:
        if time.monotonic() < self._due_at:
            return
        try:
            write()
            self._is_refused = False
        except DBError as error:
            if _is_busy(error):
                return  # others are writing, so it can be written; the next probe tries again
            logger.error("the database cannot be written", extra={"why": str(error).strip()})
            self._is_refused = True
        self._due_at = time.monotonic() + WRITE_EVERY


_last_write = _Write()
is_write_refused = _last_write.is_refused


def write() -> None:
    """Have a row of our own committed. Raises DBError."""
    row = Session(pk=WRITTEN, expire_date=timezone.now() + timedelta(days=1))
    with _no_long_wait(), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        Session.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["pk"], update_fields=["expire_date"]
        )


@contextmanager
def _no_long_wait() -> Iterator[None]:
    """On SQLite, which may wait for others for as long as its settings say."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {before}")


def _is_busy(error: DBError) -> bool:
    """Whether somebody else holds a lock: SQLite's words, and PostgreSQL's code."""
    cause = error.__cause__
    return "locked" in str(cause) or getattr(cause, "sqlstate", "") == "55P03"


def state() -> tuple[int, dict[str, Any]]:
    """Return what /readyz answers: an HTTP status, and what it tells."""
    try:
        missing = {name: check() for name, check in CHECKS.items()}
        is_up_to_date = not any(missing.values())
        is_refused = is_up_to_date and is_write_refused()
        found = warnings() if is_up_to_date else {}
    except DBError:
        logger.exception("not ready")
        return 503, {"status": "failed", "database": "unreachable"}
    for name, lacking in missing.items():
        if lacking:
            return 503, {"status": "failed", f"{name}_missing": lacking}
    if is_refused:
        return 503, {"status": "failed", "database": "not writable"}
    status = {"status": "degraded" if found else "ok"}
    return 200, status | dict.fromkeys(["database", *missing], "ok") | found


def forget() -> None:
    """Look anew the next time."""
    _remembered.clear()
    _last_write.forget()
