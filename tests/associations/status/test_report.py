"""What the health page is made of: the token, the scopes, the day's calls, times and marks."""

import statistics
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.test import SimpleTestCase, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from associations.gateway import clients
from associations.hubspot import lookups
from associations.hubspot.answers import Answer
from associations.hubspot.client import SUPPORT_ENDS, ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.scopes import scopes_for
from associations.models import AssociationAttempt, AssociationBatch, AssociationRequest
from associations.status.auditlog import log_lines, oldest_open
from associations.status.latency import (
    COVERED,
    GAP,
    HEIGHT,
    MIN_MARK,
    SLOT,
    WIDTH,
    Times,
    hour_bars,
    times_of,
    times_today,
)
from associations.status.quota import LOOKED_THROUGH, Quota, quota_of
from associations.status.report import Item, Level, Reading, html, look, trouble
from associations.status.token import (
    DAYS_TO_PREPARE,
    LATELY,
    Shown,
    refused_scopes,
    types_used_lately,
    version_lines,
)
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.demo.sandbox.portal import GRANTED
from tests.associations.linking.base import entry_of, run_of
from tests.generated import examples
from tests.support import LINK, SandboxMixin, person

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAILY = {"X-HubSpot-RateLimit-Daily": "500", "X-HubSpot-RateLimit-Daily-Remaining": "400"}
TOLD_NOTHING = ReadError(Answer(Cause.NO_CONNECTION))


def attempts(*moments: datetime, **fields: object) -> None:
    """One attempt each, by entries of one person, in this order."""
    user = person()
    values = {"number": 1, "duration_ms": 100, "http_status": 200} | fields
    for moment in moments:
        entry_of(user).attempts.create(started_at=moment, **values)


class TokenTests(SandboxMixin, SimpleTestCase):
    PATH = "access-token-info"

    def token(self, **fault: object) -> lookups.Token:
        if fault:
            self.sandbox.fault(method="POST", path=self.PATH, **fault)
        return lookups.token_scopes(clients.interactive())

    def test_what_it_may_and_for_which_portal(self) -> None:
        expected = lookups.Token("4242", frozenset(GRANTED[SANDBOX_TOKEN]))
        self.assertEqual(self.token(), expected)

    def test_it_leaves_in_no_address_and_no_error(self) -> None:
        with self.settings(HUBSPOT_ACCESS_TOKEN="unheard-of"):
            with self.assertRaises(ReadError) as raised:
                self.token()
            echo = {"message": "The token unheard-of is not known"}
            with self.assertRaises(ReadError) as echoed:
                self.token(status=400, body=echo)
        self.assertEqual(raised.exception.cause, Cause.RECORD_NOT_FOUND)
        self.assertIn("[redacted]", str(echoed.exception))
        self.assertNotIn("unheard-of", f"{raised.exception} {echoed.exception}")
        self.assertNotIn("unheard-of", str(self.sandbox.requests))

    def test_an_answer_of_another_shape_tells_nothing(self) -> None:
        for body, expected in (
            ({}, lookups.Token("", None)),
            ({"hubId": "x", "scopes": "all"}, lookups.Token("", None)),
            ({"hubId": 7, "scopes": []}, lookups.Token("7", frozenset())),
            ({"scopes": [None, 7, "", "a.read"]}, lookups.Token("", frozenset({"a.read"}))),
        ):
            with self.subTest(body):
                self.assertEqual(self.token(status=200, body=body), expected)


class LineTests(SandboxMixin, SimpleTestCase):
    def test_values_are_escaped_but_not_the_sentence_nor_markup(self) -> None:
        text = html("It's <b>{one}</b> and {other}", one="<i>", other=html("<u>1</u>"))
        self.assertEqual(text, "It's <b>&lt;i&gt;</b> and <u>1</u>")

    def test_every_level_has_an_icon_and_a_word(self) -> None:
        lines = [Item(level, "") for level in Level]
        self.assertEqual(len({line.icon for line in lines}), len(Level))
        self.assertEqual(len({line.word for line in lines}), len(Level))
        self.assertEqual([line.needs_attention for line in lines], [True, True, False, False])

    def test_whatever_keeps_hubspot_from_answering_is_told_without_sending_to_the_admin(
        self,
    ) -> None:
        for cause in Cause:
            with self.subTest(cause):
                line = trouble(ReadError(Answer(cause, http_status=400)))
                self.assertTrue(line.text)
                self.assertNotIn("admin", line.text)
                self.assertEqual(line.codes, ("HTTP 400",))
                self.assertTrue(line.advice and line.needs_attention)

    def test_a_look_never_raises_and_is_not_remembered(self) -> None:
        self.assertEqual(look(lookups.account, clients.looking()).value.portal_id, "4242")
        self.sandbox.fault(method="GET", path="details", status=503)
        self.assertEqual(look(lookups.account, clients.looking()).error.cause, Cause.HUBSPOT_DOWN)
        self.assertEqual(look(lookups.account, clients.looking()).value.portal_id, "4242")


