"""Runs of people who may no longer act: nothing more leaves in their name."""

import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from associations.bulk import (
    backoff,
    batch_sender,
    dry_run,
    services,
    single_sender,
    staging,
    tasks,
)
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.leases import StoppedError, claim
from associations.bulk.worker.scheduler import Scheduler
from associations.models import BulkRow, BulkRun, RunState, SecurityEvent, SendMode
from hubadmin.models import Role, User
from tests.associations.bulk.engine import NO_CONTACT, EngineTestCase, row
from tests.associations.linking.base import PageTestCase, run_of
from tests.support import SignedInClient, person

WAYS = (SendMode.BATCH, SendMode.SINGLE)
STOPPED = (RunState.PAUSED, "access_ended")
ROWS = [row(number) for number in range(12)]


def leave(user: User, **values: Any) -> None:
    """As `people --deactivate` does; or, with values, as the provider's next answer would."""
    if values:
        User.objects.filter(pk=user.pk).update(**values)
    else:
        call_command("people", deactivate=str(user.pk), stdout=StringIO())


class SendingTests(EngineTestCase):
    def state(self, run: BulkRun) -> tuple[str, str]:
        run.refresh_from_db()
        return run.state, run.stop_cause

    def test_nothing_is_sent_for_somebody_deactivated_or_without_a_role(self) -> None:
        for way in WAYS:
            for values in ({}, {"role": Role.NONE}):
                self.user = person(f"leaver {way} {len(values)}", "support")
                run = self.queued(*ROWS, way=way)
                leave(self.user, **values)
                before = len(self.sandbox.requests)
                tasks.work(run.pk)
                with self.subTest(way, **values):
                    self.assertEqual(self.sandbox.requests[before:], [])
                    self.assertEqual(self.state(run), STOPPED)
                    self.assertEqual({*self.outcomes(run)}, {("queued", "")})

    def test_it_is_told_in_the_log(self) -> None:
        run = self.queued(*ROWS)
        leave(self.user)
        tasks.work(run.pk)
        event = SecurityEvent.objects.latest("pk")
        told = (event.what, event.run_id, event.user_id, event.facts)
        self.assertEqual(told, ("run_stopped", run.pk, None, {"cause": "access_ended"}))

    def test_what_was_claimed_before_does_not_leave_either(self) -> None:
        """The chunk waited for a slot meanwhile, or for the rows before it."""
        for way in WAYS:
            self.user = person(f"leaver {way}", "support")
            run = self.queued(*ROWS, way=way)
            chunk = self.claimed(run)
            leave(self.user)
            with self.subTest(way), self.assertRaises(StoppedError):
                tasks.send_chunk(run, chunk, time.monotonic() + 5)
            self.assertEqual((self.calls("PUT"), self.calls("POST")), (0, 0))
            self.assertEqual({*self.outcomes(run)}, {("queued", "")})

    def test_rows_are_not_queued_on(self) -> None:
        run = self.started(*ROWS)
        leave(self.user)
        tasks.work(run.pk)
        self.assertEqual(self.state(run), STOPPED)
        self.assertEqual(self.outcomes(run), [])

    def test_once_they_may_again_it_goes_on_where_it_was(self) -> None:
        for is_queued in (True, False):
            run = self.queued(*ROWS) if is_queued else self.started(*ROWS)
            leave(self.user)
            tasks.work(run.pk)
            with self.assertRaises(services.NotPossibleError):
                services.resume(user=person("admin"), run=run)
            call_command("people", reactivate=str(self.user.pk), stdout=StringIO())
            services.resume(user=person("admin"), run=run)
            with self.subTest(is_queued=is_queued):
                self.assertEqual({*self.outcomes(self.finish(run))}, {("linked", "confirmed")})
                self.assertEqual(run.linked, len(ROWS))


