"""The form: link two records."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from associations import drafts, services
from associations.forms import AssociationForm
from associations.hubspot.object_types import CATALOGUE
from associations.models import AssociationRequest

from .origin import origin_of

LATEST = 6


# The browser keeps the page for Back: what comes back then still has its one-time token, so that
# sending it again is the same submit. Every other visit gets a fresh one.
@drafts.kept
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, max_age=0)
def link(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _submit(request)
    draft = drafts.take(request)
    fields, why = draft or (request.GET, "")
    return _page(request, AssociationForm.prefilled(fields), notice=why)


def _submit(request: HttpRequest) -> HttpResponse:
    form = AssociationForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        entry = services.create_association(
            user=request.user, origin=origin_of(request), **form.association()
        )
    except services.LogUnavailableError:
        return _page(request, form, status=503, notice="log_unavailable")
    return redirect(entry)


def _page(
    request: HttpRequest, form: AssociationForm, *, status: int = 200, notice: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "notice": notice,
        "object_types": CATALOGUE,
        "latest": AssociationRequest.objects.of(request.user).for_list()[:LATEST],
    }
    return render(request, "associations/link.html", context, status=status)
