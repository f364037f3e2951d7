"""The sandbox's controls under /_sandbox/: play faults, see what arrived, start afresh."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from operator import itemgetter

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.faults import FaultError
from hubadmin.demo.sandbox.generated import generated_ids
from hubadmin.demo.sandbox.http import Answer, Call, Refused, posted, posted_list
from hubadmin.demo.sandbox.links import LinkError, parse_link
from hubadmin.demo.sandbox.people import MERGED_PEOPLE, people_ids
from hubadmin.demo.sandbox.portal import (
    PORTAL_ID,
    RECORDS,
    TYPES,
    find_type,
)
from hubadmin.demo.sandbox.state import State


def list_faults(state: State, call: Call) -> Answer:
    """Show the faults still to be played."""
    return Answer(200, state.faults.active())


def add_faults(state: State, call: Call) -> Answer:
    """Queue one fault or a list of them, and show what is queued now."""
    try:
        state.faults.add(*posted_list(call))
    except FaultError as error:
        raise Refused(400, str(error)) from error
    return list_faults(state, call)


def list_requests(state: State, call: Call) -> Answer:
    """Show the requests received, oldest first."""
    return Answer(200, state.requests)


def summarize_calls(state: State, call: Call) -> Answer:
    """Show how many calls arrived for HubSpot since the last reset, and how they were answered."""
    return Answer(200, state.calls.summary())


def set_rate(state: State, call: Call) -> Answer:
    """Take another number of calls within ten seconds from now on."""
    limits = posted(call)
    if not isinstance(limits, dict) or not limits.keys() <= {"calls", "associations"}:
        raise Refused(400, "A rate is a JSON object of calls, associations.")
    if not all(each is None or (type(each) is int and each >= 0) for each in limits.values()):
        raise Refused(400, "A rate's limits must be whole numbers from 0, or null.")
    state.take(limits.get("calls"), limits.get("associations"))
    return Answer(200, limits)


def list_associations(state: State, call: Call) -> Answer:
    """Show what was associated, each link in both directions.

    With `from_type` and `to_type` in the query: only the ids of those linked by the default.
    """
    if {"from_type", "to_type"} & call.query.keys():
        return _default_pairs(state, call)
    return Answer(200, [link._asdict() for link in sorted(state.associations)])


def add_associations(state: State, call: Call) -> Answer:
    """Link the records of one object or of a list of them, and show every link."""
    try:
        links = [parse_link(fields) for fields in posted_list(call)]
    except LinkError as error:
        raise Refused(400, str(error)) from error
    for link, label in links:
        state.links.add(link, label)
    return list_associations(state, call)


def _default_pairs(state: State, call: Call) -> Answer:
    names = (call.query.get(name, [""])[-1] for name in ("from_type", "to_type"))
    try:
        pairs = state.links.default_pairs(*names)
    except LinkError as error:
        raise Refused(400, str(error)) from error
    return Answer(200, {"count": len(pairs), "links": pairs})


def reset(state: State, call: Call) -> Answer:
    """Forget everything."""
    state.reset()
    return Answer(204)


def show_index(state: State, call: Call) -> Answer:
    """List the records that are written down by type, and tell of those merged and generated."""
    lists = (
        f"<h3>{TYPES[type_id].plural}</h3>{_list(state, records)}"
        for type_id, records in groupby(RECORDS, key=itemgetter(0))
    )
    return _page("Records", "".join(lists) + _merged(state) + _not_listed())


def show_record(state: State, call: Call, portal_id: str, type_name: str, record_id: str) -> Answer:
    """Show a record's properties and what it is associated with."""
    object_type = find_type(type_name)
    record = object_type and state.records.find(object_type.type_id, record_id)
    if portal_id != PORTAL_ID or not object_type or not record:
        raise Refused(404, "The sandbox has no such record.")
    shown = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in record.items())
    record_id = record["hs_object_id"]
    listed = _list(state, _associated(state, object_type, record_id)) or "<p>None yet.</p>"
    return _page(
        _title(state, object_type.type_id, record_id),
        f"<dl>{shown}</dl><h3>Associated records</h3>{listed}",
    )


def _associated(state: State, object_type: ObjectType, record_id: str) -> Iterable[tuple[str, str]]:
    for to_type, to_id in state.links.beside(object_type.canonical, record_id):
        yield TYPES[to_type].type_id, to_id


def _merged(state: State) -> str:
    merged = [each for each in state.records.merges.all() if each[:2] not in MERGED_PEOPLE]
    told = (f"{TYPES[t].label.lower()} {old} into {new}" for t, old, new in merged)
    return f"<h3>Merged</h3><p>{', '.join(told)}.</p>"


def _not_listed() -> str:
    searched, generated = (
        ", ".join(f"{TYPES[i].plural.lower()} {n[0]} to {n[-1]}" for i, n in ranges.items())
        for ranges in (people_ids(), generated_ids())
    )
    return f"<h3>Not listed</h3><p>To search in: {searched}. Generated ones: {generated}.</p>"


def _title(state: State, type_id: str, record_id: str) -> str:
    record = state.records.find(type_id, record_id)
    # A link prepared by the controls may lead to a record that is absent.
    values = list(record.values()) if record else ["absent", ""]
    name = " ".join(values[:2]) if type_id == "0-1" else values[0]
    return f"{TYPES[type_id].label} {record_id}: {name}"


def _list(state: State, records: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f'<li><a href="/contacts/{PORTAL_ID}/record/{type_id}/{record_id}">'
        f"{escape(_title(state, type_id, record_id))}</a></li>"
        for type_id, record_id in records
    )
    return items and f"<ul>{items}</ul>"


def _page(title: str, content: str) -> Answer:
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · HubSpot sandbox</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
dt{{font-weight:600}}</style>
<h1><a href="/">HubSpot sandbox</a></h1><p>Made-up records. This is not HubSpot.</p>
<main><h2>{escape(title)}</h2>{content}</main></html>"""
    return Answer(200, page, content_type="text/html;charset=utf-8")
