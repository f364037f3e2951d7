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


def is_api_path(target: str) -> bool:
    """Whether a request is meant for HubSpot, and not for the sandbox itself."""
    return _API_PATH.match(target) is not None


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


def too_many_body() -> dict[str, Any]:
    """Return what HubSpot sends over the limit per ten seconds."""
    return error_body(
        "You have reached your ten_secondly_rolling limit.",
        errorType="RATE_LIMIT",
        policyName="TEN_SECONDLY_ROLLING",
        requestId=str(uuid4()),
    )


def usual_body(status: int) -> Any:
    """Return what goes with a status of which nothing else is known."""
    if status < 400:
        return ""
    if status == 429:
        return too_many_body()
    return error_body(phrases.get(status, "An error occurred."))


def timestamp(when: datetime | None = None) -> str:
    """Return a time, or else the present, as HubSpot writes it."""
    utc = when.astimezone(UTC) if when else datetime.now(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
