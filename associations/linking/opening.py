"""With what the form is opened: after a link, by words in an address, by what was left behind."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from associations.linking.after import KEEP, LINKED, Strip, strip_of
from associations.linking.forms import AssociationForm
from hubadmin.web import addresses, drafts
from hubadmin.web.http import AuthenticatedHttpRequest

MOST_OF_TOKEN = 64
WORDS_GONE = "words_gone"

Opened = tuple[AssociationForm, dict[str, Any]]  # and what else the page has to show


def opened(request: AuthenticatedHttpRequest, options: dict[str, Any]) -> Opened:
    """Return the form as it is to be shown, filled in by what comes first of these."""
    if addresses.FILLED in request.GET:
        return _by_address(request, options)
    addresses.drop(request)  # whoever comes without has gone on
    if LINKED in request.GET and (strip := strip_of(request.user, request.GET[LINKED])):
        return _after(request, strip, options)
    if draft := drafts.find(request):
        fields, why = draft
        token = fields.get("submit_token", "")
        return AssociationForm.prefilled(fields, token, **options), {"notice": why}
    return AssociationForm.prefilled({}, _sent_token(request), **options), {}


def _by_address(request: HttpRequest, options: dict[str, Any]) -> Opened:
    words = addresses.find(request)
    form = AssociationForm.prefilled(words or {}, _sent_token(request), **options)
    return form, {} if words else {"notice": WORDS_GONE}


def _after(request: HttpRequest, strip: Strip, options: dict[str, Any]) -> Opened:
    fields = strip.kept(request.GET.get(KEEP, ""))
    form = AssociationForm.prefilled(fields, _sent_token(request), **options)
    if fields["reason"]:
        form.fields["reason"].help_text = _("Kept for the next one until you change it.")
    return form, {"strip": strip}


def _sent_token(request: HttpRequest) -> str:
    """Return the one-time token that was sent last, if somebody may have come here by Back.

    No browser keeps the page, but it fills in again what was typed: to send that once more is the
    same submit then, and is told as that. A visit by a click gets a fresh token. One by an address
    looks the same as Back to it, so it gets none; of browsers that do not tell each visit does.
    """
    told = request.headers
    is_click = told.get("Sec-Fetch-User") == "?1" and told.get("Sec-Fetch-Site") != "none"
    is_back = told.get("Sec-Fetch-Mode") == "navigate" and not is_click
    return request.COOKIES.get(_cookie(), "")[:MOST_OF_TOKEN] if is_back else ""


def note_as_sent(request: HttpRequest, response: HttpResponse, submit_token: str) -> None:
    """Forget what was typed, and know the form's token where somebody goes Back to it.

    By a cookie: the token opens nothing, and the session would have to be written for it.
    """
    drafts.drop(request)
    addresses.drop(request)
    is_secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(_cookie(), submit_token, secure=is_secure, httponly=True, samesite="Lax")


def _cookie() -> str:
    return "__Host-sent" if settings.SESSION_COOKIE_SECURE else "sent"  # the demo: plain HTTP
