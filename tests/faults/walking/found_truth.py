"""Whether what a page says of records that rows name is so. Each docstring: what was so instead.

A run may be read in several goes, so what was so at one of them is taken for so.
"""

from collections import Counter
from collections.abc import Callable

from associations.bulk.files.rows import RowReason
from associations.hubspot.record_references import PairReason
from associations.models import BulkKey, BulkRow, RowState
from tests.faults.walking.directory import FREE_MAIL, Meant
from tests.faults.walking.linking_steps import LABELS
from tests.faults.walking.pages import Page
from tests.faults.walking.saying import Saying
from tests.faults.walking.state_truth import Predicate, rows_of
from tests.faults.walking.world import World

_SIDES = ("from", "to")
_OF_HUBSPOT = (RowReason.MISSING, RowReason.ARCHIVED, RowReason.NO_DEFAULT, RowReason.LIMIT)
_TYPES = {label.lower(): kind for kind, label in LABELS.items()}


def _meant(world: World, key: BulkKey) -> set[Meant]:
    """What a text named whenever its run was read."""
    moments = world.read_at.get(key.run_id, [world.now])
    return world.portal.directory.meant(key.object_type, key.text, moments)


def _keys(say: Saying) -> list[BulkKey]:
    """Those with the text that is told."""
    return list(BulkKey.objects.filter(run=say.run, text=say.found["text"]))


def _is_so_of_a_key(say: Saying, is_so: Callable[[Meant], bool]) -> bool:
    return any(is_so(each) for key in _keys(say) for each in _meant(say.world, key))


# --- sentences about one text ---------------------------------------------------------------------


def no_such_address(say: Saying) -> bool:
    """HubSpot had a contact with this address"""
    return "@" in say.found["text"] and _is_so_of_a_key(say, lambda meant: not meant.exact)


def not_found(say: Saying) -> bool:
    """HubSpot's search found a record for this text"""
    return _is_so_of_a_key(say, lambda meant: not meant.found)


def no_such_id(say: Saying) -> bool:
    """HubSpot had the record"""
    record = _TYPES[say.found["word"]], say.found["n"]
    moments = say.world.read_at.get(say.run.pk, [say.world.now])
    return any(not say.world.portal.has(record, moment) for moment in moments)


def are_one_record(say: Saying) -> bool:
    """the two are two records"""
    rows = [row for row in _kept_back(say) if row.problem == PairReason.ITSELF]
    identity = say.world.portal.identity
    return bool(rows) and all(
        identity((row.from_object_type, row.from_object_id))
        == identity((row.to_object_type, row.to_object_id))
        for row in rows
    )


def may_mean_several(say: Saying) -> bool:
    """the text named one record, none, or another number of them"""
    number = say.number()
    return _is_so_of_a_key(say, lambda meant: not meant.is_one and len(meant.found) == number)


def is_free_mail(say: Saying) -> bool:
    """the domain is a company's own"""
    return say.found["text"].endswith(FREE_MAIL) and bool(_keys(say))


def none_was_meant(say: Saying) -> bool:
    """nobody said that it was none of these"""
    chosen = [say.world.chosen.get(key.pk) for key in _keys(say)]
    return "" in chosen


def was_not_told(say: Saying) -> bool:
    """HubSpot answered what it was asked"""
    return bool(_keys(say)) and say.world.has_failed(say.run.pk)


def has_changed(say: Saying) -> bool:
    """the text names the same record as before"""
    keys = [key for key in _keys(say) if key.object_id]
    return any(not _still_names(say.world, key) for key in keys)


def _still_names(world: World, key: BulkKey) -> bool:
    """At each look that there was; the last one may have been just before a row was sent."""
    exact = [each.found if key.is_chosen else each.exact for each in _meant(world, key)]
    return all(key.object_id in ids and (key.is_chosen or len(ids) == 1) for ids in exact)


def is_beyond_the_most(say: Saying) -> bool:
    """so few texts are searched for, each of them"""
    return say.run.keys.filter(problem=RowReason.TOO_MANY_WORDS, text=say.found["text"]).exists()


