"""The triggers in the database: they keep the log append-only, and SQLite's text index up to date.

Where a migration could not work under them they are taken off before it; what is missing is
installed after every one. Whatever is missing, switched off or changed is found by `problems()`.
"""

import hashlib
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import OperationalError, connections, models, transaction

from associations.models import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditErasure,
    AuditExport,
    AuditPruning,
    AuditSeal,
    AuditTimestamp,
    AuditVerification,
    RecordNames,
    SecurityEvent,
)
from associations.models.querysets import NAMES, NAMES_INDEX, TEXT_INDEX, TEXTS

# Of these no row ever changes.
_FIXED = (
    *(AssociationAttempt, AssociationBatch, AssociationCheck),
    *(AuditSeal, AuditPruning, AuditVerification, SecurityEvent, RecordNames, AuditErasure),
    AuditTimestamp,
)
# What an entry says from its first moment on; only the answer to it may be filled in.
ASKED = (
    "id user_id user_name user_email from_object_type from_object_id to_object_type to_object_id "
    "reason api_version created_at client_ip user_agent request_id "
    "client_request_id submit_key run_id row_number from_name_digest to_name_digest undoes_id"
)
# And an export; only how it ended.
TAKEN = "id user_id user_name format query started_at client_ip request_id client_request_id"
OPEN = ", ".join(f"'{outcome}'" for outcome in OPEN_OUTCOMES)
PREFIX = "hubadmin_"
PATIENCE = 60  # seconds for which whoever lifts the guards tries to get at the tables
LOCK_SECONDS = 0.4  # less than PostgreSQL's deadlock_timeout, which is 1 s
_LOCK_NOT_AVAILABLE = "55P03"
_SET_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"


@dataclass(frozen=True, slots=True)
class Trigger:
    """`sql` creates it, `drop` takes it off, `mark` is what the database tells of it if whole."""

    name: str
    table: str
    sql: str
    drop: str
    mark: str
    # Of one that guards columns: which, and all else that the database tells of it.
    columns: frozenset[str] = frozenset()
    rest: str = ""

    def is_whole(self, found: "_Found | None") -> bool:
        """Whether this is what the database has, or what a later version has made of it.

        That one guards its own new columns as well. While machines are upgraded one after the
        other, the columns that this version knows are guarded as they were.
        """
        if found is None or found.mark == self.mark:
            return found is not None
        further = found.columns - self.columns
        is_more = bool(self.columns) and found.columns > self.columns and found.rest == self.rest
        return is_more and not further & _KNOWN_COLUMNS[self.table]

    @property
    def tables(self) -> set[str]:
        return {self.table, *(each for each in (TEXT_INDEX, NAMES_INDEX) if each in self.sql)}


class _Found(NamedTuple):
    """What a database has of a trigger that stands in force: as it is with Trigger."""

    mark: str
    columns: frozenset[str] = frozenset()
    rest: str = ""


_KNOWN_COLUMNS = {
    model._meta.db_table: frozenset(field.column for field in model._meta.concrete_fields)
    for model in (AssociationRequest, AuditExport)
}
_OF_COLUMNS = re.compile(r"(.+ UPDATE) OF ([a-z_, ]+)( ON .+)", re.S)


def _parted(sql: str) -> tuple[frozenset[str], str]:
    """The columns that a trigger guards, as its SQL has them, and what remains of that."""
    if found := _OF_COLUMNS.fullmatch(sql):
        return frozenset(found[2].split(", ")), found[1] + found[3]
    return frozenset(), sql


@dataclass(frozen=True, slots=True)
class _Guard:
    """What one table refuses. `event` is the same SQL on both databases, and so is `condition`.

    But for one that PostgreSQL would tell in other words once it is restored from a backup, or that
    would ask for an operator of whoever has planted one: `on_postgresql` says the same for it.
    """

    table: str
    name: str
    event: str
    why: str
    condition: str = ""
    on_postgresql: str = ""


