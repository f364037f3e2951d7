"""How things stand, for admins: HubSpot, the calls left, the log, this site."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from associations.db import QueryTimeoutError, query_timeout
from associations.status.latency import hour_bars, times_today
from associations.status.quota import NEARLY_USED_UP, SCARCE
from associations.status.report import headline_of
from associations.status.sections import tell
from associations.status.site import site_facts
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required

TIMES_SECONDS = 5.0


@require_safe
@admin_required
def status(request: AuthenticatedHttpRequest) -> HttpResponse:
    told = tell(request.user)
    marks = {"scarce": SCARCE, "nearly_used_up": NEARLY_USED_UP}
    context = {
        "parts": told.parts,
        "quota": told.quota,
        "facts": site_facts(),
        "headline": headline_of(told.parts),
        "worrying": [part for part in told.parts if part.needs_attention],
        **marks,
    }
    return render(request, "status/status.html", context)


@require_safe
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
