"""What a person typed into a form that could not be taken, kept until they send it after all.

It waits in the session, unsent: the form shows it filled in again, and says why. It keeps its
one-time token, so that what had been sent already is not sent twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.shortcuts import resolve_url

from hubadmin.web.budget import Budget
from hubadmin.web.http import View
from hubadmin.web.sessions import change_now

SIGNED_OUT = "signed_out"
RECHECK_DUE = "recheck_due"
PAGE_TOO_OLD = "page_too_old"

_SESSION_KEY = "draft"
BY_ADDRESS = "by_address"  # what came by an address waits beside it; see addresses.py
_FORMER_USER = "former_user"
_SHOWN = "draft_is_shown"  # of a request
_MAX_SHOWN = 5000
MAX_KEPT = 2100  # more than any field takes, so that the form can still say that it is too much
# Each draft of somebody without a session makes one. Whose cookie ran out is such a somebody, too.
of_strangers = Budget(60)


class _Kept(NamedTuple):
    fields: tuple[str, ...]
    page: str


def kept(*fields: str, for_page: str = "") -> Callable[[View], View]:
    """Mark a form's view: what is posted to these fields is worth keeping, and shown again.

    A view that gives a part of that form's page names the page: what was typed so far comes with
    each request of the page's own script.
    """

    def mark(view: View) -> View:
        vars(view)["kept"] = _Kept(fields, for_page)  # decorators copy it along
        return view

    return mark


def _kept_by_view(request: HttpRequest) -> _Kept | None:
    return getattr(request.resolver_match and request.resolver_match.func, "kept", None)


def posted(request: HttpRequest) -> dict[str, str]:
    """Return what was sent to a view that keeps drafts; bounded, as anybody may have sent it."""
    form = _kept_by_view(request)
    if form is None or request.method != "POST":
        return {}
    try:
        fields = request.POST
    except UnreadablePostError:  # the browser went away before it had sent all of it
        return {}
    return {name: joined(fields, name)[:_MAX_SHOWN] for name in form.fields if name in fields}


def joined(fields: QueryDict, name: str) -> str:
    """What came under a name; several values a line each, as one field could have them."""
    return "\n".join(fields.getlist(name))


def page_of(request: HttpRequest) -> str:
    """Return the address of the page whose form was sent, or was about to be."""
    form = _kept_by_view(request)
    return resolve_url(form.page) if form and form.page else request.path


def keep(request: HttpRequest, why: str) -> bool:
    """Keep what was posted, for the person who is signed in, or who was until just now."""
    return put(request, _SESSION_KEY, posted(request), why)


def put(
    request: HttpRequest,
    key: str,
    fields: dict[str, str],
    why: str = "",
    budget: Budget | None = None,
) -> bool:
    """Keep fields under a key of the session; and of strangers no more than their budget."""
    if not any(fields.values()):
        return False
    owner = request.user.pk or request.session.get(_FORMER_USER)
    if request.session.is_empty() and not (budget or of_strangers).take():
        return False
    fields = {name: value[:MAX_KEPT] for name, value in fields.items()}
    request.session[key] = {"path": page_of(request), "why": why, "user": owner, "fields": fields}
    return True


def find(request: HttpRequest, key: str = _SESSION_KEY) -> tuple[QueryDict, str] | None:
    """Return the draft of this path and why it was kept, unless it is somebody else's."""
    draft = request.session.get(key)
    if not draft or draft["path"] != request.path:
        return None
    if draft["user"] not in (None, request.user.pk):
        return None
    fields = QueryDict(mutable=True)
    fields.update(draft["fields"])
    vars(request)[_SHOWN] = True
    return fields, draft["why"]


def is_shown(request: HttpRequest) -> bool:
    """Whether the answer to this request may hold a draft."""
    return vars(request).get(_SHOWN, False)


@contextmanager
def carried_over(request: HttpRequest) -> Iterator[None]:
    """Keep the draft while a session ends, and know whose drafts those of its other tabs are."""
    kept = {key: request.session.get(key) for key in (_SESSION_KEY, BY_ADDRESS)}
    user_id = request.session.get(SESSION_KEY)
    yield
    request.session.update({key: draft for key, draft in kept.items() if draft})
    if user_id:
        request.session[_FORMER_USER] = int(user_id)


def drop(request: HttpRequest, key: str = _SESSION_KEY) -> None:
    if key in request.session:
        change_now(request, lambda session: session.pop(key, None))