def _guards(missing: Collection[str] = ()) -> Iterator[_Guard]:
    entry, export = (model._meta.db_table for model in (AssociationRequest, AuditExport))
    columns = ", ".join(name for name in ASKED.split() if name not in missing)
    why = "a closed entry of the audit log never changes"
    # But for what the look afterwards shows, for which it waits: no seal holds it before.
    looked = "" if "look_due" in missing else " AND OLD.look_due IS NULL"
    closed = (
        f"OLD.outcome NOT IN ({OPEN}){looked}",
        " AND ".join(
            f"OLD.outcome::pg_catalog.text OPERATOR(pg_catalog.<>) '{each}'::pg_catalog.text"
            for each in OPEN_OUTCOMES
        )
        + looked,
    )
    yield _Guard(entry, "closed", "UPDATE", why, *closed)
    yield _Guard(entry, "asked", f"UPDATE OF {columns}", "what an entry asked for never changes")
    yield _Guard(
        export, "closed", "UPDATE", "a finished export never changes", "OLD.finished_at IS NOT NULL"
    )
    columns = ", ".join(name for name in TAKEN.split() if name not in missing)
    yield _Guard(export, "taken", f"UPDATE OF {columns}", "what an export took never changes")
    for fixed in _FIXED:
        yield _Guard(fixed._meta.db_table, "fixed", "UPDATE", "rows here never change")
    for model in (AssociationRequest, AuditExport, *_FIXED):
        yield _Guard(model._meta.db_table, "kept", "DELETE", "nothing is deleted from the log")


def expected(vendor: str, missing: Collection[str] = ()) -> list[Trigger]:
    """Every trigger that a database of this kind has to have.

    `missing` are columns that are not there, half way of the migrations.
    """
    if vendor == "postgresql":
        return [*map(_postgresql, _guards(missing)), *map(_against_truncate, _tables())]
    return [
        *map(_on_sqlite, _guards(missing)),
        *map(_against_replace, _unique_keys(missing)),
        *map(_against_renumbering, _tables()),
        *_text_upkeep(),
    ]


def problems(using: str = "default") -> list[str]:
    """Name each trigger that is missing, switched off or not what it should be.

    What is beside these a later version may have put there; strangers.py tells of it.
    """
    connection = connections[using]
    found = _found(connection)
    return [t.name for t in expected(connection.vendor) if not t.is_whole(found.get(t.name))]


def install(using: str = "default") -> None:
    """Install what is missing or has changed; a second time nothing is left to do.

    Half way of the migrations, that is what there are tables for: who goes back to an earlier
    version finds its log guarded, too.
    """
    connection = connections[using]
    wrong, there = set(problems(using)), {*connection.introspection.table_names()}
    if not wrong:
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_REFUSE)
        for trigger in expected(connection.vendor, _missing_columns(connection, there)):
            if trigger.name in wrong and trigger.tables <= there:
                cursor.execute(trigger.drop)
                cursor.execute(trigger.sql)
                if connection.vendor == "postgresql":
                    _note_definition(cursor, trigger)


def make_way(using: str = "default", *, is_backwards: bool = False) -> None:
    """Before a migration, take off what it could not work under.

    SQLite could not make a table anew, and going back takes columns away that are guarded. What is
    added to PostgreSQL's tables is in nobody's way: there the log stays guarded, and servers of the
    release before stay ready.
    """
    if is_backwards or connections[using].vendor != "postgresql":
        remove(using)


def _missing_columns(connection: Any, tables: set[str]) -> set[str]:
    """Those of the tables whose guards name columns; what both have, both got at once."""
    missing = set[str]()
    with connection.cursor() as cursor:
        for meta in (AssociationRequest._meta, AuditExport._meta):
            if meta.db_table in tables:
                # Django would read the whole text of SQLite's tables for it, constraints and all.
                cursor.execute(f"SELECT * FROM {meta.db_table} LIMIT 0")
                wanted = {field.column for field in meta.concrete_fields if field.column}
                missing |= wanted - {column[0] for column in cursor.description}
    return missing


