"""The page on which an entry is undone, and which says why another one cannot be."""

from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from associations.audit import recorder
from associations.audit.recorder import LogUnavailableError, request_meta
from associations.audit.throttling import ThrottledError
from associations.form_fields import ReasonField
from associations.linking import undo
from associations.linking.sides import sides_of
from associations.linking.undo import NotUndoableError
from associations.linking.why_not import why_not
from associations.models import AssociationRequest
from associations.models.readable import read_rows, readable_or_404
from hubadmin.web import drafts
from hubadmin.web.access import is_still_in, watch
from hubadmin.web.http import AuthenticatedHttpRequest

_STATUS = {NotUndoableError: 409, ThrottledError: 429, LogUnavailableError: 503}


class UndoForm(forms.Form):
    reason = ReasonField(help_text=_("For the audit log, such as a ticket number."))


@drafts.kept("reason")
@require_http_methods(["GET", "HEAD", "POST"])
def request_undo(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """By GET say whether an entry can be undone, as HubSpot has the pair now; by POST undo it."""
    recorder.close_abandoned_now_and_then()
    entries = AssociationRequest.objects.visible_to(request.user).select_related("names")
    entry = readable_or_404(entries, pk)
    is_in = watch(partial(is_still_in, request))
    form = _form(request)
    try:
        if request.method != "POST":
            undo.demand_undoable(entry, request.user, is_in)
        elif form.is_valid():
            meta, reason = request_meta(request), form.cleaned_data["reason"]
            asked = {"entry": entry, "reason": reason, "meta": meta, "is_still_in": is_in}
            return redirect(undo.undo(user=request.user, **asked))
    except (NotUndoableError, ThrottledError, LogUnavailableError) as error:
        return _page(request, entry, form, error)
    return _page(request, entry, form)


def _form(request: AuthenticatedHttpRequest) -> UndoForm:
    if request.method == "POST":
        return UndoForm(request.POST)
    draft = drafts.find(request)  # typed, and not taken: the session had ended
    return UndoForm(initial={"reason": draft[0].get("reason", "")} if draft else None)


def _page(
    request: AuthenticatedHttpRequest,
    entry: AssociationRequest,
    form: UndoForm,
    error: Exception | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "entry": entry,
        "sides": sides_of(entry),
        "form": form,
        "why_not": why_not(error, is_admin=request.user.is_admin) if error else None,
        "undos": read_rows(entry.undos.for_list()),
    }
    is_asked = request.method == "POST"
    status = _STATUS[type(error)] if error and is_asked else 422 if form.errors else 200
    response = render(request, "linking/undo.html", context, status=status)
    if isinstance(error, ThrottledError):
        response["Retry-After"] = str(error.wait_seconds)
    return response
