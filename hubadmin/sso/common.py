"""Why somebody does not get in."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from hubadmin.models import User
from hubadmin.web.client_ip import client_ip
from hubadmin.web.security_events import security_event

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


def record_sign_in(request: HttpRequest, user: User) -> None:
    """Log that somebody comes in, before they do. Raises DatabaseError: then nobody may."""
    security_event.send(None, what="signed_in", user=user, request=request, facts={})
    _log(request, "signed in", user_id=user.pk, role=user.role)


def record_end(request: HttpRequest, user: User | None, why: str = "") -> None:
    """Log that somebody has signed out, or why else their session ended."""
    facts: dict[str, Any] = {"why": why} if why else {}
    what = "session ended" if why else "signed out"
    _log(request, what, **_known(user), **facts)
    _keep_if_possible(request, what.replace(" ", "_"), user, facts)


def record_refusal(request: HttpRequest, why: str, user: User | None = None, **more: Any) -> None:
    """Log that somebody is not let in; `user` if it is known who."""
    facts = {"why": why} | more
    _log(request, "sign-in refused", level=logging.WARNING, **facts, **_known(user))
    _keep_if_possible(request, "refused", user, facts)


def record_ends_by_provider(request: HttpRequest, user: User, why: str, count: int) -> None:
    """Log that the provider has ended all these sessions of a person's; the request is its own."""
    facts: dict[str, Any] = {"why": why, "sessions": count}
    _log(request, "session ended", **_known(user), **facts)
    _keep_if_possible(request, "session_ended", user, facts)


def record_refused_logout(request: HttpRequest, why: str) -> None:
    """Log that somebody told us to end sessions, and could not show that they may."""
    _log(request, "logout token refused", level=logging.WARNING, why=why)


def record_no_access(request: HttpRequest, user: User) -> None:
    """Log that somebody is known, but not let in."""
    if user.is_active:
        record_refusal(request, "no known group", user, **user.told.facts() if user.told else {})
    else:
        record_refusal(request, "the person has been deactivated", user)


def record_outage(request: HttpRequest, why: str) -> None:
    """Log that nobody could be asked who it is; that refuses nobody, and is no security event."""
    _log(request, "sign-in refused", level=logging.WARNING, why=why)


def _keep_if_possible(
    request: HttpRequest, what: str, user: User | None, facts: dict[str, Any]
) -> None:
    """Nobody stays in, or gets in, because the log is away; the server's log has the line."""
    try:
        security_event.send(None, what=what, user=user, request=request, facts=facts)
    except DatabaseError:
        logger.exception("a security event could not be kept", extra={"what": what})


def _known(user: User | None) -> dict[str, Any]:
    return {"user_id": user.pk} if user else {}


def _log(request: HttpRequest, event: str, *, level: int = logging.INFO, **more: Any) -> None:
    extra = {"mode": settings.SSO_MODE, "client_ip": client_ip(request)} | more
    logger.log(level, event, extra=extra)


# Signed by a key that this server can check with but never sign with: no `none`, no shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY = 60  # seconds by which clocks may differ


def differences(claims: Mapping[str, Any], *, issuer: str, audience: str) -> str:
    """Say in which of a token's claims it is not what we expect, in an admin's words.

    `audience` is the setting's name. Only of a token whose signature is good.
    """
    return "".join(f"; {each}" for each in _differences(claims, issuer, audience))


def _differences(claims: Mapping[str, Any], issuer: str, audience: str) -> Iterator[str]:
    iss, aud, now = claims.get("iss"), claims.get("aud"), time.time()
    if iss != issuer:
        yield f"its iss is {_short(iss)}, SSO_ISSUER is {issuer!r}"
    if aud != (ours := getattr(settings, audience)) and aud != [ours]:
        yield f"its aud is {_short(aud)}, {audience} is {ours!r}"
    times = {name: claims.get(name) for name in ("iat", "nbf", "exp")}
    ahead = {name: time - now for name, time in times.items() if isinstance(time, int | float)}
    if max(ahead.get("iat", 0), ahead.get("nbf", 0)) > LEEWAY:
        yield "it is of a time to come: compare this machine's clock with the provider's"
    if ahead.get("exp", 0) < -LEEWAY:
        yield "it has expired: compare this machine's clock with the provider's"


def _short(value: Any) -> str:
    return repr(value)[:100]
