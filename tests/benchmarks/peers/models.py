from django.conf import settings
from django.db import models

if settings.PEER == "auditlog":
    from auditlog.registry import auditlog
if settings.PEER == "simple_history":
    from simple_history.models import HistoricalRecords


class LinkRequest(models.Model):
    class Status(models.TextChoices):
        SENDING = "sending", "Sending"
        LINKED = "linked", "Linked"
        FAILED = "failed", "Failed"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    from_object_type = models.CharField("From object type", max_length=100)
    from_object_id = models.CharField("From object id", max_length=20)
    to_object_type = models.CharField("To object type", max_length=100)
    to_object_id = models.CharField("To object id", max_length=20)
    reason = models.TextField(blank=True)
    status = models.CharField(choices=Status, default=Status.SENDING, max_length=10)
    http_status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)
    if settings.PEER == "simple_history":
        history = HistoricalRecords()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        ends = (self.from_object_type, self.from_object_id, self.to_object_type, self.to_object_id)
        return "{} {} → {} {}".format(*ends)


if settings.PEER == "auditlog":
    auditlog.register(LinkRequest)
