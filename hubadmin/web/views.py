"""Pages that belong to no room: health, and what stands in for a page that failed."""

import logging
import sys
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from hubadmin.web import drafts, outages, readiness
from hubadmin.web.context_processors import contact

logger = logging.getLogger(__name__)

SECURITY_TXT_DAYS = 30  # for how long what it says may be kept; RFC 9116 wants less than a year


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """The process can do its work: its database is up to date, writable, and guards the log."""
    status, told = readiness.state()
    return JsonResponse(told, status=status)


@require_safe
@login_not_required
def security_txt(request: HttpRequest) -> HttpResponse:
    """Whom to tell of a weakness, for whoever has found one (RFC 9116)."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    expires = timezone.now() + timedelta(days=SECURITY_TXT_DAYS)
    lines = [f"Contact: {contact}" for contact in settings.SECURITY_CONTACT] + [
        f"Expires: {expires:%Y-%m-%dT00:00:00Z}",
        f"Preferred-Languages: {', '.join(code for code, _ in settings.LANGUAGES)}",
        f"Canonical: {request.build_absolute_uri(request.path)}",
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Show the form once more, filled in and unsent: most often its page was just too old.

    Not so for another site's form, which must not fill in anything here.
    """
    logger.warning("CSRF check failed", extra={"path": request.path, "reason": reason})
    from_elsewhere = "does not match any trusted origins" in reason or (
        request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    )
    known_browser = settings.SESSION_COOKIE_NAME in request.COOKIES
    if known_browser and not from_elsewhere and drafts.keep(request, drafts.PAGE_TOO_OLD):
        return _page_anew(request)
    if request.path == reverse("sign_out") and not from_elsewhere:
        if not request.user.is_authenticated:
            return redirect("sign_in")
        return render(request, "sso/still_signed_in.html", status=403)
    context = {"posted": drafts.posted(request), "is_too_old": True}
    return render(request, "403.html", context, status=403)


def _page_anew(request: HttpRequest) -> HttpResponse:
    """Lead to the page that shows the draft; htmx, which asked for a part of it, to the whole."""
    if "HX-Request" not in request.headers:
        return redirect(drafts.page_of(request))
    return HttpResponse(status=403, headers={"HX-Redirect": drafts.page_of(request)})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, SessionInterrupted):
        if cause := outages.cause_of(exception):
            return outages.answer(request, cause)
        return render(request, "interrupted.html", {"posted": drafts.posted(request)}, status=503)
    too_large = isinstance(exception, (RequestDataTooBig, TooManyFieldsSent))
    status = 413 if too_large else 400
    return render(request, "400.html", {"too_large": too_large}, status=status)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if cause := outages.cause_of(sys.exception()):
        return outages.answer(request, cause)
    # No context processors: whatever broke (the database, say) might break this page, too.
    user = getattr(request, "_cached_user", None)  # only if it is known without the database
    context = {
        "is_admin": getattr(user, "is_admin", False),
        "request_id": getattr(request, "id", ""),
        "posted": drafts.posted(request),
        "contact": contact(),
    }
    return HttpResponse(render_to_string("500.html", context), status=500)
