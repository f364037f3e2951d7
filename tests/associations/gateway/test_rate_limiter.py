"""The one limit of calls, with a short window: what people and runs may take, and when."""

import multiprocessing
import os
import threading
import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from django.db import Error as DBError
from django.db import connection
from django.test import TestCase, override_settings

from associations.gateway import rate_limiter
from associations.models import AssociationRequest
from tests.support import LINK, SandboxMixin, SignedInClient, person

WINDOW = 0.3
LIMIT, FOR_PEOPLE = 12, 3
TABLE = "associations_callslot"


def execute(sql: str, *values: object) -> None:
    rate_limiter._connection.run(lambda wrapper: wrapper.cursor().execute(sql, values))


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=LIMIT, HUBSPOT_CALLS_FOR_PEOPLE=FOR_PEOPLE)
class LimiterTestCase(TestCase):
    """Its own transaction is open all the while, which on SQLite keeps all others from writing."""

    window = WINDOW

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(rate_limiter, "WINDOW", self.window))
        self.addCleanup(rate_limiter.close)
        self.addCleanup(execute, f"DELETE FROM {TABLE}")
        rate_limiter.bulk_wait()  # makes the slots


class TurnTests(LimiterTestCase):
    def test_runs_take_all_but_peoples_share(self) -> None:
        self.assertEqual(rate_limiter.acquire_bulk(100), LIMIT - FOR_PEOPLE)
        self.assertEqual(rate_limiter.acquire_bulk(1), 0)
        self.assertEqual(rate_limiter.usage()[0], LIMIT - FOR_PEOPLE)
        for _ in range(FOR_PEOPLE):
            self.assertTrue(rate_limiter.acquire_interactive(0.01))
        self.assertFalse(rate_limiter.acquire_interactive(0.01))

    def test_people_may_take_all(self) -> None:
        self.assertTrue(all(rate_limiter.acquire_interactive(0.01) for _ in range(LIMIT)))
        self.assertEqual(rate_limiter.acquire_bulk(1), 0)

    def test_a_slot_is_free_again_after_the_window(self) -> None:
        rate_limiter.acquire_bulk(100)
        wait = rate_limiter.bulk_wait()
        self.assertTrue(0 < wait <= WINDOW, wait)
        time.sleep(wait + 0.02)
        self.assertEqual(rate_limiter.bulk_wait(), 0)
        self.assertEqual(rate_limiter.acquire_bulk(100), LIMIT - FOR_PEOPLE)

    def test_a_person_waits_for_the_next_slot(self) -> None:
        while rate_limiter.acquire_interactive(0):
            pass
        start = time.monotonic()
        self.assertTrue(rate_limiter.acquire_interactive(2))
        self.assertLess(time.monotonic() - start, 4)

    def test_more_and_fewer_calls_once_the_setting_says_so(self) -> None:
        rate_limiter.acquire_bulk(100)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=LIMIT + 5):
            rate_limiter.bulk_wait()
            self.assertEqual(rate_limiter.acquire_bulk(100), 5)
        time.sleep(WINDOW + 0.02)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=FOR_PEOPLE + 2):
            self.assertEqual(rate_limiter.acquire_bulk(100), 2)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=FOR_PEOPLE):
            self.assertEqual(
                rate_limiter.acquire_bulk(100), 1, "however few there are, a run gets one"
            )

    def test_calls_that_leave_late_are_used_when_they_leave(self) -> None:
        rate_limiter.acquire_bulk(100)
        time.sleep(WINDOW / 2)
        rate_limiter.leave_now(WINDOW / 2)
        self.assertGreater(rate_limiter.bulk_wait(), WINDOW * 0.6)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=0):
            rate_limiter.leave_now(WINDOW)

    def test_without_a_limit_nobody_waits(self) -> None:
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=0):
            self.assertEqual(rate_limiter.acquire_bulk(5000), 5000)
            self.assertTrue(rate_limiter.acquire_interactive(0))
            self.assertEqual(rate_limiter.bulk_wait(), 0)

    def test_a_clock_that_was_set_back_or_forward(self) -> None:
        for seconds in (3600, -3600):
            with self.subTest(seconds):
                execute(f"UPDATE {TABLE} SET used_at = %s", time.time() + seconds)
                wait = rate_limiter.bulk_wait()
                self.assertLessEqual(wait, WINDOW)
                time.sleep(wait + 0.02)
                self.assertEqual(rate_limiter.acquire_bulk(100), LIMIT - FOR_PEOPLE)


