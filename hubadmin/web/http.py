"""Requests as our middleware hands them on, who may see a page, and which addresses are safe."""

import string
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from hubadmin.models import User

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
VISIBLE_ASCII = set(string.ascii_letters + string.digits + string.punctuation)

View = Callable[..., HttpResponseBase]


class AnyHttpRequest(HttpRequest):
    """A request of anybody, signed in or not; its types only: Django makes the requests."""

    id: str
    client_id: str  # what a client or a proxy calls it; empty if nobody does
    user: "User | AnonymousUser"
    sso_error: Exception  # only where a proof of identity was not good enough
    _cached_user: "User | AnonymousUser"  # Django's; only once somebody has asked
    sign_in_lasts: Callable[[], bool]  # asks the database anew; web/access.py is who calls it


class AuthenticatedHttpRequest(AnyHttpRequest):
    """A request that the sign-in let through."""

    user: "User"


def admin_required(view: View) -> View:
    """Only admins; for everybody else the page is forbidden."""

    @wraps(view)
    def guarded(
        request: AuthenticatedHttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        if not request.user.is_admin:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


# There the end of a file is told by nothing but the end of the connection.
NEEDS_HTTP_1_1 = (
    "Over HTTP/1.0 an export could break off unnoticed, so none is sent. The proxy has to speak "
    "HTTP/1.1 to hubadmin; with nginx: proxy_http_version 1.1;\n"
)


def http_1_1_required(view: View) -> View:
    """Refuse where a part of the file could pass for the whole."""

    @wraps(view)
    def guarded(request: AnyHttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
            plain = "text/plain; charset=utf-8"
            return HttpResponse(NEEDS_HTTP_1_1, content_type=plain, status=505)
        return view(request, *args, **kwargs)

    return guarded


def is_safe_address(address: str) -> bool:
    """Whether it is https, or http on this machine."""
    try:
        url = urlsplit(address)
    except ValueError:
        return False
    local = url.scheme == "http" and url.hostname in LOOPBACK
    return bool(url.hostname) and (url.scheme == "https" or local)
