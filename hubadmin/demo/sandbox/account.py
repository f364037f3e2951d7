"""HubSpot's endpoints about the account and the app: its details, its calls, its token."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hubadmin.demo.sandbox.http import Answer, Call, Refused, invalid, read_object, timestamp
from hubadmin.demo.sandbox.limits import DAILY_LIMIT
from hubadmin.demo.sandbox.portal import (
    ASSOCIATION_TYPES,
    CUSTOM_SCHEMAS,
    GRANTED,
    PORTAL_ID,
    SCHEMAS_SCOPE,
    require_scopes,
)
from hubadmin.demo.sandbox.properties import describe_own, searchable
from hubadmin.demo.sandbox.state import State

_ZONE = ZoneInfo("Europe/Berlin")


def show_details(state: State, call: Call) -> Answer:
    """Answer with what kind of portal this is, and where its pages are."""
    now = datetime.now(_ZONE)
    offset = now.utcoffset() or timedelta()
    details = {
        "portalId": int(PORTAL_ID),
        "accountType": "STANDARD",
        "timeZone": _ZONE.key,
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": now.isoformat()[-6:],
        "utcOffsetMilliseconds": offset // timedelta(milliseconds=1),
        "uiDomain": state.host,
        "dataHostingLocation": "eu1",
    }
    return Answer(200, details)


def show_usage(state: State, call: Call) -> Answer:
    """Answer with how many calls were made today, as the rate limit's headers count them."""
    now = datetime.now(_ZONE)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), _ZONE)
    usage = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": DAILY_LIMIT,
        "currentUsage": state.used_today,
        "collectedAt": timestamp(now),
        "fetchStatus": "SUCCESS",
        "resetsAt": timestamp(midnight),
    }
    return Answer(200, {"results": [usage]})


def describe_token(state: State, call: Call) -> Answer:
    """Answer with the scopes of the token in the body; the call needs no other."""
    token = read_object(call).get("tokenKey")
    if not isinstance(token, str):
        raise invalid("“tokenKey” must be a text.")
    if token not in GRANTED:
        raise Refused(404, "The token is not known.", category="OBJECT_NOT_FOUND")
    ids = {"userId": 7, "hubId": int(PORTAL_ID), "appId": 70042}
    return Answer(200, {**ids, "scopes": GRANTED[token]})


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
        "searchableProperties": searchable(schema["objectTypeId"]),
        "secondaryDisplayProperties": [],
        "properties": describe_own(schema["objectTypeId"]),
        "associations": _associations(schema["objectTypeId"]),
        "archived": False,
    }


def _associations(type_id: str) -> list[dict[str, str]]:
    return [
        {"id": str(meaning.type_id), "fromObjectTypeId": one, "toObjectTypeId": other}
        for (one, other), types in ASSOCIATION_TYPES.items()
        for meaning in types
        if type_id in (one, other)
    ]
