"""The page of what a person has asked for, and the search in it."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from associations.audit import recorder
from associations.db import QueryTimeoutError
from associations.finding.readings import LONGEST
from associations.hubspot.unseen import without_unseen
from associations.linking.own_counts import count_found, counts_of
from associations.linking.own_requests import own, own_with, page_of_lines
from hubadmin.web.http import AuthenticatedHttpRequest


class WordsForm(forms.Form):
    words = forms.CharField(
        label=_("Search your requests"),
        required=False,
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
        help_text=_("A name, an e-mail address, a record id, “contact 501”, a reason or a file."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.KEEP_RECORD_NAMES:
            self.fields["words"].help_text = _("A record id, “contact 501”, a reason or a file.")

    def clean_words(self) -> str:
        """As names and reasons are kept: in one line, and nothing hidden between the letters."""
        return " ".join(without_unseen(self.cleaned_data["words"]).split())


@require_http_methods(["GET", "HEAD", "POST"])
def my_requests(request: AuthenticatedHttpRequest) -> HttpResponse:
    """All of one's own; by POST those with some words, which are personal: in no address."""
    recorder.close_abandoned_now_and_then()
    if request.method == "POST":
        return _found(request)
    page = page_of_lines(own(request.user), **_limits(request.GET))
    return _page(request, WordsForm(), page | counts_of(request.user))


def _found(request: AuthenticatedHttpRequest) -> HttpResponse:
    form = WordsForm(request.POST)
    if not form.is_valid():
        return _page(request, form, {}, status=422)
    words = form.cleaned_data["words"]
    if not words:
        return redirect("my_requests")
    source = own_with(request.user, words)
    try:
        page = page_of_lines(source, **_limits(request.POST)) | count_found(source)
    except QueryTimeoutError:
        return _page(request, form, {"is_too_slow": True}, status=503)
    return _page(request, form, page | {"words": words})


def _limits(given: Any) -> dict[str, str]:
    return {name: given.get(name, "") for name in ("before", "after")}


def _page(
    request: AuthenticatedHttpRequest, form: WordsForm, facts: dict[str, Any], status: int = 200
) -> HttpResponse:
    facts |= {"form": form, "names_are_kept": settings.KEEP_RECORD_NAMES}
    return render(request, "linking/my_requests.html", facts, status=status)
