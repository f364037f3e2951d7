"""Lists by day, as they are in the reader's time zone."""

from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

from django.test import SimpleTestCase
from django.utils import timezone, translation

from associations.models import AssociationRequest
from associations.models.readable import UnreadableRow
from associations.texts.days import by_day

NOW = datetime(2026, 3, 9, 16, 30, tzinfo=UTC)  # the 10th in Tokyo, half past one
GONE = UnreadableRow(AssociationRequest, 7, "reason")


def row(day: int, hour: int, minute: int = 0) -> SimpleNamespace:
    return SimpleNamespace(created_at=datetime(2026, 3, day, hour, minute, tzinfo=UTC))


class DayTests(SimpleTestCase):
    def headings(self, zone: str, *rows: object) -> list[tuple[str, int]]:
        clock = mock.patch("django.utils.timezone.now", return_value=NOW)
        with clock, timezone.override(zone):
            return [(day.heading, len(day.rows)) for day in by_day(rows)]

    def test_today_yesterday_then_dates_where_the_reader_is(self) -> None:
        rows = row(9, 16), row(9, 14, 59), row(8, 15), row(8, 14)
        tokyo = [("Today", 1), ("Yesterday", 2), ("8 Mar 2026", 1)]
        self.assertEqual(self.headings("Asia/Tokyo", *rows), tokyo)
        self.assertEqual(self.headings("UTC", *rows), [("Today", 2), ("Yesterday", 2)])

    def test_a_clock_that_was_ahead_makes_a_date(self) -> None:
        self.assertEqual(self.headings("UTC", row(10, 1)), [("10 Mar 2026", 1)])

    def test_what_cannot_be_read_stays_where_it_stood(self) -> None:
        self.assertEqual(self.headings("UTC", row(9, 1), GONE, row(9, 0)), [("Today", 3)])
        self.assertEqual(self.headings("UTC", GONE, row(9, 0)), [("", 1), ("Today", 1)])
        self.assertEqual(self.headings("UTC"), [])

    def test_in_japanese(self) -> None:
        with translation.override("ja"):
            self.assertEqual(self.headings("UTC", row(1, 1)), [("2026年3月1日", 1)])
