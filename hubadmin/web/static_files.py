"""Our style sheet, scripts and icons: named by what is in them, compressed, and kept for a year.

No step collects them anywhere, and nothing is written: the files stay where they are installed, and
what they are compressed to is made in memory when a browser first asks for it. So each process of
each machine has the same names for the same files, whatever it may write to.
"""

import io
from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast
from wsgiref.headers import Headers

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import (
    HashedFilesMixin,
    StaticFilesStorage,
    staticfiles_storage,
)
from django.http import HttpRequest, HttpResponse
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import Response, StaticFile

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "br": Compressor.compress_brotli,
    "gzip": Compressor.compress_gzip,
}


class HashedNames(HashedFilesMixin, StaticFilesStorage):  # type: ignore[misc] # as Django's own
    """Django's names with a hash, of files where they are: none of ours names another one."""

    def path(self, name: str | PathLike[str]) -> str:
        return finders.find(str(name)) or ""

    def stored_name(self, name: str) -> str:
        """Return `associations/icon.0123456789ab.svg`. Raises ValueError if there is no file."""
        if name not in self.hashed_files:
            self.hashed_files[name] = self.hashed_name(name)
        return self.hashed_files[name]


names = cast(HashedNames, staticfiles_storage)


class _Form(NamedTuple):
    """What WhiteNoise wants to know of a file, of one that may not be on any disk."""

    path: str
    size: int
    mtime: float


class _InMemory(StaticFile):
    """A file and what it is compressed to."""

    def get_file_stats(self, path: str, *args: object) -> dict[str | None, _Form]:
        file = Path(path)
        data, mtime = file.read_bytes(), file.stat().st_mtime
        self._forms = {None: data} | {name: make(data) for name, make in COMPRESSED.items()}
        return {name: _Form(path, len(form), mtime) for name, form in self._forms.items()}

    def get_response(self, method: str, request_headers: Mapping[str, Any]) -> Response:
        """As WhiteNoise's, with what it would open; a part of so small a file nobody need have."""
        if method != "GET":
            return super().get_response(method, request_headers)
        response = super().get_response("HEAD", {**request_headers, "HTTP_RANGE": ""})
        if response.status == HTTPStatus.OK:
            encoding = dict(response.headers).get("Content-Encoding")
            response.file = io.BytesIO(self._forms[encoding])
        return response


class _WhenAsked:
    """A file that is read when somebody first asks for it; for most of them nobody does."""

    def __init__(self, read: Callable[[], StaticFile]) -> None:
        self._read = cache(read)

    def get_response(self, *request: Any) -> Response:
        return self._read().get_response(*request)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Serves what apps bring, by its plain name, to be asked for again, and by its hashed one."""

    FOREVER = 365 * 24 * 60 * 60

    def __call__(self, request: HttpRequest) -> HttpResponse:
        file = self.files.get(request.path_info) or self._as_it_is_now(request.path_info)
        return self.serve(file, request) if file else super().__call__(request)

    def _as_it_is_now(self, url: str) -> _WhenAsked | None:
        """While machines are upgraded one after another, a page may name another version's file."""
        if not url.startswith(self.static_prefix):
            return None
        return self.files.get(self.get_name_without_hash(url))

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        hashed = names.stored_name(url.removeprefix(self.static_prefix))
        for each in (url, self.static_prefix + hashed):
            self.files[each] = _WhenAsked(partial(self._read, path, each))

    def _read(self, path: str, url: str) -> StaticFile:
        headers = Headers([])
        self.add_mime_headers(headers, path, url)
        self.add_cache_headers(headers, path, url)
        return _InMemory(path, headers.items())
