"""What HubSpot has of the two records, as a part of the form's page."""

from time import time
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from associations.gateway.account import form_options
from associations.hubspot.outcomes import Cause
from associations.linking.link import AssociationForm
from associations.linking.preview import Preview, preview, records_of
from associations.models import AssociationRequest
from associations.texts.lookup_errors import reason_of, reasons_of
from hubadmin.web import drafts

FILLED = "filled"
PER_MINUTE = 60  # previews for one person; a pair that is typed takes two or three


@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token", for_page="link")
@require_safe
@never_cache
def link_preview(request: HttpRequest) -> HttpResponse:
    """The panel, for what the form's fields hold now.

    What an address stands for goes back to the fields with it.
    """
    if "HX-Request" not in request.headers:
        return redirect(f"{reverse('link')}?{request.GET.urlencode()}")
    form = AssociationForm(request.GET, **form_options())
    response = render(request, "associations/preview.html", preview_context(form, request.user.pk))
    return trigger_client_event(response, FILLED, form.filled())


def preview_context(form: AssociationForm, person: int) -> dict[str, Any]:
    """What associations/preview.html shows.

    Each takes some of the calls that linking needs as well, so nobody has them without end.
    """
    if _has_had_enough(person):
        return {"preview": Preview(), "reasons": [reason_of(Cause.RATE_LIMITED)]}
    sides = form.sides()
    shown = preview(sides["from"], sides["to"])
    return {"preview": shown, "reasons": reasons_of(shown.errors)}


def _has_had_enough(person: int) -> bool:
    """Counted in this process, a minute by the clock at a time."""
    key = f"previews:{person}:{int(time() // 60)}"
    cache.add(key, 0, timeout=120)
    return cache.incr(key) > PER_MINUTE


@require_safe
@never_cache
def request_records(request: HttpRequest, pk: int) -> HttpResponse:
    """The names of an entry's two records, as HubSpot has them now."""
    entry = get_object_or_404(AssociationRequest.objects.visible_to(request.user), pk=pk)
    return render(request, "associations/records.html", {"records": records_of(entry)})