def remove(using: str = "default", *, keep: Collection[str] = ()) -> None:
    """Take off every trigger that this or an earlier version has installed, but those to keep."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for name, table, *_ in _rows(connection):
            if name not in keep:
                on = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER {name}{on}")


@contextmanager
def lifted(using: str = "default") -> Iterator[None]:
    """For the owner of the tables, within one transaction: no guard stands in the way."""
    with transaction.atomic(using=using):
        _remove_patiently(using, keep={trigger.name for trigger in _text_upkeep()})
        _check_keys(using, "DEFERRED")  # whatever refers to another row may go after it
        yield
        _check_keys(using, "IMMEDIATE")  # or the tables count as in use
        install(using)


def _remove_patiently(using: str, keep: Collection[str]) -> None:
    """Take them off, table by table, and begin anew where somebody else has one of the tables.

    PostgreSQL would break off one of two that wait for each other, and that could be a page that
    reads two tables: so this one waits for less long than it takes PostgreSQL to look.
    """
    if connections[using].vendor != "postgresql":
        remove(using, keep=keep)
        return
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with transaction.atomic(using=using), _short_waits(using):
                remove(using, keep=keep)
            return
        except OperationalError as error:
            is_taken = getattr(error.__cause__, "sqlstate", "") == _LOCK_NOT_AVAILABLE
            if not is_taken or time.monotonic() > until:
                raise
        time.sleep(LOCK_SECONDS)  # in which those who wait for this one get on


@contextmanager
def _short_waits(using: str) -> Iterator[None]:
    with connections[using].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        (before,) = cursor.fetchone()
        cursor.execute(_SET_TIMEOUT, [f"{LOCK_SECONDS}s"])
        yield
        cursor.execute(_SET_TIMEOUT, [before])


def _check_keys(using: str, when: str) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET CONSTRAINTS ALL {when}")


# --- SQLite ---------------------------------------------------------------------------------------


def _sqlite(table: str, name: str, event: str, condition: str, body: str) -> Trigger:
    when = f" WHEN {condition}" if condition else ""
    full_name = f"{PREFIX}{table.removeprefix('associations_')}_{name}"
    sql = f"CREATE TRIGGER {full_name} {event} ON {table}{when} BEGIN {body}; END"
    return Trigger(full_name, table, sql, f"DROP TRIGGER IF EXISTS {full_name}", sql, *_parted(sql))


def _on_sqlite(guard: _Guard) -> Trigger:
    body = f"SELECT RAISE(ABORT, '{guard.why}')"
    return _sqlite(guard.table, guard.name, f"BEFORE {guard.event}", guard.condition, body)


def _unique_keys(missing: Collection[str]) -> Iterator[tuple[str, str]]:
    """By what a row could replace another: the table, and the condition that finds that one."""
    same = "id = NEW.id OR (user_id = NEW.user_id AND submit_key = NEW.submit_key)"
    if "run_id" not in missing:
        same += " OR (run_id = NEW.run_id AND row_number = NEW.row_number)"
    yield AssociationRequest._meta.db_table, same
    yield (
        AssociationAttempt._meta.db_table,
        "id = NEW.id OR (request_id = NEW.request_id AND number = NEW.number)",
    )
    yield AuditSeal._meta.db_table, "number = NEW.number OR head = NEW.head"
    for model in (
        *(AssociationBatch, AssociationCheck, AuditExport, AuditPruning),
        *(AuditVerification, SecurityEvent, AuditErasure, AuditTimestamp),
    ):
        yield model._meta.db_table, "id = NEW.id"
    yield RecordNames._meta.db_table, "entry_id = NEW.entry_id"


def _against_replace(key: tuple[str, str]) -> Trigger:
    """REPLACE deletes without the DELETE trigger where `recursive_triggers` is off, its default."""
    table, same = key
    condition = f"EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid OR {same})"
    body = "SELECT RAISE(ABORT, 'nothing in the log is replaced')"
    return _sqlite(table, "replace", "BEFORE INSERT", condition, body)


def _against_renumbering(table: str) -> Trigger:
    """`UPDATE OF id` does not see that `rowid`, which is the same, was set."""
    body = "SELECT RAISE(ABORT, 'the number of a row never changes')"
    return _sqlite(table, "number", "BEFORE UPDATE", "NEW.rowid IS NOT OLD.rowid", body)


# What was taken out of the index is in its pages until they are merged.
REBUILD_NAMES = f"INSERT INTO {NAMES_INDEX}({NAMES_INDEX}) VALUES ('rebuild')"


def _text_upkeep() -> Iterator[Trigger]:
    yield from _upkeep(AssociationRequest, "id", "text", TEXT_INDEX, TEXTS)
    yield from _upkeep(RecordNames, "entry_id", "names", NAMES_INDEX, NAMES)


def _upkeep(
    model: type[models.Model], key: str, name: str, index: str, texts: tuple[str, ...]
) -> Iterator[Trigger]:
    table, named = model._meta.db_table, ", ".join(texts)

    def of(row: str, template: str = "{}.{}", between: str = ", ") -> str:
        return between.join(template.format(row, each) for each in texts)

    def has_text(row: str) -> str:
        return of(row, "{}.{} <> ''", " OR ")

    columns = f"INSERT INTO {index}(rowid, {named})"
    add = f"{columns} VALUES (NEW.{key}, {of('NEW')})"
    command = columns.replace("(rowid", f"({index}, rowid")
    forget = f"{command} VALUES ('delete', OLD.{key}, {of('OLD')})"
    changed = f"({of('OLD')}) IS NOT ({of('NEW')})"
    before, after = (f"{when} UPDATE OF {named}" for when in ("BEFORE", "AFTER"))
    yield _sqlite(table, f"{name}_new", "AFTER INSERT", has_text("NEW"), add)
    # Two, as what had no text before is not in the index.
    yield _sqlite(table, f"{name}_old", before, f"({has_text('OLD')}) AND {changed}", forget)
    yield _sqlite(table, f"{name}_added", after, f"({has_text('NEW')}) AND {changed}", add)
    yield _sqlite(table, f"{name}_gone", "BEFORE DELETE", has_text("OLD"), forget)


# --- PostgreSQL -----------------------------------------------------------------------------------

_REFUSE_BODY = (
    "BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END"
)
_REFUSE = f"""
CREATE OR REPLACE FUNCTION {PREFIX}refuse() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $${_REFUSE_BODY}$$
"""


def _postgresql(guard: _Guard, *, each: str = "ROW") -> Trigger:
    table = guard.table
    name = f"{PREFIX}{table.removeprefix('associations_')}_{guard.name}"

    def create(condition: str) -> str:
        when = f" WHEN ({condition})" if condition else ""
        return (
            f"CREATE TRIGGER {name} BEFORE {guard.event} ON {table} FOR EACH {each}{when} "
            f"EXECUTE FUNCTION {PREFIX}refuse('{guard.why}')"
        )

    # By what is the same on both databases: so a server of the release before knows it, too.
    mark = hashlib.sha256(create(guard.condition).encode()).hexdigest()[:16]
    sql = (
        f"{create(guard.on_postgresql or guard.condition)}; "
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}; "
        f"COMMENT ON TRIGGER {name} ON {table} IS '{mark}'"
    )
    drop, (columns, _) = f"DROP TRIGGER IF EXISTS {name} ON {table}", _parted(create(""))
    return Trigger(name, table, sql, drop, mark, columns, table + guard.why)


def _tables() -> list[str]:
    return sorted({guard.table for guard in _guards()})


def _against_truncate(table: str) -> Trigger:
    guard = _Guard(table, "whole", "TRUNCATE", "the log is not emptied")
    return _postgresql(guard, each="STATEMENT")


# --- what a database has --------------------------------------------------------------------------

_SQLITE_FOUND = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
# A trigger counts only while it always fires, and calls a function that does refuse and that nobody
# can change who may not change the table.
_POSTGRESQL_FOUND = """
SELECT t.tgname, t.tgrelid::regclass::text,
       CASE WHEN t.tgenabled = 'A' AND p.prosrc = %s AND (p.proowner = c.relowner OR o.rolsuper)
             AND pg_catalog.split_part(d.note, ' ', 2) = d.definition
            THEN pg_catalog.split_part(d.note, ' ', 1) END,
       CASE WHEN t.tgtype = 19 AND t.tgqual IS NULL THEN d.columns END,
       pg_catalog.encode(t.tgargs, 'escape')
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_roles o ON o.oid = p.proowner, LATERAL (
    SELECT pg_catalog.obj_description(t.oid, 'pg_trigger') AS note,
           pg_catalog.md5(pg_catalog.pg_get_triggerdef(t.oid)) AS definition,
           (SELECT pg_catalog.array_agg(a.attname::pg_catalog.text)
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::pg_catalog.int2[]))
           AS columns
) d WHERE NOT t.tgisinternal
"""
_DEFINITION = """
SELECT md5(pg_get_triggerdef(oid)) FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass
"""


def _note_definition(cursor: Any, trigger: Trigger) -> None:
    """Keep with a trigger what PostgreSQL says it is: its table, its event, its condition."""
    cursor.execute(_DEFINITION, [trigger.name, trigger.table])
    note = f"{trigger.mark} {cursor.fetchone()[0]}"
    cursor.execute(f"COMMENT ON TRIGGER {trigger.name} ON {trigger.table} IS '{note}'")


def _rows(connection: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FOUND, [_REFUSE_BODY])
        else:
            cursor.execute(_SQLITE_FOUND)
        return [row for row in cursor.fetchall() if row[0].startswith(PREFIX)]


def _found(connection: Any) -> dict[str, _Found]:
    """Those that are in force, by name."""
    if connection.vendor == "postgresql":
        return {
            name: _Found(mark, frozenset(columns or ()), table + why.removesuffix(r"\000"))
            for name, table, mark, columns, why in _rows(connection)
            if mark
        }
    return {name: _Found(sql, *_parted(sql)) for name, _, sql in _rows(connection)}
