"""Which column of a file means what: by its header row, or without one by what stands there."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import (
    FIELDS,
    IDS,
    OURS,
    Resolve,
    TypedName,
    fields_named,
    folded,
    names_a_side,
    names_somebody,
    typed_name,
)
from associations.hubspot.record_references import MAX_ADDRESS, RecordIdError, read_reference
from associations.hubspot.unseen import bare

MAX_COLUMNS = 50

_ONLY_A_NUMBER = re.compile(r"[-+=]?\d[\d.,'\u2019 ]*(e\+?\d+)?", re.IGNORECASE)
_OF_MAIL = r"[^@\s,;<>\"]+"
_MAIL = re.compile(rf"{_OF_MAIL}@{_OF_MAIL}\.{_OF_MAIL}")
_NOTHING = {"", "-", "\u2013", "\u2014", "?", "/", "."}  # as people fill in what they do not know
_MAIL_OF = re.compile(rf"[^<>:]*<{_OF_MAIL}@{_OF_MAIL}>")  # as programs for mail write it
# Or several; of fewer digits it may be a year, which names a column as well.
_LONG_NUMBER = re.compile(r"(\d[.,' ]?){5,}([\s,;]+\d+)*", re.ASCII)
_A_DOMAIN = re.compile(r"([\w-]+\.)+[^\W\d_]{2,}")
_ADDRESS = re.compile(r"(https?:)?//|/?(contacts|record)/|[\w-]+\.hubspot\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands where: field → index of its column.

    `keys` has the unique property that a side's records are named by, where it is not their id.
    `types` has the canonical type of a side that the name of its id column says (`contact_id`);
    `unused` the names of columns that nobody knows, `width` how many columns there are.
    """

    columns: dict[str, int]
    width: int
    has_header: bool = True
    types: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)


def layout_of(
    cells: Sequence[str], resolve: Resolve, sample: Sequence[Sequence[str]] = ()
) -> Layout:
    """Return the layout that a file's first record gives it, with the records after it in doubt.

    Raises FileError if a column is missing or there twice, naming what was found.
    """
    named = fields_named(cells)
    if not _has_names(named) and (columns := _columns_of_data(cells, resolve)):
        return Layout(columns, len(cells), has_header=False)
    if not has_header_in(cells, resolve, sample):
        raise FileError(FileReason.NO_HEADER, found=found_in(cells))
    _refuse_doubles(cells, named)
    _refuse_other_records(cells, named, resolve, sample)
    columns = {name: named.index(name) for name in FIELDS if name in named}
    types = _add_typed_ids(cells, named, columns, resolve, sample)
    _refuse_missing(cells, columns, resolve)
    _add_ticket(cells, columns, resolve, sample)
    return Layout(columns, len(cells), types=types, unused=_unused(cells, columns))


def _unused(cells: Sequence[str], columns: Mapping[str, int]) -> tuple[str, ...]:
    used = {*columns.values()}
    named = enumerate(zip(cells, fields_named(cells), strict=True))
    left = ((name.strip(), said) for index, (name, said) in named if index not in used)
    return tuple(name for name, said in left if name and said not in OURS)


# --- as a person has it ---------------------------------------------------------------------------

# What a person may say of a column: nothing, one of FIELDS, an id with the type of its records, as
# `from_object_id:contacts`, and with the unique property that names them, as
# `from_object_id:contacts:employee_number`.


def meanings_of(layout: Layout) -> list[str]:
    """Return what each column of a layout means."""
    meanings = [""] * layout.width
    for name, index in layout.columns.items():
        object_type = layout.types.get(_type_of(name), "") if name in IDS else ""
        said = name, object_type, layout.keys.get(name, "")
        meanings[index] = ":".join(filter(None, said))
    return meanings


def likely_meanings(cells: Sequence[str], resolve: Resolve) -> list[str]:
    """Return what is understood of columns that make no layout, for a person to go on with."""
    named = fields_named(cells)
    if len(_typed_ids(_beside(cells, named), resolve)) > 1:  # see _refuse_other_records()
        both = zip(cells, named, strict=True)
        named = ["" if names_a_side(cell) else name for cell, name in both]
    meanings = [""] * len(cells)
    for index, name in enumerate(named):
        if name in FIELDS and name not in meanings:
            meanings[index] = name
    missing = [name for name in IDS if name not in meanings]
    typed = [(index, said) for index, said in _typed_ids(cells, resolve) if not meanings[index]]
    for name, (index, said) in zip(missing, typed, strict=False):
        meanings[index] = f"{name}:{said.object_type}" if said.object_type else name
    return meanings


