"""In which language a person reads: as the browser asks, or as they chose, which a cookie keeps."""

from collections.abc import Awaitable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import resolve_url
from django.utils import translation
from django.views.decorators.http import require_POST
from django.views.i18n import set_language


class LanguageMiddleware(LocaleMiddleware):
    """Speak the person's language, and only for this request.

    The thread's next one may fail before it comes to this; its error page is in no one's language.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        with translation.override(settings.LANGUAGE_CODE, deactivate=True):
            return super().__call__(request)


@require_POST
@login_not_required
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember the language for a year, and go back to the page; only ever to one of this site."""
    return set_language(request)


def page_to_come_back_to(request: HttpRequest) -> str:
    """Return the address of the page that is shown; the form's where that cannot be asked again."""
    is_page = request.method in ("GET", "HEAD") and not request.path.startswith("/sign-in/")
    return request.get_full_path() if is_page else resolve_url("link")
