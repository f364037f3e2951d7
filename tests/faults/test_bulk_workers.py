"""Two workers on PostgreSQL, one of which dies half way; and a task that was started twice."""

import statistics
import time
import unittest
from collections.abc import Callable
from typing import Any

from django.db import connection, connections
from django_q.tasks import async_task

from associations.audit.recorder import RequestMeta
from associations.bulk import services
from associations.models import AssociationAttempt, BulkRun, RunState, SendMode
from tests.faults.bulk_stack import LEASE_SECONDS, Stack
from tests.support import LogTransactionTestCase, person

ROWS = 240
SLACK = 2 + 3  # seconds; the further ones for a machine that has other things to do


class WorkersTests(LogTransactionTestCase):
    @unittest.skipUnless(connection.vendor == "postgresql", "SQLite takes one writer at a time")
    def test_the_other_one_goes_on(self) -> None:
        stack = self.enterContext(Stack())
        self.run_ = self.started_run(stack)
        self.wait(lambda: self.run_.linked > 20)
        held = dict(self.run_.chunks.exclude(owner="").values_list("pk", "owner"))
        stack.kill("worker 0")
        killed = time.monotonic()
        self.start_task_twice()
        resumed = self.seconds_until_resumed(held, killed)
        self.wait(lambda: self.run_.state == RunState.DONE)
        print(f"seconds to resume: {statistics.median(resumed)}, {max(resumed)} at most")
        self.assertLessEqual(max(resumed), LEASE_SECONDS + SLACK)
        self.assert_each_row_once(stack)

    @unittest.skipUnless(connection.vendor == "postgresql", "SQLite takes one writer at a time")
    def test_a_run_that_undoes_it_goes_on_as_well(self) -> None:
        stack = self.enterContext(Stack())
        linked = self.run_ = self.started_run(stack)
        self.wait(lambda: linked.state == RunState.DONE)
        slow = {"method": "POST", "path": "labels/archive", "delay": 0.1, "times": None}
        stack.ask_sandbox("faults", post=slow)
        own = self.run_ = services.undo(user=linked.user, run=linked, reason="", meta=RequestMeta())
        self.wait(lambda: own.state == RunState.READY)
        self.assertEqual(own.rows_ready, ROWS)
        services.start(user=linked.user, run=own, way=SendMode.SINGLE, skip_linked=False)
        self.wait(lambda: own.unlinked > 20)
        stack.kill("worker 0")
        self.start_task_twice()
        self.wait(lambda: own.state == RunState.DONE)
        self.assert_each_undone_once(stack)

    def assert_each_undone_once(self, stack: Stack) -> None:
        entries = self.run_.entries
        undone = list(entries.order_by("undoes_id").values_list("undoes_id", flat=True))
        self.assertEqual(
            undone, [*self.run_.undoes.entries.order_by("pk").values_list("pk", flat=True)]
        )
        self.assertEqual(entries.filter(outcome="unlinked", verified=True).count(), ROWS)
        self.assertEqual(stack.ask_sandbox("associations"), [])
        attempts = AssociationAttempt.objects.filter(request__run=self.run_)
        removals = [r for r in stack.ask_sandbox("requests") if r["path"].endswith("archive")]
        again = attempts.filter(failure="interrupted").count()
        self.assertLessEqual(len(removals), ROWS + again)
        self.assertLessEqual(len(removals), attempts.count())
        self.assertLessEqual(again, 2 * 8)

    def started_run(self, stack: Stack) -> BulkRun:
        slow = {"method": "PUT", "path": "default", "delay": 0.1, "times": None}
        stack.ask_sandbox("faults", post=slow)
        lines = [f"Contact,{1_000_001 + n},Company,{2_000_001 + n}" for n in range(ROWS)]
        data = "\n".join(["from type,from id,to type,to id", *lines]).encode()
        user = person()
        run = self.run_ = services.create(
            user=user, meta=RequestMeta(), name="x.csv", parts=[data], way=SendMode.SINGLE
        )
        self.wait(lambda: run.state == RunState.READY)
        services.start(user=user, run=run, way=SendMode.SINGLE, skip_linked=False)
        return run

    def wait(self, what: Callable[[], Any], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), deadline, f"{self.run_}")
            time.sleep(0.02)
            self.run_.refresh_from_db()

    def start_task_twice(self) -> None:
        for _ in range(2):
            async_task("associations.bulk.tasks.work", self.run_.pk)

    def seconds_until_resumed(self, held: dict[int, str], since: float) -> list[float]:
        found: list[float] = []

        def look() -> bool:
            for pk, owner in self.run_.chunks.filter(pk__in=list(held)).values_list("pk", "owner"):
                if owner != held[pk]:
                    del held[pk]
                    found.append(round(time.monotonic() - since, 2))
            return not held

        self.wait(look)
        return found

    def assert_each_row_once(self, stack: Stack) -> None:
        entries = self.run_.entries
        numbers = list(entries.order_by("row_number").values_list("row_number", flat=True))
        self.assertEqual(numbers, list(range(1, ROWS + 1)))
        self.assertEqual(entries.filter(outcome="linked").count(), ROWS)
        self.assertEqual(self.run_.linked, ROWS)
        attempts = AssociationAttempt.objects.filter(request__run=self.run_)
        puts = [r for r in stack.ask_sandbox("requests") if r["method"] == "PUT"]
        # No PUT was made twice, but those that were out when the worker died.
        again = attempts.filter(failure="interrupted").count()
        self.assertEqual(attempts.exclude(failure="interrupted").count(), ROWS)
        self.assertLessEqual(len(puts), ROWS + again)
        self.assertLessEqual(again, 2 * 8)

    def tearDown(self) -> None:
        super().tearDown()
        connections.close_all()