def layout_with(
    cells: Sequence[str],
    meanings: Sequence[str],
    resolve: Resolve,
    sample: Sequence[Sequence[str]] = (),
) -> Layout:
    """Return the layout that somebody has chosen for a file with this first record.

    Raises FileError as layout_of() does, and if there are other columns than meanings.
    """
    if len(meanings) != len(cells):
        raise FileError(FileReason.OTHER_COLUMNS, found=found_in(cells))
    columns, types, keys = dict[str, int](), dict[str, str](), dict[str, str]()
    for index, meaning in enumerate(meanings):
        name, object_type, key = (*meaning.split(":", 2), "", "")[:3]
        if name in columns:
            pair = [cells[columns[name]], cells[index]]
            raise FileError(FileReason.DOUBLE_COLUMN, field=name, found=found_in(pair))
        if name:
            columns[name] = index
        if object_type:
            types[_type_of(name)] = object_type
        if key:
            keys[name] = key
    for name in types.keys() & columns.keys():
        pair = [cells[columns[name]], cells[columns[name.replace("_type", "_id")]]]
        raise FileError(FileReason.DOUBLE_COLUMN, field=name, found=found_in(pair))
    missing = [name for name in IDS if name not in columns]
    if missing:
        reason = FileReason.MISSING_COLUMN if len(missing) == 1 else FileReason.MISSING_COLUMNS
        raise FileError(reason, field=missing[0], found=found_in(cells))
    has_header = has_header_in(cells, resolve, sample)
    unused = _unused(cells, columns) if has_header else ()
    return Layout(columns, len(cells), has_header, types, unused, keys)


def has_header_in(
    cells: Sequence[str], resolve: Resolve, sample: Sequence[Sequence[str]] = ()
) -> bool:
    """Return whether a first record holds names of columns, not a pair; `sample` are those below.

    In doubt it is a pair: a row too many is seen, one that is missing is not.
    """
    named = fields_named(cells)
    if _has_names(named):
        return True
    if _columns_of_data(cells, resolve):
        return False
    typed = _typed_ids(cells, resolve)
    if not {*IDS}.isdisjoint(named) or any(said.says_id for _index, said in typed):
        return True
    # Such a word as `contact` or `note` may stand in a row of data as well.
    if any(map(_is_no_name, cells)):
        return False
    if sum(_looks_like_a_record(cell, resolve) for cell in cells) > 1:
        return False
    is_known = any(named) or any(typed_name(cell, resolve) for cell in cells[:MAX_COLUMNS])
    is_pair = sum(bool(bare(cell)) for cell in cells) > 1
    return is_known or not (is_pair and sample) or _are_records_below(cells, resolve, sample)


def _is_no_name(cell: str) -> bool:
    """Whether what stands there names a record, and no column for certain."""
    text = unicodedata.normalize("NFKC", bare(cell)[:MAX_ADDRESS])
    kinds = _MAIL.fullmatch, _MAIL_OF.fullmatch, _LONG_NUMBER.fullmatch, _ADDRESS.match
    return any(is_kind(text) for is_kind in kinds)


def _are_records_below(
    cells: Sequence[str], resolve: Resolve, sample: Sequence[Sequence[str]]
) -> bool:
    """Whether records stand in some column below something that is none."""
    for index, cell in enumerate(cells[:MAX_COLUMNS]):
        below = [bare(each[index]) for each in sample if index < len(each)]
        is_filled = any(below) and bare(cell) not in _NOTHING
        if is_filled and _holds_records(index, sample) and not _looks_like_a_record(cell, resolve):
            return True
    return False


def _type_of(name: str) -> str:
    return name.replace("_id", "_type")


def _has_names(named: Sequence[str]) -> bool:
    return len(set(named) & {*FIELDS}) >= 2


def fitting_columns(cells: Sequence[str], resolve: Resolve) -> int:
    """Return how many columns of a first record are understood, to compare ways to split it."""
    named = set(fields_named(cells)) & {*FIELDS}
    if _has_names([*named]):
        return len(named)
    return len(_columns_of_data(cells, resolve) or named or _typed_ids(cells, resolve))


def found_in(cells: Sequence[str]) -> str:
    """Return the first cells in one short line, for a sentence."""
    names = [" ".join(cell.split())[:40] for cell in cells[:8]]
    return ", ".join(filter(None, names)) + (", …" if len(cells) > 8 else "")


