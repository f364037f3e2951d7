"""HubSpot's endpoints that read associations, and the association types of a pair."""

import re
from typing import Any

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.batches import (
    batch_answer,
    batch_error,
    invalid,
    next_page,
    read_inputs,
    read_object,
)
from hubadmin.demo.sandbox.demands import readable_types
from hubadmin.demo.sandbox.http import Answer, Call, timestamp
from hubadmin.demo.sandbox.portal import ASSOCIATION_TYPES, AssociationType, error_name
from hubadmin.demo.sandbox.state import State

_MOST_INPUTS = 1_000
_PAGE_SIZE = 500


def read_batch(state: State, call: Call, from_name: str, to_name: str) -> Answer:
    """Answer with what each of many records is associated with, among those of one type."""
    started = timestamp()
    one, other = readable_types(call, from_name, to_name)
    results, errors = [], []
    for item in read_inputs(read_object(call), _MOST_INPUTS):
        after = _read_after(item)
        linked = state.links.seen(one.canonical, item["id"], other.canonical)
        if linked:
            url = f"{state.url}/crm/v4/objects/{one.canonical}/{item['id']}/associations"
            page = _page(linked, after, f"{url}/{other.canonical}?limit={_PAGE_SIZE}")
            results.append({"from": {"id": item["id"]}, **page})
        else:
            errors.append(_no_associations(one, item["id"], other))
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
