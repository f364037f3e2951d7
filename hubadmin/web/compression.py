"""Compresses pages, but none by whose size anybody could find out what else stands there.

Where a page repeats what somebody chose, beside what they want to know, its compressed size tells
whether the two are alike (BREACH). Whoever wants to know has to choose again and again, from a site
of their own: so an answer is compressed only if the browser says that no other site asked for it,
and if nothing of the address, of a form or of a draft can stand in it. Django adds some bytes at
random as well.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from hubadmin.web import drafts

ASKED_BY_OURSELVES = {"same-origin", "none"}  # `none`: the person, by a bookmark or the address bar


class CompressionMiddleware(GZipMiddleware):
    """Pages only: files are streamed, and go out as they are, to the byte."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page or response.streaming or may_tell_by_its_size(request):
            return response
        return super().process_response(request, response)


def may_tell_by_its_size(request: HttpRequest) -> bool:
    """Whether the answer may hold what somebody chose, or another site may have asked for it."""
    return (
        request.method not in ("GET", "HEAD")
        or bool(request.META.get("QUERY_STRING"))
        or request.headers.get("Sec-Fetch-Site") not in ASKED_BY_OURSELVES
        or drafts.is_shown(request)
    )
