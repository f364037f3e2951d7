"""Search within texts: trigrams on both databases. The triggers that keep SQLite's up to date are
installed after every migrate, with the others."""

from django.db import migrations

# As the lookup `icontains` asks, so that PostgreSQL can use it.
POSTGRESQL = """
CREATE INDEX associations_request_text ON associations_associationrequest
USING gin (UPPER(reason::text) gin_trgm_ops, UPPER(error_text::text) gin_trgm_ops)
"""
SQLITE = """
CREATE VIRTUAL TABLE associations_request_text USING fts5(
    reason, error_text,
    content='associations_associationrequest', content_rowid='id', tokenize='trigram'
)
"""
SQLITE_FILL = "INSERT INTO associations_request_text(associations_request_text) VALUES('rebuild')"


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        schema_editor.execute(POSTGRESQL)
    else:
        schema_editor.execute(SQLITE)
        schema_editor.execute(SQLITE_FILL)


def drop(apps, schema_editor):
    kind = "INDEX" if schema_editor.connection.vendor == "postgresql" else "TABLE"
    schema_editor.execute(f"DROP {kind} associations_request_text")


class Migration(migrations.Migration):

    dependencies = [("associations", "0002_audit_log")]

    operations = [migrations.RunPython(create, drop)]
