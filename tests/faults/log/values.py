"""Values for any column of any model: likely ones, strange ones, and some that nobody can read.

Each is an expression of SQL. What columns there are is asked of the models, so that those that
come later are tried as well.
"""

import random
from typing import Any

from django.db import models

from tests.faults.log.databases import on_postgresql

LAST_ID = 2**63 - 1
PAST = ("2001-02-03 04:05:06+00:00", "2025-03-01 12:00:00+00:00", "2000-01-01 00:00:00+00:00")
FUTURE = ("2026-12-31 23:59:59+00:00", "2099-01-01 00:00:00+00:00", "2199-12-31 00:00:00+00:00")
_DEEP = "repeat('[', 3000) || repeat(']', 3000)"
_DEEP_ON_SQLITE = (
    "replace(hex(zeroblob(1500)), '00', '[[') || replace(hex(zeroblob(1500)), '00', ']]')"
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def columns_of(model: type[models.Model]) -> list[models.Field]:
    return [field for field in model._meta.concrete_fields if field.column]


def times_of(model: type[models.Model]) -> list[models.Field]:
    return [field for field in columns_of(model) if isinstance(field, models.DateTimeField)]


def value_for(field: models.Field, chance: random.Random, *, nasty: float = 0.3) -> str:
    """An expression for this column, that is another value than most rows have."""
    found = _nasty(field) if chance.random() < nasty else _usual(field)
    return chance.choice(found)


def unreadable_for(field: models.Field, chance: random.Random) -> str:
    return chance.choice(_nasty(field))


def _usual(field: models.Field) -> list[str]:
    null = ["NULL"] if field.null else []
    if isinstance(field, models.DateTimeField):
        return [*map(quoted, (*PAST, *FUTURE)), *null]
    if isinstance(field, models.JSONField):
        return [_json(text) for text in _SHAPES]
    if isinstance(field, models.BooleanField):
        return ["true", "false", *null]
    if isinstance(field, models.ForeignKey | models.IntegerField):
        return ["0", "1", "2", "3", "200", "404", "500", "32767", *null]
    if isinstance(field, models.GenericIPAddressField):
        return ["'127.0.0.1'", "'2001:db8::1'", *null]
    words = [choice for choice, _ in field.choices or []] or ["x", "another", "9" * 8, "contacts"]
    return [*map(quoted, map(str, words)), "''", *null]


# What HubSpot may not have said so: another shape than the pages know.
_SHAPES = ("[]", "{}", "null", "5", '"x"', "[1]", '{"a": {"b": [null]}}', '[{"label": 5}]')


def _json(text: str) -> str:
    return f"{quoted(text)}{'::jsonb' if on_postgresql() else ''}"


def _nasty(field: models.Field) -> list[str]:
    return _nasty_on_postgresql(field) if on_postgresql() else _nasty_on_sqlite(field)


def _nasty_on_postgresql(field: models.Field) -> list[str]:
    if isinstance(field, models.DateTimeField):
        times = ("infinity", "-infinity", "20000-01-01 00:00+00", "0044-03-15 12:00+00 BC")
        return [*map(quoted, times), "'9999-12-31 23:59:59.999999-12'"]
    if isinstance(field, models.JSONField):
        return [f"({_DEEP})::jsonb", "('[' || repeat('9', 5000) || ']')::jsonb", "'1e400'::jsonb"]
    if isinstance(field, models.ForeignKey | models.IntegerField):
        return ["-1", "2147483647", str(10**15), str(10**18 + 7), str(LAST_ID), str(-LAST_ID)]
    if isinstance(field, models.GenericIPAddressField):
        return ["'10.0.0.0/8'", "'::ffff:1.2.3.4'"]
    if isinstance(field, models.BooleanField):
        return ["NULL"]
    odd = ["'gibberish'", r"E'a\u202Eb'", r"E'\u0001\u001B[31m'", "'<script>'", "'%s {0} \\'"]
    return [*odd, f"repeat('x', {field.max_length or 70_000})", "NULL"]


def _nasty_on_sqlite(field: models.Field) -> list[str]:
    """Its columns take anything, but for the CHECKs that Django makes."""
    anything = ["x'ff00'", "CAST(x'ff' AS TEXT)", "'a' || char(0)", "9e999", str(LAST_ID), "-1"]
    if isinstance(field, models.DateTimeField):
        return [*anything, "'yesterday'", "'20000-01-01 00:00:00'", "''", "'2026-02-30 00:00:00'"]
    if isinstance(field, models.JSONField):
        return [*anything, "'not json'", _DEEP_ON_SQLITE, "'[' || hex(zeroblob(3000)) || '1]'"]
    if isinstance(field, models.CharField | models.TextField):
        return [*anything, "'gibberish'", "char(8238)", "hex(zeroblob(40000))", "NULL"]
    return [*anything, "'x'", "1.5", "''"]


def moment(text: str) -> str:
    """An expression for a time as Django would have written it."""
    return (
        f"{quoted(text)}::timestamptz" if on_postgresql() else quoted(text.removesuffix("+00:00"))
    )


def empty_value(field: models.Field, now: str) -> str:
    """What a row has there that says nothing."""
    if field.null:
        return "NULL"
    if isinstance(field, models.DateTimeField):
        return now
    if isinstance(field, models.JSONField):
        return _json("{}")
    if isinstance(field, models.BooleanField):
        return "false"
    return "0" if isinstance(field, models.IntegerField | models.ForeignKey) else "''"


def literal(value: Any) -> str:
    return "NULL" if value is None else quoted(str(value))
