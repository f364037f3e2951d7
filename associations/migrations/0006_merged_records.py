from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps

_MODELS = ("associationcheck", "associationrequest")
_COLUMNS = ("from_merged_into", "to_merged_into")
_CAUSES = [
    ("confirmed", "confirmed"),
    ("in_progress", "in_progress"),
    ("not_shown", "not_shown"),
    ("partly_failed", "partly_failed"),
    ("unknown_status", "unknown_status"),
    ("unreadable", "unreadable"),
    ("canceled_by_hubspot", "canceled_by_hubspot"),
    ("unknown_object_type", "unknown_object_type"),
    ("record_not_found", "record_not_found"),
    ("no_default_type", "no_default_type"),
    ("association_limit", "association_limit"),
    ("same_record", "same_record"),
    ("refused", "refused"),
    ("redirected", "redirected"),
    ("token_refused", "token_refused"),
    ("scope_missing", "scope_missing"),
    ("forbidden", "forbidden"),
    ("locked", "locked"),
    ("rate_limited", "rate_limited"),
    ("daily_limit", "daily_limit"),
    ("migrating", "migrating"),
    ("hubspot_error", "hubspot_error"),
    ("hubspot_down", "hubspot_down"),
    ("timed_out", "timed_out"),
    ("connection_lost", "connection_lost"),
    ("interrupted", "interrupted"),
    ("no_connection", "no_connection"),
    ("not_sent", "not_sent"),
]


def keep_the_log(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Refuse to go back where that would lose what the log holds of merges, and its seals."""
    using = schema_editor.connection.alias
    for model in _MODELS:
        rows = apps.get_model("associations", model).objects.using(using)
        if rows.exclude(from_merged_into="", to_merged_into="").exists():
            raise IrreversibleError(
                "The audit log holds entries of records that were merged; to go back would lose "
                "into which. Restore the backup from before the upgrade instead, or stay: "
                "`manage.py migrate` puts the log's triggers back."
            )


def _added(model: str, name: str) -> migrations.SeparateDatabaseAndState:
    """A column that a server of the release before can leave out, added without a copy.

    SQLite's own AddField would write the whole log anew.
    """
    field = models.CharField(blank=True, db_default="", default="", max_length=20)
    column = f"associations_{model} {{}} COLUMN {name}"
    add = f"ALTER TABLE {column.format('ADD')} varchar(20) DEFAULT '' NOT NULL"
    drop = f"ALTER TABLE {column.format('DROP')}"
    return migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RunSQL(add, drop)],
        state_operations=[migrations.AddField(model, name, field)],
    )


def _with_causes(model: str, name: str, *, blank: bool = True) -> migrations.AlterField:
    """The same column, with one more cause to choose from: nothing changes in the database."""
    return migrations.AlterField(
        model, name, models.CharField(blank=blank, choices=_CAUSES, max_length=30)
    )


class Migration(migrations.Migration):
    dependencies = [("associations", "0005_bulk_runs")]

    operations = [
        *(_added(model, name) for model in _MODELS for name in _COLUMNS),
        _with_causes("associationattempt", "failure"),
        _with_causes("associationbatch", "cause", blank=False),
        _with_causes("associationbatch", "failure"),
        _with_causes("associationcheck", "cause"),
        _with_causes("associationrequest", "cause"),
        _with_causes("associationrequest", "unverified_cause"),
        migrations.RunPython(migrations.RunPython.noop, keep_the_log),
    ]
