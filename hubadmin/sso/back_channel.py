"""OpenID Connect Back-Channel Logout 1.0: the provider itself tells us who has signed out there.

Its server posts a signed token; the sessions that it names end at once, on all machines.
"""

import time
from typing import Any

from authlib.common.errors import AuthlibBaseError
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from hubadmin.models import ProviderLogout
from hubadmin.sso import common, sessions
from hubadmin.sso.common import LEEWAY, ProviderUnavailableError, RefusedError
from hubadmin.sso.oidc_provider import UNREADABLE, provider
from hubadmin.sso.users import is_subject

FORM = "application/x-www-form-urlencoded"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN = 16 * 1024  # characters
MAX_AGE = 10 * 60  # seconds; a token is sent when it is made, and repetitions are known for as long


def end_sessions(request: HttpRequest) -> None:
    """End what the posted token says. Raises RefusedError, ProviderUnavailableError."""
    claims = _verified(_posted_token(request))
    logout = _keep(claims)
    try:
        ended = sessions.end_by_provider(subject=logout.subject, sid=logout.sid)
    except DatabaseError:
        logout.delete()  # so that the provider may try again
        raise
    for user, count in ended.items():
        common.record_ends_by_provider(request, user, sessions.BY_PROVIDER, count)


def _posted_token(request: HttpRequest) -> str:
    tokens = request.POST.getlist("logout_token") if request.content_type == FORM else []
    if len(tokens) != 1 or len(tokens[0]) > MAX_TOKEN:
        raise RefusedError("no logout_token, more than one, or one of no size a token has")
    return str(tokens[0])


def _verified(token: str) -> dict[str, Any]:
    try:
        claims = provider().claims_of(token)
        _registry().validate(claims)
        _demand_logout(claims)
    except (OSError, AuthlibBaseError) as error:
        raise ProviderUnavailableError(f"the provider does not answer: {error!r}") from error
    except (JoseError, *UNREADABLE) as error:
        raise RefusedError(f"the logout token is not valid: {error!r}") from error
    return claims


def _registry() -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": settings.SSO_ISSUER},
        aud={"essential": True, "value": settings.SSO_CLIENT_ID},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        events={"essential": True},
    )


def _demand_logout(claims: dict[str, Any]) -> None:
    """Check what makes a token a logout token, and no other that the provider has signed for us."""
    if claims["aud"] not in (settings.SSO_CLIENT_ID, [settings.SSO_CLIENT_ID]):
        raise RefusedError("the logout token is for others as well (aud)")
    if not isinstance(claims["events"], dict) or not isinstance(claims["events"].get(EVENT), dict):
        raise RefusedError("the logout token is not about a logout (events)")
    if "nonce" in claims:
        raise RefusedError("the logout token has a nonce, as an ID token has")
    if claims["iat"] < time.time() - MAX_AGE:
        raise RefusedError("the logout token is too old (iat)")
    if not is_subject(claims["jti"]):
        raise RefusedError("the logout token has no usable jti")
    named = [claims[name] for name in ("sub", "sid") if name in claims]
    if not named or not all(map(is_subject, named)):
        raise RefusedError("the logout token names nobody (sub, sid)")


def _keep(claims: dict[str, Any]) -> ProviderLogout:
    """Store the logout before anything is ended. Raises RefusedError for one that came before."""
    ProviderLogout.objects.filter(issued_at__lt=time.time() - 2 * MAX_AGE).delete()
    try:
        with transaction.atomic():
            return ProviderLogout.objects.create(
                jti=claims["jti"],
                subject=claims.get("sub", ""),
                sid=claims.get("sid", ""),
                issued_at=int(claims["iat"]),
            )
    except IntegrityError as error:
        raise RefusedError("the logout token came before (jti)") from error
