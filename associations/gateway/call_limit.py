"""How many calls HubSpot takes within ten seconds, learnt from its answers for all processes.

Additive increase, multiplicative decrease, as in TCP (RFC 5681), where the answers do not say it:

- What the header says is believed at once, upwards and downwards, of each API apart. The ring is
  as large as the lowest of these, and no larger than the setting.
- A refusal that the header does not explain lowers the limit to a little less than what was called,
  but to no less than the half, once in ten seconds. From there it rises evenly. That no call is
  left while this site has made few does the same: another program uses the token.

It stands in the ring's own table, so that who takes a slot reads it by the way: rate_limiter.py.
"""

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DBError
from django.db.backends.base.base import BaseDatabaseWrapper

from associations.gateway import rate_limiter
from associations.gateway.rate_limiter import (
    DIALECTS,
    FIRST_OF_LIMIT,
    KNOWN,
    LINE,
    LOWERED,
    RISE,
    TABLE,
)
from associations.hubspot.answers import Attempt
from associations.hubspot.rate_limits import LEAST, Api, ToldLimit, read_limit

logger = logging.getLogger(__name__)

# To so much of what was called a refusal lowers the limit. Where the header says how many are
# taken, a call was only late; where it does not, more were under way, and are refused as well.
JUST_BELOW, WELL_BELOW = 0.97, 0.9
FEW = 0.75  # of what HubSpot takes
AGAIN = 2.0  # seconds after which what is the same is compared again with what all know

_NUMBERS = {api: FIRST_OF_LIMIT + place for place, api in enumerate(Api)}
_SET = f"""
INSERT INTO {TABLE} (number, used_at) VALUES (%(number)s, {{value}})
ON CONFLICT (number) DO UPDATE SET used_at = excluded.used_at
"""
_IF_LONG_AGO = f"WHERE {TABLE}.used_at <= {{now}} - {{window}}"
_FORGET = f"DELETE FROM {TABLE} WHERE number = %(number)s"
_USED = f"""
SELECT COUNT(*) FROM {TABLE}
WHERE number BETWEEN 1 AND %(limit)s AND used_at > {{now}} - {{window}}
"""
# The newest uses move into the slots that are left, the very newest into the last of them: what
# HubSpot has counted it goes on counting.
_MOVE_DOWN = f"""
UPDATE {TABLE} AS slot SET used_at = newest.used_at FROM (
    SELECT used_at, ROW_NUMBER() OVER (ORDER BY used_at DESC) AS place
    FROM {TABLE} WHERE number BETWEEN 1 AND %(ceiling)s
) AS newest
WHERE slot.number BETWEEN 1 AND %(limit)s AND slot.number = %(limit)s + 1 - newest.place
"""

_heard: dict[Api, tuple[ToldLimit, float]] = {}  # by this process, and when


@dataclass(frozen=True, slots=True)
class CallLimit:
    """The limit in use, and why it is below the setting, if it is.

    `told` is the lowest that HubSpot's headers said of any API, None if they have said nothing.
    """

    calls: int
    told: int | None
    is_after_refusal: bool


def learn(path: str, attempt: Attempt) -> None:
    """Take over what the answer to a call tells of the limit. Never raises."""
    if not settings.HUBSPOT_CALLS_PER_10_SECONDS:
        return
    told = read_limit(path, attempt)
    if told is None or _is_no_news(told):
        return
    try:
        rate_limiter.run(lambda wrapper: _Limit(wrapper).learn(told))
    except DBError:
        logger.exception("the limit of calls could not be learnt")


def call_limit() -> CallLimit:
    """Return the limit in use. Raises DBError."""
    return rate_limiter.run(lambda wrapper: _Limit(wrapper).summary())


def forget_heard() -> None:
    """Compare the next answer with what all know."""
    _heard.clear()


def _is_no_news(told: ToldLimit) -> bool:
    now = time.monotonic()
    before, heard_at = _heard.get(told.api, (None, 0.0))
    if told == before and not told.is_refusal and now - heard_at < AGAIN:
        return True
    _heard[told.api] = told, now
    return False


class _Limit:
    """What is known of it, read once; by number what each row says, in calls."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self._wrapper = wrapper
        self._ceiling = settings.HUBSPOT_CALLS_PER_10_SECONDS
        with wrapper.cursor() as cursor:
            cursor.execute(self._written(KNOWN))
            self._known: dict[int, float] = dict(cursor.fetchall())

    @property
    def _calls(self) -> int:
        return int(min([self._ceiling, *self._known.values()]))

    def summary(self) -> CallLimit:
        told = [int(calls) for number, calls in self._known.items() if number < LINE]
        line = self._known.get(LINE)
        is_lowest = line is not None and int(line) < min([self._ceiling, *told])
        return CallLimit(self._calls, min(told, default=None), is_lowest)

    def learn(self, told: ToldLimit) -> None:
        before = self._calls
        if told.calls is not None:
            self._take_over(_NUMBERS[told.api], told.calls)
        if self._calls < before:
            self._run(_SET, "{now}", number=LOWERED)
            self._move_down()
        elif self._is_too_high(told) and self._run(_SET + _IF_LONG_AGO, "{now}", number=LOWERED):
            self._lower(WELL_BELOW if told.calls is None else JUST_BELOW)
            self._move_down()

    def _take_over(self, number: int, calls: int) -> None:
        was = self._known.get(number)
        if was == calls:
            return
        self._run(_SET, str(calls), number=number)
        self._known[number] = calls
        if was is not None and was < calls:
            self._run(_FORGET, number=LINE)  # what was refused was another limit's
            self._known.pop(LINE, None)

    def _is_too_high(self, told: ToldLimit) -> bool:
        if told.is_refusal or not told.is_used_up:
            return told.is_refusal
        return told.calls is not None and self._used() < FEW * told.calls

    def _used(self) -> int:
        with self._wrapper.cursor() as cursor:
            cursor.execute(self._written(_USED), {"limit": self._calls})
            return cursor.fetchone()[0]

    def _lower(self, part: float) -> None:
        lower = max(LEAST, self._calls / 2, part * self._used())
        self._run(_SET, f"{{now}} - {lower / RISE}", number=LINE)
        self._known[LINE] = lower

    def _move_down(self) -> None:
        self._run(_MOVE_DOWN, limit=self._calls, ceiling=self._ceiling)

    def _run(self, sql: str, value: str = "", **numbers: int) -> int:
        with self._wrapper.cursor() as cursor:
            cursor.execute(self._written(sql.replace("{value}", value)), numbers)
            return cursor.rowcount

    def _written(self, sql: str) -> str:
        words = DIALECTS[self._wrapper.vendor]
        return sql.format(**words, window=rate_limiter.WINDOW)
