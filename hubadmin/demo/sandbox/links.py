"""What is linked with what, by which association types, and since when reads show it."""

import re
from collections.abc import Iterable
from math import inf
from threading import Lock
from time import monotonic
from typing import Any

from hubadmin.demo.sandbox.portal import (
    ASSOCIATION_TYPES,
    TYPES,
    Association,
    AssociationType,
    find_type,
)

_FIELDS = Association._fields
_ID = re.compile("[1-9][0-9]{0,19}")
# In the seconds of the monotonic clock. Links may share one, so it is replaced and never changed.
_SeenFrom = dict[AssociationType, float]
_Linked = dict[str, dict[str, _SeenFrom]]  # by one record's id and then the other's


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
    types_there_and_back(one, other, label)
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
    from_type: str, to_type: str, label: str | None
) -> tuple[AssociationType, AssociationType]:
    """Return a link's association types in both directions; raises LinkError."""
    one, other = TYPES[from_type].type_id, TYPES[to_type].type_id
    there, back = (ASSOCIATION_TYPES.get(pair, []) for pair in ((one, other), (other, one)))
    for two in zip(there, back, strict=True):
        if two[0].label == label:
            return two
    wanted = "default" if label is None else f"“{label}”"
    raise LinkError(f"{from_type} and {to_type} have no {wanted} association type.")


class Links:
    """The links of the portal, each in both directions; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._links: dict[tuple[str, str], _Linked] = {}  # by the two types

    def add(self, link: Association, label: str | None = None, lag: float = 0) -> None:
        """Link by a label or the default, for reads `lag` seconds later; raises LinkError.

        A repetition changes nothing, save that it may show the link sooner.
        """
        self.add_many(link.from_type, link.to_type, [(link.from_id, link.to_id)], label, lag)

    def add_many(
        self,
        from_type: str,
        to_type: str,
        pairs: Iterable[tuple[str, str]],
        label: str | None = None,
        lag: float = 0,
    ) -> None:
        """Link many pairs of records of two types at once, like `add`; raises LinkError."""
        types, seen_from = types_there_and_back(from_type, to_type, label), monotonic() + lag
        # All the links of one call share these, which keeps a hundred thousand of them small.
        there, back = ({t: seen_from} for t in types)
        with self._lock:
            onward = self._links.setdefault((from_type, to_type), {})
            home = self._links.setdefault((to_type, from_type), {})
            for one, other in pairs:
                _add(onward.setdefault(one, {}), other, there)
                _add(home.setdefault(other, {}), one, back)

    def remove(
        self,
        from_type: str,
        to_type: str,
        pair: tuple[str, str],
        types: set[tuple[str, int]] | None = None,
    ) -> None:
        """Unlink two records: by these types, of one direction or the other, or by all.

        With the default type goes all that links the pair, as at HubSpot.
        """
        one, other = pair
        with self._lock:
            onward = self._links.get((from_type, to_type), {}).get(one, {})
            home = self._links.get((to_type, from_type), {}).get(other, {})
            left = _there_and_back(from_type, to_type, onward.get(other, {}))
            gone = [two for two in left if types is None or _is_among(two, types)]
            has_default = any(there.label is None for there, _ in gone)
            kept = [] if has_default or types is None else [t for t in left if t not in gone]
            _keep(onward, other, [there for there, _ in kept])
            if onward is not home or one != other:
                _keep(home, one, [back for _, back in kept])

    def all(self) -> set[Association]:
        """Return every link, whether reads show it already or not."""
        with self._lock:
            return {
                Association(from_type, one, to_type, other)
                for (from_type, to_type), linked in self._links.items()
                for one, others in linked.items()
                for other in others
            }

    def default_pairs(self, from_name: str, to_name: str) -> list[tuple[str, str]]:
        """Return the ids linked by two types' default, in their order as numbers.

        Types go by any of their names; raises LinkError. A lagging link is among them.
        """
        from_type, to_type = _canonical(from_name), _canonical(to_name)
        default, _ = types_there_and_back(from_type, to_type, None)
        with self._lock:
            linked = self._links.get((from_type, to_type), {})
            pairs = [(i, j) for i, others in linked.items() for j in others if default in others[j]]
        return sorted(pairs, key=lambda pair: (int(pair[0]), int(pair[1])))

    def beside(self, from_type: str, from_id: str) -> list[tuple[str, str]]:
        """Return the type and id of each record that one is linked to, in order."""
        with self._lock:
            return sorted(
                (to_type, other)
                for (one_type, to_type), linked in self._links.items()
                if one_type == from_type
                for other in linked.get(from_id, ())
            )

    def seen(self, from_type: str, from_id: str, to_type: str) -> dict[str, list[AssociationType]]:
        """Return what reads show: the ids linked to a record, each with its association types."""
        now = monotonic()
        with self._lock:
            linked = self._links.get((from_type, to_type), {}).get(from_id, {})
            seen = {i: [t for t, since in s.items() if since <= now] for i, s in linked.items()}
        return {i: types for i, types in seen.items() if types}

    def remove_default(self, link: Association) -> None:
        """Take the default type of a link away and leave the others, as no call can."""
        types = types_there_and_back(link.from_type, link.to_type, None)
        with self._lock:
            for end, left_out in zip((link, link.reversed()), types, strict=True):
                others = self._links.get((end.from_type, end.to_type), {}).get(end.from_id, {})
                known = others.pop(end.to_id, {})
                if left := {t: since for t, since in known.items() if t != left_out}:
                    others[end.to_id] = left

    def move(self, object_type: str, old: str, new: str) -> None:
        """Give the links of one record to another of its type."""
        with self._lock:
            for (one_type, other_type), linked in self._links.items():
                if one_type == object_type:
                    taken = linked.pop(old, {})
                    for other, seen_from in taken.items():
                        _add(linked.setdefault(new, {}), other, seen_from)
                if other_type == object_type:
                    for others in linked.values():
                        if old in others:
                            _add(others, new, others.pop(old))

    def clear(self) -> None:
        """Forget every link."""
        with self._lock:
            self._links.clear()


def _add(others: dict[str, _SeenFrom], other: str, added: _SeenFrom) -> None:
    known = others.setdefault(other, added)
    sooner = {t: since for t, since in added.items() if since < known.get(t, inf)}
    if sooner:
        others[other] = {**known, **sooner}


def _there_and_back(
    from_type: str, to_type: str, linked: _SeenFrom
) -> list[tuple[AssociationType, AssociationType]]:
    """The types that link a pair, each with the one of the other direction."""
    one, other = TYPES[from_type].type_id, TYPES[to_type].type_id
    there, back = (ASSOCIATION_TYPES.get(pair, []) for pair in ((one, other), (other, one)))
    return [two for two in zip(there, back, strict=True) if two[0] in linked]


def _is_among(two: tuple[AssociationType, AssociationType], types: set[tuple[str, int]]) -> bool:
    return any((each.category, each.type_id) in types for each in two)


def _keep(others: dict[str, _SeenFrom], other: str, types: list[AssociationType]) -> None:
    """Leave nothing but these types of a link; without any the link is gone."""
    seen_from = others.pop(other, {})
    if kept := {each: seen_from[each] for each in types if each in seen_from}:
        others[other] = kept
