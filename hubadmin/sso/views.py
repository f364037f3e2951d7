"""The way in and the way out."""

from typing import cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import Error as DBError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from hubadmin.models import User
from hubadmin.sso import back_channel, common, oidc, pending, responses, sessions
from hubadmin.sso.common import BY_PROXY, ProviderUnavailableError, RefusedError
from hubadmin.sso.users import provision_from, text
from hubadmin.web import addresses, drafts, outages
from hubadmin.web.http import AnyHttpRequest, AuthenticatedHttpRequest

# AWS leaves it to the application to end its load balancer's session, kept in up to four parts.
ALB_COOKIES = [f"AWSELBAuthSessionCookie-{number}" for number in range(4)]
_REFUSED, _TOLD = "sso_refused", "sso_told"


@require_safe
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """A page with one button, rather than a redirect to the provider and perhaps back for ever."""
    next_page = responses.safe_next(request, request.GET.get("next", ""))
    if request.user.is_authenticated and not sessions.recheck_is_due(request):
        return redirect(next_page)
    if settings.SSO_MODE in BY_PROXY:
        error = getattr(request, "sso_error", RefusedError("no proxy spoke for anybody"))
        return responses.refuse(request, error)
    is_configured = settings.SSO_MODE == "oidc"
    context = {
        "is_configured": is_configured,
        "next_query": urlencode({"next": next_page}),
        "ended": sessions.why_ended(request),
    }
    return render(request, "sso/sign_in.html", context, status=200 if is_configured else 503)


@require_safe
@login_not_required
def start_sign_in(request: HttpRequest) -> HttpResponse:
    """On to the provider; a GET, as the CSP lets no form lead away from this site."""
    _only_oidc()
    parameters = {"prompt": "select_account"} if "switch" in request.GET else {}
    return responses.to_provider(
        request, responses.safe_next(request, request.GET.get("next", "")), **parameters
    )


@require_safe
@login_not_required
@pending.used_up
def finish_sign_in(request: HttpRequest) -> HttpResponse:
    """Back from the provider."""
    _only_oidc()
    try:
        answer = oidc.finish(request)
        user = provision_from(answer.claims, request)
    except oidc.UnknownStateError:
        return _unknown_state(request)
    except oidc.NotSignedInError as error:
        was_in = request.user if request.user.is_authenticated else None
        common.record_end(request, was_in, str(error))
        sessions.end(request)
        return redirect_to_login(error.next_page)
    except (RefusedError, ProviderUnavailableError) as error:
        return responses.refuse(request, error)
    if not user.is_active or not user.role:
        return _without_access(request, user)
    try:
        is_in = _signed_in(request, user, answer)
    except DBError as error:  # also of a log that takes no event, for whatever reason
        return outages.answer(request, error)
    except RefusedError as error:
        sessions.end(request)
        return responses.refuse(request, error)
    return redirect(answer.next_page) if is_in else redirect_to_login(answer.next_page)


@require_safe
@login_not_required
def no_access(request: HttpRequest) -> HttpResponse:
    """For somebody whom the provider vouches for, but whom no group lets in here."""
    user = request.user
    if not user.is_authenticated:
        refused = request.session.get(_REFUSED)
        person = refused and User.objects.filter(pk=refused).first()
        return responses.no_access(request, person, request.session.get(_TOLD))
    if user.role:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return responses.no_access(request, user)


@require_safe
def signed_in(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Say who is signed in, to a page that a browser has kept and shows again."""
    return HttpResponse(str(request.user.pk), content_type="text/plain")


@require_POST
@login_not_required
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then at the provider.

    A page that leads on by itself: the CSP would stop the form's own redirect to the provider, and
    any further one of the provider's that nobody here can know.
    """
    id_token = sessions.facts(request).get("id_token", "")
    if request.user.is_authenticated:
        common.record_end(request, request.user)
    drafts.drop(request)
    addresses.drop(request)
    sessions.end(request)
    response = _signed_out(request, id_token)
    # Not the cookies, which hold the language, nor what a browser stores for its next person: the
    # pages that it keeps, in each of its tabs.
    response["Clear-Site-Data"] = '"cache"'
    if settings.SSO_ALB_ARN:
        for name in ALB_COOKIES:
            response.delete_cookie(name)
    return response


def _signed_out(request: HttpRequest, id_token: str) -> HttpResponse:
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


@csrf_exempt  # the provider's server posts it, no browser; the token's signature vouches for it
@require_POST
@login_not_required
def sign_out_by_provider(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Back-Channel Logout 1.0, which knows 200 and 400 and nothing else."""
    _only_oidc()
    try:
        back_channel.end_sessions(request)
    except DBError as error:
        outages.log(request, error)
        return JsonResponse({"error": "invalid_request"}, status=400)
    except (RefusedError, ProviderUnavailableError) as error:
        common.record_refused_logout(request, str(error))
        return JsonResponse({"error": "invalid_request"}, status=400)
    return HttpResponse()


def _only_oidc() -> None:
    if settings.SSO_MODE != "oidc":
        raise Http404


def _signed_in(request: HttpRequest, user: User, answer: oidc.SignIn) -> bool:
    """Sign the person in, or on; False if they signed out while the provider was asked silently."""
    id_token, claims = answer.id_token, answer.claims
    if answer.silent and request.user.pk in (user.pk, None):
        return sessions.confirm(request, user, id_token=id_token, claims=claims)
    hint = text(claims.get("preferred_username")) or user.email
    common.record_sign_in(request, user)
    sessions.start(request, user, id_token=id_token, login_hint=hint, claims=claims)
    return True


def _without_access(request: HttpRequest, user: User) -> HttpResponse:
    common.record_no_access(request, user)
    sessions.end(request)
    request.session[_REFUSED] = user.pk
    request.session[_TOLD] = user.told and user.told.stored(cast(AnyHttpRequest, request).id)
    return redirect("no_access")


def _unknown_state(request: HttpRequest) -> HttpResponse:
    """Back from the provider a second time (by Back, or in another tab), or sent here by others."""
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "sso/stale.html", status=400)
