"""How long a page may keep the database busy, and that afterwards it may take its time again."""

import time

from django.db import DatabaseError, OperationalError, connection, transaction

from associations.db import QueryTimeoutError, query_timeout
from associations.models import AssociationRequest
from tests.support import LogTransactionTestCase

COUNTING = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n{}) SELECT max(x) FROM n"
SHORT, LONG = 0.1, 0.3  # seconds


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
