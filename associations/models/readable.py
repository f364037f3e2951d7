"""What the code can read: the database takes nothing else, and what is else harms no other row.

One table has the kinds of columns, each in PostgreSQL's words, in SQLite's, and for a value that
has come. By the first two a table refuses (`restrained`) and a query leaves out (`with_readable`)
what the code could not read; by the last one `read_rows` finds what stands there nevertheless: it
may be older than the constraints, or of somebody who has taken them off.
"""

import json
from collections.abc import Callable, Collection, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DatabaseError, DataError, connection, connections, models
from django.db.models import ExpressionWrapper, Func, Q, QuerySet, Value
from django.db.models.query import ModelIterable
from django.http import Http404

M = TypeVar("M", bound=models.Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])

MAX_ID = 10**15  # not in it; browsers and spreadsheets count exactly up to nine times that
MAX_DEPTH = 64  # of JSON; Python reads about a thousand levels, less what calls stand around it
MAX_TEXT = 2**26  # characters, where a column has no length of its own
MAX_JSON = 2**24  # bytes; of an answer of 1 MiB every character may have become six
# What may come of a value that none of us wrote: SQLite keeps anything in any column.
UNREADABLE = (
    DatabaseError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
# Codes, of which no field lists the choices. A later version may know more, and this one shows
# those as they are: so it is their form that counts, not the list.
_CODES = {"cause", "format", "lookup_cause", "problem", "problem_field", "stop_cause", "what"}


class _Kind(NamedTuple):
    """What a column may hold besides NULL. `{0}` is the column, `{1}` the most that it holds.

    PostgreSQL's operators and functions are named in full: whoever may create others must not be
    able to have them taken for these. In SQLite's words no space stands after a comma, as that is
    where Django takes the columns of a table apart.
    """

    postgresql: str
    sqlite: str
    takes: Callable[[Any], bool]


def _is_moment(value: Any) -> bool:
    # The first and the last year have no room for every time zone that a page may show them in.
    return isinstance(value, datetime) and MINYEAR < value.year < MAXYEAR


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.encode() or True)


def _is_json(kind: type[Any]) -> Callable[[Any], bool]:
    def takes(value: Any) -> bool:
        return isinstance(value, kind) and _is_text(json.dumps(value, ensure_ascii=False))

    return takes


def _json(name: str, kind: type[Any]) -> _Kind:
    return _Kind(
        f"(pg_catalog.jsonb_typeof({{0}}) OPERATOR(pg_catalog.=) '{name}'"
        " AND NOT pg_catalog.jsonb_path_exists({0}, '$.**{{{1}}}')"
        " AND NOT pg_catalog.jsonb_path_exists({0}, '$.** ? (@ >= 1e300 || @ <= -1e300)')"
        f" AND pg_catalog.octet_length({{0}}::pg_catalog.text) OPERATOR(pg_catalog.<=) {MAX_JSON})",
        f"(CASE WHEN typeof({{0}}) = 'text' AND json_valid({{0}}) AND length({{0}}) <= {MAX_JSON}"
        f" THEN json_type({{0}}) = '{name}' ELSE {{0}} IS NULL END)",
        _is_json(kind),
    )


def _whole(least: int) -> _Kind:
    def takes(value: Any) -> bool:
        return isinstance(value, int) and least <= value < MAX_ID

    return _Kind(
        f"({{0}} OPERATOR(pg_catalog.>=) {least} AND {{0}} OPERATOR(pg_catalog.<) {{1}})",
        f"(typeof({{0}}) IN ('integer','null') AND {{0}} >= {least} AND {{0}} < {{1}})",
        takes,
    )


