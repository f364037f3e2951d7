"""What is counted of each call to HubSpot: what it was for, how it ended, and how long it took."""

import re
from itertools import product

from associations.hubspot.answers import Attempt
from associations.hubspot.outcomes import Cause
from hubadmin.web import measuring

# By the path alone, from the first that fits; whatever else is called only looks something up.
_KINDS = {
    "link": re.compile(r"/associations/default/"),
    "batch": re.compile(r"/batch/associate/default$"),
    "unlink": re.compile(r"/batch/labels/archive$|/associations/[^/]+/[0-9]+$"),
    "search": re.compile(r"/search$"),
}
LOOK = "look"
TOLD_APART = (401, 403, 404, 423, 429, 477)

CALLS = measuring.Counter(
    "hubadmin_hubspot_calls",
    "Calls to HubSpot that were made, each attempt of its own; status is HTTP's, or what came "
    "instead of an answer.",
    ("kind", "status"),
    lambda: product((*_KINDS, LOOK), _statuses()),
)
DURATION = measuring.Histogram(
    "hubadmin_hubspot_call_duration_seconds", "How long a call to HubSpot took.", ("kind",)
)


def count_call(path: str, attempt: Attempt) -> None:
    kind = kind_of(path)
    CALLS.add(kind, status_of(attempt))
    DURATION.observe(attempt.duration_ms / 1000, kind)


def kind_of(path: str) -> str:
    plain = path.partition("?")[0]
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(plain)), LOOK)


def status_of(attempt: Attempt) -> str:
    """`429`, `2xx`, `timed_out`: of few kinds, whatever HubSpot answers."""
    status = attempt.http_status
    if attempt.failure or status is None:
        return str(attempt.failure or Cause.CONNECTION_LOST)
    return str(status) if status in TOLD_APART else f"{status // 100}xx"


def _statuses() -> tuple[str, ...]:
    silences = (Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION)
    return ("2xx", "4xx", "5xx", *map(str, TOLD_APART), *map(str, silences))
