"""SSO_MODE=assertion: a gateway signs people in and sends a signed token with every request.

Cloudflare Access, Google IAP and AWS load balancers do. The token is checked each time, so access
ends as soon as the gateway ends it.
"""

import re
import ssl
import time
from functools import lru_cache
from json import JSONDecodeError
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest
from jwt import PyJWKClient
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    PyJWKClientConnectionError,
    PyJWKSetError,
    PyJWTError,
)

from hubadmin.models import User
from hubadmin.sso.common import LEEWAY, ProviderUnavailableError, RefusedError, differences
from hubadmin.sso.users import provision_from

REQUIRED = ["exp", "iat", "aud", "iss", "sub"]
KEYS_LIFESPAN = 600  # seconds
KEYS_TIMEOUT = 3  # seconds
KEYS_COOLDOWN = 5  # seconds between two looks for a key that is not known
_OF_CLAIMS = (
    InvalidAudienceError,
    InvalidIssuerError,
    ExpiredSignatureError,
    ImmatureSignatureError,
)
_SIGNATURE_ALONE: Any = dict.fromkeys(
    ["verify_aud", "verify_iss", "verify_exp", "verify_iat", "verify_nbf"], False
)
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


def identify(request: HttpRequest) -> User | None:
    """Return whom the gateway vouches for; None if it said nothing.

    Raises RefusedError, ProviderUnavailableError.
    """
    token = request.headers.get(settings.SSO_ASSERTION_HEADER, "")
    return provision_from(verify(token), request) if token else None


def verify(token: str) -> dict[str, Any]:
    """Return the claims of a token that is the gateway's, for us, and of today."""
    try:
        header = jwt.get_unverified_header(token)
        if settings.SSO_ALB_ARN:
            _demand_our_load_balancer(header)
        return _claims(token, _key(header.get("kid")))
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise RefusedError(f"the token is not valid: {error!r}") from error


def _claims(token: str, key: Any) -> dict[str, Any]:
    audience, issuer, required = settings.SSO_AUDIENCE, settings.SSO_ISSUER, REQUIRED
    if settings.SSO_ALB_ARN:
        audience, issuer, required = None, None, ["sub"]
    algorithms = [settings.SSO_ALGORITHM]
    try:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": required},
        )
    except _OF_CLAIMS as error:
        claims = jwt.decode(token, key, algorithms=algorithms, options=_SIGNATURE_ALONE)
        why = differences(claims, issuer=settings.SSO_ISSUER, audience="SSO_AUDIENCE")
        raise RefusedError(f"the token is not valid: {error!r}{why}") from error


def _demand_our_load_balancer(header: dict[str, Any]) -> None:
    """Check what AWS writes into the token's header, which is signed as well.

    The keys are those of every load balancer in the region, so the signature alone says little.
    """
    expected = {
        "signer": settings.SSO_ALB_ARN,
        "client": settings.SSO_AUDIENCE,
        "iss": settings.SSO_ISSUER,
    }
    for name, value in expected.items():
        if header.get(name) != value:
            raise RefusedError(f"the token's header names another {name}")
    expires = header.get("exp")
    if not isinstance(expires, int) or expires + LEEWAY < time.time():
        raise RefusedError("the token's header says that it has expired, or not when it will")


def _key(kid: Any) -> Any:
    """Return the gateway's public key of this id."""
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        raise RefusedError("the token names no key")
    try:
        return _load_balancer_key(kid) if settings.SSO_ALB_ARN else _key_set().get_signing_key(kid)
    except (PyJWKClientConnectionError, PyJWKSetError, JSONDecodeError, OSError) as error:
        raise ProviderUnavailableError(f"the gateway's keys cannot be fetched: {error}") from error


@lru_cache(maxsize=1)
def _key_set() -> PyJWKClient:
    """Return the gateway's keys: fetched when needed, and again for an unknown key."""
    return PyJWKClient(
        settings.SSO_KEYS_URL,
        lifespan=KEYS_LIFESPAN,
        timeout=KEYS_TIMEOUT,
        cooldown_duration=KEYS_COOLDOWN,
        ssl_context=ssl.create_default_context(cafile=settings.CA_BUNDLE or None),
    )


@lru_cache(maxsize=16)
def _load_balancer_key(kid: str) -> Any:
    """Return a key of AWS, which serves each as PEM at an address of its own."""
    address = f"{settings.SSO_KEYS_URL.rstrip('/')}/{kid}"
    answer = requests.get(
        address, timeout=KEYS_TIMEOUT, allow_redirects=False, verify=settings.CA_BUNDLE or True
    )
    if 400 <= answer.status_code < 500:
        raise RefusedError("the token names a key that the load balancer does not have")
    answer.raise_for_status()
    return load_pem_public_key(answer.content)


@receiver(setting_changed)
def _forget_keys(*, setting: str, **kwargs: Any) -> None:
    if setting.startswith("SSO_") or setting == "CA_BUNDLE":
        _key_set.cache_clear()
        _load_balancer_key.cache_clear()
