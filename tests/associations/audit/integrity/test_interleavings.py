"""Whatever comes, ends and is sealed in whatever order: all of it ends up in exactly one seal."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.test import tag
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as GeneratedTestCase

from associations.audit.integrity import sealing
from associations.audit.integrity.chain_verification import verify
from associations.audit.integrity.id_ranges import contains
from associations.audit.integrity.manifest import read
from associations.audit.integrity.sealing import LONGEST_TRANSACTION
from associations.models import AssociationAttempt, AssociationRequest, AuditExport, AuditSeal
from tests.associations.audit.integrity.base import LONG_AGO, LogMixin, seal, sealed_and_closed
from tests.generated import examples
from tests.support import person

STEPS = st.tuples(
    st.sampled_from(
        [
            *("open", "close", "closed", "late", "lost attempt", "export", "finish"),
            *("begin", "commit", "roll back", "hour"),
            *["seal"] * 4,
        ]
    ),
    st.integers(0, 99),
)


class _Log(LogMixin):
    """A log, and somebody who does all sorts of things to it."""

    def __init__(self) -> None:
        self.user = person()
        self.now: datetime = LONG_AGO
        self.opened: list[AssociationRequest] = []
        self.running: list[AuditExport] = []
        self.uncommitted: list[int] = []  # numbers that were handed out, without a row as yet
        self.next = Counter(entry=1, attempt=1)

    def do(self, step: str, choice: int) -> None:
        getattr(self, f"do_{step.replace(' ', '_')}")(choice)

    def number(self, kind: str = "entry") -> int:
        self.next[kind] += 1
        return self.next[kind] - 1

    def attempt(self, entry: AssociationRequest, **fields: Any) -> AssociationAttempt:
        return super().attempt(entry, **({"id": self.number("attempt")} | fields))

    def do_open(self, choice: int) -> None:
        self.opened.append(self.open_entry(id=self.number()))

    def do_closed(self, choice: int) -> None:
        self.entry(id=self.number())

    def do_close(self, choice: int) -> None:
        if self.opened:
            self.close(self.opened.pop(choice % len(self.opened)))

    def do_late(self, choice: int) -> None:
        closed = AssociationRequest.objects.closed().order_by("pk")
        if closed:
            entry = closed[choice % len(closed)]
            self.late_attempt(entry, number=10 + entry.attempts.count())

    def do_lost_attempt(self, choice: int) -> None:
        self.number("attempt")

    def do_export(self, choice: int) -> None:
        self.running.append(self.export(state="running", finished_at=None, rows=None))

    def do_finish(self, choice: int) -> None:
        if self.running:
            export = self.running.pop(choice % len(self.running))
            AuditExport.objects.filter(pk=export.pk).update(
                state="aborted", finished_at=timezone.now()
            )

    def do_begin(self, choice: int) -> None:
        self.uncommitted.append(self.number())

    def do_commit(self, choice: int) -> None:
        if self.uncommitted:
            number = self.uncommitted.pop(choice % len(self.uncommitted))
            if choice % 2:
                self.opened.append(self.open_entry(id=number))
            else:
                self.entry(id=number)

    def do_roll_back(self, choice: int) -> None:
        if self.uncommitted:
            self.uncommitted.pop(choice % len(self.uncommitted))

    def do_hour(self, choice: int) -> None:
        self.now += LONGEST_TRANSACTION + timedelta(seconds=1)
        self.uncommitted.clear()  # none takes as long

    def do_seal(self, choice: int) -> None:
        self.now += timedelta(seconds=1)
        seal(at=self.now)

    def end(self) -> None:
        for step in ("commit", "close", "finish"):
            for _ in range(100):
                self.do(step, 0)
        self.do("seal", 0)


@tag("long")
class InterleavingTests(GeneratedTestCase):
    @examples(60)
    @given(st.lists(STEPS, max_size=40), st.integers(1, 4))
    def test_all_that_is_closed_is_in_exactly_one_seal_and_the_log_is_proven(
        self, steps: list[tuple[str, int]], items_per_seal: int
    ) -> None:
        log = _Log()
        with mock.patch.object(sealing, "ITEMS_PER_SEAL", items_per_seal):
            for step, choice in steps:
                log.do(step, choice)
                if step == "seal":
                    self.assert_all_sealed_once()
                    verify()
            log.end()
        self.assert_all_sealed_once()
        self.assertEqual(verify().items, sealed_and_closed()[1].total())

    def assert_all_sealed_once(self) -> None:
        self.assertEqual(*sealed_and_closed())
        if last := AuditSeal.objects.last():
            coverage = read(last.manifest).coverage["entry"]
            for entry in AssociationRequest.objects.filter(outcome="sending"):
                covered = entry.pk <= coverage.high
                self.assertEqual(covered, contains(coverage.waiting, entry.pk))
