"""A chunk goes out as one batch: its rows are closed only if the answer proves each.

If it does not, the rows whose records the answer names go out one by one, and then the rest as a
batch again. If it names none, the chunk is split in two, in the database, down to a few rows. So
one bad row costs no good one.
"""

import re
from dataclasses import replace
from functools import partial

from django.db import Error as DBError

from associations.audit import recorder
from associations.bulk import backoff
from associations.bulk.leases import StoppedError, asks_for, hold, mark_rows, release
from associations.bulk.single_sender import send_rows
from associations.db import retry_on_outage
from associations.gateway import clients
from associations.hubspot.answers import (
    Answer,
    Attempt,
    Ids,
    if_shown,
    merged_columns,
    pairs_not_shown,
    read_batch_answer,
    strings_in,
)
from associations.hubspot.client import ReadError
from associations.hubspot.lookups import current_ids
from associations.hubspot.outcomes import Cause
from associations.models import AssociationBatch, BulkChunk, BulkRun, SendMode

ROWS_AT_ONCE = 500  # written in one transaction, so that others who write hardly wait
FEW = 8  # rows that go out as single PUTs rather than in yet smaller batches
SILENT_TRIES = 3  # of a batch that HubSpot does not answer, before it is split

MERGED_AT_MOST = 100  # pairs of a batch whose records are read because the answer names others

_Rows = list[tuple[int, str, str]]  # id, and the ids of the two records
_Merged = dict[int, dict[str, str]]  # the columns of these rows that say into what


