"""Entries of the log: one as a page, many as a list."""

from collections.abc import Callable
from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations import services
from associations.explanations import explain
from associations.models import AssociationRequest, AssociationRequestQuerySet

PAGE_SIZE = 50
REFRESH_SECONDS = 3


def admin_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Only admins; for everybody else the page is forbidden."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not request.user.is_admin:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@never_cache
def request_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry as a person wants it; while it is under way the page refreshes itself."""
    services.close_abandoned()
    entries = AssociationRequest.objects.visible_to(request.user)
    entry = get_object_or_404(entries.prefetch_related("attempts"), pk=pk)
    context = {
        "entry": entry,
        "explanation": explain(entry),
        "attempts": entry.attempts.all(),
        "body_cut": len(entry.body) == services.ENTRY_BODY_LENGTH,
    }
    response = render(request, "associations/request.html", context)
    if entry.is_open:
        response["Refresh"] = f"{REFRESH_SECONDS}; url={request.path}?refresh"
    return response


@require_safe
@never_cache
def my_requests(request: HttpRequest) -> HttpResponse:
    entries = AssociationRequest.objects.of(request.user)
    return _list(request, entries, "associations/my_requests.html")


@require_safe
@never_cache
@admin_required
def audit_log(request: HttpRequest) -> HttpResponse:
    return _list(request, AssociationRequest.objects.all(), "audit/log.html")


def _list(request: HttpRequest, entries: AssociationRequestQuerySet, template: str) -> HttpResponse:
    services.close_abandoned()
    before, after = _id(request, "before"), _id(request, "after")
    page = entries.for_list().page(size=PAGE_SIZE, before=before, after=after)
    context = {
        "entries": page,
        "newer": page and entries.filter(id__gt=page[0].id).exists(),
        "older": page and entries.filter(id__lt=page[-1].id).exists(),
        "paged": before is not None or after is not None,
    }
    return render(request, template, context)


def _id(request: HttpRequest, name: str) -> int | None:
    """An id from the address; anything else there means "no such limit"."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
