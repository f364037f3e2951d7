"""The one door for files that are streamed: how many at once, and until when.

A file takes as long as its reader likes, and a thread for all that time. So a person has few at
once, in all processes and machines together, and a process gives no more of its threads to files
than pages can spare. Over that, and before anything is logged or read, a page says so. A file ends
with its person's access, broken off.
"""

import logging
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps

from django.conf import settings
from django.core.signals import setting_changed
from django.db import Error as DBError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from associations.gateway import rate_limiter
from hubadmin.models import User
from hubadmin.web.access import is_still_in, watch
from hubadmin.web.http import AuthenticatedHttpRequest, View, http_1_1_required
from hubadmin.web.sending import GOES_ON

logger = logging.getLogger(__name__)

RETRY_SECONDS = 30


def download(view: View) -> View:
    """A view that streams a file, if there is room for one more; GET only, HEAD gives none."""

    @wraps(view)
    @http_1_1_required
    def guarded(
        request: AuthenticatedHttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        if request.method == "HEAD":
            response = view(request, *args, **kwargs)
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            return response
        place = _Place(request.user)
        if refusal := place.take():
            return _refused(request, refusal)
        try:
            response = view(request, *args, **kwargs)
        except BaseException:
            place.close()
            raise
        if isinstance(response, StreamingHttpResponse):
            _stream(request, response, place)
        else:
            place.close()
        return response

    return guarded


class _Place:
    """One thread of this process, and one of the downloads of a person."""

    def __init__(self, user: User) -> None:
        self._user, self._slot = user, 0
        self._threads: threading.BoundedSemaphore | None = None

    def take(self) -> int:
        """Return 0, or the HTTP status that says what there are too many of."""
        with _limit_may_be_away():
            self._slot = rate_limiter.take_download(self._user.pk)
            if not self._slot:
                return 429
        threads = _threads()
        if not threads.acquire(blocking=False):
            self.close()
            return 503
        self._threads = threads
        return 0

    def keep(self) -> None:
        """Say that it is still in use."""
        if self._slot:
            with _limit_may_be_away():
                rate_limiter.keep_download(self._slot)

    def close(self) -> None:
        """Give back what it has; once only, however often it is called."""
        threads, self._threads = self._threads, None
        if threads:
            threads.release()
        slot, self._slot = self._slot, 0
        if slot:
            with _limit_may_be_away():
                rate_limiter.end_download(slot)


@contextmanager
def _limit_may_be_away() -> Iterator[None]:
    """The limit of a person's downloads keeps nobody from a file where it cannot be asked."""
    try:
        yield
    except DBError:
        logger.exception("the limit of downloads could not be asked")


@lru_cache(maxsize=1)
def _threads() -> threading.BoundedSemaphore:
    """Those of this process that files may take: a quarter, and one at least."""
    return threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "WEB_THREADS":
        _threads.cache_clear()


def _stream(
    request: AuthenticatedHttpRequest, response: StreamingHttpResponse, place: _Place
) -> None:
    """Have the file end with its place, and go on for no longer than its person may have it."""

    def may_still() -> bool:
        place.keep()
        # Whoever was an admin, and is no more, has another role.
        same_role = User.objects.filter(pk=request.user.pk, role=request.user.role)
        return same_role.exists() and is_still_in(request)

    request.META[GOES_ON] = watch(may_still)
    response["X-Accel-Buffering"] = "no"  # a proxy shall pass it on as it comes
    response._resource_closers.append(place.close)  # type: ignore[attr-defined]
    # Nobody closes one that is dropped on its way, as where the session has ended meanwhile.
    weakref.finalize(response, place.close).atexit = False


def _refused(request: HttpRequest, status: int) -> HttpResponse:
    context = {"is_yours": status == 429, "downloads": rate_limiter.DOWNLOADS}
    response = render(request, "download_refused.html", context, status=status)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response
