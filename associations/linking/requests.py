"""Entries of the log: one as a page, one's own as a list."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from associations.audit.entry_details import support_bundle
from associations.audit.origin import origin_of
from associations.audit.pagination import page_context
from associations.audit.timeline import timeline
from associations.linking import services
from associations.linking.throttling import TooManySubmitsError
from associations.models import AssociationRequest
from associations.texts.outcomes import explain
from hubadmin.web.http import admin_required

REFRESH_SECONDS = 3
OF_THE_PAIR = 5  # earlier and later entries, each
CHECKS_SHOWN = 20


@require_safe
@never_cache
def request_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry as a person wants it; while it is under way the page refreshes itself."""
    services.close_abandoned()
    return _page(request, _entry(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def request_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Look once more whether the records of an entry are linked.

    Whoever had to sign in first comes back by a GET, which leads to the entry.
    """
    entry = _entry(request, pk)
    if request.method != "POST" or entry.is_open:
        return redirect(entry)
    try:
        services.check_again(user=request.user, entry=entry, origin=origin_of(request))
    except services.LogUnavailableError:
        return _page(request, entry, status=503, check_not_logged=True)
    except TooManySubmitsError as error:
        wait = {"too_many_checks": True, "wait_seconds": error.wait_seconds}
        return _page(request, entry, status=429, **wait)
    return redirect(f"{entry.get_absolute_url()}?checked")


@require_safe
@never_cache
@admin_required
def request_bundle(request: HttpRequest, pk: int) -> HttpResponse:
    """What HubSpot's support needs of one entry, as a file."""
    entries = AssociationRequest.objects.select_related("batch").prefetch_related("attempts")
    entry = get_object_or_404(entries, pk=pk)
    text = support_bundle(entry, settings.HUBSPOT_API_BASE_URL)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="hubadmin-entry-{pk}.txt"'
    return response


@require_safe
@never_cache
def my_requests(request: HttpRequest) -> HttpResponse:
    services.close_abandoned()
    entries = AssociationRequest.objects.of(request.user).for_list()
    return render(request, "associations/my_requests.html", page_context(request, [entries]))


def _entry(request: HttpRequest, pk: int) -> AssociationRequest:
    entries = AssociationRequest.objects.visible_to(request.user)
    whole = entries.select_related("batch").prefetch_related("attempts")
    return get_object_or_404(whole, pk=pk)


def _page(
    request: HttpRequest, entry: AssociationRequest, *, status: int = 200, **facts: Any
) -> HttpResponse:
    context = facts | {
        "entry": entry,
        "explanation": explain(entry),
        "attempts": entry.attempts.all(),
        "checks": entry.checks.reverse()[:CHECKS_SHOWN],
        "is_just_checked": "checked" in request.GET,
        "body_cut": len(entry.body) == services.ENTRY_BODY_LENGTH,
    }
    if request.user.is_admin:
        context |= _for_admins(entry)
    response = render(request, "associations/request.html", context, status=status)
    if entry.is_open:
        response["Refresh"] = f"{REFRESH_SECONDS}; url={request.path}?refresh"
    return response


def _for_admins(entry: AssociationRequest) -> dict[str, Any]:
    same_pair = AssociationRequest.objects.of_pair(entry).for_list()
    position = entry.created_at, entry.pk
    later = same_pair.newer_than(*position).order_by("created_at", "id")[:OF_THE_PAIR]
    bundle = support_bundle(entry, settings.HUBSPOT_API_BASE_URL)
    return {
        "timeline": timeline(entry),
        "bundle": bundle if len(bundle) <= services.ENTRY_BODY_LENGTH else "",
        "earlier": list(same_pair.older_than(*position)[:OF_THE_PAIR]),
        "later": list(later)[::-1],
    }
