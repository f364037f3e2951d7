"""Requests and answers as the endpoints see them, and the bodies of HubSpot's errors."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import responses as phrases
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from hubadmin.demo.sandbox.faults import JSON_TYPE, ORDINARY, Fault

_API_PATH = re.compile("/(crm|crm-object-schemas|account-info|oauth)/")
_SEARCH_PATH = re.compile(r"/crm/(?:v3/objects|objects/2026-0[39])/[^/]+/search(\?.*)?")
# What HubSpot calls its limits: the app's, and the account's of searches.
TEN_SECONDLY, SECONDLY = "TEN_SECONDLY_ROLLING", "SECONDLY"


def is_api_path(target: str) -> bool:
    """Whether a request is meant for HubSpot, and not for the sandbox itself."""
    return _API_PATH.match(target) is not None


def is_search(method: str, target: str) -> bool:
    """Whether a request is a search, which has a limit of its own."""
    return method == "POST" and _SEARCH_PATH.fullmatch(target) is not None


@dataclass(slots=True)
class Call:
    """What an endpoint needs to know of a request."""

    method: str
    target: str
    token: str = ""
    body: bytes = b""
    fault: Fault = ORDINARY

    @property
    def path(self) -> str:
        """The raw path, without the query and not normalised."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters; those without a value are not among them."""
        return parse_qs(self.target.partition("?")[2])

    @property
    def is_api(self) -> bool:
        """Whether it is meant for HubSpot, and not for the sandbox itself."""
        return is_api_path(self.target)

    @property
    def is_search(self) -> bool:
        """Whether it is a search, which has a limit of its own."""
        return is_search(self.method, self.target)

    @property
    def is_association(self) -> bool:
        """Whether it is one to the associations API, which may have a limit of its own."""
        return "/associations/" in self.path

    @property
    def needs_token(self) -> bool:
        """Whether HubSpot asks who calls; those under /oauth/ bring tokens in their bodies."""
        return self.is_api and not self.target.startswith("/oauth/")


@dataclass(slots=True)
class Answer:
    """What is sent back: `body` is a JSON value, or text sent as it is."""

    status: int
    body: Any = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    content_type: str = JSON_TYPE

    def encoded(self) -> bytes:
        """Return the body's bytes."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the sandbox
    """Ends an endpoint early with HubSpot's error body."""

    def __init__(self, status: int, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.answer = Answer(status, error_body(message, **fields))


def error_body(message: str, **fields: Any) -> dict[str, Any]:
    """Return what HubSpot sends with an error."""
    return {"status": "error", "message": message, "correlationId": str(uuid4()), **fields}


def too_many_body(policy: str) -> dict[str, Any]:
    """Return what HubSpot sends over one of its limits."""
    return error_body(
        f"You have reached your {policy.lower()} limit.",
        errorType="RATE_LIMIT",
        policyName=policy,
        requestId=str(uuid4()),
    )


def is_of_gateway(status: int) -> bool:
    """Whether only what stands before HubSpot answers so, and never HubSpot."""
    return 520 <= status <= 530


def usual_body(status: int, policy: str = TEN_SECONDLY) -> Any:
    """Return what goes with a status of which nothing else is known."""
    if status < 400:
        return ""
    if is_of_gateway(status):
        return f"<html><head><title>{status}</title></head><body>cloudflare</body></html>"
    if status == 429:
        return too_many_body(policy)
    return error_body(phrases.get(status, "An error occurred."))


def timestamp(when: datetime | None = None) -> str:
    """Return a time, or else the present, as HubSpot writes it."""
    utc = when.astimezone(UTC) if when else datetime.now(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def invalid(message: str) -> Refused:
    """Return the refusal of a request that makes no sense."""
    return Refused(400, message, category="VALIDATION_ERROR")


def read_object(call: Call) -> dict[str, Any]:
    """Return the JSON object that a call brings, or refuse."""
    try:
        body = json.loads(call.body)
    except ValueError as error:
        raise invalid("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return body


def posted(call: Call) -> Any:
    """Return the JSON value that was posted to a control, or refuse."""
    try:
        return json.loads(call.body)
    except ValueError as error:
        raise Refused(400, f"The body is not JSON: {error}.") from error


def posted_list(call: Call) -> list[Any]:
    """Return the JSON values that were posted to a control, of which there may be one."""
    value = posted(call)
    return value if isinstance(value, list) else [value]


def read_inputs(body: dict[str, Any], at_most: int) -> list[dict[str, Any]]:
    """Return a batch's inputs, each once and with its id as text, or refuse."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(map(_is_input, inputs)):
        raise invalid("“inputs” must be a list of objects with an “id”.")
    if len(inputs) > at_most:
        raise invalid(f"A batch has at most {at_most} inputs, and this one has {len(inputs)}.")
    unique = {(str(item["id"]), str(item.get("after"))): item for item in inputs}
    return [{**item, "id": str(item["id"])} for item in unique.values()]


def read_pairs(body: dict[str, Any], at_most: int) -> list[tuple[str, str]]:
    """Return the ids of a batch's pairs of records as texts, in their order, or refuse."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(map(_is_pair, inputs)):
        raise invalid("“inputs” must be a list of objects with “from” and “to”, each with an “id”.")
    if not 1 <= len(inputs) <= at_most:
        raise invalid(f"A batch has from 1 to {at_most} inputs, and this one has {len(inputs)}.")
    return [(str(item["from"]["id"]), str(item["to"]["id"])) for item in inputs]


def _is_pair(item: Any) -> bool:
    return isinstance(item, dict) and _is_input(item.get("from")) and _is_input(item.get("to"))


def _is_input(item: Any) -> bool:
    return isinstance(item, dict) and type(item.get("id")) in (str, int)


def batch_error(message: str, context: dict[str, list[str]], **fields: Any) -> dict[str, Any]:
    """Return how a batch tells of what it did not find."""
    told = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message}
    return told | {"context": context, "errors": [], "links": {}, **fields}


def batch_answer(
    started: str, results: list[dict[str, Any]], errors: list[dict[str, Any]]
) -> Answer:
    """Return a batch's answer: 200, or 207 where there are errors."""
    body: dict[str, Any] = {"status": "COMPLETE", "results": results}
    body |= {"startedAt": started, "completedAt": timestamp()}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return Answer(207 if errors else 200, body)


def next_page(url: str, after: str) -> dict[str, Any]:
    """Return how an answer says that there is more; `url` has a query already."""
    return {"next": {"after": after, "link": f"{url}&after={after}"}}