class ScopeTests(TestCase):
    def test_each_type_has_its_scopes(self) -> None:
        for object_type, name in (
            ("contacts", "contacts"),
            ("0-8", "line_items"),
            ("2-4001", "custom"),
            ("p4242_car", "custom"),
            ("notes", "contacts"),
            ("0-48", "contacts"),
        ):
            with self.subTest(object_type):
                expected = {f"crm.objects.{name}.read", f"crm.objects.{name}.write"}
                self.assertEqual(scopes_for({object_type}), expected)
        self.assertEqual(scopes_for({"what never was a type"}), set())

    def test_types_are_those_of_the_newest_entries(self) -> None:
        self.assertEqual(types_used_lately(), set())
        user = person()
        long_ago = timezone.now() - timedelta(days=1)
        values = {"user": user, "outcome": "linked", "created_at": timezone.now()} | LINK
        AssociationRequest.objects.bulk_create(
            AssociationRequest(**values) for _ in range(LATELY - 1)
        )
        entry_of(user, from_object_type="notes", created_at=long_ago)
        self.assertEqual(types_used_lately(), {"contacts", "companies", "notes"})
        entry_of(user)
        self.assertEqual(types_used_lately(), {"contacts", "companies"})
        entry_of(user, from_object_type="deals", created_at=long_ago)
        self.assertEqual(types_used_lately(), {"contacts", "companies"})
        entry_of(user, from_object_type="tickets")
        self.assertEqual(types_used_lately(), {"contacts", "companies", "tickets"})

    def test_only_what_was_refused_for_want_of_a_scope_counts(self) -> None:
        error = {"context": {"missingScopes": ["a.read"]}}
        for fields in (
            {"cause": "forbidden", "http_status": 403, "created_at": NOON},
            {"cause": "scope_missing", "http_status": 403, "created_at": NOON - timedelta(days=1)},
        ):
            entry_of(person(), outcome="rejected", errors=[error], **fields)
        self.assertEqual(refused_scopes(NOON), (False, []))
        self.assertEqual(refused_scopes(NOON - timedelta(days=2)), (True, ["a.read"]))

    def test_a_refusal_that_names_no_scope_is_no_less_of_one(self) -> None:
        refusal = {"cause": "scope_missing", "http_status": 403, "created_at": NOON}
        entry_of(person(), outcome="rejected", errors=[], **refusal)
        self.assertEqual(refused_scopes(NOON - timedelta(days=1)), (True, []))


