"""Values that a column can be made to hold, and that the code cannot read, by the kind of field."""

from collections.abc import Iterator

from django.db import connection, models

DEEP = 3_000
_ON_SQLITE = ["CAST(x'ff' AS TEXT)", "CAST(x'eda080' AS TEXT)", "x'00'", "'a' || char(0)"]


def unreadable_values(field: models.Field) -> Iterator[str]:
    """SQL of each such value; the database refuses none of them once its checks are off."""
    on_postgresql = connection.vendor == "postgresql"
    if field.primary_key:  # SQLite's are numbers, whatever else it takes
        yield from ("-1", "0", "1234567890123456789")
        return
    if not on_postgresql and not isinstance(field, models.ForeignKey):
        yield from _ON_SQLITE
    match field:
        case models.ForeignKey():
            return  # it would have to exist
        case models.DateTimeField():
            yield from ("'20000-01-01 00:00'", "'0001-01-01 00:00'", "'9999-12-31 23:59:59'")
            yield from ("'infinity'", "'-infinity'", "'1999-12-31 23:59:59'")
            if not on_postgresql:
                yield from ("'now'", "'2026-02-31 10:00:00'", "2461000.5", "7", "'2026-11-27'")
        case models.JSONField():
            yield from _json(on_postgresql)
        case models.BooleanField():
            yield from () if on_postgresql else ("7", "'yes'")
        case models.IntegerField():
            yield "-1"
            yield from ("1" + "0" * 15,) if isinstance(field, models.BigIntegerField) else ()
            yield from () if on_postgresql else ("'many'", "1.5")
        case models.CharField() | models.TextField():
            if field.choices:
                length = field.max_length or 0
                yield from (f"'{code[:length]}'" for code in ("odd{0}%s", "<b>", "Ä", "a b"))
            if not on_postgresql:
                yield "17"
                yield from [f"'{'long ' * field.max_length}'"] if field.max_length else []


def _json(on_postgresql: bool) -> Iterator[str]:
    yield from ("'\"text\"'", "'5'", "'null'", "'true'", "'{}'", "'[]'")
    yield from (f"'{'[' * depth}{']' * depth}'" for depth in (DEEP if on_postgresql else 950, 66))
    nested = '{"a":' * DEEP + "1" + "}" * DEEP
    yield f"'{nested}'" if on_postgresql else "'{\"a\": }'"
    yield from ("'[1e400]'", "'{\"a\": -1e400}'", f"'[{'9' * 5000}]'")
    if not on_postgresql:
        yield from ("'[\"\\ud800\"]'", '\'{"a": "\\ud800"}\'', "'[NaN]'")


# What a column of JSON may hold, and no page expects.
ODD_JSON = (
    *("[1]", "[null]", '["x"]', "[[]]", "[{}]", '[{"from": 1, "to": [2], "label": 5}]'),
    *('{"a": 1}', '{"message": {"x": []}}', '{"Retry-After": 5, "X-HubSpot-RateLimit-Daily": 1}'),
    *('{"errors": 7}', '[{"errors": [1, {"message": 5}], "context": [1], "links": 5}]'),
    *('[{"context": {"missingScopes": 5}, "category": {}}]', "[[1, 2, 3]]", '[["a", "b"]]'),
)
