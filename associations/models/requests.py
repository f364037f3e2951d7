"""The audit log. Only audit/recorder/ writes it; everybody reads it through the QuerySets."""

from datetime import timedelta
from functools import lru_cache
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef
from django.urls import get_script_prefix, reverse
from django.utils.functional import cached_property

from associations.hubspot.object_types import label_of
from associations.hubspot.outcomes import OF_UNDO, Cause, Linked, Outcome, verdict_of
from associations.models.querysets import (
    NOT_VERIFIED,
    OPEN_OUTCOMES,
    AssociationRequestQuerySet,
    settled_since,
)
from associations.models.readable import UnreadableRow, read_rows, restrained

# Unless HubSpot had answered an attempt before.
_NEVER_SENT = {
    *(Cause.NO_CONNECTION, Cause.RATE_LIMITED, Cause.ACCESS_ENDED),
    *(Cause.ALREADY_GONE, Cause.NOT_ALONE, Cause.MERGED, Cause.NOT_SEEN_ALONE),
}


@lru_cache(maxsize=8)
def _pages_under(prefix: str) -> str:
    """The address that entries' pages are under, found once: a list has dozens of them."""
    return reverse("request", args=[0]).removesuffix("0/")


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
    call = models.CharField(max_length=10, blank=True, default="", db_default="")  # if no usual one

    class Meta:
        abstract = True


@restrained
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


