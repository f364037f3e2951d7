from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps

# What keeps the id of a request, and now the one beside it that a client or a proxy gave it.
WITH_ID = ("AssociationRequest", "AssociationCheck", "AuditExport")


def keep_the_log(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Refuse to go back where that would lose what the log holds, and with it what was sealed."""
    using = schema_editor.connection.alias
    for name in WITH_ID:
        rows = apps.get_model("associations", name).objects.using(using)
        if rows.exclude(client_request_id="").exists():
            raise IrreversibleError(
                "The audit log holds request ids of clients; to go back would lose them. Restore "
                "the backup from before the upgrade instead, or stay: `manage.py migrate` puts the "
                "log's triggers back."
            )


def client_request_id() -> models.CharField:
    """With a default in the database: a server of the release before names no such column."""
    return models.CharField(blank=True, db_default="", default="", max_length=64)


class Migration(migrations.Migration):
    dependencies = [("associations", "0005_bulk_runs")]

    operations = [
        *(
            migrations.AddField(name, "client_request_id", client_request_id())
            for name in (*WITH_ID, "BulkRun")
        ),
        migrations.RunPython(migrations.RunPython.noop, keep_the_log),
    ]