# What is no UTF-8 SQLite reads as U+FFFD, and so it does the two characters before plane 1.
_SQLITE_TEXT = (
    "typeof({0}) IN ('text','null') AND length({0}) <= {1} AND instr({0},char(0)) = 0"
    " AND replace(replace(replace({0},char(65533),''),char(65534),''),char(65535),'')"
    " NOT GLOB '*' || char(65533) || '*'"
)
_KINDS = {
    "moment": _Kind(
        "({0} OPERATOR(pg_catalog.>=) '2000-01-01 00:00+00'::pg_catalog.timestamptz"
        " AND {0} OPERATOR(pg_catalog.<) '2200-01-01 00:00+00'::pg_catalog.timestamptz)",
        # A day or an hour that there is not, SQLite takes for another one. It rounds, too: so what
        # is less than a second is looked at by itself.
        f"({_SQLITE_TEXT} AND datetime(substr({{0}},1,19),'+0 days') IS substr({{0}},1,19)"
        " AND substr({0},20,1) IN ('','.') AND substr({0},21) NOT GLOB '*[^0-9]*'"
        " AND {0} >= '2000-' AND {0} < '2200-')",
        _is_moment,
    ),
    "code": _Kind(
        "({0} OPERATOR(pg_catalog.~) '^([a-z][a-z0-9_]*)?$')",
        f"({_SQLITE_TEXT} AND {{0}} NOT GLOB '*[^a-z0-9_]*' AND {{0}} NOT GLOB '[^a-z]*')",
        _is_text,
    ),
    "text": _Kind(
        "(pg_catalog.length({0}) OPERATOR(pg_catalog.<=) {1})", f"({_SQLITE_TEXT})", _is_text
    ),
    "address": _Kind("true", f"({_SQLITE_TEXT})", _is_text),
    "id": _whole(1),
    "number": _whole(0),
    "flag": _Kind(
        "true",
        "(typeof({0}) IN ('integer','null') AND {0} IN (0,1))",
        lambda value: isinstance(value, bool),
    ),
    "list": _json("array", list),
    "object": _json("object", dict),
}
_NUMBERS: list[tuple[type[Any], int]] = [
    (models.PositiveSmallIntegerField, 2**15),
    (models.PositiveIntegerField, 2**31),
    (models.PositiveBigIntegerField, MAX_ID),
]


class Holds(Func):
    """Whether a column holds what is of this kind, or nothing."""

    output_field = models.BooleanField()

    def __init__(self, column: str, kind: str, most: int = 0) -> None:
        super().__init__(column)
        self.kind, self.most = _KINDS[kind], most

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self._as(self.kind.postgresql, compiler, connection)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self._as(self.kind.sqlite, compiler, connection)

    def _as(self, words: str, compiler: Any, connection: Any) -> Any:
        template = f"({words.format('%(expressions)s', self.most)} IS NOT FALSE)"
        return self.as_sql(compiler, connection, template=template)


class Readable(models.CheckConstraint):
    """A constraint that PostgreSQL holds new rows to at once, and looks for old ones later.

    It would keep everybody waiting meanwhile, and refuse for ever what has stood there long.
    """

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        sql = super().create_sql(model, schema_editor)
        return f"{sql} NOT VALID" if schema_editor.connection.vendor == "postgresql" else sql


def restrained(model: type[M]) -> type[M]:
    """Mark a model whose table takes only what the code can read."""
    meta = model._meta
    own = Readable(condition=Q(*_conditions(model)), name=f"{meta.model_name}_readable")
    meta.constraints = [*meta.constraints, own]
    vars(meta)["original_attrs"]["constraints"] = meta.constraints  # or migrations miss it
    # As an UnreadableRow says it is; a list asks each row, and to miss an attribute costs a lot.
    model.is_unreadable = False  # type: ignore[attr-defined]
    return model


def _conditions(model: type[models.Model], names: Iterable[str] = ()) -> list[Holds]:
    fields = [model._meta.get_field(name) for name in names] or model._meta.concrete_fields
    # Those named are columns; get_field() would also give what other tables have to do with it.
    return [Holds(each.attname, *_kind_of(each)) for each in fields]  # type: ignore[union-attr]


