"""Several that seal at once, and a database that goes away meanwhile."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from unittest import mock

from django.db import connection
from django.test import skipUnlessDBFeature

from associations.audit.integrity import sealing
from associations.audit.integrity.manifest import read
from associations.audit.integrity.sealing import seal_for_ever, seal_log
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import CommittedLogTestCase, seal, sealed_and_closed
from tests.associations.audit.integrity.processes import Process
from tests.support import missing_table

SEALERS = 4


class RaceTests(CommittedLogTestCase):
    def assert_one_chain(self, at_least: int) -> None:
        """No fork, no number twice or left out, each item in exactly one seal."""
        seals = list(AuditSeal.objects.all())
        self.assertGreaterEqual(len(seals), at_least)
        self.assertEqual([each.number for each in seals], list(range(1, len(seals) + 1)))
        for before, each in pairwise(seals):
            self.assertEqual(read(each.manifest).previous, before.head)
        self.assertEqual(*sealed_and_closed())
        self.assert_proven()

    def work(self, rounds: int) -> None:
        """Entries come and are closed, some of them late."""
        opened = []
        for number in range(rounds):
            opened.append(self.open_entry())
            entry = self.entry(attempts=0)  # what comes later were no part of it any more
            if number % 3 == 0:
                self.late_attempt(entry)
                self.check(entry)
            if len(opened) > 5:
                self.close(opened.pop(0))
            time.sleep(0.01)
        for entry in opened:
            self.close(entry)

    def test_threads(self) -> None:
        self.enterContext(mock.patch.object(sealing, "ITEMS_PER_SEAL", 3))
        is_over, made, errors = threading.Event(), [], []

        def keep_sealing() -> None:
            try:
                while not is_over.is_set():
                    made.append(len(list(seal_log())))
            except Exception as error:
                errors.append(error)
            connection.close()

        threads = [threading.Thread(target=keep_sealing) for _ in range(SEALERS)]
        for thread in threads:
            thread.start()
        self.work(60)
        is_over.set()
        for thread in threads:
            thread.join()
        seal()
        self.assertEqual(errors, [])
        self.assert_one_chain(at_least=20)
        self.assertGreater(sum(count > 0 for count in made), 1)

    def test_threads_that_start_at_the_same_moment(self) -> None:
        """All of them want the same number: one gets it, the others find nothing left to do."""
        for number in range(1, 4):
            self.entry()
            start, made = threading.Barrier(SEALERS), []

            def seal_once(start: threading.Barrier = start, made: list = made) -> None:
                start.wait()
                made.extend(each.number for each in seal_log())
                connection.close()

            threads = [threading.Thread(target=seal_once) for _ in range(SEALERS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(made, [number])
        self.assert_one_chain(at_least=3)

    def test_processes(self) -> None:
        processes = [Process("seal_audit_log", "--every", "0.02") for _ in range(SEALERS)]
        deadline = time.monotonic() + 240
        while AuditSeal.objects.count() < 5:
            self.work(1)
            self.assertLess(time.monotonic(), deadline, "too little was sealed in time")
        self.work(100)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            done = process.finish()
            self.assertEqual((done.returncode, done.stdout), (0, "Sealing has ended.\n"))
            self.assertNotIn("could not be sealed", done.stderr)
        seal()
        self.assert_one_chain(at_least=5)


class _EnoughError(Exception):
    """The test has seen what it wanted."""


class AwayTests(CommittedLogTestCase):
    """A database that is away is no reason to stop."""

    @contextmanager
    def pauses(self, *in_each: object) -> Iterator[None]:
        """Do one thing in each pause between two times of sealing; then end."""
        rest = iter(in_each)

        def sleep(seconds: float) -> None:
            try:
                next(rest)()
            except StopIteration:
                raise _EnoughError from None

        clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
        with mock.patch.object(sealing, "time", clock), self.assertRaises(_EnoughError):
            yield

    def test_it_goes_on_after_an_error(self) -> None:
        away = missing_table(AuditSeal)
        with (
            self.assertLogs("hubadmin.audit") as logs,
            self.pauses(away.__enter__, lambda: away.__exit__(None, None, None), self.entry),
        ):
            seal_for_ever(0.1)
        told = [record.getMessage() for record in logs.records]
        self.assertEqual(told, ["the audit log could not be sealed", "audit log sealed"])

    @skipUnlessDBFeature("has_select_for_update")  # SQLite has no connection to lose
    def test_it_goes_on_after_a_connection_that_was_lost(self) -> None:
        self.entry()
        with self.assertLogs("hubadmin.audit"), self.pauses(end_connections, *[lambda: None] * 3):
            seal_for_ever(0.1, before_each=self.entry_by_another)
        connection.close()
        self.assertGreaterEqual(AuditSeal.objects.count(), 3)

    def entry_by_another(self) -> None:
        thread = threading.Thread(target=lambda: (self.entry(), connection.close()))
        thread.start()
        thread.join()


def end_connections() -> None:
    """As a restart of the database does."""

    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
