"""The limit of calls follows HubSpot's: a real sandbox, whose limit changes, and a short window."""

from unittest import mock

from django.db import Error as DBError
from django.test import TestCase, override_settings

from associations.gateway import call_limit, clients, rate_limiter
from associations.hubspot import lookups
from associations.hubspot.client import ReadError
from associations.hubspot.search import search
from tests.associations.gateway.test_rate_limiter import TABLE, execute
from tests.support import SandboxMixin

CEILING, FOR_PEOPLE = 190, 40
PAIR = {"from_object_type": "contacts", "from_object_id": "501"}
PAIR |= {"to_object_type": "companies", "to_object_id": "902"}
HEADERS = ("Max", "Remaining", "Interval-Milliseconds")
UNTOLD = {f"X-HubSpot-RateLimit-{name}": None for name in HEADERS}
TOO_MANY = {"policyName": "TEN_SECONDLY_ROLLING", "message": "ten_secondly_rolling limit"}


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=CEILING, HUBSPOT_CALLS_FOR_PEOPLE=FOR_PEOPLE)
class CallLimitTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(rate_limiter.close)
        self.addCleanup(execute, f"DELETE FROM {TABLE}")
        execute(f"DELETE FROM {TABLE}")
        rate_limiter.bulk_wait()  # makes the slots

    def put(self, *, learns: bool = True) -> str:
        """What comes of a call of a run, whose process has not heard of the limit lately."""
        if learns:
            call_limit.forget_heard()
        return clients.bulk_put().create_default_association(**PAIR).cause

    def refuse(self, **fields: object) -> None:
        self.sandbox.fault(status=429, headers=UNTOLD, **{"body": TOO_MANY} | fields)
        self.assertIn(self.put(), ("rate_limited", "daily_limit"))

    def calls(self) -> int:
        return call_limit.call_limit().calls

    def pass_time(self, seconds: float) -> None:
        execute(f"UPDATE {TABLE} SET used_at = used_at - {seconds} WHERE used_at > 1000000")


class HeaderTests(CallLimitTestCase):
    def test_what_hubspot_says_is_the_limit_up_to_the_setting(self) -> None:
        for told, calls in ((150, 150), (100, 100), (190, 190), (250, 190), (100, 100)):
            with self.subTest(told):
                self.sandbox.take(told)
                self.put()
                learnt = call_limit.call_limit()
                self.assertEqual(learnt, call_limit.CallLimit(calls, told, False))

    def test_all_take_no_more_and_people_keep_their_part(self) -> None:
        self.sandbox.take(100)
        self.put()
        self.assertEqual(rate_limiter.acquire_bulk(500), 100 - 100 * FOR_PEOPLE // CEILING)
        looks = sum(rate_limiter.acquire_look(0) for _ in range(100))
        self.assertEqual(looks, 21 - 10)
        submits = sum(rate_limiter.acquire_interactive(0) for _ in range(100))
        self.assertEqual(submits, 10)
        self.assertEqual(rate_limiter.usage(), (100, 100))

    def test_of_the_least_there_is_everybody_has_some(self) -> None:
        self.sandbox.take(10)
        self.put()
        self.assertEqual(rate_limiter.acquire_bulk(500), 8)
        self.assertEqual(sum(rate_limiter.acquire_interactive(0) for _ in range(10)), 2)

    def test_what_was_called_before_counts_towards_a_lower_one(self) -> None:
        self.assertEqual(rate_limiter.acquire_bulk(80), 80)
        self.sandbox.take(100)
        self.put()
        self.assertEqual(rate_limiter.usage(), (80, 100))
        self.assertEqual(sum(rate_limiter.acquire_interactive(0) for _ in range(100)), 20)

    def test_absurd_ones_change_nothing(self) -> None:
        self.sandbox.take(150)
        self.put()
        for most in ("0", "-1", "3", "many", "1000000000"):
            self.sandbox.fault(headers={"X-HubSpot-RateLimit-Max": most})
            self.put()
            self.assertEqual(self.calls(), 150, most)

    def test_a_lower_limit_of_the_associations_api_is_not_raised_by_other_calls(self) -> None:
        self.sandbox.take(190, associations=150)
        self.put()
        call_limit.forget_heard()
        lookups.find_record(clients.bulk_read(), "contacts", "501")
        self.assertEqual(self.calls(), 150)
        self.sandbox.take(190, associations=100)
        self.put()
        self.assertEqual(self.calls(), 100)
        self.sandbox.take(190)
        self.put()
        self.assertEqual(self.calls(), 190)

    def test_one_process_compares_what_is_the_same_only_now_and_then(self) -> None:
        self.sandbox.take(150)
        self.put()
        asked = self.enterContext(mock.patch.object(rate_limiter, "run", wraps=rate_limiter.run))
        self.put(learns=False)
        asked.assert_not_called()
        with mock.patch.object(call_limit, "AGAIN", 0):
            self.put(learns=False)
        asked.assert_called_once()

    def test_zero_keeps_no_limit_and_learns_none(self) -> None:
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=0):
            self.sandbox.take(100)
            self.put()
            self.assertEqual(rate_limiter.acquire_bulk(500), 500)
        self.assertEqual(self.calls(), CEILING)

    def test_what_cannot_be_learnt_is_in_nobodys_way(self) -> None:
        self.sandbox.take(150)
        broken = mock.patch.object(rate_limiter._connection, "run", side_effect=DBError)
        with broken, self.assertLogs("associations.gateway.call_limit", "ERROR"):
            self.assertEqual(self.put(), "confirmed")
        self.put()
        self.assertEqual(self.calls(), 150)


