"""The audit log, filtered; its figures; and everything about one record."""

from collections import Counter
from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import MAX_URL_REDIRECT_LENGTH
from django.utils.timezone import get_current_timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations.audit.charts import bars_of
from associations.audit.forms import FAILURES, AuditFilterForm
from associations.audit.pagination import count_context, page_context
from associations.audit.statistics import by_period, figures_of
from associations.db import TooSlowError, time_limit
from associations.gateway.account import type_choices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, resolve
from associations.hubspot.record_ids import is_record_id
from associations.linking import services
from associations.models import AssociationRequest, AuditFilter
from hubadmin.web.http import admin_required

FIGURES_SECONDS = 10.0
BARS = 62


@require_safe
@never_cache
@admin_required
def audit_log(request: HttpRequest) -> HttpResponse:
    form = filter_form(request)
    is_padded = any(not v.strip() for name in form.fields for v in request.GET.getlist(name))
    address = f"{request.path}?{form.query().urlencode()}"
    if is_padded and len(address) <= MAX_URL_REDIRECT_LENGTH:
        # A form sends its empty fields as well; the address shall say no more than it means.
        return redirect(address)
    services.close_abandoned()
    context = {"form": form, "failures": FAILURES}
    if not form.is_valid():
        return render(request, "audit/log.html", context, status=422)
    branches = AssociationRequest.objects.for_list().branches(form.wanted())
    context |= {"chips": form.chips(), "filter_query": form.query().urlencode()}
    try:
        context |= page_context(request, branches, form.query())
    except TooSlowError:
        return render(request, "audit/log.html", context | {"is_too_slow": True}, status=503)
    return render(request, "audit/log.html", context | count_context(branches))


@require_safe
@never_cache
@admin_required
def audit_figures(request: HttpRequest) -> HttpResponse:
    """The chart and the figures: a part of the list's page, or a page of their own."""
    form = filter_form(request)
    is_part = "HX-Request" in request.headers
    template = "audit/figures_part.html" if is_part else "audit/figures.html"
    if not form.is_valid():
        return render(request, template, {"form": form}, status=422)
    context = {"form": form, "chips": form.chips(), "filter_query": form.query().urlencode()}
    status = 200
    try:
        with time_limit(FIGURES_SECONDS):
            context |= _figures(form)
    except TooSlowError:
        context["is_too_slow"], status = True, 503
    return render(request, template, context, status=status)


@require_safe
@never_cache
@admin_required
def record_log(request: HttpRequest, object_type: str, object_id: str) -> HttpResponse:
    """Everything ever tried on one record, whichever side it was on."""
    record = _record_type(object_type)
    if not is_record_id(object_id):
        raise Http404
    if record.canonical != object_type:
        return redirect("record_log", record.canonical, object_id)
    services.close_abandoned()
    wanted = AuditFilter(record_type=record.canonical, record_id=object_id)
    branches = AssociationRequest.objects.for_list().branches(wanted)
    context: dict[str, Any] = {"record": record, "record_id": object_id}
    try:
        context |= page_context(request, branches) | count_context(branches)
    except TooSlowError:
        return render(request, "audit/record.html", context | {"is_too_slow": True}, status=503)
    return render(request, "audit/record.html", context)


def filter_form(request: HttpRequest) -> AuditFilterForm:
    people = get_user_model().objects.order_by("name", "pk").values_list("pk", "name", "email")
    namesakes = Counter(name for _, name, _ in people)
    names = [
        (pk, f"{name} ({email})" if namesakes[name] > 1 else name) for pk, name, email in people
    ]
    return AuditFilterForm(request.GET, names, type_choices())


def _figures(form: AuditFilterForm) -> dict[str, Any]:
    entries = AssociationRequest.objects.matching(form.wanted())
    figures = figures_of(entries, get_current_timezone())
    periods = by_period(figures.by_day, BARS)
    return {"figures": figures, "periods": periods, "bars": bars_of(periods)}


def _record_type(text: str) -> ObjectType:
    try:
        return resolve(text)
    except UnknownObjectTypeError:
        raise Http404 from None
