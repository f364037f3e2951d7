"""Webhooks by real HTTP: what goes out, and what becomes of it, whatever the receiver does."""

import hashlib
import hmac
import socket
import time
from datetime import UTC, datetime
from unittest import mock

from django.test import SimpleTestCase, override_settings, tag

from associations.models import Notice, NoticeEvent
from associations.notices import webhooks
from associations.notices.messages import Message, message_of
from associations.notices.sending import try_to_send
from hubadmin.receivers import Receiver
from tests.associations.notices.base import SECRET, SITE, Hooks, closed_port, told

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
COUNTS = {"run": 1234, "pairs": 12_345, "achieved": 12_340, "failed": 5, "not_sent": 0}


@told("")
def a_message(**fields: object) -> Message:
    values = {"event": NoticeEvent.RUN_ENDED, "numbers": COUNTS, "path": "/bulk/1234/"}
    return message_of(Notice(pk=7, at=NOON, **values | fields))


class WebhookTestCase(SimpleTestCase):
    def setUp(self) -> None:
        self.hooks = self.enterContext(Hooks())
        self.enterContext(told("hook json x"))

    def send(self, path: str = "/ok/canary-path", kind: str = "json", url: str = "") -> str:
        receiver = Receiver("hook", kind, (url or self.hooks.url) + path)
        return try_to_send(receiver, a_message())


class ContentTests(WebhookTestCase):
    def test_json_is_signed_with_its_time(self) -> None:
        self.assertEqual(self.send(), "")
        (post,) = self.hooks.posts
        self.assertEqual(
            post.json,
            {
                "id": 7,
                "event": "run_ended",
                "is_over": False,
                "at": "2026-11-29T12:00:00+00:00",
                "numbers": COUNTS,
                "text": "Bulk run 1234 has ended: 12,340 of 12,345 pairs linked, 5 failed, "
                "0 not sent.",
                "url": f"{SITE}/bulk/1234/",
            },
        )
        moment = post.headers["X-Hubadmin-Timestamp"]
        self.assertLess(abs(time.time() - int(moment)), 5)
        signed = f"{moment}.".encode() + post.body
        code = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        self.assertEqual(post.headers["X-Hubadmin-Signature"], f"sha256={code}")

    def test_slack_is_escaped(self) -> None:
        with override_settings(SITE_URL="https://a.example/<&>"):
            message = message_of(Notice(pk=7, at=NOON, event="test", path="/status/"))
            try_to_send(Receiver("hook", "slack", f"{self.hooks.url}/ok"), message)
        (post,) = self.hooks.posts
        self.assertEqual([*post.json], ["text"])
        self.assertIn("https://a.example/&lt;&amp;&gt;/status/", post.json["text"])
        self.assertIn("2026-11-29 12:00 UTC", post.json["text"])
        self.assertNotIn("X-Hubadmin-Signature", post.headers)

    def test_teams_gets_a_card(self) -> None:
        self.assertEqual(self.send(kind="teams"), "")
        (post,) = self.hooks.posts
        (attached,) = post.json["attachments"]
        card = attached["content"]
        self.assertEqual((post.json["type"], card["type"]), ("message", "AdaptiveCard"))
        self.assertIn("Bulk run 1234 has ended", card["body"][0]["text"])
        self.assertEqual(card["actions"][0]["url"], f"{SITE}/bulk/1234/")

    def test_every_event_has_its_sentence_in_either_state(self) -> None:
        numbers = COUNTS | {"rows": 2, "days": 3, "calls": 9, "links": 1, "percent": 81}
        for event in NoticeEvent:
            for over in (False, True):
                text = a_message(event=event, numbers=numbers, is_over=over).text
                self.assertRegex(text, r"^[A-Z0-9].*\.$")
                self.assertEqual(text.startswith("Over now: "), over)
                self.assertNotRegex(text, "[{}]")
        undo = a_message(numbers=COUNTS | {"undoes": 9}).text
        self.assertIn("the undo of run 9", undo)