def _refuse_doubles(cells: Sequence[str], named: Sequence[str]) -> None:
    for name in FIELDS:
        doubles = [cell for cell, meant in zip(cells, named, strict=True) if meant == name]
        if len(doubles) > 1:
            raise FileError(FileReason.DOUBLE_COLUMN, field=name, found=found_in(doubles))


def _refuse_other_records(
    cells: Sequence[str], named: Sequence[str], resolve: Resolve, sample: Sequence[Sequence[str]]
) -> None:
    """Where others hold records, `From` and `To` may be dates, places or years."""
    sides = [cell for cell, name in zip(cells, named, strict=True) if name in IDS]
    if len(sides) < 2 or not any(map(names_a_side, sides)):
        return
    typed = _typed_ids(_beside(cells, named), resolve)
    others = [cells[i] for i, said in typed if said.says_id or _holds_records(i, sample)]
    if len(others) > 1:
        raise FileError(FileReason.TOO_MANY_RECORDS, found=found_in([*sides, *others]))


def _beside(cells: Sequence[str], named: Sequence[str]) -> list[str]:
    """The cells, without those that are fields of ours."""
    return ["" if name else cell for cell, name in zip(cells, named, strict=True)]


def _columns_of_data(cells: Sequence[str], resolve: Resolve) -> dict[str, int] | None:
    """The columns of a file without header; None if the cells do not look like data."""
    filled = len(cells)
    while filled and not cells[filled - 1].strip():
        filled -= 1
    for width in (len(cells), filled):
        names = _standard_order(width)
        ids = [cells[names.index(name)] for name in IDS if name in names]
        # Of three numbers, the second may be a phone's or a zip code, and the third the record.
        is_clear = width != 3 or not _looks_like_a_record(cells[2], resolve)
        if ids and is_clear and all(_looks_like_a_record(cell, resolve) for cell in ids):
            return {name: index for index, name in enumerate(names)}
    return None


def _standard_order(width: int) -> tuple[str, ...]:
    short = (*IDS, "reason")
    return {2: short[:2], 3: short, 4: FIELDS[:4], 5: FIELDS}.get(width, ())


def _looks_like_a_record(cell: str, resolve: Resolve) -> bool:
    text = bare(cell)[:MAX_ADDRESS]
    if _ONLY_A_NUMBER.fullmatch(text) or _ADDRESS.match(text):
        return True
    if _MAIL.fullmatch(text) or _A_DOMAIN.fullmatch(text):
        return True
    try:
        return bool(read_reference(text, resolve=resolve))
    except RecordIdError:
        return False


def _add_typed_ids(
    cells: Sequence[str],
    named: Sequence[str],
    columns: dict[str, int],
    resolve: Resolve,
    sample: Sequence[Sequence[str]],
) -> dict[str, str]:
    """Take columns such as `contact_id` for the ids that no other column has, in their order."""
    missing = [name for name in IDS if name not in columns]
    typed = _typed_ids(_beside(cells, named), resolve, sample) if missing else []
    names = [cells[index] for index, _said in typed]
    if len(typed) > len(missing):
        raise FileError(FileReason.TOO_MANY_RECORDS, found=found_in(names))
    if len({*map(folded, names)}) < len(names):
        raise FileError(FileReason.DOUBLE_COLUMN, field=missing[0], found=found_in(names))
    types = {}
    for name, (index, said) in zip(missing, typed, strict=False):
        columns[name] = index
        type_name = _type_of(name)
        if not said.object_type:
            continue
        if type_name in columns:
            names = [cells[columns[type_name]], cells[index]]
            raise FileError(FileReason.DOUBLE_COLUMN, field=type_name, found=found_in(names))
        types[type_name] = said.object_type
    return types


_Typed = list[tuple[int, TypedName]]


