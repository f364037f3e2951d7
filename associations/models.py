"""The audit log. Only services.py writes it; everybody reads it through the QuerySets here."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.urls import reverse

from .hubspot.object_types import label_of
from .hubspot.outcomes import VERDICTS, Cause, Linked, Outcome

if TYPE_CHECKING:
    from hubadmin.models import User

OPEN_OUTCOMES = (Outcome.QUEUED, Outcome.SENDING)


class AssociationRequestQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Admins see every entry, everybody else their own."""
        return self if user.is_admin else self.filter(user=user)

    def of(self, user: "User") -> Self:
        return self.filter(user=user)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def for_list(self) -> Self:
        """Newest first, without what only the entry's own page shows."""
        return self.newest_first().defer("body", "results", "links", "user_agent", "submit_key")

    def page(self, *, size: int, before: int | None = None, after: int | None = None) -> list:
        """Return up to `size` entries older than `before`, or the next newer ones than `after`.

        By id, never by offset: a page keeps its meaning while entries arrive.
        """
        if after is not None:
            return list(self.filter(id__gt=after).order_by("id")[:size])[::-1]
        older = self if before is None else self.filter(id__lt=before)
        return list(older[:size])

    def abandoned(self, sent_before: datetime) -> Self:
        """Entries whose call must have ended by now, one way or the other: its process has died."""
        return self.filter(outcome=Outcome.SENDING, sent_at__lt=sent_before)


class AssociationRequest(models.Model):
    """One request to link two records: who asked for what, and what HubSpot said.

    A closed entry never changes again. Names and shapes of `status` to `completed_at` are HubSpot's
    own (BatchResponsePublicDefaultAssociation); `errors` are its StandardErrors, and the body of a
    refusal is one of them. Times are UTC.
    """

    # Who; the name and e-mail as they were then. People are deactivated, never deleted.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False
    )
    user_name = models.CharField(max_length=200)
    user_email = models.CharField(max_length=254, blank=True)
    # What, and why
    from_object_type = models.CharField(max_length=128)
    from_object_id = models.CharField(max_length=20)
    to_object_type = models.CharField(max_length=128)
    to_object_id = models.CharField(max_length=20)
    reason = models.CharField(max_length=500, blank=True)
    api_version = models.CharField(max_length=10)
    # What became of it
    outcome = models.CharField(max_length=12, choices=[(o.value, o.value) for o in Outcome])
    cause = models.CharField(max_length=30, choices=[(c.value, c.value) for c in Cause], blank=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    status = models.CharField(max_length=32, blank=True)
    results = models.JSONField(default=list)
    num_errors = models.PositiveIntegerField(null=True)
    errors = models.JSONField(default=list)
    links = models.JSONField(default=dict)
    requested_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    error_category = models.CharField(max_length=100, blank=True)
    error_text = models.CharField(max_length=500, blank=True)
    correlation_id = models.CharField(max_length=100, blank=True)
    body = models.TextField(blank=True)  # as received: bounded, the token redacted
    # When, by our clock
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # From where
    client_ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # Says "this very submit": digest of the form's one-time token and what was asked for
    submit_key = models.CharField(max_length=64, null=True)  # noqa: DJ001 - NULL is never a double

    objects = AssociationRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "submit_key"], name="one_entry_per_submit")
        ]
        indexes = [
            # a person's own list, their latest beside the form, and how many a minute they send
            models.Index(fields=["user", "-id"], name="request_by_user"),
            # abandoned(): the few entries that are open
            models.Index(
                fields=["sent_at"],
                name="request_still_sending",
                condition=models.Q(outcome=Outcome.SENDING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_label} → {self.to_label}: {self.outcome}"

    def get_absolute_url(self) -> str:
        return reverse("request", args=[self.pk])

    @property
    def from_label(self) -> str:
        return f"{label_of(self.from_object_type)} {self.from_object_id}"

    @property
    def to_label(self) -> str:
        return f"{label_of(self.to_object_type)} {self.to_object_id}"

    @property
    def is_open(self) -> bool:
        return self.outcome in OPEN_OUTCOMES

    @property
    def linked(self) -> Linked | None:
        """Whether the records are linked, as far as is known; None while nobody can know."""
        return VERDICTS[Cause(self.cause)].linked if self.cause else None

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.sent_at if self.finished_at and self.sent_at else None


class AssociationAttempt(models.Model):
    """One HTTP exchange of a request, written as it ended. Rows are added, never changed."""

    request = models.ForeignKey(
        AssociationRequest, models.PROTECT, related_name="attempts", db_index=False
    )
    number = models.PositiveSmallIntegerField()
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
    # It ended after the request had been closed without it, and changed nothing any more.
    late = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            # also the index for a request's attempts; a row written twice by mistake stays one
            models.UniqueConstraint(fields=["request", "number"], name="one_row_per_attempt")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.http_status or self.failure}"
