"""The door to HubSpot: the only module of this room that imports requests."""

import random
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from associations.hubspot.answers import Answer, Attempt, merge_attempts, read_answer, retry_after
from associations.hubspot.object_types import resolve
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import is_record_id
from associations.hubspot.sanitizing import clean, clean_headers, json_object
from associations.hubspot.transport import CALL_DEADLINE, CallDeadline, note_exchanges

MAX_BODY_BYTES = 1024 * 1024
MAX_READ_BYTES = 8 * MAX_BODY_BYTES  # schemas come with every property
MARGIN_BYTES = 4096  # read beyond it, so that no token is cut in two and half of it kept

# When HubSpot ends its support of each version: of v4 the earlier of the two dates announced; of
# the dated ones the first of the month that is 18 months after theirs.
SUPPORT_ENDS = {
    "v4": date(2027, 3, 30),
    "2026-03": date(2027, 9, 1),
    "2026-09": date(2028, 3, 1),
}
# The API version only chooses the path.
OBJECT_PATHS = {
    "v4": "/crm/v4/objects",
    "2026-03": "/crm/objects/2026-03",
    "2026-09": "/crm/objects/2026-09",
}
RECORD_PATHS = OBJECT_PATHS | {"v4": "/crm/v3/objects"}
ASSOCIATION_PATHS = {
    "v4": "/crm/v4/associations",
    "2026-03": "/crm/associations/2026-03",
    "2026-09": "/crm/associations/2026-09",
}

# What an attempt to unlink was.
ARCHIVE, DELETE = "archive", "delete"

_KEPT_HEADERS = ("content-type", "location", "retry-after", "x-hubspot-")  # or what starts so


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often to try; times in seconds.

    `total` is the deadline over the whole call, attempts and pauses together.
    """

    connect: float = 3.0
    read: float = 10.0
    total: float = 20.0
    attempts: int = 3
    pause: float = 1.0


# Asked before each call, with the seconds that are left for it: whether it may be made now.
Admit = Callable[[float], bool]
# Asked right before each call: whether the person in whose name it is may still act.
IsStillIn = Callable[[], bool]
# Told after each call what came back, and from which path.
Learn = Callable[[str, Attempt], object]


class ReadError(Exception):
    """HubSpot did not show what was asked for; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer

    @property
    def cause(self) -> Cause:
        return self.answer.cause


