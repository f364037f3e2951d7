"""Requests as our middleware hands them on, who may see a page, and which addresses are safe."""

import string
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from hubadmin.models import User

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
VISIBLE_ASCII = set(string.ascii_letters + string.digits + string.punctuation)

View = Callable[..., HttpResponseBase]


class AnyHttpRequest(HttpRequest):
    """A request of anybody, signed in or not; its types only: Django makes the requests."""

    id: str
    user: "User | AnonymousUser"
    sso_error: Exception  # only where a proof of identity was not good enough
    _cached_user: "User | AnonymousUser"  # Django's; only once somebody has asked


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


def is_safe_address(address: str) -> bool:
    """Whether it is https, or http on this machine."""
    try:
        url = urlsplit(address)
    except ValueError:
        return False
    local = url.scheme == "http" and url.hostname in LOOPBACK
    return bool(url.hostname) and (url.scheme == "https" or local)
