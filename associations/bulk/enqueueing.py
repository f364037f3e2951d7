"""Staged rows → entries of the log, `queued`, and the chunks in which they go out.

The rows of one pair of types after the other, each in the file's order: a batch knows one pair
only. The database copies them, a few hundred in each transaction, so that others who write hardly
wait; where it was interrupted, it goes on.
"""

from django.db import IntegrityError
from django.db.models import F, Q, QuerySet

from associations.audit import recorder
from associations.bulk import undoing
from associations.bulk.leases import hold
from associations.db import write_in_turn
from associations.models import (
    AssociationRequest,
    BulkChunk,
    BulkRow,
    BulkRun,
    RowState,
    RunState,
    SendMode,
)

ROWS_AT_ONCE = 500
CHUNK_ROWS = {SendMode.BATCH: 2_000, SendMode.SINGLE: 100}


def rows_to_send(run: BulkRun) -> QuerySet[BulkRow]:
    """The rows that become entries once the run is started."""
    rows = run.rows.filter(state=RowState.READY)
    return rows.exclude(was_linked=True) if run.skip_linked else rows


def queue_rows(run: BulkRun) -> bool:
    """Write the next few hundred rows to the log; return False if none were left.

    Raises LeaseLostError.
    """
    try:
        return write_in_turn(lambda: _queue_rows(run))
    except IntegrityError:
        if not run.undoes_id:
            raise
        return True  # somebody has just begun to undo one of these, which the next try sees


def _queue_rows(run: BulkRun) -> bool:
    hold(run)
    if not BulkRun.objects.filter(pk=run.pk, state=RunState.QUEUEING).exists():
        return False  # canceled, and from here on nobody else can write its state either
    last = run.chunks.order_by("last_id").last()
    first = _next_row(run, last)
    if first is None:
        return False
    rows = _rows_from(run, first)
    if run.undoes_id and undoing.keep_back(run, list(rows)):
        return True  # what is left of them comes next
    recorder.queue_entries(run, rows)
    new = run.entries.filter(pk__gt=last.last_id if last else 0).order_by("pk")
    ids = list(new.values_list("pk", flat=True))
    _put_into_chunks(run, last if last and _is_of_pair(last, first) else None, ids)
    hold(run, queued=F("queued") + len(ids))
    return True


def _next_row(run: BulkRun, last: BulkChunk | None) -> BulkRow | None:
    rows = rows_to_send(run).order_by("from_object_type", "to_object_type", "number")
    if last is None:
        return rows.first()
    entry = AssociationRequest.objects.get(pk=last.last_id)
    from_type, to_type = entry.from_object_type, entry.to_object_type
    same = Q(from_object_type=from_type, to_object_type=to_type, number__gt=entry.row_number)
    later = Q(from_object_type=from_type, to_object_type__gt=to_type)
    return (
        rows.filter(same).first() or rows.filter(later | Q(from_object_type__gt=from_type)).first()
    )


def _rows_from(run: BulkRun, first: BulkRow) -> QuerySet[BulkRow]:
    """Return `first` and the rows of its pair of types that follow, as far as they go at once."""
    rows = rows_to_send(run).filter(
        from_object_type=first.from_object_type,
        to_object_type=first.to_object_type,
        number__gte=first.number,
    )
    return rows.order_by("number")[:ROWS_AT_ONCE]


def _is_of_pair(chunk: BulkChunk, row: BulkRow) -> bool:
    entry = AssociationRequest.objects.get(pk=chunk.last_id)
    return (entry.from_object_type, entry.to_object_type) == (
        row.from_object_type,
        row.to_object_type,
    )


def _put_into_chunks(run: BulkRun, last: BulkChunk | None, ids: list[int]) -> None:
    """Fill the last chunk up, if it is of the same pair of types, and make new ones."""
    # What is not known here goes out one by one as well.
    size = CHUNK_ROWS[SendMode.BATCH if run.way == SendMode.BATCH else SendMode.SINGLE]
    if last and (room := ids[: max(0, size - last.rows)]):
        last.last_id, last.rows = room[-1], last.rows + len(room)
        last.save(update_fields=["last_id", "rows"])
        ids = ids[len(room) :]
    parts = [ids[start : start + size] for start in range(0, len(ids), size)]
    BulkChunk.objects.bulk_create(
        BulkChunk(run=run, first_id=part[0], last_id=part[-1], rows=len(part), way=run.way)
        for part in parts
    )
