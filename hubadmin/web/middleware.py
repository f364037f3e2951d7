"""What happens around every request.

Its id and log line, the time zone it is answered in, its size, and what browsers are told.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver, reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control

from hubadmin.logging import REQUEST_ID
from hubadmin.web import measuring
from hubadmin.web.client_ip import client_ip
from hubadmin.web.http import VISIBLE_ASCII, AnyHttpRequest

logger = logging.getLogger("hubadmin.request")

CLIENT_ID_LENGTH = 64
PROBES = ("healthz", "readyz", "metrics")
METHODS = ("GET", "POST", "HEAD")


def _failures_yet_to_come() -> Iterator[measuring.Labels]:
    views = [name for name in get_resolver().reverse_dict if isinstance(name, str)]
    yield from ((view, method, "5xx") for view in views for method in ("GET", "POST"))


REQUESTS = measuring.Counter(
    "hubadmin_http_requests",
    "Requests to this site that were answered.",
    ("view", "method", "status"),
    _failures_yet_to_come,
)
DURATION = measuring.Histogram(
    "hubadmin_http_request_duration_seconds",
    "Time until the answer to a request began.",
    ("view",),
)


class RequestLogMiddleware:
    """Give each request an id and a log line.

    The inbound `X-Request-ID` stands beside ours: anybody may send one, and the same one again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: AnyHttpRequest) -> HttpResponse:
        request.id, request.client_id = uuid.uuid4().hex, self._client_id(request)
        reset, start = REQUEST_ID.set(request.id), time.monotonic()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request.id
            seconds = time.monotonic() - start
            self._log(request, response, seconds)
            self._measure(request, response, seconds)
        finally:
            REQUEST_ID.reset(reset)
        return response

    @staticmethod
    def _client_id(request: HttpRequest) -> str:
        inbound = request.headers.get("X-Request-ID", "")
        return "".join(each for each in inbound if each in VISIBLE_ASCII)[:CLIENT_ID_LENGTH]

    def _log(self, request: AnyHttpRequest, response: HttpResponse, seconds: float) -> None:
        # Only if some view has asked already: a log line shall not need the database.
        user = getattr(request, "_cached_user", None)
        extra = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "duration_ms": round(seconds * 1000),
            "user": user.pk if user else None,
            "client_ip": client_ip(request),
        }
        extra |= {"client_request_id": request.client_id} if request.client_id else {}
        logger.log(self._level(request, response), "request", extra=extra)

    @staticmethod
    def _measure(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        """By the view's name, of which there are few; whatever has none is alike."""
        view = (request.resolver_match and request.resolver_match.url_name) or "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.add(view, str(method), f"{response.status_code // 100}xx")
        DURATION.observe(seconds, view)

    @staticmethod
    def _level(request: HttpRequest, response: HttpResponse) -> int:
        """Every few seconds somebody asks whether all is well; that it is, nobody has to read."""
        is_probe = request.resolver_match and request.resolver_match.url_name in PROBES
        return logging.DEBUG if is_probe and response.status_code < 400 else logging.INFO


class ViewerTimeZoneMiddleware:
    """Show times as they are where the viewer is, as far as their browser has told by a cookie.

    What a page loads later is of the page's zone, which its header names: by then the page's script
    may have told another, and one page shall not speak of two.
    """

    COOKIE, HEADER = "timezone", "Time-Zone"

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        told = request.headers.get(self.HEADER, ""), request.COOKIES.get(self.COOKIE, "")
        name = next((each for each in told if each in _time_zones()), None)
        if name is None:
            return self.get_response(request)
        with timezone.override(name):
            return self.get_response(request)


@lru_cache(maxsize=1)
def _time_zones() -> set[str]:
    return available_timezones()


class RequestSizeMiddleware:
    """Refuse too large a body and too many parameters in an address, before either is read.

    The body by its declared length: the server hands over no more than was declared.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdecimal() and int(declared[:18]) > self._limit(request):
            raise RequestDataTooBig
        # Whoever read the address later would raise it again and again, the error's page included.
        parameters = request.META.get("QUERY_STRING", "").count("&") + 1
        if parameters > settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:
            raise TooManyFieldsSent
        return self.get_response(request)

    @staticmethod
    def _limit(request: HttpRequest) -> int:
        # A file may be larger than what is typed; beyond this its form's page tells that it is not.
        is_upload = request.method == "POST" and request.path == reverse("bulk_runs")
        return settings.MAX_REQUEST_BYTES + (settings.BULK_MAX_BYTES if is_upload else 0)


class NoStoreMiddleware:
    """Have browsers keep no page, so that after a sign-out Back shows nobody's data.

    Closed by default: whatever comes from a view or stands in for one. Our static files do not
    come this way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_cache_control(response, no_store=True, private=True)
        return response


class BrowserHeadersMiddleware:
    """Tell browsers which of their features no page uses, and that our files are ours alone.

    And what SecurityMiddleware would tell, for the answers that it does not get to see.
    """

    UNUSED = [
        "camera",
        "display-capture",
        "fullscreen",
        "geolocation",
        "microphone",
        "midi",
        "payment",
        "usb",
    ]
    POLICY = ", ".join(f"{feature}=()" for feature in UNUSED)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = self.POLICY
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["Cross-Origin-Opener-Policy"] = settings.SECURE_CROSS_ORIGIN_OPENER_POLICY
        response["Referrer-Policy"] = settings.SECURE_REFERRER_POLICY
        response["X-Content-Type-Options"] = "nosniff"
        return response
