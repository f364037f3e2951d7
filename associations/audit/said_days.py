"""Days as people say them, in the languages of this site: `yesterday`, `先週の火曜日`.

Days are those of "today" where the reader is. What could as well be a name is none: "Blue Monday".
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

_ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_JAPANESE = "月火水木金土日"
_BACK = {"today": 0, "yesterday": 1, "the day before yesterday": 2}
_BACK |= {"今日": 0, "本日": 0, "昨日": 1, "きのう": 1, "一昨日": 2, "おととい": 2}
_WEEKS = {"this week": 0, "last week": 1, "今週": 0, "先週": 1, "先々週": 2}
_MONTHS = {"this month": 0, "last month": 1, "今月": 0, "先月": 1}
_AGO = re.compile(r"(\d{1,3}) ?(?:days? ago|日前)")
_WEEKDAY = re.compile(rf"(?:(last|this|on) )?({'|'.join(_ENGLISH)})")
_YOUBI = re.compile(rf"(?:(今週|先週|先々週)の?)?([{_JAPANESE}])曜日?")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_MONTHS_OF_YEAR = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTH_NAME = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_NUMBER = r"(\d{1,2})(?:st|nd|rd|th)?"
# With slashes nobody can tell whether the day or the month comes first.
_DAY_FIRST = re.compile(rf"{_NUMBER} {_MONTH_NAME},? (\d{{4}})", re.ASCII)
_MONTH_FIRST = re.compile(rf"{_MONTH_NAME} {_NUMBER},? (\d{{4}})", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_LONGEST = 4  # words


class Days(NamedTuple):
    """The first of them and the last."""

    first: date
    last: date


def read_days(text: str, today: date) -> Days | None:
    """Return the days that the text says, and nothing else; None if it says none."""
    text = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    for read in _READERS:
        if days := read(text, today):
            return days
    return None


def read_day(text: str, today: date) -> date | None:
    """Return the one day that the text says."""
    days = read_days(text, today)
    return days.first if days and days.first == days.last else None


def split_days(text: str, today: date) -> tuple[str, Days | None]:
    """Return the text without the days that it ends or begins with, and these."""
    if days := read_days(text, today):
        return "", days
    words = text.split()
    for length in range(min(_LONGEST, len(words) - 1), 0, -1):
        for said, rest in ((words[-length:], words[:-length]), (words[:length], words[length:])):
            if not _could_be_a_name(said) and (days := read_days(" ".join(said), today)):
                return " ".join(rest), days
    return text, None


def _could_be_a_name(said: list[str]) -> bool:
    return len(said) == 1 and said[0].lower() in _ENGLISH


def _by_words(text: str, today: date) -> Days | None:
    if text in _BACK:
        return _day(today - timedelta(_BACK[text]))
    if text in _WEEKS:
        monday = _monday(today, _WEEKS[text])
        return Days(monday, monday + timedelta(6))
    return _month(today, _MONTHS[text]) if text in _MONTHS else None


def _ago(text: str, today: date) -> Days | None:
    found = _AGO.fullmatch(text)
    return _day(today - timedelta(int(found[1]))) if found else None


def _weekday(text: str, today: date) -> Days | None:
    """The latest of that name; "last" is never today."""
    found = _WEEKDAY.fullmatch(text)
    if not found:
        return None
    back = (today.weekday() - _ENGLISH.index(found[2])) % 7
    return _day(today - timedelta(back or (7 if found[1] == "last" else 0)))


def _youbi(text: str, today: date) -> Days | None:
    """Of the week that is named, which begins with Monday; without one the latest of that name."""
    found = _YOUBI.fullmatch(text)
    if not found:
        return None
    number = _JAPANESE.index(found[2])
    if found[1]:
        return _day(_monday(today, _WEEKS[found[1]]) + timedelta(number))
    return _day(today - timedelta((today.weekday() - number) % 7))


def _written(text: str, today: date) -> Days | None:
    try:
        return next((_day(date(*parts)) for parts in _parts(text)), None)
    except ValueError:  # no such day
        return None


def _parts(text: str) -> Iterator[tuple[int, int, int]]:
    """Year, month and day of a date, if it is one that people write, and pages as well."""
    if found := _DATE.fullmatch(text):
        yield int(found[1]), int(found[2]), int(found[3])
    if found := _DOTTED.fullmatch(text):
        yield int(found[3]), int(found[2]), int(found[1])
    if found := _DAY_FIRST.fullmatch(text):
        yield int(found[3]), _month_number(found[2]), int(found[1])
    if found := _MONTH_FIRST.fullmatch(text):
        yield int(found[3]), _month_number(found[1]), int(found[2])


def _month_number(name: str) -> int:
    return _MONTHS_OF_YEAR.index(name[:3]) // 3 + 1


def _day(day: date) -> Days:
    return Days(day, day)


def _monday(today: date, weeks_ago: int) -> date:
    return today - timedelta(today.weekday() + 7 * weeks_ago)


def _month(today: date, months_ago: int) -> Days:
    first = today.replace(day=1)
    for _ in range(months_ago):
        first = (first - timedelta(1)).replace(day=1)
    return Days(first, (first + timedelta(31)).replace(day=1) - timedelta(1))


_READERS: list[Callable[[str, date], Days | None]] = [_by_words, _ago, _weekday, _youbi, _written]
