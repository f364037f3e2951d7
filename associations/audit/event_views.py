"""The security events: a page of them at a time, and copies."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from associations.audit.downloads import download
from associations.audit.event_exports import csv_lines, json_lines
from associations.audit.event_forms import EventFilterForm
from associations.audit.pagination import LIST_SECONDS, PAGE_SIZE
from associations.audit.recorder import record_download
from associations.audit.views import CONTENT_TYPES, people_by_name
from associations.db import QueryTimeoutError, query_timeout
from associations.models import BulkRun
from associations.models.readable import id_in, read_rows
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required


@require_safe
@admin_required
def security_events(request: AuthenticatedHttpRequest) -> HttpResponse:
    form = EventFilterForm(request.GET, people_by_name())
    if not form.is_valid():
        return render(request, "audit/events.html", {"form": form}, status=422)
    context = {"form": form, "filter_query": form.query().urlencode()}
    try:
        with query_timeout(LIST_SECONDS):
            context |= _page(form, id_in(request.GET.get("before", "")))
    except QueryTimeoutError:
        return render(request, "audit/events.html", context | {"is_too_slow": True}, status=503)
    return render(request, "audit/events.html", context)


def _page(form: EventFilterForm, before: int | None) -> dict[str, Any]:
    # Of a run that was discarded there is no page.
    has_run = Exists(BulkRun.objects.filter(pk=OuterRef("run_id")))
    events = form.events().annotate(has_run=has_run).order_by("-id")
    if before is not None:
        events = events.filter(pk__lt=before)
    found = read_rows(events[: PAGE_SIZE + 1])
    page, query = found[:PAGE_SIZE], form.query().urlencode()
    return {
        "events": page,
        "last": page[-1] if page else None,
        "query": f"{query}&" if query else "",
        "is_older": len(found) > PAGE_SIZE,
        "is_paged": before is not None,
    }


@require_safe
@admin_required
@download
def event_export(request: AuthenticatedHttpRequest, file_format: str) -> HttpResponseBase:
    """The events of a filter as a file, streamed. That it was taken is an event itself."""
    form = EventFilterForm(request.GET, people_by_name())
    if not form.is_valid():
        return render(request, "audit/events.html", {"form": form}, status=422)
    response = StreamingHttpResponse(content_type=CONTENT_TYPES[file_format])
    if request.method == "HEAD":
        return response
    query, now = form.query().urlencode(), timezone.now()
    record_download(request, f"events.{file_format}", query=query)
    events = form.events()
    response.streaming_content = (
        csv_lines(events) if file_format == "csv" else json_lines(events, now, query)
    )
    when = timezone.localtime(now, timezone.get_default_timezone())
    name = f"hubadmin-events_{when:%Y%m%dT%H%M%S%z}.{file_format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
