"""HubSpot's endpoints that read records: one, a list, a batch."""

import re
from collections.abc import Callable
from functools import partial
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
from hubadmin.demo.sandbox.properties import describe, keys_of_type, value_of
from hubadmin.demo.sandbox.state import State

MERGED_IDS = "hs_merged_object_ids"
_MOST_INPUTS = 100
_USUAL_LIMIT, _MOST_LISTED = 10, 100


def read_record(state: State, call: Call, type_name: str, record_id: str) -> Answer:
    """Answer with one record and the properties asked for; with an archived one only if asked."""
    (object_type,) = readable_types(call, type_name)
    archived = _is_archived_asked(call)
    record = state.records.find(object_type.type_id, record_id, archived)
    if record is None:
        raise Refused(404, "resource not found", category="OBJECT_NOT_FOUND")
    return Answer(200, shown(record, _asked(call), archived))


def list_records(state: State, call: Call, type_name: str) -> Answer:
    """Answer with a type's records in the order of their ids, `limit` at a time.

    Those that are generated are not listed.
    """
    (object_type,) = readable_types(call, type_name)
    limit, after = _number(call, "limit", _USUAL_LIMIT), _number(call, "after", 0)
    if not 1 <= limit <= _MOST_LISTED:
        raise invalid(f"“limit” must be from 1 to {_MOST_LISTED}.")
    type_id = object_type.type_id
    listed = [i for each, i in RECORDS if each == type_id] + state.records.created_ids(type_id)
    found = (state.records.find(type_id, i) for i in listed if int(i) > after)
    records = [record for record in found if record]
    body: dict[str, Any] = {"results": [shown(each, _asked(call)) for each in records[:limit]]}
    if len(records) > limit:
        last = records[limit - 1]["hs_object_id"]
        body["paging"] = next_page(f"{state.url}{call.path}?limit={limit}", last)
    return Answer(200, body)


def read_batch(state: State, call: Call, type_name: str) -> Answer:
    """Answer with those of many records that exist, each once, and tell which do not.

    They go by their ids, or by the property of `idProperty`; an answer does not say which input
    found which record.
    """
    started = timestamp()
    (object_type,) = readable_types(call, type_name)
    body, archived = read_object(call), _is_archived_asked(call)
    properties, find = read_properties(body), _finder(state, object_type.type_id, body)
    found = {item["id"]: find(item["id"], archived) for item in read_inputs(body, _MOST_INPUTS)}
    absent = [i for i, record in found.items() if record is None]
    records = {record["hs_object_id"]: record for record in found.values() if record}
    if MERGED_IDS in properties and state.tells_merges:
        into = state.records.merges.by_record(object_type.type_id)
        records = {i: each | {MERGED_IDS: ";".join(into.get(i, []))} for i, each in records.items()}
    message = f"Some {error_name(object_type)} records were not found."
    return batch_answer(
        started,
        [shown(record, properties, archived) for record in records.values()],
        [batch_error(message, {"ids": absent})] if absent else [],
    )


def list_properties(state: State, call: Call, type_name: str) -> Answer:
    """Answer with the definitions of a type's properties."""
    (object_type,) = readable_types(call, type_name)
    return Answer(200, {"results": describe(object_type.type_id)})


def _finder(
    state: State, type_id: str, body: dict[str, Any]
) -> Callable[[str, bool], dict[str, str] | None]:
    name = body.get("idProperty") or "hs_object_id"
    if name == "hs_object_id":
        return partial(state.records.find, type_id)
    keys = keys_of_type(type_id, name) if isinstance(name, str) else []
    if not keys:
        raise invalid(f"“{name}” is not a property whose values are unique.")
    return partial(state.records.find_by_key, type_id, keys)


def read_properties(body: dict[str, Any]) -> list[str]:
    """Return the names of the properties that a call asks for, or refuse."""
    properties = body.get("properties", [])
    if not isinstance(properties, list) or not all(isinstance(p, str) for p in properties):
        raise invalid("“properties” must be a list of names.")
    return properties


def _is_archived_asked(call: Call) -> bool:
    return call.query.get("archived", [""])[-1].lower() == "true"


def _asked(call: Call) -> list[str]:
    return ",".join(call.query.get("properties", [])).split(",")


def _number(call: Call, name: str, usual: int) -> int:
    text = call.query.get(name, [str(usual)])[-1]
    if not re.fullmatch("[0-9]{1,20}", text):
        raise invalid(f"“{name}” must be a whole number.")
    return int(text)


def shown(record: dict[str, str], asked: list[str], archived: bool = False) -> dict[str, Any]:
    """Return a record as answers have it; properties that it has not are null."""
    created, changed = value_of(record, "createdate"), value_of(record, "hs_lastmodifieddate")
    names = [*asked, "createdate", "hs_lastmodifieddate", "hs_object_id"]
    return {
        "id": record["hs_object_id"],
        "properties": {name: value_of(record, name) for name in names if name},
        "createdAt": created,
        "updatedAt": changed,
        "archived": archived,
        **({"archivedAt": changed} if archived else {}),
    }
