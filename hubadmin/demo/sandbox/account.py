"""HubSpot's endpoints about the account and the app: its details, its calls, its token."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hubadmin.demo.sandbox.batches import invalid, read_object
from hubadmin.demo.sandbox.demands import GRANTED
from hubadmin.demo.sandbox.http import Answer, Call, Refused, timestamp
from hubadmin.demo.sandbox.portal import PORTAL_ID
from hubadmin.demo.sandbox.rate import DAILY_LIMIT
from hubadmin.demo.sandbox.state import State

_ZONE = ZoneInfo("Europe/Berlin")


def show_details(state: State, call: Call) -> Answer:
    """Answer with what kind of portal this is, and where its pages are."""
    now = datetime.now(_ZONE)
    details = {
        "portalId": int(PORTAL_ID),
        "accountType": "STANDARD",
        "timeZone": _ZONE.key,
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": now.isoformat()[-6:],
        "utcOffsetMilliseconds": now.utcoffset() // timedelta(milliseconds=1),
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
        "currentUsage": state.window.used_today,
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
