"""What came back from HubSpot → one typed answer. Tolerant of anything; sure of little.

A 2xx does not prove a link: an answer counts as `confirmed` only if it says COMPLETE, names both
records and reports no error. Shapes: the OpenAPI description of `createDefault`, 21 Aug 2026.
"""

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from associations.hubspot.outcomes import VERDICTS, Cause, Linked, Verdict
from associations.hubspot.sanitizing import (
    cut_text,
    header,
    json_object,
    keyed,
    listed,
    parse_moment,
    whole_number,
)

ERROR_TEXT_LENGTH = 500

Ids = tuple[str, str]  # of the two records of a pair


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP exchange as it ended: an answer, a `failure`, or both if its body broke off.

    `body` is text, at most 1 MiB, the token redacted; `duration_ms` is in milliseconds.
    """

    started_at: datetime
    duration_ms: int
    http_status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    body_complete: bool = True
    failure: Cause | None = None
    detail: str = ""
    call: str = ""  # of several that a request may make, which one; empty if there is only one


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt, or a whole request, came to. Names and shapes are HubSpot's."""

    cause: Cause
    http_status: int | None = None
    status: str = ""
    results: list[Any] = field(default_factory=list)
    num_errors: int | None = None
    errors: list[Any] = field(default_factory=list)
    links: dict[str, Any] = field(default_factory=dict)
    requested_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_category: str = ""
    error_text: str = ""
    correlation_id: str = ""
    body: str = ""
    # The ids that HubSpot has the records under, where those are others than were asked for.
    from_merged_into: str = ""
    to_merged_into: str = ""

    @property
    def verdict(self) -> Verdict:
        return VERDICTS[self.cause]


def merge_attempts(answers: Sequence[Answer]) -> Answer:
    """Return the answer that tells the truth about a request after all its attempts.

    It is the last one, unless that one says nothing of the pair ("too many requests") while an
    earlier attempt may have made the link: then the doubt stands. That nothing was sent is only
    the truth if no attempt was: else it is what HubSpot answered last.
    """
    last = answers[-1]
    if last.verdict.settles:
        return last
    in_doubt = [answer for answer in answers if answer.verdict.linked is Linked.PERHAPS]
    if in_doubt:
        return in_doubt[-1]
    return next((answer for answer in reversed(answers) if answer.http_status is not None), last)


def read_answer(attempt: Attempt, *, from_object_id: str, to_object_id: str) -> Answer:
    """Return what `attempt` says about the link between the two records. Never raises."""
    return _read(attempt, [(from_object_id, to_object_id)])


def read_batch_answer(attempt: Attempt, pairs: Sequence[Ids]) -> Answer:
    """Return what `attempt` says about all of these pairs of ids together. Never raises.

    It is `confirmed` only if it proves the link of each; else nothing is known of any single one.
    """
    return _read(attempt, pairs)


def read_removal(attempt: Attempt) -> Answer:
    """Return what `attempt` says about a link that it was to remove. Never raises.

    That it is gone no answer proves, only a look: the best is `not_seen_gone`.
    """
    answer = _read(attempt, [])
    is_yes = answer.http_status is not None and 200 <= answer.http_status < 300
    if is_yes and attempt.failure is None and answer.cause in _YES:
        return replace(answer, cause=Cause.NOT_SEEN_GONE, results=[])
    return answer


# An answer without an error; HubSpot says no more about a removal, v4 with an empty body.
_YES = {Cause.CONFIRMED, Cause.NOT_SHOWN, Cause.UNKNOWN_STATUS, Cause.UNREADABLE}


def pairs_not_shown(answer: Answer, pairs: Sequence[Ids]) -> list[Ids]:
    """Return which of the pairs the answer does not show, if it shows others instead.

    It may name merged records by other ids than were asked for. Whether it does, reading the
    records tells, and the answer alone never: these ids may be anybody's.
    """
    if answer.cause is not Cause.NOT_SHOWN:
        return []
    named = set(map(_ids_of, answer.results)) - {None}
    return [pair for pair in pairs if not _is_named(named, pair)] if named - {*pairs} else []


def after_merging(answer: Answer, asked: Ids, left: Ids, *, of_one_type: bool) -> Answer:
    """Return what the answer says of two records that HubSpot has under the ids that are `left`.

    Reading the records has to have shown these.
    """
    from_merged_into, to_merged_into = merged_columns(asked, left).values()
    answer = replace(answer, from_merged_into=from_merged_into, to_merged_into=to_merged_into)
    if of_one_type and left[0] == left[1] and left != asked:
        is_no = answer.verdict.linked is Linked.NO
        return answer if is_no else replace(answer, cause=Cause.SAME_RECORD)
    return if_shown(answer, [left])


