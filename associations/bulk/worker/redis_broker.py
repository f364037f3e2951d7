"""The broker in Redis, apart: its client is read by those alone who are to use it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django_q.brokers.redis_broker import Redis
from redis import RedisError

from associations.bulk.worker.broker import BrokerAwayError, Patient


def _or_away(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def asked(*args: Any) -> Any:
        try:
            return call(*args)
        except RedisError as error:
            raise BrokerAwayError(str(error)) from error

    return asked


class _Redis(Redis):
    """Says in our words that Redis cannot be reached."""

    enqueue = _or_away(Redis.enqueue)
    dequeue = _or_away(Redis.dequeue)
    queue_size = _or_away(Redis.queue_size)
    ping = _or_away(Redis.ping)


class RedisBroker(Patient, _Redis):
    """Tasks wait in Redis."""
