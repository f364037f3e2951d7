"""The OpenID provider as Authlib's client sees it, with what Authlib leaves open closed."""

import time
from functools import lru_cache
from typing import Any

from authlib.integrations.django_client import DjangoIntegration
from authlib.integrations.django_client.apps import DjangoOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from hubadmin.sso.common import (
    ALGORITHMS,
    ProviderUnavailableError,
    RefusedError,
    differences,
)
from hubadmin.web.http import is_safe_address

TIMEOUT = 5  # seconds
KEYS_COOLDOWN = 5  # seconds between two looks for a key that somebody unknown names
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL_ENDPOINTS = ("userinfo_endpoint", "end_session_endpoint")
# What reading an answer of any shape may raise.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)


class _Session(OAuth2Session):
    """Goes nowhere but where it was sent: a redirect would carry the client's secret along."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, default_timeout=TIMEOUT, **kwargs)
        self.max_redirects = 0

    def request(self, *args: Any, **kwargs: Any) -> Any:
        # Said of each request: over the session's REQUESTS_CA_BUNDLE in the environment would win.
        return super().request(*args, verify=settings.CA_BUNDLE or None, **kwargs)


class Provider(DjangoOAuth2App):
    """Authlib's client, stricter: one issuer, known algorithms, and keys that may be rotated."""

    client_cls = _Session
    server_metadata: dict[str, Any]
    _looked_at = 0.0

    def load_server_metadata(self) -> dict[str, Any]:
        if not self.server_metadata:
            self.server_metadata = self._discover()
        return self.server_metadata

    def _discover(self) -> dict[str, Any]:
        """Return what discovery says, if it is about our issuer; of it only what is used."""
        with self._get_session() as session:
            answer = session.request("GET", self._server_metadata_url, withhold_token=True)
            answer.raise_for_status()
            found = answer.json()
        if found["issuer"] != settings.SSO_ISSUER:
            named, ours = found["issuer"], settings.SSO_ISSUER
            raise ValueError(f"discovery names the issuer {named!r}, SSO_ISSUER is {ours!r}")
        metadata = {name: safe_endpoint(found[name]) for name in ENDPOINTS}
        metadata |= {
            name: safe_endpoint(found[name]) for name in OPTIONAL_ENDPOINTS if found.get(name)
        }
        return metadata | {
            "issuer": settings.SSO_ISSUER,
            "id_token_signing_alg_values_supported": list(ALGORITHMS),
        }

    def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        """Return the keys that can be read: one odd key does not spoil the others.

        An answer without any is not kept, or one bad moment would last until a restart.
        """
        metadata = self.load_server_metadata()
        if force or "jwks" not in metadata:
            with self._get_session() as session:
                answer = session.request("GET", metadata["jwks_uri"], withhold_token=True)
                answer.raise_for_status()
                metadata["jwks"] = {"keys": readable_keys(answer.json())}
        return metadata["jwks"]

    def fetch_access_token(self, **kwargs: Any) -> dict[str, Any]:
        token = super().fetch_access_token(**kwargs)
        if not isinstance(token.get("id_token"), str):
            raise RefusedError("the provider sent no ID token")
        # Authlib puts the verified claims there; what came under that name is nobody's word.
        token.pop("userinfo", None)
        return token

    def parse_id_token(self, token: dict[str, Any], nonce: str, **kwargs: Any) -> Any:
        try:
            return self._parsed(token, nonce, **kwargs)
        except (InvalidClaimError, MissingClaimError, ExpiredTokenError) as error:
            claims, ours = self._decoded(token["id_token"]), "SSO_CLIENT_ID"
            why = differences(claims, issuer=settings.SSO_ISSUER, audience=ours)
            raise RefusedError(f"the ID token is not valid: {error!r}{why}") from error

    def _parsed(self, token: dict[str, Any], nonce: str, **kwargs: Any) -> Any:
        try:
            return super().parse_id_token(token, nonce, **kwargs)
        except BadSignatureError:
            # A provider may put a new key under an old name.
            self.fetch_jwk_set(force=True)
            return super().parse_id_token(token, nonce, **kwargs)

    def claims_of(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that somebody brings who need not be the provider.

        By its signature, it is the provider's; what it claims is still to be checked. Whoever
        brings one names its key, so an unknown key has the provider asked only now and then.
        """
        try:
            return self._decoded(token)
        except (InvalidKeyIdError, BadSignatureError):
            if time.monotonic() - self._looked_at < KEYS_COOLDOWN:
                raise
            self._looked_at = time.monotonic()
            self.fetch_jwk_set(force=True)
            return self._decoded(token)

    def _decoded(self, token: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        keys: Any = self.fetch_jwk_set()
        return jwt.decode(token, KeySet.import_key_set(keys), registry=registry).claims


@lru_cache(maxsize=1)
def provider() -> Provider:
    """Return this process's client; its metadata and keys are fetched when first needed."""
    return Provider(
        DjangoIntegration("sso"),
        name="sso",
        client_id=settings.SSO_CLIENT_ID,
        client_secret=settings.SSO_CLIENT_SECRET,
        server_metadata_url=settings.SSO_DISCOVERY_URL
        or f"{settings.SSO_ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": settings.SSO_SCOPES, "code_challenge_method": "S256"},
    )


@receiver(setting_changed)
def _forget_provider(*, setting: str, **kwargs: Any) -> None:
    if setting.startswith("SSO_") or setting == "CA_BUNDLE":
        provider.cache_clear()


def readable_keys(key_set: Any) -> list[dict[str, Any]]:
    """Return the keys of a set that Authlib can use. Raises ProviderUnavailableError for none."""
    try:
        keys = [key for key in key_set["keys"] if is_readable(key)]
    except UNREADABLE as error:
        raise ProviderUnavailableError("the provider's keys cannot be read") from error
    if not keys:
        raise ProviderUnavailableError("the provider shows no key that can be used")
    return keys


def is_readable(key: Any) -> bool:
    try:
        return bool(KeySet.import_key_set({"keys": [key]}).keys)
    except (JoseError, *UNREADABLE):
        return False


def safe_endpoint(address: str) -> str:
    """Return the address if it is https, or http on this machine. Raises ValueError."""
    if is_safe_address(address):
        return address
    raise ValueError(f"{address!r} is not an https address")
