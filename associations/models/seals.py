"""What watches over the log: its seals, and who took a copy or a part of it away."""

import hashlib
from datetime import UTC

from django.conf import settings
from django.db import models

from associations.models.readable import restrained


@restrained
class AuditSeal(models.Model):
    """One link of the chain that proves the log; rows are added, never changed.

    `manifest` is the text that is sealed (audit/integrity/README.md gives its format), `head` the
    SHA-256 of it in hex, `signature` the Ed25519 signature of that hex in base64.
    """

    number = models.PositiveBigIntegerField(primary_key=True)  # 1, 2, 3: no gap, and so no fork
    sealed_at = models.DateTimeField(db_index=True)  # pruning and sealing look for an age
    manifest = models.TextField()
    head = models.CharField(max_length=64, unique=True)
    signature = models.CharField(max_length=100)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"seal {self.number}"


@restrained
class AuditVerification(models.Model):
    """What a run of `verify_audit_log` found, for the integrity page; rows never change.

    `signature` is that of `statement`, where the run had the signing key; `head` is that of the
    last seal that it proved.
    """

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    is_proven = models.BooleanField()
    seals = models.PositiveBigIntegerField()
    items = models.PositiveBigIntegerField()
    last_seal = models.PositiveBigIntegerField(null=True)
    finding = models.CharField(max_length=500, blank=True)
    # A server of the release before leaves both out.
    head = models.CharField(max_length=64, blank=True, default="", db_default="")
    signature = models.CharField(max_length=100, blank=True, default="", db_default="")

    def __str__(self) -> str:
        return self.finding or f"proven up to seal {self.last_seal}"

    @property
    def statement(self) -> str:
        times = [each.astimezone(UTC).isoformat() for each in (self.started_at, self.finished_at)]
        found = [self.is_proven, self.seals, self.items, self.last_seal, self.head, self.finding]
        return " ".join(["verified", *times, *map(str, found)])


@restrained
class AuditExport(models.Model):
    """A copy of the log, or of a part, that somebody took; closed once, as it ends."""

    class State(models.TextChoices):
        RUNNING = "running"
        COMPLETE = "complete"
        ABORTED = "aborted"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    user_name = models.CharField(max_length=200)
    format = models.CharField(max_length=10)
    query = models.CharField(max_length=4000, blank=True)  # the filter, as in the address
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    rows = models.PositiveBigIntegerField(null=True)
    client_ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    client_request_id = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.format} export: {self.state}"


@restrained
class AuditPruning(models.Model):
    """That the oldest part of the log was archived and taken out, up to and with `last_seal`.

    `signature` is that of `statement`, so that nobody without the key can account for a part that
    is gone.
    """

    pruned_at = models.DateTimeField()
    last_seal = models.PositiveBigIntegerField()
    head = models.CharField(max_length=64)  # of that seal, which stays as the chain's new start
    items = models.PositiveBigIntegerField()
    archive_name = models.CharField(max_length=255)
    archive_sha256 = models.CharField(max_length=64)
    signature = models.CharField(max_length=100)

    def __str__(self) -> str:
        return f"pruned up to seal {self.last_seal}"

    @property
    def statement(self) -> str:
        return f"pruned {self.last_seal} {self.head} {self.archive_sha256}"


@restrained
class AuditTimestamp(models.Model):
    """That an authority which nobody here controls has seen the head of a seal (RFC 3161).

    `token` is its answer, a TimeStampResp in DER and base64; `told_at`, `policy` and `serial` are
    what that says, for people. `signature` is that of `statement`, so that nobody without the key
    can have another's token count for a seal that there never was.
    """

    asked_at = models.DateTimeField()  # by our own clock, as all that is sealed has a time of it
    # No key: a seal may be archived and taken out, and one that is gone otherwise has to be told.
    seal = models.PositiveBigIntegerField()
    head = models.CharField(max_length=64)
    told_at = models.DateTimeField()  # by the authority's clock
    policy = models.CharField(max_length=200)
    serial = models.CharField(max_length=100)
    token = models.TextField()
    signature = models.CharField(max_length=100)

    def __str__(self) -> str:
        return f"a third party's time on seal {self.seal}"

    @property
    def statement(self) -> str:
        token = hashlib.sha256(self.token.encode()).hexdigest()
        return f"timestamp {self.seal} {self.head} {token}"