def merged_columns(asked: Ids, left: Ids) -> dict[str, str]:
    """Return the ids that are left, of those records that were asked for by others."""
    merged = [now if now != was else "" for was, now in zip(asked, left, strict=True)]
    return dict(zip(("from_merged_into", "to_merged_into"), merged, strict=True))


def if_shown(answer: Answer, pairs: Sequence[Ids]) -> Answer:
    """Return the answer confirmed if it only did not show the link, and does so by these ids."""
    named = set(map(_ids_of, answer.results))
    is_shown = all(_is_named(named, pair) for pair in pairs)
    is_proof = answer.cause is Cause.NOT_SHOWN and is_shown
    return replace(answer, cause=Cause.CONFIRMED) if is_proof else answer


def _read(attempt: Attempt, pairs: Sequence[Ids]) -> Answer:
    if attempt.http_status is None or (attempt.failure and attempt.http_status < 300):
        failure = attempt.failure or Cause.CONNECTION_LOST
        text = attempt.detail[:ERROR_TEXT_LENGTH]
        return Answer(failure, http_status=attempt.http_status, error_text=text)
    body = (json_object(attempt.body) if attempt.body_complete else None) or {}
    succeeded = 200 <= attempt.http_status < 300
    errors = listed(body.get("errors")) if succeeded else [body] if body else []
    answer = Answer(
        Cause.UNREADABLE,
        http_status=attempt.http_status,
        status=cut_text(body.get("status"), 32),
        results=listed(body.get("results")) if succeeded else [],
        num_errors=whole_number(body.get("numErrors")),
        errors=errors,
        links=keyed(body.get("links")),
        requested_at=parse_moment(body.get("requestedAt")),
        started_at=parse_moment(body.get("startedAt")),
        completed_at=parse_moment(body.get("completedAt")),
        error_category=_first_text(errors, "category", 100),
        error_text=_error_text(errors, attempt),
        correlation_id=_correlation_id(body, attempt),
        body=attempt.body,
    )
    if not succeeded:
        return replace(answer, cause=_cause_of_refusal(attempt.http_status, errors))
    return replace(answer, cause=_cause_of_success(body, answer, pairs)) if body else answer


def retry_after(
    http_status: int | None, headers: dict[str, str], now: datetime | None = None
) -> float | None:
    """Return the seconds HubSpot asks to wait after such an answer, None if it does not say.

    They begin `now`: which is when the answer is read, unless another moment is given.
    """
    asked = header(headers, "Retry-After").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked, re.ASCII):
        return float(asked)
    if asked:
        try:
            wait = parsedate_to_datetime(asked) - (now or datetime.now(UTC))
            return max(0.0, wait.total_seconds())
        except (ValueError, TypeError, OverflowError):
            pass
    interval = header(headers, "X-HubSpot-RateLimit-Interval-Milliseconds").strip()
    if http_status == 429 and re.fullmatch(r"[0-9]{1,9}", interval, re.ASCII):
        return int(interval) / 1000
    return 2.0 if http_status == 423 else None


# --- a 2xx answer -------------------------------------------------------------------------------


def _cause_of_success(body: dict[str, Any], answer: Answer, pairs: Sequence[Ids]) -> Cause:
    status = answer.status.upper()
    results, errors = answer.results, answer.errors
    # A count that cannot be read is no proof of errors, and none that there were none.
    clean = not errors and body.get("numErrors") in (None, 0, "0")
    if status in ("PENDING", "PROCESSING"):
        return Cause.IN_PROGRESS
    if results and (not clean or status in ("CANCELED", "CANCELLED")):
        return Cause.PARTLY_FAILED
    if errors or answer.num_errors:
        return _cause_of_errors(errors)
    if status in ("CANCELED", "CANCELLED"):
        return Cause.CANCELED_BY_HUBSPOT
    if status != "COMPLETE":
        return Cause.UNKNOWN_STATUS
    named = set(map(_ids_of, results))
    is_shown = all(_is_named(named, pair) for pair in pairs)
    return Cause.CONFIRMED if is_shown else Cause.NOT_SHOWN


def _is_named(named: Set[Ids | None], pair: Ids) -> bool:
    """A result counts in either direction."""
    return pair in named or pair[::-1] in named


def _ids_of(result: Any) -> Ids | None:
    try:
        return str(result["from"]["id"]), str(result["to"]["id"])
    except (KeyError, TypeError, IndexError):
        return None


# --- a refusal ----------------------------------------------------------------------------------

_BY_HTTP_STATUS = {
    401: Cause.TOKEN_REFUSED,
    423: Cause.LOCKED,
    429: Cause.RATE_LIMITED,
    477: Cause.MIGRATING,
    502: Cause.HUBSPOT_DOWN,
    503: Cause.HUBSPOT_DOWN,
    504: Cause.HUBSPOT_DOWN,
    # Of the gateways before HubSpot, which stand in for it while it is away.
    **dict.fromkeys(range(520, 531), Cause.HUBSPOT_DOWN),
}


