"""The figures of a filter: the same as counted by hand."""

import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from unittest import mock
from zoneinfo import ZoneInfo

from django.test import SimpleTestCase, TestCase
from hypothesis import given
from hypothesis import strategies as st

from associations.audit.statistics import Figures, by_period, figures_of
from associations.hubspot.outcomes import Outcome
from associations.models import AssociationRequest, AuditFilter
from tests.associations.linking.base import entry_of
from tests.generated import examples
from tests.support import person

NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
UNDER_WAY = {"queued", "sending"}


class FiguresTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        """Entries around the day on which clocks change, some of the same moment."""
        random, user, colleague = Random(7), person(), person("colleague", "support")
        for _ in range(80):
            created_at = NOON + timedelta(minutes=30 * random.randrange(-96, 96))
            outcome = random.choice([*Outcome, "linked", "linked"])
            has_failed = outcome not in {"linked", *UNDER_WAY}
            sent_at = None if outcome == "queued" else created_at
            finished_at = created_at + timedelta(milliseconds=random.randrange(90, 9_000))
            entry_of(
                random.choice([user, colleague]),
                created_at=created_at,
                sent_at=sent_at,
                finished_at=None if outcome in UNDER_WAY else finished_at,
                outcome=str(outcome),
                error_category=random.choice(["", *"AABBCCDDEEFG"]) if has_failed else "",
            )
        cls.user = user

    def newest_first(self) -> list[AssociationRequest]:
        entries = AssociationRequest.objects.all()
        return sorted(entries, key=lambda entry: (entry.created_at, entry.pk), reverse=True)

    def figures(self, zone: ZoneInfo = BERLIN, **wanted: object) -> Figures:
        return figures_of(AssociationRequest.objects.matching(AuditFilter(**wanted)), zone)

    def assert_counted(self, figures: Figures, entries: list[AssociationRequest]) -> None:
        outcomes = Counter(entry.outcome for entry in entries)
        self.assertEqual(figures.total, len(entries))
        self.assertEqual(figures.by_outcome, outcomes)
        self.assertEqual(figures.linked, outcomes["linked"])
        self.assertEqual(figures.under_way, outcomes["queued"] + outcomes["sending"])
        self.assertEqual(figures.failed, len(entries) - figures.linked - figures.under_way)
        days: dict[date, Counter[str]] = {}
        for entry in entries:
            day = entry.created_at.astimezone(BERLIN).date()
            days.setdefault(day, Counter())[entry.outcome] += 1
        self.assertEqual(figures.by_day, days)
        categories = Counter(e.error_category for e in entries if e.error_category)
        top = sorted(categories.items(), key=lambda item: (-item[1], item[0]))[:5]
        self.assertEqual(figures.categories, top)

    def median(self, entries: list[AssociationRequest]) -> float:
        timed = [entry for entry in entries if entry.sent_at and entry.finished_at]
        return statistics.median((e.finished_at - e.sent_at).total_seconds() for e in timed)

    def test_they_are_what_one_counts_by_hand(self) -> None:
        figures, entries = self.figures(), self.newest_first()
        self.assert_counted(figures, entries)
        self.assertIsNone(figures.since)
        self.assertAlmostEqual(figures.median_seconds, self.median(entries), places=6)

    def test_they_are_those_of_the_filter(self) -> None:
        figures = self.figures(users=(self.user.pk,), since=NOON)
        entries = [e for e in self.newest_first() if e.user == self.user and e.created_at >= NOON]
        self.assertLess(len(entries), 80)
        self.assert_counted(figures, entries)

    def test_a_day_is_one_where_one_looks(self) -> None:
        for created_at, days in (
            ("2026-10-24T21:59:59.999999+00:00", {"UTC": 24, "Europe/Berlin": 24}),
            ("2026-10-24T22:00:00+00:00", {"UTC": 24, "Europe/Berlin": 25}),
            ("2026-10-25T22:59:59+00:00", {"UTC": 25, "Europe/Berlin": 25}),
            ("2026-10-25T23:00:00+00:00", {"UTC": 25, "Europe/Berlin": 26}),
            ("2026-10-25T03:30:00+00:00", {"America/New_York": 24, "Asia/Kolkata": 25}),
        ):
            moment = datetime.fromisoformat(created_at)
            entry_of(self.user, created_at=moment, correlation_id=created_at)
            for zone, day in days.items():
                with self.subTest(created_at, zone=zone):
                    figures = self.figures(ZoneInfo(zone), correlation_id=created_at)
                    self.assertEqual([*figures.by_day], [date(2026, 10, day)])

    def test_of_more_than_can_be_counted_quickly_the_newest_are_covered(self) -> None:
        entries = self.newest_first()
        for covered in (1, 7, 33, 79):
            with (
                self.subTest(covered),
                mock.patch("associations.audit.statistics.COVERED", covered),
            ):
                figures = self.figures()
                self.assert_counted(figures, entries[:covered])
                self.assertEqual(figures.since, entries[covered].created_at)

    def test_as_many_as_can_be_counted_are_all(self) -> None:
        with mock.patch("associations.audit.statistics.COVERED", 80):
            self.assert_counted(self.figures(), self.newest_first())
            self.assertIsNone(self.figures().since)

    def test_the_median_is_of_the_newest_that_have_an_end(self) -> None:
        timed = [e for e in self.newest_first() if e.sent_at and e.finished_at]
        for count in (1, 2, 9):
            with self.subTest(count), mock.patch("associations.audit.statistics.TIMED", count):
                median = self.figures().median_seconds
                self.assertAlmostEqual(median, self.median(timed[:count]), places=6)

    def test_nothing_has_neither_figures_nor_days(self) -> None:
        figures = self.figures(record_id="424242")
        self.assertEqual((figures.total, figures.linked, figures.failed), (0, 0, 0))
        self.assertEqual((figures.by_day, figures.categories, figures.since), ({}, [], None))
        self.assertIsNone(figures.median_seconds)
        self.assertIsNone(self.figures(outcomes=("queued",)).median_seconds)


