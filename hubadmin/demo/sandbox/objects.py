"""HubSpot's endpoints that read records: one, a list, a batch."""

import re
from typing import Any

from hubadmin.demo.sandbox.http import (
    Answer,
    Call,
    Refused,
    batch_answer,
    batch_error,
    invalid,
    next_page,
    read_inputs,
    read_object,
    timestamp,
)
from hubadmin.demo.sandbox.portal import RECORDS, error_name, readable_types
from hubadmin.demo.sandbox.state import State

_MOST_INPUTS = 100
_USUAL_LIMIT, _MOST_LISTED = 10, 100
_CREATED = "2026-03-02T08:00:00.000Z"
_CHANGED = "2026-06-15T12:30:00.000Z"


def read_record(state: State, call: Call, type_name: str, record_id: str) -> Answer:
    """Answer with one record and the properties asked for."""
    (object_type,) = readable_types(call, type_name)
    record = state.merges.find_record(object_type.type_id, record_id)
    if record is None:
        raise Refused(404, "resource not found", category="OBJECT_NOT_FOUND")
    return Answer(200, _shown(record, _asked(call)))


def list_records(state: State, call: Call, type_name: str) -> Answer:
    """Answer with a type's records in the order of their ids, `limit` at a time.

    Those that are generated are not listed.
    """
    (object_type,) = readable_types(call, type_name)
    limit, after = _number(call, "limit", _USUAL_LIMIT), _number(call, "after", 0)
    if not 1 <= limit <= _MOST_LISTED:
        raise invalid(f"“limit” must be from 1 to {_MOST_LISTED}.")
    ids = [i for type_id, i in RECORDS if type_id == object_type.type_id and int(i) > after]
    asked = _asked(call)
    body: dict[str, Any] = {
        "results": [_shown(RECORDS[object_type.type_id, i], asked) for i in ids[:limit]]
    }
    if len(ids) > limit:
        body["paging"] = next_page(f"{state.url}{call.path}?limit={limit}", ids[limit - 1])
    return Answer(200, body)


def read_batch(state: State, call: Call, type_name: str) -> Answer:
    """Answer with those of many records that exist, each once, and tell which do not."""
    started = timestamp()
    (object_type,) = readable_types(call, type_name)
    body = read_object(call)
    properties = body.get("properties", [])
    if not isinstance(properties, list) or not all(isinstance(p, str) for p in properties):
        raise invalid("“properties” must be a list of names.")
    ids = [item["id"] for item in read_inputs(body, _MOST_INPUTS)]
    found = {i: state.merges.find_record(object_type.type_id, i) for i in ids}
    absent = [i for i, record in found.items() if record is None]
    records = {record["hs_object_id"]: record for record in found.values() if record}
    message = f"Some {error_name(object_type)} records were not found."
    return batch_answer(
        started,
        [_shown(record, properties) for record in records.values()],
        [batch_error(message, {"ids": absent})] if absent else [],
    )


def _asked(call: Call) -> list[str]:
    return ",".join(call.query.get("properties", [])).split(",")


def _number(call: Call, name: str, usual: int) -> int:
    text = call.query.get(name, [str(usual)])[-1]
    if not re.fullmatch("[0-9]{1,20}", text):
        raise invalid(f"“{name}” must be a whole number.")
    return int(text)


def _shown(record: dict[str, str], asked: list[str]) -> dict[str, Any]:
    record_id = record["hs_object_id"]
    always = {"createdate": _CREATED, "hs_lastmodifieddate": _CHANGED, "hs_object_id": record_id}
    properties = {name: record.get(name) for name in asked if name} | always
    times = {"createdAt": _CREATED, "updatedAt": _CHANGED}
    return {"id": record_id, "properties": properties, **times, "archived": False}
