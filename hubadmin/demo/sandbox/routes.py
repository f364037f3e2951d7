"""Which endpoint answers which request, and how the rate limit and faults change the answer."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from hubadmin.demo.sandbox import (
    account,
    associations,
    configurations,
    controls,
    objects,
    record_controls,
    search,
)
from hubadmin.demo.sandbox.faults import NOT_GIVEN, Fault
from hubadmin.demo.sandbox.http import (
    Answer,
    Call,
    Refused,
    is_of_gateway,
    too_many_body,
    usual_body,
)
from hubadmin.demo.sandbox.limits import RateWindow
from hubadmin.demo.sandbox.portal import require_token
from hubadmin.demo.sandbox.state import State

# An endpoint is given the state, the call and the path's decoded segments.
Endpoint = Callable[..., Answer]

_OBJECTS = "/crm/(?:v4/objects|objects/2026-0[39])"
_READ_OBJECTS = "/crm/(?:v3/objects|objects/2026-0[39])"
_ASSOCIATIONS = "/crm/(?:v4/associations|associations/2026-0[39])"
_CONFIGURATIONS = f"(?:{_ASSOCIATIONS}|/crm/associations/v4)/definitions/configurations"
_LIBRARY = "/crm/(?:v3/object-library|object-library/2026-0[39])"
_PROPERTIES = "/crm/(?:v3/properties|properties/2026-0[39])"
_APP_INFO = "/oauth/v2/private-apps/get/access-token-info"
_VERSION = "(?:v3|2026-0[39])"
_USAGE = f"/account-info/{_VERSION}/api-usage/daily/private-apps"
_TWO = "([^/]+)/([^/]+)"
ROUTES: list[tuple[str, str, Endpoint]] = [
    ("PUT", f"{_OBJECTS}/{_TWO}/associations/default/{_TWO}", associations.associate_default),
    ("DELETE", f"{_OBJECTS}/{_TWO}/associations/{_TWO}", associations.remove_pair),
    ("GET", f"{_READ_OBJECTS}/([^/]+)", objects.list_records),
    ("GET", f"{_READ_OBJECTS}/{_TWO}", objects.read_record),
    ("POST", f"{_READ_OBJECTS}/([^/]+)/batch/read", objects.read_batch),
    ("POST", f"{_READ_OBJECTS}/([^/]+)/search", search.search),
    ("GET", f"{_PROPERTIES}/([^/]+)", objects.list_properties),
    ("POST", f"{_ASSOCIATIONS}/{_TWO}/batch/read", associations.read_batch),
    ("POST", f"{_ASSOCIATIONS}/{_TWO}/batch/associate/default", associations.associate_batch),
    ("POST", f"{_ASSOCIATIONS}/{_TWO}/batch/labels/archive", associations.archive_types),
    ("GET", f"{_ASSOCIATIONS}/{_TWO}/labels", associations.list_labels),
    ("GET", f"{_CONFIGURATIONS}/{_TWO}", configurations.list_configurations),
    ("GET", f"/crm-object-schemas/{_VERSION}/schemas", account.list_schemas),
    ("GET", f"{_LIBRARY}/enablement", account.show_enablement),
    ("GET", f"/account-info/{_VERSION}/details", account.show_details),
    ("GET", _USAGE, account.show_usage),
    ("POST", _APP_INFO, account.describe_token),
    ("GET", "/", controls.show_index),
    ("GET", f"/contacts/([^/]+)/record/{_TWO}", controls.show_record),
    ("GET", "/_sandbox/faults", controls.list_faults),
    ("POST", "/_sandbox/faults", controls.add_faults),
    ("GET", "/_sandbox/requests", controls.list_requests),
    ("GET", "/_sandbox/calls", controls.summarize_calls),
    ("GET", "/_sandbox/associations", controls.list_associations),
    ("POST", "/_sandbox/associations", controls.add_associations),
    ("POST", "/_sandbox/records", record_controls.change_records),
    ("POST", "/_sandbox/limits", configurations.set_limits),
    ("POST", "/_sandbox/rate", controls.set_rate),
    ("POST", "/_sandbox/search", record_controls.set_search_lag),
    ("POST", "/_sandbox/reset", controls.reset),
]


def answer_call(state: State, call: Call) -> Answer:
    """Return what is to be sent back for a call."""
    if not call.is_api:
        return _endpoint_answer(state, call)
    window = _window_of(state, call)
    passes, headers = window.admit(state.used_today - window.used_today)
    answer = _endpoint_answer(state, call) if passes else Answer(429, too_many_body(window.policy))
    if call.fault.has_answer:
        answer = _fault_answer(call.fault, window.policy)
    answer.headers = headers | answer.headers | call.fault.headers
    return answer


def _window_of(state: State, call: Call) -> RateWindow:
    """Whose limit a call counts towards."""
    if call.is_search:
        return state.search_window
    is_apart = state.associations_window.limit and call.is_association
    return state.associations_window if is_apart else state.window


def _endpoint_answer(state: State, call: Call) -> Answer:
    try:
        endpoint, segments = _find_route(call)
        if not _is_of_version(state.version, call):
            raise _nothing_there()
        if call.needs_token:
            require_token(call)
        return endpoint(state, call, *segments)
    except Refused as refused:
        return refused.answer


def _find_route(call: Call) -> tuple[Endpoint, list[str]]:
    fitting = {
        method: (endpoint, found.groups())
        for method, pattern, endpoint in ROUTES
        if (found := re.fullmatch(pattern, call.path))
    }
    if not fitting:
        raise _nothing_there()
    if call.method not in fitting:
        refused = Refused(405, f"{call.method} is not allowed here.")
        refused.answer.headers["Allow"] = ", ".join(fitting)
        raise refused
    endpoint, segments = fitting[call.method]
    return endpoint, [unquote(segment) for segment in segments]


def _is_of_version(version: str | None, call: Call) -> bool:
    """Whether a portal that has nothing but this version answers; the token's look has only one."""
    return not version or not call.needs_token or f"/{version}/" in call.path


def _nothing_there() -> Refused:
    return Refused(404, "Nothing was found at this address.")


def _fault_answer(fault: Fault, policy: str) -> Answer:
    status = fault.status or 200
    if fault.body is not NOT_GIVEN:
        return Answer(status, fault.body, content_type=fault.content_type)
    content_type = "text/html; charset=UTF-8" if is_of_gateway(status) else fault.content_type
    return Answer(status, usual_body(status, policy), content_type=content_type)
