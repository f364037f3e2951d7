"""The rows of a chunk go out as single PUTs, some at once, until each is closed.

A row that HubSpot does not answer has its turn again, after the others.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from associations.audit import recorder
from associations.bulk import backoff
from associations.bulk.leases import LeaseLostError, asks_for, hold, mark_rows, release
from associations.bulk.shutdown import out_of_time
from associations.db import retry_on_outage
from associations.gateway import clients, rate_limiter
from associations.hubspot.answers import Answer, Attempt, read_answer
from associations.hubspot.client import IsStillIn
from associations.hubspot.outcomes import Cause, Outcome
from associations.linking.identity import read_by_identity
from associations.models import AssociationAttempt, AssociationRequest, BulkChunk, BulkRun
from hubadmin.web.access import watch

WAVES_IN_A_TURN = 4  # then others may have their part of the calls that are free
TRIES_OF_PATIENCE = 10  # how often a row is tried, about, before it is given up
LEAST_TRIES = 5  # even if all that time went by without any
# Answers that say nothing of a row: a page instead of an answer, or one that comes too early.
AGAIN = {Cause.HUBSPOT_ERROR, Cause.UNREADABLE, Cause.IN_PROGRESS}


def send_singly(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    wait = send_rows(run, chunk, chunk.open_entries, until)
    if wait is None:
        rest(chunk)
    else:
        release(chunk, seconds=wait)


def send_rows(
    run: BulkRun, chunk: BulkChunk, entries: QuerySet[AssociationRequest], until: float
) -> float | None:
    """Send some of these open rows of a claimed chunk, until the clock is `until` at most.

    Return after how many seconds to go on; None once no row is left that is due.
    """
    with ThreadPoolExecutor(clients.PUTS_AT_ONCE) as pool:
        for _ in range(WAVES_IN_A_TURN):
            if out_of_time(until):
                break
            rows = next_rows(entries)
            if not rows:
                return None
            taken = clients.take_slots(len(rows))
            wait = _send_wave(run, chunk, rows[:taken], pool) if taken else 0.0
            if wait or not taken:
                return wait
    return 0.0


def next_rows(entries: QuerySet[AssociationRequest]) -> list[AssociationRequest]:
    """First those that were never sent, then those whose last try is longest ago."""
    now, pause = timezone.now(), _pause_of_row()
    is_due = Q(sent_at__lt=now - pause) | Q(~Exists(_attempts_of_row()))
    # A clock that was set back shall not hold them up either.
    is_due |= Q(sent_at__gt=now + pause)
    rows = entries.filter(is_due).select_related("batch")
    return list(rows.order_by(F("sent_at").asc(nulls_first=True), "pk")[: clients.PUTS_AT_ONCE])


def _attempts_of_row() -> QuerySet[AssociationAttempt]:
    return AssociationAttempt.objects.filter(request=OuterRef("pk"))


def _pause_of_row() -> timedelta:
    return _patience() / TRIES_OF_PATIENCE


def _patience() -> timedelta:
    return timedelta(seconds=settings.BULK_ROW_PATIENCE_SECONDS)


def rest(chunk: BulkChunk) -> None:
    """Nothing can be sent now: because all is done, or because what is left has to wait."""
    if chunk.open_entries.exists():
        release(chunk, seconds=min(1.0, _pause_of_row().total_seconds()))
    else:
        release(chunk, is_done=True)


def _send_wave(
    run: BulkRun, chunk: BulkChunk, rows: list[AssociationRequest], pool: ThreadPoolExecutor
) -> float:
    """Send these rows at once; return the seconds to wait before the next."""
    entries = AssociationRequest.objects.filter(pk__in=[entry.pk for entry in rows])
    begun_at = time.monotonic()
    retry_on_outage(lambda: mark_rows(run, chunk, entries))
    rate_limiter.leave_now(time.monotonic() - begun_at)
    for entry in rows:
        entry.sent_at = timezone.now()
    # Only what waits asks once more: the rows have just been marked, which asks.
    is_still_in = watch(asks_for(run))
    ended = list(pool.map(partial(_put, is_still_in), rows))
    reaction = backoff.reaction_to([(attempt, answer) for _, attempt, answer in ended])
    if not reaction.is_answered and _is_silent_on_these(ended):
        reaction = backoff.Reaction()
    made = [(entry, attempt) for entry, attempt, _ in ended]
    with recorder.kept_if_away(*made):
        try:
            retry_on_outage(lambda: _conclude_wave(run, chunk, ended, reaction))
        except LeaseLostError:
            # The calls were made, and the log shall show them.
            retry_on_outage(lambda: recorder.record_attempts(made))
            raise
    return reaction.wait


_Ended = tuple[AssociationRequest, Attempt, Answer]


def _put(is_still_in: IsStillIn, entry: AssociationRequest) -> _Ended:
    attempts: list[Attempt] = []
    clients.bulk_put().create_default_association(
        from_object_type=entry.from_object_type,
        from_object_id=entry.from_object_id,
        to_object_type=entry.to_object_type,
        to_object_id=entry.to_object_id,
        on_attempt=attempts.append,
    )
    ids = {"from_object_id": entry.from_object_id, "to_object_id": entry.to_object_id}
    answer = read_answer(attempts[0], **ids)
    reading = clients.bulk_read().on_behalf(is_still_in)
    answer, _ = read_by_identity(reading, entry, answer)
    return entry, attempts[0], answer


def _conclude_wave(
    run: BulkRun, chunk: BulkChunk, ended: list[_Ended], reaction: backoff.Reaction
) -> None:
    hold(chunk)
    backoff.react(run, reaction)
    recorder.record_attempts((entry, attempt) for entry, attempt, _ in ended)
    for entry, _, _ in ended:
        entry.outcome = Outcome.QUEUED  # it has come back, whatever it brought
    over = [(entry, answer) for entry, _, answer in ended if is_over(run, entry, answer)]
    recorder.close_entries(
        run.pk,
        [
            (entry, answer if answer.verdict.settles else recorder.known_answer(entry))
            for entry, answer in over
        ],
    )
    recorder.requeue(AssociationRequest.objects.filter(pk__in=[entry.pk for entry, _, _ in ended]))


def is_over(run: BulkRun, entry: AssociationRequest, answer: Answer) -> bool:
    """Whether there is no point in sending this row again."""
    if backoff.is_about_rows(answer.cause) and answer.cause not in AGAIN:
        return True
    if answer.cause not in AGAIN and not backoff.may_give_up(answer.cause):
        return False
    return _is_given_up(run, entry)


def _is_given_up(run: BulkRun, entry: AssociationRequest) -> bool:
    """HubSpot has not answered this row for long, though it answers others."""
    tries = _tries(entry)
    if len(tries) < LEAST_TRIES or not _is_long_ago(tries[0]):
        return False
    answered_at = BulkRun.objects.values_list("answered_at", flat=True).get(pk=run.pk)
    # Between its last two tries: not at some time before HubSpot fell silent.
    return answered_at is not None and answered_at > tries[-2]


def _is_silent_on_these(ended: list["_Ended"]) -> bool:
    """Whether it is these rows that HubSpot does not answer, and nothing else is left to tell."""
    tries = [_tries(entry) for entry, _, _ in ended]
    is_long = any(len(each) + 1 >= LEAST_TRIES and _is_long_ago(each[0]) for each in tries)
    return is_long and backoff.is_hubspot_there()


def _tries(entry: AssociationRequest) -> list[datetime]:
    return list(entry.attempts.order_by("number").values_list("started_at", flat=True))


def _is_long_ago(moment: datetime) -> bool:
    return timezone.now() - moment >= _patience()
