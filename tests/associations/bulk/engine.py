"""Runs of few rows, in this process, against the sandbox."""

import time
from contextlib import suppress
from typing import Any

from django.test import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import services, tasks
from associations.bulk.leases import StoppedError, claim
from associations.gateway import clients
from associations.hubspot.client import Limits
from associations.models import BulkChunk, BulkRun, CallPause, RunState, SendMode
from tests.support import LogTransactionTestCase, SandboxMixin, person

HEADER = "from type,from id,to type,to id"
QUICK = Limits(connect=2, read=1, total=2, attempts=1)
FIRST_CONTACT, FIRST_COMPANY, NO_CONTACT = 1_000_001, 2_000_001, 7_000_001


def row(number: int, contact: int | None = None) -> str:
    """The line of a pair of records that exist, or of a contact that may not."""
    contact = FIRST_CONTACT + number if contact is None else contact
    return f"Contact,{contact},Company,{FIRST_COMPANY + number}"


@override_settings(HUBSPOT_VERIFY=False, BULK_ROW_PATIENCE_SECONDS=0.4, BULK_LEASE_SECONDS=30)
class EngineTestCase(SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        for door in clients.OF_WORKERS:
            door.cache_clear()
            door().limits = QUICK

    def uploaded(self, *lines: str, way: str = SendMode.BATCH) -> BulkRun:
        data = "\n".join([HEADER, *lines]).encode()
        return services.create(
            user=self.user, meta=RequestMeta(), name="x.csv", parts=[data], way=way
        )

    def started(self, *lines: str, way: str = SendMode.BATCH) -> BulkRun:
        """A run that has been read and started; nothing of it is in the log yet."""
        run = self.uploaded(*lines, way=way)
        tasks.work(run.pk)
        run.refresh_from_db()
        services.start(user=self.user, run=run, way=way, skip_linked=False)
        return run

    def queued(self, *lines: str, way: str = SendMode.BATCH) -> BulkRun:
        """A run whose rows stand in the log, and of which nothing was sent."""
        run = self.started(*lines, way=way)
        tasks._queue(run, time.monotonic() + 10)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.RUNNING)
        return run

    def claimed(self, run: BulkRun) -> BulkChunk:
        chunk = claim(run.chunks.filter(is_done=False))
        self.assertIsNotNone(chunk)
        return chunk

    def finish(self, run: BulkRun, seconds: float = 60) -> BulkRun:
        """Work until the run has ended."""
        deadline = time.monotonic() + seconds
        while run.state not in (RunState.DONE, RunState.CANCELED):
            self.assertLess(time.monotonic(), deadline, f"{run} did not end")
            self.step(run)
        self.check(run)
        return run

    def step(self, run: BulkRun) -> None:
        """Work once, now: whatever there was to wait for is over."""
        CallPause.objects.all().delete()
        run.chunks.filter(owner="").update(lease_until=None)
        with suppress(StoppedError):
            tasks._STEPS[run.state](run, time.monotonic() + 0.2)
        run.refresh_from_db()

    def check(self, run: BulkRun) -> None:
        """What holds of every run: its counters are the log's, and nothing was sent unseen."""
        outcomes = list(run.entries.values_list("outcome", flat=True))
        ends = ("linked", "unconfirmed", "rejected", "unreachable", "canceled")
        counted = {end: getattr(run, end) for end in ends}
        self.assertEqual(counted, {end: outcomes.count(end) for end in ends})
        self.assertEqual(run.queued, len(outcomes))

    def fault(self, **fields: Any) -> None:
        self.sandbox.faults.add(fields)

    def outcomes(self, run: BulkRun) -> list[tuple[str, str]]:
        return list(run.entries.order_by("row_number").values_list("outcome", "cause"))

    def calls(self, method: str) -> int:
        return sum(request["method"] == method for request in self.sandbox.requests)
