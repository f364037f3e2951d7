"""What is linked with what, by which association types, and since when reads show it."""

import re
from threading import Lock
from time import monotonic
from typing import Any

from .portal import ASSOCIATION_TYPES, Association, AssociationType, find_type

_FIELDS = Association._fields
_ID = re.compile("[1-9][0-9]{0,19}")
_SeenFrom = dict[AssociationType, float]  # in the seconds of the monotonic clock


class LinkError(ValueError):
    """A link that the portal cannot have; the message is a sentence that says why."""


def parse_link(fields: Any) -> tuple[Association, str | None]:
    """Return the link and the label that a JSON object describes; raises LinkError.

    Types go by any of their names, and the records may be absent from the portal.
    """
    if not isinstance(fields, dict) or set(fields) - {"label"} != set(_FIELDS):
        raise LinkError(f"A link is a JSON object of {', '.join(_FIELDS)} and perhaps label.")
    from_type, from_id, to_type, to_id = (fields[name] for name in _FIELDS)
    one, other = _canonical(from_type), _canonical(to_type)
    link = Association(one, _checked_id(from_id), other, _checked_id(to_id))
    label = fields.get("label")
    types_there_and_back(link, label)
    return link, label


def _canonical(name: Any) -> str:
    object_type = find_type(str(name))
    if object_type is None:
        raise LinkError(f"The portal has no object type “{name}”.")
    return object_type.canonical


def _checked_id(record_id: Any) -> str:
    if not isinstance(record_id, str) or not _ID.fullmatch(record_id):
        raise LinkError(f"“{record_id}” is not a record's id: a text of digits, no 0 first.")
    return record_id


def types_there_and_back(
    link: Association, label: str | None
) -> tuple[AssociationType, AssociationType]:
    """Return a link's association types in both directions; raises LinkError."""
    one, other = find_type(link.from_type).type_id, find_type(link.to_type).type_id
    there, back = (ASSOCIATION_TYPES.get(pair, []) for pair in ((one, other), (other, one)))
    for two in zip(there, back, strict=True):
        if two[0].label == label:
            return two
    wanted = "default" if label is None else f"“{label}”"
    raise LinkError(f"{link.from_type} and {link.to_type} have no {wanted} association type.")


class Links:
    """The links of the portal, each in both directions; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._links: dict[tuple[str, str, str], dict[str, _SeenFrom]] = {}

    def add(self, link: Association, label: str | None = None, lag: float = 0) -> None:
        """Link by a label or the default, for reads `lag` seconds later; raises LinkError.

        A repetition changes nothing, save that it may show the link sooner.
        """
        there, back = types_there_and_back(link, label)
        seen_from = monotonic() + lag
        with self._lock:
            self._add(link, there, seen_from)
            self._add(link.reversed(), back, seen_from)

    def _add(self, link: Association, meaning: AssociationType, seen_from: float) -> None:
        linked = self._links.setdefault(link[:3], {}).setdefault(link.to_id, {})
        linked[meaning] = min(seen_from, linked.get(meaning, seen_from))

    def all(self) -> set[Association]:
        """Return every link, whether reads show it already or not."""
        with self._lock:
            return {Association(*ends, i) for ends, linked in self._links.items() for i in linked}

    def seen(self, from_type: str, from_id: str, to_type: str) -> dict[str, list[AssociationType]]:
        """Return what reads show: the ids linked to a record, each with its association types."""
        now = monotonic()
        with self._lock:
            linked = self._links.get((from_type, from_id, to_type), {})
            seen = {i: [t for t, since in s.items() if since <= now] for i, s in linked.items()}
        return {i: types for i, types in seen.items() if types}

    def clear(self) -> None:
        """Forget every link."""
        with self._lock:
            self._links.clear()
