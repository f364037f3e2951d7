"""gunicorn's settings: `gunicorn -c python:hubadmin.gunicorn_conf`."""

import logging
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubadmin.settings")
django.setup()

from django.conf import settings
from django.core.checks import run_checks
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from hubadmin import startup
from hubadmin.env import PROBLEMS, secret

STATEMENT_SECONDS = 30
ROTATED = ("HUBSPOT_ACCESS_TOKEN", "SSO_CLIENT_SECRET", "SSO_HEADER_SECRET")
logger = logging.getLogger(__name__)

wsgi_app = "hubadmin.wsgi"
bind = settings.WEB_BIND
# A submit waits for HubSpot most of its time, so threads pay and processes do not.
worker_class = "hubadmin.gunicorn_worker.Worker"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
worker_connections = 500  # of each process, which may have 1,024 files open on many systems
# Longer than the proxy keeps a connection that is idle (nginx: 60 s). The other way round it would
# send a request just as this end closes; one that may not be sent twice would be lost.
keepalive = 75
timeout = 60
graceful_timeout = 45  # longer than a submit: the longest call to HubSpot, and the looks around it
limit_request_line = 8190  # the form's preview is asked for with two addresses in its own
limit_request_field_size = 64 * 1024  # of a person in many groups, a proxy's header of them all
umask = 0o007
control_socket_disable = True
# Believe no header about who or what the request is; hubadmin reads the proxy's headers itself.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
header_map = "drop"
# gunicorn's lines go the way of all others; requests are logged by our middleware.
loglevel = settings.LOG_LEVEL.lower()
logconfig_dict = settings.LOGGING | {
    "loggers": settings.LOGGING["loggers"]
    | {
        "gunicorn.error": {"handlers": [], "propagate": True},
        "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    }
}


@receiver(connection_created)
def limit_statements(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """A page gives up on a query rather than hold a thread; commands may take their time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")


def on_starting(server: Any) -> None:
    """Refuse to serve without what serving needs; log what else the checks have to say."""
    os.umask(0o077)  # as in the settings: with `--daemon` gunicorn has set another since
    if found := startup.problems():
        startup.end(startup.refusal("hubadmin", found))
    startup.give_memory_back()
    if not settings.DEMO:  # which nobody upgrades, and somebody waits for
        startup.read_templates()
    logger.info("the server starts", extra=startup.VERSION)
    if settings.AUDIT_SIGNING_KEY and not settings.DEMO:
        logger.info("AUDIT_SIGNING_KEY is set here, where AUDIT_PUBLIC_KEYS would do")


def on_reload(server: Any) -> None:
    """On SIGHUP, read these secrets again, for the workers to come; those at work finish first."""
    before = {name: getattr(settings, name) for name in ROTATED}
    PROBLEMS.clear()
    for name in ROTATED:
        setattr(settings, name, secret(name))
    if errors := startup.serious(run_checks(include_deployment_checks=True)):
        for name, value in before.items():
            setattr(settings, name, value)
        logger.error("secrets were not changed", extra={"why": errors})
        return
    changed = [name for name, value in before.items() if getattr(settings, name) != value]
    logger.info("secrets were read again", extra={"changed": changed})
    if fixed := [name for name in ROTATED if os.environ.get(name)]:
        what = "these secrets come from no file of their own, and stay as they were at the start"
        logger.warning(what, extra={"secrets": fixed})
