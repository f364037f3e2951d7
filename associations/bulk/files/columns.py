"""Which column of a file means what: by its header row, or without one by what stands there."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from associations.bulk.files.errors import FileError, FileReason
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError
from associations.hubspot.record_references import MAX_ADDRESS, RecordIdError, read_reference
from associations.hubspot.unseen import bare

FIELDS = ("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason")
OURS = {"line", "problem"}  # what a download of bad rows has besides
MAX_NAME = 100

_BESIDE_NAMES = re.compile(r"[\W_]+")
_FROM = ("from", "source", "first", "関連付け元", "連携元", "リンク元", "元")
_TO = ("to", "target", "destination", "second", "関連付け先", "連携先", "リンク先", "先")
_TYPES: tuple[str, ...] = (
    "type",
    "object type",
    "objecttypeid",
    "object",
    "record type",
    "タイプ",
    "種類",
)
_TYPES += ("オブジェクト", "オブジェクトタイプ", "レコードタイプ")
_RECORDS: tuple[str, ...] = (
    "",
    "id",
    "object id",
    "record",
    "record id",
    "url",
    "address",
    "record url",
    "link",
)
_RECORDS += ("レコード", "レコードid", "オブジェクトid", "番号")
_REASONS: tuple[str, ...] = (
    "reason",
    "why",
    "comment",
    "comments",
    "note",
    "notes",
    "理由",
    "備考",
    "メモ",
)
_REASONS += ("コメント",)
_NUMBERED = ("id", "record", "record id", "object id", "レコード", "レコードid")


def folded(name: str) -> str:
    """Return what is left of a name without case, width, spaces and signs."""
    return _BESIDE_NAMES.sub("", unicodedata.normalize("NFKC", name[:MAX_NAME]).casefold())


def _synonyms() -> dict[str, str]:
    names = {"reason": [*_REASONS]}
    for side, words, number in (("from", _FROM, "1"), ("to", _TO, "2")):
        joints = ("", "の")
        names[f"{side}_object_type"] = [f"{w}{j}{n}" for w in words for j in joints for n in _TYPES]
        names[f"{side}_object_id"] = [f"{w}{j}{n}" for w in words for j in joints for n in _RECORDS]
        names[f"{side}_object_type"] += [f"{n}{number}" for n in _TYPES]
        names[f"{side}_object_id"] += [f"{n}{number}" for n in _NUMBERED]
    names |= {name: [name] for name in OURS}
    return {folded(text): name for name, texts in names.items() for text in texts}


_SYNONYMS = _synonyms()


def fields_named(cells: Sequence[str]) -> list[str]:
    """Return for each cell the field or column of ours that it names; empty for none."""
    return [_SYNONYMS.get(folded(cell), "") for cell in cells]


MAX_COLUMNS = 50

Resolve = Callable[[str], ObjectType]

_IDS = ("from_object_id", "to_object_id")
# `contact_id`, `record id (contact)` and the like name a type and a record at once.
_ID_WORDS = re.compile(r"^record[ _-]*id\b|[ _-]*(record)?[ _-]*(id|url)s?$|(レコード)?の?id$")
_ONLY_A_NUMBER = re.compile(r"[-+=]?\d[\d.,'\u2019 ]*(e\+?\d+)?", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?:)?//|/?(contacts|record)/|[\w-]+\.hubspot\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands where: field → index of its column.

    `types` has the canonical type of a side that the name of its id column says (`contact_id`);
    `unused` the names of columns that nobody knows, `width` how many columns there are.
    """

    columns: dict[str, int]
    width: int
    has_header: bool = True
    types: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def layout_of(cells: Sequence[str], resolve: Resolve) -> Layout:
    """Return the layout that a file's first record gives it.

    Raises FileError if a column is missing or there twice, naming what was found.
    """
    named = fields_named(cells)
    if len(set(named) & {*FIELDS}) < 2 and (columns := _columns_of_data(cells, resolve)):
        return Layout(columns, len(cells), has_header=False)
    _refuse_doubles(cells, named)
    columns = {name: named.index(name) for name in FIELDS if name in named}
    types = _add_typed_ids(cells, named, columns, resolve)
    _refuse_missing(cells, columns, resolve)
    used = {*columns.values()}
    unused = (
        name.strip()
        for index, name in enumerate(cells)
        if index not in used and name.strip() and named[index] not in OURS
    )
    return Layout(columns, len(cells), types=types, unused=tuple(unused))


