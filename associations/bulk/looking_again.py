"""Before rows are sent whose records were found some time ago, HubSpot is asked whether it is so.

An e-mail address may have gone to another contact meanwhile, a domain to a second company. Rows
whose text does not name the record any more are closed, and nothing is sent for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter

from django.utils import timezone

from associations.audit import recorder
from associations.bulk import backoff, resolving
from associations.bulk.files.rows import RowReason, shortened
from associations.bulk.leases import StoppedError, hold
from associations.db import retry_on_outage
from associations.hubspot.answers import Answer
from associations.hubspot.client import ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.search import MOST_KEYS
from associations.models import BulkChunk, BulkKey, BulkRow, BulkRun

PAUSE = timedelta(seconds=10)  # until HubSpot is asked again, where it did not answer


def look_again(run: BulkRun, chunk: BulkChunk) -> None:
    """Ask for what the rows of a chunk are named by, where that was asked over an hour ago.

    Raises StoppedError where HubSpot does not answer now; NoSlotError, LeaseLostError.
    """
    keys = _old_keys(run, chunk)
    for _alike, same in groupby(keys, key=attrgetter(*resolving.ALIKE)):
        left = {key.text: key for key in same}
        like = next(iter(left.values()))
        while left:
            part = list(left)[:MOST_KEYS]
            answers = _asked(run, like, part)
            if not answers:  # or it would be asked for ever
                raise StoppedError
            asked = [(left.pop(text), answer) for text, answer in answers.items()]
            gone = [key for key, answer in asked if not _names_still(key, answer)]
            retry_on_outage(partial(_note, run, chunk, [key for key, _answer in asked], gone))


def _old_keys(run: BulkRun, chunk: BulkChunk) -> Sequence[BulkKey]:
    old = run.keys.filter(asked_at__lt=timezone.now() - resolving.OLD).exclude(object_id="")
    if not old.exists():
        return []
    wanted = {pk for row in _rows(run, chunk) for pk in (row.from_key_id, row.to_key_id) if pk}
    return [key for key in old.order_by(*resolving.ALIKE, "pk") if key.pk in wanted]


def _rows(run: BulkRun, chunk: BulkChunk) -> Iterator[BulkRow]:
    unsent = chunk.open_entries.filter(sent_at=None)
    numbers = unsent.order_by("row_number").values_list("row_number", flat=True)
    rows = run.rows.filter(number__in=list(numbers))
    yield from rows.exclude(from_key=None, to_key=None)


def _asked(run: BulkRun, like: BulkKey, texts: Sequence[str]) -> dict[str, resolving.Answered]:
    try:
        return resolving.ask(run, like, texts, again=True)
    except ReadError as error:
        if error.cause in backoff.STOPS:
            backoff.stop_run(run, error.cause)
        elif error.cause in backoff.SILENCE:
            backoff.pause_calls_for_silence(error.cause)
        else:
            backoff.pause_calls(error.cause, timezone.now() + PAUSE)
        raise StoppedError from error


def _names_still(key: BulkKey, answer: resolving.Answered) -> bool:
    ids = {record.object_id for record in answer.records}
    return (ids == {key.object_id} and answer.is_exact) or (key.is_chosen and key.object_id in ids)


def _note(run: BulkRun, chunk: BulkChunk, told: Iterable[BulkKey], gone: Iterable[BulkKey]) -> None:
    hold(chunk)
    run.keys.filter(pk__in=[key.pk for key in told]).update(asked_at=timezone.now())
    by_pk = {key.pk: key for key in gone}
    at_fault: dict[int, BulkRow] = {}
    for row in _rows(run, chunk) if by_pk else ():
        for side, pk in (("to", row.to_key_id), ("from", row.from_key_id)):
            if pk in by_pk:
                row.problem, row.problem_field = RowReason.CHANGED, f"{side}_object_id"
                row.facts = shortened({"text": by_pk[pk].text})
                at_fault[row.number] = row
    BulkRow.objects.bulk_update(at_fault.values(), ["problem", "problem_field", "facts"])
    unsent = chunk.open_entries.filter(sent_at=None, row_number__in=at_fault)
    recorder.close_entries(run.pk, [(entry, Answer(Cause.NOT_SENT)) for entry in unsent])
