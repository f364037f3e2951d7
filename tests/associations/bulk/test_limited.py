"""A run while HubSpot takes fewer calls than were thought: it goes on as soon as there is room."""

from datetime import timedelta
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from associations.gateway import call_limit, rate_limiter
from associations.models import CallPause, SendMode
from tests.associations.bulk.engine import EngineTestCase, row
from tests.support import forget_looks

REFUSED = {"status": 429, "body": {"policyName": "TEN_SECONDLY_ROLLING", "message": "too many"}}


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=190, HUBSPOT_CALLS_FOR_PEOPLE=40)
class LimitedTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(forget_looks)
        rate_limiter.bulk_wait()  # makes the slots

    def pause_after(self, **refusal: object) -> timedelta:
        """For how long all runs wait after a wave of which a row was refused."""
        run = self.queued(*map(row, range(8)), way=SendMode.SINGLE)
        self.fault(**REFUSED | refusal)
        begun_at = timezone.now()
        self.step(run)
        pause = CallPause.objects.get()
        self.assertEqual(pause.cause, "rate_limited")
        return pause.until - begun_at

    def test_the_limit_is_lowered_and_holds_the_run_back(self) -> None:
        self.assertLess(self.pause_after(), timedelta(seconds=5))
        self.assertEqual(call_limit.call_limit().calls, 95)

    def test_hubspot_may_ask_for_more_time(self) -> None:
        waited = self.pause_after(headers={"Retry-After": "40"})
        self.assertGreater(waited, timedelta(seconds=39))

    def test_where_no_limit_is_kept_hubspots_interval_counts(self) -> None:
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=0):
            self.assertGreater(self.pause_after(), timedelta(seconds=9))

    @mock.patch.object(rate_limiter, "WINDOW", 1.0)
    def test_another_limit_in_the_middle_costs_no_row(self) -> None:
        run = self.queued(*map(row, range(20)), way=SendMode.SINGLE)
        self.sandbox.take(12)
        self.step(run)
        self.assertEqual(call_limit.call_limit().told, 12)
        self.sandbox.take(190)
        self.finish(run)
        self.assertEqual(run.linked, 20)
