"""Signing in and out."""

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe


@require_safe
@never_cache
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """Nobody can sign in until the company's identity provider is configured."""
    return render(request, "sign_in.html", status=503)


@require_POST
@login_not_required
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGIN_URL)
