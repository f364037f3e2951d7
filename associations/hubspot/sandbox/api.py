"""HubSpot's endpoint that associates two records."""

from typing import Any

from ..object_types import ObjectType
from .demands import object_scopes, require_scopes, require_type
from .portal import DEFAULT_SPECS, Association, error_name
from .records import RECORDS
from .replies import Answer, Call, Refused, timestamp
from .state import State


def associate_default(
    state: State, call: Call, from_name: str, from_id: str, to_name: str, to_id: str
) -> Answer:
    """Associate two records with their types' default; a fault may keep that from happening."""
    started = timestamp()
    one, other = require_type(from_name), require_type(to_name)
    require_scopes(call, *object_scopes("write", one, other))
    _require_records((one, from_id), (other, to_id))
    results = [_result(one, from_id, other, to_id), _result(other, to_id, one, from_id)]
    if call.fault.applies:
        link = Association(one.canonical, from_id, other.canonical, to_id)
        state.associate(link, call.fault.lag)
    times = {"startedAt": started, "completedAt": timestamp()}
    return Answer(200, {"status": "COMPLETE", "results": results, **times})


def _require_records(*records: tuple[ObjectType, str]) -> None:
    absent = [(error_name(t), i) for t, i in records if (t.type_id, i) not in RECORDS]
    if absent:
        raise Refused(
            400,
            "One or more associations are invalid",
            category="VALIDATION_ERROR",
            context={
                "INVALID_OBJECT_IDS": [f"{name}={i} is not valid" for name, i in absent],
                "objectId": [i for _, i in absent],
                "objectType": [name for name, _ in absent],
            },
        )


def _result(one: ObjectType, one_id: str, other: ObjectType, other_id: str) -> dict[str, Any]:
    spec = DEFAULT_SPECS.get((one.type_id, other.type_id))
    if spec is None:
        pair = f"{error_name(one)} and {error_name(other)}"
        message = f"No default association type exists between {pair}"
        raise Refused(400, message, category="VALIDATION_ERROR")
    return {"from": {"id": one_id}, "to": {"id": other_id}, "associationSpec": spec}
