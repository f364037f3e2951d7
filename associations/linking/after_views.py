"""Pages around the form: the latest with their names, what was linked together, a bookmarklet."""

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from associations.audit import recorder
from associations.finding import names
from associations.hubspot.outcomes import Outcome
from associations.linking.after import LINKED, REPEATED, entries_of, latest_of, strip_of
from associations.linking.services import look_after
from hubadmin.web.http import AuthenticatedHttpRequest

REFRESH_SECONDS = 3
# It runs on HubSpot's page. Of the address there only what names the record is handed on.
SCRIPT = (
    "javascript:void(open(%s+encodeURIComponent(location.origin+location.pathname),"
    "'_blank','noopener'))"
)


@require_safe
def link_latest(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The person's latest and the strip once more, with the names that HubSpot has for them."""
    key = request.GET.get(LINKED, "")
    context = latest_of(request.user, look_up=True)
    context["strip"] = strip_of(request.user, key, look_up=True)
    return render(request, "linking/latest_part.html", context)


@require_safe
def together(request: AuthenticatedHttpRequest, key: str) -> HttpResponse:
    """What became of pairs that were sent together, a line each."""
    recorder.close_abandoned_now_and_then()
    entries = entries_of(request.user, key)
    if not entries:
        raise Http404
    is_open = any(entry.is_open for entry in entries)
    if "HX-Request" in request.headers:
        entries = [look_after(entry) for entry in entries]
        context: dict[str, Any] = {"pairs": names.look_up(request.user, entries), "has_names": True}
        return render(request, "linking/pairs.html", context)
    pairs, has_names = names.remembered(entries)
    has_names = has_names and not any(entry.look_due for entry in entries)
    linked = sum(entry.outcome == Outcome.LINKED for entry in entries)
    context = {"pairs": pairs, "has_names": has_names, "linked": linked, "is_open": is_open}
    context["is_repeated"] = REPEATED in request.GET
    response = render(request, "linking/together.html", context)
    if is_open:
        response["Refresh"] = f"{REFRESH_SECONDS}; url={request.path}"
    return response


@require_safe
def bookmarklet(request: AuthenticatedHttpRequest) -> HttpResponse:
    """A link for the browser's bookmarks that opens the form with the record one is looking at."""
    address = request.build_absolute_uri(f"{reverse('link')}?from=")
    return render(request, "linking/bookmarklet.html", {"script": SCRIPT % json.dumps(address)})
