"""HubSpot's endpoint that searches: by words, by filters, in order and a page at a time."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import Any

from hubadmin.demo.sandbox.filters import Filter, comparable, read_groups
from hubadmin.demo.sandbox.http import Answer, Call, invalid, read_object
from hubadmin.demo.sandbox.index import View
from hubadmin.demo.sandbox.objects import read_properties, shown
from hubadmin.demo.sandbox.portal import readable_types
from hubadmin.demo.sandbox.properties import told_by_search, value_of
from hubadmin.demo.sandbox.state import State
from hubadmin.demo.sandbox.words import words_of_query

_MOST_CHARACTERS = 3_000
_USUAL_LIMIT, _MOST_LISTED, _MOST_FOUND = 10, 200, 10_000
_DIRECTIONS = {"ASCENDING": False, "DESCENDING": True}


@dataclass(frozen=True, slots=True)
class _Sort:
    name: str = ""
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    query: str
    groups: list[list[Filter]]
    properties: list[str]
    sort: _Sort
    limit: int
    after: int


def search(state: State, call: Call, type_name: str) -> Answer:
    """Answer with a page of the records that fit, the oldest first unless asked otherwise."""
    (object_type,) = readable_types(call, type_name)
    request = _read_request(call)
    with state.records.as_searched(object_type.type_id) as view:
        ids = _fitting(view, request)
        end = request.after + request.limit
        shown_ids = _first(view, ids, end, request.sort)[request.after :]
        found = [view.record(record_id) for record_id in shown_ids]
    told = request.properties or told_by_search(object_type.type_id)
    body: dict[str, Any] = {"total": len(ids), "results": [shown(each, told) for each in found]}
    if len(ids) > end:
        body["paging"] = {"next": {"after": str(end)}}
    return Answer(200, body)


def _fitting(view: View, request: _Request) -> set[str]:
    words = words_of_query(request.query)
    if request.query.strip() and not words:
        return set()
    found = view.by_words(words) if words or not request.groups else None
    if not request.groups:
        return found or set()
    return {i for group in request.groups for i in _fitting_group(view, group, found)}


def _fitting_group(view: View, group: list[Filter], found: set[str] | None) -> list[str]:
    narrowed = [ids for each in group if (ids := each.candidates(view)) is not None]
    if found is not None:
        narrowed.append(found)
    ids = set.intersection(*narrowed) if narrowed else view.by_words([])
    records = ((i, view.record(i)) for i in ids)
    return [i for i, record in records if all(each.fits(record) for each in group)]


def _first(view: View, ids: set[str], count: int, sort: _Sort) -> list[str]:
    if sort.name in ("", "hs_object_id", "createdate"):  # ids are given one after the other
        return (nlargest if sort.backwards else nsmallest)(count, ids, key=int)
    key = _order_by(view, sort.name)
    return sorted(sorted(ids, key=int), key=key, reverse=sort.backwards)[:count]


def _order_by(view: View, name: str) -> Callable[[str], tuple[Any, ...]]:
    def key(record_id: str) -> tuple[Any, ...]:
        value = comparable(value_of(view.record(record_id), name) or "")
        return isinstance(value, str), value

    return key


def _read_request(call: Call) -> _Request:
    if len(call.body.decode(errors="replace")) > _MOST_CHARACTERS:
        raise invalid(f"The body of a search has at most {_MOST_CHARACTERS} characters.")
    body = read_object(call)
    limit, after = _number(body, "limit", _USUAL_LIMIT), _number(body, "after", 0)
    if not 1 <= limit <= _MOST_LISTED:
        raise invalid(f"“limit” must be from 1 to {_MOST_LISTED}.")
    if after + limit > _MOST_FOUND:
        raise invalid(f"A search shows its first {_MOST_FOUND} results, and none beyond.")
    query = body.get("query") or ""
    if not isinstance(query, str):
        raise invalid("“query” must be a text.")
    groups, properties = read_groups(body), read_properties(body)
    return _Request(query, groups, properties, _read_sort(body), limit, after)


def _number(body: dict[str, Any], name: str, usual: int) -> int:
    value = body.get(name)
    if value in (None, ""):
        return usual
    if type(value) not in (int, str) or not re.fullmatch("[0-9]{1,9}", str(value)):
        raise invalid(f"“{name}” must be a whole number.")
    return int(value)


def _read_sort(body: dict[str, Any]) -> _Sort:
    sorts = body.get("sorts", [])
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise invalid("“sorts” must be a list of at most one.")
    if not sorts:
        return _Sort()
    (sort,) = sorts
    if isinstance(sort, str) and sort.removeprefix("-"):
        return _Sort(sort.removeprefix("-"), sort.startswith("-"))
    name = sort.get("propertyName") if isinstance(sort, dict) else None
    direction = sort.get("direction", "ASCENDING") if isinstance(sort, dict) else None
    if not isinstance(name, str) or direction not in _DIRECTIONS:
        raise invalid("A sort has a “propertyName” and a “direction” that HubSpot knows.")
    return _Sort(name, _DIRECTIONS[direction])
