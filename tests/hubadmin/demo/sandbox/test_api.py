"""The sandbox's answers in HubSpot's place: associations, tokens, the rate limit."""

import re
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.demo.sandbox.base import LINK, PATH, TIMESTAMP, SandboxCase, pair_path

DEFAULT_TYPES = """
    contacts:501 companies:901 279 280   deals:701 contacts:501 3 4
    deals:702 companies:902 341 342      tickets:801 contacts:502 16 15
    tickets:802 companies:902 339 340    tickets:803 deals:703 28 27
    notes:301 contacts:503 202 201       notes:302 companies:903 190 189
    notes:303 deals:703 214 213          notes:301 tickets:801 228 227
    contacts:501 2-4001:41 31 32         companies:901 2-4001:42 33 34
    contacts:501 contacts:502 449 449    companies:901 companies:902 450 450
    deals:701 deals:702 451 451          tickets:801 tickets:802 452 452
"""


def result(from_id, to_id, category, number):
    spec = {"associationCategory": category, "associationTypeId": int(number)}
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec}


class AssociationTests(SandboxCase):
    def test_answer_in_every_version(self):
        for version in ("v4/objects", "objects/2026-03", "objects/2026-09"):
            body = self.call(path=PATH.replace("v4/objects", version)).json()
            self.assertEqual(set(body), {"status", "results", "startedAt", "completedAt"})
            self.assertEqual(body["status"], "COMPLETE")
            self.assertRegex(body["startedAt"], TIMESTAMP)
            self.assertRegex(body["completedAt"], TIMESTAMP)
        self.assertEqual(self.sandbox.associations, LINK)

    def test_results_of_every_pair_with_a_default_type(self):
        pairs = re.findall(r"(\S+):(\d+) (\S+):(\d+) (\d+) (\d+)", DEFAULT_TYPES)
        self.assertEqual(len(pairs), 16)
        for one, one_id, other, other_id, there, back in pairs:
            category = "USER_DEFINED" if other == "2-4001" else "HUBSPOT_DEFINED"
            results = self.put(one, one_id, other, other_id).json()["results"]
            self.assertEqual(results[0], result(one_id, other_id, category, there))
            self.assertEqual(results[1:], [result(other_id, one_id, category, back)])

    def test_types_by_any_name_hubspot_knows(self):
        for name in ("contacts", "contact", "CONTACT", "0-1"):
            self.assertEqual(self.put(name, "501", "companies", "902").status_code, 200, name)
        for name in ("2-4001", "p4242_car", "p_car"):
            self.assertEqual(self.put("contacts", "501", name, "45").status_code, 200, name)
        self.assertIn(("contacts", "501", "2-4001", "45"), self.sandbox.associations)

    def test_unknown_type(self):
        for name in ("foo", "2-9999", "p4242_boat", "cars", "people"):
            for ends in ((name, "501", "companies", "902"), ("contacts", "501", name, "1")):
                message = f"Unable to infer object type from: {name}"
                body = self.assert_error(self.put(*ends), 400, message)
                self.assertEqual(set(body), {"status", "message", "correlationId"})

    def test_segments_are_decoded_once(self):
        status, _ = self.exchange(pair_path("%63ontacts", "%3501", "companies", "902"))
        self.assertEqual(status, 200)
        status, body = self.exchange(pair_path("contacts", "%253501", "companies", "9%2F2"))
        self.assertEqual((status, body["context"]["objectId"]), (400, ["%3501", "9/2"]))

    def test_absent_records(self):
        message = "One or more associations are invalid"
        for ends, absent in {
            ("contacts", "383", "companies", "902"): {"CONTACT": "383"},
            ("p_car", "99", "companies", "1"): {"2-4001": "99", "COMPANY": "1"},
            ("line_items", "5", "0-1", "0501"): {"LINE_ITEM": "5", "CONTACT": "0501"},
        }.items():
            body = self.assert_error(self.put(*ends), 400, message, "VALIDATION_ERROR")
            invalid = [f"{name}={i} is not valid" for name, i in absent.items()]
            told = {"objectId": list(absent.values()), "objectType": list(absent)}
            self.assertEqual(body["context"], {"INVALID_OBJECT_IDS": invalid, **told})

    def test_pairs_without_a_default_type(self):
        for ends, pair in {
            ("0-7", "601", "contacts", "501"): "PRODUCT and CONTACT",
            ("2-4001", "41", "2-4001", "42"): "2-4001 and 2-4001",
        }.items():
            message = f"No default association type exists between {pair}"
            self.assert_error(self.put(*ends), 400, message, "VALIDATION_ERROR")
        self.assertEqual(self.sandbox.associations, set())

    def test_other_methods(self):
        for path, allowed in ((PATH, "PUT"), ("/_sandbox/faults", "GET, POST")):
            for method in ("DELETE", "PATCH", "OPTIONS", "BREW"):
                answer = self.call(method, path)
                self.assert_error(answer, 405, method)
                self.assertEqual(answer.headers["Allow"], allowed)

    def test_other_paths(self):
        other_version = PATH.replace("v4/objects", "objects/2026-06")
        for path in (
            "/_sandbox/",
            "/crm/v4/nothing",
            PATH[:-4] + "/x/y",
            PATH + "/",
            other_version,
        ):
            self.assert_error(self.call(path=path), 404, "Nothing was found")
        self.assertEqual(self.call(path=PATH + "?archived=false").status_code, 200)

    def test_no_token_and_wrong_ones(self):
        wrong = ("", "Bearer", "Bearer other", "Basic sandbox", "sandbox", "Bearer sandbox-")
        for headers in ({}, *({"Authorization": value} for value in wrong)):
            message = "Authentication credentials not found."
            self.assert_error(self.call(headers=headers), 401, message, "INVALID_AUTHENTICATION")
        self.assertEqual(self.sandbox.associations, set())

    def test_missing_scopes(self):
        for ends, types in {
            ("contacts", "501", "companies", "902"): ("contacts", "companies"),
            ("2-4001", "41", "2-4001", "42"): ("custom",),
        }.items():
            answer = self.put(*ends, headers={"Authorization": "Bearer sandbox-no-scopes"})
            body = self.assert_error(answer, 403, "required scopes", "MISSING_SCOPES")
            scopes = [f"crm.objects.{name}.write" for name in types]
            self.assertEqual(body["context"]["missingScopes"], scopes)
            self.assertEqual(body["errors"][0]["context"]["requiredGranularScopes"], scopes)
        self.assertEqual(self.sandbox.associations, set())


