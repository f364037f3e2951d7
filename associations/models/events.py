"""What changed who may do what, what people did with a run, what they took away or found."""

from django.conf import settings
from django.db import models

from associations.models.readable import restrained


class EventKind(models.TextChoices):
    """Codes, as they are stored, exported and written to the log collector."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    REFUSED = "refused"
    ROLE_CHANGED = "role_changed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    DOWNLOADED = "downloaded"
    RECORDS_SEARCHED = "records_searched"  # by what people know of them, not by their ids
    LINKS_SWEPT = "links_swept"  # a day's look at what was linked; nobody has asked for it
    RUN_UPLOADED = "run_uploaded"
    RUN_APPROVAL_ASKED = "run_approval_asked"
    RUN_APPROVAL_WITHDRAWN = "run_approval_withdrawn"
    RUN_APPROVAL_REFUSED = "run_approval_refused"
    RUN_APPROVAL_EXPIRED = "run_approval_expired"
    RUN_APPROVAL_VOID = "run_approval_void"  # what would be sent was not what was asked for
    RUN_APPROVED = "run_approved"
    RUN_STARTED = "run_started"
    RUN_PAUSED = "run_paused"
    RUN_STOPPED = "run_stopped"  # it paused by itself
    RUN_RESUMED = "run_resumed"
    RUN_TAKEN_OVER = "run_taken_over"  # an admin goes on with it in their own name
    RUN_CANCELED = "run_canceled"  # somebody asked for it
    RUN_ENDED = "run_ended"
    RUN_DISCARDED = "run_discarded"


OF_APPROVALS = (
    *(EventKind.RUN_APPROVAL_ASKED, EventKind.RUN_APPROVAL_WITHDRAWN),
    *(EventKind.RUN_APPROVAL_REFUSED, EventKind.RUN_APPROVAL_EXPIRED),
    *(EventKind.RUN_APPROVAL_VOID, EventKind.RUN_APPROVED),
)
OF_RUNS = "run_"  # what all codes of a run's own begin with


@restrained
class SecurityEvent(models.Model):
    """One event, a part of the log; rows are added, never changed.

    `user` is whom it is about, with name, e-mail and role as they were then; empty where nobody
    could be known, or where a run did it by itself. What an unproven claim says of a person is kept
    nowhere. `facts` are few and short.
    """

    at = models.DateTimeField(db_index=True)
    what = models.CharField(max_length=30)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    user_name = models.CharField(max_length=200, blank=True)
    user_email = models.CharField(max_length=254, blank=True)
    role = models.CharField(max_length=10, blank=True)
    # Without a constraint: a run that was never started may be deleted, what was done with it not.
    run = models.ForeignKey(
        "BulkRun", models.DO_NOTHING, null=True, related_name="events", db_constraint=False
    )
    facts = models.JSONField(default=dict)
    client_ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    client_request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # the list of one person, and of one kind
            models.Index(fields=["user", "id"], name="event_by_user"),
            models.Index(fields=["what", "id"], name="event_by_kind"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}: {self.what}"