def was_found_by(say: Saying) -> bool:
    """no row of its run names a record so, or that is not the entry's record"""
    text, entry = say.found["text"], say.entry
    row = BulkRow.objects.filter(run=entry.run, number=entry.row_number or 0).first()
    keys = BulkKey.objects.filter(pk__in=[row.from_key_id or 0, row.to_key_id or 0] if row else [])
    ids = {entry.from_object_id, entry.to_object_id}
    return any(key.text == text and key.object_id in ids for key in keys)


# --- groups of rows, and figures ------------------------------------------------------------------


def group_is(*problems: str, holds: Callable[[World, BulkRow], bool] | None = None) -> Predicate:
    """The number of rows with one of these problems in one column, of all of which `holds` is so.

    Without problems those of any will do.
    """

    def is_so(say: Saying) -> bool:
        rows = _kept_back(say)
        rows = [row for row in rows if row.problem in problems] if problems else rows
        counts = Counter((row.problem, row.problem_field) for row in rows)
        is_right = holds is None or all(holds(say.world, row) for row in rows)
        is_counted = "n" not in say.found.groupdict() or say.number() in counts.values()
        return bool(rows) and is_counted and is_right

    is_so.__doc__ = "another number of rows has this problem, or not all of them have it"
    return is_so


def _kept_back(say: Saying) -> list[BulkRow]:
    rows = BulkRow.objects.filter(run=say.run, state=RowState.INVALID)
    return list(rows.exclude(problem=RowReason.CHOOSE))


def _key_at_fault(row: BulkRow) -> BulkKey | None:
    side = row.problem_field.partition("_")[0]
    return BulkKey.objects.filter(pk=getattr(row, f"{side}_key_id") or 0).first()


def has_no_key_record(world: World, row: BulkRow) -> bool:
    key = _key_at_fault(row)
    return key is not None and any(not each.exact for each in _meant(world, key))


def is_not_found(world: World, row: BulkRow) -> bool:
    key = _key_at_fault(row)
    return key is not None and any(not each.found for each in _meant(world, key))


def has_no_such_id(world: World, row: BulkRow) -> bool:
    side = row.problem_field.partition("_")[0]
    record = getattr(row, f"{side}_object_type"), getattr(row, f"{side}_object_id")
    moments = world.read_at.get(row.run_id, [world.now])
    return any(not world.portal.has(record, moment) for moment in moments)


def waits_for_a_choice(say: Saying) -> bool:
    """another number of rows waits for a choice"""
    return say.number() == rows_of(say, state=RowState.INVALID, problem=RowReason.CHOOSE)


def ready_to_link(say: Saying) -> bool:
    """another number of rows is ready and was not seen linked already"""
    ready = BulkRow.objects.filter(run=say.run, state=RowState.READY)
    return say.number() == ready.exclude(was_linked=True).count()


def cannot_be_linked(say: Saying) -> bool:
    """another number of rows has a problem that no choice ends"""
    return say.number() == len(_kept_back(say))


def can_be_downloaded(say: Saying) -> bool:
    """another number of rows has a problem"""
    return say.number() == rows_of(say, state=RowState.INVALID)


def is_left_out(say: Saying) -> bool:
    """no row is left out"""
    return bool(_kept_back(say))


def found_of_side(say: Saying) -> bool:
    """HubSpot had the record of another number of rows"""
    # Only asked of a cell of the columns' table, which is about a side.
    side = _SIDES[say.text.about[1]]  # type: ignore[index]
    rows = list(BulkRow.objects.filter(run=say.run))
    keys = BulkKey.objects.in_bulk([getattr(row, f"{side}_key_id") or 0 for row in rows])
    found = sum(_is_found(say.world, row, side, keys) for row in rows)
    named = [keys.get(getattr(row, f"{side}_key_id")) for row in rows]
    several = sum(bool(key and key.problem == RowReason.CHOOSE) for key in named)
    told = int((say.found["perhaps"] or "0").replace(",", ""))
    return (say.number(), say.number("total"), told) == (found, len(rows), several)


