"""What may be wrong with HubSpot for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from hubadmin.demo.sandbox.portal import GRANTED

_SCOPES = tuple(GRANTED[SANDBOX_TOKEN])
_READS, _WRITES = (
    [scope for scope in _SCOPES if scope.endswith(end)] for end in (".read", ".write")
)
_HTML = {"body": "<html><h1>Sorry</h1></html>", "content_type": "text/html"}
WRITING = (("PUT", "/default/"), ("POST", "associate"))
SEARCHING = (("POST", "/search"),)
READING = (
    ("POST", "batch/read"),
    *SEARCHING,
    ("GET", "crm"),
    ("GET", "account"),
    ("POST", "oauth"),
)
ANYTHING = (*WRITING, *READING)
Calls = tuple[tuple[str, str], ...]


def _said(message: str, **fields: Any) -> dict[str, Any]:
    return {"status": "error", "message": message, "correlationId": "c-1", **fields}


@dataclass(frozen=True, slots=True)
class Trouble:
    """`lasts` if no call fares better before somebody has done something; then nobody can link.

    `lies` if HubSpot says that it has made a link, and has not.
    """

    name: str
    fault: dict[str, Any] = field(default_factory=dict)
    calls: Calls = WRITING
    granted: list[str] | None = None  # the token's scopes meanwhile
    is_refused: bool = False  # the token itself
    lasts: bool = False
    lies: bool = False
    times: int | None = None

    @property
    def meets_looks(self) -> bool:
        """Whether looking fails, too."""
        lacks = self.granted is not None and not set(self.granted) >= set(_READS)
        return self.is_refused or lacks or (bool(self.fault) and self.calls is ANYTHING)

    @property
    def meets_links(self) -> bool:
        lacks = self.granted is not None and not set(self.granted) >= set(_WRITES)
        return self.is_refused or lacks or (bool(self.fault) and self.calls is not SEARCHING)

    def begin(self, sandbox: Sandbox) -> None:
        if self.is_refused:
            del GRANTED[SANDBOX_TOKEN]
        elif self.granted is not None:
            GRANTED[SANDBOX_TOKEN] = list(self.granted)
        for method, path in self.calls if self.fault else ():
            sandbox.fault(method=method, path=path, times=self.times, **self.fault)

    @staticmethod
    def end(sandbox: Sandbox) -> None:
        GRANTED[SANDBOX_TOKEN] = list(_SCOPES)
        sandbox.faults.clear()


NONE = Trouble("nothing")
_DAILY = _said("You have reached your daily limit.", errorType="RATE_LIMIT", policyName="DAILY")
_BUSY = {"status": 429, "headers": {"Retry-After": "10"}}
_LIMIT = _said("The association limit was reached", category="VALIDATION_ERROR")
_EMPTY = {"status": "COMPLETE", "results": []}
TROUBLES = [
    Trouble("token refused", is_refused=True, lasts=True),
    Trouble("no scope at all", granted=[], lasts=True),
    Trouble("no scope to write", granted=_READS, lasts=True),
    Trouble("no scope to read", granted=_WRITES),
    Trouble("forbidden", {"status": 403, "body": _said("no")}, lasts=True),
    Trouble("429", _BUSY, ANYTHING),
    Trouble("429 once", {"status": 429, "headers": {"Retry-After": "0"}}, times=1),
    Trouble("429 for links", _BUSY),
    Trouble("daily limit", {"status": 429, "body": _DAILY}, ANYTHING, lasts=True),
    Trouble("500", {"status": 500}, ANYTHING),
    Trouble("500 for links", {"status": 500}),
    Trouble("503", {"status": 503}, ANYTHING),
    Trouble("503 for links, and made", {"status": 503, "apply": True}),
    Trouble("503 for searches", {"status": 503}, SEARCHING),
    Trouble("429 for searches", _BUSY, SEARCHING),
    Trouble("521", {"status": 521, **_HTML}, ANYTHING),
    Trouble("521 for links", {"status": 521, **_HTML}),
    Trouble("redirected", {"status": 302, "headers": {"Location": "/x"}}, ANYTHING, lasts=True),
    Trouble("silent", {"status": 504, "delay": 0.35}),
    Trouble("reset, not made", {"reset": "before"}),
    Trouble("reset, made", {"reset": "after"}),
    Trouble("reset once", {"reset": "after"}, times=1),
    Trouble("no results", {"status": 200, "body": _EMPTY}),
    Trouble("no results, and made", {"status": 200, "body": _EMPTY, "apply": True}),
    Trouble("200 HTML", {"status": 200, **_HTML}),
    Trouble(
        "pending", {"status": 200, "body": {"status": "PENDING", "results": []}, "apply": True}
    ),
    Trouble("canceled", {"status": 200, "body": {"status": "CANCELED", "results": []}}),
    Trouble("404 without a word", {"status": 404, "body": ""}),
    Trouble("400", {"status": 400, "body": _said("Property x is required")}),
    Trouble("limit of links", {"status": 400, "body": _LIMIT}),
    Trouble("locked", {"status": 423}),
    Trouble("migrating", {"status": 477, "headers": {"Retry-After": "600"}}),
    Trouble("a lie", {"apply": False}, lies=True),
    Trouble("a lag", {"lag": 5}),
]


@contextmanager
def over_in_the_end(sandbox: Sandbox) -> Iterator[None]:
    try:
        yield
    finally:
        Trouble.end(sandbox)
