"""How far a run is said to be, and what it waits for."""

import time
from datetime import timedelta

from django.test import TestCase, override_settings
from django.utils import timezone

from associations.bulk import backoff
from associations.bulk.progress import NO_WORKER, progress_of, waits_for
from associations.models import BulkRun, CallSlot, Worker
from tests.associations.linking.base import run_of
from tests.support import person


class ProgressTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.worker = Worker.objects.create(name="here", seen_at=timezone.now())

    def run_(self, state: str = "running", **fields: object) -> BulkRun:
        return run_of(person(), state=state, **fields)


class NumberTests(ProgressTestCase):
    def test_rows_through_of_those_in_the_log(self) -> None:
        run = self.run_(queued=200, linked=140, rejected=8, unreachable=1, canceled=1)
        progress = progress_of(run)
        self.assertEqual((progress.done, progress.total, progress.percent), (150, 200, 75))
        counts = {part.outcome: part.count for part in progress.parts}
        self.assertEqual((counts["linked"], counts["rejected"], counts["unconfirmed"]), (140, 8, 0))
        self.assertEqual([part.start for part in progress.parts], [0, 70, 70, 74, 74.5])

    def test_it_is_not_all_before_it_is(self) -> None:
        self.assertEqual(progress_of(self.run_(queued=1000, linked=999)).percent, 99)
        self.assertEqual(progress_of(self.run_(queued=1000, linked=1000)).percent, 100)
        self.assertEqual(progress_of(self.run_()).percent, 0)

    def test_while_it_is_read_and_queued(self) -> None:
        read = {"rows_read": 100, "rows_invalid": 7, "rows_double": 3}
        reading = progress_of(self.run_("reading", rows_looked_up=45, **read))
        self.assertEqual((reading.done, reading.total), (45, 90))
        for skip, total in ((True, 70), (False, 90)):
            run = self.run_("queueing", rows_linked=20, skip_linked=skip, queued=35, **read)
            self.assertEqual((progress_of(run).done, progress_of(run).total), (35, total))


class RateTests(ProgressTestCase):
    def rate(self, *samples: tuple[float, int], started: float = 900, **fields: object) -> object:
        now = time.time()
        began = timezone.now() - timedelta(seconds=started)
        run = self.run_(
            samples=[[now - ago, closed] for ago, closed in samples], started_at=began, **fields
        )
        return progress_of(run)

    def test_that_of_the_last_minute(self) -> None:
        progress = self.rate((300, 0), (50, 500), (5, 900), queued=4000, linked=1000)
        self.assertAlmostEqual(progress.rate, 10, delta=0.5)
        self.assertAlmostEqual(progress.seconds_left, 300, delta=15)

    def test_of_a_run_that_has_just_begun(self) -> None:
        progress = self.rate((1, 170), started=20, queued=1000, linked=200)
        self.assertAlmostEqual(progress.rate, 10, delta=0.5)

    def test_none_where_none_can_be_told(self) -> None:
        self.assertIsNone(self.rate(queued=10, linked=5).rate)
        self.assertIsNone(self.rate(started=1, queued=10, linked=5).rate)
        stalled = self.rate((40, 5), queued=10, linked=5)
        self.assertEqual((stalled.rate, stalled.seconds_left), (0, None))


class WaitTests(ProgressTestCase):
    def test_nothing_to_wait_for(self) -> None:
        self.assertIsNone(waits_for(self.run_()))

    def test_a_worker_and_only_while_there_is_something_to_do(self) -> None:
        Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
        for state in ("reading", "queueing", "running", "canceling"):
            self.assertEqual(waits_for(self.run_(state)).cause, NO_WORKER)
        for state in ("ready", "paused", "done"):
            self.assertIsNone(waits_for(self.run_(state)))

    def test_a_pause_of_all_runs(self) -> None:
        backoff.pause_calls("daily_limit", timezone.now() + timedelta(hours=3))
        wait = waits_for(self.run_())
        self.assertEqual((wait.cause, wait.is_silence), ("daily_limit", False))
        self.assertAlmostEqual(wait.seconds, 3 * 3600, delta=2)
        self.assertIsNone(waits_for(self.run_("reading")))
        backoff.pause_calls_for_silence("timed_out")
        self.assertTrue(waits_for(self.run_()).is_silence)


class QueryTests(ProgressTestCase):
    def test_as_many_for_any_run(self) -> None:
        for fields in ({}, {"queued": 100_000, "linked": 90_000}):
            run = self.run_(**fields)
            with self.assertNumQueries(2):
                progress_of(run)


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=0)
class NoLimitTests(ProgressTestCase):
    def test_the_limit_is_not_asked_where_there_is_none(self) -> None:
        self.assertIsNone(waits_for(self.run_()))
        self.assertFalse(CallSlot.objects.exists())
