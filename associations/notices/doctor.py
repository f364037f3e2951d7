"""What `manage.py doctor` tries of notices: that each receiver could get one. It sends none.

Receivers go by their names: addresses of webhooks are secrets, and errors may hold them.
"""

import http.client
import smtplib
import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Thread
from time import monotonic

import certifi
from django.conf import settings
from django.core.mail import get_connection

from associations.models import Sealer, Worker
from associations.notices.webhooks import is_inside, kind_of
from hubadmin.receivers import Receiver
from hubadmin.web.doctor import Finding, Level, connect, why

SECONDS = 4  # for each answer of the mail server
WHOLE_SECONDS = 8.0  # for all receivers, tried side by side
_MAIL = "Compare EMAIL_URL with what the mail server wants."
_HOOK = "Correct its address in NOTICE_RECEIVERS, or see whether a firewall is in the way."


def receivers() -> Iterator[Finding]:
    """Whether there is anybody to tell, each of them is reached, and somebody sends."""
    if not settings.NOTICE_RECEIVERS:
        text = "Nobody is told of what happens: NOTICE_RECEIVERS is not set."
        yield Finding(Level.OK, text)
        return
    yield from _side_by_side(_tries())
    yield _senders()


def _tries() -> Iterator[tuple[str, Callable[[], Finding]]]:
    """What is tried, by what it is called: the mail server once, and each webhook."""
    by_mail = [each.name for each in settings.NOTICE_RECEIVERS if each.kind == "email"]
    if by_mail:
        what = f"The mail server, for notices to {', '.join(by_mail)},"
        yield what, partial(_mail, what)
    for receiver in settings.NOTICE_RECEIVERS:
        if receiver.kind != "email":
            what = f"The receiver {receiver.name}"
            yield what, partial(_webhook, what, receiver)


def _side_by_side(tries: Iterable[tuple[str, Callable[[], Finding]]]) -> Iterator[Finding]:
    """Nobody waits for one that hangs in a name server's silence."""
    asked = [*tries]
    found = dict[str, Finding]()

    def note(what: str, look: Callable[[], Finding]) -> None:
        found[what] = look()

    threads = [Thread(target=note, args=each, daemon=True) for each in asked]
    for thread in threads:
        thread.start()
    until = monotonic() + WHOLE_SECONDS
    for thread, (what, _) in zip(threads, asked, strict=True):
        thread.join(max(0.0, until - monotonic()))
        yield found.get(what) or _failed(what, "it does not answer in time", _HOOK)


def _failed(what: str, told: str, advice: str) -> Finding:
    return Finding(Level.FAILED, f"{what} cannot be used: {told}.", advice)


def _mail(what: str) -> Finding:
    """Sign in to it as a notice would, and send nothing."""
    try:
        with get_connection(timeout=SECONDS):
            pass
    except smtplib.SMTPAuthenticationError:
        return _failed(what, "it does not take user and password", "Correct EMAIL_URL.")
    except smtplib.SMTPNotSupportedError:
        told = "it offers no STARTTLS, or no way to sign in"
        return _failed(what, told, f"{_MAIL} smtp+ssl:// speaks TLS from the first byte.")
    except ssl.SSLError as error:
        return _failed(what, why(error), _MAIL)
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError) as error:
        is_late = kind_of(error) == "timed_out"
        told = "it closes the connection, or is no mail server"
        return _failed(what, "it does not answer in time" if is_late else told, _MAIL)
    except smtplib.SMTPException as error:
        return _failed(what, f"it refuses ({type(error).__name__})", _MAIL)
    except (OSError, ValueError) as error:
        return _failed(what, _why(error), _MAIL)
    is_signed_in = " and takes user and password" if settings.EMAIL_HOST_USER else ""
    by_tls = ", by TLS" if settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL else ""
    return Finding(Level.OK, f"{what} answers{is_signed_in}{by_tls}.")


def _webhook(what: str, receiver: Receiver) -> Finding:
    """Connect as a notice would, and say nothing."""
    try:
        there = connect(receiver.address, authorities=certifi.where())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _failed(what, _why(error), _HOOK)
    if is_inside(there) and receiver.name not in settings.NOTICE_PRIVATE_RECEIVERS:
        advice = "Name it in NOTICE_PRIVATE_RECEIVERS if it is meant to be there."
        return _failed(what, "it is at an address within this network", advice)
    tls = " by a TLS certificate that is trusted" if receiver.address.startswith("https:") else ""
    return Finding(Level.OK, f"{what} can be connected to{tls}.")


def _why(error: BaseException) -> str:
    """Words of ours alone: what says that an address is none may hold it."""
    return why(error) if isinstance(error, OSError) else "its address is no such address"


def _senders() -> Finding:
    """A worker or a sealer sends; what HubSpot alone knows, only a worker looks at."""
    if Worker.objects.alive().exists():
        return Finding(Level.OK, "A worker is alive, which sends notices.")
    if Sealer.objects.alive().exists():
        text = "A sealer is alive, which sends notices, but no worker: nobody looks at HubSpot."
        return Finding(Level.OK, text)
    text = "Nobody is alive who sends notices: no worker, and no seal_audit_log --every."
    advice = "Start one, or have a timer run manage.py send_notices each minute."
    return Finding(Level.WARNING, text, advice)
