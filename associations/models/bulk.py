"""Runs of many requests: what was uploaded, what became of it, and how workers share the work.

None of this is part of the audit log. The entries of a run are entries like any other, and what
people do with it are security events.
"""

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Value
from django.urls import reverse

from associations.models.querysets import (
    OPEN_OUTCOMES,
    AssociationRequestQuerySet,
    newer,
    older,
    raw,
)
from associations.models.readable import restrained
from associations.models.requests import AssociationRequest

if TYPE_CHECKING:
    from hubadmin.models import User


class SendMode(models.TextChoices):
    """How the rows of a run go out."""

    BATCH = "batch"  # many in one call, and single ones where its answer does not prove each
    SINGLE = "single"  # one PUT each


class RunState(models.TextChoices):
    READING = "reading"  # the dry run is under way
    UNREADABLE = "unreadable"  # the file could not be read; nothing more happens
    READY = "ready"  # the dry run is done, and somebody has to start it
    QUEUEING = "queueing"  # its rows are being written to the log
    RUNNING = "running"
    PAUSED = "paused"
    CANCELING = "canceling"  # what was not sent is being closed
    CANCELED = "canceled"
    DONE = "done"


class Approval(models.TextChoices):
    """How it stands with a run that somebody else has to approve (bulk/approval.py)."""

    ASKED = "asked"  # its person waits for it
    APPROVED = "approved"  # and started by it
    REFUSED = "refused"
    EXPIRED = "expired"
    VOID = "void"  # what would be sent has changed since it was asked for


UNDER_WAY = (RunState.READING, RunState.QUEUEING, RunState.RUNNING, RunState.CANCELING)
NOT_STARTED = (RunState.READING, RunState.UNREADABLE, RunState.READY)
ENDED = (RunState.CANCELED, RunState.DONE)


class BulkRunQuerySet(models.QuerySet["BulkRun"]):
    def visible_to(self, user: "User") -> Self:
        """Admins see every run, everybody else their own."""
        return self if user.is_admin else self.filter(user=user)

    def started_by(self, user: "User") -> Self:
        """What this person has started, for the list of what they have asked for."""
        return self.filter(user=user, started_at__isnull=False)

    def older_than(self, started_at: Any, pk: int) -> Self:
        return self.filter(older("started_at", (started_at, pk)))

    def newer_than(self, started_at: Any, pk: int) -> Self:
        return self.filter(newer("started_at", (started_at, pk)))

    def places(self) -> Any:
        """When each was started, and its id."""
        return self.values_list(raw("started_at"), "id")

    def untold(self, user: "User") -> Self:
        """Runs of this person that have ended, and of which they have not been told yet."""
        return self.filter(user=user, state__in=ENDED, told_at=None)

    def with_news(self, user: "User") -> Self:
        """Runs of this person of which they have not been told, or that may need them."""
        return self.filter(models.Q(told_at=None) | models.Q(attended_at=None), user=user)

    def without_approval(self, user: "User") -> Self:
        """Runs of this person for which approval was asked in vain."""
        ends = (Approval.REFUSED, Approval.EXPIRED, Approval.VOID)
        return self.filter(user=user, state=RunState.READY, approval__in=ends)

    def asked_for(self) -> Self:
        """Runs that wait for somebody's approval."""
        return self.filter(state=RunState.READY, approval=Approval.ASKED)


