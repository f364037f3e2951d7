"""Remembers in this process, for a while, what HubSpot has shown; and that it would not show it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import Any

from django.core.cache import cache

from .hubspot.client import ReadError
from .services import hubspot_client

FAILURE_SECONDS = 5  # a HubSpot that is away is not asked with every key that is pressed


@dataclass(frozen=True, slots=True)
class _Shown:
    value: Any
    error: ReadError | None
    until: float


def remembered(
    look: Callable[..., Any], *arguments: Any, seconds: float, at_worst: float = 0
) -> Any:
    """Return what one of the lookups shows, or has shown within the last `seconds`.

    Where HubSpot does not show it any more, what it showed up to `at_worst` seconds ago is used on;
    else a ReadError is raised.
    """
    key = sha256(repr((look.__name__, arguments)).encode()).hexdigest()
    shown: _Shown | None = cache.get(key)
    if shown is None or shown.until <= time():
        shown = _look_again(look, arguments, shown, seconds)
        cache.set(key, shown, max(seconds, at_worst, FAILURE_SECONDS))
    if shown.error:
        raise shown.error
    return shown.value


def _look_again(
    look: Callable[..., Any], arguments: tuple[Any, ...], before: _Shown | None, seconds: float
) -> _Shown:
    try:
        return _Shown(look(hubspot_client(), *arguments), None, time() + seconds)
    except ReadError as error:
        until = time() + FAILURE_SECONDS
        is_usable = before is not None and before.error is None
        return _Shown(before.value, None, until) if is_usable else _Shown(None, error, until)
