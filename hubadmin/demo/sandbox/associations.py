"""HubSpot's endpoints that associate records by their types' default: one pair, or a batch."""

import re
from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.configurations import beyond, limit_error, require_room
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
    read_pairs,
    timestamp,
)
from hubadmin.demo.sandbox.portal import (
    ASSOCIATION_TYPES,
    DEFAULT_SPECS,
    AssociationType,
    error_name,
    object_scopes,
    readable_types,
    require_scopes,
    require_type,
)
from hubadmin.demo.sandbox.state import State

_MOST_INPUTS = 2_000
_INVALID = "One or more associations are invalid"
_Pairs = list[tuple[str, str]]


def associate_default(
    state: State, call: Call, from_name: str, from_id: str, to_name: str, to_id: str
) -> Answer:
    """Associate two records; a fault may keep that from happening."""
    started = timestamp()
    one, other = _writable_types(call, from_name, to_name)
    pairs = [(from_id, to_id)]
    _require_records(state, one, other, pairs)
    require_room(state, one, other, pairs)
    return batch_answer(started, _associate(state, call, one, other, pairs), [])


def associate_batch(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Associate many pairs of records, or none of them where a record is absent.

    By a fault that is `partial`, those pairs alone are left out that name an absent record.
    """
    started = timestamp()
    one, other = _writable_types(call, from_name, to_name)
    pairs = read_pairs(read_object(call), _MOST_INPUTS)
    errors = []
    if call.fault.partial:
        wrong = {pair: absent for pair in pairs if (absent := _absent(state, one, other, [pair]))}
        errors = [_pair_error(wrong[pair]) for pair in pairs if pair in wrong]
        pairs = [pair for pair in pairs if pair not in wrong]
        full = {*beyond(state, one, other, pairs)}
        errors += [limit_error(one, other, pair) for pair in sorted(full)]
        pairs = [pair for pair in pairs if pair not in full]
    else:
        _require_records(state, one, other, pairs)
        require_room(state, one, other, pairs)
    return batch_answer(started, _associate(state, call, one, other, pairs), errors)


def _writable_types(call: Call, *names: str) -> list[ObjectType]:
    types = [require_type(name) for name in names]
    require_scopes(call, *object_scopes("write", *types))
    return types


def _absent(state: State, one: ObjectType, other: ObjectType, pairs: _Pairs) -> _Pairs:
    """Return type and id of each record that the portal has not, as errors name them."""
    ends = (end for one_id, other_id in pairs for end in ((one, one_id), (other, other_id)))
    absent = [(t, i) for t, i in ends if not state.records.find(t.type_id, i)]
    return list(dict.fromkeys((error_name(t), i) for t, i in absent))


def _require_records(state: State, one: ObjectType, other: ObjectType, pairs: _Pairs) -> None:
    absent = _absent(state, one, other, pairs)
    if absent:
        raise Refused(400, _INVALID, category="VALIDATION_ERROR", context=_context(absent))


def _pair_error(absent: _Pairs) -> dict[str, Any]:
    return batch_error(_INVALID, _context(absent), category="VALIDATION_ERROR")


def _context(absent: _Pairs) -> dict[str, list[str]]:
    return {
        "INVALID_OBJECT_IDS": [f"{name}={i} is not valid" for name, i in absent],
        "objectId": [i for _, i in absent],
        "objectType": [name for name, _ in absent],
    }


def _associate(
    state: State, call: Call, one: ObjectType, other: ObjectType, pairs: _Pairs
) -> list[dict[str, Any]]:
    there, back = _default_spec(one, other), _default_spec(other, one)
    left = [(state.id_of(one, one_id), state.id_of(other, other_id)) for one_id, other_id in pairs]
    if call.fault.applies:
        # What has become one record is not linked to itself, though HubSpot may say COMPLETE.
        apart = [pair for pair in left if one != other or pair[0] != pair[1]]
        state.links.add_many(one.canonical, other.canonical, apart, lag=call.fault.lag)
    named = pairs if state.names_as_asked else left
    ends = (({"id": one_id}, {"id": other_id}) for one_id, other_id in named)
    return [
        {"from": start, "to": end, "associationSpec": spec}
        for near, far in ends
        for start, end, spec in ((near, far, there), (far, near, back))
    ]


def _default_spec(one: ObjectType, other: ObjectType) -> dict[str, Any]:
    spec = DEFAULT_SPECS.get((one.type_id, other.type_id))
    if spec is None:
        pair = f"{error_name(one)} and {error_name(other)}"
        message = f"No default association type exists between {pair}"
        raise Refused(400, message, category="VALIDATION_ERROR")
    return spec


def remove_pair(
    state: State, call: Call, from_name: str, from_id: str, to_name: str, to_id: str
) -> Answer:
    """Remove all that links two records; where nothing does, that is no error."""
    one, other = _writable_types(call, from_name, to_name)
    if call.fault.applies:
        pair = state.id_of(one, from_id), state.id_of(other, to_id)
        state.links.remove(one.canonical, other.canonical, pair)
    return Answer(204, "")


def archive_types(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Remove certain types between pairs of records; one that does not link them is passed over.

    With the default type all the others of the pair go. 204 in v4, 200 in the dated versions.
    """
    started = timestamp()
    one, other = _writable_types(call, from_name, to_name)
    body = read_object(call)
    pairs = read_pairs(body, _MOST_INPUTS)
    wanted = [_read_specs(item) for item in body["inputs"]]
    if call.fault.applies:
        for (one_id, other_id), types in zip(pairs, wanted, strict=True):
            pair = state.id_of(one, one_id), state.id_of(other, other_id)
            state.links.remove(one.canonical, other.canonical, pair, types)
    return Answer(204, "") if "/v4/" in call.path else batch_answer(started, [], [])


def _read_specs(item: dict[str, Any]) -> set[tuple[str, int]]:
    types = item.get("types")
    if not isinstance(types, list) or not types or not all(isinstance(t, dict) for t in types):
        raise invalid("“types” must be a list of association types.")
    return {(str(t.get("associationCategory")), t.get("associationTypeId")) for t in types}


_MOST_READ = 1_000
_PAGE_SIZE = 500


def read_batch(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Answer with what each of many records is associated with, among those of one type."""
    started = timestamp()
    one, other = readable_types(call, from_name, to_name)
    results, errors = [], []
    for item in read_inputs(read_object(call), _MOST_READ):
        after, from_id = _read_after(item), state.id_of(one, item["id"])
        linked = state.links.seen(one.canonical, from_id, other.canonical)
        if (one.canonical, from_id) in state.unreadable:
            context = {"fromObjectId": [item["id"]]}
            errors.append(batch_error("internal error", context, category="INTERNAL_ERROR"))
        elif linked:
            url = f"{state.url}/crm/v4/objects/{one.canonical}/{from_id}/associations"
            page = _page(linked, after, f"{url}/{other.canonical}?limit={_PAGE_SIZE}")
            results.append({"from": {"id": from_id}, **page})
        else:
            errors.append(_no_associations(one, from_id, other))
    return batch_answer(started, results, errors)


def list_labels(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Answer with the association types of a pair; `label` is null for its default."""
    one, other = readable_types(call, from_name, to_name)
    types = ASSOCIATION_TYPES.get((one.type_id, other.type_id), [])
    return Answer(200, {"results": _labelled(types)})


def _read_after(item: dict[str, Any]) -> int:
    after = str(item.get("after") or 0)
    if not re.fullmatch("[0-9]{1,20}", after):
        raise invalid("“after” is not one that an answer gave.")
    return int(after)


def _page(linked: dict[str, list[AssociationType]], after: int, url: str) -> dict[str, Any]:
    left = sorted(number for number in map(int, linked) if number > after)
    shown = left[:_PAGE_SIZE]
    to = [{"toObjectId": n, "associationTypes": _labelled(linked[str(n)])} for n in shown]
    more = len(left) > len(shown)
    return {"to": to, "paging": next_page(url, str(shown[-1]))} if more else {"to": to}


def _labelled(types: list[AssociationType]) -> list[dict[str, Any]]:
    return [{"category": t.category, "typeId": t.type_id, "label": t.label} for t in types]


def _no_associations(one: ObjectType, from_id: str, other: ObjectType) -> dict[str, Any]:
    from_name, to_name = error_name(one).lower(), error_name(other).lower()
    return batch_error(
        f"No {to_name} is associated with {from_name} {from_id}.",
        {"fromObjectId": [from_id], "fromObjectType": [from_name], "toObjectType": [to_name]},
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
    )
