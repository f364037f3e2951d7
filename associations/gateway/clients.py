"""The doors to HubSpot that workers use.

One is for sending: whoever uses it has taken a slot from the limiter before the row was marked as
under way. The other reads, and waits for its slots itself.
"""

import time
from functools import lru_cache

from django.core.signals import setting_changed
from django.dispatch import receiver

from associations.gateway import rate_limiter as limiter
from associations.hubspot.client import HubSpotClient, Limits
from associations.linking.services import new_client

PUTS_AT_ONCE = 8  # of each worker process
SENDING = Limits(connect=3, read=10, total=13, attempts=1)
SENDING_BATCHES = Limits(connect=3, read=30, total=33, attempts=1)
READ_SECONDS = 20.0


@lru_cache(maxsize=1)
def for_puts() -> HubSpotClient:
    return new_client(limits=SENDING, pool_size=PUTS_AT_ONCE)


@lru_cache(maxsize=1)
def for_batches() -> HubSpotClient:
    return new_client(limits=SENDING_BATCHES, pool_size=1)


@lru_cache(maxsize=1)
def for_reads() -> HubSpotClient:
    return new_client(limits=SENDING_BATCHES, pool_size=1, admit=_wait_for_slot)


@receiver(setting_changed)
def _forget_doors(*, setting: str, **kwargs: object) -> None:
    if setting.startswith("HUBSPOT_"):
        for door in (for_puts, for_batches, for_reads):
            door.cache_clear()


def _wait_for_slot(seconds: float) -> bool:
    return take_slots(1, seconds) > 0


def take_slots(wanted: int, seconds: float) -> int:
    """Take up to so many slots, waiting for the first no longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not (taken := limiter.take_for_run(wanted)):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, max(0.01, limiter.wait_of_runs())))
    return taken
