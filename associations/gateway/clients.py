"""Every client for HubSpot that this site uses, configured: three for people, three for workers.

People's calls have their turn at the rate limiter by themselves. Whoever sends for a run has taken
a slot before the row was marked as under way.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from associations.gateway import call_limit, rate_limiter
from associations.gateway.calls import count_call
from associations.hubspot.answers import Attempt
from associations.hubspot.client import HubSpotClient, Learn, Limits
from associations.hubspot.lookups import SECONDS
from hubadmin import __version__

PUTS_AT_ONCE = 8  # of each worker process
BULK_PUT = Limits(connect=3, read=10, total=13, attempts=1)
BULK_BATCH = Limits(connect=3, read=30, total=33, attempts=1)
READ_SECONDS = 20.0
SEARCH = Limits(connect=SECONDS, read=SECONDS)
SLOT_SECONDS = 1.0  # how long a worker waits for a slot before it looks what else there is to do


class NoSlotError(Exception):
    """All calls are in use; whoever wanted one may do something else meanwhile."""


def _learn(path: str, attempt: Attempt) -> None:
    count_call(path, attempt)
    call_limit.learn(path, attempt)


def _client(*, learn: Learn = _learn, **options: Any) -> HubSpotClient:
    """Return a client for the configured account; `options` are further ones of HubSpotClient."""
    return HubSpotClient(
        base_url=settings.HUBSPOT_API_BASE_URL,
        token=settings.HUBSPOT_ACCESS_TOKEN,
        api_version=settings.HUBSPOT_API_VERSION,
        proxy_url=settings.HUBSPOT_PROXY_URL,
        ca_bundle=settings.HUBSPOT_CA_BUNDLE,
        user_agent=f"hubadmin/{__version__}",
        learn=learn,
        **options,
    )


@lru_cache(maxsize=1)
def interactive() -> HubSpotClient:
    """Return what people's submits share in this process: each thread may be at one."""
    return _client(pool_size=settings.WEB_THREADS, admit=rate_limiter.acquire_interactive)


@lru_cache(maxsize=1)
def looking() -> HubSpotClient:
    """Return what only looks things up for people, and never takes what a submit waits for.

    Its pool is as large as the threads: each has one, and there are two more that look things up.
    """
    return _client(pool_size=3 * settings.WEB_THREADS, admit=rate_limiter.acquire_look)


@lru_cache(maxsize=1)
def searching() -> HubSpotClient:
    """Return what searches for people: its calls have a limit of their own, and take no slots."""
    size = settings.WEB_THREADS
    return _client(limits=SEARCH, pool_size=size, admit=rate_limiter.acquire_search)


@lru_cache(maxsize=1)
def bulk_put() -> HubSpotClient:
    return _client(limits=BULK_PUT, pool_size=PUTS_AT_ONCE)


@lru_cache(maxsize=1)
def bulk_undo() -> HubSpotClient:
    """Return what undoes rows of a run, and looks at them before and after; each call waits."""
    return _client(limits=BULK_PUT, pool_size=PUTS_AT_ONCE, admit=wait_for_slot)


@lru_cache(maxsize=1)
def bulk_batch() -> HubSpotClient:
    return _client(limits=BULK_BATCH, pool_size=1)


@lru_cache(maxsize=1)
def bulk_read() -> HubSpotClient:
    return _client(limits=BULK_BATCH, pool_size=1, admit=wait_for_slot)


def dry_run(*, quick: bool) -> HubSpotClient:
    """Return what looks things up for one step of a dry run.

    Its first call raises NoSlotError if none is free: then it is somebody else's turn. The later
    ones wait, or what was found would be lost. If it is `quick`, somebody waits for it at the
    screen, and its calls may be some of those that are there for looks.
    """
    if quick:
        turns = chain([_demand_any_slot], repeat(_wait_for_any_slot))
    else:
        turns = chain([_demand_slot], repeat(wait_for_slot))
    return bulk_read().with_turns(lambda seconds: next(turns)(seconds))


def bulk_search() -> HubSpotClient:
    """Return what searches for one step of a dry run.

    Its first search raises NoSlotError if no turn comes free: then it is somebody else's turn.
    """
    turns = chain([_demand_search], repeat(_wait_for_search))
    return bulk_read().with_turns(lambda seconds: next(turns)(seconds))


def sweep(note: Callable[[], object]) -> HubSpotClient:
    """Return what looks at links that nobody has asked about; each call made is noted.

    A call raises NoSlotError unless most slots are free.
    """

    def admit(seconds: float) -> bool:
        if not rate_limiter.acquire_spare():
            raise NoSlotError
        note()
        return True

    return bulk_read().with_turns(admit)


def without_database() -> HubSpotClient:
    """Return what makes a few calls while the database may be away: no limit is asked or learnt."""
    return _client(pool_size=3, learn=lambda path, attempt: None)


OF_WORKERS = (bulk_put, bulk_undo, bulk_batch, bulk_read)


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: object) -> None:
    if setting.startswith("HUBSPOT_"):
        for client in (interactive, looking, searching, *OF_WORKERS):
            client.cache_clear()


def _wait_for_search(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not rate_limiter.acquire_bulk_search(left := deadline - time.monotonic()):
        if left <= 0:
            return False
    return True


def _demand_search(seconds: float) -> bool:
    if not _wait_for_search(rate_limiter.SEARCH_WINDOW):
        raise NoSlotError
    return True


def wait_for_slot(seconds: float) -> bool:
    return take_slots(1, seconds) > 0


def _demand_slot(seconds: float) -> bool:
    if not take_slots(1):
        raise NoSlotError
    return True


def _demand_any_slot(seconds: float) -> bool:
    return rate_limiter.acquire_look(seconds) or _demand_slot(seconds)


def _wait_for_any_slot(seconds: float) -> bool:
    return rate_limiter.acquire_look(seconds) or wait_for_slot(seconds)


def take_slots(wanted: int, seconds: float = SLOT_SECONDS) -> int:
    """Take up to so many slots, waiting for the first no longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not (taken := rate_limiter.acquire_bulk(wanted)):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, max(0.01, rate_limiter.bulk_wait())))
    return taken
