"""How things stand, for admins: HubSpot, the calls left, the log, this site."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations.db import QueryTimeoutError, query_timeout
from associations.gateway.rate_limiter import look_wait
from associations.status.auditlog import log_lines
from associations.status.bulk import run_lines
from associations.status.failures import failure_line, failures_since
from associations.status.latency import hour_bars, times_today
from associations.status.quota import NEARLY_USED_UP, SCARCE, quota_lines, quota_of
from associations.status.report import Item, Level, Section, headline_of
from associations.status.site import site_facts
from associations.status.sweep import sweep_lines
from associations.status.token import account_lines, look_at_hubspot, scope_lines, version_lines
from associations.texts.lookup_errors import looks_used_up
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required

TIMES_SECONDS = 5.0


@require_safe
@never_cache
@admin_required
def status(request: AuthenticatedHttpRequest) -> HttpResponse:
    now = timezone.now()
    quota = None
    if wait := look_wait(request.user.pk):
        account = calls = [Item(Level.UNKNOWN, looks_used_up(wait))]
    else:
        shown = look_at_hubspot()
        quota = quota_of(shown, now)
        account = [*account_lines(shown), *scope_lines(shown, now)]
        calls = [*quota_lines(shown, quota)]
    parts = [
        Section("hubspot", "HubSpot", account),
        Section("calls", gettext("Calls today"), [*calls, _failures(now)]),
        Section("runs", gettext("Bulk runs"), [*run_lines()]),
        Section("version", gettext("API version"), [*version_lines(timezone.localdate(now))]),
        Section("log", gettext("The audit log"), [*log_lines(now), *sweep_lines(request.user)]),
    ]
    marks = {"scarce": SCARCE, "nearly_used_up": NEARLY_USED_UP}
    context: dict[str, Any] = {"parts": parts, "quota": quota, "facts": site_facts(), **marks}
    context["headline"] = headline_of(parts)
    context["worrying"] = [part for part in parts if part.needs_attention]
    return render(request, "status/status.html", context)


def _failures(now: datetime) -> Item:
    """The day is the viewer's, as everywhere on their pages."""
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return failure_line(failures_since(today))


@require_safe
@never_cache
@admin_required
def status_times(request: AuthenticatedHttpRequest) -> HttpResponse:
    """HubSpot's answer times: a part of the status page, or a page of their own."""
    is_part = "HX-Request" in request.headers
    template = "status/times_part.html" if is_part else "status/times.html"
    try:
        with query_timeout(TIMES_SECONDS):
            today = times_today(timezone.get_current_timezone(), timezone.now())
    except QueryTimeoutError:
        return render(request, template, {"is_too_slow": True}, status=503)
    context = {"today": today, "bars": hour_bars(today.by_hour)}
    return render(request, template, context)
