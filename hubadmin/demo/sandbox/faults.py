"""What the sandbox plays on request: refusals, delays, lost connections, answers cut short."""

import math
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Any

JSON_TYPE = "application/json;charset=utf-8"
NOT_GIVEN = ...  # JSON cannot say it, so a fault's body may still be null

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


class FaultError(ValueError):
    """A fault that cannot be played; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One departure from the ordinary answer.

    `reset` wins over everything but `delay`. Without `status` and `body` the ordinary answer is
    sent; `apply=False` then makes it a lie, for the association is not made.
    With `lag` it is made, but reads show it only so many seconds later. `partial` lets a batch
    associate those of its pairs that it can. With a `probability` below 1 the fault leaves the
    other requests alone; `seed` makes its choice of them repeatable.
    """

    method: str = "PUT"
    path: str = ""
    times: int | None = 1
    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = NOT_GIVEN
    content_type: str = JSON_TYPE
    delay: float = 0
    reset: str = ""
    truncate: int | None = None
    drip: float = 0
    drip_headers: float = 0
    apply: bool | None = None
    lag: float = 0
    partial: bool = False
    probability: float = 1
    seed: int | None = None

    @property
    def has_answer(self) -> bool:
        """Whether it brings an answer of its own."""
        return self.status is not None or self.body is not NOT_GIVEN

    @property
    def applies(self) -> bool:
        """Whether the association is made all the same."""
        if self.reset:
            return self.reset == "after"
        return not self.has_answer if self.apply is None else self.apply

    def matches(self, method: str, path: str) -> bool:
        """Whether it is meant for this request, by its raw path."""
        return method == self.method.upper() and re.search(self.path, path) is not None

    def send(
        self, connection: socket.socket, head: bytes, body: bytes, wait: Callable[[float], None]
    ) -> None:
        """Send an answer the way the fault wants it: whole, cut short or byte by byte."""
        body = body[: self.truncate]
        if self.drip or self.drip_headers:
            _drip(connection, head, self.drip_headers, wait)
            _drip(connection, body, self.drip, wait)
        else:
            connection.sendall(head + body)


ORDINARY = Fault()


def _drip(
    connection: socket.socket, data: bytes, seconds: float, wait: Callable[[float], None]
) -> None:
    size = 1 if seconds else max(len(data), 1)
    for position in range(0, len(data), size):
        if position:
            wait(seconds)
        connection.sendall(data[position : position + size])


def _is_whole(value: Any, low: int, high: float = math.inf) -> bool:
    # Python counts true and false as numbers; JSON does not.
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_seconds(value: Any) -> bool:
    return (_is_whole(value, 0) or isinstance(value, float)) and 0 <= value <= 3600


def _is_probability(value: Any) -> bool:
    return (_is_whole(value, 1) or isinstance(value, float)) and 0 < value <= 1


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_header_value(value: Any) -> bool:
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _HEADER_NAME.fullmatch(name) and (text is None or _is_header_value(text))
        for name, text in value.items()
    )


_TRUTH = (lambda v: isinstance(v, bool), "true or false")
_SECONDS = (_is_seconds, "a number of seconds from 0 to 3600")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "method": (lambda v: isinstance(v, str), "the name of an HTTP method"),
    "path": (_is_pattern, "a regular expression"),
    "times": (lambda v: v is None or _is_whole(v, 1), "a whole number from 1, or null for ever"),
    "status": (lambda v: _is_whole(v, 200, 599), "a status code from 200 to 599"),
    "headers": (_are_headers, "an object of header names and texts (null leaves one out)"),
    "body": (lambda v: True, "any JSON value"),
    "content_type": (_is_header_value, "a media type"),
    "delay": _SECONDS,
    "reset": (lambda v: v in ("before", "after"), "“before” or “after”"),
    "truncate": (lambda v: _is_whole(v, 0), "a whole number of bytes from 0"),
    "drip": _SECONDS,
    "drip_headers": _SECONDS,
    "apply": _TRUTH,
    "lag": _SECONDS,
    "partial": _TRUTH,
    "probability": (_is_probability, "a number above 0 and at most 1"),
    "seed": (lambda v: _is_whole(v, 0), "a whole number from 0"),
}


def parse_fault(fields: Any) -> Fault:
    """Return the fault a JSON object describes; raises FaultError where it describes none."""
    if not isinstance(fields, dict):
        raise FaultError("A fault is a JSON object.")
    for name, value in fields.items():
        if name not in _RULES:
            raise FaultError(f"A fault has no “{name}”; it may have {', '.join(_RULES)}.")
        fits, wanted = _RULES[name]
        if not fits(value):
            raise FaultError(f"“{name}” must be {wanted}.")
    return Fault(**fields)


@dataclass(slots=True)
class _Queued:
    fault: Fault
    fields: dict[str, Any]
    left: int | None
    chance: Random

    def meets(self, method: str, path: str) -> bool:
        """Whether it is meant for this request, and chance has it so."""
        meant = self.fault.matches(method, path)
        return meant and self.chance.random() < self.fault.probability


class FaultQueue:
    """The faults still to be played, in order of posting; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queued: list[_Queued] = []

    def add(self, *many: Any) -> None:
        """Queue faults given as JSON objects: all of them, or on a FaultError none."""
        faults = [parse_fault(fields) for fields in many]
        with self._lock:
            self._queued += [
                _Queued(fault, dict(fields), fault.times, Random(fault.seed))
                for fault, fields in zip(faults, many, strict=True)
            ]

    def take(self, method: str, path: str) -> Fault:
        """Return the first fault that meets a request and count it; ORDINARY where none does."""
        with self._lock:
            for queued in self._queued:
                if queued.meets(method, path):
                    self._count(queued)
                    return queued.fault
        return ORDINARY

    def _count(self, queued: _Queued) -> None:
        if queued.left is not None:
            queued.left -= 1
        self._queued = [q for q in self._queued if q.left != 0]

    def active(self) -> list[dict[str, Any]]:
        """Return those still to be played, as they were posted, with the times that are left."""
        with self._lock:
            return [{**queued.fields, "times": queued.left} for queued in self._queued]

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._queued.clear()
