"""The constraints on what can be read (models/readable.py), around a migration.

A row that is in their way must not keep anybody from upgrading: it is named, and stays.
"""

import logging
from typing import TextIO

from django.apps import apps
from django.db import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connections,
    models,
    transaction,
)

from associations.models.readable import Readable

logger = logging.getLogger("hubadmin.audit")

NAMED = 5  # rows of a table
_POSTGRESQL_FOUND = """
SELECT conname FROM pg_catalog.pg_constraint WHERE contype = 'c' AND NOT convalidated
"""
_SQLITE_FOUND = "SELECT sql FROM sqlite_master WHERE type = 'table'"


def lift(using: str = "default") -> None:
    """Let SQLite make tables anew with whatever stands in them; PostgreSQL looks at new rows."""
    _ignore_on_sqlite(using, "ON")


def restore(using: str = "default", *, say: TextIO | None = None, is_changed: bool = True) -> None:
    """Hold the tables to their constraints again, and name the rows that were there before."""
    _ignore_on_sqlite(using, "OFF")
    check = _validate if connections[using].vendor == "postgresql" else _look_through
    if connections[using].vendor == "postgresql" or is_changed:
        for model, constraint in _constraints(using):
            if ids := check(using, model, constraint):
                _name(model, ids, say)


def _look_through(using: str, model: type[models.Model], constraint: Readable) -> list[int]:
    """Return the first few rows that the constraint would refuse."""
    rows = model._base_manager.using(using).exclude(constraint.condition).order_by("pk")
    try:
        with transaction.atomic(using=using):
            return list(rows.values_list("pk", flat=True)[:NAMED])
    except (OperationalError, ProgrammingError):
        return []  # half way of the migrations: a column is yet to come


def _constraints(using: str) -> list[tuple[type[models.Model], Readable]]:
    """Those that there are, half way of the migrations none; in PostgreSQL only what it doubts."""
    on_postgresql = connections[using].vendor == "postgresql"
    with connections[using].cursor() as cursor:
        cursor.execute(_POSTGRESQL_FOUND if on_postgresql else _SQLITE_FOUND)
        there = " ".join(text for (text,) in cursor.fetchall() if text)
    return [
        (model, own)
        for model in apps.get_app_config("associations").get_models()
        for own in model._meta.constraints
        if isinstance(own, Readable) and own.name in there
    ]


def _validate(using: str, model: type[models.Model], constraint: Readable) -> list[int]:
    """Have PostgreSQL look at the rows of before, while everybody works on."""
    table, name = model._meta.db_table, constraint.name
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    except IntegrityError:
        return _look_through(using, model, constraint)
    return []


def _name(model: type[models.Model], ids: list[int], say: TextIO | None) -> None:
    text = (
        f"Rows of {model._meta.db_table} that hubadmin cannot read: {', '.join(map(str, ids))}"
        f"{', …' if len(ids) == NAMED else ''}. They stay as they are, and are shown as unreadable."
    )
    logger.error("there are rows that cannot be read", extra={"table": model._meta.db_table})
    if say:
        say.write(f"  {text}\n")


def _ignore_on_sqlite(using: str, switch: str) -> None:
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute(f"PRAGMA ignore_check_constraints = {switch}")