def send_batch(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    rows: _Rows = list(
        chunk.open_entries.order_by("pk").values_list("pk", "from_object_id", "to_object_id")
    )
    if len(rows) <= FEW:
        _settle(chunk, rows)
    elif clients.take_slots(1):
        types = _types_of(chunk)
        _mark(run, chunk, rows)
        attempt = clients.bulk_batch().create_default_associations(
            from_object_type=types[0], to_object_type=types[1], pairs=[row[1:] for row in rows]
        )
        answer = _read(attempt, types, [row[1:] for row in rows])
        try:
            # Even if the lease is lost: the call was made, and the log shall show it.
            batch = retry_on_outage(
                lambda: recorder.record_batch(chunk, attempt, answer, types, len(rows))
            )
            ended, merged = _read_by_identity(run, types, rows, answer)
            is_left = _conclude_batch(run, chunk, rows, batch, attempt, ended, merged)
        except DBError:
            recorder.keep_batch(chunk, attempt, answer, types, [row[0] for row in rows])
            raise
        if is_left:
            _send_suspects(run, chunk, rows, ended, until)
    else:
        release(chunk)


def _read(attempt: Attempt, types: tuple[str, str], pairs: list[Ids]) -> Answer:
    return _unambiguous(read_batch_answer(attempt, pairs), types, pairs)


def _unambiguous(answer: Answer, types: tuple[str, str], pairs: list[Ids]) -> Answer:
    # Results name no types: contact 1 to company 2 looks like contact 2 to company 1, seen back.
    known = set(pairs)
    is_ambiguous = types[0] != types[1] and any(
        pair[::-1] in known and pair[0] != pair[1] for pair in pairs
    )
    if is_ambiguous and answer.cause is Cause.CONFIRMED:
        return replace(answer, cause=Cause.NOT_SHOWN)
    return answer


def _read_by_identity(
    run: BulkRun, types: tuple[str, str], rows: _Rows, answer: Answer
) -> tuple[Answer, _Merged]:
    """Return the answer; if it names other ids, by what these are, and whose they are.

    The batch is in the log by then, as an answer that does not show every link.
    """
    pairs = [row[1:] for row in rows]
    missing = pairs_not_shown(answer, pairs)
    if not missing or len(missing) > MERGED_AT_MOST:
        return answer, {}
    try:
        left = _ids_left(run, types, missing)
    except ReadError:
        return answer, {}
    if types[0] == types[1] and any(one == other for one, other in left.values()):
        return answer, {}  # that row has an end of its own
    now = [left.get(pair, pair) for pair in pairs]
    merged = {row[0]: merged_columns(row[1:], left[row[1:]]) for row in rows if row[1:] in left}
    return _unambiguous(if_shown(answer, now), types, now), merged


def _ids_left(run: BulkRun, types: tuple[str, str], pairs: list[Ids]) -> dict[Ids, Ids]:
    """Look up under which ids HubSpot has the records of these pairs."""
    client = clients.bulk_read().on_behalf(asks_for(run))
    seconds = clients.READ_SECONDS / 2
    one, other = (
        current_ids(client, object_type, [*{*ids}], seconds=seconds)
        for object_type, ids in zip(types, zip(*pairs, strict=True), strict=True)
    )
    return {pair: (one.get(pair[0], pair[0]), other.get(pair[1], pair[1])) for pair in pairs}


def _settle(chunk: BulkChunk, rows: _Rows) -> None:
    """Nothing is left to send, or too little for a batch."""
    release(chunk, **({"way": SendMode.SINGLE} if rows else {"is_done": True}))


def _types_of(chunk: BulkChunk) -> tuple[str, str]:
    return chunk.entries.values_list("from_object_type", "to_object_type")[0]


def _mark(run: BulkRun, chunk: BulkChunk, rows: _Rows) -> None:
    entries = chunk.entries
    try:
        for part in _parts(rows):
            retry_on_outage(partial(mark_rows, run, chunk, entries.filter(pk__range=part)))
    except StoppedError:
        retry_on_outage(lambda: _put_all_back(chunk))
        raise


def _put_all_back(chunk: BulkChunk) -> None:
    hold(chunk)
    recorder.requeue(chunk.entries)


def _conclude_batch(
    run: BulkRun,
    chunk: BulkChunk,
    rows: _Rows,
    batch: AssociationBatch,
    attempt: Attempt,
    answer: Answer,
    merged: _Merged,
) -> bool:
    """Write down what has come of it; return whether some of the rows may be to blame."""
    for part in _parts(rows):
        retry_on_outage(partial(_conclude_part, chunk, part, batch, answer, merged))
    if answer.cause is Cause.CONFIRMED:
        retry_on_outage(lambda: _finish(run, chunk))
        return False
    return _react_to_batch(run, chunk, rows, attempt, answer)


def _conclude_part(
    chunk: BulkChunk,
    ids: tuple[int, int],
    batch: AssociationBatch,
    answer: Answer,
    merged: _Merged,
) -> None:
    hold(chunk)
    if answer.cause is Cause.CONFIRMED:
        recorder.close_entries_by_batch(chunk, ids, batch, answer, merged)
    else:
        recorder.requeue(chunk.entries.filter(pk__range=ids), batch)


def _finish(run: BulkRun, chunk: BulkChunk) -> None:
    hold(chunk)
    backoff.react(run, backoff.Reaction())
    release(chunk, is_done=not chunk.open_entries.exists())


def _react_to_batch(
    run: BulkRun, chunk: BulkChunk, rows: _Rows, attempt: Attempt, answer: Answer
) -> bool:
    reaction = backoff.reaction_to([(attempt, answer)])
    retry_on_outage(lambda: backoff.react(run, reaction))
    if backoff.is_about_rows(answer.cause):
        return True
    # One row may be why none of them is answered.
    tries = chunk.tries + 1 if backoff.may_give_up(answer.cause) else 0
    if tries >= SILENT_TRIES:
        retry_on_outage(lambda: _split(chunk, [row[0] for row in rows]))
    else:
        release(chunk, seconds=reaction.wait, tries=tries)
    return False


def _send_suspects(
    run: BulkRun, chunk: BulkChunk, rows: _Rows, answer: Answer, until: float
) -> None:
    """Send the rows that the answer names one by one, so that the rest may go as a batch again.

    Its word is not taken for it: it only says where to look first.
    """
    named = _named_in(answer)
    suspects = [pk for pk, one, other in rows if one in named or other in named]
    still_open = chunk.open_entries.filter(pk__in=suspects)
    if len(suspects) == len(rows):
        return release(chunk, way=SendMode.SINGLE)
    wait = send_rows(run, chunk, still_open, until) if suspects else None
    if wait is not None:
        return release(chunk, seconds=wait)
    if suspects and not still_open.exists():
        return release(chunk)
    open_rows = chunk.open_entries.order_by("pk").values_list("pk", flat=True)
    return retry_on_outage(lambda: _split(chunk, list(open_rows)))


def _named_in(answer: Answer) -> set[str]:
    """All that could be a record's id in what the errors say of their context."""
    return set(re.findall(r"[0-9]+", " ".join(strings_in(answer.errors, "context"))))


def _split(chunk: BulkChunk, ids: list[int]) -> None:
    middle = len(ids) // 2
    hold(chunk)
    BulkChunk.objects.create(
        run_id=chunk.run_id,
        first_id=ids[middle],
        last_id=chunk.last_id,
        rows=len(ids) - middle,
        way=chunk.way,
    )
    release(chunk, last_id=ids[middle] - 1, rows=middle, tries=0)


def _parts(rows: _Rows) -> list[tuple[int, int]]:
    """The first and last id of each few hundred rows."""
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    return [(part[0][0], part[-1][0]) for part in parts]