def fitting_columns(cells: Sequence[str], resolve: Resolve) -> int:
    """Return how many columns of a first record are understood, to compare ways to split it."""
    named = set(fields_named(cells)) & {*FIELDS}
    if len(named) >= 2:
        return len(named)
    return len(_columns_of_data(cells, resolve) or named or _typed_ids(cells, resolve))


def found(cells: Sequence[str]) -> str:
    """Return the first cells in one short line, for a sentence."""
    names = [" ".join(cell.split())[:40] for cell in cells[:8]]
    return ", ".join(filter(None, names)) + (", …" if len(cells) > 8 else "")


def _refuse_doubles(cells: Sequence[str], named: Sequence[str]) -> None:
    for name in FIELDS:
        doubles = [cell for cell, meant in zip(cells, named, strict=True) if meant == name]
        if len(doubles) > 1:
            raise FileError(FileReason.DOUBLE_COLUMN, field=name, found=found(doubles))


def _columns_of_data(cells: Sequence[str], resolve: Resolve) -> dict[str, int] | None:
    """The columns of a file without header; None if the cells do not look like data."""
    filled = len(cells)
    while filled and not cells[filled - 1].strip():
        filled -= 1
    for width in (len(cells), filled):
        names = _standard_order(width)
        ids = [cells[names.index(name)] for name in _IDS if name in names]
        if ids and all(_looks_like_a_record(cell, resolve) for cell in ids):
            return {name: index for index, name in enumerate(names)}
    return None


def _standard_order(width: int) -> tuple[str, ...]:
    short = (*_IDS, "reason")
    return {2: short[:2], 3: short, 4: FIELDS[:4], 5: FIELDS}.get(width, ())


def _looks_like_a_record(cell: str, resolve: Resolve) -> bool:
    text = bare(cell)[:MAX_ADDRESS]
    if _ONLY_A_NUMBER.fullmatch(text) or _ADDRESS.match(text):
        return True
    try:
        return bool(read_reference(text, resolve=resolve))
    except RecordIdError:
        return False


def _add_typed_ids(
    cells: Sequence[str], named: Sequence[str], columns: dict[str, int], resolve: Resolve
) -> dict[str, str]:
    """Take columns such as `contact_id` for the ids that no other column has, in their order."""
    missing = [name for name in _IDS if name not in columns]
    typed = [(i, t) for i, t in _typed_ids(cells, resolve) if not named[i]] if missing else []
    names = [cells[index] for index, _type in typed]
    if len(typed) > len(missing):
        raise FileError(FileReason.TOO_MANY_RECORDS, found=found(names))
    if len({*map(folded, names)}) < len(names):
        raise FileError(FileReason.DOUBLE_COLUMN, field=missing[0], found=found(names))
    types = {}
    for name, (index, object_type) in zip(missing, typed, strict=False):
        columns[name] = index
        type_name = name.replace("_id", "_type")
        if type_name in columns:
            names = [cells[columns[type_name]], cells[index]]
            raise FileError(FileReason.DOUBLE_COLUMN, field=type_name, found=found(names))
        types[type_name] = object_type
    return types


def _typed_ids(cells: Sequence[str], resolve: Resolve) -> list[tuple[int, str]]:
    """The columns whose names say a type: those that say "id" as well, else two that do not."""
    with_id, without = list[tuple[int, str]](), list[tuple[int, str]]()
    for index, cell in enumerate(cells[:MAX_COLUMNS]):
        name = " ".join(unicodedata.normalize("NFKC", cell[:MAX_NAME]).split())
        stem = _ID_WORDS.sub("", name.casefold()).strip(" -_()[]:")
        object_type = _resolved(stem, resolve)
        if object_type:
            (without if stem == name.casefold() else with_id).append((index, object_type))
    return with_id or (without if len(without) == 2 else [])


def _resolved(text: str, resolve: Resolve) -> str:
    try:
        return resolve(text).canonical if text else ""
    except UnknownObjectTypeError:
        return ""


def _refuse_missing(cells: Sequence[str], columns: dict[str, int], resolve: Resolve) -> None:
    missing = [name for name in _IDS if name not in columns]
    if not missing:
        return
    if not columns and sum(_looks_like_a_record(cell, resolve) for cell in cells) > 1:
        raise FileError(FileReason.NO_HEADER, found=found(cells))
    if len(missing) == 2:
        raise FileError(FileReason.MISSING_COLUMNS, found=found(cells))
    raise FileError(FileReason.MISSING_COLUMN, field=missing[0], found=found(cells))