def _kind_of(field: Any) -> tuple[str, int]:
    """The kind of a column, and the most that it holds."""
    if field.primary_key or field.is_relation:
        return "id", MAX_ID
    for number, most in _NUMBERS:
        if isinstance(field, number):
            return "number", most
    match field:
        case models.DateTimeField():
            return "moment", 26
        case models.BooleanField():
            return "flag", 1
        case models.JSONField():
            return ("list" if field.default is list else "object"), MAX_DEPTH
        case models.GenericIPAddressField():
            return "address", 39
    is_code = bool(field.choices) or field.name in _CODES
    return ("code" if is_code else "text"), field.max_length or MAX_TEXT


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """Stands where a row would that cannot be read; `known` has the columns that were asked for."""

    model: type[models.Model]
    pk: int
    why: str
    known: dict[str, Any] = field(default_factory=dict)

    is_unreadable = True

    def get_absolute_url(self) -> str:
        """Its own page, if a row of this kind has one."""
        own = getattr(self.model(pk=self.pk), "get_absolute_url", None)
        return own() if own and 0 <= self.pk < 10**18 else ""


class UnreadableRowError(Exception):
    """The one row that was asked for cannot be read."""

    def __init__(self, row: UnreadableRow) -> None:
        super().__init__(row)
        self.row = row


def with_readable(rows: Rows, *names: str) -> Rows:
    """Those rows where these columns, or all, hold what can be read."""
    return rows.filter(*_conditions(rows.model, names))


def read_rows(rows: "QuerySet[M]", *known: str) -> list[M | UnreadableRow]:
    """Read the rows of a query, and stand in for each that cannot be read.

    Of these the columns `known` are told, which have to be readable.
    """
    try:
        return [*_checked(rows)]
    except UNREADABLE as error:
        demand_value(error)
        keys = list(rows.values_list("pk", *known))
        each = rows.all()
        each.query.clear_limits()
        read = [_read(each, key[0], dict(zip(known, key[1:], strict=True))) for key in keys]
        found = [row for part in read for row in part]
        if not any(isinstance(row, UnreadableRow) for row in found):
            raise  # it was not a value, but the database
        return found


class KeptQuery(Generic[M]):
    """read_rows() of a query that many pages ask, made into SQL once and not each time.

    Django takes longer to make the SQL of a few joined tables than the database to answer it.
    `query` returns the rows for whole numbers, such as ids, and must not look at these itself:
    it gets others, in whose place each call puts its own.
    """

    def __init__(self, query: "Callable[..., QuerySet[M]]") -> None:
        self._query, self._made = query, cache(self._make)

    def read(self, *numbers: int) -> list[M | UnreadableRow]:
        try:
            found: list[M] = list(ModelIterable(self._asked(numbers)))
            for row in found:
                _check(row)
        except UNREADABLE as error:
            demand_value(error)
            return read_rows(self._query(*numbers))
        return [*found]

    def _asked(self, numbers: tuple[int, ...]) -> Any:
        """What stands for a QuerySet where Django makes rows of answers."""
        model, made, sql, values = self._made(connection.vendor, len(numbers))
        own = dict(zip(_MARKS, numbers, strict=False))
        compiler = copy(made)  # for this thread's connection
        compiler.connection = connection
        told = tuple(own.get(each, each) if isinstance(each, int) else each for each in values)
        compiler.as_sql = lambda: (sql, told)
        query = SimpleNamespace(get_compiler=lambda using: compiler)
        return SimpleNamespace(
            model=model, db=connection.alias, query=query, _known_related_objects={}
        )

    def _make(self, vendor: str, count: int) -> tuple[type[M], Any, str, tuple[Any, ...]]:
        rows = _with_times(self._query(*_MARKS[:count]))
        compiler = rows.query.get_compiler(rows.db)
        return rows.model, compiler, *compiler.as_sql()


_MARKS = (-(10**15), -(10**15) - 1)  # numbers that no row and no query has


