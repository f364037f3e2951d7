"""What a worker tidies away, and that it goes on meanwhile."""

from datetime import timedelta
from unittest import mock

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.brokers import get_broker

from associations.bulk.worker import scheduler
from associations.models import BulkChunk, BulkKey, BulkRow, BulkRun, Worker
from tests.associations.linking.base import run_of
from tests.support import person

OLD = timezone.now() - timedelta(days=400)


class TidyTests(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()

    def run_(self, rows: int = 0, **fields: object) -> BulkRun:
        run = run_of(self.user, **{"created_at": OLD, "finished_at": OLD} | fields)
        BulkRow.objects.bulk_create(
            BulkRow(run=run, number=number, line=number, state="ready")
            for number in range(1, rows + 1)
        )
        BulkKey.objects.create(run=run, object_type="contacts", kind="email", text="a@b.example")
        return run

    def queries(self) -> int:
        with CaptureQueriesContext(connection) as found:
            while scheduler.tidy():
                pass
        return len(found)

    def test_old_runs_cost_nothing_once_they_are_tidy(self) -> None:
        self.run_()
        few = self.queries()
        for _ in range(30):
            self.run_()
        self.assertEqual(self.queries(), few)

    def test_only_what_is_not_needed_any_more_goes(self) -> None:
        now = timezone.now()
        kept = self.run_(3, finished_at=now), self.run_(3, state="running")
        kept += (self.run_(3, state="ready", created_at=now),)
        ended, never_started = self.run_(3), self.run_(3, state="ready")
        BulkChunk.objects.create(run=ended, first_id=1, last_id=3, rows=3, way="batch")
        self.queries()
        for model in (BulkRow, BulkKey):
            runs = {*model.objects.values_list("run", flat=True)}
            self.assertEqual(runs, {run.pk for run in kept})
        self.assertFalse(BulkChunk.objects.exists())
        self.assertEqual({*BulkRun.objects.all()}, {*kept, ended})
        self.assertFalse(BulkRun.objects.filter(pk=never_started.pk).exists())

    def test_a_run_that_may_still_be_started_goes_whole_or_not_at_all(self) -> None:
        run = self.run_(5, state="ready", rows_read=5)
        with mock.patch.object(scheduler, "TIDY_ROWS", 2):
            scheduler.tidy()
        self.assertFalse(BulkRow.objects.filter(run=run.pk).exists())
        self.assertFalse(BulkRun.objects.filter(pk=run.pk).exists())
        started = self.run_(5, state="queueing", rows_read=5)
        self.queries()
        self.assertEqual(started.rows.count(), 5)

    def test_one_that_has_ended_in_order_counts_no_more(self) -> None:
        mine = scheduler.Scheduler(get_broker())
        Worker.objects.create(name="another 1", seen_at=timezone.now())
        mine.tick()
        self.assertEqual(Worker.objects.alive().count(), 2)
        mine.leave()
        self.assertEqual([each.name for each in Worker.objects.all()], ["another 1"])

    def test_it_says_once_a_minute_that_it_is_alive(self) -> None:
        mine = scheduler.Scheduler(get_broker())
        with self.assertLogs("associations.bulk.worker.scheduler", "INFO") as logs:
            for _ in range(3):
                mine.tick()
        self.assertEqual([each.getMessage() for each in logs.records], ["the worker is alive"])

    def test_in_parts_between_which_the_worker_gives_a_sign_of_life(self) -> None:
        self.run_(5)
        mine = scheduler.Scheduler(get_broker())
        with (
            mock.patch.object(scheduler, "TIDY_ROWS", 2),
            mock.patch.multiple(scheduler, TIDY_SECONDS=0, BEAT_SECONDS=0),
        ):
            left, beats = [], []
            for _ in range(3):
                mine.tick()
                left.append(BulkRow.objects.count())
                beats.append(Worker.objects.get().seen_at)
        self.assertEqual(left, [3, 1, 0])
        self.assertEqual(len(set(beats)), 3)
