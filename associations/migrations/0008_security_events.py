"""Security events, and a client's request id beside our own.

What people did with runs stood in BulkEvent, which anybody could change: it is copied. The old
table stays for one release, so that a server of the release before goes on working beside this one;
it refers to no other table any more, so that runs can be deleted by who does not know of it.
"""

from collections.abc import Iterator
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps

# What keeps the id of a request, and now the one beside it that a client or a proxy gave it.
WITH_ID = ("AssociationRequest", "AssociationCheck", "AuditExport")
RENAMED = {"went_on": "run_resumed", "done": "run_ended"}
AT_ONCE = 1_000


def copy_events(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """In their order, with their times. `copied_from` says that they are older than their row."""
    using = schema_editor.connection.alias
    old = apps.get_model("associations", "BulkEvent").objects.using(using).order_by("id")
    event = apps.get_model("associations", "SecurityEvent")
    last = 0
    while part := list(old.filter(id__gt=last).values()[:AT_ONCE]):
        copies = (event(**_copied(row)) for row in part)
        event.objects.using(using).bulk_create(copies)
        last = part[-1]["id"]


def _copied(row: dict[str, Any]) -> dict[str, Any]:
    # A run that had come to its end said so as one that somebody canceled did.
    is_end = row["what"] == "canceled" and row["user_id"] is None
    what = "run_ended" if is_end else RENAMED.get(row["what"], f"run_{row['what']}")
    kept = {name: row[name] for name in ("at", "user_id", "user_name", "run_id")}
    return {**kept, "what": what[:30], "facts": {"copied_from": row["id"]}}


def keep_the_log(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Refuse to go back where that would lose what the log holds, and with it what was sealed."""
    if what := next(_lost(apps, schema_editor.connection.alias), ""):
        raise IrreversibleError(
            f"The audit log holds {what}; to go back would lose them. Restore the backup from "
            "before the upgrade instead, or stay: `manage.py migrate` puts the log's triggers back."
        )


def _lost(apps: StateApps, using: str) -> Iterator[str]:
    for name in WITH_ID:
        rows = apps.get_model("associations", name).objects.using(using)
        if rows.exclude(client_request_id="").exists():
            yield "request ids of clients"
    events = apps.get_model("associations", "SecurityEvent").objects.using(using)
    if events.exclude(facts__has_key="copied_from").exists():
        yield "security events"


def leave_no_orphans(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Going back: what was said of a run that is gone meanwhile would refer to nothing."""
    runs = apps.get_model("associations", "BulkRun").objects.using(schema_editor.connection.alias)
    events = apps.get_model("associations", "BulkEvent").objects
    events.using(schema_editor.connection.alias).exclude(run_id__in=runs.values("id")).delete()


def client_request_id() -> models.CharField:
    """With a default in the database: a server of the release before names no such column."""
    return models.CharField(blank=True, db_default="", default="", max_length=64)


def of_run(**options: Any) -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.DO_NOTHING,
        db_constraint=False,
        to="associations.bulkrun",
        **options,
    )


def of_user(**options: Any) -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("associations", "0007_signed_verifications"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            migrations.AddField(name, "client_request_id", client_request_id())
            for name in (*WITH_ID, "BulkRun")
        ),
        migrations.AlterField("BulkEvent", "run", of_run(related_name="+")),
        migrations.AlterField("BulkEvent", "user", of_user(db_constraint=False)),
        migrations.RunPython(migrations.RunPython.noop, leave_no_orphans),
        migrations.CreateModel(
            name="SecurityEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("what", models.CharField(max_length=30)),
                ("user", of_user()),
                ("user_name", models.CharField(blank=True, max_length=200)),
                ("user_email", models.CharField(blank=True, max_length=254)),
                ("role", models.CharField(blank=True, max_length=10)),
                ("run", of_run(null=True, related_name="events")),
                ("facts", models.JSONField(default=dict)),
                ("client_ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("client_request_id", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "ordering": ["id"],
                "indexes": [
                    models.Index(fields=["user", "id"], name="event_by_user"),
                    models.Index(fields=["what", "id"], name="event_by_kind"),
                ],
            },
        ),
        migrations.RunPython(copy_events, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("BulkEvent")]
        ),
        migrations.RunPython(migrations.RunPython.noop, keep_the_log),
    ]
