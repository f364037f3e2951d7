"""What the columns of a run's file mean: as its names and values say it, or as somebody chose.

How a file was read stands in `run.layout`, for its page: `columns` (the name and the first values
of each), `meanings` (what each is taken for, as files/columns.py has them), `encodings` (how a cell
reads in each encoding that the file could be in), `encoding`, `is_remembered`; of a workbook the
`sheet` and all `sheets`. What somebody chose stands in `run.chosen`: `meanings`, `encoding` and
`sheet`. A file of the same person with the same names of columns is read the same way. What stood
in the cells goes from here when the run is started.
"""

import hashlib
import unicodedata
from collections.abc import Sequence

from associations.bulk.files.columns import has_header_in, likely_meanings, meanings_of
from associations.bulk.files.decoding import Encoding, Parts, readings
from associations.bulk.files.errors import OF_THE_COLUMNS, FileError, FileReason
from associations.bulk.files.headings import Resolve, without_ours
from associations.bulk.files.rows import unquoted
from associations.bulk.files.table import Beginning, Table, begin, table_of
from associations.bulk.leases import hold
from associations.db import retry_on_outage
from associations.finding.by_words import PROPERTIES_SECONDS
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import ReadError
from associations.hubspot.search import unique_properties
from associations.hubspot.unseen import visible
from associations.models import BulkRun, RunState

VALUES_SHOWN = 3
SHEETS_SHOWN = 100
SHOWN = 40  # characters of a name or a value
_OF_READING = ("encoding", "sheet", "meanings")


def table_for(run: BulkRun, parts: Parts, resolve: Resolve) -> Table:
    """Return the file of a claimed run as a table, and note how it was read, whatever comes of it.

    Raises FileError, LeaseLostError.
    """
    encoding = run.chosen.get("encoding")
    beginning = begin(
        parts,
        resolve=resolve,
        encoding=Encoding(encoding) if encoding else None,
        sheet=run.chosen.get("sheet") or "",
    )
    has_names = has_header_in(beginning.first, resolve, beginning.sample)
    headings = _digest(beginning.first) if has_names else ""
    chosen = run.chosen.get("meanings") or []
    layout = _described(beginning, has_names=has_names)
    # Whoever goes on with a file reads all of it alike, whatever was chosen for others meanwhile.
    begun = run.layout.get("meanings") if run.rows_read else None
    meanings = chosen or begun or _remembered(run, headings, len(beginning.first))
    is_remembered = run.layout.get("is_remembered") if begun else bool(meanings)
    layout["is_remembered"] = bool(is_remembered and not chosen)
    given = [name for name in ("from_object_type", "to_object_type") if getattr(run, name)]
    try:
        table = table_of(beginning, given=given, resolve=resolve, meanings=meanings)
    except FileError:
        layout["meanings"] = list(meanings) or likely_meanings(beginning.first, resolve)
        retry_on_outage(lambda: hold(run, layout=layout, headings=headings))
        raise
    layout["meanings"] = meanings_of(table.layout)
    unused = list(table.unused)
    retry_on_outage(lambda: hold(run, layout=layout, headings=headings, unused_columns=unused))
    return table


def can_be_chosen(run: BulkRun) -> bool:
    """Whether somebody may say what the columns of a run's file mean, and its encoding."""
    if not run.layout.get("columns"):
        return False
    if run.state == RunState.UNREADABLE:
        if run.problem == FileReason.ACCESS_ENDED:
            return False
        # What was chosen the last time (a sheet, an encoding, a column with many ids in a cell)
        # does not suit the file, which was read before: it may be chosen otherwise.
        return run.problem in OF_THE_COLUMNS or bool(run.chosen)
    return run.state == RunState.READY


def unique_for(run: BulkRun) -> dict[str, list[str]]:
    """Return the unique properties of the account's own by which a run's records may be named.

    Of the types that its columns have, by the type.
    """
    types = {(*each.split(":", 2), "")[1] for each in run.layout.get("meanings", [])} - {""}
    found = {}
    for object_type in sorted(types):
        try:
            names = cached_lookup(unique_properties, object_type, seconds=PROPERTIES_SECONDS)
        except (ReadError, ValueError):  # ValueError: a type that HubSpot cannot be asked for
            continue
        found[object_type] = names
    return found


def how_it_is_read(run: BulkRun) -> dict[str, object]:
    """Return what reading the file once more needs, and nothing of its cells."""
    return {name: run.layout[name] for name in _OF_READING if name in run.layout}


def _described(beginning: Beginning, *, has_names: bool) -> dict[str, object]:
    rows = beginning.sample if has_names else [beginning.first, *beginning.sample]
    columns = [
        [short(name) if has_names else "", _first_values(index, rows)]
        for index, name in enumerate(beginning.first)
    ]
    layout: dict[str, object] = {
        "columns": columns,
        "encoding": str(beginning.encoding),
        "encodings": {},
    }
    if workbook := beginning.workbook:
        return layout | {"sheet": workbook.sheet, "sheets": list(workbook.sheets[:SHEETS_SHOWN])}
    read_as = readings(beginning.parts, beginning.encoding, beginning.delimiter)
    return layout | {"encodings": {name: visible(text) for name, text in read_as.items()}}


def _first_values(index: int, rows: Sequence[Sequence[str]]) -> list[str]:
    values = (short(cells[index]) for cells in rows if index < len(cells))
    return list(dict.fromkeys(filter(None, values)))[:VALUES_SHOWN]


def short(text: str) -> str:
    """Return a name or a value as it is shown, and as `layout` has it."""
    text = visible(" ".join(text[:1000].split()))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _digest(names: Sequence[str]) -> str:
    # With their signs, which may be all that tells two names apart: `+` and `-`, `→` and `←`.
    own = map(unquoted, without_ours(names))
    told = (" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in own)
    return hashlib.sha256("\n".join(told).encode(errors="replace")).hexdigest()


def _remembered(run: BulkRun, headings: str, width: int) -> list[str]:
    """What this person chose last for a file with these names of columns.

    One of the two may have our columns at its end, which mean nothing.
    """
    if not headings:
        return []
    alike = BulkRun.objects.filter(user=run.user_id, headings=headings).exclude(chosen={})
    earlier = alike.exclude(pk=run.pk).order_by("-pk").values_list("chosen", flat=True).first()
    meanings = list((earlier or {}).get("meanings") or [])
    return (meanings + [""] * width)[:width] if meanings else []
