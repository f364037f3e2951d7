"""Who is to be told of what: events, what of them was delivered to whom, what is watched.

None of it is part of the audit log. Nothing here says who or which record: events, counts, times.
"""

from django.db import models

from associations.models.readable import restrained


class NoticeEvent(models.TextChoices):
    """Codes, as settings name them, lines of the status page bear them, and receivers get them."""

    RUN_ENDED = "run_ended"
    RUN_PAUSED = "run_paused"  # by itself
    RUN_CHOICE = "run_choice"  # rows wait for somebody to choose a record
    RUN_APPROVAL = "run_approval"  # it waits for a second person
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a code
    SCOPE_MISSING = "scope_missing"
    QUOTA_80 = "quota_80"
    QUOTA_95 = "quota_95"
    VERSION_ENDS = "version_ends"
    CLOCK_DIFFERS = "clock_differs"
    CALLS_FAILING = "calls_failing"
    LINKS_CHANGED = "links_changed"
    SEAL_LATE = "seal_late"
    LOG_ALTERED = "log_altered"
    VERIFICATION_FAILED = "verification_failed"
    WORKER_SILENT = "worker_silent"
    SEALER_SILENT = "sealer_silent"
    TEST = "test"  # somebody tries a receiver


@restrained
class Notice(models.Model):
    """One event that people are told of; rows never change. `key` makes it one of its kind.

    `numbers` are whole numbers by name, `path` is that of the page where one sees more.
    """

    event = models.CharField(max_length=30, choices=NoticeEvent)
    key = models.CharField(max_length=100, unique=True)
    is_over = models.BooleanField(default=False)  # it tells that what had begun is over
    at = models.DateTimeField(db_index=True)  # old ones are cleared
    numbers = models.JSONField(default=dict)
    path = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"notice {self.pk}: {self.key}"


@restrained
class Delivery(models.Model):
    """That a receiver is to have a notice. Without `next_at` nothing more is tried.

    Whoever sends it moves `next_at` on first, so that nobody else does meanwhile.
    """

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="deliveries")
    receiver = models.CharField(max_length=40)  # its name in the settings
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=30, blank=True)  # of the last try; a short name of ours

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "receiver"], name="one_delivery_each")
        ]
        indexes = [
            # what is due
            models.Index(
                fields=["receiver", "next_at"],
                name="delivery_due",
                condition=models.Q(next_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"notice {self.notice_id} for {self.receiver}"


@restrained
class Condition(models.Model):
    """Something that is not as it should be, as long as it lasts and a little longer."""

    event = models.CharField(max_length=30, choices=NoticeEvent, unique=True)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # when it was last so
    is_told = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.event} since {self.began_at}"


@restrained
class Watch(models.Model):
    """When somebody last looked for events, so that few look: one row."""

    began_at = models.DateTimeField()  # what was over before then nobody is told of
    watched_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)  # at HubSpot

    def __str__(self) -> str:
        return f"watched at {self.watched_at}"
