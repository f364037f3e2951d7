"""Words in an address, such as `/?from=ada@example.com`: read once, and taken out of it.

They are people's names and e-mail addresses, which shall stay in no history, log or referrer. So
before anything else answers, the sign-in included, they are put aside in the session, and the
browser is sent on to the page's bare address, where its form finds them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect

from hubadmin.web import drafts
from hubadmin.web.budget import Budget
from hubadmin.web.http import View

FILLED = "filled"  # all that the address says from then on
# Apart from that of drafts: any page may open addresses here, and what is typed comes but once.
of_strangers = Budget(60)


def words_in_address(names: Mapping[str, str]) -> Callable[[View], View]:
    """Mark a form's view: these names in its address stand for fields of the form."""

    def mark(view: View) -> View:
        vars(view)["words_in_address"] = names  # decorators copy it along
        return view

    return mark


class WordsInAddressMiddleware:
    """Stands before whatever may repeat an address, such as the sign-in that leads back to it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        names: Mapping[str, str] = getattr(view, "words_in_address", {})
        found = names.keys() & request.GET.keys()
        if request.method not in ("GET", "HEAD") or not found:
            return None
        fields = {names[name]: drafts.joined(request.GET, name) for name in found}
        drafts.put(request, drafts.BY_ADDRESS, fields, budget=of_strangers)
        is_empty = not any(fields.values())
        return redirect(request.path if is_empty else f"{request.path}?{FILLED}")


def find(request: HttpRequest) -> QueryDict | None:
    """Return what the address had said, by the form's fields; None if it waits no more."""
    found = drafts.find(request, drafts.BY_ADDRESS)
    return found and found[0]


def drop(request: HttpRequest) -> None:
    drafts.drop(request, drafts.BY_ADDRESS)
