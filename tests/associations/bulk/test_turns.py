"""Whose turn it is: one worker with one process, and several people's runs."""

import time
from collections import Counter
from datetime import timedelta
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from associations.audit.recorder import RequestMeta
from associations.bulk import services, tasks, turns
from associations.bulk.turns import Turns
from associations.bulk.worker.scheduler import Scheduler
from associations.gateway import rate_limiter
from associations.gateway.account import form_options
from associations.models import BulkRun, CallSlot, RunState, SendMode
from hubadmin.models import User
from tests.associations.bulk.engine import HEADER, EngineTestCase, row
from tests.associations.linking.base import run_of
from tests.support import person

LARGE = 1_500  # rows
MINUTE = timedelta(minutes=1)


def forget_calls() -> None:
    """Have every call be free again."""
    sql = f"DELETE FROM {CallSlot._meta.db_table}"
    rate_limiter._connection.run(lambda wrapper: wrapper.cursor().execute(sql))


class EqualTurns(Turns):
    """As on a machine that never stalls: each slice takes as long as it is meant to."""

    def note(self, run: BulkRun, seconds: float) -> None:
        super().note(run, min(seconds, tasks.SLICE_SECONDS))


class WorkerTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.other = person("other", "support")
        self.enterContext(mock.patch.object(tasks, "SLICE_SECONDS", 0.2))
        self.enterContext(mock.patch.object(tasks, "WORK_SECONDS", 1.0))
        self.enterContext(mock.patch.object(tasks, "_turns", EqualTurns()))

    def upload(self, user: User, rows: int, way: str = SendMode.SINGLE) -> BulkRun:
        data = "\n".join([HEADER, *map(row, range(rows))]).encode()
        return services.create(user=user, meta=RequestMeta(), name="x.csv", parts=[data], way=way)

    def work_until(self, run: BulkRun, *states: str, seconds: float = 240) -> None:
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
        large, deadline = self.upload(self.user, LARGE), time.monotonic() + 240
        while large.state == RunState.READING:
            self.assertLess(time.monotonic(), deadline)
            small = self.upload(self.other, 1)
            self.work_until(small, RunState.READY)
            services.discard(run=small)
            large.refresh_from_db()


class ChoiceTests(TestCase):
    """Whose turn it is, by what each has had."""

    def setUp(self) -> None:
        super().setUp()
        self.turns = Turns()
        self.people = [person(name, "support") for name in ("ada", "bea", "cy")]

    def large(self, user: User, **fields: object) -> BulkRun:
        return run_of(user, **{"state": RunState.READING, "size": 10**6} | fields)

    def next_one(self, seconds: float) -> BulkRun:
        run = self.turns.next_run()
        self.turns.note(run, seconds)
        return run

    def test_everybody_has_as_much_whatever_their_calls_take(self) -> None:
        slow, quick, other = (self.large(user) for user in self.people)
        had = Counter[BulkRun]()
        for _ in range(300):
            run = self.turns.next_run()
            seconds = {slow: 4.0, quick: 0.5, other: 2.0}[run]
            self.turns.note(run, seconds)
            had[run] += seconds
        self.assertLessEqual(max(had.values()) - min(had.values()), 4, had)

    def test_whoever_comes_anew_is_next_and_has_nothing_to_make_up_for(self) -> None:
        old = self.large(self.people[0])
        for _ in range(50):
            self.next_one(2)
        new = self.large(self.people[1])
        self.assertEqual([self.next_one(2) for _ in range(4)], [new, old, new, old])

    def test_a_small_one_is_next_even_where_many_come_at_once(self) -> None:
        everybody = {self.large(user) for user in self.people}
        for _ in range(3):
            small = self.large(self.people[0], size=100)
            self.assertEqual(self.next_one(0.2), small)
            small.delete()
        # But not without end.
        small = self.large(self.people[0], size=100)
        order = [self.next_one(0.5) for _ in range(20)]
        self.assertTrue(everybody < {*order[:12]}, order)

    def test_whoever_has_a_process_at_work_has_the_second_one_last(self) -> None:
        first = self.large(self.people[0], owner="x" * 32, lease_until=timezone.now() + MINUTE)
        second, other = self.large(self.people[0]), self.large(self.people[1])
        self.assertEqual([self.next_one(2) for _ in range(3)], [other] * 3)
        BulkRun.objects.filter(pk=other.pk).update(owner="y" * 32, lease_until=first.lease_until)
        self.assertEqual(self.next_one(2), second)

    def test_a_turn_that_broke_is_not_tried_again_before_the_others(self) -> None:
        for user in self.people:
            self.large(user)
        broken = self.turns.next_run()
        with (
            mock.patch.object(tasks, "_turns", self.turns),
            mock.patch.dict(tasks._STEPS, {RunState.READING: mock.Mock(side_effect=OSError)}),
            self.assertRaises(OSError),
        ):
            tasks.work()
        self.assertNotIn(broken, [self.next_one(2) for _ in range(4)])


