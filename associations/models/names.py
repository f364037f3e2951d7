"""What the records of an entry were called: the one part of the log that can be taken out again."""

import hashlib
import json
import secrets
from dataclasses import dataclass, fields
from datetime import UTC

from django.db import models

from associations.models.readable import restrained
from associations.models.requests import AssociationRequest


@dataclass(frozen=True, slots=True)
class SeenNames:
    """What two records were called as somebody saw them, and by what they were found.

    `typed` is the e-mail address or the domain that was typed, if it was one of these that found
    the record. Empty where nobody knows, or where none are kept.
    """

    from_name: str = ""
    from_typed: str = ""
    to_name: str = ""
    to_typed: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))


def new_salt() -> str:
    """Return 128 random bits in hex: without them nobody can try out names on a digest."""
    return secrets.token_hex(16)


def name_digest(salt: str, name: str, typed: str) -> str:
    """Return what the entry, and so its seal, holds in the place of a name: a SHA-256 in hex."""
    return hashlib.sha256(f"{salt}\n{name}\n{typed}".encode()).hexdigest()


@restrained
class RecordNames(models.Model):
    """What an entry's records were called when they were seen.

    The entry, which is sealed, holds a salted digest of each side (`from_name_digest`). To erase
    is to empty a side's name, typed text and salt: the digest stays, and tells nobody anything.
    """

    entry = models.OneToOneField(
        AssociationRequest, models.PROTECT, primary_key=True, related_name="names"
    )
    from_name = models.CharField(max_length=200, blank=True)
    from_typed = models.CharField(max_length=254, blank=True)
    from_salt = models.CharField(max_length=32, blank=True)
    to_name = models.CharField(max_length=200, blank=True)
    to_typed = models.CharField(max_length=254, blank=True)
    to_salt = models.CharField(max_length=32, blank=True)

    def __str__(self) -> str:
        return f"names of entry {self.entry_id}"


@restrained
class AuditErasure(models.Model):
    """That the names of records were taken out of entries; rows are added, never changed.

    `entries` has the ids of the entries by side, in ranges: `{"from": "4 7-9", "to": "12"}`. The
    `signature` is that of `statement`, so that nobody without the key can account for what is gone.
    """

    erased_at = models.DateTimeField()
    by = models.CharField(max_length=200)  # the account of the machine on which the command ran
    records = models.JSONField(default=list)  # such as "contacts/501"
    entries = models.JSONField(default=dict)
    signature = models.CharField(max_length=100)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"erased: {', '.join(self.records)}"

    @property
    def statement(self) -> str:
        """JSON, in which no record's id can be taken for the number of an entry."""
        at = self.erased_at.astimezone(UTC).isoformat()
        told = [at, self.by, self.records, self.entries]
        return f"erased {json.dumps(told, sort_keys=True, ensure_ascii=False)}"