@restrained
class AssociationRequest(models.Model):
    """One request to link two records, or to undo that: who asked for what, and what HubSpot said.

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
    # What was seen in HubSpot around it; NULL where nobody looked or could
    was_linked = models.BooleanField(null=True)  # by the default type, before it was sent
    was_linked_at = models.DateTimeField(null=True)  # when that was seen
    # The link was there when looked up afterwards; of an undo, that it was gone
    verified = models.BooleanField(null=True)
    verified_at = models.DateTimeField(null=True)
    unverified_cause = models.CharField(
        max_length=30, choices=[(c.value, c.value) for c in Cause], blank=True
    )
    # Closed by HubSpot's answer; the look afterwards is still to be made. True, or NULL
    look_due = models.BooleanField(null=True)
    # Of an undo: the entry whose link it takes back, and by which types the two were linked right
    # before and after: {"at": time, "there": [{category, type_id, label}], "back": [the same]}
    undoes = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        null=True,
        related_name="undos",
        db_index=False,
        db_constraint=False,  # what it names may be pruned before
    )
    links_before = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    links_after = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # The ids that HubSpot has the records under, where those are others than were asked for
    from_merged_into = models.CharField(max_length=20, blank=True, default="", db_default="")
    to_merged_into = models.CharField(max_length=20, blank=True, default="", db_default="")
    # Of what the two were called (see names.py), salted: it proves names, and does not tell them
    from_name_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    to_name_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    # When, by our clock
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # From where; the request's id is ours, `client_request_id` what a client or a proxy called it
    client_ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    client_request_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    # Says "this very submit": digest of the form's one-time token and what was asked for, in 22
    # characters (older ones have 64, all of it in hex)
    submit_key = models.CharField(max_length=64, null=True)  # noqa: DJ001 - NULL is never a double
    # Of which run, if of one, and which row of it; the last batch it went out with, if with one
    run = models.ForeignKey(
        "BulkRun", models.PROTECT, null=True, related_name="entries", db_index=False
    )
    row_number = models.PositiveIntegerField(null=True)
    batch = models.ForeignKey(
        "AssociationBatch", models.PROTECT, null=True, related_name="entries", db_index=False
    )

    objects = AssociationRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "submit_key"], name="one_entry_per_submit"),
            # also the order of a run's results
            models.UniqueConstraint(
                fields=["run", "row_number"],
                name="one_entry_per_row",
                condition=models.Q(run__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["undoes"],
                name="one_undo_at_a_time",
                condition=models.Q(undoes__isnull=False, outcome__in=OPEN_OUTCOMES),
            ),
        ]
        # All but the last end in what the list is ordered by (see querysets.py).
        indexes = [
            # the audit log as it is, and any range of dates
            models.Index(fields=["created_at", "id"], name="request_newest"),
            # a person's own list
            models.Index(fields=["user", "created_at", "id"], name="request_by_user"),
            # the same without runs: their latest beside the form, and how many a minute they send
            models.Index(
                fields=["user", "created_at", "id"],
                name="request_by_hand",
                condition=models.Q(run=None),
            ),
            # the entries of a run, in the audit log
            models.Index(
                fields=["run", "created_at", "id"],
                name="request_by_run",
                condition=models.Q(run__isnull=False),
            ),
            # what a batch closed: to prune it, as the database checks that no entry names it
            models.Index(
                fields=["batch"],
                name="request_by_batch",
                condition=models.Q(batch__isnull=False),
            ),
            # what has undone an entry, or tried to
            models.Index(
                fields=["undoes"],
                name="request_undoes",
                condition=models.Q(undoes__isnull=False),
            ),
            # filter by outcome; "failures today"
            models.Index(fields=["outcome", "created_at", "id"], name="request_by_outcome"),
            # filters by the type of a side
            models.Index(fields=["from_object_type", "created_at", "id"], name="request_from_type"),
            models.Index(fields=["to_object_type", "created_at", "id"], name="request_to_type"),
            # everything about one record, and the entries of the same pair; the type is there to
            # be looked at without the entry, as different types have records of one id
            models.Index(
                fields=["from_object_id", "created_at", "id", "from_object_type"],
                name="request_from_record",
            ),
            models.Index(
                fields=["to_object_id", "created_at", "id", "to_object_type"],
                name="request_to_record",
            ),
            # filter by HTTP status
            models.Index(fields=["http_status", "created_at", "id"], name="request_by_http_status"),
            # filter by error category; most entries have none
            models.Index(
                fields=["error_category", "created_at", "id"],
                name="request_by_category",
                condition=~models.Q(error_category=""),
            ),
            # look-up by HubSpot's correlation id; on PostgreSQL this one and the next are hashes of
            # their first column (migration 0020)
            models.Index(
                fields=["correlation_id", "created_at", "id"],
                name="request_by_correlation",
                condition=~models.Q(correlation_id=""),
            ),
            # look-up by our own id of the request, which error pages and the server's log tell
            models.Index(
                fields=["request_id", "created_at", "id"],
                name="request_by_request_id",
                condition=~models.Q(request_id=""),
            ),
            # filter by what was seen; "verified" alone is met everywhere in the list
            models.Index(
                fields=["created_at", "id"],
                name="request_was_linked",
                condition=models.Q(was_linked=True),
            ),
            models.Index(
                fields=["created_at", "id"],
                name="request_not_verified",
                condition=NOT_VERIFIED,
            ),
            # abandoned(): the few entries that are open
            models.Index(
                fields=["sent_at"],
                name="request_still_sending",
                condition=models.Q(outcome=Outcome.SENDING),
            ),
            # look_due(): the few that wait for their look
            models.Index(
                fields=["sent_at"],
                name="request_look_due",
                condition=models.Q(look_due__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        from_type, to_type = label_of(self.from_object_type), label_of(self.to_object_type)
        sides = f"{from_type} {self.from_object_id} → {to_type} {self.to_object_id}"
        return f"{sides}: {self.outcome}"

    def get_absolute_url(self) -> str:
        return f"{_pages_under(get_script_prefix())}{self.pk}/"

    @cached_property
    def read_attempts(self) -> "list[AssociationAttempt | UnreadableRow]":
        """The attempts in order, each as far as it can be read."""
        return read_rows(self.attempts.all())

    was_undone = False  # see with_undone(), which lists ask with

    @cached_property
    def read_batch(self) -> "AssociationBatch | UnreadableRow | None":
        """The batch that it went out with last."""
        if self.batch_id is None:
            return None
        return next(iter(read_rows(AssociationBatch.objects.filter(pk=self.batch_id))), None)

    @property
    def is_open(self) -> bool:
        return self.outcome in OPEN_OUTCOMES

    @property
    def linked(self) -> Linked | None:
        """Whether the records are linked, as far as is known; None while nobody can know."""
        if self.verified:
            return Linked.NO if self.undoes_id else Linked.YES
        verdict = verdict_of(self.cause)
        if verdict and verdict.linked is Linked.NO and self.undoes_id:
            return Linked.NO if self.cause in OF_UNDO else Linked.YES  # it has changed nothing
        return verdict.linked if verdict else None

    @property
    def ids_left(self) -> tuple[str, str]:
        """Under which ids HubSpot has the two records, as far as is known."""
        return (
            self.from_merged_into or self.from_object_id,
            self.to_merged_into or self.to_object_id,
        )

    @property
    def from_name(self) -> str:
        """What the first record was called when it was seen; empty if that is not kept."""
        return self._kept_name("from_name")

    @property
    def to_name(self) -> str:
        return self._kept_name("to_name")

    @property
    def lacks_a_name(self) -> bool:
        """Whether a name was sealed that is not kept any more."""
        return any(
            getattr(self, f"{side}_name_digest") and not self._kept_name(f"{side}_salt")
            for side in ("from", "to")
        )

    def _kept_name(self, column: str) -> str:
        kept = getattr(getattr(self, "names", None), column, "")
        return kept if isinstance(kept, str) else ""  # SQLite keeps anything

    @property
    def was_never_sent(self) -> bool:
        """Whether nothing of it has left for certain; then `sent_at` is when that was tried."""
        return self.cause in _NEVER_SENT and self.http_status is None

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.sent_at if self.finished_at and self.sent_at else None

    @property
    def time_to_verified(self) -> timedelta | None:
        """How long after it was sent the link was seen."""
        if self.verified and self.verified_at and self.sent_at:
            return self.verified_at - self.sent_at
        return None


@restrained
class AssociationAttempt(Exchange):
    """One HTTP exchange of a request, written as it ended. Rows are added, never changed."""

    request = models.ForeignKey(
        AssociationRequest, models.PROTECT, related_name="attempts", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    # It ended after the request had been closed without it, and changed nothing any more.
    late = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            # also the index for a request's attempts; a row written twice by mistake stays one
            models.UniqueConstraint(fields=["request", "number"], name="one_row_per_attempt")
        ]
        # the few that came late, which are sealed on their own
        indexes = [
            models.Index(fields=["id"], name="attempt_late", condition=models.Q(late=True)),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.http_status or self.failure}"


class Finding(models.TextChoices):
    """What the daily sweep has found that a link has become."""

    GONE = "gone"
    OTHER_TYPE = "other_type"  # by labelled types only, no longer by the default
    MERGED = "merged"  # the link is there, under other ids than before
    FROM_DELETED = "from_deleted"  # archived counts as deleted
    TO_DELETED = "to_deleted"
    NOT_SEEN = "not_seen"  # HubSpot told of other records, but not of this one
    THERE_AGAIN = "there_again"


class AssociationCheckQuerySet(models.QuerySet["AssociationCheck"]):
    def findings(self) -> Self:
        """What the sweep has found, not what people have looked at."""
        return self.exclude(finding="")

    def last_of_each(self) -> Self:
        """Of each entry what was found last."""
        later = self.model._default_manager.filter(entry=OuterRef("entry"), pk__gt=OuterRef("pk"))
        return self.findings().filter(~Exists(later.exclude(finding="")))

    def standing(self) -> Self:
        """What is so still, as far as is known: nothing has settled the pair since."""
        return self.last_of_each().exclude(
            settled_since(AssociationRequest.objects.all(), "entry__")
        )


@restrained
class AssociationCheck(models.Model):
    """A later look at whether an entry's records are linked. Rows are added, never changed.

    Somebody asked for it, or nobody: then the daily sweep has found that something had changed.
    """

    entry = models.ForeignKey(AssociationRequest, models.PROTECT, related_name="checks")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    user_name = models.CharField(max_length=200, blank=True)
    finding = models.CharField(
        max_length=20, choices=Finding.choices, blank=True, default="", db_default=""
    )
    checked_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    is_linked = models.BooleanField(null=True)  # by whatever type; NULL if it could not be seen
    types = models.JSONField(default=list)  # HubSpot's associationTypes of the pair
    cause = models.CharField(max_length=30, choices=[(c.value, c.value) for c in Cause], blank=True)
    error_text = models.CharField(max_length=500, blank=True)
    # The ids that HubSpot had the records under, where those were others than the entry's
    from_merged_into = models.CharField(max_length=20, blank=True, default="", db_default="")
    to_merged_into = models.CharField(max_length=20, blank=True, default="", db_default="")
    client_ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    client_request_id = models.CharField(max_length=64, blank=True, default="", db_default="")

    objects = AssociationCheckQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            # how many a person makes a minute
            models.Index(fields=["user", "checked_at"], name="check_by_user"),
            # the few of the sweep: what has changed, and what is known of an entry
            models.Index(
                fields=["entry", "id"], name="check_found", condition=~models.Q(finding="")
            ),
        ]

    def __str__(self) -> str:
        return f"check of entry {self.entry_id}: {self.is_linked}"

    @property
    def is_one_record(self) -> bool:
        """Whether the two records had been merged into each other."""
        entry, is_merged = self.entry, self.from_merged_into or self.to_merged_into
        from_id = self.from_merged_into or entry.from_object_id
        to_id = self.to_merged_into or entry.to_object_id
        of_one_type = entry.from_object_type == entry.to_object_type
        return bool(is_merged) and of_one_type and from_id == to_id

    @property
    def labels(self) -> list[str]:
        named = [each.get("label") for each in self.types if isinstance(each, dict)]
        return [str(label) for label in named if label]

    @property
    def is_default(self) -> bool:
        """Whether the default type is among those that link the records."""
        return len(self.labels) < len(self.types)
