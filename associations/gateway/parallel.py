"""Several looks at HubSpot at the same time, by threads that all pages of a process share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from django.conf import settings


def at_once(*looks: Callable[[], Any]) -> list[Any]:
    """Return what each gives, in order. They must not use the database: it is not theirs."""
    futures = [_threads().submit(look) for look in looks]
    return [future.result() for future in futures]


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2 * settings.WEB_THREADS, thread_name_prefix="look")
