from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps


def keep_the_log(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Refuse to go back where that would lose signatures, which seals may hold."""
    using = schema_editor.connection.alias
    verifications = apps.get_model("associations", "AuditVerification").objects.using(using)
    if verifications.exclude(signature="").exists():
        raise IrreversibleError(
            "The audit log holds signed verifications; to go back would lose their signatures. "
            "Restore the backup from before the upgrade instead, or stay: `manage.py migrate` puts "
            "the log's triggers back."
        )


class Migration(migrations.Migration):
    dependencies = [("associations", "0006_merged_records")]

    operations = [
        migrations.AddField(
            model_name="auditverification",
            name="head",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="auditverification",
            name="signature",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        # Last, so that it is the first thing on the way back.
        migrations.RunPython(migrations.RunPython.noop, keep_the_log),
    ]
