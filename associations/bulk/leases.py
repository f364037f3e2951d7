"""Who works on what: a run as a whole, or a chunk of its entries, for a while at a time.

Whoever dies keeps nothing: when the lease has run out, anybody may claim the same. Every write
about something claimed begins with `hold()`, in the same transaction, so that one who is late can
change nothing any more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable
from django.utils import timezone

from associations.audit import recorder
from associations.db import retry_on_outage
from associations.models import AssociationRequest, BulkChunk, BulkRun, RunState
from hubadmin.web.access import may_act

Claimed = TypeVar("Claimed", BulkRun, BulkChunk)
TRIED_AT_ONCE = 20  # others may be quicker at some of these


class LeaseLostError(Exception):
    """Somebody else has claimed it meanwhile."""


def free(rows: QuerySet[Claimed]) -> QuerySet[Claimed]:
    """Those that nobody works on."""
    now = timezone.now()
    # One that ends so late was given before the clock was set back.
    is_odd = Q(lease_until__gt=now + 2 * _length())
    return rows.filter(Q(lease_until=None) | Q(lease_until__lt=now) | is_odd)


def claim(rows: QuerySet[Claimed]) -> Claimed | None:
    """Claim the first of these that is free, or return None."""
    for pk in free(rows).order_by("pk").values_list("pk", flat=True)[:TRIED_AT_ONCE]:
        owner = uuid4().hex
        if free(rows.filter(pk=pk)).update(owner=owner, lease_until=_end()):
            return rows.model.objects.get(pk=pk)
    return None


def hold(claimed: BulkRun | BulkChunk, **values: object) -> None:
    """Renew the lease and write `values`; the row stays locked until the transaction ends.

    `claimed` itself takes them on once they are committed, for a transaction may be tried again;
    expressions it does not. Raises LeaseLostError.
    """
    mine = type(claimed).objects.filter(pk=claimed.pk, owner=claimed.owner)
    if not mine.update(**({"lease_until": _end()} | values)):
        raise LeaseLostError(str(claimed))
    plain = {name: value for name, value in values.items() if not isinstance(value, Combinable)}
    transaction.on_commit(lambda: vars(claimed).update(plain))


def release(claimed: BulkRun | BulkChunk, *, seconds: float = 0, **values: object) -> None:
    """Let others have it, but not before so many seconds have passed."""
    until = timezone.now() + timedelta(seconds=seconds) if seconds else None
    mine = type(claimed).objects.filter(pk=claimed.pk, owner=claimed.owner)
    mine.update(**({"owner": "", "lease_until": until} | values))


def _length() -> timedelta:
    return timedelta(seconds=settings.BULK_LEASE_SECONDS)


def _end() -> datetime:
    return timezone.now() + _length()


def asks_for(run: BulkRun) -> Callable[[], bool]:
    """Return what asks whether its person may act; patiently, so that no answer is lost for it."""
    return lambda: retry_on_outage(lambda: may_act(run.user_id), atomic=False)


class StoppedError(Exception):
    """Nothing of the run may be sent now: somebody has paused or canceled it, or may not act."""


def mark_rows(run: BulkRun, chunk: BulkChunk, entries: QuerySet[AssociationRequest]) -> None:
    """Part of a transaction. Raises LeaseLostError, StoppedError."""
    hold(chunk)
    is_running = BulkRun.objects.filter(pk=run.pk, state=RunState.RUNNING).exists()
    # Asked with each call, for the chunk may have waited for a slot, or for the rows before these.
    if not is_running or not may_act(run.user_id):
        raise StoppedError
    recorder.mark_as_sending(entries)
