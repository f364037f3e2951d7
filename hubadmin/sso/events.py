"""Sign-ins, refusals and sign-outs, each a line in the log."""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from associations.views.origin import client_ip

logger = logging.getLogger("hubadmin.sso")


def record(request: HttpRequest, event: str, *, level: int = logging.INFO, **more: Any) -> None:
    """Log an event of somebody's coming and going, with where they came from."""
    extra = {"mode": settings.SSO_MODE, "client_ip": client_ip(request)} | more
    logger.log(level, event, extra=extra)