class FailureTests(WebhookTestCase):
    def test_what_it_answers(self) -> None:
        for path, why in (
            ("/failing", "answered_500"),
            ("/gone", "answered_404"),
            ("/hanging_up", "no_connection"),
            ("/babbling", "no_connection"),
        ):
            with self.subTest(path):
                self.assertEqual(self.send(path), why)

    def test_no_redirect_is_followed(self) -> None:
        self.assertEqual(self.send("/redirecting"), "redirected")
        self.assertEqual(self.hooks.paths(), ["/redirecting"])

    def test_nobody_listens(self) -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        self.assertEqual(self.send(url=url), "no_connection")

    def test_no_such_host(self) -> None:
        self.assertEqual(self.send(url="https://hook.invalid"), "no_connection")

    def test_a_certificate_that_nobody_trusts(self) -> None:
        """Or none at all: here plain http answers where TLS was wanted."""
        url = self.hooks.url.replace("http://", "https://")
        self.assertEqual(self.send(url=url), "certificate")

    def test_an_address_that_is_none(self) -> None:
        self.assertEqual(self.send(url="https://[::1"), "unusable")

    @tag("long")
    def test_a_slow_one_and_one_that_drips_cost_no_more_than_the_deadline(self) -> None:
        for path in ("/slow", "/dripping"):
            with self.subTest(path), mock.patch.object(webhooks, "TOTAL_SECONDS", 1.0):
                start = time.monotonic()
                self.assertEqual(self.send(path), "timed_out")
                self.assertLess(time.monotonic() - start, 3)

    def test_an_answer_without_an_end_is_not_read(self) -> None:
        start = time.monotonic()
        self.assertEqual(self.send("/endless"), "")
        self.assertLess(time.monotonic() - start, 3)

    def test_a_listener_that_never_accepts(self) -> None:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0), backlog=0))
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            self.addCleanup(each.close)
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        start = time.monotonic()
        with mock.patch.multiple(webhooks, TOTAL_SECONDS=1.0, CONNECT_SECONDS=1.0):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.assertEqual(self.send(url=url), "timed_out")
        self.assertLess(time.monotonic() - start, 4)


class InsideTests(WebhookTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(override_settings(NOTICE_PRIVATE_RECEIVERS=["another"]))

    def test_nothing_is_sent_to_an_address_inside(self) -> None:
        self.assertEqual(self.send(), "inside")
        self.assertEqual(self.hooks.posts, [])

    def test_whatever_its_name_says(self) -> None:
        """The address that counts is the one that is connected to."""
        port = self.hooks.url.rpartition(":")[2]
        here = socket.getaddrinfo("127.0.0.1", int(port), type=socket.SOCK_STREAM)
        with mock.patch("socket.getaddrinfo", return_value=here):
            self.assertEqual(self.send(url=f"http://hooks.example.com:{port}"), "inside")
        self.assertEqual(self.hooks.posts, [])

    def test_which_are_inside(self) -> None:
        for address in (
            *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1"),
            *("100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1"),
            "::ffff:100.64.0.1",
        ):
            with self.subTest(address), self.assertRaises(webhooks._InsideError):
                webhooks._demand_outside(address)
        for address in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"):
            webhooks._demand_outside(address)


class SurroundingsTests(WebhookTestCase):
    def test_the_environments_proxy_is_not_used(self) -> None:
        proxy = f"http://127.0.0.1:{closed_port()}"
        with mock.patch.dict("os.environ", {"HTTP_PROXY": proxy, "http_proxy": proxy}):
            self.assertEqual(self.send(), "")

    def test_no_log_line_has_the_address(self) -> None:
        for url in (f"http://127.0.0.1:{closed_port()}", "https://canary-host.invalid"):
            with self.assertNoLogs("associations", "WARNING"):
                self.send(url=url)
        boom = mock.patch.object(webhooks, "_status_of", side_effect=KeyError("canary"))
        with boom, self.assertLogs("associations", "ERROR") as logs:
            self.assertEqual(self.send(), "unusable")
        self.assertNotIn("canary", "".join(map(str, [vars(each) for each in logs.records])))
