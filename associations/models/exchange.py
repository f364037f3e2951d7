"""What the log keeps of one HTTP exchange with HubSpot."""

from django.db import models

from associations.hubspot.outcomes import Cause


class Exchange(models.Model):
    """One exchange, written as it ended: an answer, a `failure`, or both if its body broke off."""

    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    body_complete = models.BooleanField(default=True)
    failure = models.CharField(
        max_length=30, choices=[(c.value, c.value) for c in Cause], blank=True
    )
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
