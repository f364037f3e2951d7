"""Says with every request who the person is."""

from typing import cast

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from hubadmin.models import User
from hubadmin.sso import gateway_token as assertion
from hubadmin.sso import proxy_headers as header
from hubadmin.sso import sessions
from hubadmin.sso.common import DeactivatedError, ProviderUnavailableError, RefusedError
from hubadmin.web.http import AnyHttpRequest

# Where a proxy of the company's speaks with every request, and where a session remembers.
BY_PROXY = {"assertion": assertion.identify, "header": header.identify}
BY_SESSION = {"oidc", "demo"}


class PersonMiddleware(AuthenticationMiddleware):
    """Sets `request.user`; asked for only by pages that want to know.

    If what came as a proof was not good enough, `request.sso_error` says why.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        ours = cast(AnyHttpRequest, request)
        ours.user = cast(User, SimpleLazyObject(lambda: _person(ours)))


def _person(request: AnyHttpRequest) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = _identified(request)
    return request._cached_user


def _identified(request: AnyHttpRequest) -> User | AnonymousUser:
    try:
        if settings.SSO_MODE in BY_SESSION:
            return sessions.person_of(request)
        if settings.SSO_MODE in BY_PROXY:
            return _named_by_proxy(request)
    except (RefusedError, ProviderUnavailableError, DatabaseError) as error:
        request.sso_error = error
    return AnonymousUser()


def _named_by_proxy(request: HttpRequest) -> User | AnonymousUser:
    user = BY_PROXY[settings.SSO_MODE](request)
    if user is None:
        return AnonymousUser()
    if not user.is_active:
        raise DeactivatedError(user)
    sessions.recognise(request, user)
    return user
