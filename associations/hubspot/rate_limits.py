"""What an answer tells of how many calls HubSpot takes within ten seconds.

HubSpot documents the headers `X-HubSpot-RateLimit-Max`, `-Remaining` and `-Interval-Milliseconds`,
and that they are often absent. The associations API may have a limit of its own. Searches do, which
no header tells, and the other addresses are called too rarely to tell of those that are not.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from associations.hubspot.answers import Attempt, read_answer
from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import cut_text, header, json_object

TEN_SECONDS = 10_000  # milliseconds
# HubSpot's limits are from 100 to 250: what lies far off is no limit of this kind.
LEAST, MOST = 10, 10_000


class Api(StrEnum):
    """Calls that share a limit."""

    ASSOCIATIONS = "associations"
    OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class ToldLimit:
    """What one answer tells: `calls` are taken within ten seconds, None if that is not told.

    With this call they are used up, or this one was even refused.
    """

    api: Api
    calls: int | None
    is_used_up: bool = False
    is_refusal: bool = False


def read_limit(path: str, attempt: Attempt) -> ToldLimit | None:
    """Return what the answer to a call at `path` tells of its limit; None if it tells nothing."""
    api = _api_of(path)
    if api is None or attempt.http_status is None:
        return None
    is_refusal = attempt.http_status == 429
    if is_refusal and not _is_of_ten_seconds(attempt):
        return None
    calls = _calls(attempt.headers)
    if calls is None and not is_refusal:
        return None
    is_used_up = is_refusal or _number(attempt.headers, "Remaining") == 0
    return ToldLimit(api, calls, is_used_up, is_refusal)


def _api_of(path: str) -> Api | None:
    path = path.partition("?")[0]
    if not path.startswith("/crm/") or path.endswith("/search"):
        return None
    if "/associations/" in path:
        return Api.ASSOCIATIONS
    return Api.OBJECTS if "/objects/" in path else None


def _is_of_ten_seconds(attempt: Attempt) -> bool:
    """Whether a refusal is about this limit, and not about the day's or that of searches."""
    policy = cut_text((json_object(attempt.body) or {}).get("policyName"), 100).upper()
    if policy:
        return policy.startswith("TEN_SECONDLY")
    return read_answer(attempt, from_object_id="", to_object_id="").cause is Cause.RATE_LIMITED


def _calls(headers: dict[str, str]) -> int | None:
    """What is taken within a longer interval is taken evenly; within a shorter one says nothing.

    Ten seconds' worth of that could come at once, and nearly all of it would be refused.
    """
    most, interval = _number(headers, "Max"), _number(headers, "Interval-Milliseconds")
    interval = TEN_SECONDS if interval is None else interval
    if most is None or interval < TEN_SECONDS:
        return None
    calls = most * TEN_SECONDS // interval
    return calls if LEAST <= calls <= MOST else None


def _number(headers: dict[str, str], name: str) -> int | None:
    text = header(headers, f"X-HubSpot-RateLimit-{name}").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None
