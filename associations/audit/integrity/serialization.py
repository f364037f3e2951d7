"""The canonical form of what is sealed: one line of JSON an item, whose SHA-256 is its digest.

A line holds `kind` and every column that is not empty, an entry's also its `attempts` in order but
for those that came late (they are items of their own, as checks and batches are). Keys are sorted,
nothing stands between tokens, text is UTF-8; times are UTC like 2026-11-24T09:30:00.000000Z. What
is empty (null, "", [] or {}, but not false) is left out, so that a column added later changes no
line that was sealed before it.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError, connection, models

from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditErasure,
    AuditExport,
    AuditPruning,
    AuditVerification,
    SecurityEvent,
)
from associations.models.readable import UNREADABLE

KINDS: dict[str, type[models.Model]] = {
    "entry": AssociationRequest,
    "attempt": AssociationAttempt,
    "check": AssociationCheck,
    "batch": AssociationBatch,
    "export": AuditExport,
    "pruning": AuditPruning,
    "event": SecurityEvent,
    "verification": AuditVerification,
    "erasure": AuditErasure,
}
# How many are read at once: an answer about thousands of pairs may be of megabytes.
ROWS_AT_ONCE = {kind: 10 if kind == "batch" else 2_000 for kind in KINDS}
# Items that came after their entry, and the column that names it.
OWNERS = {"attempt": "request_id", "check": "entry_id"}
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def lines_of(kind: str, ids: Collection[int]) -> dict[int, str]:
    """Return the line of each of these rows, as they are in the database now; by id, in order."""
    return {row["id"]: line for row, line in rows_with_lines(kind, ids)}


def readable_digests_of(kind: str, ids: Collection[int]) -> tuple[dict[int, str], list[int]]:
    """Return the digests of these rows, and the ids of those that hold what nobody can read."""
    try:
        return _digests_of(kind, ids), []
    except UNREADABLE:
        digests: dict[int, str] = {}
        unreadable = []
        for pk in sorted(ids):
            try:
                digests |= _digests_of(kind, [pk])
            except UNREADABLE as error:
                if isinstance(error, OperationalError) and connection.vendor == "postgresql":
                    raise  # there it is never a value, but the database that is away
                unreadable.append(pk)
        if not unreadable:
            raise  # it was not a value, but the database
        return digests, unreadable


def _digests_of(kind: str, ids: Collection[int]) -> dict[int, str]:
    return {row["id"]: digest(line) for row, line in rows_with_lines(kind, ids)}


def rows_with_lines(kind: str, ids: Collection[int]) -> Iterator[tuple[dict[str, Any], str]]:
    """Give each of these rows with its line, by id; no more in memory than is read at once."""
    wanted, size = sorted(ids), ROWS_AT_ONCE[kind]
    for start in range(0, len(wanted), size):
        part = wanted[start : start + size]
        yield from lines_from(kind, KINDS[kind]._default_manager.filter(pk__in=part).order_by("pk"))


def lines_from(kind: str, rows: models.QuerySet[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Give each row of a query, read at once, with its line."""
    found = list(rows.values(*_columns(KINDS[kind])))
    attempts = attempts_of(row["id"] for row in found) if kind == "entry" else {}
    for row in found:
        more = {"attempts": attempts.get(row["id"])} if kind == "entry" else {}
        yield row, line(kind, row, more)


def attempts_of(entries: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the attempts of each of these entries, as far as they came before it was closed."""
    found = defaultdict(list)
    rows = AssociationAttempt.objects.filter(request_id__in=list(entries), late=False)
    for row in rows.order_by("number").values(*_columns(AssociationAttempt)):
        found[row.pop("request_id")].append(_filled(row))
    return found


def line(kind: str, row: dict[str, Any], more: dict[str, Any] | None = None) -> str:
    return json.dumps(
        {"kind": kind, **_filled(row), **_filled(more or {})},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        default=_text,
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def format_moment(moment: datetime) -> str:
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def _columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in _EMPTY}


def _text(value: Any) -> str:
    return format_moment(value) if isinstance(value, datetime) else str(value)
