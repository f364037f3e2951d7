import time
from datetime import timedelta

from django.db import OperationalError, transaction
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from associations.bulk.leases import LeaseLostError, claim, hold, release
from associations.db import retry_on_outage
from associations.models import BulkRun
from tests.associations.bulk.engine import EngineTestCase, row


class LeaseTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.run_ = self.uploaded(row(1))
        self.runs = BulkRun.objects.filter(pk=self.run_.pk)

    def test_only_one_may_claim(self) -> None:
        self.assertIsNotNone(claim(self.runs))
        self.assertIsNone(claim(self.runs))

    @override_settings(BULK_LEASE_SECONDS=0.1)
    def test_whoever_is_late_writes_nothing(self) -> None:
        late = claim(self.runs)
        time.sleep(0.15)
        claim(self.runs)
        with self.assertRaises(LeaseLostError), transaction.atomic():
            hold(late, size=77)
        release(late, size=77)
        self.assertNotEqual(self.runs.get().size, 77)
        self.assertNotEqual(self.runs.get().owner, "")

    @override_settings(BULK_LEASE_SECONDS=0.1)
    def test_whoever_is_late_may_go_on_where_nobody_came(self) -> None:
        late = claim(self.runs)
        time.sleep(0.15)
        hold(late, size=77)
        self.assertEqual((late.size, self.runs.get().size), (77, 77))

    def test_what_is_released_for_later_waits(self) -> None:
        release(claim(self.runs), seconds=0.1)
        self.assertIsNone(claim(self.runs))
        time.sleep(0.15)
        self.assertIsNotNone(claim(self.runs))

    def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(self) -> None:
        claim(self.runs)
        self.runs.update(lease_until=timezone.now() + timedelta(hours=1))
        self.assertIsNotNone(claim(self.runs))


class TriedAgainTests(EngineTestCase):
    """A transaction that fails is tried again, and counts once."""

    def test_what_was_rolled_back_leaves_no_trace(self) -> None:
        run = claim(BulkRun.objects.filter(pk=self.uploaded(row(1)).pk))
        tries = []

        def write() -> None:
            hold(run, size=run.size + 5, rows_read=F("rows_read") + 5)
            tries.append(run.size)
            if len(tries) == 1:
                raise OperationalError("the server went away")

        before = run.size
        retry_on_outage(write)
        run.refresh_from_db()
        self.assertEqual((run.size, run.rows_read), (before + 5, 5))
        self.assertEqual(tries, [before, before])