class RefusalTests(CallLimitTestCase):
    def test_a_refusal_lowers_it_below_what_was_called(self) -> None:
        self.assertEqual(rate_limiter.acquire_bulk(150), 150)
        self.refuse()
        learnt = call_limit.call_limit()
        self.assertIn(learnt.calls, (135, 136))
        self.assertEqual((learnt.told, learnt.is_after_refusal), (None, True))
        self.assertEqual(rate_limiter.acquire_bulk(500), 0, "what was called still counts")

    def test_a_passing_one_takes_no_more_than_the_half_and_soon_nothing(self) -> None:
        self.refuse()
        self.assertEqual(self.calls(), 95)
        self.pass_time(100)
        self.assertEqual(self.calls(), 115)
        self.pass_time(400)
        self.assertEqual(call_limit.call_limit(), call_limit.CallLimit(190, None, False))

    def test_several_at_once_are_one(self) -> None:
        for _ in range(3):
            self.refuse()
        self.assertEqual(self.calls(), 95)
        self.pass_time(rate_limiter.WINDOW + 0.1)
        self.refuse()
        self.assertIn(self.calls(), (48, 49))

    def test_however_often_some_calls_are_left(self) -> None:
        for _ in range(8):
            self.refuse()
            self.pass_time(rate_limiter.WINDOW + 0.1)
        self.assertIn(self.calls(), (10, 11, 12))
        self.assertGreaterEqual(rate_limiter.acquire_bulk(500), 8)
        self.assertTrue(rate_limiter.acquire_interactive(0))

    def test_one_that_the_header_explains_lowers_it_to_that_and_no_further(self) -> None:
        rate_limiter.acquire_bulk(150)
        self.sandbox.take(1)
        self.put()  # takes it
        told = {"X-HubSpot-RateLimit-Max": "100"}
        self.sandbox.fault(times=3, headers=told, status=429, body=TOO_MANY)
        for _ in range(3):
            self.assertEqual(self.put(), "rate_limited")
        self.assertEqual(call_limit.call_limit(), call_limit.CallLimit(100, 100, False))

    def test_one_below_what_the_header_says_lowers_it(self) -> None:
        self.sandbox.take(150)
        self.put()
        self.pass_time(rate_limiter.WINDOW + 0.1)
        rate_limiter.acquire_bulk(500)
        self.sandbox.fault(status=429, body=TOO_MANY)
        self.put()
        learnt = call_limit.call_limit()
        self.assertEqual((learnt.told, learnt.is_after_refusal), (150, True))
        self.assertIn(learnt.calls, range(100, 120))
        self.sandbox.take(180)
        self.put()
        self.assertEqual(call_limit.call_limit(), call_limit.CallLimit(180, 180, False))

    def test_that_another_program_has_used_them_up_lowers_it_before_one_is_refused(self) -> None:
        self.sandbox.take(150)
        self.put()
        self.pass_time(rate_limiter.WINDOW + 0.1)
        rate_limiter.acquire_bulk(100)
        none_left = {"X-HubSpot-RateLimit-Remaining": "0"}
        self.sandbox.fault(headers=none_left)
        self.assertEqual(self.put(), "confirmed")
        self.assertEqual(call_limit.call_limit(), call_limit.CallLimit(97, 150, True))

    def test_that_this_site_has_used_them_up_lowers_nothing(self) -> None:
        self.sandbox.take(150)
        self.put()
        self.pass_time(rate_limiter.WINDOW + 0.1)
        rate_limiter.acquire_bulk(500)
        self.sandbox.fault(headers={"X-HubSpot-RateLimit-Remaining": "0"})
        self.put()
        self.assertEqual(self.calls(), 150)

    def test_the_daily_limit_teaches_nothing(self) -> None:
        self.refuse(body={"policyName": "DAILY", "message": "daily limit"})
        self.assertEqual(self.calls(), CEILING)

    def test_nor_does_that_of_searches(self) -> None:
        self.sandbox.fault(method="POST", path="search", times=2, status=429)
        with mock.patch("associations.hubspot.search.A_SECOND", 0), self.assertRaises(ReadError):
            search(clients.bulk_search(), "companies", "analytical")
        self.assertEqual(self.calls(), CEILING)

    def test_a_clock_that_was_set_back_or_forward(self) -> None:
        for seconds in (3600, -3600):
            with self.subTest(seconds):
                self.refuse()
                self.pass_time(seconds)
                rate_limiter.bulk_wait()
                self.assertGreaterEqual(self.calls(), 10)
                self.pass_time(1000)
                self.assertEqual(self.calls(), CEILING)
