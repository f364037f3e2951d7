"""Rows as they stand in their lines, put together from what the database's driver gives.

What a line is `serialization.line` says; these are the same bytes. Django's conversions, and a
dictionary and an encoder a row, took several times as long as reading and hashing. Where a value is
not as hubadmin writes it, UnusualError leaves the rows to `line`, which reads them by Django.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from json.encoder import encode_basestring
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import F, Func

Row = Sequence[Any]
_NOTHING = (None, "")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?", re.ASCII).fullmatch
_FLAGS = {True: "true", False: "false"}
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class UnusualError(ValueError):
    """A value is not as hubadmin writes it; it may still be one that can be read."""


class _Moment(Func):
    """A time, on SQLite as the text that it is there: without what its driver would make of it."""

    template = "+%(expressions)s"
    output_field = models.TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


class _Json(Func):
    """The text of a JSON column, or NULL where it is empty, as most are."""

    template = "NULLIF(NULLIF(%(expressions)s, '[]'), '{}')"
    output_field = models.TextField()


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the columns of a table are asked for, and how those are told that are part of a line."""

    places: dict[str, int]
    asked: list[Any]
    told: list[tuple[str, Callable[[Any], str]]]  # by name: what stands before a value, and how


@dataclass(frozen=True, slots=True)
class Stored:
    """What a query gave."""

    rows: list[Row]
    plan: _Plan

    def column(self, name: str) -> list[Any]:
        place = self.plan.places[name]
        return [row[place] for row in self.rows]

    def members(self) -> Iterator[list[str]]:
        """Give of each row what is not empty, such as `"id":17`, by name. Raises UnusualError."""
        told = self.plan.told
        try:
            for row in self.rows:
                yield [
                    before + tell(value)
                    for value, (before, tell) in zip(row, told, strict=False)
                    if value or value not in _NOTHING
                ]
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise UnusualError from error


def read(rows: models.QuerySet[Any], *untold: str) -> Stored:
    """Read the rows of a query at once, all columns; those `untold` are no members."""
    model: type[models.Model] = rows.model
    plan = _plan(model, untold)
    try:
        sql, parameters = rows.values_list(*plan.asked).query.sql_with_params()
    except EmptyResultSet:  # as Django knows without asking
        return Stored([], plan)
    with connections[rows.db].cursor() as cursor:
        cursor.execute(sql, parameters)
        return Stored(cursor.fetchall(), plan)


@cache
def _plan(model: type[models.Model], untold: tuple[str, ...]) -> _Plan:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    names = [*sorted(fields.keys() - {*untold}), *untold]  # the latter behind all that is told
    kinds = {name: _kind_of(fields[name]) for name in names}
    return _Plan(
        places={name: place for place, name in enumerate(names)},
        asked=[ask(name) for name, (ask, _) in kinds.items()],
        told=[(f'"{name}":', tell) for name, (_, tell) in kinds.items() if name not in untold],
    )


def _kind_of(field: Any) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """How a column is asked for and told; `tell` raises where a value is none of its kind."""
    match field:
        case models.DateTimeField():
            return _Moment, _moment
        case models.JSONField():
            return _Json, _json
        case models.BooleanField():
            return F, _FLAGS.__getitem__
        case models.IntegerField() | models.ForeignKey():
            return F, int.__repr__
    return F, encode_basestring


def _moment(value: Any) -> str:
    if isinstance(value, str):  # SQLite's, which is UTC and says no zone
        if not _WRITTEN(value):
            raise UnusualError
        datetime.fromisoformat(value)  # there may be no such day
        whole = f"{value}.000000" if len(value) == 19 else value.ljust(26, "0")
        return f'"{whole[:10]}T{whole[11:]}Z"'
    text = value.isoformat(timespec="microseconds")
    if not text.endswith("+00:00"):  # Django has PostgreSQL tell all in UTC
        raise UnusualError
    return f'"{text[:-6]}Z"'


def _json(text: str) -> str:
    value = json.loads(text)
    if not value and value in (None, "", [], {}):  # as the database does not write it
        raise UnusualError
    return _ENCODER.encode(value)
