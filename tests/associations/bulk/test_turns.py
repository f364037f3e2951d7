"""Whose turn it is: one worker with one process, and several people's runs."""

import time
from unittest import mock

from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from associations.audit.recorder import RequestMeta
from associations.bulk import services, tasks
from associations.bulk.turns import Turns
from associations.bulk.worker.scheduler import Scheduler
from associations.models import BulkRun, RunState, SendMode
from hubadmin.models import User
from tests.associations.bulk.engine import HEADER, EngineTestCase, row
from tests.support import person

LARGE = 1_500  # rows


class WorkerTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.other = person("other", "support")
        self.enterContext(mock.patch.object(tasks, "SLICE_SECONDS", 0.2))
        self.enterContext(mock.patch.object(tasks, "WORK_SECONDS", 1.0))
        self.enterContext(mock.patch.object(tasks, "_turns", Turns()))

    def upload(self, user: User, rows: int, way: str = SendMode.SINGLE) -> BulkRun:
        data = "\n".join([HEADER, *map(row, range(rows))]).encode()
        return services.create(user=user, meta=RequestMeta(), name="x.csv", parts=[data], way=way)

    def work_until(self, run: BulkRun, *states: str, seconds: float = 60) -> None:
        """What a worker does: look what there is to do each second, and do it."""
        broker = get_broker()
        scheduler, deadline = Scheduler(broker), time.monotonic() + seconds
        while run.state not in states:
            self.assertLess(time.monotonic(), deadline, f"{run} did not get so far")
            scheduler.tick()
            for task_id, package in broker.dequeue() or ():
                task = SignedPackage.loads(package)
                tasks.work(*task["args"])
                broker.acknowledge(task_id)
            run.refresh_from_db()


class SharedTests(WorkerTestCase):
    def order(self, runs: dict[str, BulkRun], moment: str) -> str:
        """The names of the runs, in the order in which they came so far."""
        for run in runs.values():
            run.refresh_from_db()
        return "".join(sorted(runs, key=lambda name: getattr(runs[name], moment)))

    def read_in_order(self, **runs: BulkRun) -> str:
        for run in runs.values():
            self.work_until(run, RunState.READY)
        return self.order(runs, "read_at")

    def test_a_dry_run_of_one_row_waits_for_nobodys_large_ones(self) -> None:
        large = {name: self.upload(self.user, LARGE) for name in "abcd"}
        order = self.read_in_order(**large, o=self.upload(self.other, 1))
        self.assertEqual(order, "oabcd")

    def test_a_large_one_waits_for_as_much_of_another_person(self) -> None:
        """And no more, however many they have; of theirs, one comes after the other."""
        large = {name: self.upload(self.user, LARGE) for name in "abcd"}
        order = self.read_in_order(**large, o=self.upload(self.other, LARGE))
        self.assertEqual(order.replace("o", ""), "abcd")
        self.assertIn("o", order[:3])

    def test_ones_own_small_one_does_not_wait_for_the_large_ones_either(self) -> None:
        order = self.read_in_order(a=self.upload(self.user, LARGE), o=self.upload(self.user, 1))
        self.assertEqual(order, "oa")

    def test_what_is_sent_is_shared_too(self) -> None:
        runs = {"a": self.upload(self.user, 200), "b": self.upload(self.user, 300)}
        runs["o"] = self.upload(self.other, 100)
        for run in runs.values():
            self.work_until(run, RunState.READY)
        for run in runs.values():
            services.start(user=run.user, run=run, way=SendMode.SINGLE, skip_linked=False)
        for run in runs.values():
            self.work_until(run, RunState.DONE)
            self.check(run)
        self.assertEqual(self.order(runs, "finished_at"), "oab")

    def test_nobody_is_left_out(self) -> None:
        """Somebody who uploads one small file after the other does not keep the rest waiting."""
        large, deadline = self.upload(self.user, LARGE), time.monotonic() + 60
        while large.state == RunState.READING:
            self.assertLess(time.monotonic(), deadline)
            small = self.upload(self.other, 1)
            self.work_until(small, RunState.READY)
            services.discard(run=small)
            large.refresh_from_db()