@restrained
class BulkRun(models.Model):
    """Many pairs that one person has linked together, from the file to the last outcome."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    user_name = models.CharField(max_length=200)
    user_email = models.CharField(max_length=254, blank=True)
    client_ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    client_request_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    # What it is to do
    name = models.CharField(max_length=200)  # of the file, or what stands for one
    reason = models.CharField(max_length=500, blank=True)  # for rows without one of their own
    way = models.CharField(max_length=10, choices=SendMode, default=SendMode.BATCH)
    from_object_type = models.CharField(max_length=128, blank=True)  # chosen for all rows
    to_object_type = models.CharField(max_length=128, blank=True)
    skip_linked = models.BooleanField(default=False)  # leave out what the dry run saw linked
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")
    undoes = models.ForeignKey("self", models.SET_NULL, null=True, related_name="undos")
    state = models.CharField(max_length=10, choices=RunState, default=RunState.READING)
    # The dry run
    problem = models.CharField(max_length=40, blank=True)  # why the file could not be read
    problem_facts = models.JSONField(default=dict)
    size = models.PositiveBigIntegerField(default=0)  # bytes
    unused_columns = models.JSONField(default=list)
    # How its file was read (bulk/mapping.py), and what somebody chose instead
    layout = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    chosen = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    headings = models.CharField(max_length=64, blank=True, default="", db_default="")  # digest
    is_anew = models.BooleanField(default=False, db_default=False)  # it has rows of an earlier look
    rows_read = models.PositiveIntegerField(default=0)
    rows_invalid = models.PositiveIntegerField(default=0)
    rows_double = models.PositiveIntegerField(default=0)
    # Pairs beyond the first of their line, where a cell names several records
    rows_further = models.PositiveIntegerField(default=0, db_default=0)
    rows_looked_up = models.PositiveIntegerField(default=0)
    rows_linked = models.PositiveIntegerField(default=0)  # already, when they were looked up
    # Of those with a problem, the ones that wait for somebody to choose among several records
    rows_to_choose = models.PositiveIntegerField(default=0, db_default=0)
    is_read = models.BooleanField(default=False)  # all rows are staged; records may be sought yet
    is_found = models.BooleanField(default=False, db_default=False)  # and their links looked up yet
    looked_up_to = models.JSONField(default=list)  # types and number of the last such row
    lookup_cause = models.CharField(max_length=30, blank=True)  # why links could not be looked up
    # The run: rows in the log, and how many of them ended how
    queued = models.PositiveIntegerField(default=0)
    linked = models.PositiveIntegerField(default=0)
    unlinked = models.PositiveIntegerField(default=0, db_default=0)
    unconfirmed = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    unreachable = models.PositiveIntegerField(default=0)
    canceled = models.PositiveIntegerField(default=0)
    answered_at = models.DateTimeField(null=True)  # when HubSpot last answered a call of it
    stop_cause = models.CharField(max_length=30, blank=True)  # why it has paused by itself
    samples = models.JSONField(default=list)  # [seconds since the epoch, rows closed], lately
    approval = models.CharField(
        max_length=10, choices=Approval, blank=True, default="", db_default=""
    )
    # When
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)  # for the approval
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)  # when its person has seen that it has ended
    attended_at = models.DateTimeField(null=True)  # and has taken along what is left to do
    # Who works on the run as a whole (reading, queueing, cancelling), and until when
    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)

    objects = BulkRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the few that workers have something to do for
            models.Index(
                fields=["id"],
                name="run_at_work",
                condition=models.Q(state__in=["reading", "queueing", "running", "canceling"]),
            ),
            # the notice on every page
            models.Index(
                fields=["user"],
                name="run_untold",
                condition=models.Q(told_at=None, state__in=["canceled", "done"]),
            ),
            # the same for approvals: those that wait for one, and those that got none
            models.Index(
                fields=["approval", "id"],
                name="run_approval",
                condition=models.Q(state="ready") & ~models.Q(approval=""),
            ),
            # those that need somebody, counted beside the navigation
            models.Index(
                fields=["user"],
                name="run_unattended",
                condition=models.Q(
                    attended_at=None,
                    state__in=["unreadable", "ready", "paused", "canceled", "done"],
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}: {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("bulk_run", args=[self.pk])

    @property
    def is_taken_over(self) -> bool:
        """Whether it goes on with what is left of a run that was somebody else's."""
        return self.retry_of is not None and self.retry_of.user_id != self.user_id

    @property
    def is_asked_for(self) -> bool:
        """Whether it waits for somebody's approval."""
        return self.state == RunState.READY and self.approval == Approval.ASKED

    @property
    def rows_ready(self) -> int:
        return self.rows_read - self.rows_invalid - self.rows_double

    @property
    def rows_kept_back(self) -> int:
        """Rows with a problem that no choice on the page ends."""
        return max(0, self.rows_invalid - self.rows_to_choose)

    @property
    def rows_not_linked(self) -> int:
        """Of those that are ready, the ones that nobody saw linked already."""
        return self.rows_ready - self.rows_linked

    @property
    def pairs(self) -> int:
        """How many are sent, or were to be; while they are queued not all stand in the log yet."""
        to_send = self.rows_not_linked if self.skip_linked else self.rows_ready
        return max(self.queued, to_send)

    @property
    def left_out(self) -> int:
        """Rows of the file that are not sent, whatever happens."""
        return max(0, self.rows_read - self.pairs)

    @property
    def achieved(self) -> int:
        """Pairs that are as it was to make them: linked, or of an undo, unlinked."""
        return self.linked + self.unlinked

    @property
    def sent(self) -> int:
        return self.achieved + self.failed

    @property
    def not_sent(self) -> int:
        """What a canceled run has left: in the log, and of an early end what never came there."""
        return self.pairs - self.sent if self.state in ENDED else self.canceled

    @property
    def closed(self) -> int:
        return self.sent + self.canceled

    @property
    def left(self) -> int:
        return self.queued - self.closed

    @property
    def failed(self) -> int:
        return self.unconfirmed + self.rejected + self.unreachable

    @property
    def in_doubt(self) -> int:
        return self.unconfirmed + self.unreachable

    @property
    def not_linked(self) -> int:
        return self.rejected + self.not_sent

    @property
    def over(self) -> int:
        """Pairs of which nothing more is to come."""
        return self.pairs if self.state in ENDED else self.closed

    @property
    def seconds(self) -> int | None:
        """How long it took from its start to its end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds())


class BulkUpload(models.Model):
    """A part of an uploaded file; kept as long as the rows that were read there."""

    run = models.ForeignKey(BulkRun, models.CASCADE, related_name="uploads", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_upload_per_number")
        ]

    def __str__(self) -> str:
        return f"part {self.number} of run {self.run_id}"


@restrained
class BulkKey(models.Model):
    """What rows of a run name a record by instead of its id, and which record that is.

    Each e-mail address, domain or name is asked for once, however many rows have it. Without an
    `asked_at` it was not yet; without an `object_id` it names no record by itself: `problem` says
    why, and of `candidates` ([id, name, what tells it apart]) somebody may choose one.
    """

    run = models.ForeignKey(BulkRun, models.CASCADE, related_name="keys", db_index=False)
    object_type = models.CharField(max_length=128)
    kind = models.CharField(max_length=10)  # as in finding/readings.py
    property_name = models.CharField(max_length=100, blank=True, default="")  # that is unique
    text = models.CharField(max_length=254)
    object_id = models.CharField(max_length=20, blank=True, default="")
    name = models.CharField(max_length=200, blank=True, default="")
    problem = models.CharField(max_length=40, blank=True, default="")
    facts = models.JSONField(default=dict)
    candidates = models.JSONField(default=list)
    is_chosen = models.BooleanField(default=False)  # by a person
    tries = models.PositiveSmallIntegerField(default=0)  # that HubSpot did not answer
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "object_type", "kind", "property_name", "text"],
                name="one_key_per_text",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.object_type} in run {self.run_id}"


class RowState(models.TextChoices):
    TO_FIND = "to_find"  # a record of it is named by something else than its id
    READY = "ready"
    INVALID = "invalid"
    DOUBLE = "double"


@restrained
class BulkRow(models.Model):
    """A row of a file as the dry run understood it; nothing of it is in the log."""

    run = models.ForeignKey(BulkRun, models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField()  # 1 is the first record
    line = models.PositiveIntegerField()  # of the file; 0 where it is not known any more
    from_object_type = models.CharField(max_length=128, blank=True)
    from_object_id = models.CharField(max_length=20, blank=True)
    to_object_type = models.CharField(max_length=128, blank=True)
    to_object_id = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=RowState)
    problem = models.CharField(max_length=40, blank=True)  # a code; messages.py has the words
    problem_field = models.CharField(max_length=20, blank=True)
    facts = models.JSONField(default=dict)
    cells = models.JSONField(default=dict)  # what stood in the file, of rows that are not ready
    was_linked = models.BooleanField(null=True)  # NULL where nobody looked or could
    undoes_id = models.PositiveBigIntegerField(null=True)  # of a run that undoes another: the entry
    # What each side is named by, where that is no id. The keys go with the run, as rows do.
    from_key = models.ForeignKey(
        BulkKey, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    to_key = models.ForeignKey(
        BulkKey, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    # As in RecordNames, for the entry
    from_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    from_typed = models.CharField(max_length=254, blank=True, default="", db_default="")
    from_salt = models.CharField(max_length=32, blank=True, default="", db_default="")
    to_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    to_typed = models.CharField(max_length=254, blank=True, default="", db_default="")
    to_salt = models.CharField(max_length=32, blank=True, default="", db_default="")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_row_per_number")]
        indexes = [
            # the order in which rows are looked up and queued: one pair of types after the other
            models.Index(
                fields=["run", "from_object_type", "to_object_type", "number"],
                name="row_ready",
                condition=models.Q(state="ready"),
            ),
            # the rows with a problem, in the file's order
            models.Index(
                fields=["run", "number"],
                name="row_not_ready",
                condition=~models.Q(state="ready"),
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.number} of run {self.run_id}: {self.state}"


@restrained
class BulkChunk(models.Model):
    """Entries of a run that go out together: those of the run with ids in this range.

    Whoever has claimed it works on it until `lease_until`; then anybody may claim it.
    """

    run = models.ForeignKey(BulkRun, models.CASCADE, related_name="chunks", db_index=False)
    first_id = models.PositiveBigIntegerField()
    last_id = models.PositiveBigIntegerField()
    rows = models.PositiveIntegerField()
    way = models.CharField(max_length=10, choices=SendMode)
    tries = models.PositiveSmallIntegerField(default=0)  # in a row that HubSpot did not answer
    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    is_done = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "first_id"], name="one_chunk_per_start")
        ]
        indexes = [
            models.Index(
                fields=["run", "id"], name="chunk_to_do", condition=models.Q(is_done=False)
            )
        ]

    def __str__(self) -> str:
        return f"chunk {self.first_id} to {self.last_id} of run {self.run_id}"

    @property
    def entries(self) -> AssociationRequestQuerySet:
        """Only those of its run, for others may have ids in between."""
        ids = self.first_id, self.last_id
        return AssociationRequest.objects.filter(run=self.run_id, pk__range=ids)

    @property
    def open_entries(self) -> AssociationRequestQuerySet:
        return self.entries.filter(outcome__in=OPEN_OUTCOMES)
