"""Files that people could upload, and what becomes of them."""

from collections.abc import Collection, Iterable

from associations.bulk.files import table
from associations.bulk.files.decoding import Parts
from associations.bulk.files.errors import FileError
from associations.bulk.files.headings import Resolve
from associations.bulk.files.rows import Row, RowChecker
from associations.bulk.files.table import Table
from associations.bulk.messages import file_sentence, sentence
from associations.gateway.object_types import TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType

TYPES = standard_choices()
CHOSEN = {"from_object_type": "contacts", "to_object_type": "companies"}
HEADER = "from_id,to_id,reason\n"


def parts_of(content: str | bytes, size: int = 512 * 1024) -> Parts:
    """The file as the database gives it, in parts of that size."""
    data = content.encode() if isinstance(content, str) else content
    return lambda: (data[at : at + size] for at in range(0, len(data), size))


def read_table(
    parts: Parts,
    *,
    given: Collection[str] = (),
    resolve: Resolve | None = None,
    sheet: str = "",
) -> Table:
    """The file as a table, as it says itself what its columns mean."""
    beginning = table.begin(parts, resolve=resolve, sheet=sheet)
    return table.table_of(beginning, given=given, resolve=resolve)


def table_of(content: str | bytes, *, given: Iterable[str] = (), size: int = 512 * 1024) -> Table:
    return read_table(parts_of(content, size), given=tuple(given), resolve=TYPES.resolve)


def checker(types: TypeChoices = TYPES, **chosen: str) -> RowChecker:
    return RowChecker(types, portal_id="4242", ui_hosts=("127.0.0.1:8001",), **chosen)


def rows_of(content: str | bytes, size: int = 512 * 1024, **chosen: str) -> list[Row]:
    table = table_of(content, given=chosen, size=size)
    check = checker(**chosen).check
    return [check(table.values(record)) for record in table]


def told(row: Row) -> str:
    """A row in short: `501-902`, or what is wrong with it."""
    return row.problem.code if row.problem else f"{row.from_object_id}-{row.to_object_id}"


def answer(content: str | bytes, size: int = 512 * 1024) -> list[str] | tuple[str, dict]:
    """What becomes of a file when contacts and companies were chosen: its rows, or why not.

    Whatever it is, there has to be a sentence about it.
    """
    try:
        rows = rows_of(content, size, **CHOSEN)
    except FileError as error:
        assert "%" not in file_sentence(error.reason, error.facts)
        return error.reason.value, error.facts
    for row in rows:
        assert row.problem is None or sentence(*row.problem)
    return [told(row) for row in rows]


def car(canonical: str = "2-4001", label: str = "Car") -> ObjectType:
    return ObjectType(canonical, canonical, label, f"{label}s")
