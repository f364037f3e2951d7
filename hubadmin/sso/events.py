"""Sign-ins, refusals and sign-outs, each a line in the log."""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from hubadmin.models import User
from hubadmin.web.client_ip import client_ip

logger = logging.getLogger("hubadmin.sso")


def record(request: HttpRequest, event: str, *, level: int = logging.INFO, **more: Any) -> None:
    """Log an event of somebody's coming and going, with where they came from."""
    extra = {"mode": settings.SSO_MODE, "client_ip": client_ip(request)} | more
    logger.log(level, event, extra=extra)


def record_no_access(request: HttpRequest, user: User) -> None:
    """Log that somebody is known, but not let in."""
    why = "no known group" if user.is_active else "the person has been deactivated"
    record(request, "sign-in refused", level=logging.WARNING, user_id=user.pk, why=why)