class QuotaTests(TestCase):
    def quota(self, now: datetime = NOON, zone: str = "") -> Quota | None:
        account = lookups.Account("4242", zone) if zone else None
        return quota_of(Shown(Reading(account), Reading(), Reading(error=TOLD_NOTHING), None), now)

    def test_the_newest_answer_that_tells(self) -> None:
        attempts(NOON - timedelta(hours=2), headers=DAILY)
        newer = DAILY | {"X-HubSpot-RateLimit-Daily-Remaining": "100"}
        attempts(NOON - timedelta(hours=1), headers=newer)
        attempts(NOON, headers={})
        quota = self.quota()
        self.assertEqual((quota.left, quota.used, quota.percent), (100, 400, 80))
        self.assertEqual(quota.seen_at, NOON - timedelta(hours=1))
        self.assertIsNone(quota.resets_at)

    def test_an_answer_to_a_batch_tells_as_well(self) -> None:
        attempts(NOON - timedelta(hours=2), headers=DAILY)
        newer = DAILY | {"X-HubSpot-RateLimit-Daily-Remaining": "100"}
        AssociationBatch.objects.create(
            run=run_of(person()), from_object_type="contacts", to_object_type="companies",
            inputs=9, cause="confirmed", http_status=200, duration_ms=9,
            started_at=NOON - timedelta(hours=1), headers=newer,
        )  # fmt: skip
        quota = self.quota()
        self.assertEqual((quota.left, quota.seen_at), (100, NOON - timedelta(hours=1)))

    def test_the_day_is_that_of_the_account(self) -> None:
        attempts(NOON - timedelta(hours=10), headers=DAILY)  # 02:00 UTC
        for zone, is_today in (
            ("", True),
            ("no zone", True),
            ("Europe/Berlin", True),
            ("America/New_York", False),
        ):
            with self.subTest(zone):
                self.assertEqual(self.quota(zone=zone) is not None, is_today)
        midnight = datetime(2026, 11, 25, tzinfo=ZoneInfo("Europe/Berlin"))
        self.assertEqual(self.quota(zone="Europe/Berlin").resets_at, midnight)

    def test_which_begins_while_it_is_another_day_here(self) -> None:
        attempts(NOON.replace(hour=22), headers=DAILY)  # 23:00 in Berlin
        late = NOON.replace(hour=23, minute=30)
        self.assertIsNone(self.quota(late, "Europe/Berlin"))
        self.assertIsNotNone(self.quota(late, "Europe/London"))

    def test_no_fewer_than_none_are_left(self) -> None:
        quota = Quota(limit=10, used=12, resets_at=None)
        self.assertEqual((quota.left, quota.percent), (0, 100))

    def test_without_its_zone_an_answer_counts_for_a_day(self) -> None:
        attempts(NOON - timedelta(hours=24), headers=DAILY)
        self.assertIsNotNone(self.quota())
        self.assertIsNone(self.quota(NOON + timedelta(seconds=1)))

    def test_headers_that_cannot_be_read(self) -> None:
        for daily, left in (("", "4"), ("0", "0"), ("5", ""), ("5", "-1"), ("9" * 20, "1")):
            headers = {
                "X-HubSpot-RateLimit-Daily": daily,
                "X-HubSpot-RateLimit-Daily-Remaining": left,
            }
            attempts(NOON, headers=headers)
        self.assertIsNone(self.quota())

    def test_no_more_than_the_newest_are_looked_through(self) -> None:
        attempts(NOON, headers=DAILY)
        attempts(*[NOON] * (LOOKED_THROUGH - 1), headers={})
        self.assertIsNotNone(self.quota())
        attempts(NOON, headers={})
        self.assertIsNone(self.quota())

    def test_what_hubspot_tells_now_wins_and_the_log_is_not_asked(self) -> None:
        usage = lookups.Usage(1000, 10, NOON)
        with CaptureQueriesContext(connection) as found:
            quota = quota_of(Shown(Reading(), Reading(), Reading(usage), None), NOON)
        self.assertEqual((quota.left, quota.seen_at, len(found)), (990, None, 0))


class TimesTests(TestCase):
    TOKYO = ZoneInfo("Asia/Tokyo")  # NOON is 21:00 there, and the day began at 15:00 UTC

    def test_only_the_viewers_day(self) -> None:
        start = datetime(2026, 11, 23, 15, tzinfo=UTC)
        attempts(start - timedelta(seconds=1), start, NOON)
        today = times_today(self.TOKYO, NOON)
        self.assertEqual(today.whole.count, 2)
        self.assertEqual([hour for hour, _ in today.by_hour], [0, 21])
        self.assertIsNone(today.since)
        self.assertEqual(times_today(UTC, NOON).whole.count, 1)
        self.assertEqual(times_today(self.TOKYO, NOON.replace(hour=16)).whole.count, 0)

    def test_of_many_the_newest(self) -> None:
        attempts(NOON - timedelta(days=1), NOON - timedelta(minutes=1))
        entry = entry_of(person())
        AssociationAttempt.objects.bulk_create(
            AssociationAttempt(
                request=entry, number=number, started_at=NOON, duration_ms=100, http_status=200
            )
            for number in range(1, COVERED)
        )
        today = times_today(UTC, NOON)
        self.assertEqual((today.whole.count, today.since), (COVERED, None))
        attempts(NOON)
        today = times_today(UTC, NOON)
        self.assertEqual((today.whole.count, today.since), (COVERED, NOON))

    def test_it_is_one_query_that_follows_the_ids(self) -> None:
        attempts(NOON)
        with CaptureQueriesContext(connection) as found:
            times_today(UTC, NOON)
        self.assertEqual(len(found), 1)
        (query,) = found.captured_queries
        self.assertIn(f"LIMIT {COVERED + 1}", query["sql"])
        self.assertIn('ORDER BY "associations_associationattempt"."id" DESC', query["sql"])

    def test_what_failed_and_what_got_no_answer(self) -> None:
        rows = [
            (NOON, 100, 200, ""),
            (NOON, 200, 404, ""),
            (NOON, 300, 503, ""),
            (NOON, 9000, None, "timed_out"),
            (NOON, 9000, 200, "connection_lost"),  # its body broke off
        ]
        times = times_of(rows)
        self.assertEqual((times.count, times.failed, times.unanswered), (5, 4, 2))
        self.assertEqual((times.median, times.slow, times.slowest), (0.2, 0.3, 0.3))
        self.assertEqual(times.failed_percent, 80)
        nothing = times_of([])
        self.assertEqual((nothing.median, nothing.slow, nothing.failed_percent), (None, None, 0))


