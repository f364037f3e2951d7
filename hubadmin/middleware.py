"""What happens around every request: its id and log line, and the demand to be signed in."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from associations import drafts

from .logging import REQUEST_ID

logger = logging.getLogger("hubadmin.request")

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class RequestLogMiddleware:
    """Give each request an id (the inbound `X-Request-ID` if it is well formed) and a log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        inbound = request.headers.get("X-Request-ID", "")
        request.id = inbound if _ACCEPTED_ID.fullmatch(inbound) else uuid.uuid4().hex
        reset, start = REQUEST_ID.set(request.id), time.monotonic()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request.id
            self._log(request, response, start)
        finally:
            REQUEST_ID.reset(reset)
        return response

    def _log(self, request: HttpRequest, response: HttpResponse, start: float) -> None:
        # Only if some view has asked already: a log line shall not need the database.
        user = getattr(request, "_cached_user", None)
        extra = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "duration_ms": round((time.monotonic() - start) * 1000),
            "user": user.pk if user else None,
        }
        logger.info("request", extra=extra)


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Closed by default: to people who are signed out, and to those without a role.

    What somebody sent while signed out waits for them behind the sign-in.
    """

    def process_view(self, request: HttpRequest, view_func: Callable, *args: Any) -> Any:
        response = super().process_view(request, view_func, *args)
        is_closed = getattr(view_func, "login_required", True)
        if response is None and is_closed and not request.user.role:
            raise PermissionDenied
        return response

    def handle_no_permission(self, request: HttpRequest, view_func: Callable) -> HttpResponse:
        drafts.keep(request, drafts.SIGNED_OUT)
        return super().handle_no_permission(request, view_func)
