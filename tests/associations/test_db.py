"""How long a page may keep the database busy, and how long a database may be away."""

import time
from typing import Any

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from associations.db import QueryTimeoutError, query_timeout, retry_on_outage
from associations.models import AssociationRequest, CallPause
from tests.support import LogTransactionTestCase

COUNTING = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n{}) SELECT max(x) FROM n"
SHORT, LONG = 0.1, 0.3  # seconds
NOW = timezone.now()


def ask(query: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def ask_for_ever() -> None:
    ask(COUNTING.format(""))


def ask_for_longer() -> None:
    """Keep the database at one query for longer than SHORT."""
    start, count = time.monotonic(), 100_000
    while time.monotonic() - start < LONG:
        start, count = time.monotonic(), count * 2
        ask(COUNTING.format(f" WHERE x < {count}"))


class TimeLimitTests(LogTransactionTestCase):
    def timeout(self) -> object:
        """What PostgreSQL itself has for a limit."""
        return ask("SHOW statement_timeout") if connection.vendor == "postgresql" else None

    def assert_too_slow(self, seconds: float = SHORT) -> None:
        start = time.monotonic()
        with self.assertRaises(QueryTimeoutError), query_timeout(seconds):
            ask_for_ever()
        self.assertGreaterEqual(time.monotonic() - start, seconds)
        self.assertLess(time.monotonic() - start, seconds + 20)  # also on a busy machine

    def test_a_query_that_takes_too_long_is_ended(self) -> None:
        self.assert_too_slow()

    def test_what_is_quick_enough_passes(self) -> None:
        with query_timeout(60):
            self.assertEqual(ask("SELECT 7"), 7)
            self.assertEqual(AssociationRequest.objects.count(), 0)

    def test_afterwards_queries_may_take_their_time(self) -> None:
        before = self.timeout()
        self.assert_too_slow()
        ask_for_longer()
        with query_timeout(SHORT):
            ask("SELECT 1")
        ask_for_longer()
        self.assertEqual(self.timeout(), before)

    def test_after_another_error_too(self) -> None:
        before = self.timeout()
        with self.assertRaises(ZeroDivisionError), query_timeout(SHORT):
            raise ZeroDivisionError
        ask_for_longer()
        self.assertEqual(self.timeout(), before)

    def test_one_limit_after_another_each_counts_from_its_own_beginning(self) -> None:
        self.assert_too_slow(LONG)
        self.assert_too_slow(SHORT)
        with query_timeout(60):
            ask_for_longer()

    def test_an_error_of_the_database_is_not_taken_for_slowness(self) -> None:
        with self.assertRaises(DatabaseError), query_timeout(60):
            ask("SELECT nothing FROM nowhere")
        with self.assertRaises(OperationalError) as raised, query_timeout(60):
            raise OperationalError("the disk is full")
        self.assertEqual(str(raised.exception), "the disk is full")
        self.assertEqual(ask("SELECT 7"), 7)

    def test_what_was_read_before_the_limit_can_be_gone_on_with(self) -> None:
        with transaction.atomic():
            self.assertEqual(ask("SELECT 7"), 7)
            self.assert_too_slow()
            self.assertEqual(ask("SELECT 8"), 8)


class OutageTests(LogTransactionTestCase):
    """A database that is away for some writes: what it says is its own, only when is chosen."""

    def setUp(self) -> None:
        super().setUp()
        self.tries = 0
        self.enterContext(self.assertNoLogs("django.db", "ERROR"))

    def write(self, failures: int, error: type[DatabaseError] = OperationalError) -> str:
        self.tries += 1
        CallPause.objects.create(made_at=NOW, until=NOW, cause=f"try_{self.tries}")
        if self.tries <= failures:
            raise error("the database is away")
        return "written"

    def retried(self, failures: int, **options: Any) -> str:
        with self.assertLogs("associations.db", "WARNING") as logs:
            result = retry_on_outage(lambda: self.write(failures), **options)
        self.assertEqual(len(logs.records), failures)
        return result

    def causes(self) -> list[str]:
        return list(CallPause.objects.values_list("cause", flat=True))

    def test_it_is_tried_again_until_it_is_back_and_only_the_last_try_is_kept(self) -> None:
        self.assertEqual(self.retried(2), "written")
        self.assertEqual(self.causes(), ["try_3"])

    def test_once_more_at_least_however_little_time_there_is(self) -> None:
        self.assertEqual(self.retried(1, seconds=0), "written")
        self.assertEqual(self.causes(), ["try_2"])

    def test_when_it_takes_too_long_the_error_is_the_callers(self) -> None:
        with self.assertLogs("associations.db", "WARNING"), self.assertRaises(OperationalError):
            retry_on_outage(lambda: self.write(99), seconds=0)
        self.assertEqual((self.tries, self.causes()), (2, []))

    def test_what_is_no_outage_is_not_tried_again(self) -> None:
        with self.assertNoLogs("associations.db", "WARNING"), self.assertRaises(IntegrityError):
            retry_on_outage(lambda: self.write(1, IntegrityError))
        self.assertEqual((self.tries, self.causes()), (1, []))

    def test_within_a_transaction_of_the_callers_it_is_the_caller_who_has_to_try_again(
        self,
    ) -> None:
        with self.assertRaises(OperationalError), transaction.atomic():
            retry_on_outage(lambda: self.write(1))
        self.assertEqual((self.tries, self.causes()), (1, []))

    def test_a_single_statement_opens_no_transaction(self) -> None:
        for atomic in (True, False):
            seen = retry_on_outage(lambda: connection.in_atomic_block, atomic=atomic)
            self.assertIs(seen, atomic)
