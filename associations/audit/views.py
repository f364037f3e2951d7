"""The audit log: filtered, its figures, everything about one record, and copies of it."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import MAX_URL_REDIRECT_LENGTH
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from associations.audit import recorder
from associations.audit.charts import outcome_bars
from associations.audit.downloads import download
from associations.audit.exports import ExportProgress, csv_lines, json_lines
from associations.audit.forms import FAILURES, AuditFilterForm
from associations.audit.pagination import count_context, page_context
from associations.audit.recorder import request_meta
from associations.audit.search import address_of, offers_of
from associations.audit.statistics import by_period, figures_of, newest_days
from associations.db import QueryTimeoutError, query_timeout
from associations.form_fields import validation_error
from associations.gateway.account import form_options, type_choices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, resolve
from associations.hubspot.record_references import (
    RecordIdError,
    RecordReference,
    is_record_id,
    read_reference,
)
from associations.models import AssociationRequest, AuditExport, AuditFilter
from associations.models.readable import read_rows
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required

FIGURES_SECONDS = 10.0
BARS, STRIP_DAYS = 62, 30
LISTED = 200
_TOO_LONG_TO_LOG = _("This is too long for the record of exports. Write less.")
_TOO_MANY_PEOPLE = _(
    "This filter is too long for the record of exports. Choose fewer people, or everybody."
)
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}


@require_safe
@admin_required
def audit_log(request: AuthenticatedHttpRequest) -> HttpResponse:
    form = filter_form(request)
    context = _log_context(form)
    if "q" in request.GET:
        try:
            return redirect(address_of(request.GET["q"], _reference))
        except RecordIdError as error:
            told = validation_error(error.reason, **error.facts).messages[0]
            context |= {"searched": request.GET["q"], "search_error": told}
            return render(request, "audit/log.html", context, status=422)
    address = f"{request.path}?{form.query().urlencode()}"
    if _says_more(request, form) and len(address) <= MAX_URL_REDIRECT_LENGTH:
        return redirect(address)
    recorder.close_abandoned_now_and_then()
    context["searched"] = form.searched()
    if not form.is_valid():
        return render(request, "audit/log.html", context, status=422)
    wanted = form.wanted()
    branches = AssociationRequest.objects.for_list().branches(wanted)
    context |= {"chips": form.chips(), "filter_query": form.query().urlencode()}
    try:
        context |= page_context(request, branches, form.query())
    except QueryTimeoutError:
        return render(request, "audit/log.html", context | {"is_too_slow": True}, status=503)
    context["offers"] = offers_of(form)
    is_empty = not (context["entries"] or context["paged"])
    context |= {"count": 0} if is_empty else count_context(branches, wanted)
    return render(request, "audit/log.html", context)


@require_safe
@admin_required
def audit_figures(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The chart and the figures on a page of their own, or a strip of days for the list's page."""
    form = filter_form(request)
    is_part = "HX-Request" in request.headers
    template = "audit/strip.html" if is_part else "audit/figures.html"
    if not form.is_valid():
        return render(request, template, {"form": form}, status=422)
    context = {"form": form, "chips": form.chips(), "filter_query": form.query().urlencode()}
    status = 200
    try:
        with query_timeout(FIGURES_SECONDS):
            context |= _strip(form) if is_part else _figures(form)
    except QueryTimeoutError:
        context["is_too_slow"], status = True, 503
    return render(request, template, context, status=status)


@require_safe
@admin_required
def record_log(request: AuthenticatedHttpRequest, object_type: str, object_id: str) -> HttpResponse:
    """Everything ever tried on one record, whichever side it was on."""
    record = _record_type(object_type)
    if not is_record_id(object_id):
        raise Http404
    if record.canonical != object_type:
        return redirect("record_log", record.canonical, object_id)
    recorder.close_abandoned_now_and_then()
    wanted = AuditFilter(record_type=record.canonical, record_id=object_id)
    branches = AssociationRequest.objects.for_list().branches(wanted)
    context: dict[str, Any] = {"record": record, "record_id": object_id}
    try:
        context |= page_context(request, branches) | count_context(branches)
    except QueryTimeoutError:
        return render(request, "audit/record.html", context | {"is_too_slow": True}, status=503)
    return render(request, "audit/record.html", context)


def _log_context(form: AuditFilterForm) -> dict[str, Any]:
    are_kept = settings.KEEP_RECORD_NAMES
    return {"form": form, "failures": FAILURES, "names_are_kept": are_kept}


