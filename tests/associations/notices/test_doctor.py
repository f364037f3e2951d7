"""What `manage.py doctor` tries of notices: real mail servers, real TLS, and no word too many."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from django.test import TestCase, override_settings
from django.utils import timezone

from associations.models import Sealer, Worker
from associations.notices import doctor
from hubadmin.web.doctor import Finding, Level
from tests.associations.notices.base import Hooks, Mails, closed_port, mail_at, told
from tests.hubadmin.broken_servers import Babbling, Silent, answering, listening, own_authority

SECRET_PATH = "/services/canary-of-a-webhook"
MAIL = "ops email canary@example.com"


def said(found: list[Finding]) -> str:
    return " ".join(f"{each.text} {each.advice}" for each in found)


@contextmanager
def mail_server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """One that takes a password, `secret`, by TLS alone, if it has any."""

    def check(*arguments: Any) -> AuthResult:
        login: LoginPassword = arguments[-1]
        return AuthResult(success=login.password == b"canary-secret", handled=False)

    server = Controller(
        object(),
        hostname="127.0.0.1",
        port=closed_port(),
        authenticator=check,
        auth_required=True,
        auth_require_tls=bool(context),
        tls_context=context,
        require_starttls=bool(context),
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


class NoticesTestCase(TestCase):
    def found(self, text: str, **settings: Any) -> list[Finding]:
        """What is found of these receivers, all of whom may be on this machine unless it says."""
        with told(text, EMAIL_TIMEOUT=1, **settings):
            found = [*doctor.receivers()]
        self.assertNotIn("canary", said(found))
        self.assertNotIn("127.0.0.1", said(found))
        return found

    def first(self, text: str, **settings: Any) -> Finding:
        return self.found(text, **settings)[0]


class MailTests(NoticesTestCase):
    def test_one_that_answers_and_gets_nothing(self) -> None:
        server = self.enterContext(Mails())
        both = f"{MAIL}; boss email boss@example.com"
        found = self.found(both, **server.settings)
        self.assertEqual([each.level for each in found], ["ok", "warning"])
        self.assertIn("for notices to ops, boss, answers", found[0].text)
        self.assertEqual(server.mails, [])

    def test_tls_and_a_password_that_is_right_or_not(self) -> None:
        with own_authority() as (context, file), mail_server(context) as port:
            by_tls = mail_at(port) | {"EMAIL_USE_TLS": True, "EMAIL_HOST_USER": "canary-user"}
            found = self.first(MAIL, **by_tls, EMAIL_HOST_PASSWORD="canary-secret")
            self.assertIn("its TLS certificate is not trusted here", found.text)
            with mock.patch.dict("os.environ", SSL_CERT_FILE=str(file)):
                found = self.first(MAIL, **by_tls, EMAIL_HOST_PASSWORD="canary-other")
                self.assertIn("does not take user and password", found.text)
                found = self.first(MAIL, **by_tls, EMAIL_HOST_PASSWORD="canary-secret")
        self.assertEqual(found.level, Level.OK)
        self.assertIn("takes user and password, by TLS", found.text)

    def test_whatever_else_it_does(self) -> None:
        server = self.enterContext(Mails())
        self.assertIn(
            "offers no STARTTLS", self.first(MAIL, **server.settings, EMAIL_USE_TLS=True).text
        )
        self.assertIn("connection refused", self.first(MAIL, **mail_at(closed_port())).text)
        with mock.patch.object(doctor, "SECONDS", 0.3), listening(Silent) as address:
            port = int(address.rsplit(":", 1)[1])
            self.assertIn("does not answer in time", self.first(MAIL, **mail_at(port)).text)
        with listening(answering()) as address:
            port = int(address.rsplit(":", 1)[1])
            self.assertEqual(self.first(MAIL, **mail_at(port)).level, Level.FAILED)
        nowhere = mail_at(25) | {"EMAIL_HOST": "canary.invalid"}
        self.assertIn("(DNS)", self.first(MAIL, **nowhere).text)


class WebhookTests(NoticesTestCase):
    def test_one_that_is_there_is_told_nothing(self) -> None:
        hooks = self.enterContext(Hooks())
        found = self.first(f"chat slack {hooks.url}{SECRET_PATH}")
        self.assertEqual(found, Finding(Level.OK, "The receiver chat can be connected to."))
        self.assertEqual(hooks.posts, [])

    def test_one_inside_has_to_be_named(self) -> None:
        hooks = self.enterContext(Hooks())
        found = self.first(f"chat slack {hooks.url}{SECRET_PATH}", NOTICE_PRIVATE_RECEIVERS=[])
        self.assertEqual(found.level, Level.FAILED)
        self.assertIn("address within this network", found.text)

    def test_a_certificate(self) -> None:
        with own_authority() as (context, file), listening(answering(), context) as address:
            receiver = f"chat teams {address}{SECRET_PATH}"
            self.assertIn("its TLS certificate is not trusted here", self.first(receiver).text)
            with mock.patch("certifi.where", return_value=str(file)):
                self.assertIn("by a TLS certificate that is trusted", self.first(receiver).text)

    def test_whatever_is_wrong_with_it(self) -> None:
        for address, words in (
            (f"http://127.0.0.1:{closed_port()}{SECRET_PATH}", "connection refused"),
            (f"https://canary.invalid{SECRET_PATH}", "(DNS)"),
            (f"https://canary.example.com:port{SECRET_PATH}", "no such address"),
            (f"https://[canary{SECRET_PATH}", "no such address"),
            (f"https://{'canary' * 20}.example{SECRET_PATH}", "cannot be used"),
        ):
            with self.subTest(words):
                found = self.first(f"chat json {address}")
                self.assertEqual(found.level, Level.FAILED)
                self.assertIn(words, found.text)
        with listening(Babbling) as address:
            found = self.first(f"chat json {address.replace('http', 'https')}{SECRET_PATH}")
        self.assertIn("does not speak TLS", found.text)

    def test_one_that_is_silent_keeps_no_other_waiting(self) -> None:
        hooks = self.enterContext(Hooks())
        with listening(Silent) as silent, mock.patch.object(doctor, "WHOLE_SECONDS", 0.5):
            url = f"{silent.replace('http', 'https')}{SECRET_PATH}"
            start = time.monotonic()
            found = self.found(
                f"one json {url}; two json {url}; chat json {hooks.url}{SECRET_PATH}"
            )
        self.assertLess(time.monotonic() - start, 3)
        self.assertEqual([each.level for each in found[:3]], ["failed", "failed", "ok"])
        self.assertIn("does not answer in time", found[0].text)


class SenderTests(NoticesTestCase):
    def test_who_sends(self) -> None:
        hooks = self.enterContext(Hooks())
        chat = f"chat slack {hooks.url}{SECRET_PATH}"
        self.assertIn("Nobody is alive who sends", self.found(chat)[-1].text)
        Sealer.objects.create(name="s", seen_at=timezone.now())
        self.assertIn("but no worker", self.found(chat)[-1].text)
        Worker.objects.create(name="w", seen_at=timezone.now())
        self.assertIn("A worker is alive", self.found(chat)[-1].text)

    @override_settings(NOTICE_RECEIVERS=[])
    def test_nobody_to_tell(self) -> None:
        (found,) = doctor.receivers()
        self.assertEqual(found.level, Level.OK)