class RateLimitTests(SandboxCase):
    def limits(self, answer):
        prefix = "x-hubspot-ratelimit-"
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return {n.removeprefix(prefix): int(v) for n, v in headers.items() if n.startswith(prefix)}

    def test_headers_on_every_api_answer(self):
        with Sandbox(rate_limit=190) as self.sandbox:
            calls = ({}, {"method": "GET"}, {"headers": {}}, {"path": "/crm/x"})
            for number, kwargs in enumerate(calls, 1):
                limits = self.limits(self.call(**kwargs))
                used = limits.pop("daily") - limits.pop("daily-remaining")
                told = {"max": 190, "remaining": 190 - number, "interval-milliseconds": 10_000}
                self.assertEqual(limits, told)
            self.assertEqual(used, 4)
            self.assertEqual(self.limits(self.call("GET", "/")), {})

    def test_no_limit(self):
        with Sandbox(rate_limit=0) as self.sandbox:
            answer = self.call()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.limits(answer).keys() & {"max", "remaining"}, set())

    def test_sliding_window(self):
        clock = mock.Mock()
        patched = mock.patch("hubadmin.demo.sandbox.limits.monotonic", clock)
        with patched, Sandbox(rate_limit=3) as self.sandbox:
            for now, status, left in (
                (100.0, 200, 2),
                (104.0, 200, 1),
                (108.0, 200, 0),
                (109.9, 429, 0),
                (110.0, 200, 0),  # the first of the three has left the window
                (110.0, 429, 0),
                (114.0, 200, 0),  # a refused request takes no room
            ):
                clock.return_value = now
                answer = self.call()
                told = (answer.status_code, self.limits(answer)["remaining"])
                self.assertEqual(told, (status, left), now)

    def rate(self, **limits):
        return self.call("POST", "/_sandbox/rate", {}, json=limits)

    def test_a_limit_that_changes_counts_what_came_before(self):
        with Sandbox(rate_limit=5) as self.sandbox:
            for _ in range(4):
                self.call()
            self.assertEqual(self.rate(calls=3).json(), {"calls": 3})
            answer = self.call()
            limits = self.limits(answer)
            told = (answer.status_code, limits["max"], limits["remaining"])
            self.assertEqual(told, (429, 3, 0))
            self.rate(calls=6)
            limits = self.limits(self.call())
            self.assertEqual((limits["max"], limits["remaining"]), (6, 1))
            self.sandbox.reset()
            self.assertEqual(self.limits(self.call())["max"], 5)

    def test_a_limit_of_the_associations_apis_own(self):
        with Sandbox(rate_limit=5) as self.sandbox:
            self.rate(calls=5, associations=2)
            statuses = [self.call().status_code for _ in range(3)]
            self.assertEqual(statuses, [200, 200, 429])
            answer = self.call("GET", "/crm/v3/objects/contacts/501")
            limits = self.limits(answer)
            told = (answer.status_code, limits["max"], limits["remaining"])
            self.assertEqual(told, (200, 5, 4))
            self.assertEqual(limits["daily"] - limits["daily-remaining"], 3)
            self.assertEqual(self.limits(self.call())["max"], 2)

    def test_what_is_no_rate(self):
        for limits in ({"calls": -1}, {"calls": "5"}, {"calls": True}, {"more": 1}):
            self.assert_error(self.rate(**limits), 400, "rate")

    def test_exactly_the_limit_passes_from_many_threads_until_a_reset(self):
        with Sandbox(rate_limit=20) as self.sandbox, ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda _: self.call(), range(48)))
            refused = [answer for answer in answers if answer.status_code != 200]
            self.assertEqual(len(refused), 28)
            message = "You have reached your ten_secondly_rolling limit."
            body = self.assert_error(refused[0], 429, message)
            told = (body["errorType"], body["policyName"], bool(body["requestId"]))
            self.assertEqual(told, ("RATE_LIMIT", "TEN_SECONDLY_ROLLING", True))
            self.sandbox.reset()
            limits = self.limits(self.call())
            left = (limits["remaining"], limits["daily"] - limits["daily-remaining"])
            self.assertEqual(left, (19, 1))
