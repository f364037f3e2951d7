"""The faults the sandbox plays, over real HTTP."""

import time

import requests

from hubadmin.demo.sandbox.faults import FaultError
from tests.hubadmin.demo.sandbox.base import (
    LINK,
    READS,
    SandboxCase,
    eventually,
    pair_path,
    raw_request,
    read_all,
)

WRONG = {
    "colour": ["red"],
    "method": [1],
    "path": ["(", None],
    "times": [0, "2", True],
    "status": [99, 600, "503", None],
    "headers": [[], {"A": 1}, {"A": "x\r\nB: y"}, {"A B": "x"}, {"A": "ł"}],
    "content_type": ["a\nb"],
    "delay": [-1, "1", False, 1e9, float("nan")],
    "reset": ["now", []],
    "truncate": [-1, 1.5],
    "drip": [None],
    "drip_headers": [[]],
    "apply": [None, 1],
    "lag": [-1, None],
    "partial": [None, 1],
    "probability": [0, 1.1, "0.5", True, None, float("nan")],
    "seed": [-1, 0.5, None],
}


class AnswerTests(SandboxCase):
    def test_status_and_body(self):
        self.sandbox.fault(status=409, body={"message": "busy", "correlationId": "abc"})
        answer = self.call()
        self.assertEqual((answer.status_code, answer.json()["message"]), (409, "busy"))
        self.assertEqual(answer.headers["X-HubSpot-Correlation-Id"], "abc")
        self.assertIn("X-HubSpot-RateLimit-Daily", answer.headers)
        self.assertEqual(self.sandbox.associations, set())

    def test_body_alone_is_a_200(self):
        for body, sent in ((None, b"null"), ([], b"[]"), ("", b""), ("{cut", b"{cut"), (0, b"0")):
            self.sandbox.fault(body=body)
            answer = self.call()
            self.assertEqual((answer.status_code, answer.content), (200, sent))
            self.assertIn("application/json", answer.headers["Content-Type"])

    def test_correlation_id_that_no_header_can_hold(self):
        for value in ("a\r\nX: y", "", 7, None, "ł"):
            self.sandbox.fault(body={"correlationId": value})
            answer = self.call()
            self.assertEqual(answer.json()["correlationId"], value)
            self.assertRegex(answer.headers["X-HubSpot-Correlation-Id"], "^[0-9a-f-]{36}$")

    def test_status_alone_brings_a_fitting_body(self):
        for status, message in ((503, "Service Unavailable"), (477, "An error occurred.")):
            self.sandbox.fault(status=status)
            self.assert_error(self.call(), status, message)
        self.sandbox.fault(status=429)
        self.assertEqual(self.call().json()["policyName"], "TEN_SECONDLY_ROLLING")
        self.sandbox.fault(status=202, content_type="text/html")
        answer = self.call()
        self.assertEqual((answer.content, answer.headers["Content-Type"]), (b"", "text/html"))

    def test_a_gateway_answers_with_a_page(self):
        for status in (520, 524, 527, 530):
            self.sandbox.fault(status=status)
            answer = self.call()
            told = answer.status_code, answer.headers["Content-Type"], answer.text[:6]
            self.assertEqual(told, (status, "text/html; charset=UTF-8", "<html>"))
        self.sandbox.fault(status=521, body={"message": "other"})
        self.assertEqual(self.call().json(), {"message": "other"})

    def test_status_without_any_body(self):
        self.sandbox.fault(status=204, body={"ignored": True})
        answer = self.call()
        self.assertEqual((answer.status_code, answer.content), (204, b""))
        self.assertNotIn("Content-Length", answer.headers)

    def test_headers_are_added_replaced_and_left_out(self):
        changed = {"Retry-After": "2", "x-hubspot-ratelimit-max": "1", "Content-Type": "text/plain"}
        self.sandbox.fault(headers={**changed, "X-HubSpot-RateLimit-Daily": None})
        answer = self.call()
        self.assertEqual({name: answer.headers[name] for name in changed}, changed)
        self.assertNotIn("X-HubSpot-RateLimit-Daily", answer.headers)
        self.assertEqual(answer.json()["status"], "COMPLETE")

    def test_headers_that_end_the_answer_end_the_connection(self):
        self.sandbox.fault(headers={"Content-Length": "9999"}, body="short")
        answer = read_all(self.send(raw_request()))
        self.assertIn(b"Content-Length: 9999", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nshort"))

    def test_apply(self):
        self.sandbox.fault(status=200, apply=True)
        self.assertEqual(self.call(headers={}).status_code, 200)
        self.sandbox.fault(apply=False)  # an answer that lies
        self.assertEqual(self.call().json()["status"], "COMPLETE")
        self.assertEqual(self.sandbox.associations, set())
        self.sandbox.fault(status=500, apply=True)
        self.assertEqual(self.call().status_code, 500)
        self.assertEqual(self.sandbox.associations, LINK)


class ChoiceTests(SandboxCase):
    def test_method_and_raw_path(self):
        self.sandbox.fault(method="get", path="/%39.2$", status=418)
        encoded = pair_path("contacts", "501", "companies", "%3902")
        self.assertEqual(self.exchange(encoded)[0], 200)
        self.assertEqual(self.call("GET").status_code, 405)
        self.sandbox.fault(path="/%39.2$", status=418)
        self.assertEqual(self.call().status_code, 200)
        self.assertEqual(self.exchange(encoded)[0], 418)
        self.assertEqual(len(self.sandbox.faults.active()), 1)

    def test_every_read_fails_where_a_fault_says_so(self):
        self.sandbox.fault(method="get", path="^/(crm|account-info)", status=503, times=None)
        self.sandbox.fault(
            method="POST", path="/(batch/read|search)$|^/oauth", status=423, times=None
        )
        for method, path, *_ in READS:
            expected = 503 if method == "GET" else 423
            self.assertEqual(self.call(method, path, json={}).status_code, expected, path)
        self.assertEqual(self.call("POST", "/_sandbox/reset").status_code, 204)

    def test_reads_are_not_hit_by_a_fault_for_a_put(self):
        self.sandbox.fault(status=503, times=None)
        for method, path, body, _ in READS:
            self.assertEqual(self.call(method, path, json=body).status_code, 200, path)

    def test_times_and_order(self):
        self.sandbox.fault(status=500, times=2, path="contacts")
        self.sandbox.fault(status=502)
        self.sandbox.fault(status=504, times=None)
        statuses = [self.call().status_code for _ in range(5)]
        self.assertEqual(statuses, [500, 500, 502, 504, 504])
        self.assertEqual(self.sandbox.faults.active(), [{"status": 504, "times": None}])

    def test_only_api_paths(self):
        self.sandbox.fault(method="get", status=418, times=None)
        for path in ("/", "/nowhere", "/_sandbox/faults", "/crmx"):
            self.assertNotEqual(self.call("GET", path).status_code, 418, path)
        for path in (
            "/crm/x",
            "/account-info/v3/details",
            "/crm-object-schemas/v3/schemas",
            "/oauth/v2",
        ):
            self.assertEqual(self.call("GET", path).status_code, 418, path)

    def test_faults_that_cannot_be_played(self):
        for name, values in WRONG.items():
            for value in values:
                wrong = self.assertRaisesRegex(FaultError, f"“{name}”")
                with self.subTest(name, value=value), wrong:
                    self.sandbox.fault(**{name: value})
        self.assertEqual(self.sandbox.faults.active(), [])


class TransportTests(SandboxCase):
    def test_delay(self):
        self.sandbox.fault(delay=0.15)
        start, connection = time.monotonic(), self.send(raw_request())
        self.assertTrue(eventually(lambda: self.sandbox.requests))
        self.assertIsNone(self.sandbox.requests[0]["status"])
        self.assertEqual(self.sandbox.associations, set())
        self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertGreaterEqual(time.monotonic() - start, 0.15)
        self.assertEqual(self.sandbox.requests[0]["status"], 200)

    def test_reset(self):
        for reset, associations in (("before", set()), ("after", LINK)):
            self.sandbox.fault(reset=reset, status=503, delay=0.01)
            with self.assertRaises(ConnectionResetError):
                self.send(raw_request()).recv(1)
            self.assertEqual(self.sandbox.associations, associations)
            self.assertIsNone(self.sandbox.requests[-1]["status"])
        self.assertEqual(self.call().status_code, 200)

    def test_truncate(self):
        for size in (0, 10):
            self.sandbox.fault(truncate=size)
            _, _, body = read_all(self.send(raw_request())).partition(b"\r\n\r\n")
            self.assertEqual(len(body), size)
        self.sandbox.fault(truncate=10)
        with self.assertRaises(requests.exceptions.ChunkedEncodingError):
            self.call()
        self.assertEqual(self.sandbox.associations, LINK)

    def test_drip_and_truncate(self):
        for fault, slowest, fewest in (
            ({"drip": 0.02}, 9 * 0.02, 5),
            ({"drip_headers": 0.001}, 0.3, 100),
        ):
            self.sandbox.fault(body="0123456789 and more", truncate=10, **fault)
            start, connection, pieces = time.monotonic(), self.send(raw_request()), []
            while piece := connection.recv(65536):
                pieces.append(piece)
            self.assertGreaterEqual(time.monotonic() - start, slowest)
            self.assertGreater(len(pieces), fewest)
            self.assertTrue(b"".join(pieces).endswith(b"\r\n\r\n0123456789"))
            self.assertEqual("drip" in fault, b"\r\n\r\n" in pieces[0] + pieces[1])
