"""Answers of any shape: read without an exception, and storable."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import TestCase as DatabaseTestCase
from django.test import tag
from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.answers import (
    read_answer,
    retry_after,
)
from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import MAX_DEPTH, storable_text
from associations.models import AssociationRequest
from tests.associations.hubspot.answers_base import (
    NOW,
    AnswerTestCase,
    attempt,
    read,
)
from tests.generated import ANY_JSON, ANY_TEXT, examples
from tests.support import LINK, person

IDS = st.sampled_from(["501", "902", 501, 902.0, None, "7"])
ENDS = st.fixed_dictionaries({"id": IDS}) | ANY_JSON
RESULTS = st.lists(st.fixed_dictionaries({"from": ENDS, "to": ENDS}) | ANY_JSON, max_size=3)
ERRORS = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "errors", "context"), ANY_JSON))
    | ANY_JSON,
    max_size=3,
)
TIMES = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["COMPLETE", "PENDING", "CANCELED", "error"]) | ANY_JSON,
        "results": RESULTS | ANY_JSON,
        "errors": ERRORS | ANY_JSON,
        "numErrors": st.integers(-1, 2) | st.integers() | ANY_JSON,
        "startedAt": TIMES | ANY_JSON,
        "completedAt": TIMES | ANY_JSON,
        "message": ANY_TEXT,
        "category": ANY_TEXT,
        "correlationId": ANY_TEXT,
        "policyName": ANY_JSON,
        "links": ANY_JSON,
    },
)
BODIES = (ANSWERS | ANY_JSON).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60)
HEADER_NAMES = [
    "Content-Type",
    "Retry-After",
    "x-hubspot-correlation-id",
    "X-HubSpot-RateLimit-Interval-Milliseconds",
]
HEADERS = st.dictionaries(st.sampled_from(HEADER_NAMES) | ANY_TEXT, ANY_TEXT, max_size=4)


def texts_within(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_within(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_within(item)


@tag("long")
class AnythingTests(AnswerTestCase):
    @examples(300)
    @given(BODIES, st.integers(100, 999), HEADERS, st.booleans())
    def test_is_read_without_an_exception_and_fits_the_database(
        self, body: bytes, status: int, headers: dict[str, str], body_complete: bool
    ) -> None:
        received = attempt(
            status,
            storable_text(body.decode("utf-8", "replace")),  # as the client hands it on
            headers={storable_text(k): storable_text(v) for k, v in headers.items()},
            body_complete=body_complete,
        )
        answer = read_answer(received, from_object_id="501", to_object_id="902")
        for name, value in asdict(answer).items():
            self.assert_storable(name, value)
        wait = retry_after(received.http_status, received.headers)
        self.assertTrue(wait is None or 0 <= wait < math.inf)

    @examples(100)
    @given(ANSWERS)
    def test_nothing_but_a_clean_answer_is_a_link(self, body: dict[str, Any]) -> None:
        if read(body).cause is Cause.CONFIRMED:
            self.assertEqual(body["status"].upper(), "COMPLETE")
            self.assertFalse(body.get("errors"))
            self.assertIn(body.get("numErrors"), (None, 0, "0"))
            self.assertIn("501", json.dumps(body["results"]))
            self.assertIn("902", json.dumps(body["results"]))

    def assert_storable(self, name: str, value: Any) -> None:
        field = AssociationRequest._meta.get_field(name)
        if name in ("results", "errors", "links"):
            json.dumps(value, allow_nan=False)
        elif isinstance(value, datetime):
            self.assertEqual(value.tzinfo, UTC)
        elif isinstance(value, int):
            low, high = BaseDatabaseOperations.integer_field_ranges[field.get_internal_type()]
            self.assertTrue(low <= value <= high, (name, value))
        elif isinstance(value, str):
            self.assertLessEqual(len(value), field.max_length or math.inf, name)
        for text in texts_within(value):
            self.assertNotIn("\0", text)
            text.encode()


class StoringTests(DatabaseTestCase):
    def test_the_oddest_answers_come_back_from_the_database_as_they_went_in(self) -> None:
        odd = ["\0", "\ud800", "\u2028", math.nan, 10**400, -1, 1.5, None, True, [[]], {"": {}}]
        deep: Any = odd
        for _ in range(MAX_DEPTH * 2):
            deep = {"x": deep}
        body = {"status": "x\0" * 40, "results": odd, "errors": [deep, *odd], "links": {"\0": odd}}
        body |= {"numErrors": 2**31 - 1, "startedAt": "9998-12-31T23:59:59.999999Z"}
        user = person()
        for status in (200, 400, 999):
            with self.subTest(status):
                answer = read(body, status)
                entry = AssociationRequest.objects.create(
                    **LINK, **asdict(answer), user=user, outcome="sending", created_at=NOW
                )
                entry.refresh_from_db()
                for name, value in asdict(answer).items():
                    self.assertEqual(getattr(entry, name), value, name)
