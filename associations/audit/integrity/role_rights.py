"""What the role may that this process connects as, beside what deploy/postgresql-roles.sql grants.

PostgreSQL; SQLite has no roles. Each table may be read and added to, but that of migrations, which
is read; what else serving takes stands here, and a test compares it with what that script grants.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from associations.audit.integrity.triggers import ASKED, TAKEN
from associations.models import AssociationRequest, AuditExport

_ENTRY, _EXPORT = AssociationRequest._meta, AuditExport._meta
# Rows of these come and go.
FREE = (
    *("bulkrun", "bulkupload", "bulkrow", "bulkkey", "bulkchunk"),
    *("callslot", "callpause", "worker", "sealer", "sweep"),
    *("notice", "delivery", "condition", "watch"),
)
FREE_ELSEWHERE = (
    *("django_q_ormq", "django_q_task", "django_q_schedule"),
    *("django_session", "hubadmin_providersession", "hubadmin_providerlogout"),
)
READ = MigrationRecorder.Migration._meta.db_table
OF_PEOPLE = ("email", "name", "role", "is_active", "last_login")
_OWN_ROLE = """
SELECT current_user, r.rolsuper, pg_catalog.pg_has_role(c.relowner, 'USAGE')
FROM pg_catalog.pg_roles r, pg_catalog.pg_class c
WHERE r.rolname = current_user AND c.oid = pg_catalog.to_regclass(%s)
"""
_TABLE = """
SELECT name, pg_catalog.has_table_privilege(c.oid, name) FROM pg_catalog.pg_class c,
pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS name
WHERE c.oid = pg_catalog.to_regclass(%s)
"""
_COLUMNS = """
SELECT attname, pg_catalog.has_column_privilege(attrelid, attnum, 'UPDATE')
FROM pg_catalog.pg_attribute
WHERE attrelid = pg_catalog.to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """Which role it is, and by what its rights differ from the script's, such as `DELETE on …`."""

    role: str
    is_superuser: bool
    is_owner: bool
    lacking: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)


def of_this_role(using: str = "default") -> Rights | None:
    """Return what the role may; None where there are no roles, or no tables yet."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(_OWN_ROLE, [_ENTRY.db_table])
        found = cursor.fetchone()
    if found is None:
        return None
    rights = Rights(*found)
    if not rights.is_superuser and not rights.is_owner:
        for table, columns in _granted():
            _compare(using, rights, table, columns)
    return rights


def _granted() -> Iterator[tuple[str, set[str] | None]]:
    """Each table with the columns that may be updated; None: rows may be updated and deleted."""
    free = {f"associations_{name}" for name in FREE} | {*FREE_ELSEWHERE}
    updated = {
        _ENTRY.db_table: _columns(_ENTRY) - {*ASKED.split()},
        _EXPORT.db_table: _columns(_EXPORT) - {*TAKEN.split()},
        "hubadmin_user": {*OF_PEOPLE},
    }
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        yield table, None if table in free else updated.get(table, set())
    yield READ, set()


def _columns(meta: object) -> set[str]:
    return {each.column for each in getattr(meta, "concrete_fields", ())}


def _compare(using: str, rights: Rights, table: str, granted: set[str] | None) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(_TABLE, [table])
        may = {name for name, is_granted in cursor.fetchall() if is_granted}
        cursor.execute(_COLUMNS, [table])
        columns = dict(cursor.fetchall())
    should = {"SELECT"} | ({"INSERT"} if table != READ else set())
    should |= {"DELETE"} if granted is None else set()
    updated = {name for name, is_granted in columns.items() if is_granted}
    wanted = {*columns} if granted is None else granted
    rights.lacking.extend(f"{name} on {table}" for name in sorted(should - may))
    rights.beyond.extend(f"{name} on {table}" for name in sorted(may - should))
    for found, which in ((wanted - updated, rights.lacking), (updated - wanted, rights.beyond)):
        if found:
            is_all = found == {*columns}
            of = "UPDATE on" if is_all else f"UPDATE ({', '.join(sorted(found))}) on"
            which.append(f"{of} {table}")
