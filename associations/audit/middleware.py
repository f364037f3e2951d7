"""What a page says if the log cannot be read, in the row that it is about, or not be written."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from associations.audit.recorder import LogUnavailableError
from associations.models.readable import UnreadableRowError
from hubadmin.web.http import AnyHttpRequest


class LogErrorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: AnyHttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, UnreadableRowError):
            return render(request, "unreadable.html", {"row": error.row})
        if isinstance(error, LogUnavailableError):
            return render(request, "not_logged.html", {"request_id": request.id}, status=503)
        return None
