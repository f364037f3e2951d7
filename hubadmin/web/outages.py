"""The database cannot be used: one page for it, and one kind of log line, whatever was asked for.

What noticed it is told apart from what is wrong with a request or with hubadmin itself by the kind
of the error: IntegrityError and DataError are about what was asked of the database, not its state.
"""

import logging
from collections.abc import Iterator
from contextvars import ContextVar

from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from hubadmin.logging import REQUEST_ID
from hubadmin.web import drafts
from hubadmin.web.context_processors import contact
from hubadmin.web.language import page_to_come_back_to

logger = logging.getLogger(__name__)

RETRY_SECONDS = 30  # as the page says
SAFE = ("GET", "HEAD", "OPTIONS")
# It is away, locked, full or read-only; or it lacks a table or a right that hubadmin needs.
_AWAY = (OperationalError, InterfaceError, InternalError, ProgrammingError)
_UNREACHED = (OperationalError, InterfaceError)
_TOLD = 300  # characters of what the database said
# The id of the request that has committed something for which HubSpot is asked. As ids never come
# twice, nobody has to take it back.
_SENT_BY: ContextVar[str] = ContextVar("sent_by", default="")


def note_sent() -> None:
    """Note that this request may have something sent from here on, by itself or by a worker."""
    _SENT_BY.set(REQUEST_ID.get())


def cause_of(error: BaseException | None) -> Error | None:
    """Return the database's error that this one came of, if it tells that it cannot be used."""
    chain = list(_chain(error))
    if any(isinstance(each, IntegrityError | TransactionManagementError) for each in chain):
        return None
    return next((each for each in chain if isinstance(each, _AWAY)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def answer(request: HttpRequest, cause: Error) -> HttpResponse:
    """Tell of it, and whether anything was sent; without the database, so without who they are."""
    log(request, cause)
    was_nothing_sent = request.method in SAFE or _SENT_BY.get() != REQUEST_ID.get()
    context = {
        "was_nothing_sent": was_nothing_sent,
        "request_id": getattr(request, "id", ""),
        "posted": drafts.posted(request),
        "contact": contact(),
        "address": page_to_come_back_to(request) if request.method in SAFE else "",
    }
    is_part = "HX-Request" in request.headers
    page = render_to_string("includes/database_away.html" if is_part else "503.html", context)
    response = HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    vars(response)["_has_been_logged"] = True  # Django would write a line of its own
    return response


def log(request: HttpRequest, cause: Error) -> None:
    """One line; with where it was only if the database did answer, as then it may be our doing."""
    why = " ".join(str(cause).split())[:_TOLD]
    facts = {"method": request.method, "path": request.path, "why": why}
    where = None if isinstance(cause, _UNREACHED) else cause
    logger.error("the database cannot be used", exc_info=where, extra=facts)
