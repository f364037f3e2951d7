"""What the log keeps of one HTTP exchange with HubSpot, and of one about many entries."""

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


class AssociationBatch(Exchange):
    """One exchange with HubSpot's batch endpoint, written as it ended. Rows never change.

    The entries that it closed name it; it holds HubSpot's answer about them all.
    """

    run = models.ForeignKey("BulkRun", models.PROTECT, related_name="batches")
    from_object_type = models.CharField(max_length=128)
    to_object_type = models.CharField(max_length=128)
    inputs = models.PositiveIntegerField()
    cause = models.CharField(max_length=30, choices=[(c.value, c.value) for c in Cause])

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"batch {self.pk} of run {self.run_id}: {self.cause}"

    @property
    def others(self) -> int:
        """How many pairs went out beside each."""
        return self.inputs - 1