class SlowTests(SimpleTestCase):
    @given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
    @examples(200)
    def test_most_were_not_slower(self, milliseconds: list[int]) -> None:
        times = times_of([(NOON, each, 200, "") for each in milliseconds])
        seconds = [each / 1000 for each in milliseconds]
        self.assertGreaterEqual(sum(each <= times.slow for each in seconds), 0.95 * len(seconds))
        self.assertLess(sum(each < times.slow for each in seconds), 0.95 * len(seconds))
        self.assertEqual((times.median, times.slowest), (statistics.median(seconds), max(seconds)))


class ChartTests(SimpleTestCase):
    def test_bars_stand_at_their_hours(self) -> None:
        first, last = hour_bars([(0, _times(1, 2)), (23, _times(2, 4))])
        self.assertEqual((first.x, last.x), (GAP / 2, 23 * SLOT + GAP / 2))
        self.assertLessEqual(last.x + last.width, WIDTH)
        self.assertEqual((last.slow_height, last.median_height), (HEIGHT, HEIGHT / 2))
        self.assertEqual((first.slow_height, first.slow_y), (HEIGHT / 2, HEIGHT / 2))
        self.assertEqual((first.label_anchor, last.label_anchor), ("start", "end"))

    def test_only_the_slowest_says_its_number_and_only_once(self) -> None:
        bars = hour_bars([(1, _times(1, 2)), (2, _times(1, 9)), (3, _times(1, 9))])
        self.assertEqual([bar.is_labelled for bar in bars], [False, True, False])

    def test_an_hour_without_an_answer_has_none(self) -> None:
        self.assertEqual(hour_bars([(1, Times(3, 3, 3, None, None, None))]), [])

    def test_what_is_there_is_seen_however_little_it_is(self) -> None:
        (bar,) = hour_bars([(1, _times(0, 0))])
        self.assertEqual((bar.median_height, bar.slow_height), (MIN_MARK, MIN_MARK))


def _times(median: float, slow: float) -> Times:
    return Times(1, 0, 0, median, slow, slow)


class VersionTests(SimpleTestCase):
    def test_each_comes_to_its_end(self) -> None:
        for version, day in (
            ("v4", "30 Mar 2027"),
            ("2026-03", "about September 2027"),
            ("2026-09", "about March 2028"),
        ):
            for days, level, words in (
                (DAYS_TO_PREPARE + 1, Level.WELL, f"until {day}: 91 more days."),
                (DAYS_TO_PREPARE, Level.WARNING, "90 more days."),
                (1, Level.WARNING, "1 more day."),
                (0, Level.WARNING, "0 more days."),
                (-1, Level.WRONG, f"{day.replace('about ', '')}."),
            ):
                with self.subTest(version, days=days), self.settings(HUBSPOT_API_VERSION=version):
                    (line,) = version_lines(SUPPORT_ENDS[version] - timedelta(days=days))
                    self.assertEqual(line.level, level)
                    self.assertIn(f"API version {version}", line.text)
                    self.assertIn(words, line.text)
                    self.assertTrue(line.advice)


class LogTests(TestCase):
    def test_the_entry_that_is_open_for_longest_whether_it_was_sent_or_not(self) -> None:
        self.assertIsNone(oldest_open())
        fields = {"cause": "", "finished_at": None}
        for outcome, hours in (("queued", 1), ("sending", 2), ("queued", 3)):
            created_at = NOON - timedelta(hours=hours)
            entry = entry_of(person(), outcome=outcome, created_at=created_at, **fields)
            entry_of(person(), created_at=created_at - timedelta(hours=9))
            self.assertEqual(oldest_open(), entry)

    def test_no_query_goes_through_the_whole_log(self) -> None:
        for _ in range(50):
            entry_of(person(), finished_at=NOON)
        with CaptureQueriesContext(connection) as found:
            list(log_lines(timezone.now()))
        bounded = [query for query in found if "associations_associationrequest" in query["sql"]]
        self.assertTrue(bounded)
        for query in bounded:
            if query["sql"].startswith("SELECT"):
                self.assertRegex(query["sql"], r" LIMIT 1|\bid\" (BETWEEN|IN|>=) ")
