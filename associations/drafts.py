"""What a person typed into a form that could not be taken, kept until they are back at that form.

It waits in the session, unsent: the form shows it filled in again, and says why.
"""

from collections.abc import Callable

from django.http import HttpRequest, QueryDict

SIGNED_OUT = "signed_out"
PAGE_TOO_OLD = "page_too_old"

_SESSION_KEY = "draft"
_MAX_FIELDS = 20
_MAX_LENGTH = 5000
_NEVER_KEPT = {"csrfmiddlewaretoken"}


def kept(view: Callable) -> Callable:
    """Mark a form's view: what is posted to it is worth keeping, and it takes drafts back."""
    view.keeps_drafts = True
    return view


def keep(request: HttpRequest, why: str) -> bool:
    """Keep what was posted, if its view wants it; within bounds, for anybody may have sent it."""
    if request.method != "POST" or not getattr(request.resolver_match.func, "keeps_drafts", False):
        return False
    fields = {
        name[:100]: value[:_MAX_LENGTH]
        for name, value in list(request.POST.items())[:_MAX_FIELDS]
        if name not in _NEVER_KEPT
    }
    request.session[_SESSION_KEY] = {"path": request.path, "why": why, "fields": fields}
    return True


def take(request: HttpRequest) -> tuple[QueryDict, str] | None:
    """Return the draft of this path and why it was kept, once."""
    draft = request.session.get(_SESSION_KEY)
    if not draft or draft["path"] != request.path:
        return None
    del request.session[_SESSION_KEY]
    fields = QueryDict(mutable=True)
    fields.update(draft["fields"])
    return fields, draft["why"]
