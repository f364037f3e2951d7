"""Remembers in this process, for a while, what HubSpot has shown; and that it would not show it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from time import time
from typing import Any, TypeVar, TypeVarTuple

from django.conf import settings
from django.core.cache import cache

from associations.gateway import clients
from associations.hubspot.client import HubSpotClient, ReadError

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
FAILURE_SECONDS = 5  # a HubSpot that is away is not asked with every key that is pressed


@dataclass(frozen=True, slots=True)
class _Shown:
    """`shown_at` is when HubSpot showed it, `until` when it is asked again."""

    value: Any
    error: ReadError | None
    shown_at: float
    until: float

    @property
    def is_fresh(self) -> bool:
        # What was shown later than now was shown before the clock was set back.
        return self.shown_at <= time() < self.until


def is_fresh(look: Callable[..., Any], *arguments: Any, whose: int = 0) -> bool:
    """Whether one of the lookups need not be made anew just now."""
    shown: _Shown | None = cache.get(_key(look, arguments, whose))
    return shown is not None and shown.is_fresh


def cached_lookup(
    look: Callable[[HubSpotClient, *Arguments], T],
    *arguments: *Arguments,
    seconds: float,
    at_worst: float = 0,
    client: Callable[[], HubSpotClient] = clients.looking,
    whose: int = 0,
) -> T:
    """Return what one of the lookups shows, or has shown within the last `seconds`.

    With 0 only that it was not shown is remembered. Where HubSpot does not show it any more, what
    it showed up to `at_worst` seconds ago is used on; else a ReadError is raised. `whose` is the
    person who asks, where what one was shown is nothing for another.
    """
    key = _key(look, arguments, whose)
    before: _Shown | None = cache.get(key)
    if before and before.is_fresh and (seconds or before.error):
        shown = before
    else:
        shown = _look_again(look, arguments, seconds, client)
        if shown.error and before and not before.error and time() < before.shown_at + at_worst:
            shown = replace(before, until=shown.until)
        cache.set(key, shown, max(seconds, at_worst, FAILURE_SECONDS))
    if shown.error:
        raise shown.error
    return shown.value


def _key(look: Callable[..., Any], arguments: tuple[Any, ...], whose: int) -> str:
    return sha256(repr((look.__name__, arguments, whose)).encode()).hexdigest()


def _look_again(
    look: Callable[..., Any],
    arguments: tuple[Any, ...],
    seconds: float,
    client: Callable[[], HubSpotClient],
) -> _Shown:
    try:
        value, error = look(client(), *arguments), None
        if value is None:
            seconds = FAILURE_SECONDS  # what is not there may be made any moment
    except ReadError as failure:
        value, error, seconds = None, failure, FAILURE_SECONDS
    return _Shown(value, error, shown_at=time(), until=time() + seconds)


def run_in_background(look: Callable[[], object]) -> None:
    """Let it be made while nobody waits. It must not use the database: it is not its own."""
    _threads().submit(look)


def run_concurrently(*looks: Callable[[], T]) -> list[T]:
    """Return what each gives, in order. They must not use the database: it is not theirs."""
    futures = [_threads().submit(look) for look in looks]
    return [future.result() for future in futures]


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2 * settings.WEB_THREADS, thread_name_prefix="look")
