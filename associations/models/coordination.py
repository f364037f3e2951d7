"""What workers, on whatever machine, have to know of each other. None of it is part of the log."""

from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from associations.models.readable import restrained, with_readable

DEAD_AFTER = timedelta(seconds=30)  # a worker that has given no sign of life for so long


class CallSlot(models.Model):
    """One of as many calls as may be made within ten seconds; see rate_limiter.py.

    A few rows, by their numbers, are what is known of the limit instead.
    """

    number = models.PositiveIntegerField(primary_key=True)
    used_at = models.FloatField()  # seconds since the epoch, by the database's clock

    def __str__(self) -> str:
        return f"slot {self.number}"


@restrained
class CallPause(models.Model):
    """Until when no run calls HubSpot, and why: one row."""

    made_at = models.DateTimeField()
    until = models.DateTimeField()
    cause = models.CharField(max_length=30)
    silent_since = models.DateTimeField(null=True)  # while HubSpot answers no run at all

    def __str__(self) -> str:
        return f"paused until {self.until}: {self.cause}"


@restrained
class Sweep(models.Model):
    """How far the daily look at what was linked has come: one row, that of one worker at a time.

    Each step is claimed, and written down in one transaction with what it has found.
    """

    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    day = models.CharField(max_length=10, blank=True)  # of which `counts` tell
    is_told = models.BooleanField(default=False)  # the log has them; until tomorrow nothing is left
    allowed = models.PositiveIntegerField(default=0)  # calls of that day
    # A round may take longer than a day: when it began, which pairs of types it has still to do,
    # after which entry of the first (see querysets.py: Position), and what it has to look at twice.
    began_at = models.DateTimeField(null=True)
    pairs = models.JSONField(default=list)
    place = models.JSONField(default=list)
    doubts = models.JSONField(default=list)
    size = models.PositiveIntegerField(default=1)  # of the next part
    counts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"sweep of {self.day}: {self.counts}"


class AliveQuerySet(models.QuerySet[Any]):
    def alive(self) -> Self:
        """Those that were seen just now."""
        seen = with_readable(self, "seen_at")
        return seen.filter(seen_at__gt=timezone.now() - DEAD_AFTER)


@restrained
class Worker(models.Model):
    """A worker process that is alive, or was when it was last seen."""

    name = models.CharField(max_length=200, unique=True)  # machine and process
    seen_at = models.DateTimeField()

    objects = AliveQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name}, seen {self.seen_at}"


@restrained
class Sealer(models.Model):
    """The same of a process that seals again and again."""

    name = models.CharField(max_length=200, unique=True)
    seen_at = models.DateTimeField()

    objects = AliveQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name}, seen {self.seen_at}"
