"""What `manage.py doctor` finds, and in which words; for every room that tries something."""

import errno
import http.client
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from json import JSONDecodeError
from pathlib import Path
from urllib.parse import unquote, urlsplit

CLOCK_DIFFERS, CLOCK_WRONG = timedelta(seconds=30), timedelta(minutes=5)
SECONDS = 5.0  # for one answer


class Level(StrEnum):
    """How a try ended, the best first."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one try, in a sentence, and what to do next if anything is."""

    level: Level
    text: str
    advice: str = ""


def why(error: BaseException) -> str:
    """Say in plain words why something on the network did not answer as it should."""
    chain = list(_chain(error))
    for kinds, said in _WORDS:
        if found := next((each for each in chain if isinstance(each, kinds)), None):
            detail = getattr(found, "verify_message", "") or ""
            return f"{said} ({detail})" if detail else said
    if status := next(filter(None, map(_status, chain)), 0):
        return f"it answers with HTTP {status}{_MEANING.get(status, '')}"
    if any("timeout" in type(each).__name__.lower() for each in chain):
        return _IN_TIME
    if any(getattr(each, "errno", None) in _NO_WAY for each in chain):
        return "there is no way to it from this machine"
    return " ".join(str(error).split())[:200] or type(error).__name__


_IN_TIME = "it does not answer in time"
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted here"),
    (ssl.SSLError, "it does not speak TLS there"),
    (socket.gaierror, "its name cannot be resolved (DNS)"),
    (ConnectionRefusedError, "nobody listens there (connection refused)"),
    (TimeoutError, _IN_TIME),
    (ConnectionError, "it closes the connection without an answer"),
    (JSONDecodeError, "it answers with something else than JSON"),
    (UnicodeDecodeError, "it answers with something else than JSON"),
    (http.client.HTTPException, "it does not speak HTTP there"),
)
_MEANING = {401: ", unauthorized", 403: ", forbidden", 404: ", not found", 407: " (the proxy)"}
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came of; libraries keep that in different places."""
    seen = set[int]()
    left = [error]
    while left:
        each = left.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


def _status(error: BaseException) -> int:
    """The HTTP status that an error of requests or urllib tells, or 0."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    status = status or getattr(error, "code", None)
    return status if isinstance(status, int) else 0


def clock_ahead(date: str | None, at: datetime) -> timedelta | None:
    """How far this machine's clock, which said `at`, is ahead of the `Date` of an answer.

    None where the answer tells none.
    """
    try:
        told = parsedate_to_datetime(date or "")
        return at - (told if told.tzinfo else told.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def clock(whose: str, date: str | None, at: datetime) -> Finding | None:
    """Compare this machine's clock with the `Date` of an answer, if that tells one."""
    ahead = clock_ahead(date, at)
    if ahead is None:
        return None
    apart = abs(ahead)
    seconds = round(apart.total_seconds())
    if apart <= CLOCK_DIFFERS:
        return Finding(Level.OK, f"This machine's clock agrees with {whose}'s.")
    level = Level.FAILED if apart > CLOCK_WRONG else Level.WARNING
    where = "ahead of" if ahead > timedelta() else "behind"
    return Finding(
        level,
        f"This machine's clock is {seconds} seconds {where} {whose}'s.",
        "Have the clock set by the network (systemd-timesyncd, chrony). Signing in fails where "
        "clocks differ by more than a minute.",
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an answer, and the moment in the middle of the call, by this machine's clock."""

    status: int
    content_type: str
    date: str | None
    at: datetime

    @property
    def is_page(self) -> bool:
        return self.status < 400 and self.content_type.startswith("text/html")


def ask(address: str, *, authorities: str, proxy: str = "") -> Answered:
    """Ask for an address, without any secret; `authorities` is a file or folder of those believed.

    Raises OSError, HTTPException, ValueError.
    """
    url = urlsplit(address)
    before = datetime.now(UTC)
    connection = _connection(address, authorities, proxy)
    try:
        connection.request("GET", url.path or "/", headers={"User-Agent": "hubadmin"})
        answer = connection.getresponse()
    finally:
        connection.close()
    at = before + (datetime.now(UTC) - before) / 2
    kind = answer.headers.get("Content-Type", "").lower()
    return Answered(answer.status, kind, answer.headers.get("Date"), at)


def connect(address: str, *, authorities: str) -> str:
    """Connect to an address as `ask` does, by TLS if it is https, and say nothing.

    Return the IP address at the other end. Raises OSError, ValueError.
    """
    connection = _connection(address, authorities, proxy="")
    try:
        connection.connect()
        return str(connection.sock.getpeername()[0])
    finally:
        connection.close()


def _connection(address: str, authorities: str, proxy: str) -> http.client.HTTPConnection:
    url = urlsplit(address)
    host, port = url.hostname or "", url.port
    if url.scheme == "http":
        return http.client.HTTPConnection(host, port or 80, timeout=SECONDS)
    is_folder = Path(authorities).is_dir()
    context = ssl.create_default_context(
        cafile=None if is_folder else authorities, capath=authorities if is_folder else None
    )
    if not proxy:
        return http.client.HTTPSConnection(host, port or 443, timeout=SECONDS, context=context)
    way = urlsplit(proxy)
    headers = {}
    if way.username:
        told = f"{unquote(way.username)}:{unquote(way.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(told.encode()).decode()}"
    through = http.client.HTTPSConnection(
        way.hostname or "", way.port or 3128, timeout=SECONDS, context=context
    )
    through.set_tunnel(host, port or 443, headers)
    return through
