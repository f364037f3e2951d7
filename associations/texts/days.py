"""Lists by day, so that each line need only say the hour and minute."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from associations.models.readable import UnreadableRow


class Day(NamedTuple):
    heading: str  # empty over rows of which no day can be told
    moment: datetime | None  # the first one of the day, in whose zone all its times are
    rows: list[Any]


def created_at(row: Any) -> datetime | None:
    return None if isinstance(row, UnreadableRow) else row.created_at


def by_day(
    rows: Iterable[Any], moment_of: Callable[[Any], datetime | None] = created_at
) -> list[Day]:
    """Return rows in their order under the days that they are of where the reader is.

    One that has no moment, as it cannot be read, stays below the row that it follows.

    In a table: `{% for day in entries|by_day %}<tbody>{% day_row day 4 %}{% for entry in day.rows
    %}…{% endfor %}</tbody>{% endfor %}`; a row's own time is `{% time entry.created_at "H:i" %}`.
    """
    moment, dated = None, []
    for row in rows:
        moment = moment_of(row) or moment
        dated.append((moment, row))
    groups = groupby(dated, key=lambda each: each[0] and timezone.localdate(each[0]))
    return [_day(day, list(group)) for day, group in groups]


def _day(day: date | None, dated: list[tuple[datetime | None, Any]]) -> Day:
    return Day(_heading(day), dated[0][0], [row for _, row in dated])


def _heading(day: date | None) -> str:
    if day is None:
        return ""
    match (timezone.localdate() - day).days:
        case 0:
            return pgettext("heading over a day's entries", "Today")
        case 1:
            return pgettext("heading over a day's entries", "Yesterday")
    return date_format(day)
