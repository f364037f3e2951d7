"""The limits that admins set: how many records of a type one record may be linked to."""

from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.http import Answer, Call, Refused, batch_error, posted_list
from hubadmin.demo.sandbox.links import LinkError
from hubadmin.demo.sandbox.portal import (
    ASSOCIATION_TYPES,
    error_name,
    readable_types,
)
from hubadmin.demo.sandbox.state import State

_FIELDS = {"from_type", "to_type", "label", "max"}
_Pairs = list[tuple[str, str]]


def list_configurations(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Answer with the association types of a pair, and how many of each an admin allows.

    In v4 the guide has another address for it than the description: one of them answers.
    """
    is_guides = call.path.startswith("/crm/v4/")
    if "/v4/" in call.path and is_guides != state.limits_as_in_guide:
        raise Refused(404, "Nothing was found at this address.")
    one, other = readable_types(call, from_name, to_name)
    results = []
    for each in ASSOCIATION_TYPES.get((one.type_id, other.type_id), []):
        told: dict[str, Any] = {"category": each.category, "typeId": each.type_id}
        if most := state.most_linked.get((one.type_id, other.type_id, each.type_id)):
            told["userEnforcedMaxToObjectIds"] = most
        results.append(told | ({"label": each.label} if each.label else {}))
    return Answer(200, {"results": results})


def set_limits(state: State, call: Call) -> Answer:
    """Set the limits of one object or of a list of them; one without a `max` is taken away."""
    try:
        for fields in posted_list(call):
            if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
                raise LinkError(f"A limit is a JSON object of {', '.join(sorted(_FIELDS))}.")
            most = fields.get("max")
            if most is not None and (type(most) is not int or most < 1):
                raise LinkError("“max” must be a whole number from 1, or null.")
            names = str(fields.get("from_type")), str(fields.get("to_type"))
            state.limit(*names, most, fields.get("label"))
    except LinkError as error:
        raise Refused(400, str(error)) from error
    limits = [[*types, most] for types, most in sorted(state.most_linked.items())]
    return Answer(200, {"limits": limits})


def require_room(state: State, one: ObjectType, other: ObjectType, pairs: _Pairs) -> None:
    """Refuse pairs of which one would go beyond a limit."""
    if beyond(state, one, other, pairs):
        raise Refused(400, _said(one, other), category="VALIDATION_ERROR")


def beyond(state: State, one: ObjectType, other: ObjectType, pairs: _Pairs) -> _Pairs:
    """Return those of the pairs for which there is no room, once the others are linked.

    What was beyond a limit before it was set stays, and may be linked again.
    """
    there, back = _most(state, one, other), _most(state, other, one)
    near, far = (one.type_id, other.type_id), (other.type_id, one.type_id)
    linked: dict[tuple[str, str, str], set[str]] = {}
    left = []
    for asked in pairs if there or back else ():
        one_id, other_id = state.id_of(one, asked[0]), state.id_of(other, asked[1])
        onward = linked.setdefault((*near, one_id), _linked(state, one, one_id, other))
        home = linked.setdefault((*far, other_id), _linked(state, other, other_id, one))
        is_full = (there and len(onward) >= there) or (back and len(home) >= back)
        if is_full and other_id not in onward:
            left.append(asked)
        else:
            onward.add(other_id)
            home.add(one_id)
    return left


def _most(state: State, one: ObjectType, other: ObjectType) -> int:
    default = next(iter(ASSOCIATION_TYPES.get((one.type_id, other.type_id), [])), None)
    return state.most_linked.get((one.type_id, other.type_id, default.type_id), 0) if default else 0


def _linked(state: State, one: ObjectType, one_id: str, other: ObjectType) -> set[str]:
    """The records that one is linked to by the default type."""
    seen = state.links.seen(one.canonical, one_id, other.canonical)
    return {record_id for record_id, types in seen.items() if any(not t.label for t in types)}


def limit_error(one: ObjectType, other: ObjectType, pair: tuple[str, str]) -> dict[str, Any]:
    """Return how a batch tells of a limit, as far as anybody knows."""
    context = {"fromObjectId": [pair[0]], "toObjectId": [pair[1]]}
    return batch_error(_said(one, other), context, category="VALIDATION_ERROR")


def _said(one: ObjectType, other: ObjectType) -> str:
    return f"The association limit from {error_name(one)} to {error_name(other)} is reached"
