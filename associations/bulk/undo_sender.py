"""The rows of a chunk that undo entries: a few at once are looked at, unlinked, and looked at.

Each is unlinked only while nothing but the default type links its pair, and closed by what the look
afterwards shows. What a crash left under way is looked at again first: if the link is gone, that is
taken to be its doing.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from typing import Any

from django.utils import timezone

from associations.audit import recorder
from associations.bulk import backoff, single_sender, undoing
from associations.bulk.leases import LeaseLostError, asks_for, hold, mark_rows, release
from associations.bulk.shutdown import out_of_time
from associations.db import retry_on_outage
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt, read_removal
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.outcomes import Linked
from associations.linking.undo import (
    ANOTHER_WAY,
    MOST_CALLS,
    Bar,
    Look,
    calls_of,
    ended,
    look_at,
    look_at_many,
)
from associations.models import AssociationRequest, BulkChunk, BulkRun
from hubadmin.web.access import watch

SILENT_TRIES = 5  # of looks at some rows, before each is looked at by itself
_SETTLED = {Bar.GONE, Bar.NOT_ALONE, Bar.MERGED}
# What the look of many cannot tell for certain, that of one may.
_ODD = {Bar.NOT_SEEN, Bar.MERGED}


@dataclass(slots=True)
class _Row:
    """An entry in a wave: what was seen of its pair, and the answers of before and of now."""

    entry: AssociationRequest
    before: Look
    answers: list[Answer]
    attempt: Attempt | None = None
    after: Look | None = field(default=None)

    @property
    def look(self) -> Look:
        return self.after or self.before


def send_undos(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    """Undo what is open in a claimed chunk, until the clock is `until` at most."""
    undoing.look_again(run, chunk)
    with ThreadPoolExecutor(clients.PUTS_AT_ONCE) as pool:
        for _ in range(single_sender.WAVES_IN_A_TURN):
            if out_of_time(until):
                break
            entries = single_sender.next_rows(chunk.open_entries)
            if not entries:
                return single_sender.rest(chunk)
            if not clients.take_slots(1):
                break
            if wait := _send_wave(run, chunk, entries, pool):
                return release(chunk, seconds=wait)
    return release(chunk)


def _send_wave(
    run: BulkRun, chunk: BulkChunk, entries: list[AssociationRequest], pool: ThreadPoolExecutor
) -> float:
    """Undo these at once; return the seconds to wait before the next."""
    marked = AssociationRequest.objects.filter(pk__in=[entry.pk for entry in entries])
    retry_on_outage(lambda: mark_rows(run, chunk, marked))
    for entry in entries:
        entry.sent_at = timezone.now()
    turns = chain([lambda seconds: True], repeat(clients.wait_for_slot))  # the first is taken
    client = clients.bulk_undo().with_turns(lambda seconds: next(turns)(seconds))
    client = client.on_behalf(watch(asks_for(run)))
    try:
        before = _looks(client, chunk, entries)
    except ReadError as error:
        return _put_back(run, chunk, entries, error)
    rows = [_Row(each, before[each.pk], recorder.answers_of(each)) for each in entries]
    called = [row for row in rows if row.before.bar is None]
    list(pool.map(partial(_call, client), called))
    _look_after(client, chunk, called)
    return _concluded(run, chunk, rows)


def _looks(
    client: HubSpotClient, chunk: BulkChunk, entries: Sequence[AssociationRequest]
) -> dict[int, Look]:
    """Look at these pairs. Raises ReadError where HubSpot does not answer now."""
    looks: dict[int, Look] = {}
    try:
        looks |= look_at_many(client, entries, seconds=clients.READ_SECONDS)
    except ReadError as error:
        if not _is_about(chunk, error):
            raise
    for entry in entries:
        if entry.pk not in looks or looks[entry.pk].bar in _ODD:
            looks[entry.pk] = look = look_at(entry, client)
            if look.error and not _is_about(chunk, look.error):
                raise look.error
    return looks


def _is_about(chunk: BulkChunk, error: ReadError) -> bool:
    """Whether it is these rows that HubSpot shows nothing of, as far as one can tell by now."""
    if backoff.may_give_up(error.cause) or error.cause in single_sender.AGAIN:
        return chunk.tries >= SILENT_TRIES and backoff.is_hubspot_there()
    return backoff.is_about_rows(error.cause)


def _call(client: HubSpotClient, row: _Row) -> None:
    """By the way that was not tried yet; once all are, by the last one again."""
    ways = list(calls_of(row.entry, row.before))
    tried = sum(answer.cause in ANOTHER_WAY for answer in row.answers)
    way = ways[min(tried, len(ways) - 1)]
    row.attempt = client.remove_association(**way, seconds=client.limits.total)
    row.answers.append(read_removal(row.attempt))


def _look_after(client: HubSpotClient, chunk: BulkChunk, called: list[_Row]) -> None:
    if not called:
        return
    try:
        looks = _looks(client, chunk, [row.entry for row in called])
    except ReadError as error:
        looks = {row.entry.pk: Look(timezone.now(), error=error) for row in called}
    for row in called:
        row.after = looks[row.entry.pk]


def _put_back(
    run: BulkRun, chunk: BulkChunk, entries: list[AssociationRequest], error: ReadError
) -> float:
    """HubSpot shows nothing now, so nothing was sent, and all of it waits."""
    reaction = _reaction_to(error)

    def put_back() -> None:
        hold(chunk, tries=min(chunk.tries + 1, SILENT_TRIES))
        backoff.react(run, reaction)
        recorder.requeue(AssociationRequest.objects.filter(pk__in=[each.pk for each in entries]))

    retry_on_outage(put_back)
    return max(reaction.wait, 1.0)


def _reaction_to(error: ReadError) -> backoff.Reaction:
    attempt = Attempt(timezone.now(), 0, http_status=error.answer.http_status, failure=error.cause)
    return backoff.reaction_to([(attempt, error.answer)])


def _concluded(run: BulkRun, chunk: BulkChunk, rows: list[_Row]) -> float:
    """Write down what has come of it; return the seconds to wait."""
    calls = [(row.entry, row.attempt) for row in rows if row.attempt]
    made = [(row.attempt, row.answers[-1]) for row in rows if row.attempt]
    reaction = backoff.reaction_to(made) if made else backoff.Reaction()
    if not reaction.is_answered:  # it has answered the look before
        reaction = backoff.Reaction(wait=1.0)
    unseen = next((row.after.error for row in rows if row.after and row.after.error), None)
    if unseen and not (reaction.stop or reaction.pause or backoff.is_about_rows(unseen.cause)):
        reaction = _reaction_to(unseen)

    def conclude() -> None:
        hold(chunk, tries=0)
        backoff.react(run, reaction)
        recorder.record_attempts(calls)
        over = {row.entry.pk: _closing(row) for row in rows if _is_over(run, row)}
        answers = [(row.entry, over[row.entry.pk][0]) for row in rows if row.entry.pk in over]
        recorder.close_entries(run.pk, answers, {pk: seen for pk, (_, seen) in over.items()})
        recorder.requeue(AssociationRequest.objects.filter(pk__in=[r.entry.pk for r in rows]))

    with recorder.kept_if_away(*calls):
        try:
            retry_on_outage(conclude)
        except LeaseLostError:
            # The calls were made, and the log shall show them.
            retry_on_outage(lambda: recorder.record_attempts(calls))
            raise
    return reaction.wait


def _closing(row: _Row) -> tuple[Answer, dict[str, Any]]:
    is_sent = any(answer.verdict.linked is Linked.PERHAPS for answer in row.answers)
    return ended(row.before, row.look, row.answers if row.attempt or is_sent else [])


def _is_over(run: BulkRun, row: _Row) -> bool:
    """Whether there is no point in another try."""
    if row.look.bar in _SETTLED or not row.attempt:
        return True
    answer = row.answers[-1]
    if answer.cause in ANOTHER_WAY:
        return len(row.answers) >= MOST_CALLS or not _is_another_way(row)
    return single_sender.is_over(run, row.entry, answer)


def _is_another_way(row: _Row) -> bool:
    tried = sum(answer.cause in ANOTHER_WAY for answer in row.answers)
    return tried < len(list(calls_of(row.entry, row.before)))