class Adapter(HTTPAdapter):
    """Has all connections obey and fill the current CallDeadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        note_exchanges(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        note_exchanges(manager)
        return manager


class HubSpotClient:
    """Speaks to HubSpot over one pooled session; safe to share between threads."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        api_version: str = "v4",
        proxy_url: str = "",
        ca_bundle: str = "",
        pool_size: int = 32,
        user_agent: str = "hubadmin",
        limits: Limits | None = None,
        admit: Admit = lambda seconds: True,
        learn: Learn = lambda path, attempt: None,
    ) -> None:
        self.api_version = api_version
        self.limits = limits or Limits()
        self._admit, self._learn = admit, learn
        self._is_still_in: IsStillIn = lambda: True
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._session = _session(token, user_agent, proxy_url, ca_bundle, pool_size)
        # The `Date` of the latest answer, and when it came, by this machine's clock.
        self.last_date: tuple[str, datetime] | None = None

    @property
    def authorities(self) -> str:
        """The file or folder of those whose certificates are believed."""
        told = self._session.verify
        return told if isinstance(told, str) else requests.utils.DEFAULT_CA_BUNDLE_PATH

    def on_behalf(self, is_still_in: IsStillIn) -> "HubSpotClient":
        """Return the same client, for calls of a person who may leave meanwhile.

        It shares all but that question. A call for somebody who has left is not made, and fails as
        `access_ended`.
        """
        client = copy(self)
        client._is_still_in = is_still_in
        return client

    def with_turns(self, admit: Callable[[float], bool]) -> "HubSpotClient":
        """Return the same client, whose calls wait for their turn in another way."""
        client = copy(self)
        client._admit = admit
        return client

    def create_default_association(
        self,
        *,
        from_object_type: str,
        from_object_id: str,
        to_object_type: str,
        to_object_id: str,
        on_attempt: Callable[[Attempt], object] = lambda attempt: None,
        on_last: Callable[[Attempt], object] | None = None,
    ) -> Answer:
        """Link two records by their default association type; the PUT is safe to repeat.

        Types in canonical form, ids of 1 to 20 digits; anything else raises ValueError before a
        byte leaves. `on_attempt` is called as each attempt ends; `on_last`, if given, in its place
        for the one that no other follows. No HTTP failure is raised: every one is an Answer.
        """
        path = default_association_path(
            from_object_type, from_object_id, to_object_type, to_object_id
        )
        url = self._base_url + OBJECT_PATHS[self.api_version] + path
        deadline = time.monotonic() + self.limits.total
        answers: list[Answer] = []
        while True:
            attempt = self._attempt("PUT", url, deadline)
            answers.append(
                read_answer(attempt, from_object_id=from_object_id, to_object_id=to_object_id)
            )
            pause = self._pause_if_retried(attempt, answers)
            if pause is None or time.monotonic() + pause >= deadline:
                (on_last or on_attempt)(attempt)
                return merge_attempts(answers)
            on_attempt(attempt)
            time.sleep(pause)

    def create_default_associations(
        self, *, from_object_type: str, to_object_type: str, pairs: Sequence[tuple[str, str]]
    ) -> Attempt:
        """Link up to 2,000 pairs of records of two types in one call, which is made once.

        `pairs` are ids of 1 to 20 digits, types in canonical form; anything else raises ValueError.
        What came back is for read_batch_answer().
        """
        path = default_associations_path(from_object_type, to_object_type)
        if not all(is_record_id(each) for pair in pairs for each in pair):
            raise ValueError("not record ids")
        body = {"inputs": [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]}
        url = self._base_url + ASSOCIATION_PATHS[self.api_version] + path
        deadline = time.monotonic() + self.limits.total
        return self._attempt("POST", url, deadline, body, MAX_READ_BYTES)

    def remove_association(
        self,
        *,
        from_object_type: str,
        from_object_id: str,
        to_object_type: str,
        to_object_id: str,
        type_: tuple[str, int] | None = None,
        seconds: float,
    ) -> Attempt:
        """Unlink two records, in one call which is made once: by this type, or by all there are.

        `type_` is HubSpot's category and number of it. Removing the default type removes the
        others of the pair, too. It takes no longer than `seconds`. Raises ValueError like
        create_default_association(). What came back is for read_removal().
        """
        path = default_association_path(
            from_object_type, from_object_id, to_object_type, to_object_id
        ).replace("/associations/default/", "/associations/")
        deadline = time.monotonic() + seconds
        if type_ is None:
            url = self._base_url + OBJECT_PATHS[self.api_version] + path
            return replace(self._attempt("DELETE", url, deadline), call=DELETE)
        types = [{"associationCategory": type_[0], "associationTypeId": type_[1]}]
        pair = {"from": {"id": from_object_id}, "to": {"id": to_object_id}, "types": types}
        path = f"/{from_object_type}/{to_object_type}/batch/labels/archive"
        url = self._base_url + ASSOCIATION_PATHS[self.api_version] + path
        return replace(self._attempt("POST", url, deadline, {"inputs": [pair]}), call=ARCHIVE)

    def _pause_if_retried(self, attempt: Attempt, answers: Sequence[Answer]) -> float | None:
        if not answers[-1].verdict.retried or len(answers) >= self.limits.attempts:
            return None
        if attempt.failure is Cause.RATE_LIMITED:  # it has waited for its turn already
            return None
        return self.pause_before_next(attempt, len(answers))

    def pause_before_next(self, attempt: Attempt, attempts: int) -> float:
        """Seconds to wait: as HubSpot asks, else growing; with jitter, so that a crowd spreads."""
        asked = retry_after(attempt.http_status, attempt.headers)
        if asked is not None:
            return asked + random.uniform(0, 0.25) * self.limits.pause
        return random.uniform(0.5, 1.5) * attempts * self.limits.pause

    def read(self, path: str, body: Any = None, *, seconds: float) -> dict[str, Any]:
        """Return the JSON object that HubSpot shows at `path`; with a `body`, by a POST of it.

        Only for calls that change nothing. The caller vouches for the path. It takes no longer than
        `seconds`; a connection that HubSpot had closed meanwhile is opened once more. Raises
        ReadError.
        """
        method = "GET" if body is None else "POST"
        deadline = time.monotonic() + seconds
        for _ in range(2):
            attempt = self._attempt(method, self._base_url + path, deadline, body, MAX_READ_BYTES)
            if attempt.failure is not Cause.CONNECTION_LOST or time.monotonic() >= deadline:
                break
        return _shown(attempt)

    def read_token_info(self, path: str, *, seconds: float) -> dict[str, Any]:
        """Return what HubSpot tells of this client's token, which leaves in that call's body."""
        return self.read(path, {"tokenKey": self._token}, seconds=seconds)

    def _attempt(
        self,
        method: str,
        url: str,
        deadline: float,
        body: Any = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Attempt:
        if not self._admit(deadline - time.monotonic()):
            return _not_made(Cause.RATE_LIMITED)
        if not self._is_still_in():  # only now: it has waited for its turn
            return _not_made(Cause.ACCESS_ENDED)
        started_at, start = datetime.now(UTC), time.monotonic()
        exchange = CallDeadline(deadline, self.limits.read)
        CALL_DEADLINE.set(exchange)
        try:
            end = self._answer(method, url, max(0.05, deadline - start), body, max_bytes)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            end = self._broken_off(e, exchange.sent)
        duration_ms = round((time.monotonic() - start) * 1000)
        attempt = Attempt(started_at=started_at, duration_ms=duration_ms, **end)
        self._learn(url.removeprefix(self._base_url), attempt)
        return attempt

    def _answer(
        self, method: str, url: str, left: float, json: Any, max_bytes: int
    ) -> dict[str, Any]:
        response = self._session.request(
            method,
            url,
            json=json,
            timeout=(min(self.limits.connect, left), min(self.limits.read, left)),
            allow_redirects=False,
            stream=True,  # so that no body is read beyond its bound
        )
        self.last_date = response.headers.get("Date", ""), datetime.now(UTC)
        headers = clean_headers(response.headers, _KEPT_HEADERS, self._token)
        end: dict[str, Any] = {"http_status": response.status_code, "headers": headers}
        with response:
            try:
                body = response.raw.read(max_bytes + MARGIN_BYTES, decode_content=True)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                # A refusal is one, whatever became of its words.
                return end | self._broken_off(error, sent=True) | {"body_complete": False}
        return end | {
            "body": clean(body.decode("utf-8", "replace"), self._token)[:max_bytes],
            "body_complete": len(body) <= max_bytes,
        }

    def _broken_off(self, error: Exception, sent: bool) -> dict[str, Any]:
        return {"failure": _failure(error, sent), "detail": clean(_text(error), self._token)[:500]}


_WHY_NOT_MADE = {
    Cause.RATE_LIMITED: "all calls that this site allows itself within ten seconds are in use",
    Cause.ACCESS_ENDED: "whoever asked for it has signed out or lost their access",
}


def _not_made(cause: Cause) -> Attempt:
    """What stands for a call that hubadmin itself did not let through."""
    detail = f"not sent: {_WHY_NOT_MADE[cause]}"
    return Attempt(datetime.now(UTC), 0, failure=cause, detail=detail)


def _shown(attempt: Attempt) -> dict[str, Any]:
    succeeded = attempt.http_status is not None and 200 <= attempt.http_status < 300
    if not succeeded or attempt.failure:
        answer = read_answer(attempt, from_object_id="", to_object_id="")
        raise ReadError(replace(answer, body=""))  # it may be kept for a while
    body = json_object(attempt.body) if attempt.body_complete else None
    if body is None:
        raise ReadError(Answer(Cause.UNREADABLE, http_status=attempt.http_status))
    return body


def default_association_path(
    from_object_type: str, from_object_id: str, to_object_type: str, to_object_id: str
) -> str:
    """Return the path below `…/objects`. Raises ValueError for what is not allow-listed."""
    _demand_canonical(from_object_type, to_object_type)
    for object_id in (from_object_id, to_object_id):
        if not is_record_id(object_id):
            raise ValueError(f"not a record id: {object_id!r}")
    return (
        f"/{from_object_type}/{from_object_id}/associations/default/{to_object_type}/{to_object_id}"
    )


def default_associations_path(from_object_type: str, to_object_type: str) -> str:
    """Return the path below `…/associations`. Raises ValueError for what is not allow-listed."""
    _demand_canonical(from_object_type, to_object_type)
    return f"/{from_object_type}/{to_object_type}/batch/associate/default"


def _demand_canonical(*object_types: str) -> None:
    for object_type in object_types:
        if resolve(object_type).canonical != object_type:
            raise ValueError(f"not a canonical object type: {object_type!r}")


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect is followed, so none is worked out: what an odd one says would be raised."""


def _session(
    token: str, user_agent: str, proxy_url: str, ca_bundle: str, pool_size: int
) -> requests.Session:
    session = _Session()
    # The environment is not trusted: ~/.netrc would replace the Authorization header, and
    # REQUESTS_CA_BUNDLE would override `verify`.
    session.trust_env = False
    session.verify = ca_bundle or True
    if proxy_url:
        session.proxies = {"http": proxy_url, "https": proxy_url}
    # Each call stands alone: no cookie of one answer goes out with the next request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = requests.structures.CaseInsensitiveDict(
        {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # small answers, whose bound is then the true one
            "User-Agent": user_agent,
        }
    )
    adapter = Adapter(pool_connections=2, pool_maxsize=pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _failure(error: Exception, sent: bool) -> Cause:
    """Which kind of silence it was; only one before the first byte proves there is no link."""
    if not sent or isinstance(error, requests.exceptions.ProxyError):
        return Cause.NO_CONNECTION
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return Cause.TIMED_OUT if isinstance(error, timeouts) else Cause.CONNECTION_LOST


def _text(error: BaseException) -> str:
    """A short plain text of the innermost reason; the outer ones repeat addresses and objects."""
    inner = getattr(error, "reason", None)
    inner = inner or next((arg for arg in error.args if isinstance(arg, Exception)), None)
    if isinstance(inner, Exception):
        return _text(inner)
    return f"{type(error).__name__}: {str(error).split('>: ')[-1].split('): ')[-1]}"
