"""Finds records by their ids and addresses, as the preview does: these looks are no events."""

from functools import partial

from associations.audit.throttling import ThrottledError, check_looks
from associations.finding.by_words import named, with_key
from associations.finding.found import Found, Hit, Search, Why, age
from associations.finding.readings import Kind
from associations.finding.shown_record import ShownRecord, is_archived, shown_record
from associations.gateway.account import display_property
from associations.gateway.cache import is_fresh, run_concurrently
from associations.hubspot import lookups
from associations.hubspot.object_types import ObjectType
from associations.hubspot.schemas import Record

_ALWAYS = ("contacts", "companies", "deals", "tickets")
FURTHER = 2  # types that are looked under besides


def by_id(search: Search) -> Found:
    """An id with a type: the record that HubSpot has there now; without: any, to choose from.

    Digits alone may be the unique value of a custom object as well.
    """
    if not (object_type := search.reading.object_type):
        return _of_any_type(search, search.reading.text)
    found = _of_type(search, object_type)
    if found.error or search.reading.kind is Kind.REFERENCE:
        return found
    if not (with_it := with_key(search, object_type)):
        return found
    if found.chosen and found.chosen.record.object_id not in {each.object_id for each in with_it}:
        return named(search, object_type, [found.chosen.record, *with_it])
    return named(search, object_type, with_it)


def _of_type(search: Search, object_type: ObjectType) -> Found:
    object_id = search.reading.text
    unseen = search.hit(object_type, Record(object_id))  # it may be sent all the same
    try:
        (shown,) = _look(search, [object_type], object_id)
    except ThrottledError as error:
        wait = {"seconds": error.wait_seconds}
        return Found(chosen=unseen, why=Why.TOO_MANY_FINDS, facts={**wait})
    if shown.error:
        return Found(chosen=unseen, why=Why.NOT_SHOWN, error=shown.error)
    if shown.record is None:
        return _elsewhere(search, object_type, object_id)
    hit = search.hit(object_type, shown.record, object_id)
    if search.narrowed and search.narrowed.canonical != object_type.canonical:
        return _of_another_type([hit])
    return Found(chosen=hit)


def _of_any_type(search: Search, object_id: str) -> Found:
    likely = _likely(search)
    shown = _look(search, likely, object_id)
    if hits := _hits(search, shown):
        return Found(hits=hits, why=Why.CHOOSE, facts={"total": len(hits)}, searched=likely)
    if errors := [each.error for each in shown if each.error]:
        return Found(why=Why.NOT_SHOWN, error=errors[0], searched=likely)
    for object_type in likely[:FURTHER]:
        if is_archived(object_type, object_id):
            return _gone(Why.ARCHIVED, object_type.canonical, object_id, likely)
    return _gone(Why.MISSING, "", object_id, likely)


def _elsewhere(search: Search, object_type: ObjectType, object_id: str) -> Found:
    """What became of a record that is not there, or which other type has one of its id."""
    if is_archived(object_type, object_id):
        return _gone(Why.ARCHIVED, object_type.canonical, object_id, [object_type])
    others = [each for each in _likely(search) if each.canonical != object_type.canonical]
    if hits := _hits(search, _look(search, others, object_id)):
        return _of_another_type(hits)
    return _gone(Why.MISSING, object_type.canonical, object_id, [object_type])


def _gone(why: Why, object_type: str, object_id: str, searched: list[ObjectType]) -> Found:
    facts: dict[str, str | int] = {"object_type": object_type, "object_id": object_id}
    return Found(why=why, facts=facts, searched=searched)


def _of_another_type(hits: list[Hit]) -> Found:
    first = hits[0]
    facts = {"object_type": first.object_type.canonical, "object_id": first.record.object_id}
    return Found(hits=hits, why=Why.OTHER_TYPE, facts={**facts})


def _hits(search: Search, shown: list[ShownRecord]) -> list[Hit]:
    found = [
        search.hit(each.object_type, each.record, each.object_id) for each in shown if each.record
    ]
    return sorted(found, key=age)


def _likely(search: Search) -> list[ObjectType]:
    """Under which types an id is looked up that says none, the most probable first."""
    probable = search.habits.types_for(search.side, search.other, search.types)[:FURTHER]
    used = search.habits.most_used(search.types)[:FURTHER]
    always = map(search.type_of, _ALWAYS)
    return list({each.canonical: each for each in (*probable, *always, *used)}.values())


def _look(search: Search, object_types: list[ObjectType], object_id: str) -> list[ShownRecord]:
    """What HubSpot shows there, all at once: one of the person's looks, unless it is known."""
    asked = [(each.canonical, object_id, display_property(each.canonical)) for each in object_types]
    if not all(is_fresh(lookups.find_record, *each) for each in asked):
        check_looks(search.question.user)
    looks = [partial(shown_record, each, object_id) for each in object_types]
    return run_concurrently(*looks)
