"""Whether whoever says who people are can be asked: what `manage.py doctor` tries of signing in."""

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from django.conf import settings

from hubadmin.sso.common import ProviderUnavailableError
from hubadmin.sso.gateway_token import KEYS_TIMEOUT
from hubadmin.sso.oidc_provider import UNREADABLE, Provider, provider, readable_keys
from hubadmin.web.doctor import Finding, Level, clock, why

_TRUST = "If the certificate is by an authority of your own, name a file with it: CA_BUNDLE."
_WAY = "Compare the address with the provider's documents, and see whether this machine reaches it."


def look() -> Iterator[Finding]:
    """Try what the mode needs; what is wrong with its settings `check --deploy` tells."""
    tried = {"oidc": _oidc, "assertion": _assertion, "header": _header}
    if settings.SSO_MODE in tried:
        yield from tried[settings.SSO_MODE]()
    elif settings.DEMO:
        yield Finding(Level.OK, "The demo has a sign-in of its own.")


def _failed(what: str, address: str, error: BaseException) -> Finding:
    told = why(error)
    advice = _TRUST if "certificate" in told else _WAY
    return Finding(Level.FAILED, f"{what} cannot be had at {address}: {told}.", advice)


def _oidc() -> Iterator[Finding]:
    app, what = provider(), "The provider's discovery document"
    address: str = app._server_metadata_url
    try:
        answer, at = _fetched(app, address)
    except Exception as error:  # of whichever library stands in between
        yield _failed(what, address, error)
        return
    if told := clock("the identity provider", answer.headers.get("Date"), at):
        yield told
    try:
        answer.raise_for_status()
        answer.json()
        metadata = app.load_server_metadata()
    except KeyError as error:
        text = f"{what} at {address} does not tell {error}."
        yield Finding(Level.FAILED, text, "See whether SSO_ISSUER is an OpenID provider's.")
        return
    except Exception as error:
        yield _failed(what, address, error)
        return
    yield Finding(Level.OK, f"{what} names the issuer {settings.SSO_ISSUER}.")
    try:
        keys = app.fetch_jwk_set(force=True)["keys"]
    except Exception as error:
        yield _failed("The provider's keys", metadata["jwks_uri"], error)
        return
    yield _keys(keys)


def _fetched(app: Provider, address: str) -> tuple[Any, datetime]:
    """As the sign-in fetches it: with the same authorities, proxy and time limit."""
    with app._get_session() as session:
        before = datetime.now(UTC)
        answer = session.request("GET", address, withhold_token=True)
        return answer, before + (datetime.now(UTC) - before) / 2


def _keys(keys: list[Any]) -> Finding:
    number = "one key that can be used" if len(keys) == 1 else f"{len(keys)} keys that can be used"
    return Finding(Level.OK, f"The provider shows {number}.")


def _assertion() -> Iterator[Finding]:
    what, address, before = "The gateway's keys", settings.SSO_KEYS_URL, datetime.now(UTC)
    try:
        trusted = ssl.create_default_context(cafile=settings.CA_BUNDLE or None)
        with urlopen(address, timeout=KEYS_TIMEOUT, context=trusted) as answer:
            at, date = before + (datetime.now(UTC) - before) / 2, answer.headers.get("Date")
            body = answer.read(1024 * 1024)
    except HTTPError as error:
        if settings.SSO_ALB_ARN and error.code < 500:
            text = "The load balancer's keys are reached; each has an address of its own."
            yield Finding(Level.OK, text)
        else:
            yield _failed(what, address, error)
        return
    except (OSError, *UNREADABLE) as error:
        yield _failed(what, address, error)
        return
    if told := clock("the gateway", date, at):
        yield told
    try:
        yield _keys(readable_keys(json.loads(body)))
    except (ProviderUnavailableError, *UNREADABLE) as error:
        yield _failed(what, address, error)


def _header() -> Iterator[Finding]:
    if settings.SSO_HEADER_SECRET:
        text = (
            f"The proxy's secret is set ({len(settings.SSO_HEADER_SECRET)} characters). Whether "
            "the proxy sends the same one cannot be seen from here."
        )
        yield Finding(Level.OK, text)
