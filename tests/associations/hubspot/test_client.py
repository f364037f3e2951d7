"""The client against the sandbox: real sockets, real faults."""

import json
import os
import socket
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from django.test import tag

from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.client import MAX_BODY_BYTES, OBJECT_PATHS, HubSpotClient, Limits
from associations.hubspot.outcomes import Cause, Linked, Outcome
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

QUICK = Limits(connect=1, read=0.5, total=3, attempts=3, pause=0.01)
PATH = "/crm/v4/objects/contacts/501/associations/default/companies/902"


@tag("one_database")
class ClientTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.sandbox = cls.enterClassContext(Sandbox())

    def setUp(self) -> None:
        self.sandbox.reset()
        self.attempts: list[Attempt] = []

    def client(self, **options: Any) -> HubSpotClient:
        defaults = {"base_url": self.sandbox.url, "token": SANDBOX_TOKEN, "limits": QUICK}
        return HubSpotClient(**(defaults | options))

    def link(self, client: HubSpotClient | None = None, **association: str) -> Answer:
        pair = {
            "from_object_type": "contacts",
            "from_object_id": "501",
            "to_object_type": "companies",
            "to_object_id": "902",
        }
        client = client or self.client()
        return client.create_default_association(
            **(pair | association), on_attempt=self.attempts.append
        )

    def puts(self) -> list[dict[str, Any]]:
        return [request for request in self.sandbox.requests if request["method"] == "PUT"]


class RequestTests(ClientTestCase):
    def test_the_put_of_each_api_version(self) -> None:
        for version, objects in OBJECT_PATHS.items():
            with self.subTest(version):
                self.sandbox.reset()
                answer = self.link(self.client(api_version=version))
                self.assertEqual(answer.cause, Cause.CONFIRMED)
                path = f"{objects}/contacts/501/associations/default/companies/902"
                self.assertEqual([put["path"] for put in self.puts()], [path])

    def test_its_headers(self) -> None:
        self.link(self.client(user_agent="hubadmin/9.9"))
        headers = {name.lower(): value for name, value in self.puts()[0]["headers"].items()}
        self.assertEqual(headers["user-agent"], "hubadmin/9.9")
        self.assertEqual(headers["accept"], "application/json")
        self.assertIn(headers.get("content-length", "0"), ("0",))

    def test_one_connection_serves_many_calls(self) -> None:
        client = self.client()
        for _ in range(5):
            self.link(client)
        manager = client._session.get_adapter(self.sandbox.url).poolmanager
        pools = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118 - no dict
        self.assertEqual([pool.num_connections for pool in pools], [1])
        self.assertEqual(pools[0].num_requests, 5)

    def test_nothing_unlisted_comes_near_a_url(self) -> None:
        for id_ in ("..", ".", "501/x", "5?a", "", "0501", "501\n", "1" * 21, "%2e%2e", "\uff15"):
            for side in ("from_object_id", "to_object_id"):
                with self.subTest(id=id_, side=side), self.assertRaises(ValueError):
                    self.link(**{side: id_})
        for type_ in ("..", "Contact", "contacts/..", "foo", "2-1/x", "", "2-4001\n", "p_x/../y"):
            with self.subTest(type=type_), self.assertRaises(ValueError):
                self.link(to_object_type=type_)
        self.assertEqual(self.sandbox.requests, [])

    def test_a_redirect_is_not_followed(self) -> None:
        self.sandbox.fault(status=307, headers={"Location": self.sandbox.url + PATH})
        answer = self.link()
        self.assertEqual((answer.cause, len(self.puts())), (Cause.REDIRECTED, 1))
        self.assertEqual(self.attempts[0].headers["Location"], self.sandbox.url + PATH)

    def test_the_environment_is_not_trusted(self) -> None:
        stray = {
            "HTTP_PROXY": "http://127.0.0.1:1",
            "http_proxy": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": "/nonexistent",
        }
        netrc = Path(self.enterContext(tempfile.TemporaryDirectory())) / "netrc"
        netrc.write_text("machine 127.0.0.1 login a password b")
        with mock.patch.dict(os.environ, stray | {"NETRC": str(netrc)}):
            self.assertEqual(self.link().cause, Cause.CONFIRMED)

    def test_the_proxy_of_the_settings_is_used(self) -> None:
        answer = self.link(
            self.client(base_url="http://hubspot.invalid", proxy_url=self.sandbox.url)
        )
        # The sandbox is no proxy, but it is the one who was asked.
        self.assertTrue(self.puts()[0]["path"].startswith("http://hubspot.invalid/crm/"))
        self.assertEqual(answer.verdict.outcome, Outcome.REJECTED)

    def test_no_cookie_is_sent_back(self) -> None:
        client = self.client()
        self.sandbox.fault(status=503, headers={"Set-Cookie": "a=b"})
        self.link(client)
        self.assertEqual([h for put in self.puts() for h in put["headers"] if h == "Cookie"], [])


