"""Why somebody does not get in."""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from hubadmin.models import User
from hubadmin.web.client_ip import client_ip

# The modes in which a proxy of the company's speaks with every request.
BY_PROXY = {"assertion", "header"}


class RefusedError(Exception):
    """What came as a proof of identity proves nothing, or not enough. The text is for the log."""


class DeactivatedError(RefusedError):
    """It is known who it is, and that this person has been switched off here."""

    def __init__(self, user: User) -> None:
        super().__init__("the person has been deactivated")
        self.user = user


class ProviderUnavailableError(Exception):
    """The identity provider cannot be asked, or what it answers makes no sense."""


logger = logging.getLogger("hubadmin.sso")


def record(request: HttpRequest, event: str, *, level: int = logging.INFO, **more: Any) -> None:
    """Log an event of somebody's coming and going, with where they came from."""
    extra = {"mode": settings.SSO_MODE, "client_ip": client_ip(request)} | more
    logger.log(level, event, extra=extra)


def record_no_access(request: HttpRequest, user: User) -> None:
    """Log that somebody is known, but not let in."""
    why = "no known group" if user.is_active else "the person has been deactivated"
    record(request, "sign-in refused", level=logging.WARNING, user_id=user.pk, why=why)


# Signed by a key that this server can check with but never sign with: no `none`, no shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY = 60  # seconds by which clocks may differ
