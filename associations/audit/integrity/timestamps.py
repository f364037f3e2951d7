"""A third party's time on the seals: what is kept of it, proven, and where there is none.

Each day's last seal is to have one. It covers all seals before it, as each holds the head of the
one before.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from cryptography import x509
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from associations.audit.integrity import timestamp_authority
from associations.audit.integrity.chronology import GRACE
from associations.audit.integrity.serialization import format_moment
from associations.audit.integrity.signing import is_signed
from associations.audit.integrity.timestamp_authority import AuthorityError
from associations.audit.integrity.witnesses import Witness
from associations.models import AuditSeal, AuditTimestamp
from associations.models.readable import UnreadableRow, first_readable, read_rows, readable_only

WHO = "a third party"
# A day's last seal waits for a day at most, and the authority may be away for two.
LATEST = timedelta(days=3)
LOOKED_AT = 100  # of whatever somebody has made up
_AT_ONCE = 200


@dataclass(slots=True)
class Times:
    """The times that are true, by seal; what is wrong with others, or with what has none."""

    proven: list[Witness] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    is_signed: bool = True  # by an authority that is trusted here, which somebody has looked at


@dataclass(frozen=True, slots=True)
class Due:
    """A seal that an authority is to be asked for, and since when none has answered."""

    seal: AuditSeal
    since: datetime


def newest() -> AuditTimestamp | None:
    """Return the newest one that somebody with the key has kept. Raises SigningKeyError."""
    rows = readable_only(read_rows(AuditTimestamp.objects.order_by("-pk")[:LOOKED_AT]))
    return max(filter(is_signed, rows), key=lambda row: row.seal, default=None)


def due(now: datetime) -> Due | None:
    """Return the last seal of the days (UTC) that are over, if it has no time yet."""
    last = first_readable(AuditSeal.objects.filter(sealed_at__lt=_day(now)).reverse())
    known = newest()
    if last is None or (known and known.seal >= last.number):
        return None
    first = first_readable(AuditSeal.objects.filter(number__gt=known.seal)) if known else last
    return Due(last, _day((first or last).sealed_at) + timedelta(days=1))


def beginning() -> datetime | None:
    """Return the moment from which on AUDIT_TSA_SINCE demands times. Raises ValueError."""
    if not settings.AUDIT_TSA_SINCE:
        return None
    day = date.fromisoformat(settings.AUDIT_TSA_SINCE)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def prove(*, after: int = 0, up_to: int | None = None) -> Times:
    """Prove the times of the seals after this one, or up to that one. Raises SigningKeyError."""
    times = Times(is_signed=bool(settings.AUDIT_TSA_CA))
    try:
        trusted = timestamp_authority.authorities() if settings.AUDIT_TSA_CA else ()
    except AuthorityError as error:
        times.findings.append(f"No third party's time was looked at: {error}.")
        trusted, times.is_signed = (), False
    rows = AuditTimestamp.objects.filter(seal__gte=after).order_by("pk")
    for row in _each(rows if up_to is None else rows.filter(seal__lte=up_to)):
        if wrong := _amiss(row, trusted):
            times.findings.append(f"Timestamp {row.pk} {wrong}.")
        elif isinstance(row, AuditTimestamp):
            times.proven.append(Witness(row.seal, row.head, row.told_at, WHO))
    times.proven.sort(key=lambda each: (each.number, each.at))
    return times


def untimely(times: Times, *, is_whole: bool, as_of: datetime | None = None) -> Iterator[str]:
    """Name seals of a proven chain that say another time than was told, or have none for long.

    The latter where the chain `is_whole`, up to its end, and somebody looks at signatures; its end
    is now, or what it was `as_of` a time.
    """
    yield from _later_than_known(times.proven)
    if times.is_signed and is_whole:
        try:
            begun = beginning()
        except ValueError:
            yield f"AUDIT_TSA_SINCE is {settings.AUDIT_TSA_SINCE!r}, which is no day."
        else:
            yield from _unknown_for_long(times.proven, begun, as_of or timezone.now())


def _day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _each(rows: QuerySet[AuditTimestamp]) -> Iterator[AuditTimestamp | UnreadableRow]:
    last = 0
    while found := read_rows(rows.filter(pk__gt=last)[:_AT_ONCE]):
        yield from found
        last = found[-1].pk


def _amiss(row: AuditTimestamp | UnreadableRow, trusted: tuple[x509.Certificate, ...]) -> str:
    """Why a row counts for nothing, whatever becomes of its seal."""
    if isinstance(row, UnreadableRow):
        return f"was made up: it cannot be read ({row.why})"
    if not is_signed(row):
        return "was made up: nobody with a key that is trusted here signed it"
    try:
        answer = base64.b64decode(row.token, validate=True)
        told = timestamp_authority.prove(answer, row.head, trusted)
    except AuthorityError as error:
        return f"of seal {row.seal} proves nothing: {error}"
    except ValueError:
        return f"of seal {row.seal} proves nothing: it holds no answer of an authority"
    if (told.at, told.policy, told.serial) != (row.told_at, row.policy, row.serial):
        return f"of seal {row.seal} says something else than its authority"
    return ""


def _later_than_known(proven: list[Witness]) -> Iterator[str]:
    """Seals that say they are later than somebody knew them."""
    for each in proven:
        found = AuditSeal.objects.filter(number=each.number, head=each.head)
        for sealed_at in found.values_list("sealed_at", flat=True):
            if each.at < sealed_at - GRACE:
                yield f"Seal {each.number} says {format_moment(sealed_at)}, but {each.statement}."


def _unknown_for_long(
    proven: list[Witness], begun: datetime | None, end: datetime
) -> Iterator[str]:
    """Seals that nobody outside has known for longer than it takes to ask an authority again.

    Whoever makes seals anew cannot have their times of then, and may have left them out.
    """
    first = AuditSeal.objects.filter(sealed_at__gte=begun).first() if begun else None
    if begun is None and proven:
        known = proven[0].number
    elif first:
        known = first.number - 1
    else:
        return
    for each in [*(each for each in proven if each.number > known), None]:
        seals = AuditSeal.objects.filter(number__gt=known)
        if each:
            seals, known = seals.filter(number__lte=each.number), each.number
        sealed_at = seals.values_list("sealed_at", flat=True).first()
        until = each.at if each else end
        if sealed_at and until - sealed_at > LATEST:
            days = (until - sealed_at) / timedelta(days=1)
            yield (
                f"For {days:.1f} days, from {format_moment(sealed_at)} on, no third party knew a "
                f"seal{f', until {each.statement}' if each else ''}. Either the authority was away "
                "or not asked, as the sealer's log says, or what stands there was made later."
            )
