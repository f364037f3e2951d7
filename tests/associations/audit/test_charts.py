"""Where the marks of the chart stand."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from associations.audit.charts import (
    GAP,
    HEIGHT,
    LABELLED,
    MIN_MARK,
    ORDER,
    WIDTH,
    Bar,
    outcome_bars,
)
from associations.hubspot.outcomes import Outcome
from tests.generated import examples

COUNTS = st.dictionaries(st.sampled_from([*ORDER]), st.integers(1, 100_000) | st.just(1))
PERIODS = st.lists(COUNTS.map(Counter), min_size=1, max_size=62)
ROUNDED = 0.011  # places are told to two digits


def bars(*periods: dict[str, int]) -> list[Bar]:
    start = date(2026, 11, 1)
    return outcome_bars([(start + timedelta(n), Counter(each)) for n, each in enumerate(periods)])


class ChartTests(SimpleTestCase):
    def test_every_outcome_has_its_place(self) -> None:
        self.assertCountEqual(ORDER, [*Outcome])

    def test_marks_stand_on_each_other_from_the_ground_up(self) -> None:
        (bar,) = bars({"rejected": 1, "linked": 3})
        self.assertEqual(
            [(m.outcome, m.count) for m in bar.marks], [("linked", 3), ("rejected", 1)]
        )
        linked, rejected = bar.marks
        self.assertAlmostEqual(linked.y + linked.height, HEIGHT)
        self.assertAlmostEqual(rejected.y + rejected.height, linked.y)
        self.assertEqual((bar.total, bar.top), (4, rejected.y))

    def test_twice_as_many_are_twice_as_high(self) -> None:
        high, half, none = bars({"linked": 100}, {"linked": 50}, {})
        self.assertAlmostEqual(high.marks[0].height, 2 * half.marks[0].height)
        self.assertEqual((none.marks, none.total, none.top), ([], 0, HEIGHT))

    def test_the_highest_fills_the_height_but_for_what_small_ones_may_need(self) -> None:
        (bar,) = bars({"linked": 10**6, "rejected": 1})
        self.assertGreaterEqual(bar.top, 0)
        self.assertLessEqual(bar.top, 2 * MIN_MARK)

    def test_what_is_there_is_seen_however_little_it_is(self) -> None:
        _, bar = bars({"linked": 10**6}, dict.fromkeys(ORDER, 1))
        self.assertEqual([mark.height for mark in bar.marks], [MIN_MARK] * len(ORDER))

    def test_a_few_bars_are_no_wider_than_eight_would_be(self) -> None:
        for count in (1, 5, 8):
            self.assertEqual(bars(*[{"linked": 1}] * count)[-1].width, bars(*[{}] * 8)[0].width)

    def test_where_both_ends_are_labelled_they_go_from_one_to_the_other(self) -> None:
        for count in (1, 2, 7, 30):
            periods = [(date(2026, 11, n + 1), Counter({"linked": 1})) for n in range(count)]
            last = outcome_bars(periods, room_for=1)[-1]
            self.assertAlmostEqual(last.x + last.width + GAP, WIDTH, delta=0.1)

    def test_a_few_bars_tell_their_numbers_and_of_many_the_highest_does(self) -> None:
        few = [{"linked": 2}, {}, {"linked": 3}, *[{"linked": 1}] * (LABELLED - 3)]
        told = [bar.total for bar in bars(*few) if bar.is_labelled]
        self.assertEqual(told, [2, 3, *[1] * (LABELLED - 3)])
        many = [*few, {"rejected": 3}]  # as high as the first of them
        self.assertEqual([n for n, bar in enumerate(bars(*many)) if bar.is_labelled], [2])

    def test_nothing_is_drawn_of_nothing(self) -> None:
        self.assertEqual(bars(), [])
        (bar,) = bars({})
        self.assertEqual((bar.marks, bar.is_labelled), ([], False))

    @examples(300)
    @given(PERIODS)
    def test_no_mark_leaves_the_drawing_or_covers_another(self, periods: list[Counter]) -> None:
        drawn = bars(*periods)
        self.assertEqual([bar.total for bar in drawn], [counts.total() for counts in periods])
        for bar, counts in zip(drawn, periods, strict=True):
            self.assertEqual({mark.outcome: mark.count for mark in bar.marks}, counts)
            self.assert_stacked(bar)
        for left, right in pairwise(drawn):
            self.assertLess(left.x + left.width, right.x)
        self.assertGreaterEqual(drawn[0].x, 0)
        self.assertLessEqual(drawn[-1].x + drawn[-1].width, WIDTH)
        self.assertGreater(drawn[0].width, 0)

    def assert_stacked(self, bar: Bar) -> None:
        ground = HEIGHT
        for mark in bar.marks:
            self.assertGreaterEqual(mark.height, MIN_MARK)
            self.assertAlmostEqual(mark.y + mark.height, ground, delta=ROUNDED)
            self.assertLessEqual(mark.y + mark.height, HEIGHT)
            ground = mark.y
        self.assertGreaterEqual(bar.top, 0)
        self.assertAlmostEqual(bar.middle, bar.x + bar.width / 2)