def readable_or_404(rows: "QuerySet[M]", pk: int) -> M:
    """Return the one row. Raises Http404, UnreadableRowError."""
    for row in read_rows(rows.filter(pk=pk)):
        if isinstance(row, UnreadableRow):
            raise UnreadableRowError(row)
        return row
    raise Http404


def id_in(text: str) -> int | None:
    """The id that stands in an address; None if it is none, or larger than a database takes."""
    is_id = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if is_id else None


def readable_only(rows: "list[M | UnreadableRow]") -> list[M]:
    return [row for row in rows if not isinstance(row, UnreadableRow)]


def first_readable(rows: "QuerySet[M]") -> M | None:
    """Return the first row, if there is one and it can be read."""
    return next(iter(readable_only(read_rows(rows[:1]))), None)


def _read(rows: "QuerySet[M]", pk: int, known: dict[str, Any]) -> list[M | UnreadableRow]:
    """The row, if it is still there."""
    if not isinstance(pk, int):  # of a seal, whose number SQLite lets be anything
        return [UnreadableRow(rows.model, pk, rows.model._meta.pk.name, known)]
    own = Q(pk__in=[pk])  # not "is": Django knows of ids that a field cannot have, and asks nobody
    try:
        return [*_checked(rows.filter(own))]
    except UNREADABLE as error:
        demand_value(error)
        row = rows.model._base_manager.using(rows.db).filter(own)
        return [UnreadableRow(rows.model, pk, why_unreadable(row, error), known)]


def demand_value(error: BaseException) -> None:
    """Raise the error again, if it was not a value that could not be read, but the database."""
    is_value = isinstance(error, DataError) or "Could not decode" in str(error)  # SQLite's words
    if isinstance(error, DatabaseError) and not is_value:
        raise error


def _checked(rows: "QuerySet[M]") -> list[M]:
    """The rows, if all that was read of them is what their columns may hold. Raises ValueError."""
    found = list(_with_times(rows))
    for row in found:
        _check(row)
    return found


def _with_times(rows: Rows) -> Rows:
    if connections[rows.db].vendor != "sqlite":
        return rows
    model: type[models.Model] = rows.model
    return rows.annotate(has_times=_has_times(model))


@cache
def _has_times(model: type[models.Model]) -> "ExpressionWrapper[Q]":
    """Whether all times are some: what is none SQLite's driver may take for an empty column."""
    times = [each.name for each in model._meta.fields if isinstance(each, models.DateTimeField)]
    conditions = _conditions(model, times) if times else []
    return ExpressionWrapper(Q(Value(True), *conditions), output_field=models.BooleanField())


def demand_times(model: type[models.Model], pks: Collection[int]) -> None:
    """Raise ValueError if one of these rows has a time that is none, as SQLite may have it."""
    rows = model._base_manager.filter(pk__in=pks).exclude(_has_times(model))
    if connections[rows.db].vendor == "sqlite" and rows.exists():
        raise ValueError("a time that is none")


def _check(row: models.Model) -> None:
    if not vars(row).get("has_times", True):
        raise ValueError("a time that is none")
    values = vars(row)
    for name, may_be_null, takes in _demands(type(row)):
        # A column that was not asked for is not among them.
        if name in values and not (may_be_null if values[name] is None else takes(values[name])):
            raise ValueError(name)


@cache
def _demands(model: type[models.Model]) -> list[tuple[str, bool, Callable[[Any], bool]]]:
    """Of each column its name, whether it may be empty, and what it takes: read for every row."""
    fields = model._meta.concrete_fields
    return [(each.attname, each.null, _KINDS[_kind_of(each)[0]].takes) for each in fields]


def why_unreadable(row: "QuerySet[M]", error: BaseException) -> str:
    """Name the columns that hold what they must not; where the database cannot tell, the error."""
    names = [each.attname for each in row.model._meta.concrete_fields]
    for held in row.values_list(*_conditions(row.model)):
        wrong = [name for name, holds in zip(names, held, strict=True) if not holds]
        return ", ".join(wrong) or str(error)
    return str(error)
