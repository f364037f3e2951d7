"""What an answer tells of HubSpot's limit, and what is no limit at all."""

import json
import unittest
from datetime import UTC, datetime

from associations.hubspot.answers import Attempt
from associations.hubspot.outcomes import Cause
from associations.hubspot.rate_limits import Api, ToldLimit, read_limit

PUT = "/crm/v4/objects/contacts/501/associations/default/companies/902"
PREFIX = "X-HubSpot-RateLimit-"
USUAL = {"Max": "150", "Remaining": "12", "Interval-Milliseconds": "10000"}


def attempt(status: int | None = 200, body: object = "", **headers: str) -> Attempt:
    named = {PREFIX + name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, str) else json.dumps(body)
    return Attempt(datetime.now(UTC), 5, http_status=status, headers=named, body=text)


def told(status: int | None = 200, body: object = "", path: str = PUT, **changed: str) -> object:
    headers = {name.replace("-", "_"): value for name, value in USUAL.items()} | changed
    return read_limit(path, attempt(status, body, **headers))


class HeaderTests(unittest.TestCase):
    def test_what_an_answer_tells(self) -> None:
        for status in (200, 201, 404, 500):
            with self.subTest(status):
                self.assertEqual(told(status), ToldLimit(Api.ASSOCIATIONS, 150))

    def test_that_none_are_left(self) -> None:
        for remaining, is_used_up in (("0", True), ("1", False), ("-1", False), ("", False)):
            found = told(Remaining=remaining)
            self.assertEqual(found, ToldLimit(Api.ASSOCIATIONS, 150, is_used_up), remaining)

    def test_names_in_any_case(self) -> None:
        answer = Attempt(datetime.now(UTC), 5, 200, {"x-hubspot-ratelimit-max": "100"})
        self.assertEqual(read_limit(PUT, answer), ToldLimit(Api.ASSOCIATIONS, 100))

    def test_what_can_be_no_limit_is_not_believed(self) -> None:
        for most in ("", "0", "-5", "9", "1e3", "many", "150.5", "٣٠٠", "10001", "1000000000"):
            with self.subTest(most):
                self.assertIsNone(told(Max=most))

    def test_the_interval_counts(self) -> None:
        for interval, most, calls in (
            ("10000", "100", 100),
            ("", "100", 100),
            ("soon", "100", 100),
            ("60000", "900", 150),
            ("86400000", "625000", 72),
            ("20000", "15", None),  # no more than seven in ten seconds
            ("1000", "100", None),
            ("0", "100", None),
        ):
            with self.subTest(interval=interval, most=most):
                found = told(Max=most, Interval_Milliseconds=interval)
                self.assertEqual(found and found.calls, calls)

    def test_no_answer_tells_nothing(self) -> None:
        self.assertIsNone(told(None))
        kept_back = Attempt(datetime.now(UTC), 0, failure=Cause.RATE_LIMITED)
        self.assertIsNone(read_limit(PUT, kept_back))


class ApiTests(unittest.TestCase):
    def test_which_limit_a_call_counts_towards(self) -> None:
        for path, api in {
            PUT: Api.ASSOCIATIONS,
            "/crm/objects/2026-09/contacts/1/associations/default/companies/2": Api.ASSOCIATIONS,
            "/crm/v4/associations/contacts/companies/batch/read": Api.ASSOCIATIONS,
            "/crm/associations/2026-03/contacts/companies/labels": Api.ASSOCIATIONS,
            "/crm/v3/objects/contacts/batch/read": Api.OBJECTS,
            "/crm/objects/2026-09/contacts/501?properties=email": Api.OBJECTS,
            # They have a limit of their own, or are hardly ever called.
            "/crm/v3/objects/contacts/search": None,
            "/crm/objects/2026-09/2-4001/search": None,
            "/oauth/v2/private-apps/get/access-token-info": None,
            "/account-info/v3/details": None,
            "/crm-object-schemas/v3/schemas": None,
        }.items():
            with self.subTest(path):
                found = told(path=path)
                self.assertEqual(found and found.api, api)


class RefusalTests(unittest.TestCase):
    def test_one_call_too_many(self) -> None:
        for body in (
            {"policyName": "TEN_SECONDLY_ROLLING"},
            {"message": "You have reached your ten_secondly_rolling limit."},
            {},
            "<html>slow down</html>",
        ):
            with self.subTest(body):
                self.assertEqual(told(429, body), ToldLimit(Api.ASSOCIATIONS, 150, True, True))
                bare = read_limit(PUT, attempt(429, body))
                self.assertEqual(bare, ToldLimit(Api.ASSOCIATIONS, None, True, True))

    def test_another_limit_teaches_nothing(self) -> None:
        for body in (
            {"policyName": "DAILY"},
            {"policyName": "SECONDLY"},
            {"message": "You have reached your daily limit."},
        ):
            with self.subTest(body):
                self.assertIsNone(told(429, body))
