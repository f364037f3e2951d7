"""What a person has asked for, in order of time: entries sent by hand, and each run as one line.

Both are paged by one position, never by offset, so that a page keeps its meaning. A search looks
through the entries of the runs as well: there a line is an entry, or a run whose file is called so.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import QuerySet

from associations.audit.pagination import LIST_SECONDS, PAGE_SIZE
from associations.db import query_timeout
from associations.finding.readings import Kind, read_text
from associations.gateway.account import form_options
from associations.models import AssociationRequest, AssociationRequestQuerySet, AuditFilter, BulkRun
from associations.models.querysets import Position
from associations.models.readable import MAX_ID, UnreadableRow, id_in, read_rows
from associations.texts.days import by_day

if TYPE_CHECKING:
    from hubadmin.models import User

_RUN = "run"  # before the number of a run, in an address


class Place(NamedTuple):
    """Where a line stands; of one moment, runs stand above entries."""

    moment: Any
    is_run: bool
    pk: int

    @property
    def among_entries(self) -> Position:
        return self.moment, MAX_ID if self.is_run else self.pk

    @property
    def among_runs(self) -> Position:
        return self.moment, self.pk if self.is_run else 0


class Line(NamedTuple):
    """An entry or a run, and what names it in an address of a page."""

    row: AssociationRequest | BulkRun | UnreadableRow
    is_run: bool

    @property
    def key(self) -> str:
        return f"{_RUN if self.is_run else ''}{self.row.pk}"

    @property
    def moment(self) -> datetime | None:
        if isinstance(self.row, UnreadableRow):
            return None
        return self.row.started_at if isinstance(self.row, BulkRun) else self.row.created_at


class Source(NamedTuple):
    """Where lines come from: entries, in parts that each follow one index, and runs."""

    entries: list[AssociationRequestQuerySet]
    runs: QuerySet[BulkRun]


def own(user: "User") -> Source:
    """Return all that somebody has asked for."""
    return Source([AssociationRequest.objects.by_hand(user)], BulkRun.objects.started_by(user))


def own_with(user: "User", words: str) -> Source:
    """Return what has these words: a record by id or address, a name, a reason, a file's name."""
    entries, runs = AssociationRequest.objects.of(user), BulkRun.objects.started_by(user)
    reading = read_text(words, **form_options())
    name = reading.text if reading.kind in (Kind.EMAIL, Kind.DOMAIN) else words
    plain = unicodedata.normalize("NFKC", words)  # a Japanese keyboard may have written wide ones
    wanted = [AuditFilter(reason=each) for each in dict.fromkeys((words, plain))]
    wanted += [AuditFilter(name=each) for each in dict.fromkeys((name, plain))]
    if reading.kind in (Kind.REFERENCE, Kind.ID):
        record_type = reading.object_type.canonical if reading.object_type else ""
        wanted.append(AuditFilter(record_id=reading.text, record_type=record_type))
    parts = [part for each in wanted for part in entries.branches(each)]
    return Source(parts, runs.filter(name__icontains=words))


def page_of_lines(source: Source, *, before: str, after: str) -> dict[str, Any]:
    """What linking/my_requests.html shows. Raises QueryTimeoutError."""
    older_than, newer_than = _place_of(before), _place_of(after)
    with query_timeout(LIST_SECONDS):
        places = _places(source, older_than, newer_than)
        is_more = len(places) > PAGE_SIZE
        page = places[-PAGE_SIZE:] if newer_than else places[:PAGE_SIZE]
        lines = _read(page)
        return {
            "lines": lines,
            "days": by_day(lines, lambda line: line.moment),
            # The newest page has none: what has come since it was read is no page of its own.
            "newer": is_more if newer_than else _any(source, older_than and page, newer=True),
            "older": _any(source, page, newer=False) if newer_than else is_more,
            "paged": bool(older_than or newer_than),
        }


def _places(source: Source, before: Place | None, after: Place | None) -> list[Place]:
    """One more than a page has, only to know whether there is any."""
    size = PAGE_SIZE + 1
    found = {
        Place(moment, is_run, pk)
        for rows, is_run in _parts(source)
        for moment, pk in _bounded(rows, is_run, before, after)[:size]
    }
    ordered = sorted(found, key=_in_order, reverse=True)
    return ordered[-size:] if after else ordered[:size]


def _parts(source: Source) -> Iterable[tuple[Any, bool]]:
    return [*((rows, False) for rows in source.entries), (source.runs, True)]


def _bounded(rows: Any, is_run: bool, before: Place | None, after: Place | None) -> Any:
    moment = "started_at" if is_run else "created_at"
    if after:
        return _newer(rows, is_run, after).order_by(moment, "id").places()
    rows = _older(rows, is_run, before) if before else rows
    return rows.order_by(f"-{moment}", "-id").places()


def _older(rows: Any, is_run: bool, place: Place) -> Any:
    return rows.older_than(*(place.among_runs if is_run else place.among_entries))


def _newer(rows: Any, is_run: bool, place: Place) -> Any:
    return rows.newer_than(*(place.among_runs if is_run else place.among_entries))


def _any(source: Source, page: list[Place] | None, *, newer: bool) -> bool:
    if not page:
        return False
    # In order, which leads the database to the index: the first that there is is near.
    before, after = (None, page[0]) if newer else (page[-1], None)
    parts = (_bounded(rows, is_run, before, after) for rows, is_run in _parts(source))
    return any(list(rows[:1]) for rows in parts)


def _in_order(place: Place) -> tuple[int, str, bool, int]:
    """As the database orders them: a year of five digits comes later."""
    moment = str(place.moment)
    return len(moment.partition("-")[0]), moment, place.is_run, place.pk


def _read(places: list[Place]) -> list[Line]:
    """Each line in full, as far as it can be read."""
    pks = {kind: [each.pk for each in places if each.is_run == kind] for kind in (False, True)}
    runs = BulkRun.objects.defer("problem_facts", "samples", "unused_columns")
    entries = AssociationRequest.objects.for_list().with_undone()
    found: dict[tuple[bool, int], Any] = {}
    for is_run, rows in ((False, entries), (True, runs)):
        read = read_rows(rows.filter(pk__in=pks[is_run])) if pks[is_run] else []
        found |= {(is_run, row.pk): row for row in read}
    keys = [(place.is_run, place.pk) for place in places]
    return [Line(found[key], key[0]) for key in keys if key in found]


def _place_of(key: str) -> Place | None:
    """Where the line stands that an address names; anything else there is "no such limit"."""
    is_run = key.startswith(_RUN)
    pk = id_in(key.removeprefix(_RUN))
    if pk is None:
        return None
    if not is_run:
        moment, pk = AssociationRequest.objects.position_of(pk)
        return Place(moment, False, pk)
    runs = BulkRun.objects.filter(pk=pk, started_at__isnull=False)
    return next((Place(moment, True, pk) for moment, pk in runs.places()), None)
