"""Webhooks: one POST each, no redirect followed, to no address inside, with a deadline.

No error has words of its own here: these could hold the address, which is a secret.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from html import escape
from ipaddress import IPv6Address, ip_address
from typing import Any

import requests
from django.conf import settings

from associations.hubspot.client import Adapter
from associations.hubspot.transport import CALL_DEADLINE, CallDeadline
from associations.notices.messages import Message
from hubadmin import __version__

CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 8.0


class NotDeliveredError(Exception):
    """A receiver has not taken it; `args` has the short name of why."""

    @property
    def code(self) -> str:
        return str(self.args[0])


class _InsideError(Exception):
    pass


def post(kind: str, address: str, message: Message, *, may_be_inside: bool) -> None:
    """Have a receiver of that kind told. Raises NotDeliveredError."""
    body = json.dumps(BODIES[kind](message)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"hubadmin/{__version__}"}
    if kind == "json":
        headers |= signed(body, round(time.time()))
    deadline = CallDeadline(
        time.monotonic() + TOTAL_SECONDS,
        TOTAL_SECONDS,
        check=None if may_be_inside else _demand_outside,
    )
    used = CALL_DEADLINE.set(deadline)
    try:
        status = _status_of(address, body, headers)
    finally:
        CALL_DEADLINE.reset(used)
    if 300 <= status < 400:
        raise NotDeliveredError("redirected")
    if not 200 <= status < 300:
        raise NotDeliveredError(f"answered_{status}")


def signed(body: bytes, now: int) -> dict[str, str]:
    """Return the headers by which a receiver knows whose words these are, and when they were."""
    key = settings.NOTICE_SIGNING_SECRET.encode()
    code = hmac.new(key, b"%d." % now + body, hashlib.sha256).hexdigest()
    return {"X-Hubadmin-Timestamp": str(now), "X-Hubadmin-Signature": f"sha256={code}"}


def _status_of(address: str, body: bytes, headers: dict[str, str]) -> int:
    with requests.Session() as session:
        session.trust_env = False  # neither its proxies nor its passwords
        session.mount("https://", Adapter())
        session.mount("http://", Adapter())
        try:
            # What it answers beyond the status, nobody reads.
            answer = session.post(
                address,
                data=body,
                headers=headers,
                allow_redirects=False,
                stream=True,
                timeout=(CONNECT_SECONDS, TOTAL_SECONDS),
            )
            with answer:
                return answer.status_code
        except _InsideError:
            raise NotDeliveredError("inside") from None
        except requests.exceptions.SSLError:
            raise NotDeliveredError("certificate") from None
        except requests.Timeout:
            raise NotDeliveredError("timed_out") from None
        except requests.ConnectionError as error:
            raise NotDeliveredError(kind_of(error)) from None
        except (requests.RequestException, ValueError):
            raise NotDeliveredError("unusable") from None


def kind_of(error: BaseException) -> str:
    """Whether a connection was too slow, which an error within this one says, or failed."""
    seen: BaseException | None = error
    while seen:
        if isinstance(seen, TimeoutError):
            return "timed_out"
        seen = seen.__context__
    return "no_connection"


def is_inside(address: str) -> bool:
    """Whether this IP address is private, loopback, link-local or the like."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    return not ip.is_global or ip.is_multicast


def _demand_outside(address: str) -> None:
    if is_inside(address):
        raise _InsideError


def _slack(message: Message) -> dict[str, Any]:
    return {"text": escape(f"{message.text}\n{message.when} · {message.url}", quote=False)}


def _teams(message: Message) -> dict[str, Any]:
    """What a Workflow for webhooks takes: an Adaptive Card."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": message.text, "wrap": True, "weight": "Bolder"},
            {"type": "TextBlock", "text": message.when, "wrap": True, "isSubtle": True},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "hubadmin", "url": message.url}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


BODIES: dict[str, Callable[[Message], dict[str, Any]]] = {
    "slack": _slack,
    "teams": _teams,
    "json": lambda message: message.facts,
}
