"""Has an authority that nobody here controls tell the time of each day's last seal.

It never stops sealing: what it cannot get now it asks for later, with pauses that grow.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from associations.audit import events
from associations.audit.integrity import signing, timestamp_authority
from associations.audit.integrity.chain_verification import check_seal
from associations.audit.integrity.timestamp_authority import AuthorityError
from associations.audit.integrity.timestamps import Due, due
from associations.audit.recorder import record_timestamp

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0  # seconds
# Between our clock and the authority's; beyond it nobody could tell what the time is worth.
CLOCKS_DIFFER = timedelta(hours=1)
logger = logging.getLogger("hubadmin.audit")


class Stamping:
    """Asks when something is due; remembers what was said of it, and when to ask again."""

    def __init__(self) -> None:
        self._pause, self._next, self._told = FIRST_PAUSE, 0.0, 0

    def go_on(self) -> str:
        """Ask if it is time to; return why there is no token though there should be one.

        Raises TamperedError, SigningKeyError.
        """
        if not settings.AUDIT_TSA_URL or time.monotonic() < self._next:
            return ""
        if (waiting := due(timezone.now())) is None:
            return ""
        try:
            _stamp(waiting)
        except AuthorityError as error:
            self._put_off(waiting, str(error))
            return str(error)
        self._pause, self._next, self._told = FIRST_PAUSE, 0.0, 0
        return ""

    def _put_off(self, waiting: Due, why: str) -> None:
        """One warning for each day without an answer; the tries in between are told as such."""
        level = logging.INFO if self._told == waiting.seal.number else logging.WARNING
        told = {"seal": waiting.seal.number, "since": waiting.since.isoformat(), "why": why}
        logger.log(
            level,
            "the timestamp authority has told no time",
            extra=told | {"again_in_seconds": round(self._pause)},
        )
        self._told, self._next = waiting.seal.number, time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


def _stamp(waiting: Due) -> None:
    seal, asked_at = waiting.seal, timezone.now()
    check_seal(seal, signing.trusted_keys())
    answer, told = timestamp_authority.ask(seal.manifest)
    if abs(told.at - asked_at) > CLOCKS_DIFFER:
        raise AuthorityError(
            f"it says that it is {told.at:%Y-%m-%d %H:%M} UTC, and the clock here another time"
        )
    record_timestamp(seal, answer, told, asked_at)
    events.record_told_time(seal, told)
