"""Where tasks wait for a worker: django-q2's brokers, patient with what is away for a moment."""

import logging
import time
from typing import Any

from django.db import Error as DBError
from django.db import connections
from django_q.brokers import Broker
from django_q.brokers.orm import ORM

logger = logging.getLogger(__name__)


class BrokerAwayError(Exception):
    """Where tasks wait cannot be reached, if that is not the database."""


AWAY = (DBError, BrokerAwayError)
PAUSE = 1.0  # seconds between two tries


class Patient(Broker):
    def dequeue(self) -> Any:
        try:
            return super().dequeue()
        except AWAY:
            _wait("tasks cannot be fetched")

    def acknowledge(self, task_id: Any) -> None:
        """Forget a task that is done. One that is not forgotten comes again, and does no harm."""
        try:
            super().acknowledge(task_id)
        except AWAY:
            _wait("a task that is done could not be forgotten")

    def set_stat(self, *args: Any) -> None:
        """Nobody asks for django-q2's own numbers, which come twice a second."""


class DatabaseBroker(Patient, ORM):
    """Tasks wait in the database."""


def _wait(what: str) -> None:
    logger.warning(what, exc_info=True)
    connections.close_all()
    time.sleep(PAUSE)
