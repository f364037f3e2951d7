"""SSO_MODE=oidc: OpenID Connect, the code flow with PKCE, by Authlib."""

from dataclasses import dataclass
from typing import Any, NoReturn

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from joserfc.errors import JoseError

from hubadmin.sso import pending
from hubadmin.sso.common import LEEWAY, ProviderUnavailableError, RefusedError
from hubadmin.sso.oidc_provider import UNREADABLE, Provider, provider
from hubadmin.sso.pending import Pending
from hubadmin.sso.users import claim

MAX_HINT = 2000  # characters of a token; a longer one (many groups) would burst its header

# What is wrong with the provider or with us, not with the person.
NOT_THE_PERSONS_FAULT = {
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "unsupported_grant_type",
    "server_error",
    "temporarily_unavailable",
}


class UnknownStateError(Exception):
    """This sign-in was not begun in this browser, or was finished already."""


class NotSignedInError(Exception):
    """Asked silently, the provider did not say that somebody is signed in there."""

    def __init__(self, next_page: str) -> None:
        super().__init__("the provider knows of no sign-in any more")
        self.next_page = next_page


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the provider said, verified."""

    claims: dict[str, Any]
    id_token: str
    next_page: str
    silent: bool


def redirect_to_provider(
    request: HttpRequest, next_page: str, *, silent: bool = False, **parameters: str
) -> HttpResponseRedirect:
    """Send the browser to the provider; it comes back to the callback, then to `next_page`.

    `silent` asks whether the person is still signed in there, and shows them nothing. Raises
    ProviderUnavailableError.
    """
    if silent:
        parameters["prompt"] = "none"
    state = generate_token(30)
    parameters |= {"nonce": pending.nonce(state), "code_verifier": pending.verifier(state)}
    try:
        begun = provider().create_authorization_url(_callback(request), state=state, **parameters)
    except (AuthlibBaseError, requests.RequestException, *UNREADABLE) as error:
        raise ProviderUnavailableError(f"discovery failed: {error!r}") from error
    response = HttpResponseRedirect(begun["url"])
    pending.keep(request, response, state, Pending(next_page, silent))
    return response


def _callback(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("sign_in_callback"))


def finish(request: HttpRequest) -> SignIn:
    """Return what the provider says of the person who came back from it, verified.

    Raises UnknownStateError, NotSignedInError, RefusedError, ProviderUnavailableError.
    """
    begun = pending.find(request)
    if not begun:
        raise UnknownStateError
    if error := request.GET.get("error"):
        # login_required most often; but each provider has its own words for "not without a page".
        if begun.silent and error not in NOT_THE_PERSONS_FAULT:
            raise NotSignedInError(begun.next_page)
        _refuse(error, request.GET.get("error_description", ""))
    if not request.GET.get("code"):
        raise RefusedError("the provider sent neither a code nor an error")
    app = provider()
    token = _verified_token(app, request, begun)
    return SignIn(
        claims=_with_userinfo(app, token),
        id_token=token["id_token"],
        next_page=begun.next_page,
        silent=begun.silent,
    )


def _verified_token(app: Provider, request: HttpRequest, begun: Pending) -> dict[str, Any]:
    """Exchange the code for tokens, and return them with the ID token's claims as `userinfo`."""
    options = {
        "iss": {"essential": True, "value": settings.SSO_ISSUER},
        # Authlib by itself accepts any audience as long as `azp` is ours.
        "aud": {"essential": True, "value": settings.SSO_CLIENT_ID},
    }
    state = request.GET["state"]
    try:
        token = app.fetch_access_token(
            code=request.GET["code"],
            redirect_uri=_callback(request),
            code_verifier=pending.verifier(state, begun),
        )
        token["userinfo"] = app.parse_id_token(
            token, pending.nonce(state, begun), claims_options=options, leeway=LEEWAY
        )
    except requests.RequestException as error:
        raise ProviderUnavailableError(f"the provider does not answer: {error!r}") from error
    except JoseError as error:
        raise RefusedError(f"the ID token is not valid: {error!r}") from error
    except AuthlibBaseError as error:
        _refuse(str(error.error), str(error.description))
    except UNREADABLE as error:
        raise RefusedError(f"the provider's answer cannot be read: {error!r}") from error
    if not token.get("userinfo"):
        raise RefusedError("the ID token was not verified")
    return token


def _with_userinfo(app: Provider, token: dict[str, Any]) -> dict[str, Any]:
    """Return the claims; those of the userinfo endpoint, too, if the groups are not in the token.

    Many providers keep their ID tokens short.
    """
    claims = dict(token["userinfo"])
    has_endpoint = app.load_server_metadata().get("userinfo_endpoint")
    if claim(claims, settings.SSO_GROUPS_CLAIM) is not None or not has_endpoint:
        return claims
    try:
        more = dict(app.userinfo(token=token))
    except (AuthlibBaseError, requests.RequestException, *UNREADABLE) as error:
        raise ProviderUnavailableError(f"the userinfo endpoint failed: {error!r}") from error
    if more.get("sub") != claims.get("sub"):
        raise RefusedError("the userinfo endpoint speaks of somebody else")
    return more | claims


def _refuse(error: str, description: str) -> NoReturn:
    reason = f"the provider said {error}: {description}"
    if error in NOT_THE_PERSONS_FAULT:
        raise ProviderUnavailableError(reason)
    raise RefusedError(reason)


def sign_out_address(request: HttpRequest, id_token: str) -> str:
    """Return where the provider ends its own session; empty if it has no such page."""
    back = request.build_absolute_uri(reverse("sign_in"))
    id_token = id_token if len(id_token) <= MAX_HINT else ""
    try:
        address = provider().create_logout_url(
            back, id_token_hint=id_token, client_id=settings.SSO_CLIENT_ID
        )
    except (AuthlibBaseError, requests.RequestException, *UNREADABLE):
        return ""
    return address["url"]
