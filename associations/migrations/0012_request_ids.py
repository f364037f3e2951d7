"""An index more: entries are found by the id of the request that asked for them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('associations', '0011_record_names'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='associationrequest',
            index=models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id', 'created_at', 'id'], name='request_by_request_id'),
        ),
    ]