class PatienceTests(SandboxMixin, LimiterTestCase):
    window = 60.0

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(rate_limiter, "PEOPLE_WAIT", 0.05))
        while rate_limiter.acquire_interactive(0):
            pass

    def test_what_a_clock_set_back_has_left_counts_as_it_would_have(self) -> None:
        ages = {
            1: 0.0,
            2: self.window / 2,
            3: self.window + 1,
            4: 600.0,
        }  # of the slots' uses, when it was set
        for number, age in ages.items():
            execute(f"UPDATE {TABLE} SET used_at = %s WHERE number = {number}", -age)
        execute(f"UPDATE {TABLE} SET used_at = %s + used_at WHERE number < 5", time.time() + 10_800)
        execute(f"UPDATE {TABLE} SET used_at = %s WHERE number > 4", time.time())
        rate_limiter.bulk_wait()
        used, _ = rate_limiter.usage()
        self.assertEqual(used, LIMIT - 2)
        self.assertTrue(rate_limiter.acquire_interactive(0))

    def test_a_person_does_not_wait_for_long(self) -> None:
        start = time.monotonic()
        self.assertFalse(rate_limiter.acquire_interactive(10))
        self.assertLess(time.monotonic() - start, 5)

    def test_the_form_says_that_nothing_was_sent_and_when_to_try_again(self) -> None:
        page = SignedInClient(person()).post("/?submit", LINK, follow=True)
        self.assertContains(page, "this one was not sent. Nothing was linked.")
        self.assertContains(page, "Link them again in 10 seconds.")
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.outcome, entry.cause), ("rejected", "rate_limited"))
        self.assertEqual(entry.attempts.count(), 1)
        self.assertEqual(self.sandbox.requests, [])


class FinalizerTests(LimiterTestCase):
    def test_one_amid_this_threads_own_work_does_not_wait_for_itself(self) -> None:
        """As that of a download which is collected then."""

        def work(wrapper: object) -> None:
            with self.assertRaises(DBError):
                rate_limiter.end_download(1)

        thread = threading.Thread(target=rate_limiter._connection.run, args=(work,), daemon=True)
        thread.start()
        thread.join(10)
        self.assertFalse(thread.is_alive())
        self.assertTrue(rate_limiter.acquire_interactive(0))


class AwayTests(LimiterTestCase):
    @contextmanager
    def table_away(self) -> Iterator[None]:
        if connection.vendor == "sqlite":  # there it is made anew
            execute(f"DROP TABLE {TABLE}")
            yield
        else:
            execute(f"ALTER TABLE {TABLE} RENAME TO moved_away")
            yield
            execute(f"ALTER TABLE moved_away RENAME TO {TABLE}")

    def test_a_limit_that_cannot_be_asked_keeps_no_person_waiting(self) -> None:
        with self.table_away(), self.assertLogs("associations.gateway.rate_limiter", "ERROR"):
            self.assertTrue(rate_limiter.acquire_interactive(1))

    def test_a_run_is_told(self) -> None:
        with self.table_away(), self.assertRaises(DBError):
            rate_limiter.acquire_bulk(1)
        rate_limiter.bulk_wait()
        self.assertEqual(rate_limiter.acquire_bulk(1), 1, "it is asked again")

    @unittest.skipUnless(connection.vendor == "postgresql", "no way leads to SQLite")
    def test_a_connection_that_was_lost_meanwhile_is_opened_anew(self) -> None:
        own = rate_limiter.run(lambda wrapper: wrapper.connection.info.backend_pid)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [own])
        self.assertEqual(rate_limiter.acquire_bulk(1), 1)

    @unittest.skipUnless(connection.vendor == "sqlite", "PostgreSQL keeps the ring in its table")
    def test_on_sqlite_the_ring_has_a_file_of_its_own(self) -> None:
        name = Path(connection.settings_dict["NAME"])
        self.assertTrue(name.with_name(f"{name.stem}-calls{name.suffix}").exists())


