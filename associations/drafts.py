"""What a person typed into a form that could not be taken, kept until they send it after all.

It waits in the session, unsent: the form shows it filled in again, and says why. It keeps its
one-time token, so that what had been sent already is not sent twice.
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
    """Mark a form's view: what is posted to it is worth keeping, and it shows drafts again."""
    view.keeps_drafts = True
    return view


def posted(request: HttpRequest) -> dict[str, str]:
    """Return what was posted to a view that keeps drafts; bounded, as anybody may have sent it."""
    view = getattr(request.resolver_match, "func", None)
    if request.method != "POST" or not getattr(view, "keeps_drafts", False):
        return {}
    return {
        name[:100]: value[:_MAX_LENGTH]
        for name, value in list(request.POST.items())[:_MAX_FIELDS]
        if name not in _NEVER_KEPT
    }


def keep(request: HttpRequest, why: str) -> bool:
    """Keep what was posted, for the person who is signed in, if anybody is."""
    fields = posted(request)
    if fields:
        draft = {"path": request.path, "why": why, "user": request.user.pk, "fields": fields}
        request.session[_SESSION_KEY] = draft
    return bool(fields)


def find(request: HttpRequest) -> tuple[QueryDict, str] | None:
    """Return the draft of this path and why it was kept, unless it is somebody else's."""
    draft = request.session.get(_SESSION_KEY)
    if not draft or draft["path"] != request.path:
        return None
    if draft["user"] not in (None, request.user.pk):
        return None
    fields = QueryDict(mutable=True)
    fields.update(draft["fields"])
    return fields, draft["why"]


def drop(request: HttpRequest) -> None:
    request.session.pop(_SESSION_KEY, None)
