"""Which staged rows are linked already, asked for many of them in one call.

A courtesy: where it cannot be read, the run goes on without.
"""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import F, Q

from associations.bulk.leases import hold
from associations.gateway import clients as doors
from associations.hubspot.client import ReadError
from associations.hubspot.lookups import links_of_many
from associations.hubspot.schemas import Links
from associations.models import BulkRow, BulkRun, RowState
from associations.persistence import persist

ROWS_AT_ONCE = 1_000  # as many as HubSpot takes in one call
_ORDER = ("from_object_type", "to_object_type", "number")


def look_up_next(run: BulkRun) -> bool:
    """Look up the next rows of one pair of types; return False if none are left, or none can be.

    Raises LeaseLostError.
    """
    if not settings.HUBSPOT_VERIFY or run.lookup_cause:
        return False
    rows = _next_rows(run)
    if not rows:
        return False
    try:
        found = links_of_many(
            doors.for_reads(),
            rows[0].from_object_type,
            sorted({row.from_object_id for row in rows}),
            rows[0].to_object_type,
            seconds=doors.READ_SECONDS,
        )
    except ReadError as error:
        cause = error.cause
        persist(lambda: hold(run, lookup_cause=cause))
        return False
    persist(lambda: _note(run, rows, found))
    return True


def _next_rows(run: BulkRun) -> Sequence[BulkRow]:
    rows = run.rows.filter(state=RowState.READY).order_by(*_ORDER)
    if run.looked_up_to:
        from_type, to_type, number = run.looked_up_to
        of_pair = Q(from_object_type=from_type, to_object_type=to_type)
        later = Q(from_object_type=from_type, to_object_type__gt=to_type)
        same = list(rows.filter(of_pair, number__gt=number)[:ROWS_AT_ONCE])
        if same:
            return same
        rows = rows.filter(later | Q(from_object_type__gt=from_type))
    first = rows.first()
    if first is None:
        return []
    pair = {name: getattr(first, name) for name in _ORDER[:2]}
    return list(rows.filter(**pair)[:ROWS_AT_ONCE])


def _note(run: BulkRun, rows: Sequence[BulkRow], found: dict[str, Links]) -> None:
    seen = {row.pk: _was_linked(row, found) for row in rows}
    hold(
        run,
        looked_up_to=[getattr(rows[-1], name) for name in _ORDER],
        rows_looked_up=F("rows_looked_up") + sum(is_seen is not None for is_seen in seen.values()),
        rows_linked=F("rows_linked") + sum(map(bool, seen.values())),
    )
    for answer in (True, False):
        pks = [pk for pk, is_seen in seen.items() if is_seen is answer]
        run.rows.filter(pk__in=pks).update(was_linked=answer)


def _was_linked(row: BulkRow, found: dict[str, Links]) -> bool | None:
    """By the default type; None where HubSpot did not show enough to tell."""
    links = found.get(row.from_object_id)
    if links is None:
        return None
    link = links.to(row.to_object_id)
    if link is not None:
        return link.is_default
    return False if links.is_whole else None
