"""HubSpot's results and errors, whatever their shape, as the pages show them."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from associations.models import AssociationRequest

_TOLD_OTHERWISE = {"message", "errors", "context"}


@dataclass(frozen=True, slots=True)
class Direction:
    """One association HubSpot named: from which record to which, and its type."""

    from_record: str
    to_record: str
    type_id: str
    category: str


@dataclass(frozen=True, slots=True)
class ToldError:
    """One error in full: its message, the other fields as texts, and the errors within it."""

    message: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    inner: list["ToldError"] = field(default_factory=list)


def directions(entry: AssociationRequest) -> list[Direction]:
    results = entry.results or (_results_in_batch(entry) if entry.batch else [])
    return [_direction(entry, result) for result in results]


def _results_in_batch(entry: AssociationRequest) -> list[Any]:
    """What the answer to the batch that an entry went out with says of this pair."""
    try:
        results = _get(json.loads(entry.batch.body), "results")
    except ValueError:  # no answer, or only its beginning
        return []
    pair = [entry.from_object_id, entry.to_object_id]
    return [each for each in results or [] if _ids(each) in (pair, pair[::-1])]


def _ids(result: Any) -> list[str]:
    return [_text(_get(_get(result, side), "id")) for side in ("from", "to")]


def told_errors(entry: AssociationRequest) -> list[ToldError]:
    # The page shows these two of the whole answer; an error's own, if they differ, stay with it.
    shown = {"status": entry.status, "correlationId": entry.correlation_id}
    return [_told(error, shown) for error in entry.errors]


def _direction(entry: AssociationRequest, result: Any) -> Direction:
    labels = {entry.to_object_id: entry.to_label, entry.from_object_id: entry.from_label}
    if len(labels) == 1:
        labels = {}  # both sides have this id; HubSpot does not say which is which
    ends = _ids(result)
    spec = _get(result, "associationSpec")
    return Direction(
        *(labels.get(end, end) or gettext("not named") for end in ends),
        type_id=_text(_get(spec, "associationTypeId")) or gettext("not named"),
        category=_text(_get(spec, "associationCategory")) or gettext("not named"),
    )


def _told(error: Any, shown: dict[str, str]) -> ToldError:
    if not isinstance(error, dict):
        error = {"message": error}
    fields = [
        (name, value)
        for name, value in error.items()
        if name not in _TOLD_OTHERWISE and value != shown.get(name, ...)
    ]
    context = error.get("context")
    fields += context.items() if isinstance(context, dict) else [("context", context)]
    inner = error.get("errors") or []
    return ToldError(
        _text(error.get("message")) or gettext("An error without a message."),
        [(name, text) for name, value in fields if (text := _text(value))],
        [_told(each, shown) for each in (inner if isinstance(inner, list) else [inner])],
    )


def _get(value: Any, name: str) -> Any:
    return _dict(value).get(name)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    return "" if value in (None, {}, []) else json.dumps(value, ensure_ascii=False)
