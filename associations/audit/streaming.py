"""Files that are sent as they are made."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase

# There the end of a file is told by nothing but the end of the connection.
NEEDS_HTTP_1_1 = (
    "Over HTTP/1.0 an export could break off unnoticed, so none is sent. The proxy has to speak "
    "HTTP/1.1 to hubadmin; with nginx: proxy_http_version 1.1;\n"
)

View = Callable[..., HttpResponseBase]


def http_1_1_required(view: View) -> View:
    """Refuse where a part of the file could pass for the whole."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
            plain = "text/plain; charset=utf-8"
            return HttpResponse(NEEDS_HTTP_1_1, content_type=plain, status=505)
        return view(request, *args, **kwargs)

    return guarded