# Six are for looks, as many as a dry run makes: types, both records, links, limits there and back.
@override_settings(
    HUBSPOT_VERIFY=True, HUBSPOT_CALLS_PER_10_SECONDS=18, HUBSPOT_CALLS_FOR_PEOPLE=12
)
class LooksTests(WorkerTestCase):
    """What dry runs look up, while another's run uses all calls that runs may make."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(rate_limiter.close)
        self.addCleanup(forget_calls)
        form_options()  # what a site knows of its account is remembered
        forget_calls()
        rate_limiter.bulk_wait()  # makes the slots
        self.assertEqual(rate_limiter.acquire_bulk(100), 6)

    def seconds_of_work(self) -> float:
        start = time.monotonic()
        tasks.work()
        return time.monotonic() - start

    def test_a_small_one_waits_for_none_of_them(self) -> None:
        run = self.upload(self.user, 1)
        self.assertLess(self.seconds_of_work(), 6)
        run.refresh_from_db()
        self.assertEqual((run.state, run.rows_looked_up), (RunState.READY, 1))

    @mock.patch.object(rate_limiter, "WINDOW", 2.0)
    def test_one_with_many_merged_records_comes_to_an_end(self) -> None:
        """It takes hundreds of calls: what was found is not given up while one is not free."""
        count = 120
        for number in range(count):
            old, new = str(1_000_001 + number), str(1_001_001 + number)
            self.sandbox.link("contacts", new, "companies", str(2_000_001 + number))
            self.sandbox.merge("contacts", old, new)
        run = self.upload(self.user, count)
        for _ in range(6):
            if run.state == RunState.READING:
                self.seconds_of_work()
                run.refresh_from_db()
        self.assertEqual(run.state, RunState.READY)
        self.assertLess(len(self.sandbox.requests), 4 * count)

    def test_many_small_ones_of_one_person_do(self) -> None:
        """Else they would take the calls that the form has for itself."""
        while not rate_limiter.look_wait(self.user.pk):
            pass
        run = self.upload(self.user, 1)
        self.seconds_of_work()
        run.refresh_from_db()
        self.assertEqual((run.state, run.rows_looked_up), (RunState.READING, 0))

    def test_what_is_small_but_turns_out_to_have_many_rows(self) -> None:
        """A workbook is packed."""
        fields = {"state": RunState.READING, "size": 10_000}
        for rows, is_quick in ((0, True), (turns.QUICK_ROWS, True), (turns.QUICK_ROWS + 1, False)):
            run = run_of(self.user, rows_read=rows, **fields)
            self.assertEqual(turns.is_quick(run), is_quick)

    @mock.patch.object(turns, "QUICK_BYTES", 0)
    def test_a_large_one_keeps_no_process_waiting_and_is_looked_up_later(self) -> None:
        run = self.upload(self.user, 3)
        self.assertLess(self.seconds_of_work(), 6)
        run.refresh_from_db()
        told = run.state, run.owner, run.lookup_cause, run.rows_looked_up
        self.assertEqual(told, (RunState.READING, "", "", 0))
        forget_calls()
        self.work_until(run, RunState.READY)
        self.assertEqual(run.rows_looked_up, 3)