def _take_all_the_time(until: float, results: multiprocessing.Queue) -> None:
    taken = []

    def take() -> None:
        while time.monotonic() < until:
            taken.append(rate_limiter.acquire_bulk(2))
            time.sleep(0.005)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(taken))
    results.close()
    results.join_thread()
    os._exit(0)  # what it has of its parent's connections it leaves alone


def _tell_connection(results: multiprocessing.Queue) -> None:
    results.put(rate_limiter.run(id))
    results.close()
    results.join_thread()
    os._exit(0)  # as above


class SharedTests(LimiterTestCase):
    def test_a_forked_process_has_a_connection_of_its_own(self) -> None:
        context = multiprocessing.get_context("fork")
        results, of_parent = context.Queue(), rate_limiter.run(id)
        process = context.Process(target=_tell_connection, args=(results,))
        process.start()
        self.assertNotEqual(results.get(timeout=20), of_parent)
        process.join()

    def test_processes_and_threads_share_it(self) -> None:
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        start = time.monotonic()
        arguments = (start + 4 * WINDOW, results)
        processes = [context.Process(target=_take_all_the_time, args=arguments) for _ in range(4)]
        for process in processes:
            process.start()
        taken = sum(results.get(timeout=20) for _ in processes)
        for process in processes:
            process.join()
        rounds = (time.monotonic() - start) // WINDOW + 1
        self.assertLessEqual(taken, rounds * (LIMIT - FOR_PEOPLE))
        self.assertGreaterEqual(taken, 2 * (LIMIT - FOR_PEOPLE), "they got their turns")


def _search_all_the_time(until: float, moments: list[float]) -> None:
    while time.monotonic() < until:
        if rate_limiter.acquire_search(2):
            moments.append(time.monotonic())  # one clock for all processes of a machine


def _threads_that_search(until: float, count: int) -> list[float]:
    moments: list[float] = []
    arguments = (until, moments)
    threads = [threading.Thread(target=_search_all_the_time, args=arguments) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return moments


def _search_in_a_process(until: float, count: int, results: multiprocessing.Queue) -> None:
    results.put(_threads_that_search(until, count))
    results.close()
    results.join_thread()
    os._exit(0)


class SearchTests(LimiterTestCase):
    def test_never_more_than_three_in_any_second_over_all_threads_and_processes(self) -> None:
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        until = time.monotonic() + 4.0
        arguments = (until, 15, results)
        processes = [context.Process(target=_search_in_a_process, args=arguments) for _ in range(2)]
        for process in processes:
            process.start()
        moments = sorted(moment for _ in processes for moment in results.get(timeout=30))
        for process in processes:
            process.join()
        fourths = [later - first for first, later in zip(moments, moments[3:], strict=False)]
        self.assertGreaterEqual(min(fourths), 1.0)
        self.assertGreaterEqual(len(moments), 9, "they got their turns")

    def test_whoever_has_waited_long_enough_is_told(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "PEOPLE_WAIT", 0.05))
        turns = [rate_limiter.acquire_search(2) for _ in range(4)]
        self.assertEqual(turns, [True, True, True, False])

    def test_they_take_nothing_from_the_calls_and_these_nothing_from_them(self) -> None:
        self.assertTrue(all(rate_limiter.acquire_search(0.5) for _ in range(3)))
        self.assertEqual(rate_limiter.usage()[0], 0)
        self.assertEqual(rate_limiter.acquire_bulk(100), LIMIT - FOR_PEOPLE)

    def test_without_a_limit_nobody_waits(self) -> None:
        with self.settings(HUBSPOT_SEARCHES_PER_SECOND=0):
            self.assertTrue(all(rate_limiter.acquire_search(0) for _ in range(20)))

    def test_a_persons_finds_are_their_own_and_no_looks(self) -> None:
        waits = [rate_limiter.find_wait(7) for _ in range(rate_limiter.FINDS + 1)]
        self.assertEqual(waits[:-1], [0] * rate_limiter.FINDS)
        self.assertIn(waits[-1], (59, 60))
        self.assertEqual((rate_limiter.look_wait(7), rate_limiter.find_wait(8)), (0, 0))
        self.assertGreater(rate_limiter.take_download(7), 0)