@override_settings(HUBSPOT_VERIFY=True)
class ReadingTests(EngineTestCase):
    def test_a_file_is_not_read_on_and_nothing_is_looked_up(self) -> None:
        run = self.uploaded(*ROWS)
        leave(self.user)
        before = len(self.sandbox.requests)
        tasks.work(run.pk)
        run.refresh_from_db()
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "access_ended"))
        self.assertEqual(self.sandbox.requests[before:], [])

    def test_one_that_is_being_read_is_read_no_further(self) -> None:
        run = claim(BulkRun.objects.filter(pk=self.uploaded(*ROWS).pk))
        written = []

        def leave_after_the_first(execute: Callable, statement: str, *more: Any) -> Any:
            result = execute(statement, *more)
            if statement.startswith(f'INSERT INTO "{BulkRow._meta.db_table}"'):
                written.append(statement)
                leave(self.user, role=Role.NONE)
            return result

        self.enterContext(mock.patch.object(staging, "ROWS_AT_ONCE", 5))
        self.enterContext(connection.execute_wrapper(leave_after_the_first))
        with self.assertRaises(FileError) as raised:
            staging.stage(run, time.monotonic() + 60)
        self.assertEqual(raised.exception.reason, FileReason.ACCESS_ENDED)
        self.assertEqual(len(written), 1)

    def test_rows_that_are_read_are_not_looked_up(self) -> None:
        run = claim(BulkRun.objects.filter(pk=self.uploaded(*ROWS).pk))
        self.assertTrue(staging.stage(run, time.monotonic() + 5))
        run.is_read = True
        leave(self.user)
        before = len(self.sandbox.requests)
        dry_run.read_run(run, time.monotonic() + 5)
        run.refresh_from_db()
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "access_ended"))
        self.assertEqual(self.sandbox.requests[before:], [])


class TakingOverTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.admin = person("admin")

    def stopped(self, *lines: str, way: str = SendMode.BATCH) -> BulkRun:
        run = self.queued(*lines, way=way)
        leave(self.user)
        tasks.work(run.pk)
        run.refresh_from_db()
        return run

    def test_what_is_not_linked_goes_on_in_the_admins_name(self) -> None:
        for way in WAYS:
            self.user = person(f"leaver {way}", "support")
            run = self.queued(*ROWS[:9], row(9, NO_CONTACT), *ROWS[10:], way=way)
            with self.subTest(way):
                self.half_sent(run)
                linked = run.linked
                leave(self.user)
                tasks.work(run.pk)
                run.refresh_from_db()
                own = services.take_over(user=self.admin, run=run)
                self.assertEqual(self.finish(run).state, RunState.CANCELED)
                self.assertEqual({each.user for each in run.entries.all()}, {self.user})
                tasks.work(own.pk)
                own.refresh_from_db()
                self.assertEqual((own.state, own.rows_read), (RunState.READY, 12 - linked))
                services.start(user=self.admin, run=own, way=way, skip_linked=False)
                self.finish(own)
                self.assertEqual({each.user for each in own.entries.all()}, {self.admin})
                self.assertEqual((linked + own.linked, own.rejected), (11, 1))
                told = [(e.what, e.user, e.run_id) for e in SecurityEvent.objects.order_by("pk")]
                self.assertIn(("run_taken_over", self.admin, run.pk), told)
                self.assertIn(("run_started", self.user, run.pk), told)

    def half_sent(self, run: BulkRun) -> None:
        """Some rows are linked, some are not sent, and perhaps one was refused."""
        whole = self.claimed(run)
        batch_sender._split(whole, [*run.entries.order_by("pk").values_list("pk", flat=True)])
        first = self.claimed(run)
        single_sender.send_singly(run, first, time.monotonic() + 5)
        run.refresh_from_db()
        self.assertEqual((run.linked, run.left), (6, 6))

    def test_it_takes_somebody_whose_person_has_left(self) -> None:
        run = self.queued(*ROWS)
        services.pause(user=self.user, run=run)
        with self.assertRaises(services.NotPossibleError):
            services.take_over(user=self.admin, run=run)
        leave(self.user)
        self.assertEqual(services.take_over(user=self.admin, run=run).user, self.admin)

    def test_one_that_was_not_started_and_one_whose_admin_leaves_too(self) -> None:
        run = self.uploaded(*ROWS)
        tasks.work(run.pk)
        leave(self.user)
        own = services.take_over(user=self.admin, run=run)
        self.assertEqual(self.finish(run).state, RunState.CANCELED)
        tasks.work(own.pk)
        leave(self.admin)
        another = person("another", "admin")
        last = services.take_over(user=another, run=BulkRun.objects.get(pk=own.pk))
        self.finish(own)
        tasks.work(last.pk)
        last.refresh_from_db()
        self.assertEqual((last.state, last.rows_ready), (RunState.READY, len(ROWS)))
        for each in (run, own, last):
            page = SignedInClient(another).get(each.get_absolute_url())
            self.assertEqual(page.status_code, 200)

    def test_a_run_stops_while_all_calls_wait(self) -> None:
        run = self.queued(*ROWS)
        backoff.pause_calls("daily_limit", timezone.now() + timedelta(hours=3))
        leave(self.user)
        Scheduler(mock.Mock(queue_size=lambda: 1)).tick()
        run.refresh_from_db()
        self.assertEqual((run.state, run.stop_cause), (RunState.PAUSED, "access_ended"))

    def test_only_one_does(self) -> None:
        run = self.stopped(*ROWS)
        services.take_over(user=self.admin, run=run)
        with self.assertRaises(services.NotPossibleError):
            services.take_over(user=person("other", "admin"), run=run)