class BatchTests(ClientTestCase):
    def test_what_is_not_allow_listed_never_leaves(self) -> None:
        types = {"from_object_type": "contacts", "to_object_type": "companies"}
        for odd in ("", "0501", "1/../2", "501 ", "\uff11", "5" * 21):
            for pairs in ([("501", odd)], [("501", "902"), (odd, "902")]):
                with self.subTest(pairs), self.assertRaises(ValueError):
                    self.client().create_default_associations(**types, pairs=pairs)
        with self.assertRaises(ValueError):
            self.client().create_default_associations(
                from_object_type="../x", to_object_type="companies", pairs=[("501", "902")]
            )
        self.assertEqual(self.sandbox.requests, [])


class RetryTests(ClientTestCase):
    def test_what_is_tried_again_and_what_is_not(self) -> None:
        for status in (423, 429, 477, 502, 503, 504, 520, 522, 524, 527, 530):
            with self.subTest(status):
                self.sandbox.reset()
                self.sandbox.fault(status=status, times=2, headers={"Retry-After": "0"})
                self.assertEqual(self.link().cause, Cause.CONFIRMED)
                self.assertEqual(len(self.puts()), 3)
        for status in (400, 401, 403, 404, 405, 409, 422, 500, 501, 302):
            with self.subTest(status):
                self.sandbox.reset()
                self.sandbox.fault(status=status, times=None)
                self.link()
                self.assertEqual(len(self.puts()), 1)

    def test_a_gateways_page_is_tried_again_whatever_its_status(self) -> None:
        for status in (500, 505, 525, 599):
            with self.subTest(status):
                self.sandbox.reset()
                page = {"body": "<html>cloudflare</html>", "content_type": "text/html"}
                self.sandbox.fault(status=status, times=2, **page)
                self.assertEqual(self.link().cause, Cause.CONFIRMED)
                self.assertEqual(len(self.puts()), 3)

    def test_three_attempts_at_most_each_reported_as_it_ends(self) -> None:
        self.sandbox.fault(status=503, times=None)
        answer = self.link()
        self.assertEqual(answer.cause, Cause.HUBSPOT_DOWN)
        self.assertEqual([a.http_status for a in self.attempts], [503, 503, 503])

    def test_retry_after_is_honoured(self) -> None:
        self.sandbox.fault(status=429, headers={"Retry-After": "1"})
        start = time.monotonic()
        self.assertEqual(self.link().cause, Cause.CONFIRMED)
        self.assertGreaterEqual(time.monotonic() - start, 1)

    def test_the_interval_header_is_honoured(self) -> None:
        headers = {"X-HubSpot-RateLimit-Interval-Milliseconds": "700"}
        self.sandbox.fault(status=429, headers=headers)
        start = time.monotonic()
        self.assertEqual(self.link().cause, Cause.CONFIRMED)
        self.assertGreaterEqual(time.monotonic() - start, 0.7)

    def test_a_wait_beyond_the_deadline_is_not_waited(self) -> None:
        self.sandbox.fault(status=429, headers={"Retry-After": "60"}, times=None)
        start = time.monotonic()
        self.assertEqual(self.link().cause, Cause.RATE_LIMITED)
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(len(self.puts()), 1)

    def test_the_daily_limit_is_never_tried_again(self) -> None:
        body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "x"}
        self.sandbox.fault(status=429, body=body, headers={"Retry-After": "0"}, times=None)
        self.assertEqual(self.link().cause, Cause.DAILY_LIMIT)
        self.assertEqual(len(self.puts()), 1)

    def test_a_refusal_about_something_else_does_not_undo_an_earlier_doubt(self) -> None:
        self.sandbox.fault(reset="after")
        self.sandbox.fault(status=429, headers={"Retry-After": "60"})
        answer = self.link()
        self.assertEqual((answer.cause, answer.verdict.linked), (Cause.CONNECTION_LOST, "perhaps"))
        self.assertTrue(self.sandbox.associations)

    def test_neither_does_a_refusal_that_the_first_attempt_may_have_caused(self) -> None:
        for body in ({"message": "the association limit is reached"}, {"message": "odd"}):
            self.sandbox.reset()
            self.sandbox.fault(reset="after")
            self.sandbox.fault(status=400, body=body)
            self.assertEqual(self.link().verdict.linked, Linked.PERHAPS)

    def test_a_record_that_does_not_exist_settles_it(self) -> None:
        self.sandbox.fault(reset="before")
        self.assertEqual(self.link(from_object_id="383").cause, Cause.RECORD_NOT_FOUND)


