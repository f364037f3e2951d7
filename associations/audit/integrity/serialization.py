"""The canonical form of what is sealed: one line of JSON an item, whose SHA-256 is its digest.

A line holds `kind` and every column that is not empty, an entry's also its `attempts` in order but
for those that came late (they are items of their own, as checks and batches are). Keys are sorted,
nothing stands between tokens, text is UTF-8; times are UTC like 2026-11-24T09:30:00.000000Z. What
is empty (null, "", [] or {}, but not false) is left out, so that a column added later changes no
line that was sealed before it.
"""

import hashlib
import json
from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError, connection, models

from associations.audit.integrity import stored_rows
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditErasure,
    AuditExport,
    AuditPruning,
    AuditTimestamp,
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
    "timestamp": AuditTimestamp,
}
# How many are read at once: an answer about thousands of pairs may be of megabytes.
ROWS_AT_ONCE = {kind: 10 if kind == "batch" else 2_000 for kind in KINDS}
# Items that came after their entry, and the column that names it.
OWNERS = {"attempt": "request_id", "check": "entry_id"}
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_IDS = ("id", *sorted({*OWNERS.values(), "batch_id"}))


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
    return {pk: digest(text) for pk, text in each_line(kind, ids)}


def each_line(kind: str, ids: Collection[int]) -> Iterator[tuple[int, str]]:
    """Give the line of each of these rows, by id; no more in memory than is read at once."""
    for rows in _parts(kind, ids):
        yield from ((row["id"], text) for row, text in lines_from(kind, rows))


def lines_from(kind: str, rows: models.QuerySet[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Give the line of each row of a query, read at once, and by name the row's own ids."""
    try:
        found = list(_as_stored(kind, rows))
    except stored_rows.UnusualError:
        found = [(row, line(kind, row, more)) for row, more in _as_read(kind, rows)]
    yield from found


def rows_of(kind: str, ids: Collection[int]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give of each of these rows what `line` takes."""
    for rows in _parts(kind, ids):
        yield from _as_read(kind, rows)


def _parts(kind: str, ids: Collection[int]) -> Iterator[models.QuerySet[Any]]:
    wanted, size = sorted(ids), ROWS_AT_ONCE[kind]
    for start in range(0, len(wanted), size):
        among = _among("pk", wanted[start : start + size])
        yield KINDS[kind]._default_manager.filter(among).order_by("pk")


def _among(column: str, ids: list[int]) -> models.Q:
    """The condition for these, in order; by their ends where all between is among them."""
    if ids and ids[-1] - ids[0] == len(ids) - 1:
        return models.Q(**{f"{column}__gte": ids[0], f"{column}__lte": ids[-1]})
    return models.Q(**{f"{column}__in": ids})


def _as_stored(kind: str, rows: models.QuerySet[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    found = stored_rows.read(rows)
    ids = [name for name in _IDS if name in found.plan.places]
    keys = zip(*map(found.column, ids), strict=True)
    attempts = _attempts_as_stored(found.column("id")) if kind == "entry" else {}
    own = f'"kind":"{kind}"'
    for key, members in zip(keys, found.members(), strict=True):
        insort(members, own)
        if told := attempts.get(key[0]):
            insort(members, f'"attempts":[{",".join(told)}]')
        yield dict(zip(ids, key, strict=True)), "{" + ",".join(members) + "}"


def _attempts_as_stored(entries: list[int]) -> dict[int, list[str]]:
    found = defaultdict(list)
    rows = stored_rows.read(_attempts_of(entries), "request_id")
    for entry, members in zip(rows.column("request_id"), rows.members(), strict=True):
        found[entry].append("{" + ",".join(members) + "}")
    return found


def _as_read(
    kind: str, rows: models.QuerySet[Any]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    found = list(rows.values(*_columns(KINDS[kind])))
    attempts = defaultdict[int, list[dict[str, Any]]](list)
    if kind == "entry":
        for row in _attempts_of([row["id"] for row in found]).values(*_columns(AssociationAttempt)):
            attempts[row.pop("request_id")].append(_filled(row))
    for row in found:
        yield row, {"attempts": attempts.get(row["id"])}


def _attempts_of(entries: list[int]) -> models.QuerySet[AssociationAttempt]:
    """Those of these entries that came before they were closed, in order."""
    among = _among("request_id", sorted(entries))
    return AssociationAttempt.objects.filter(among, late=False).order_by("number")


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
