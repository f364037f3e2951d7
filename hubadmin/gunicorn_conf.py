"""gunicorn's settings: `gunicorn -c python:hubadmin.gunicorn_conf`."""

import logging
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubadmin.settings")
django.setup()

from django.conf import settings  # noqa: E402 - needs the set-up
from django.core.checks import run_checks  # noqa: E402

logger = logging.getLogger(__name__)

wsgi_app = "hubadmin.wsgi"
bind = settings.WEB_BIND
# A submit waits for HubSpot most of its time, so threads pay and processes do not.
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
timeout = 60
graceful_timeout = 30  # longer than the longest call to HubSpot
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


def on_starting(server: Any) -> None:
    """Refuse to serve without what serving needs; log what else the checks have to say."""
    found = run_checks(include_deployment_checks=True)
    messages = [message for message in found if not message.is_silenced()]
    errors = [message for message in messages if message.is_serious()]
    if errors:
        sys.exit("hubadmin does not start:\n" + "\n".join(f"- {error.msg}" for error in errors))
    for message in messages:
        logger.log(message.level, message.msg, extra={"check": message.id})