def _cause_of_refusal(http_status: int, errors: list[Any]) -> Cause:
    if http_status == 403:
        scoped = _cause_of_errors(errors) is Cause.SCOPE_MISSING
        return Cause.SCOPE_MISSING if scoped else Cause.FORBIDDEN
    if http_status == 429 and _is_daily(errors):
        return Cause.DAILY_LIMIT
    if http_status in _BY_HTTP_STATUS:
        return _BY_HTTP_STATUS[http_status]
    if http_status >= 500:
        # HubSpot tells of its own errors in JSON; a page is a gateway's.
        return Cause.HUBSPOT_ERROR if errors else Cause.HUBSPOT_DOWN
    return _cause_of_errors(errors) if http_status >= 400 else Cause.REDIRECTED


def _is_daily(errors: list[Any]) -> bool:
    policy = _first_text(errors, "policyName", 100) or _first_text(errors, "message", 500)
    return "daily" in policy.lower()


# What HubSpot's errors look like, most telling first. It documents few of them, so each is
# recognised by any of the marks that were seen; whatever fits none is simply "refused".
_MARKS: list[tuple[Cause, re.Pattern[str]]] = [
    (Cause.SCOPE_MISSING, re.compile(r"MISSING_SCOPES|missingScopes|requiredGranularScopes")),
    (Cause.UNKNOWN_OBJECT_TYPE, re.compile(r"(?i)unable to infer object type|INVALID_OBJECT_TYPE")),
    (
        Cause.RECORD_NOT_FOUND,
        re.compile(r"\b(OBJECT_NOT_FOUND|INVALID_OBJECT_IDS|OBJECT_(DOES_)?NOT_EXIST)"),
    ),
    (
        Cause.NO_DEFAULT_TYPE,
        re.compile(r"(?i)no default association|default association type|no_default"),
    ),
    (
        Cause.ASSOCIATION_LIMIT,
        re.compile(r"(?i)LIMIT_EXCEEDED|association.{0,40}\blimit|limit.{0,40}\bassociation"),
    ),
]


def _cause_of_errors(errors: list[Any]) -> Cause:
    text = json.dumps(_without_links(errors))
    return next((cause for cause, mark in _MARKS if mark.search(text)), Cause.REFUSED)


def _without_links(value: Any) -> Any:
    """HubSpot's links lead to documentation, whose address may contain any of the marks."""
    if isinstance(value, dict):
        return {name: _without_links(item) for name, item in value.items() if name != "links"}
    return [_without_links(item) for item in value] if isinstance(value, list) else value


# --- its words ---------------------------------------------------------------------------------


def _first_text(errors: list[Any], name: str, length: int) -> str:
    texts = (cut_text(error.get(name), length) for error in map(keyed, errors))
    return next((text for text in texts if text), "")


def messages_in(errors: list[Any]) -> list[str]:
    """Every message of the errors and of those within them, each once, in order."""
    found: dict[str, None] = {}
    for error in errors:
        if isinstance(error, dict):
            if text := cut_text(error.get("message"), ERROR_TEXT_LENGTH):
                found[text] = None
            found.update(dict.fromkeys(messages_in(listed(error.get("errors")))))
        elif isinstance(error, str):
            found[error] = None
    return list(found)


def _error_text(errors: list[Any], attempt: Attempt) -> str:
    text = " · ".join(messages_in(errors))
    if not text and attempt.http_status is not None and attempt.http_status >= 300:
        kind = header(attempt.headers, "Content-Type").split(";")[0] or "no content type"
        text = f"HTTP {attempt.http_status} without a message ({kind})"
    return text[:ERROR_TEXT_LENGTH]


def _correlation_id(body: dict[str, Any], attempt: Attempt) -> str:
    return cut_text(body.get("correlationId"), 100) or cut_text(
        header(attempt.headers, "X-HubSpot-Correlation-Id"), 100
    )


def strings_in(value: Any, below: str = "", found: bool = False) -> list[str]:
    """Every string within `value`; with `below`, only those under a key that ends so."""
    if isinstance(value, str):
        return [value] if found or not below else []
    if isinstance(value, dict):
        pairs = value.items()
        return [s for key, v in pairs for s in strings_in(v, below, found or key.endswith(below))]
    if isinstance(value, list):
        return [s for item in value for s in strings_in(item, below, found)]
    return []


def missing_scopes_in(errors: list[Any]) -> list[str]:
    """Return the scopes HubSpot says the token lacks."""
    # missingScopes, requiredScopes, requiredGranularScopes
    strings = " ".join(strings_in(errors, "Scopes"))
    return sorted(set(re.findall(r"[a-z][a-z0-9._-]*[a-z0-9]", strings)))
