import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error as DBError
from django.db import connection
from django_q.brokers import Broker, get_broker

from associations.bulk import shutdown
from associations.bulk.worker.broker import BrokerAwayError
from associations.bulk.worker.pool import Pool
from associations.bulk.worker.scheduler import Scheduler
from associations.management.service import ServiceCommand
from associations.notices.service import telling
from hubadmin import startup

logger = logging.getLogger(__name__)


class Command(ServiceCommand):
    help = "Work on bulk runs until SIGINT or SIGTERM. As many as you like may run, anywhere."

    def handle(self, *args: Any, **options: Any) -> None:
        if found := startup.problems():
            raise CommandError(startup.refusal("The worker", found))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, shutdown.request)
        broker = reached_broker()
        if broker is None:
            return
        scheduler, pool = Scheduler(broker), Pool()
        facts = {"processes": settings.WORKER_PROCESSES} | startup.VERSION
        logger.info("worker started", extra=facts)
        try:
            with telling():
                while not shutdown.is_requested():
                    pool.keep_alive()
                    scheduler.tick()
                    shutdown.wait(1)
        finally:
            pool.stop()
        scheduler.leave()
        logger.info("worker ended")


def reached_broker() -> Broker | None:
    """Return where tasks wait; None if the worker is ended while it waits for the database.

    Raises CommandError if Redis cannot be reached.
    """
    broker = _broker_once_the_database_is_there()
    try:
        if broker is None:
            return None
        broker.ping()
    except BrokerAwayError as error:
        raise CommandError(f"Redis (WORKER_BROKER_URL) cannot be reached: {error}") from error
    return broker


def _broker_once_the_database_is_there() -> Broker | None:
    """As the server does, a worker outlives its database, at its start as well."""
    is_told = False
    while not shutdown.is_requested():
        try:
            return get_broker()
        except DBError as error:
            if not is_told:
                why = " ".join(str(error).split())
                logger.warning("the worker waits for its database", extra={"why": why})
            is_told = True
            connection.close()
            shutdown.wait(1)
    return None
