"""The form: link two records."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error as DBError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from associations.audit.origin import origin_of
from associations.gateway.account import form_options, offered_to
from associations.linking import services
from associations.linking.link import AssociationForm
from associations.linking.preview_ import preview_context
from associations.linking.throttling import TooManySubmitsError
from associations.models import AssociationRequest
from hubadmin.web import drafts

if TYPE_CHECKING:
    from hubadmin.models import User

LATEST = 6
CHECK = "check"  # the button that only shows what would be linked, for browsers without script


# The browser keeps the page for Back: what comes back then still has its one-time token, so that
# sending it again is the same submit. Every other visit gets a fresh one.
@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token")
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, max_age=0)
def link(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _submit(request)
    if "new" in request.GET:
        drafts.drop(request)
    services.close_abandoned()
    # An address with fields of its own goes before what was left behind.
    has_fields = any(name in request.GET for name in AssociationForm.TYPED_FIELDS)
    draft = None if has_fields else drafts.find(request)
    options = form_options()
    if draft is None:
        return _page(request, AssociationForm.prefilled(request.GET, **options))
    fields, why = draft
    token = fields.get("submit_token", "")
    return _page(request, AssociationForm.prefilled(fields, token, **options), notice=why)


def _submit(request: HttpRequest) -> HttpResponse:
    options = form_options()
    form = AssociationForm(request.POST, **options)
    if not form.is_valid():
        checked = preview_context(form, request.user.pk) if CHECK in request.POST else {}
        return _page(request, form, status=422, **checked)
    if CHECK in request.POST:
        checked = preview_context(form, request.user.pk)
        return _page(request, _as_understood(form, options), **checked)
    try:
        entry = services.create_association(
            user=request.user, origin=origin_of(request), **form.association()
        )
    except services.LogUnavailableError:
        return _page(request, form, status=503, notice="log_unavailable")
    except TooManySubmitsError as error:
        return _too_many(request, form, error.wait_seconds)
    drafts.drop(request)
    return redirect(entry)


def _as_understood(form: AssociationForm, options: dict[str, Any]) -> AssociationForm:
    """The form as it was posted, with what an address stands for in place of the address."""
    fields = form.data.copy()
    for side, meant in form.filled().items():
        fields[f"{side}_object_type"] = meant["object_type"]
        fields[f"{side}_object_id"] = meant["object_id"]
    return AssociationForm.prefilled(fields, fields.get("submit_token", ""), **options)


def _too_many(request: HttpRequest, form: AssociationForm, wait_seconds: int) -> HttpResponse:
    limit = settings.SUBMITS_PER_PERSON_PER_MINUTE
    facts = {"wait_seconds": wait_seconds, "submits_per_minute": limit}
    response = _page(request, form, status=429, notice="too_many_submits", **facts)
    response["Retry-After"] = str(wait_seconds)
    return response


def _page(
    request: HttpRequest,
    form: AssociationForm,
    *,
    status: int = 200,
    notice: str = "",
    **facts: Any,
) -> HttpResponse:
    context = facts | {
        "form": form,
        "notice": notice,
        "is_prefilled": any(form[name].value() for name in AssociationForm.TYPED_FIELDS),
        "latest": _latest(request.user),
        "object_types": offered_to(request.user, form.types),
    }
    return render(request, "associations/link.html", context, status=status)


def _latest(user: "User") -> list[AssociationRequest]:
    """The person's latest entries; none rather than no page if the log cannot be read."""
    try:
        return list(AssociationRequest.objects.by_hand(user).for_list()[:LATEST])
    except DBError:
        return []
