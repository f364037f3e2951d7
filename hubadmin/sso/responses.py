"""What somebody gets instead of the page that they asked for."""

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from hubadmin.models import User
from hubadmin.sso import common, oidc, sessions
from hubadmin.sso.common import (
    BY_PROXY,
    DeactivatedError,
    ProviderUnavailableError,
    RefusedError,
)
from hubadmin.sso.told import Told
from hubadmin.web import drafts

RETRY_SECONDS = 30


def recheck(request: HttpRequest) -> HttpResponse:
    """Ask the provider again, unseen by the person, before anything else happens."""
    is_kept = drafts.keep(request, drafts.RECHECK_DUE)
    if "HX-Request" in request.headers:
        return _whole_page(request, is_kept)
    if request.method in ("GET", "HEAD"):
        hint = sessions.facts(request)["login_hint"]
        parameters = {"login_hint": hint} if hint else {}
        return to_provider(request, request.get_full_path(), silent=True, **parameters)
    here = request.path  # what takes a form leads somewhere by a GET as well
    context = {"address": here, "is_kept": is_kept}
    response = render(request, "sso/recheck.html", context, status=401)
    response["Refresh"] = f"0; url={here}"
    return response


def sign_in_needed(request: HttpRequest, is_kept: bool) -> HttpResponse | None:
    """What a signed-out person gets instead of a page; None for the redirect to the sign-in."""
    if error := getattr(request, "sso_error", None):
        return refuse(request, error)
    if "HX-Request" in request.headers:
        return _whole_page(request, is_kept)
    posted = drafts.posted(request)
    if is_kept or not any(posted.values()):
        return None
    return render(request, "sso/not_kept.html", {"posted": posted}, status=401)


def to_provider(request: HttpRequest, next_page: str, **options: Any) -> HttpResponse:
    try:
        return oidc.redirect_to_provider(request, next_page, **options)
    except ProviderUnavailableError as error:
        return refuse(request, error)


def refuse(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that signing in did not work; why, only the log knows in full."""
    if not isinstance(error, RefusedError):
        common.record_outage(request, str(error))
        return _unavailable(request)
    common.record_refusal(request, str(error), getattr(error, "user", None))
    if isinstance(error, DeactivatedError):
        return no_access(request, error.user)
    context = {"by_proxy": settings.SSO_MODE in BY_PROXY, "next_query": _query(request)}
    return render(request, "sso/refused.html", context, status=403)


def _unavailable(request: HttpRequest) -> HttpResponse:
    context = {"posted": drafts.posted(request), "next_query": _query(request)}
    response = render(request, "sso/unavailable.html", context, status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def no_access(
    request: HttpRequest, user: User | None, stored: dict[str, Any] | None = None
) -> HttpResponse:
    """Say that somebody is known but not let in, and what an admin needs to hear to change that.

    `stored` is what the sign-in told of their groups, if that was another request.
    """
    told = Told(**stored) if stored else user and user.told
    context = {"person": user, "by_proxy": settings.SSO_MODE in BY_PROXY, "told": told}
    return render(request, "sso/no_access.html", context, status=403)


def safe_next(request: HttpRequest, address: str) -> str:
    """Return the address if it is a page of this site, else the form's."""
    is_ours = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    # Without the slash it might be a view's name to redirect().
    if is_ours and address.startswith("/"):
        return address
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def _whole_page(request: HttpRequest, is_kept: bool) -> HttpResponse:
    """Tell htmx to load the whole page anew: only that can be signed in.

    Where what was typed is kept, that is the page which shows it, and not as it was filled before.
    """
    response = HttpResponse(status=401)
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    address = urlunsplit(("", "", page.path, page.query, ""))
    response["HX-Redirect"] = safe_next(request, drafts.page_of(request) if is_kept else address)
    return response


def _query(request: HttpRequest) -> str:
    """The page that was wanted, as far as this request tells, for the sign-in to lead there."""
    wanted = request.GET.get("next", "")
    is_page = request.method == "GET" and not request.path.startswith("/sign-in")
    return urlencode({"next": safe_next(request, request.get_full_path() if is_page else wanted)})
