"""The filters of HubSpot's search: what a request asks for, and which records it fits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any

from hubadmin.demo.sandbox.http import invalid
from hubadmin.demo.sandbox.index import KEYS, View
from hubadmin.demo.sandbox.properties import SEVERAL, value_of
from hubadmin.demo.sandbox.words import fold, words_of

_MOST_GROUPS, _MOST_IN_GROUP, _MOST_FILTERS = 5, 6, 18
_Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition of a search: a test that a record's property passes, or must not pass."""

    name: str
    passes: _Test
    negated: bool = False
    without: bool = False  # whether a record that has no such property fits
    keys: tuple[str, ...] | None = None  # the only values that fit, if these are few

    def fits(self, record: dict[str, str]) -> bool:
        """Whether a record meets it."""
        value = value_of(record, self.name)
        return self.passes(value) != self.negated if value else self.without

    def candidates(self, view: View) -> set[str] | None:
        """Return the ids of all that may meet it; None where no key tells which those are."""
        if self.name not in KEYS or self.keys is None:
            return None
        return {i for value in self.keys for i in view.by_key(self.name, value)}


def read_groups(body: dict[str, Any]) -> list[list[Filter]]:
    """Return a request's groups of filters, of which one has to fit as a whole, or refuse."""
    groups = body.get("filterGroups", [])
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        raise invalid("“filterGroups” must be a list of objects with “filters”.")
    read = [[_read_filter(fields) for fields in group["filters"]] for group in groups]
    if len(read) > _MOST_GROUPS or any(len(group) > _MOST_IN_GROUP for group in read):
        raise invalid(f"At most {_MOST_GROUPS} groups of at most {_MOST_IN_GROUP} filters, please.")
    if sum(map(len, read)) > _MOST_FILTERS:
        raise invalid(f"A search has at most {_MOST_FILTERS} filters.")
    return read


def _is_group(group: Any) -> bool:
    return isinstance(group, dict) and isinstance(group.get("filters"), list)


def _read_filter(fields: Any) -> Filter:
    operator = fields.get("operator") if isinstance(fields, dict) else None
    name = fields.get("propertyName") if isinstance(fields, dict) else None
    if not isinstance(name, str) or not isinstance(operator, str) or operator not in _READERS:
        raise invalid("A filter has a “propertyName” and an “operator” that HubSpot knows.")
    needed, read = _READERS[operator]
    for each in needed:
        if not _is_given(each, fields.get(each)):
            raise invalid(f"The operator {operator} needs “{each}”.")
    return read(name, *(fields[each] for each in needed))


def _is_given(needed: str, value: Any) -> bool:
    if needed == "values":
        return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    return isinstance(value, str) and value != ""


def _has(name: str) -> Filter:
    return Filter(name, bool)


def _has_not(name: str) -> Filter:
    return Filter(name, bool, negated=True, without=True)


def _equal(name: str, value: str) -> Filter:
    # Here case is of no account, but in a list what is asked for has to be lower case already.
    return _one_of(name, [value.lower()])


def _one_of(name: str, values: list[str]) -> Filter:
    wanted = frozenset(values)

    def passes(has: str) -> bool:
        told = has.lower()
        return told in wanted or (name in SEVERAL and not wanted.isdisjoint(told.split(";")))

    return Filter(name, passes, keys=tuple(wanted))


def _contains(name: str, value: str) -> Filter:
    """Each token is a whole one of the property; a `*` stands for the rest of one."""
    tests = [_token_test(token) for token in fold(value).split()]
    return Filter(name, lambda has: all(test(fold(has)) for test in tests))


def _token_test(token: str) -> _Test:
    if "*" not in token:
        words = words_of(token)
        return lambda text: all(w in text for w in words) and set(words) <= set(words_of(text))
    pieces = token.split("*")
    pattern = re.compile(".*".join(map(re.escape, pieces)))
    return lambda text: all(p in text for p in pieces) and any(map(pattern.fullmatch, _parts(text)))


def _parts(text: str) -> list[str]:
    whole = re.split(r"[\s;]+", text)
    return whole + words_of(text)


def _between(name: str, low: str, high: str) -> Filter:
    at_least, at_most = _ordered(ge)(name, low), _ordered(le)(name, high)
    return Filter(name, lambda has: at_least.passes(has) and at_most.passes(has))


def _ordered(order: Callable[[Any, Any], bool]) -> Callable[[str, str], Filter]:
    def read(name: str, value: str) -> Filter:
        asked = comparable(value)

        def passes(has: str) -> bool:
            told = comparable(has)
            if type(told) is type(asked):
                return order(told, asked)
            return order(has.lower(), value.lower())

        return Filter(name, passes)

    return read


def _not(read: Callable[..., Filter]) -> Callable[..., Filter]:
    return lambda name, asked: Filter(name, read(name, asked).passes, negated=True)


# What each operator needs, and what it makes of that.
_READERS: dict[str, tuple[tuple[str, ...], Callable[..., Filter]]] = {
    "HAS_PROPERTY": ((), _has),
    "NOT_HAS_PROPERTY": ((), _has_not),
    "EQ": (("value",), _equal),
    "NEQ": (("value",), _not(_equal)),
    "IN": (("values",), _one_of),
    "NOT_IN": (("values",), _not(_one_of)),
    "CONTAINS_TOKEN": (("value",), _contains),
    "NOT_CONTAINS_TOKEN": (("value",), _not(_contains)),
    "LT": (("value",), _ordered(lt)),
    "LTE": (("value",), _ordered(le)),
    "GT": (("value",), _ordered(gt)),
    "GTE": (("value",), _ordered(ge)),
    "BETWEEN": (("value", "highValue"), _between),
}


def comparable(value: str) -> float | str:
    """Return a value as it is put in order: numbers and moments as numbers, texts without case."""
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(value).timestamp() * 1000
    except ValueError:
        return fold(value)
