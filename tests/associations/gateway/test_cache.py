"""What HubSpot has shown is remembered for a while, and so is that it showed nothing."""

from unittest import mock

from django.core.cache import cache
from django.test import SimpleTestCase

from associations.finding import names
from associations.gateway import cache as memory
from associations.gateway.cache import FAILURE_SECONDS, cached_lookup
from associations.hubspot import lookups
from associations.hubspot.client import ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Record
from tests.support import SandboxMixin


class MemoryTests(SandboxMixin, SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 1_000_000.0
        self.enterContext(mock.patch.object(memory, "time", lambda: self.now))
        self.addCleanup(cache.clear)

    def name(self, **options: float) -> str:
        shown = cached_lookup(lookups.find_record, "contacts", "501", seconds=60, **options)
        return shown.name

    def asked(self) -> int:
        return len(self.sandbox.requests)

    def test_it_is_asked_for_once_in_a_while(self) -> None:
        for _ in range(3):
            self.assertEqual(self.name(), "Ada Byron")
        self.assertEqual(self.asked(), 1)
        self.now += 60
        self.name()
        self.assertEqual(self.asked(), 2)

    def test_each_record_by_itself(self) -> None:
        other = cached_lookup(lookups.find_record, "contacts", "502", seconds=60)
        self.assertNotEqual(self.name(), other.name)

    def test_what_a_crowd_is_shown_pushes_nothing_out(self) -> None:
        self.name()
        for number in range(1000):  # 30 people, and each one's latest and hits
            names.remember("contacts", Record(f"{number + 1000}", "Bob Byron"))
        self.name()
        self.assertEqual(self.asked(), 1)

    def test_a_failure_is_remembered_for_a_moment(self) -> None:
        self.sandbox.fault(method="POST", status=503)
        for _ in range(3):
            with self.assertRaises(ReadError) as caught:
                self.name()
            self.assertEqual(caught.exception.cause, Cause.HUBSPOT_DOWN)
        self.assertEqual(self.asked(), 1)
        self.now += FAILURE_SECONDS
        self.assertEqual(self.name(), "Ada Byron")

    def test_nothing_outlives_a_clock_that_was_set_back(self) -> None:
        self.sandbox.fault(method="POST", status=503)
        with self.assertRaises(ReadError):
            self.name()
        for _ in range(2):
            self.now -= 3 * 60 * 60
            self.assertEqual(self.name(), "Ada Byron")
        self.assertEqual(self.asked(), 3)

    def test_that_there_is_nothing_is_remembered_only_for_a_moment(self) -> None:
        for asked in (1, 1, 2):
            self.assertIsNone(cached_lookup(lookups.find_record, "contacts", "9", seconds=60))
            self.assertEqual(self.asked(), asked)
            self.now += FAILURE_SECONDS / 2

    def test_what_was_known_before_is_used_on_only_where_that_is_wanted(self) -> None:
        self.name(at_worst=3600)
        self.sandbox.fault(method="POST", status=503, times=None)
        self.now += 61
        self.assertEqual(self.name(at_worst=3600), "Ada Byron")
        self.now += FAILURE_SECONDS
        with self.assertRaises(ReadError):
            self.name()
