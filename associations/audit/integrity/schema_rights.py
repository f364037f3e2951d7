"""Who may put functions and operators into the schema of the tables, and who has; PostgreSQL.

`outcome = 'linked'` asks for the operator that fits best, wherever it stands on the search path:
one of somebody else's there is run by the owner, with all that the owner may. So what is asked
here names PostgreSQL's own, or compares what only that compares.
"""

from typing import Any

from django.db import connections

from associations.models import AssociationRequest

_TRUSTED = f"""
WITH trusted AS (
    SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper
    UNION SELECT datdba FROM pg_catalog.pg_database
    WHERE datname = pg_catalog.current_database()
    UNION SELECT COALESCE(
        (SELECT relowner FROM pg_catalog.pg_class
         WHERE oid = pg_catalog.to_regclass('{AssociationRequest._meta.db_table}')),
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
    )
    UNION SELECT 'pg_database_owner'::pg_catalog.regrole
), schemas AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
    WHERE nspname = ANY (pg_catalog.current_schemas(false))
)
"""
_CREATORS = f"""
{_TRUSTED}
SELECT DISTINCT
    CASE WHEN a.grantee = 0::oid THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
    nspname
FROM schemas, LATERAL pg_catalog.aclexplode(
    COALESCE(nspacl, pg_catalog.acldefault('n'::"char", nspowner))
) a
WHERE a.privilege_type = 'CREATE'::text AND a.grantee NOT IN (SELECT oid FROM trusted)
"""
_PLANTED = f"""
{_TRUSTED}, found AS (
    SELECT 'pg_proc'::pg_catalog.regclass AS class, p.oid, proowner AS owner, nspname,
           p.oid::regprocedure::text AS name
    FROM pg_catalog.pg_proc p JOIN schemas s ON s.oid = pronamespace
    UNION ALL SELECT 'pg_operator'::pg_catalog.regclass, o.oid, oprowner, nspname,
           o.oid::regoperator::text
    FROM pg_catalog.pg_operator o JOIN schemas s ON s.oid = oprnamespace
)
SELECT nspname, name, pg_catalog.pg_get_userbyid(owner) FROM found
WHERE owner NOT IN (SELECT oid FROM trusted) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = found.class::oid AND d.objid = found.oid AND d.deptype = 'e'::"char"
)
"""


def creators(using: str) -> list[tuple[str, str]]:
    """Return each role but the owner's that may create something, and in which schema."""
    return sorted(_rows(using, _CREATORS))


def planted(using: str) -> list[tuple[str, str]]:
    """Return each function and operator of somebody else's, and whose it is."""
    found = _rows(using, _PLANTED)
    return sorted((_qualified(schema, name), owner) for schema, name, owner in found)


def _qualified(schema: str, name: str) -> str:
    """PostgreSQL names the schema only of what something else is found before."""
    return name if name.startswith(f"{schema}.") else f"{schema}.{name}"


def _rows(using: str, statement: str) -> list[Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
