"""E-mail by a real mail server on this machine."""

import socket
import time
from datetime import UTC, datetime
from threading import Thread

from django.test import SimpleTestCase

from associations.models import Notice
from associations.notices.messages import message_of
from associations.notices.sending import try_to_send
from hubadmin.receivers import Receiver
from tests.associations.notices.base import SITE, Mails, closed_port, mail_at, told

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
OPS = Receiver("ops", "email", "ops@example.com")


class MailTests(SimpleTestCase):
    def send(self, **settings: object) -> str:
        with told("ops email ops@example.com", EMAIL_TIMEOUT=1, **settings):
            notice = Notice(pk=7, event="seal_late", at=NOON, path="/status/#log")
            return try_to_send(OPS, message_of(notice))

    def test_it_arrives(self) -> None:
        server = self.enterContext(Mails())
        self.assertEqual(self.send(**server.settings), "")
        self.assertEqual(server.recipients, [["ops@example.com"]])
        (mail,) = server.mails
        self.assertEqual(
            mail["Subject"], "[hubadmin] Closed entries of the audit log wait for a seal."
        )
        self.assertEqual(mail["From"], "hubadmin@hubadmin.example.com")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertEqual(mail["Message-ID"], "<notice-7@hubadmin.example.com>")
        text = mail.get_content().replace("\r\n", "\n")
        self.assertIn(f"2026-11-29 12:00 UTC\n{SITE}/status/#log", text)

    def test_from_whom_it_is_may_be_set(self) -> None:
        server = self.enterContext(Mails())
        self.send(**server.settings, EMAIL_FROM="hub@example.com")
        self.assertEqual(server.mails[0]["From"], "hub@example.com")

    def test_it_is_refused(self) -> None:
        server = self.enterContext(Mails(refusing=True))
        self.assertEqual(self.send(**server.settings), "mail_refused")

    def test_nobody_listens(self) -> None:
        self.assertEqual(self.send(**mail_at(closed_port())), "no_connection")

    def test_no_tls_where_it_was_wanted(self) -> None:
        server = self.enterContext(Mails())
        self.assertEqual(self.send(**server.settings, EMAIL_USE_TLS=True), "mail_refused")

    def test_a_password_that_it_does_not_take(self) -> None:
        server = self.enterContext(Mails())
        settings = {"EMAIL_HOST_USER": "canary", "EMAIL_HOST_PASSWORD": "canary"}
        self.assertEqual(self.send(**server.settings, **settings), "mail_refused")

    def test_it_says_nothing_or_hangs_up(self) -> None:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        start = time.monotonic()
        self.assertEqual(self.send(**mail_at(port)), "timed_out")
        self.assertLess(time.monotonic() - start, 5)
        Thread(target=lambda: [listener.accept()[0].close() for _ in range(2)], daemon=True).start()
        self.assertEqual(self.send(**mail_at(port)), "no_connection")