DAYS = st.dictionaries(
    st.dates(date(2024, 1, 1), date(2027, 12, 31)) | st.dates(date(2026, 1, 1), date(2026, 3, 31)),
    st.dictionaries(st.sampled_from([*Outcome]), st.integers(1, 9), min_size=1).map(Counter),
    max_size=12,
)
STEPS = [{1}, {7}, {28, 29, 30, 31}, {365, 366}]  # days from one period to the next


class PeriodTests(SimpleTestCase):
    def starts(self, first: str, last: str, at_most: int) -> list[str]:
        days = {date.fromisoformat(day): Counter(linked=1) for day in (first, last)}
        return [str(start) for start, _ in by_period(days, at_most)]

    def test_days_as_long_as_there_is_room_for_them(self) -> None:
        days = [f"2026-11-{day:02}" for day in range(1, 8)]
        self.assertEqual(self.starts(days[0], days[-1], 7), days)

    def test_then_weeks_from_monday_on(self) -> None:
        mondays = ["2026-10-26", "2026-11-02"]
        self.assertEqual(self.starts("2026-11-01", "2026-11-07", 6), mondays)
        self.assertEqual(self.starts("2026-12-30", "2027-01-05", 6), ["2026-12-28", "2027-01-04"])

    def test_then_months_over_the_turn_of_the_year(self) -> None:
        months = ["2025-11-01", "2025-12-01", "2026-01-01", "2026-02-01"]
        self.assertEqual(self.starts("2025-11-30", "2026-02-01", 5), months)

    def test_then_years_however_many(self) -> None:
        years = [f"{year}-01-01" for year in range(2020, 2027)]
        self.assertEqual(self.starts("2020-12-31", "2026-01-01", 7), years)
        self.assertEqual(self.starts("2020-12-31", "2026-01-01", 3), years)
        self.assertEqual(len(self.starts("2000-01-01", "2099-12-31", 62)), 100)

    def test_one_day_is_one_day(self) -> None:
        self.assertEqual(self.starts("2026-11-24", "2026-11-24", 1), ["2026-11-24"])
        self.assertEqual(by_period({}, 62), [])

    def test_a_period_without_entries_is_there_with_none(self) -> None:
        days = {date(2026, 11, 1): Counter(linked=2), date(2026, 11, 4): Counter(rejected=1)}
        counts = [dict(counts) for _, counts in by_period(days, 62)]
        self.assertEqual(counts, [{"linked": 2}, {}, {}, {"rejected": 1}])

    @examples(100)
    @given(DAYS, st.integers(1, 100))
    def test_whatever_the_days_nothing_is_lost_and_nothing_left_out(
        self, by_day: dict[date, Counter[str]], at_most: int
    ) -> None:
        periods = by_period(by_day, at_most)
        total = sum((counts for _, counts in periods), Counter())
        self.assertEqual(total, sum(by_day.values(), Counter()))
        starts = [start for start, _ in periods]
        self.assertEqual(starts, sorted(set(starts)))
        steps = {(later - start).days for start, later in pairwise(starts)}
        self.assertTrue(any(steps <= one for one in STEPS), steps)
        if not steps <= STEPS[-1]:
            self.assertLessEqual(len(starts), at_most)
        if by_day:
            self.assertLessEqual(starts[0], min(by_day))
            self.assertLessEqual(starts[-1], max(by_day))
