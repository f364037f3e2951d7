"""Says with every request who the person is, and lets in only those who have a role."""

from typing import Any, cast

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from hubadmin.models import User
from hubadmin.sso import gateway_token, proxy_headers, responses, sessions
from hubadmin.sso.common import DeactivatedError, ProviderUnavailableError, RefusedError
from hubadmin.web import drafts
from hubadmin.web.http import AnyHttpRequest, View

BY_SESSION = {"oidc", "demo"}
IDENTIFY = {"assertion": gateway_token.identify, "header": proxy_headers.identify}


class PersonMiddleware(AuthenticationMiddleware):
    """Sets `request.user`; asked for only by pages that want to know.

    If what came as a proof was not good enough, `request.sso_error` says why.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        ours = cast(AnyHttpRequest, request)
        ours.user = cast(User, SimpleLazyObject(lambda: _person(ours)))
        ours.sign_in_lasts = lambda: _lasts(ours)


def _person(request: AnyHttpRequest) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = _identified(request)
    return request._cached_user


def _identified(request: AnyHttpRequest) -> User | AnonymousUser:
    try:
        if settings.SSO_MODE in BY_SESSION:
            return sessions.person_of(request)
        if settings.SSO_MODE in IDENTIFY:
            return _named_by_proxy(request)
    except (RefusedError, ProviderUnavailableError) as error:
        request.sso_error = error
    return AnonymousUser()


def _named_by_proxy(request: HttpRequest) -> User | AnonymousUser:
    user = IDENTIFY[settings.SSO_MODE](request)
    if user is None:
        return AnonymousUser()
    if not user.is_active:
        raise DeactivatedError(user)
    sessions.recognise(request, user)
    return user


def _lasts(request: AnyHttpRequest) -> bool:
    """Whether the sign-in has not ended since the request came; a proxy's is that of a request."""
    return settings.SSO_MODE not in BY_SESSION or sessions.lasts(request)


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Closed by default: to people who are signed out, and to those without a role.

    What somebody sent while signed out waits for them behind the sign-in.
    """

    def process_view(
        self, request: HttpRequest, view_func: View, *args: Any
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True):
            return None  # and who it is, is not asked: health needs neither session nor database
        user = request.user
        if not user.is_authenticated:
            is_kept = drafts.keep(request, drafts.SIGNED_OUT)
            instead = responses.sign_in_needed(request, is_kept)
            return instead or self.handle_no_permission(request, view_func)
        if sessions.recheck_is_due(request):
            return responses.recheck(request)
        return None if user.role else responses.no_access(request, user)
