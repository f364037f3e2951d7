"""Copies of the log to take away, and who has taken one."""

import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations.audit import export_log
from associations.audit.exports import Progress, csv_lines, json_lines
from associations.audit.forms import AuditFilterForm
from associations.audit.origin import origin_of
from associations.audit.streaming import http_1_1_required
from associations.audit.views import filter_form
from associations.models import AssociationRequest, AuditExport
from hubadmin.web.http import admin_required

LISTED = 200
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}


@require_safe
@never_cache
@admin_required
@http_1_1_required
def export(request: HttpRequest, file_format: str) -> HttpResponseBase:
    """The entries of a filter as a file, streamed. That it was taken is logged before it starts."""
    form = filter_form(request)
    if not form.is_valid():
        return render(request, "audit/log.html", {"form": form}, status=422)
    response = StreamingHttpResponse(content_type=CONTENT_TYPES[file_format])
    if request.method == "HEAD":
        return response
    record = export_log.begin(
        user=request.user,
        file_format=file_format,
        query=form.query().urlencode(),
        origin=origin_of(request),
    )
    response.streaming_content = _recorded(record, form)
    name = _file_name(form, record)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Accel-Buffering"] = "no"  # a proxy shall pass it on as it comes
    return response


@require_safe
@never_cache
@admin_required
def exports(request: HttpRequest) -> HttpResponse:
    return render(request, "audit/exports.html", {"exports": AuditExport.objects.all()[:LISTED]})


def _recorded(record: AuditExport, form: AuditFilterForm) -> Iterator[bytes]:
    """Give the file; note how it ended, also if the reader goes away or the database does.

    An error goes on to the server, which breaks the transfer off: no part passes for the whole.
    """
    progress, state = Progress(), AuditExport.State.ABORTED
    entries = AssociationRequest.objects.matching(form.wanted())
    try:
        if record.format == "csv":
            yield from csv_lines(entries, progress)
        else:
            yield from json_lines(entries, progress, record.started_at, record.query)
        state = AuditExport.State.COMPLETE
    finally:
        export_log.end(record, state=state, rows=progress.rows)


def _file_name(form: AuditFilterForm, record: AuditExport) -> str:
    parts = [f"{name}-{value}" for name, values in form.query().lists() for value in values]
    filters = re.sub(r"[^A-Za-z0-9.-]+", "-", "_".join(parts), flags=re.ASCII).strip("-.")[:80]
    when = timezone.localtime(record.started_at, timezone.get_default_timezone())
    return f"hubadmin-audit{'_' if filters else ''}{filters}_{when:%Y%m%dT%H%M%S%z}.{record.format}"
