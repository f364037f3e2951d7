"""What records were called when they were seen, in a form that can be erased and yet be proven.

All of it is added, with defaults that a server of the release before may leave out.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps

import associations.models.readable

# As the lookup `icontains` asks, so that PostgreSQL can use it.
POSTGRESQL = """
CREATE INDEX associations_names_text ON associations_recordnames USING gin (
    UPPER(from_name::text) gin_trgm_ops, UPPER(from_typed::text) gin_trgm_ops,
    UPPER(to_name::text) gin_trgm_ops, UPPER(to_typed::text) gin_trgm_ops
)
"""
# The triggers that keep it up to date are installed after every migrate, with the others.
SQLITE = """
CREATE VIRTUAL TABLE associations_names_text USING fts5(
    from_name, from_typed, to_name, to_typed,
    content='associations_recordnames', content_rowid='entry_id', tokenize='trigram'
)
"""


def create_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    schema_editor.execute(POSTGRESQL if is_postgresql else SQLITE)


def drop_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    kind = "INDEX" if schema_editor.connection.vendor == "postgresql" else "TABLE"
    schema_editor.execute(f"DROP {kind} associations_names_text")


def keep_the_log(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Refuse to go back where that would lose what the log holds, and with it what was sealed."""
    using = schema_editor.connection.alias
    for name in ("RecordNames", "AuditErasure"):
        if apps.get_model("associations", name).objects.using(using).exists():
            raise IrreversibleError(
                "The audit log holds names of records; to go back would lose them, and the proof "
                "of their entries. Restore the backup from before the upgrade instead, or stay: "
                "`manage.py migrate` puts the log's triggers back."
            )


def _added(model: str, name: str, length: int) -> migrations.SeparateDatabaseAndState:
    """A column, added without a copy: SQLite's own AddField would write the whole table anew."""
    field = models.CharField(blank=True, db_default="", default="", max_length=length)
    column = f"associations_{model} {{}} COLUMN {name}"
    add = f"ALTER TABLE {column.format('ADD')} varchar({length}) DEFAULT '' NOT NULL"
    drop = f"ALTER TABLE {column.format('DROP')}"
    return migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RunSQL(add, drop)],
        state_operations=[migrations.AddField(model, name, field)],
    )


_OF_ROWS = {"name": 200, "typed": 254, "salt": 32}


