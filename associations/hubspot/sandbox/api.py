"""HubSpot's endpoints, and what they demand of tokens, scopes, types and records."""

from typing import Any

from ..object_types import ObjectType
from .portal import DEFAULT_SPECS, RECORDS, Association, error_name, find_type, scope_name
from .replies import Answer, Call, Refused, timestamp
from .state import State

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - it opens nothing but the sandbox
NO_SCOPES_TOKEN = "sandbox-no-scopes"  # noqa: S105


def associate_default(
    state: State, call: Call, from_name: str, from_id: str, to_name: str, to_id: str
) -> Answer:
    """Associate two records with their types' default; a fault may keep that from happening."""
    started = timestamp()
    one, other = _object_type(from_name), _object_type(to_name)
    _require_scopes(call, one, other)
    _require_records((one, from_id), (other, to_id))
    results = [_result(one, from_id, other, to_id), _result(other, to_id, one, from_id)]
    if call.fault.applies:
        state.associate(Association(one.canonical, from_id, other.canonical, to_id))
    times = {"startedAt": started, "completedAt": timestamp()}
    return Answer(200, {"status": "COMPLETE", "results": results, **times})


def require_token(call: Call) -> None:
    """Refuse a call that brings none of the sandbox's tokens."""
    if call.token not in (SANDBOX_TOKEN, NO_SCOPES_TOKEN):
        raise Refused(
            401,
            "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            category="INVALID_AUTHENTICATION",
        )


def _object_type(name: str) -> ObjectType:
    object_type = find_type(name)
    if object_type is None:
        raise Refused(400, f"Unable to infer object type from: {name}")
    return object_type


def _require_scopes(call: Call, *types: ObjectType) -> None:
    if call.token != NO_SCOPES_TOKEN:
        return
    scopes = list(dict.fromkeys(f"crm.objects.{scope_name(t)}.write" for t in types))
    message = "One or more of the following scopes are required."
    raise Refused(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        category="MISSING_SCOPES",
        context={"missingScopes": scopes},
        errors=[{"message": message, "context": {"requiredGranularScopes": scopes}}],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


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
