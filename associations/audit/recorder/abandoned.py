"""Entries that somebody left open who came to no end: closed or sent anew, never forgotten."""

import logging
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import Error as DBError
from django.db import IntegrityError
from django.utils import timezone

from associations.audit import events
from associations.audit.recorder.base import CLOSING_GRACE
from associations.audit.recorder.kept import close_by_attempts, is_left_to_read_back, read_back
from associations.audit.recorder.runs import record_attempts, record_batch, requeue
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause, Outcome
from associations.models import AssociationRequest, BulkChunk, SendMode
from associations.models.readable import UNREADABLE, demand_value, read_rows, readable_only

logger = logging.getLogger(__name__)

ABANDONED_CLOSED, CLOSED_FOR_SECONDS = "abandoned_closed", 10
LONGEST_MS = 2**31 - 1  # that a column takes: 24 days


def close_abandoned() -> None:
    """Close what a crash left open, by what its attempts tell, and give up looks nobody made.

    An entry counts as abandoned once it is older than any call can last. A log that cannot be
    written is no reason not to read it: then the entries wait for the next time.
    """
    longest = timedelta(seconds=clients.interactive().limits.total) + CLOSING_GRACE
    abandoned = AssociationRequest.objects.abandoned(timezone.now() - longest)
    unseen = AssociationRequest.objects.look_due(timezone.now() - longest)
    try:
        if is_left_to_read_back():
            read_back()
        for pk in list(abandoned.values_list("pk", flat=True)):
            _close_if_readable(pk)
        for pk in list(unseen.values_list("pk", flat=True)):
            _give_up_look(pk)
    except DBError:
        logger.exception("abandoned requests could not be closed")


def close_abandoned_now_and_then() -> None:
    """The same before a page is read, but in each process not for every page.

    What was abandoned has been for a minute and more, so a few seconds later is soon enough.
    """
    if is_left_to_read_back() or cache.add(ABANDONED_CLOSED, True, CLOSED_FOR_SECONDS):
        close_abandoned()


def look_after_log() -> None:
    """Do what is to be done each round, also for the other processes of this machine."""
    try:
        read_back()
    except DBError:
        logger.exception("what HubSpot had answered could not be logged")
    close_abandoned()


def _give_up_look(pk: int) -> None:
    still_due = AssociationRequest.objects.filter(pk=pk, look_due__isnull=False)
    if still_due.update(look_due=None, unverified_cause=Cause.INTERRUPTED):
        for entry in readable_only(read_rows(AssociationRequest.objects.filter(pk=pk))):
            events.record_looked(entry)


def _close_if_readable(pk: int) -> None:
    """One that cannot be read stays open, and keeps no other from being closed."""
    try:
        close_by_attempts(pk)
    except IntegrityError:
        logger.exception("an abandoned request cannot be closed", extra={"entry": pk})
    except UNREADABLE as error:
        demand_value(error)
        logger.exception("an abandoned request cannot be read", extra={"entry": pk})


def requeue_interrupted(chunk: BulkChunk) -> None:
    """Put back what somebody had under way who came to no end: HubSpot may have linked it.

    An exchange that was interrupted stands in the log for each, so that no later "no" of HubSpot's
    hides that an earlier call may have made the link.
    """
    under_way = chunk.entries.filter(outcome=Outcome.SENDING)
    if not under_way.exists():
        return
    read_back()  # what this machine knows of them
    left = list(under_way.order_by("pk"))
    # One that is under way has been sent; the type does not say so.
    sent = [(entry, entry.sent_at) for entry in left if entry.sent_at]
    if not sent:
        return
    if chunk.way == SendMode.BATCH:
        types = (left[0].from_object_type, left[0].to_object_type)
        attempt = _interrupted(min(at for _, at in sent))
        batch = record_batch(chunk, attempt, Answer(Cause.INTERRUPTED), types, len(left))
        requeue(under_way, batch)
    else:
        record_attempts((entry, _interrupted(at)) for entry, at in sent)
        requeue(under_way)


def _interrupted(sent_at: datetime) -> Attempt:
    duration = max(0.0, (timezone.now() - sent_at).total_seconds())
    # Workers may have been away for longer than the column can say.
    milliseconds = min(round(duration * 1000), LONGEST_MS)
    return Attempt(sent_at, milliseconds, failure=Cause.INTERRUPTED)