class Migration(migrations.Migration):

    dependencies = [
        ('associations', '0010_access_ended'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditErasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('erased_at', models.DateTimeField()),
                ('by', models.CharField(max_length=200)),
                ('records', models.JSONField(default=list)),
                ('entries', models.JSONField(default=dict)),
                ('signature', models.CharField(max_length=100)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RecordNames',
            fields=[
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='names', serialize=False, to='associations.associationrequest')),
                ('from_name', models.CharField(blank=True, max_length=200)),
                ('from_typed', models.CharField(blank=True, max_length=254)),
                ('from_salt', models.CharField(blank=True, max_length=32)),
                ('to_name', models.CharField(blank=True, max_length=200)),
                ('to_typed', models.CharField(blank=True, max_length=254)),
                ('to_salt', models.CharField(blank=True, max_length=32)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='associationrequest',
            name='associationrequest_readable',
        ),
        migrations.RemoveConstraint(
            model_name='bulkrow',
            name='bulkrow_readable',
        ),
        *(_added("associationrequest", f"{side}_name_digest", 64) for side in ("from", "to")),
        *(
            _added("bulkrow", f"{side}_{name}", length)
            for side in ("from", "to")
            for name, length in _OF_ROWS.items()
        ),
        migrations.AddConstraint(
            model_name='associationrequest',
            constraint=associations.models.readable.Readable(condition=models.Q(associations.models.readable.Holds('id', 'id', 1000000000000000), associations.models.readable.Holds('user_id', 'id', 1000000000000000), associations.models.readable.Holds('user_name', 'text', 200), associations.models.readable.Holds('user_email', 'text', 254), associations.models.readable.Holds('from_object_type', 'text', 128), associations.models.readable.Holds('from_object_id', 'text', 20), associations.models.readable.Holds('to_object_type', 'text', 128), associations.models.readable.Holds('to_object_id', 'text', 20), associations.models.readable.Holds('reason', 'text', 500), associations.models.readable.Holds('api_version', 'text', 10), associations.models.readable.Holds('outcome', 'code', 12), associations.models.readable.Holds('cause', 'code', 30), associations.models.readable.Holds('http_status', 'number', 32768), associations.models.readable.Holds('status', 'text', 32), associations.models.readable.Holds('results', 'list', 64), associations.models.readable.Holds('num_errors', 'number', 2147483648), associations.models.readable.Holds('errors', 'list', 64), associations.models.readable.Holds('links', 'object', 64), associations.models.readable.Holds('requested_at', 'moment', 26), associations.models.readable.Holds('started_at', 'moment', 26), associations.models.readable.Holds('completed_at', 'moment', 26), associations.models.readable.Holds('error_category', 'text', 100), associations.models.readable.Holds('error_text', 'text', 500), associations.models.readable.Holds('correlation_id', 'text', 100), associations.models.readable.Holds('body', 'text', 67108864), associations.models.readable.Holds('was_linked', 'flag', 1), associations.models.readable.Holds('verified', 'flag', 1), associations.models.readable.Holds('verified_at', 'moment', 26), associations.models.readable.Holds('unverified_cause', 'code', 30), associations.models.readable.Holds('from_merged_into', 'text', 20), associations.models.readable.Holds('to_merged_into', 'text', 20), associations.models.readable.Holds('from_name_digest', 'text', 64), associations.models.readable.Holds('to_name_digest', 'text', 64), associations.models.readable.Holds('created_at', 'moment', 26), associations.models.readable.Holds('sent_at', 'moment', 26), associations.models.readable.Holds('finished_at', 'moment', 26), associations.models.readable.Holds('client_ip', 'address', 39), associations.models.readable.Holds('user_agent', 'text', 300), associations.models.readable.Holds('request_id', 'text', 64), associations.models.readable.Holds('client_request_id', 'text', 64), associations.models.readable.Holds('submit_key', 'text', 64), associations.models.readable.Holds('run_id', 'id', 1000000000000000), associations.models.readable.Holds('row_number', 'number', 2147483648), associations.models.readable.Holds('batch_id', 'id', 1000000000000000)), name='associationrequest_readable'),
        ),
        migrations.AddConstraint(
            model_name='bulkrow',
            constraint=associations.models.readable.Readable(condition=models.Q(associations.models.readable.Holds('id', 'id', 1000000000000000), associations.models.readable.Holds('run_id', 'id', 1000000000000000), associations.models.readable.Holds('number', 'number', 2147483648), associations.models.readable.Holds('line', 'number', 2147483648), associations.models.readable.Holds('from_object_type', 'text', 128), associations.models.readable.Holds('from_object_id', 'text', 20), associations.models.readable.Holds('to_object_type', 'text', 128), associations.models.readable.Holds('to_object_id', 'text', 20), associations.models.readable.Holds('reason', 'text', 500), associations.models.readable.Holds('state', 'code', 10), associations.models.readable.Holds('problem', 'code', 40), associations.models.readable.Holds('problem_field', 'code', 20), associations.models.readable.Holds('facts', 'object', 64), associations.models.readable.Holds('cells', 'object', 64), associations.models.readable.Holds('was_linked', 'flag', 1), associations.models.readable.Holds('from_name', 'text', 200), associations.models.readable.Holds('from_typed', 'text', 254), associations.models.readable.Holds('from_salt', 'text', 32), associations.models.readable.Holds('to_name', 'text', 200), associations.models.readable.Holds('to_typed', 'text', 254), associations.models.readable.Holds('to_salt', 'text', 32)), name='bulkrow_readable'),
        ),
        migrations.AddConstraint(
            model_name='auditerasure',
            constraint=associations.models.readable.Readable(condition=models.Q(associations.models.readable.Holds('id', 'id', 1000000000000000), associations.models.readable.Holds('erased_at', 'moment', 26), associations.models.readable.Holds('by', 'text', 200), associations.models.readable.Holds('records', 'list', 64), associations.models.readable.Holds('entries', 'object', 64), associations.models.readable.Holds('signature', 'text', 100)), name='auditerasure_readable'),
        ),
        migrations.AddConstraint(
            model_name='recordnames',
            constraint=associations.models.readable.Readable(condition=models.Q(associations.models.readable.Holds('entry_id', 'id', 1000000000000000), associations.models.readable.Holds('from_name', 'text', 200), associations.models.readable.Holds('from_typed', 'text', 254), associations.models.readable.Holds('from_salt', 'text', 32), associations.models.readable.Holds('to_name', 'text', 200), associations.models.readable.Holds('to_typed', 'text', 254), associations.models.readable.Holds('to_salt', 'text', 32)), name='recordnames_readable'),
        ),
        migrations.RunPython(create_index, drop_index),
        migrations.RunPython(migrations.RunPython.noop, keep_the_log),
    ]