def _is_found(world: World, row: BulkRow, side: str, keys: dict[int, BulkKey]) -> bool:
    if key := keys.get(getattr(row, f"{side}_key_id")):
        return bool(key.object_id)
    object_id = getattr(row, f"{side}_object_id")
    record = getattr(row, f"{side}_object_type"), object_id
    is_at_fault = row.problem not in ("", RowReason.LIMIT)
    if not all(record) or (is_at_fault and row.problem_field == f"{side}_object_id"):
        return False
    if row.was_linked is None and row.problem not in _OF_HUBSPOT:
        return True  # HubSpot was not asked, or did not tell: an id is taken for a record's
    moments = world.read_at.get(row.run_id, [world.now])
    return any(world.portal.has(record, moment) for moment in moments)


def texts_looked_for(say: Saying) -> bool:
    """HubSpot was asked for another number of texts"""
    keys = say.run.keys
    done = keys.exclude(asked_at=None).count()
    return (say.number(), say.number("total")) == (done, keys.count())


def is_asked_again(say: Saying) -> bool:
    """the run is read, or HubSpot answered all that it was asked"""
    return say.run.state == "reading" and say.world.has_failed(say.run.pk)


# --- what is on offer, and what was chosen --------------------------------------------------------


def is_on_offer(say: Saying) -> bool:
    """HubSpot had no such record, or no text of the run is found in it"""
    kind, number = _TYPES[say.found["word"].lower()], say.found["n"]
    waiting = BulkKey.objects.filter(run=say.run, problem=RowReason.CHOOSE, object_type=kind)
    return any(
        number in each.found for key in waiting for each in _meant(say.world, key)
    ) and say.world.portal.has((kind, number), say.run.read_at)


def rows_of_a_choice(say: Saying) -> bool:
    """another number of rows, or another line first, waits for a choice of this text"""
    lines = []
    for row in BulkRow.objects.filter(run=say.run, problem=RowReason.CHOOSE).order_by("number"):
        keys = BulkKey.objects.filter(pk__in=[row.from_key_id or 0, row.to_key_id or 0])
        lines += [row.line] if any(key.text == say.found["text"] for key in keys) else []
    told = say.found.groupdict().get("total")
    number = int(told.replace(",", "")) if told else 1
    return bool(lines) and (lines[0], len(lines)) == (say.number(), number)


def a_choice_is_due(say: Saying) -> bool:
    """a text that waits for a choice names one record by itself"""
    waiting = BulkKey.objects.filter(run=say.run, problem=RowReason.CHOOSE)
    return bool(waiting) and all(
        any(each.found and not each.is_one for each in _meant(say.world, key)) for key in waiting
    )


def what_was_meant_is_taken(world: World, page: Page) -> bool:
    """a row has a record that its text did not name, or another one than was chosen"""
    rows = BulkRow.objects.filter(state=RowState.READY).exclude(from_key=None, to_key=None)
    keys = BulkKey.objects.in_bulk()
    return all(
        _is_taken(world, key, getattr(row, f"{side}_object_id"))
        for row in rows
        for side in _SIDES
        if (key := keys.get(getattr(row, f"{side}_key_id")))
    )


def _is_taken(world: World, key: BulkKey, object_id: str) -> bool:
    if key.pk in world.chosen:
        return object_id == world.chosen[key.pk]
    return any(each.exact == {object_id} for each in _meant(world, key))


def what_was_found_is_sent(world: World, page: Page) -> bool:
    """an entry of a run is about another record than its row"""
    rows = {(row.run_id, row.number): row for row in BulkRow.objects.all()}
    entries = [entry for entry in world.entries() if entry.run_id]
    pairs = [(entry, rows.get((entry.run_id, entry.row_number or 0))) for entry in entries]
    return all(
        (entry.from_object_id, entry.to_object_id) == (row.from_object_id, row.to_object_id)
        for entry, row in pairs
        if row
    )