def _typed_ids(
    cells: Sequence[str], resolve: Resolve, sample: Sequence[Sequence[str]] = ()
) -> _Typed:
    """The columns whose names say a type: those that say "id" as well, else two that do not.

    In a file of HubSpot's those of its own records come first, whose type it does not say, and
    then those of the records that they are associated with.
    """
    said = [(index, typed_name(cell, resolve)) for index, cell in enumerate(cells[:MAX_COLUMNS])]
    typed = [(index, each) for index, each in said if each]
    with_id = [(index, each) for index, each in typed if each.says_id]
    own = [(index, each) for index, each in with_id if not each.is_associated]
    if others := _associated([each for each in with_id if each[1].is_associated]):
        return own[:1] + others if len(own) == 1 else own + others
    keyed = [(index, each) for index, each in typed if each.key and not each.says_id]
    known = [(index, each) for index, each in own if each.object_type]
    if len(known) == 1 and len(own) == 2:  # `Record ID,Company ID`
        return own
    without = [(index, each) for index, each in typed if not (each.says_id or each.key)]
    if not known and len(without) > 2:  # which of them is only told about, the values show
        without = [each for each in without if _holds_records(each[0], sample)]
    found = known or (without if len(without) == 2 else [])
    keys = [each for each in keyed if each[1].key != "name"]
    names = [each for each in keyed if each[1].key == "name"]
    # What is called a ticket is mostly a reason.
    without = [
        (index, each)
        for index, each in without
        if each.object_type != "tickets" or _holds_records(index, sample)
    ]
    return _filled_up(found, keys, without, names, _by_values(cells, sample))


def _filled_up(found: _Typed, keys: _Typed, without: _Typed, *others: _Typed) -> _Typed:
    """Two columns, if the ones that say an id are fewer: of the first group that has no more.

    Where more types are named than that, nobody knows which are meant.
    """
    named = {each.object_type for _index, each in [*found, *keys, *without]}
    if len(found) < 2 < len(named):
        return found
    for group in (keys, without, *others):
        types = {each.object_type for _index, each in found}
        new = [each for each in group if each[1].object_type not in types]
        if len(found) + len(new) <= 2:
            found = found + new
    return sorted(found)


def _by_values(cells: Sequence[str], sample: Sequence[Sequence[str]]) -> _Typed:
    """The column in which e-mail addresses stand, and that with domains, whatever it is called.

    Where there are several, or the name says whose they are, nobody knows that they are meant.
    """
    found = []
    for pattern, object_type in ((_MAIL, "contacts"), (_A_DOMAIN, "companies")):
        columns = [i for i in range(len(cells[:MAX_COLUMNS])) if _mostly(pattern, i, sample)]
        if len(columns) == 1 and bare(cells[columns[0]]) and not names_somebody(cells[columns[0]]):
            found.append((columns[0], TypedName(object_type)))
    return found


def _associated(typed: _Typed) -> _Typed:
    """Without the primary one of a type where there is a column of all of that type."""
    whole = {each.object_type for _index, each in typed if not each.is_primary}
    return [
        (index, each)
        for index, each in typed
        if not each.is_primary or each.object_type not in whole
    ]


_A_RECORD = re.compile(r"\d+(\s*[;,]\s*\d+)*|[^@\s]+@[^@\s]+|[\w-]+(\.[\w-]+)*\.[^\W\d][\w-]+")


def _holds_records(index: int, sample: Sequence[Sequence[str]]) -> bool:
    """Whether most of what stands there is an id, an e-mail address or a domain."""
    return _mostly(_A_RECORD, index, sample)


def _mostly(pattern: re.Pattern[str], index: int, sample: Sequence[Sequence[str]]) -> bool:
    values = [bare(cells[index])[:MAX_ADDRESS] for cells in sample if index < len(cells)]
    filled = [value for value in values if value]
    return sum(bool(pattern.fullmatch(value)) for value in filled) * 2 > len(filled)


def _add_ticket(
    cells: Sequence[str],
    columns: dict[str, int],
    resolve: Resolve,
    sample: Sequence[Sequence[str]],
) -> None:
    """Take `Ticket` with `SUP-1234` below it for the reason, where no column says that it is."""
    for index, cell in enumerate(cells[:MAX_COLUMNS]):
        if "reason" in columns or index in columns.values():
            continue
        said = typed_name(cell, resolve)
        is_ticket = said and said.object_type == "tickets" and not said.says_id
        filled = any(index < len(each) and each[index].strip() for each in sample)
        if is_ticket and filled and not _holds_records(index, sample):
            columns["reason"] = index


def _refuse_missing(cells: Sequence[str], columns: dict[str, int], resolve: Resolve) -> None:
    missing = [name for name in IDS if name not in columns]
    if not missing:
        return
    if not columns and sum(_looks_like_a_record(cell, resolve) for cell in cells) > 1:
        raise FileError(FileReason.NO_HEADER, found=found_in(cells))
    if len(missing) == 2:
        raise FileError(FileReason.MISSING_COLUMNS, found=found_in(cells))
    raise FileError(FileReason.MISSING_COLUMN, field=missing[0], found=found_in(cells))
