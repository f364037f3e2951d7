"""Sign-ins that have begun, each in a cookie of its own: strangers leave nothing in the database.

Tabs do not get in each other's way. No secret is in a cookie, which is signed: what only this site
may know (PKCE's verifier, the nonce) is made of the sign-in's state and the secret key each time.
`__Host-`: another host of the company's cannot begin one in somebody's browser.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.crypto import salted_hmac

SECONDS = 600
MAX_PENDING = 10  # tabs that may be at the provider at the same time
MAX_LENGTH = 1500  # of one cookie; an address that needs more is cut
MAX_TOGETHER = 4000  # proxies take heads of some 8,000 bytes
_PREFIX = "__Host-sign-in-"
_NAME = re.compile(rf"{_PREFIX}[A-Za-z0-9]{{1,100}}")
_SALT = "hubadmin.sso.pending"


@dataclass(frozen=True, slots=True)
class Pending:
    """Where a sign-in leads in the end, and whether the person was shown nothing so far."""

    next_page: str
    silent: bool
    key: str | bytes = field(default="", repr=False)  # which it was begun with


def nonce(state: str, begun: Pending | None = None) -> str:
    return _made_of(state, "nonce", begun)


def verifier(state: str, begun: Pending | None = None) -> str:
    return _made_of(state, "verifier", begun)


def keep(request: HttpRequest, response: HttpResponse, state: str, begun: Pending) -> None:
    """Have the browser keep it; the latest few, as all of them come with each request."""
    value = _signed(state, begun)
    others = {name: value for name, value in request.COOKIES.items() if _NAME.fullmatch(name)}
    while len(others) >= MAX_PENDING or sum(map(len, others.values())) > MAX_TOGETHER:
        oldest = next(iter(others))  # browsers send them in the order in which they got them
        del others[oldest]
        _forget(response, oldest)
    response.set_cookie(_PREFIX + state, value, SECONDS, secure=True, httponly=True, samesite="Lax")


def find(request: HttpRequest) -> Pending | None:
    """Return what was begun in this browser, of which the provider's answer tells the state."""
    state = request.GET.get("state", "")
    value = request.COOKIES.get(_PREFIX + state, "")
    # While the secret key is changed machine by machine, another one may have begun it.
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            next_page, silent = signing.loads(
                value, key=key, salt=_SALT + state, max_age=SECONDS, fallback_keys=[]
            )
        except signing.BadSignature:
            continue
        return Pending(next_page, silent, key)
    return None


def used_up(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Mark the view that the provider's answer comes to: it serves once, whatever came of it."""

    @wraps(view)
    def forgetting(request: HttpRequest) -> HttpResponse:
        response = view(request)
        name = _PREFIX + request.GET.get("state", "")
        if name in request.COOKIES and _NAME.fullmatch(name):
            _forget(response, name)
        return response

    return forgetting


def _forget(response: HttpResponse, name: str) -> None:
    response.set_cookie(name, max_age=0, secure=True, httponly=True, samesite="Lax")


def _signed(state: str, begun: Pending) -> str:
    pages = begun.next_page, urlsplit(begun.next_page).path
    for page in pages:
        value = signing.dumps([page, begun.silent], salt=_SALT + state, compress=True)
        if len(value) <= MAX_LENGTH:
            return value
    home = resolve_url(settings.LOGIN_REDIRECT_URL)
    return signing.dumps([home, begun.silent], salt=_SALT + state)


def _made_of(state: str, purpose: str, begun: Pending | None) -> str:
    key = begun.key if begun else settings.SECRET_KEY
    digest = salted_hmac(f"{_SALT}.{purpose}", state, key, algorithm="sha256").digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
