"""Days in words: what they mean, and what is no day but a name."""

from datetime import date
from unittest import TestCase

from associations.audit.said_days import Days, read_day, read_days, split_days

TODAY = date(2026, 11, 26)  # a Thursday


def of_november(first: int, last: int | None = None) -> Days:
    return Days(date(2026, 11, first), date(2026, 11, last or first))


SAID = {
    26: "today, 今日, thursday, 木曜",
    25: "Yesterday, 昨日",
    24: "the day before yesterday, おととい, last Tuesday, tuesday, 火曜日",
    23: "3 days ago, on Monday, 3日前, ３日前, 今週の月曜日",
    20: "last friday",
    19: "last thursday,   LAST   Thursday",
    17: "先週の火曜日, 先週火曜",
    5: "2026-11-05, 2026/11/5, 2026年11月5日, 5 Nov 2026, 5th november 2026, 5.11.2026, 05.11.2026",
}


AMERICAN = ("Nov 5, 2026", "November 5 2026", "NOV. 5th, 2026")


class ReadTests(TestCase):
    def test_a_day_is_the_one_that_people_mean(self) -> None:
        for day, texts in SAID.items():
            for text in texts.split(","):
                with self.subTest(text):
                    self.assertEqual(read_days(text, TODAY), of_november(day))
                    self.assertEqual(read_day(text, TODAY), date(2026, 11, day))

    def test_a_month_may_stand_first_by_its_name(self) -> None:
        for text in AMERICAN:
            self.assertEqual(read_day(text, TODAY), date(2026, 11, 5), text)
        for text in ("11/5/2026", "5/11/2026", "5 Nov", "31 Nov 2026", "5 Nova 2026", "Nov 2026"):
            self.assertIsNone(read_days(text, TODAY), text)

    def test_weeks_and_months_are_whole(self) -> None:
        october = Days(date(2026, 10, 1), date(2026, 10, 31))
        for text, days in {
            "this week": of_november(23, 29),
            "last week": of_november(16, 22),
            "先週": of_november(16, 22),
            "this month": of_november(1, 30),
            "last month": october,
            "先月": october,
        }.items():
            with self.subTest(text):
                self.assertEqual(read_days(text, TODAY), days)
                self.assertIsNone(read_day(text, TODAY))
        february = Days(date(2024, 2, 1), date(2024, 2, 29))
        self.assertEqual(read_days("last month", date(2024, 3, 31)), february)

    def test_nothing_else_is_a_day(self) -> None:
        for text in ("", "Ada", "tue", "火", "last", "2026-02-30", "2026-13-01", "501", "月", "²"):
            self.assertIsNone(read_days(text, TODAY), text)


class SplitTests(TestCase):
    def test_days_stand_at_either_end(self) -> None:
        for text, expected in {
            "Ada Byron last Tuesday": ("Ada Byron", of_november(24)),
            "contact 501 yesterday": ("contact 501", of_november(25)),
            "先週の火曜日 田中": ("田中", of_november(17)),
            "SUP-7 the day before yesterday": ("SUP-7", of_november(24)),
            "yesterday": ("", of_november(25)),
            "Ada Byron 5 Nov 2026": ("Ada Byron", of_november(5)),
            "Tuesday": ("", of_november(24)),
        }.items():
            self.assertEqual(split_days(text, TODAY), expected, text)

    def test_what_could_be_a_name_stays_one(self) -> None:
        for text in ("Blue Monday", "Friday Ltd", "Ada Byron", "501", ""):
            self.assertEqual(split_days(text, TODAY), (text, None))
