"""What HubSpot has of the two records, as a part of the form's page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from associations.forms import AssociationForm
from associations.models import AssociationRequest
from associations.portal import form_options
from associations.preview import preview, records_of
from associations.problems import reasons_of
from hubadmin import drafts

FILLED = "filled"


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
    response = render(request, "associations/preview.html", preview_context(form))
    return trigger_client_event(response, FILLED, form.filled())


def preview_context(form: AssociationForm) -> dict[str, Any]:
    """What associations/preview.html shows."""
    sides = form.sides()
    shown = preview(sides["from"], sides["to"])
    return {"preview": shown, "reasons": reasons_of(shown.errors)}


@require_safe
@never_cache
def request_records(request: HttpRequest, pk: int) -> HttpResponse:
    """The names of an entry's two records, as HubSpot has them now."""
    entry = get_object_or_404(AssociationRequest.objects.visible_to(request.user), pk=pk)
    return render(request, "associations/records.html", {"records": records_of(entry)})