class SilenceTests(ClientTestCase):
    def test_reset_before_and_after_the_link_was_made(self) -> None:
        for when in ("before", "after"):
            with self.subTest(when):
                self.sandbox.reset()
                self.attempts.clear()
                self.sandbox.fault(reset=when, times=None)
                answer = self.link()
                self.assertEqual(answer.cause, Cause.CONNECTION_LOST)
                self.assertEqual(answer.verdict.linked, Linked.PERHAPS)
                self.assertEqual(len(self.attempts), 3)

    def test_no_answer_in_time(self) -> None:
        self.sandbox.fault(delay=5, times=None)
        start = time.monotonic()
        answer = self.link(self.client(limits=Limits(1, 0.2, 1, 3, 0.01)))
        self.assertEqual(answer.cause, Cause.TIMED_OUT)
        self.assertLess(time.monotonic() - start, 4)

    def test_a_dripping_answer_does_not_outlive_the_deadline(self) -> None:
        for fault in ({"drip": 0.05}, {"drip_headers": 0.05}):
            with self.subTest(fault):
                self.sandbox.reset()
                self.sandbox.fault(**fault, times=None)
                start = time.monotonic()
                answer = self.link(self.client(limits=Limits(1, 0.4, 1, 3, 0.01)))
                self.assertEqual(answer.cause, Cause.TIMED_OUT)
                self.assertLess(time.monotonic() - start, 4)
                # Dripping every 50 ms, it never once was silent for as long as the read timeout.

    def test_a_truncated_answer_is_tried_again(self) -> None:
        self.sandbox.fault(truncate=40)
        self.assertEqual(self.link().cause, Cause.CONFIRMED)
        self.assertEqual(self.attempts[0].failure, Cause.CONNECTION_LOST)

    def test_a_refusal_counts_even_if_its_body_breaks_off(self) -> None:
        self.sandbox.fault(status=400, truncate=5)
        answer = self.link()
        self.assertEqual((answer.cause, answer.http_status), (Cause.REFUSED, 400))
        self.assertEqual((len(self.attempts), self.attempts[0].body_complete), (1, False))
        self.assertIn("IncompleteRead", self.attempts[0].detail)

    def test_nothing_leaves_after_the_deadline(self) -> None:
        answer = self.link(self.client(limits=Limits(1, 1, -1, 3, 0.01)))
        self.assertEqual((answer.cause, self.puts()), (Cause.NO_CONNECTION, []))

    def test_a_proxy_that_never_opens_the_way_has_not_sent_anything(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            proxy_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            client = self.client(base_url="https://hubspot.invalid", proxy_url=proxy_url)
            answer = self.link(client)
        self.assertEqual((answer.cause, answer.verdict.linked), (Cause.NO_CONNECTION, Linked.NO))

    def test_a_huge_answer_is_bounded(self) -> None:
        self.sandbox.fault(status=200, body="x" * (MAX_BODY_BYTES + 10))
        answer = self.link()
        self.assertEqual(answer.cause, Cause.UNREADABLE)
        self.assertEqual(len(answer.body), MAX_BODY_BYTES)
        self.assertFalse(self.attempts[0].body_complete)

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        answer = self.link(self.client(base_url=f"http://127.0.0.1:{port}"))
        self.assertEqual((answer.cause, answer.verdict.linked), (Cause.NO_CONNECTION, Linked.NO))
        self.assertEqual(len(self.attempts), 3)
        self.assertIn("refused", answer.error_text)

    def test_a_name_that_does_not_exist(self) -> None:
        answer = self.link(self.client(base_url="http://hubspot.invalid"))
        self.assertEqual((answer.cause, answer.verdict.linked), (Cause.NO_CONNECTION, Linked.NO))

    def test_a_server_that_speaks_no_tls(self) -> None:
        base_url = self.sandbox.url.replace("http:", "https:")
        answer = self.link(self.client(base_url=base_url))
        self.assertEqual((answer.cause, answer.verdict.linked), (Cause.NO_CONNECTION, Linked.NO))
        self.assertIn("SSL", answer.error_text)

    def test_a_token_that_cannot_be_a_header(self) -> None:
        answer = self.link(self.client(token="a\nb"))
        self.assertEqual(answer.cause, Cause.NO_CONNECTION)
        self.assertEqual(self.sandbox.requests, [])


class TokenTests(ClientTestCase):
    def test_a_refused_token_and_a_missing_scope(self) -> None:
        self.assertEqual(self.link(self.client(token="other")).cause, Cause.TOKEN_REFUSED)
        answer = self.link(self.client(token="sandbox-no-scopes"))
        self.assertEqual(answer.cause, Cause.SCOPE_MISSING)

    def test_an_echoed_token_is_redacted(self) -> None:
        token = "pat-na1-00000000-aaaa-bbbb-cccc-000000000000"
        for secret in (token, "opaque/oauth+token"):
            escaped = json.dumps({"message": secret}).replace("/", "\\/").replace("o", "\\u006f")
            for body in ({"message": f"bad token {secret}"}, f"<p>{secret}</p>", escaped):
                with self.subTest(secret=secret, body=body):
                    headers = {"Location": f"http://x/{secret}"}
                    self.sandbox.fault(status=400, body=body, headers=headers)
                    answer = self.link(self.client(token=secret))
                    self.assertNotIn(secret, f"{answer}{self.attempts}")
                    self.assertIn("[redacted]", answer.body)
