"""What an attempt proves: real shapes, odd shapes, and whatever a generator thinks of."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest import TestCase

from django.test import override_settings

from associations.hubspot.answers import (
    Answer,
    merge_attempts,
    retry_after,
)
from associations.hubspot.outcomes import Cause, Linked, Outcome
from associations.hubspot.sanitizing import MAX_DEPTH
from tests.associations.hubspot.answers_base import (
    BOTH,
    COMPLETE,
    ERROR,
    NOW,
    PAT,
    AnswerTestCase,
    complete,
    read,
    read_text,
    result,
)


class SuccessTests(AnswerTestCase):
    def test_a_complete_answer_that_names_both_records_proves_the_link(self) -> None:
        answer = read(COMPLETE | {"requestedAt": "2026-11-23T09:59:59Z", "links": {"a": "b"}})
        self.assert_cause(Cause.CONFIRMED, answer)
        self.assertEqual(answer.verdict.linked, Linked.YES)
        self.assertEqual((answer.http_status, answer.status), (200, "COMPLETE"))
        self.assertEqual((answer.results, answer.errors), (BOTH, []))
        self.assertEqual(answer.links, {"a": "b"})
        self.assertEqual(answer.requested_at, NOW - timedelta(seconds=1))
        self.assertEqual(answer.started_at, NOW + timedelta(milliseconds=123))
        self.assertEqual(answer.completed_at, NOW + timedelta(milliseconds=456))
        self.assertEqual(
            answer.body,
            json.dumps(COMPLETE | {"requestedAt": "2026-11-23T09:59:59Z", "links": {"a": "b"}}),
        )

    def test_any_2xx_is_read_by_its_body(self) -> None:
        for status in (200, 201, 202, 207, 299):
            with self.subTest(status):
                self.assert_cause(Cause.CONFIRMED, read(COMPLETE, status))

    def test_either_direction_will_do_among_others(self) -> None:
        for results in (
            BOTH[:1],
            BOTH[1:],
            [result(501, 902)],
            [None, 7, "x", [], {"from": "501"}, result("1", "2"), BOTH[0]],
            BOTH[0],  # not in a list
        ):
            with self.subTest(results=results):
                self.assert_cause(Cause.CONFIRMED, read(complete(results=results)))

    def test_results_that_do_not_show_the_link(self) -> None:
        for results in (
            ...,
            [],
            None,
            {},
            [result("501", "903")],
            [result("501", "501")],
            [result("902", "902")],
            [result("501", "1"), result("902", "1")],
            [{"from": {"id": "501"}}],
            [{"from": None, "to": {"id": "902"}}],
            [{"from": {"id": ["501"]}, "to": {"id": "902"}}],
            [None],
            ["501", "902"],
            "501 902",
        ):
            with self.subTest(results=results):
                self.assert_cause(Cause.NOT_SHOWN, read(complete(results=results)))

    def test_two_records_of_different_types_may_have_the_same_id(self) -> None:
        same = {"from_id": "7", "to_id": "7"}
        self.assert_cause(Cause.CONFIRMED, read(complete(results=[result("7", "7")]), **same))
        self.assert_cause(Cause.NOT_SHOWN, read(complete(results=[result("7", "8")]), **same))

    def test_what_the_wild_sends_along(self) -> None:
        for extra in (
            {"requestedAt": None, "links": {}, "errors": []},
            {"errors": None, "links": None},
            {"numErrors": 0},
            {"numErrors": "0"},
            {"numErrors": None},
            {"status": "complete"},
            {"startedAt": ..., "completedAt": ...},
            {"somethingNew": [1, {"a": None}]},
        ):
            with self.subTest(extra):
                self.assert_cause(Cause.CONFIRMED, read(complete(**extra)))

    def test_an_unfinished_answer_is_in_progress_whatever_else_it_says(self) -> None:
        for status in ("PENDING", "PROCESSING", "processing"):
            for results in (BOTH, []):
                with self.subTest(status=status, results=results):
                    answer = read(complete(status=status, results=results))
                    self.assert_cause(Cause.IN_PROGRESS, answer)

    def test_a_canceled_answer_in_either_spelling(self) -> None:
        for status in ("CANCELED", "CANCELLED"):
            with self.subTest(status):
                answer = read(complete(status=status, results=[]))
                self.assert_cause(Cause.CANCELED_BY_HUBSPOT, answer)
                self.assert_cause(Cause.PARTLY_FAILED, read(complete(status=status)))

    def test_any_other_status_proves_nothing(self) -> None:
        for status in ("DONE", "error", "", " COMPLETE", None, 1, True, ["COMPLETE"], {}, ...):
            with self.subTest(status=status):
                self.assert_cause(Cause.UNKNOWN_STATUS, read(complete(status=status)))

    def test_errors_beside_a_result_contradict_it(self) -> None:
        for extra in (
            {"errors": [ERROR]},
            {"errors": ERROR},
            {"errors": "no"},
            {"errors": [None]},
            {"numErrors": 1},
            {"numErrors": "1"},
            {"numErrors": "many"},
            {"numErrors": True},
            {"numErrors": -1},
            {"numErrors": [0]},
        ):
            with self.subTest(extra):
                self.assert_cause(Cause.PARTLY_FAILED, read(complete(**extra)))

    def test_errors_and_no_result_are_a_refusal(self) -> None:
        for cause, extra in (
            (Cause.RECORD_NOT_FOUND, {"errors": [ERROR], "numErrors": 1}),
            (Cause.REFUSED, {"errors": [{"message": "Something else"}]}),
            (Cause.REFUSED, {"numErrors": 2}),
            (Cause.REFUSED, {"errors": ["no"]}),
        ):
            with self.subTest(extra):
                answer = read(complete(results=[], **extra))
                self.assert_cause(cause, answer)
                self.assertEqual(answer.verdict.outcome, Outcome.REJECTED)

    def test_a_count_of_errors_that_cannot_be_read_refuses_nothing(self) -> None:
        for count in ("1", "many", True, -1, [], {}):
            with self.subTest(count=count):
                answer = read(complete(results=[], numErrors=count))
                self.assert_cause(Cause.NOT_SHOWN, answer)
                self.assertIsNone(answer.num_errors)

    def test_the_errors_of_a_2xx_are_kept_and_told(self) -> None:
        error = ERROR | {"subCategory": {"name": "INVALID"}, "errors": [{"message": "Inner"}]}
        answer = read(complete(results=[], errors=[error, {"category": "OTHER"}], numErrors=2))
        self.assertEqual(answer.errors, [error, {"category": "OTHER"}])
        self.assertEqual(answer.num_errors, 2)
        self.assertEqual(answer.error_category, "VALIDATION_ERROR")
        self.assertEqual(answer.error_text, "One or more associations are invalid · Inner")


class UnreadableTests(AnswerTestCase):
    BODIES = {
        "empty": "",
        "null": "null",
        "a list": json.dumps([COMPLETE]),
        "an empty object": "{}",
        "a number": "7",
        "a string": '"COMPLETE"',
        "HTML": "<html><body><h1>502 Bad Gateway</h1></body></html>",
        "cut short": json.dumps(COMPLETE)[:-9],
        "two values": "{} {}",
        "too deep for the parser": '{"results":' + "[" * 100_000,
        "a number too long to read": '{"numErrors":' + "9" * 5000 + "}",
    }

    def test_a_2xx_without_a_readable_body_proves_nothing(self) -> None:
        for name, body in self.BODIES.items():
            with self.subTest(name):
                answer = read_text(body)
                self.assert_cause(Cause.UNREADABLE, answer)
                self.assertEqual((answer.results, answer.errors, answer.body), ([], [], body))

    def test_neither_does_a_body_beyond_its_bound_even_if_it_parses(self) -> None:
        self.assert_cause(Cause.UNREADABLE, read_text(json.dumps(COMPLETE), body_complete=False))

    def test_a_refusal_without_a_readable_body_is_known_by_its_status(self) -> None:
        for name, body in self.BODIES.items():
            with self.subTest(name):
                answer = read_text(body, 404, headers={"content-type": "text/html; charset=x"})
                self.assert_cause(Cause.REFUSED, answer)
                self.assertEqual(answer.error_text, "HTTP 404 without a message (text/html)")

    def test_nan_and_infinity_are_nothing(self) -> None:
        text = '{"status": "COMPLETE", "results": [NaN, 1e999, -Infinity], "numErrors": NaN}'
        answer = read_text(text)
        self.assertEqual((answer.results, answer.num_errors), ([None] * 3, None))
        self.assert_cause(Cause.NOT_SHOWN, answer)

    def test_nul_and_lone_surrogates_are_replaced_in_texts_and_names(self) -> None:
        answer = read({"message": "a\0b\ud800c", "x\0": ["\udfff"]}, 400)
        self.assertEqual(answer.error_text, "a\ufffdb?c")
        self.assertEqual(answer.errors, [{"message": "a\ufffdb?c", "x\ufffd": ["?"]}])

    def test_what_is_nested_too_deeply_is_cut(self) -> None:
        deep: Any = "bottom"
        for _ in range(MAX_DEPTH * 2):
            deep = [deep]
        answer = read(complete(errors=[deep]))
        self.assertNotIn("bottom", json.dumps(answer.errors))
        self.assertIn("…", json.dumps(answer.errors, ensure_ascii=False))

    def test_a_token_in_escaped_text_is_redacted(self) -> None:
        answer = read_text(json.dumps({"message": PAT}).replace("pat-", "\\u0070at-"), 400)
        self.assertEqual(answer.error_text, "[redacted]")
        self.assertNotIn(PAT, json.dumps(answer.errors))

    def test_what_is_too_long_for_its_column_is_cut(self) -> None:
        long = "ä" * 2000
        body = {"status": long, "category": long, "message": long, "correlationId": long}
        body["errors"] = [{"message": "another"}]
        answer = read(body, 400)
        lengths = [answer.status, answer.error_category, answer.error_text, answer.correlation_id]
        self.assertEqual([*map(len, lengths)], [32, 100, 500, 100])


class TimestampTests(AnswerTestCase):
    def test_are_read_as_utc(self) -> None:
        for text in (
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00.000Z",
            "2026-11-23T12:00:00+02:00",
            "2026-11-23T10:00:00",
        ):
            with self.subTest(text), override_settings(TIME_ZONE="Asia/Tokyo"):
                self.assertEqual(read(complete(startedAt=text)).started_at, NOW)

    def test_what_is_no_time_is_left_out(self) -> None:
        for value in (
            *(None, "", "now", 1795341600000, 1.5, True, [], {}, "2026-13-01T00:00:00Z"),
            *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"),
            *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", ...),
        ):
            with self.subTest(value=value):
                answer = read(complete(startedAt=value))
                self.assertIsNone(answer.started_at)
                self.assert_cause(Cause.CONFIRMED, answer)


class RefusalTests(AnswerTestCase):
    def test_what_hubspot_was_seen_to_say(self) -> None:
        scope = ["crm.objects.contacts.write"]
        for cause, status, body in (
            (
                Cause.UNKNOWN_OBJECT_TYPE,
                400,
                {"status": "error", "message": "Unable to infer object type from: foo"},
            ),
            (Cause.RECORD_NOT_FOUND, 400, ERROR),
            (Cause.RECORD_NOT_FOUND, 404, {"category": "OBJECT_NOT_FOUND", "message": "No"}),
            (
                Cause.NO_DEFAULT_TYPE,
                400,
                {"message": "No default association type is defined between CAR and CAR"},
            ),
            (
                Cause.ASSOCIATION_LIMIT,
                400,
                {"message": "The association would exceed the limit of 5"},
            ),
            (Cause.ASSOCIATION_LIMIT, 400, {"subCategory": "crm.LIMIT_EXCEEDED"}),
            (Cause.REFUSED, 400, {"message": "Something else", "category": "VALIDATION_ERROR"}),
            (
                Cause.TOKEN_REFUSED,
                401,
                {
                    "category": "INVALID_AUTHENTICATION",
                    "message": "Authentication credentials not found. …",
                },
            ),
            (Cause.SCOPE_MISSING, 403, {"category": "MISSING_SCOPES"}),
            (Cause.SCOPE_MISSING, 403, {"context": {"missingScopes": scope}}),
            (
                Cause.SCOPE_MISSING,
                403,
                {"errors": [{"context": {"requiredGranularScopes": scope}}]},
            ),
            (Cause.FORBIDDEN, 403, {"category": "FORBIDDEN"}),
            (Cause.FORBIDDEN, 403, ERROR),
            (
                Cause.RATE_LIMITED,
                429,
                {
                    "message": "You have reached your ten_secondly_rolling limit.",
                    "errorType": "RATE_LIMIT",
                    "policyName": "TEN_SECONDLY_ROLLING",
                },
            ),
            (Cause.DAILY_LIMIT, 429, {"message": "Reached.", "policyName": "DAILY"}),
            (Cause.DAILY_LIMIT, 429, {"message": "You have reached your daily limit."}),
        ):
            with self.subTest(cause=cause, body=body):
                answer = read(body | {"correlationId": "4e1f"}, status)
                self.assert_cause(cause, answer)
                self.assertEqual(answer.errors, [body | {"correlationId": "4e1f"}])
                self.assertEqual(answer.correlation_id, "4e1f")
                self.assertEqual(answer.error_category, body.get("category", ""))
                self.assertEqual(answer.results, [])

    def test_the_status_alone_tells_much(self) -> None:
        for cause, statuses in {
            Cause.REDIRECTED: (300, 301, 302, 304, 307, 308),
            Cause.REFUSED: (400, 402, 404, 405, 409, 415, 418, 422, 451, 499),
            Cause.TOKEN_REFUSED: (401,),
            Cause.FORBIDDEN: (403,),
            Cause.LOCKED: (423,),
            Cause.RATE_LIMITED: (429,),
            Cause.MIGRATING: (477,),
            Cause.HUBSPOT_DOWN: (502, 503, 504, *range(520, 531)),
        }.items():
            for status in statuses:
                for text in ("", "<html>", "{}", '{"message": "No"}'):
                    with self.subTest(status=status, text=text):
                        self.assert_cause(cause, read_text(text, status))

    def test_an_error_is_hubspots_own_only_in_its_own_words(self) -> None:
        for status in (500, 501, 505, 511, 519, 531, 599):
            for cause, texts in {
                Cause.HUBSPOT_ERROR: ('{"message": "No"}', '{"correlationId": "4e1f"}'),
                Cause.HUBSPOT_DOWN: ("", "<html>", "error code: 1", "[]", "{}", '{"message": "N'),
            }.items():
                for text in texts:
                    with self.subTest(status=status, text=text):
                        self.assert_cause(cause, read_text(text, status))

    def test_nor_is_one_whose_words_broke_off(self) -> None:
        broken = {"body_complete": False, "failure": Cause.CONNECTION_LOST}
        self.assert_cause(Cause.HUBSPOT_DOWN, read_text('{"message": "No"}', 500, **broken))

    def test_a_body_that_claims_success_does_not_outweigh_the_status(self) -> None:
        for status in (302, 400, 404, 429, 500, 503):
            with self.subTest(status):
                answer = read(COMPLETE, status)
                self.assertNotEqual(answer.verdict.outcome, Outcome.LINKED)
                self.assertEqual(answer.results, [])

    def test_every_message_is_told_once_the_inner_ones_too(self) -> None:
        inner = [{"message": "Inner"}, {"message": "Outer"}, "Plain", {"errors": {"message": "3"}}]
        answer = read({"message": "Outer", "errors": inner}, 400)
        self.assertEqual(answer.error_text, "Outer · Inner · Plain · 3")

    def test_the_correlation_id_may_stand_in_a_header_only(self) -> None:
        for name in ("X-HubSpot-Correlation-Id", "x-hubspot-correlation-id"):
            with self.subTest(name):
                answer = read_text("", 502, headers={name: "4e1f"})
                self.assertEqual(answer.correlation_id, "4e1f")


class FailureTests(AnswerTestCase):
    def test_an_attempt_without_an_answer_ends_as_its_failure(self) -> None:
        for cause, outcome, linked in (
            (Cause.NO_CONNECTION, Outcome.UNREACHABLE, Linked.NO),
            (Cause.TIMED_OUT, Outcome.UNREACHABLE, Linked.PERHAPS),
            (Cause.CONNECTION_LOST, Outcome.UNREACHABLE, Linked.PERHAPS),
        ):
            with self.subTest(cause):
                answer = read_text("", None, failure=cause, detail="x" * 600)
                self.assert_cause(cause, answer)
                self.assertEqual((answer.verdict.outcome, answer.verdict.linked), (outcome, linked))
                self.assertEqual(answer.error_text, "x" * 500)

    def test_a_silence_that_nobody_named_leaves_the_link_in_doubt(self) -> None:
        self.assert_cause(Cause.CONNECTION_LOST, read_text("", None))


class ConcludeTests(AnswerTestCase):
    def test_the_truth_after_all_attempts(self) -> None:
        for causes, truth in (
            ([Cause.CONFIRMED], 0),
            ([Cause.TIMED_OUT, Cause.CONFIRMED], 1),
            ([Cause.RATE_LIMITED, Cause.RATE_LIMITED, Cause.RATE_LIMITED], 2),
            ([Cause.TIMED_OUT, Cause.RECORD_NOT_FOUND], 1),
            ([Cause.TIMED_OUT, Cause.NOT_SHOWN], 1),
            ([Cause.TIMED_OUT, Cause.RATE_LIMITED], 0),
            ([Cause.TIMED_OUT, Cause.TOKEN_REFUSED], 0),
            ([Cause.HUBSPOT_DOWN, Cause.NO_CONNECTION], 0),
            ([Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.DAILY_LIMIT], 1),
            ([Cause.NO_CONNECTION, Cause.RATE_LIMITED], 1),
            ([Cause.NO_CONNECTION, Cause.TIMED_OUT], 1),
            ([Cause.LOCKED, Cause.MIGRATING, Cause.HUBSPOT_ERROR], 2),
        ):
            with self.subTest(causes=causes):
                answers = [Answer(cause, error_text=str(n)) for n, cause in enumerate(causes)]
                self.assertIs(merge_attempts(answers), answers[truth])

    def test_that_nothing_was_sent_is_only_said_where_no_attempt_was(self) -> None:
        never_sent = Answer(Cause.NO_CONNECTION), Answer(Cause.RATE_LIMITED)
        for last in never_sent:
            for status, cause in ((423, Cause.LOCKED), (429, Cause.RATE_LIMITED)):
                with self.subTest(cause, last=last.cause):
                    answered = Answer(cause, http_status=status)
                    self.assertIs(merge_attempts([answered, last]), answered)
                    self.assertIs(merge_attempts([last, answered, last]), answered)
            self.assertIs(merge_attempts([*never_sent, last]), last)

    def test_a_no_is_never_said_while_an_earlier_attempt_may_have_made_the_link(self) -> None:
        for first in Cause:
            for last in Cause:
                one, other = Answer(first), Answer(last)
                if one.verdict.linked is Linked.PERHAPS and not other.verdict.settles:
                    with self.subTest(first=first, last=last):
                        self.assertIs(merge_attempts([one, other]).verdict.linked, Linked.PERHAPS)


class AskedWaitTests(TestCase):
    INTERVAL = "X-HubSpot-RateLimit-Interval-Milliseconds"

    def test_as_hubspot_asks(self) -> None:
        for status, headers, seconds in (
            (429, {"Retry-After": "7"}, 7.0),
            (429, {"retry-after": " 7 "}, 7.0),
            (477, {"Retry-After": "3600"}, 3600.0),
            (423, {}, 2.0),
            (423, {"Retry-After": "5"}, 5.0),
            (429, {self.INTERVAL: "10000"}, 10.0),
            (429, {"Retry-After": "soon", self.INTERVAL: "500"}, 0.5),
            (503, {self.INTERVAL: "10000"}, None),
            (503, {}, None),
            (429, {"Retry-After": "-1"}, None),
            (429, {"Retry-After": "1.5"}, None),
            (429, {"Retry-After": "9" * 30}, None),
            (429, {"Retry-After": "\u0665"}, None),
            (429, {"Retry-After": "Mon, 99 Nov 2026 10:00:00 GMT"}, None),
            (429, {"Retry-After": "Mon, 23 Nov 2026 10:00:00 -0000"}, None),
            (429, {"Retry-After": "Mon, 23 Nov 2020 10:00:00 GMT"}, 0.0),
        ):
            with self.subTest(status=status, headers=headers):
                self.assertEqual(retry_after(status, headers), seconds)

    def test_until_a_date(self) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
        wait = retry_after(503, {"Retry-After": date})
        self.assertAlmostEqual(wait, 60, delta=5)


# --- whatever comes -----------------------------------------------------------------------------
