"""A cause more: access_ended. On both databases it changes no table, only what Django knows."""

from django.db import migrations, models

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
    ("access_ended", "access_ended"),
]


class Migration(migrations.Migration):
    dependencies = [("associations", "0009_readable_rows")]

    operations = [
        migrations.AlterField(
            model_name="associationattempt",
            name="failure",
            field=models.CharField(blank=True, choices=_CAUSES, max_length=30),
        ),
        migrations.AlterField(
            model_name="associationbatch",
            name="cause",
            field=models.CharField(choices=_CAUSES, max_length=30),
        ),
        migrations.AlterField(
            model_name="associationbatch",
            name="failure",
            field=models.CharField(blank=True, choices=_CAUSES, max_length=30),
        ),
        migrations.AlterField(
            model_name="associationcheck",
            name="cause",
            field=models.CharField(blank=True, choices=_CAUSES, max_length=30),
        ),
        migrations.AlterField(
            model_name="associationrequest",
            name="cause",
            field=models.CharField(blank=True, choices=_CAUSES, max_length=30),
        ),
        migrations.AlterField(
            model_name="associationrequest",
            name="unverified_cause",
            field=models.CharField(blank=True, choices=_CAUSES, max_length=30),
        ),
    ]
