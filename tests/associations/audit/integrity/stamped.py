"""A log whose days a third party has told the time of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest import mock

from django.utils import timezone

from associations.audit.integrity import signing
from associations.audit.integrity.manifest import NOTHING_BEFORE, head_of, read
from associations.audit.integrity.serialization import KINDS, digest, each_line
from associations.audit.integrity.stamping import Stamping
from associations.models import AuditSeal, AuditTimestamp
from tests.associations.audit.integrity.authority import Authority
from tests.associations.audit.integrity.base import ENTRY, LogMixin, as_owner, items_of, seal, sql

TIMESTAMP = AuditTimestamp._meta.db_table
NOON = timedelta(hours=12)
DAY = timedelta(days=1)


class StampedMixin(LogMixin):
    """`self.day(n)` is one of the days up to today, of which there are `self.days`."""

    days = 5

    def setUp(self) -> None:
        super().setUp()
        self.authority = self.enterContext(Authority().serving())
        today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.began = today - self.days * DAY

    def noon(self, day: int) -> datetime:
        return self.began + day * DAY + NOON

    def work(self, day: int) -> AuditSeal:
        """Somebody links two records that day, and it is sealed."""
        with self.at(self.noon(day)):
            self.entry(reason=f"SUP-{day}")
        return seal(at=self.noon(day) + timedelta(minutes=1))[-1]

    def stamp(self, after: int, stamping: Stamping | None = None) -> str:
        """The sealer asks, a minute after the end of that day."""
        now = self.began + (after + 1) * DAY + timedelta(minutes=1)
        self.authority.at = now.replace(second=5)
        clock = SimpleNamespace(now=lambda: now)
        with mock.patch("associations.audit.integrity.stamping.timezone", clock):
            return (stamping or Stamping()).go_on()

    def stamped_log(self, days: int | None = None) -> None:
        for day in range(self.days if days is None else days):
            self.work(day)
            self.assertEqual(self.stamp(after=day), "")

    def rewrite(self, first: int, *, without_times: bool = False) -> None:
        """The database's administrator, who has the key, makes all anew from this seal on."""
        entry = next(pk for kind, pk in items_of(AuditSeal.objects.get(number=first)))
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'never' WHERE id = {entry}")
            if without_times:
                sql(f"DELETE FROM {TIMESTAMP} WHERE seal >= {first}")
            before = AuditSeal.objects.filter(number=first - 1).first()
            previous = before.head if before else NOTHING_BEFORE
            for each in AuditSeal.objects.filter(number__gte=first):
                manifest = read(each.manifest)
                there = {kind: dict(each_line(kind, manifest.ids(kind))) for kind in KINDS}
                items = [
                    (kind, pk, digest(there[kind][pk]))
                    for kind, pk, _ in manifest.items
                    if pk in there[kind]
                ]
                text = replace(manifest, previous=previous, items=items).text
                previous = head_of(text)
                AuditSeal.objects.filter(number=each.number).update(
                    manifest=text, head=previous, signature=signing.sign(previous)
                )
