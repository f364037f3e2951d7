"""HubSpot's endpoints about object types: the custom ones, and which newer ones are in use."""

from typing import Any

from hubadmin.demo.sandbox.demands import SCHEMAS_SCOPE, require_scopes
from hubadmin.demo.sandbox.http import Answer, Call
from hubadmin.demo.sandbox.portal import ASSOCIATION_TYPES, CUSTOM_SCHEMAS, PORTAL_ID
from hubadmin.demo.sandbox.state import State

_IN_USE = {
    "0-136": True,
    "0-162": True,
    "0-410": False,
    "0-420": False,
    "0-421": True,
    "0-970": False,
}


def list_schemas(state: State, call: Call) -> Answer:
    """Answer with the portal's custom objects."""
    require_scopes(call, SCHEMAS_SCOPE)
    return Answer(200, {"results": [_whole(schema) for schema in CUSTOM_SCHEMAS]})


def show_enablement(state: State, call: Call) -> Answer:
    """Answer with which of the types that a portal may do without are in use here."""
    return Answer(200, {"enablementByObjectTypeId": _IN_USE})


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["primaryDisplayProperty"]
    return {
        "id": schema["objectTypeId"].removeprefix("2-"),
        **schema,
        "portalId": int(PORTAL_ID),
        "requiredProperties": [name],
        "searchableProperties": [name],
        "secondaryDisplayProperties": [],
        "properties": [_property(schema["name"], name)],
        "associations": _associations(schema["objectTypeId"]),
        "archived": False,
    }


def _property(group: str, name: str) -> dict[str, Any]:
    words = {"name": name, "label": name.title(), "description": ""}
    kind = {"type": "string", "fieldType": "text", "options": []}
    return {**words, **kind, "groupName": f"{group}_information"}


def _associations(type_id: str) -> list[dict[str, str]]:
    return [
        {"id": str(meaning.type_id), "fromObjectTypeId": one, "toObjectTypeId": other}
        for (one, other), types in ASSOCIATION_TYPES.items()
        for meaning in types
        if type_id in (one, other)
    ]
