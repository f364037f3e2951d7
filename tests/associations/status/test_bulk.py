"""What the health page says of bulk runs: the workers, what waits, the limit, a pause."""

from dataclasses import replace
from datetime import timedelta
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import timezone
from django_q.tasks import async_task

from associations.bulk import backoff
from associations.gateway import call_limit, rate_limiter
from associations.hubspot.answers import Attempt
from associations.hubspot.outcomes import Cause
from associations.models import BulkRun, RunState, Worker
from associations.status.bulk import run_lines
from associations.status.report import Item, Level
from tests.support import forget_looks, person


class RunLinesTests(TestCase):
    def line(self, part: str) -> Item:
        (found,) = [line for line in run_lines() if part in line.text]
        return found

    def seen(self, name: str, seconds_ago: float) -> None:
        Worker.objects.create(name=name, seen_at=timezone.now() - timedelta(seconds=seconds_ago))

    def test_workers_that_were_seen_just_now(self) -> None:
        self.seen("one 1", 2)
        self.assertEqual(self.line("1 worker is running").level, Level.WELL)
        self.seen("two 2", 3)
        self.seen("gone 3", 60)
        self.assertEqual(self.line("2 workers are running").level, Level.WELL)

    def test_no_worker_is_a_problem_only_if_a_run_needs_one(self) -> None:
        self.assertEqual(self.line("No worker is running.").level, Level.WELL)
        run = BulkRun.objects.create(
            user=person(), created_at=timezone.now(), state=RunState.RUNNING
        )
        line = self.line("bulk runs stand still")
        self.assertEqual(line.level, Level.WRONG)
        self.assertIn("run_worker", line.advice)
        BulkRun.objects.filter(pk=run.pk).update(state=RunState.PAUSED)
        self.assertEqual(self.line("No worker is running.").level, Level.WELL)

    def test_tasks_that_wait(self) -> None:
        self.assertFalse([line for line in run_lines() if "wait" in line.text])
        async_task("associations.bulk.tasks.work", 1)
        self.assertEqual(self.line("1 task waits.").level, Level.WELL)

    def test_redis_that_is_away(self) -> None:
        conf = {"BROKER_CLASS": "associations.bulk.worker.redis_broker.RedisBroker"}
        conf["REDIS"] = "redis://127.0.0.1:9/0"
        with mock.patch.multiple("django_q.conf.Conf", **conf):
            self.assertEqual(self.line("Redis").level, Level.WRONG)

    def test_the_limit_of_calls(self) -> None:
        self.assertEqual(self.line("No limit of calls is kept").level, Level.WELL)
        self.addCleanup(rate_limiter.close)
        four = override_settings(HUBSPOT_CALLS_PER_10_SECONDS=4, HUBSPOT_CALLS_FOR_PEOPLE=1)
        with four, mock.patch.object(rate_limiter, "WINDOW", 0.05):
            rate_limiter.bulk_wait()
            rate_limiter.acquire_bulk(2)
            line = self.line("within ten seconds are used; 1 of them no run may use.")
        self.assertRegex(line.text, r"^\d of the 4 calls")

    @override_settings(HUBSPOT_CALLS_PER_10_SECONDS=190, HUBSPOT_CALLS_FOR_PEOPLE=40)
    def test_a_limit_that_was_learnt_and_why(self) -> None:
        self.addCleanup(rate_limiter.close)
        self.addCleanup(forget_looks)
        forget_looks()
        path = "/crm/v4/objects/contacts/1/associations/default/companies/2"
        answer = Attempt(timezone.now(), 5, 200, {"X-HubSpot-RateLimit-Max": "100"})
        call_limit.learn(path, answer)
        line = self.line("of the 100 calls that this site allows itself")
        self.assertIn("; 21 of them no run may use.", line.text)
        line = self.line("HubSpot says that it takes 100 calls within ten seconds;")
        self.assertEqual(line.level, Level.WELL)
        with mock.patch.object(rate_limiter, "WINDOW", 0.0):
            call_limit.learn(path, replace(answer, http_status=429))
        self.line("of the 50 calls that this site allows itself")
        line = self.line("HubSpot has refused calls within that limit.")
        self.assertEqual(line.level, Level.WARNING)
        self.assertIn("another program uses the same token", line.advice)

    def test_a_pause(self) -> None:
        backoff.pause_calls(Cause.DAILY_LIMIT, timezone.now() + timedelta(minutes=5))
        line = self.line("Bulk runs wait until")
        self.assertEqual(line.level, Level.WARNING)
        self.assertIn("daily limit", line.text)
