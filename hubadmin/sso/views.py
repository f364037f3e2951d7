"""The way in and the way out."""

import logging
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.backends.base import UpdateError
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from associations import drafts
from hubadmin.models import User

from . import events, oidc, sessions
from .claims import provision_from, text
from .errors import ProviderUnavailableError, RefusedError
from .middleware import BY_PROXY

RETRY_SECONDS = 30
_REFUSED = "sso_refused"


@require_safe
@never_cache
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """A page with one button, rather than a redirect to the provider and perhaps back for ever."""
    next_page = safe_next(request, request.GET.get("next", ""))
    if request.user.is_authenticated and not sessions.recheck_is_due(request):
        return redirect(next_page)
    if settings.SSO_MODE in BY_PROXY:
        error = getattr(request, "sso_error", RefusedError("no proxy spoke for anybody"))
        return refuse(request, error)
    is_configured = settings.SSO_MODE == "oidc"
    context = {"is_configured": is_configured, "next_query": urlencode({"next": next_page})}
    return render(request, "sso/sign_in.html", context, status=200 if is_configured else 503)


@require_safe
@never_cache
@login_not_required
def start_sign_in(request: HttpRequest) -> HttpResponse:
    """On to the provider; a GET, as the CSP lets no form lead away from this site."""
    _only_oidc()
    parameters = {"prompt": "select_account"} if "switch" in request.GET else {}
    return _to_provider(request, safe_next(request, request.GET.get("next", "")), **parameters)


@require_safe
@never_cache
@login_not_required
def finish_sign_in(request: HttpRequest) -> HttpResponse:
    """Back from the provider."""
    _only_oidc()
    try:
        answer = oidc.finish(request)
        user = provision_from(answer.claims)
    except oidc.UnknownStateError:
        return _unknown_state(request)
    except oidc.NotSignedInError as error:
        events.record(request, "session ended", user_id=request.user.pk, why=str(error))
        sessions.end(request)
        return redirect_to_login(error.next_page)
    except (RefusedError, ProviderUnavailableError) as error:
        return refuse(request, error)
    if not user.is_active or not user.role:
        return _without_access(request, user)
    if not _signed_in(request, user, answer):
        return redirect_to_login(answer.next_page)
    return redirect(answer.next_page)


@require_safe
@never_cache
@login_not_required
def no_access(request: HttpRequest) -> HttpResponse:
    """For somebody whom the provider vouches for, but whom no group lets in here."""
    user = request.user
    if user.is_authenticated and user.role:
        return redirect(settings.LOGIN_REDIRECT_URL)
    if not user.is_authenticated:
        user = User.objects.filter(pk=request.session.get(_REFUSED)).first()
    return no_access_page(request, user)


@require_POST
@login_not_required
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then at the provider.

    A page that leads on by itself: the CSP would stop the form's own redirect to the provider, and
    any further one of the provider's that nobody here can know.
    """
    id_token = sessions.facts(request).get("id_token", "")
    if request.user.is_authenticated:
        events.record(request, "signed out", user_id=request.user.pk)
    drafts.drop(request)
    sessions.end(request)
    if settings.SSO_MODE == "demo":
        return redirect(settings.LOGIN_URL)
    address = settings.SSO_SIGN_OUT_URL
    if not address and settings.SSO_MODE == "oidc":
        address = oidc.sign_out_address(request, id_token)
    context = {"address": address, "by_proxy": settings.SSO_MODE in BY_PROXY}
    response = render(request, "sso/signed_out.html", context)
    if address:
        response["Refresh"] = f"0; url={address}"
    return response


def recheck(request: HttpRequest) -> HttpResponse:
    """Ask the provider again, unseen by the person, before anything else happens."""
    is_kept = drafts.keep(request, drafts.RECHECK_DUE)
    if "HX-Request" in request.headers:
        return _whole_page(request)
    if request.method in ("GET", "HEAD"):
        hint = sessions.facts(request)["login_hint"]
        parameters = {"login_hint": hint} if hint else {}
        return _to_provider(request, request.get_full_path(), silent=True, **parameters)
    here = request.path if is_kept else resolve_url("link")
    context = {"address": here, "is_kept": is_kept}
    response = render(request, "sso/recheck.html", context, status=401)
    response["Refresh"] = f"0; url={here}"
    return response


def refuse(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that signing in did not work; why, only the log knows in full."""
    events.record(request, "sign-in refused", level=logging.WARNING, why=str(error))
    if not isinstance(error, RefusedError):
        response = render(request, "sso/unavailable.html", status=503)
        response["Retry-After"] = str(RETRY_SECONDS)
        return response
    by_proxy = settings.SSO_MODE in BY_PROXY
    return render(request, "sso/refused.html", {"by_proxy": by_proxy}, status=403)


def no_access_page(request: HttpRequest, user: User | None) -> HttpResponse:
    context = {"person": user, "by_proxy": settings.SSO_MODE in BY_PROXY}
    return render(request, "sso/no_access.html", context, status=403)


def sign_in_needed(request: HttpRequest) -> HttpResponse | None:
    """What a signed-out person gets instead of a page; None for the redirect to the sign-in."""
    if error := getattr(request, "sso_error", None):
        return refuse(request, error)
    return _whole_page(request) if "HX-Request" in request.headers else None


def safe_next(request: HttpRequest, address: str) -> str:
    """Return the address if it is a page of this site, else the form's."""
    is_ours = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    # Without the slash it might be a view's name to redirect().
    if is_ours and address.startswith("/"):
        return address
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def _only_oidc() -> None:
    if settings.SSO_MODE != "oidc":
        raise Http404


def _to_provider(request: HttpRequest, next_page: str, **options: Any) -> HttpResponse:
    try:
        response = oidc.redirect_to_provider(request, next_page, **options)
        request.session.save()  # now: at the end nobody could be told that it cannot be
    except (ProviderUnavailableError, DatabaseError, UpdateError) as error:
        return refuse(request, error)
    return response


def _signed_in(request: HttpRequest, user: User, answer: oidc.SignIn) -> bool:
    """Sign the person in, or on; False if they signed out while the provider was asked silently."""
    if answer.silent and request.user.pk == user.pk:
        return sessions.confirm(request, answer.id_token)
    hint = text(answer.claims.get("preferred_username")) or user.email
    sessions.start(request, user, id_token=answer.id_token, login_hint=hint)
    events.record(request, "signed in", user_id=user.pk, role=user.role)
    return True


def _without_access(request: HttpRequest, user: User) -> HttpResponse:
    why = "no known group" if user.is_active else "the person has been deactivated"
    events.record(request, "sign-in refused", level=logging.WARNING, user_id=user.pk, why=why)
    sessions.end(request)
    request.session[_REFUSED] = user.pk
    return redirect("no_access")


def _unknown_state(request: HttpRequest) -> HttpResponse:
    """Back from the provider a second time (by Back, or in another tab), or sent here by others."""
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "sso/stale.html", status=400)


def _whole_page(request: HttpRequest) -> HttpResponse:
    """Tell htmx to load the whole page anew, so that the person can be signed in."""
    response = HttpResponse(status=401)
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    response["HX-Redirect"] = safe_next(request, urlunsplit(("", "", page.path, page.query, "")))
    return response
