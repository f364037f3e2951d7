"""The sandbox's controls for records: create, change, merge, archive; and how late search is."""

import math
import re
from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.http import Answer, Call, Refused, posted, posted_list
from hubadmin.demo.sandbox.portal import find_type
from hubadmin.demo.sandbox.records import RecordError
from hubadmin.demo.sandbox.state import State

_FIELDS = {"type", "id", "properties", "archived", "merge_into", "lag"}


def change_records(state: State, call: Call) -> Answer:
    """Make one change to a record or a list of them, and tell the id of each."""
    try:
        return Answer(200, [_change(state, fields) for fields in posted_list(call)])
    except RecordError as error:
        raise Refused(400, str(error)) from error


def set_search_lag(state: State, call: Call) -> Answer:
    """Say how many seconds later search shows what is changed from now on."""
    fields = posted(call)
    lag = _seconds(fields.get("lag")) if isinstance(fields, dict) and len(fields) == 1 else None
    if lag is None:
        raise Refused(400, "What is set of search is a JSON object with “lag”.")
    state.search_lag = lag
    return Answer(200, {"lag": state.search_lag})


def _change(state: State, fields: Any) -> dict[str, str]:
    if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
        raise RecordError(f"A change is a JSON object of some of {', '.join(sorted(_FIELDS))}.")
    object_type, lag = _type(fields.get("type")), _seconds(fields.get("lag"))
    name, record_id = object_type.canonical, fields.get("id")
    if record_id is None:
        record_id = state.create(name, _properties(fields, str), lag)
        return {"type": name, "id": record_id}
    record_id = _id(record_id)
    if "properties" in fields:
        state.change(name, record_id, _properties(fields, str | None), lag)
    if "merge_into" in fields:
        state.merge(name, record_id, _id(fields["merge_into"]), lag)
    if "archived" in fields:
        state.archive(name, record_id, fields["archived"] is True, lag)
    return {"type": name, "id": state.id_of(object_type, record_id)}


def _type(name: Any) -> ObjectType:
    object_type = find_type(name) if isinstance(name, str) else None
    if object_type is None:
        raise RecordError(f"The portal has no object type “{name}”.")
    return object_type


def _id(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[1-9][0-9]{0,19}", value):
        raise RecordError(f"“{value}” is not a record's id: a text of digits, no 0 first.")
    return value


def _properties(fields: dict[str, Any], wanted: Any) -> dict[str, Any]:
    properties = fields.get("properties")
    if not isinstance(properties, dict) or not all(
        isinstance(value, wanted) for value in properties.values()
    ):
        raise RecordError("“properties” must be a JSON object of texts.")
    return properties


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise Refused(400, "“lag” must be a number of seconds.")
    return float(value)
