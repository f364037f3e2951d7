"""The sandbox's controls under /_sandbox/: play faults, see what arrived, start afresh."""

import json
from typing import Any

from hubadmin.demo.sandbox.faults import FaultError
from hubadmin.demo.sandbox.http import Answer, Call, Refused
from hubadmin.demo.sandbox.links import LinkError, parse_link
from hubadmin.demo.sandbox.state import State


def list_faults(state: State, call: Call) -> Answer:
    """Show the faults still to be played."""
    return Answer(200, state.faults.active())


def add_faults(state: State, call: Call) -> Answer:
    """Queue one fault or a list of them, and show what is queued now."""
    try:
        state.faults.add(*_posted(call))
    except FaultError as error:
        raise Refused(400, str(error)) from error
    return list_faults(state, call)


def list_requests(state: State, call: Call) -> Answer:
    """Show the requests received, oldest first."""
    return Answer(200, state.requests)


def summarize_calls(state: State, call: Call) -> Answer:
    """Show how many calls arrived for HubSpot since the last reset, and how they were answered."""
    return Answer(200, state.calls.summary())


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
        links = [parse_link(fields) for fields in _posted(call)]
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


def _posted(call: Call) -> list[Any]:
    try:
        posted = json.loads(call.body)
    except ValueError as error:
        raise Refused(400, f"The body is not JSON: {error}.") from error
    return posted if isinstance(posted, list) else [posted]
