"""What acts on the tables of the log beside hubadmin's own triggers: whoever owns them can add it.

A trigger or a rule of somebody else's may change what is yet to be written, or leave it out; row
security hides what is there.
"""

from typing import Any

from django.db import connection

from associations.audit.integrity import triggers

_POSTGRESQL = """
SELECT 'trigger ' || t.tgname || ' on ' || c.relname
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND c.oid = ANY(%(tables)s::pg_catalog.regclass[])
   AND t.tgname <> ALL(%(own)s)
UNION ALL
SELECT 'rule ' || r.rulename || ' on ' || c.relname
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE c.oid = ANY(%(tables)s::pg_catalog.regclass[])
UNION ALL
SELECT 'row security on ' || c.relname
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY(%(tables)s::pg_catalog.regclass[]) AND c.relrowsecurity
ORDER BY 1
"""
_SQLITE = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"


def find_strangers() -> list[str]:
    """Name each of them."""
    expected = triggers.expected(connection.vendor)
    own, tables = {each.name for each in expected}, sorted({each.table for each in expected})
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            return _on_postgresql(cursor, sorted(own), tables)
        cursor.execute(_SQLITE)
        return [
            f"trigger {name} on {table}"
            for name, table in cursor.fetchall()
            if table in tables and name not in own
        ]


def _on_postgresql(cursor: Any, own: list[str], tables: list[str]) -> list[str]:
    cursor.execute(_POSTGRESQL, {"own": own, "tables": tables})
    return [what for (what,) in cursor.fetchall()]