def _says_more(request: AuthenticatedHttpRequest, form: AuditFilterForm) -> bool:
    """Whether the address says more than it means, as a form does that sends its empty fields.

    Or says it in words that mean another day tomorrow.
    """
    sent = {name: request.GET.getlist(name) for name in form.fields}
    is_padded = any(not value.strip() for values in sent.values() for value in values)
    query = form.query()
    in_words = any(query.get(name) not in (None, *sent[name]) for name in ("since", "until"))
    return is_padded or in_words


def _reference(text: str) -> RecordReference:
    """Read a record as the form for links does. Raises RecordIdError."""
    options = form_options()
    return read_reference(
        text,
        resolve=options["types"].resolve,
        portal_id=options["portal_id"],
        ui_hosts=options["ui_hosts"],
    )


def filter_form(request: AuthenticatedHttpRequest) -> AuditFilterForm:
    return AuditFilterForm(request.GET, people_by_name(), type_choices())


def people_by_name() -> list[tuple[int, str]]:
    """Return everybody who has ever signed in; namesakes with their address."""
    people = get_user_model().objects.order_by("name", "pk").values_list("pk", "name", "email")
    namesakes = Counter(name for _, name, _ in people)
    return [
        (pk, f"{name} ({email})" if namesakes[name] > 1 else name) for pk, name, email in people
    ]


def _figures(form: AuditFilterForm) -> dict[str, Any]:
    entries = AssociationRequest.objects.matching(form.wanted())
    figures = figures_of(entries, form.zone)
    periods = by_period(figures.by_day, BARS)
    is_by_day = all(after - day == timedelta(1) for (day, _), (after, _) in pairwise(periods))
    bars = outcome_bars(periods)
    return {"figures": figures, "periods": periods, "is_by_day": is_by_day, "bars": bars}


def _strip(form: AuditFilterForm) -> dict[str, Any]:
    entries = AssociationRequest.objects.matching(form.wanted())
    days = newest_days(entries, form.zone, STRIP_DAYS)
    # Its two ends are labelled, so its bars go from one to the other, however few.
    return {"bars": outcome_bars(days, room_for=1)}


def _record_type(text: str) -> ObjectType:
    try:
        return resolve(text)
    except UnknownObjectTypeError:
        raise Http404 from None


@require_safe
@admin_required
@download
def export(request: AuthenticatedHttpRequest, file_format: str) -> HttpResponseBase:
    """The entries of a filter as a file, streamed. That it was taken is logged before it starts."""
    form = filter_form(request)
    if not form.is_valid():
        return render(request, "audit/log.html", _log_context(form), status=422)
    query = form.query_to_keep().urlencode()
    if len(query) > recorder.EXPORT_QUERY_LENGTH:  # what was taken has to stand in the log, whole
        longest = max(form.query().lists(), key=lambda field: len(str(field)))[0]
        form.add_error(longest, _TOO_MANY_PEOPLE if longest == "who" else _TOO_LONG_TO_LOG)
        return render(request, "audit/log.html", _log_context(form), status=422)
    response = StreamingHttpResponse(content_type=CONTENT_TYPES[file_format])
    if request.method == "HEAD":
        return response
    record = recorder.open_export(
        user=request.user,
        file_format=file_format,
        query=query,
        meta=request_meta(request),
    )
    response.streaming_content = _recorded(record, form)
    name = _file_name(form, record)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
@admin_required
def export_history(request: AuthenticatedHttpRequest) -> HttpResponse:
    listed = read_rows(AuditExport.objects.all()[:LISTED])
    form = AuditFilterForm(QueryDict(), [])
    readable = [(export, form.readable(getattr(export, "query", ""))) for export in listed]
    return render(request, "audit/exports.html", {"exports": readable})


def _recorded(record: AuditExport, form: AuditFilterForm) -> Iterator[bytes]:
    """Give the file; note how it ended, also if the reader goes away or the database does.

    An error goes on to the server, which breaks the transfer off: no part passes for the whole.
    """
    progress, state = ExportProgress(), AuditExport.State.ABORTED
    entries = AssociationRequest.objects.matching(form.wanted())
    try:
        if record.format == "csv":
            yield from csv_lines(entries, progress)
        else:
            yield from json_lines(entries, progress, record.started_at, record.query)
        state = AuditExport.State.COMPLETE
    finally:
        recorder.close_export(record, state=state, rows=progress.rows)


def _file_name(form: AuditFilterForm, record: AuditExport) -> str:
    kept = form.query_to_keep()
    parts = [f"{name}-{value}" for name, values in kept.lists() for value in values]
    filters = re.sub(r"[^A-Za-z0-9.-]+", "-", "_".join(parts), flags=re.ASCII).strip("-.")[:80]
    when = timezone.localtime(record.started_at, timezone.get_default_timezone())
    return f"hubadmin-audit{'_' if filters else ''}{filters}_{when:%Y%m%dT%H%M%S%z}.{record.format}"