class PageTests(PageTestCase):
    def paused(self, **fields: Any) -> BulkRun:
        return run_of(self.user, state="paused", queued=9, **fields)

    def test_an_admin_may_take_it_over_and_nobody_lets_it_go_on(self) -> None:
        for cause in ("", "access_ended"):
            run = self.paused(stop_cause=cause)
            leave(self.user)
            page = self.as_admin.get(run.get_absolute_url())
            with self.subTest(cause):
                self.assertContains(page, f"{run.get_absolute_url()}take-over/")
                self.assertContains(page, "in your own name")
                self.assertNotContains(page, f"{run.get_absolute_url()}go-on/")
            answer = self.as_admin.post(f"/bulk/{run.pk}/go-on/")
            self.assertRedirects(answer, f"/bulk/{run.pk}/?moved")
            answer = self.as_admin.post(f"/bulk/{run.pk}/take-over/")
            own = BulkRun.objects.latest("pk")
            self.assertEqual((own.user, own.retry_of), (self.admin, run))
            self.assertRedirects(answer, own.get_absolute_url())
            page = self.as_admin.get(own.get_absolute_url())
            self.assertContains(page, "Continues with what is left of")
            page = self.as_admin.get(run.get_absolute_url())
            self.assertContains(page, "took it over")
            call_command("people", reactivate=str(self.user.pk), stdout=StringIO())

    def test_support_may_not_and_nobody_while_its_person_may_act(self) -> None:
        run = self.paused()
        self.assertEqual(self.client.post(f"/bulk/{run.pk}/take-over/").status_code, 403)
        other = SignedInClient(person("other", "support"))
        self.assertEqual(other.post(f"/bulk/{run.pk}/take-over/").status_code, 404)
        self.assertNotContains(self.as_admin.get(run.get_absolute_url()), "take-over/")
        answer = self.as_admin.post(f"/bulk/{run.pk}/take-over/")
        self.assertRedirects(answer, f"/bulk/{run.pk}/?moved")
        self.assertEqual(BulkRun.objects.count(), 1)

    def test_the_status_page_says_so(self) -> None:
        run = self.paused(stop_cause="access_ended")
        page = self.as_admin.get("/status/")
        self.assertContains(page, f'Bulk run <a href="/bulk/{run.pk}/">{run.pk}</a> has paused')
        self.assertContains(page, "Whoever started it had lost their access to this site.")
        self.assertContains(page, "Take it over from its page, or cancel it.")
