import time
from datetime import timedelta
from unittest.mock import patch

from django.db.models import QuerySet
from django.utils import timezone

from associations.audit import recorder
from associations.bulk import services, tasks
from associations.bulk.labels import look_of
from associations.bulk.leases import LeaseLostError, StoppedError, claim, release
from associations.bulk.tasks import send_chunk
from associations.bulk.worker import scheduler
from associations.models import AssociationAttempt, BulkChunk, BulkRun, RunState, SendMode
from associations.status.token import refused_scopes
from associations.texts.outcomes import explain
from tests.associations.bulk.engine import EngineTestCase, row
from tests.support import SignedInClient

CONFIRMED = ("linked", "confirmed")


class CancelTests(EngineTestCase):
    def test_what_was_never_sent_is_canceled(self) -> None:
        for way in SendMode:
            run = self.queued(*map(row, range(9)), way=way)
            services.cancel(user=self.user, run=run)
            self.finish(run)
            self.assertEqual(self.outcomes(run), [("canceled", "not_sent")] * 9)
        self.assertEqual(self.calls("PUT"), 0)

    def test_what_may_have_been_linked_is_not(self) -> None:
        run = self.queued(*map(row, range(9)))
        self.fault(method="POST", path="batch/associate", reset="after")
        self.step(run)
        services.cancel(user=self.user, run=run)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [("unreachable", "connection_lost")] * 9)

    def test_it_waits_for_no_pause(self) -> None:
        run = self.queued(*map(row, range(9)))
        release(self.claimed(run), seconds=20)
        services.cancel(user=self.user, run=run)
        self.assertTrue(scheduler.has_work(run))
        tasks.work(run.pk)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.CANCELED)

    def test_it_waits_for_a_call_that_is_out(self) -> None:
        run = self.queued(*map(row, range(9)))
        self.claimed(run)
        services.cancel(user=self.user, run=run)
        tasks.work(run.pk)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.CANCELING)
        self.assertEqual(self.outcomes(run), [("queued", "")] * 9)

    def test_a_chunk_that_is_about_to_go_out_does_not(self) -> None:
        for way in SendMode:
            for change in (services.pause, services.cancel):
                with self.subTest(way=way, change=change.__name__):
                    run = self.queued(*map(row, range(9)), way=way)
                    chunk = self.claimed(run)
                    change(user=self.user, run=run)
                    with self.assertRaises(StoppedError):
                        send_chunk(run, chunk, time.monotonic() + 5)
                    self.assertEqual(set(self.outcomes(run)), {("queued", "")})
        self.assertEqual(self.calls("PUT") + self.calls("POST"), 0)


class RefusedTests(EngineTestCase):
    """A batch that HubSpot refuses as a whole is no row's answer; but it was sent."""

    def canceled_after(self, status: int) -> BulkRun:
        run = self.queued(*(row(number) for number in range(12)))
        self.sandbox.fault(
            method="POST", path="batch/associate/default", status=status, body={}, times=None
        )
        self.step(run)
        services.cancel(user=self.user, run=run)
        return self.finish(run)

    def test_that_nothing_was_sent_is_not_said_of_what_hubspot_refused(self) -> None:
        for status in (401, 429):
            with self.subTest(status):
                run = self.canceled_after(status)
                self.assertEqual(set(self.outcomes(run)), {("canceled", "not_sent")})
                told = f"{look_of(run).said} {explain(run.entries.first()).sentence}"
                self.assertNotIn("Nothing was sent", told)
                self.assertIn("HubSpot had accepted nothing of it.", told)
                self.assertIn("HubSpot had accepted no call about them.", told)
                page = SignedInClient(self.user).get(run.get_absolute_url())
                self.assertContains(page, "12 were canceled.")
                self.assertNotContains(page, "not sent")

    def test_it_is_said_where_nothing_was(self) -> None:
        run = self.queued(*(row(number) for number in range(12)))
        services.cancel(user=self.user, run=run)
        self.finish(run)
        told = f"{look_of(run).said} {explain(run.entries.first()).sentence}"
        self.assertEqual(told.count("Nothing was sent"), 2)


class ScopeTests(EngineTestCase):
    def test_the_status_tells_of_what_a_run_was_refused_for_want_of_a_scope(self) -> None:
        since = timezone.now() - timedelta(days=1)
        self.assertEqual(refused_scopes(since), (False, []))
        scope = "crm.objects.contacts.write"
        body = {"category": "MISSING_SCOPES", "errors": [{"context": {"missingScopes": [scope]}}]}
        for way in (SendMode.BATCH, SendMode.SINGLE):
            with self.subTest(way):
                run = self.queued(*(row(number) for number in range(12)), way=way)
                method = "POST" if way == SendMode.BATCH else "PUT"
                path = "associations/.*default"
                self.sandbox.fault(method=method, path=path, status=403, body=body, times=None)
                self.step(run)
                self.assertEqual(run.stop_cause, "scope_missing")
                self.assertEqual(refused_scopes(since), (True, [scope]))
                self.assertEqual(refused_scopes(timezone.now()), (False, []))


class TwiceTests(EngineTestCase):
    """Two workers on one chunk: the lease of the first ran out while its call was out."""

    def test_each_row_is_closed_once(self) -> None:
        for way in SendMode:
            with self.subTest(way):
                run = self.queued(*map(row, range(9)), way=way)
                self.overtaken(run)
                self.finish(run)
                self.assertEqual(self.outcomes(run), [CONFIRMED] * 9)
                self.assertEqual(run.linked, 9)

    def overtaken(self, run: BulkRun) -> None:
        first, mark = self.claimed(run), recorder.mark_as_sending
        chunks = BulkChunk.objects.filter(pk=first.pk)

        def mark_and_lose(entries: QuerySet) -> None:
            mark(entries)
            chunks.update(lease_until=None)
            self.second = claim(chunks)

        with (
            patch.object(recorder, "mark_as_sending", mark_and_lose),
            self.assertRaises(LeaseLostError),
        ):
            send_chunk(run, first, time.monotonic() + 5)
        self.assertTrue(self.is_logged(run))
        release(self.second)

    def is_logged(self, run: BulkRun) -> bool:
        """What the first one sent stands in the log, although it could close nothing."""
        attempts = AssociationAttempt.objects.filter(request__run=run)
        return run.batches.filter(http_status=200).exists() or attempts.count() == 8

    def test_a_task_that_is_started_twice_finds_nothing_to_do(self) -> None:
        run = self.queued(*map(row, range(9)))
        chunk = self.claimed(run)
        tasks.work(run.pk)
        self.assertEqual(self.calls("PUT") + self.calls("POST"), 0)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.RUNNING)
        release(chunk)
        self.finish(run)


class EndTests(EngineTestCase):
    def test_a_run_without_rows_is_done(self) -> None:
        """Such as an earlier version of this code let somebody start."""
        run = self.uploaded("Contact,abc,Company,1")
        tasks.work(run.pk)
        BulkRun.objects.filter(pk=run.pk).update(state=RunState.QUEUEING)
        run.refresh_from_db()
        self.finish(run)
        self.assertEqual((run.state, run.queued), (RunState.DONE, 0))

    def test_a_run_is_not_done_before_each_chunk_is(self) -> None:
        run = self.queued(row(1))
        chunk = self.claimed(run)
        tasks.work(run.pk)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.RUNNING)
        release(chunk)
        self.finish(run)
