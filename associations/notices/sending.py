"""Hands notices to their receivers, each in a thread of its own: none waits for another.

Threads only speak to receivers; the database is that of whoever calls `tick()`.
"""

import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from associations.models import Delivery
from associations.notices import outbox
from associations.notices.messages import Message, message_of
from associations.notices.webhooks import NotDeliveredError, kind_of, post
from hubadmin.receivers import Receiver

logger = logging.getLogger(__name__)


class Sender:
    """What one process has on its way; `tick()` is called again and again."""

    def __init__(self) -> None:
        self._under_way: dict[str, Thread] = {}
        self._results = SimpleQueue[tuple[Delivery, str]]()

    @property
    def is_busy(self) -> bool:
        return (
            any(each.is_alive() for each in self._under_way.values()) or not self._results.empty()
        )

    def tick(self) -> None:
        """Note what has come of what was sent, and send what is due; wait for nobody.

        A receiver that has not answered yet gets nothing more of this process.
        """
        self._note_results()
        for receiver in settings.NOTICE_RECEIVERS:
            thread = self._under_way.get(receiver.name)
            if thread and thread.is_alive():
                continue
            if claimed := outbox.claim(receiver.name):
                letters = [(each, message_of(each.notice)) for each in claimed]
                self._under_way[receiver.name] = _start(self._deliver, receiver, letters)

    def _note_results(self) -> None:
        while True:
            try:
                delivery, error = self._results.get_nowait()
            except Empty:
                return
            facts = {"notice": delivery.notice_id, "receiver": delivery.receiver}
            if error:
                outbox.note_failed(delivery, error)
                logger.warning("a notice was not delivered", extra=facts | {"why": error})
            else:
                outbox.note_sent(delivery)
                logger.info("a notice was delivered", extra=facts)

    def _deliver(self, receiver: Receiver, letters: Sequence[tuple[Delivery, Message]]) -> None:
        """One after the other, until one fails: the others would fail as well, and come again."""
        for delivery, message in letters:
            error = try_to_send(receiver, message)
            self._results.put((delivery, error))
            if error:
                return


def _start(work: Callable[..., None], *arguments: object) -> Thread:
    # Of its own accord it ends nothing: at the end of the process nobody waits for it.
    thread = Thread(target=work, args=arguments, name="notices", daemon=True)
    thread.start()
    return thread


def try_to_send(receiver: Receiver, message: Message) -> str:
    """Send it; return the short name of why that failed, if it did."""
    try:
        if receiver.kind == "email":
            _mail(receiver.address, message)
        else:
            may_be_inside = receiver.name in settings.NOTICE_PRIVATE_RECEIVERS
            post(receiver.kind, receiver.address, message, may_be_inside=may_be_inside)
    except NotDeliveredError as error:
        return error.code
    except Exception as error:  # its words may hold the address
        logger.error("a notice could not be made", extra={"kind": type(error).__name__})
        return "unusable"
    return ""


def _mail(address: str, message: Message) -> None:
    """By Django's mail. Raises NotDeliveredError."""
    host = urlsplit(settings.SITE_URL).hostname or "hubadmin"
    mail = EmailMessage(
        f"[hubadmin] {message.text}"[:200],
        f"{message.text}\n\n{message.when}\n{message.url}\n",
        settings.EMAIL_FROM or f"hubadmin@{host}",
        [address],
        # So that nobody's holiday answers; and the same notice is the same mail, sent twice or not.
        headers={
            "Auto-Submitted": "auto-generated",
            "Message-ID": f"<notice-{message.number}@{host}>",
        },
    )
    try:
        mail.send()
    except ssl.SSLError:
        raise NotDeliveredError("certificate") from None
    except smtplib.SMTPAuthenticationError:
        raise NotDeliveredError("mail_password") from None
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError) as error:
        raise NotDeliveredError(kind_of(error)) from None
    except smtplib.SMTPException:
        raise NotDeliveredError("mail_refused") from None
    except OSError as error:
        raise NotDeliveredError(kind_of(error)) from None
