"""Whoever wants to start many pairs without somebody else: each try, and that nothing is sent.

After each of them `ApprovalTestCase` looks whether anybody has approved their own.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from associations.bulk import approval, enqueueing, services, tasks
from associations.bulk.errors import ApprovalNeededError, NotPossibleError
from associations.models import BulkRow, BulkRun, EventKind, RunState, SecurityEvent
from hubadmin.models import Role, User
from tests.associations.audit.integrity.base import sql
from tests.associations.bulk.approving import CHOSEN, KNOWN, LIMIT, ApprovalTestCase, lines_of
from tests.associations.bulk.engine import NO_CONTACT
from tests.support import SignedInClient, person

ROW, RUN = "associations_bulkrow", "associations_bulkrun"
SWAPPED = ("to_object_id:deals", "from_object_id:tickets", "")
NOW = "django.utils.timezone.now"


def in_time(**of_time: float) -> "mock._patch[mock.MagicMock]":
    """As if it were so much later, or earlier."""
    moment = timezone.now() + timedelta(**of_time)
    return mock.patch(NOW, lambda: moment)


def at_once(*steps: Callable[[], object]) -> list[Exception]:
    """Do all of it at the same time; return what was not possible."""
    begin, refused = threading.Barrier(len(steps)), []

    def do(step: Callable[[], object]) -> None:
        begin.wait()
        try:
            step()
        except NotPossibleError as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


class ForgedTests(ApprovalTestCase):
    def test_the_start_form_posted_by_hand(self) -> None:
        run = self.large()
        reading = run.read_at.isoformat()
        for fields in ({}, {"reading": reading}, {"skip_linked": "on"}, {"approval": "approved"}):
            with self.subTest(fields):
                self.assertEqual(self.post(run, "start", self.user, way="batch", **fields), "422")
                self.not_started(run)

    def test_the_start_form_while_the_request_waits(self) -> None:
        run = self.asked()
        self.assertEqual(self.post(run, "start", self.user, way="batch"), "422")
        self.not_started(run)

    def test_the_service_called_by_a_command(self) -> None:
        run = self.large()
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        approval.ask(user=self.user, run=run, **CHOSEN)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        self.refused(self.approve, run, self.user)
        self.not_started(run)

    def test_another_persons_start(self) -> None:
        run = self.asked()
        self.assertEqual(self.post(run, "start", self.admin, way="batch"), "403")
        self.refused(services.start, user=self.admin, run=run, **CHOSEN)
        self.not_started(run)

    def test_ones_own_approval_posted_by_hand(self) -> None:
        for user in (self.user, self.author):
            run = self.asked(user)
            asked = self.request_of(run)
            with self.subTest(user.role):
                self.assertEqual(self.post(run, "approve", user, asked=asked), "403")
                self.assertEqual(self.post(run, "refuse", user, asked=asked, reason="x"), "403")
                self.refused(self.approve, run, user)
                self.not_started(run)

    def test_an_approval_in_somebody_elses_name(self) -> None:
        run = self.asked(self.author)
        fields = {"asked": self.request_of(run), "user_id": self.admin.pk, "as": self.admin.email}
        self.assertEqual(self.post(run, "approve", self.author, **fields), "403")
        self.not_started(run)

    def test_an_approval_of_what_nobody_asked_for(self) -> None:
        run, other = self.large(), self.asked(self.author)
        own_event = run.events.get().pk
        for asked in ("", "x", "0", "-1", 10**30, own_event, self.request_of(other), "1e3"):
            with self.subTest(asked):
                self.assertIn("?moved", self.post(run, "approve", self.admin, asked=asked))
                self.not_started(run)

    def test_the_request_of_another_run(self) -> None:
        run, other = self.asked(), self.asked(self.author)
        answer = self.post(run, "approve", self.admin, asked=self.request_of(other))
        self.assertIn("?moved", answer)
        self.refused(self.approve, run, self.admin, asked=self.request_of(other))
        self.not_started(run)

    def test_no_admin(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        colleague, visitor = person("colleague", "support"), person("visitor")
        self.assertEqual(self.post(run, "approve", colleague, asked=asked), "404")
        self.assertEqual(self.post(run, "approve", visitor, asked=asked), "403")
        for user in (colleague, visitor):
            self.refused(self.approve, run, user)
        self.not_started(run)

    def test_a_get(self) -> None:
        run = self.asked()
        address = f"{run.get_absolute_url()}approve/?asked={self.request_of(run)}"
        SignedInClient(self.admin).get(address)
        self.not_started(run)

    def test_asking_for_somebody_else(self) -> None:
        run = self.large()
        self.assertEqual(self.post(run, "ask", self.admin, way="batch"), "403")
        self.refused(approval.ask, user=self.admin, run=run, **CHOSEN)
        self.not_started(run)


class PersonTests(ApprovalTestCase):
    def test_who_has_become_an_admin_since(self) -> None:
        run = self.asked()
        User.objects.filter(pk=self.user.pk).update(role=Role.ADMIN)
        self.user.refresh_from_db()
        answer = self.post(run, "approve", self.user, asked=self.request_of(run))
        self.assertEqual(answer, "403")
        self.refused(self.approve, run, self.user)
        self.not_started(run)

    def test_who_was_an_admin_when_the_page_was_opened(self) -> None:
        for values in ({"role": Role.SUPPORT}, {"role": Role.NONE}, {"is_active": False}):
            judge = person(f"judge {values}", "admin")
            run = self.asked(person(f"author {values}", "support"))
            User.objects.filter(pk=judge.pk).update(**values)  # `judge` knows nothing of it
            with self.subTest(values):
                self.refused(self.approve, run, judge)
                self.refused(
                    approval.refuse, user=judge, run=run, asked=self.request_of(run), reason="x"
                )
                self.not_started(run)

    def test_who_was_deactivated_with_the_page_open(self) -> None:
        run = self.asked()
        client = SignedInClient(self.admin)
        client.get(run.get_absolute_url())
        call_command("people", deactivate=str(self.admin.pk), stdout=StringIO())
        client.post(f"{run.get_absolute_url()}approve/", {"asked": self.request_of(run)})
        self.not_started(run)

    def test_a_second_account_with_the_same_address(self) -> None:
        run = self.asked()
        for address in (self.user.email, self.user.email.upper(), f" {self.user.email}"):
            User.objects.filter(pk=self.admin.pk).update(email=address)
            self.admin.refresh_from_db()
            with self.subTest(address):
                self.refused(self.approve, run)
                self.not_started(run)

    def test_a_second_account_with_the_address_of_before(self) -> None:
        run = self.asked()
        User.objects.filter(pk=self.admin.pk).update(email=self.user.email)
        User.objects.filter(pk=self.user.pk).update(email="new@example.com")
        self.admin.refresh_from_db()
        self.refused(self.approve, run)
        self.not_started(run)

    def test_somebody_without_an_address(self) -> None:
        User.objects.filter(pk__in=(self.author.pk, self.admin.pk)).update(email="")
        for user in (self.author, self.admin):
            user.refresh_from_db()
        run = self.asked(self.author)
        self.refused(self.approve, run, self.author)
        self.not_started(run)
        self.approve(run)
        self.assertEqual(self.started_by(run), ["Admin"])

    def test_in_the_name_of_somebody_who_may_not_act_any_more(self) -> None:
        run = self.asked()
        User.objects.filter(pk=self.user.pk).update(is_active=False)
        self.refused(self.approve, run)
        self.not_started(run)


class TakenOverTests(ApprovalTestCase):
    def taken_over(self, run: BulkRun, user: User) -> BulkRun:
        User.objects.filter(pk=run.user_id).update(is_active=False)
        return self.read(services.take_over(user=user, run=run))

    def test_what_was_asked_for_is_not_taken_over(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        own = self.taken_over(run, self.admin)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.admin, run=own, **CHOSEN)
        self.refused(self.approve, own, asked=asked)
        self.refused(self.approve, run, asked=asked)
        approval.ask(user=self.admin, run=own, **CHOSEN)
        self.refused(self.approve, own)
        self.refused(self.approve, own, asked=asked)
        self.not_started(own)
        self.approve(own, self.second)
        self.assertEqual(self.started_by(own), ["Second"])

    def test_who_uploaded_it_first_approves_nothing_of_it_later(self) -> None:
        run = self.asked(self.author)
        own = self.taken_over(run, self.admin)
        User.objects.filter(pk=self.author.pk).update(is_active=True)
        approval.ask(user=self.admin, run=own, **CHOSEN)
        answer = self.post(own, "approve", self.author, asked=self.request_of(own))
        self.assertEqual(answer, "403")
        self.refused(self.approve, own, self.author)
        self.not_started(own)

    def test_taken_over_twice(self) -> None:
        run = self.asked(self.author)
        own = self.taken_over(run, self.admin)
        last = self.taken_over(own, self.second)
        User.objects.update(is_active=True)
        approval.ask(user=self.second, run=last, **CHOSEN)
        for user in (self.author, self.admin, self.second):
            self.refused(self.approve, last, user)
        self.not_started(last)

    def test_the_little_that_is_left_of_what_was_approved(self) -> None:
        run = self.asked()
        self.approve(run)
        run.refresh_from_db()
        tasks._queue(run, time.monotonic() + 10)
        services.pause(user=self.user, run=BulkRun.objects.get(pk=run.pk))
        first = run.entries.order_by("pk").values_list("pk", flat=True)[: LIMIT - 1]
        run.entries.filter(pk__in=list(first)).update(outcome="linked", cause="confirmed")
        own = self.taken_over(BulkRun.objects.get(pk=run.pk), self.second)
        self.assertLess(own.rows_ready, LIMIT)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.second, run=own, **CHOSEN)
        self.not_started(own)


class RetryTests(ApprovalTestCase):
    def ended(self, *, failed: int = 1) -> BulkRun:
        """A run that somebody has approved and that has ended, some rows of it failed."""
        lines = lines_of(LIMIT + 1 - failed) + f"{NO_CONTACT};2000001;x\n" * failed
        run = self.file(lines)
        approval.ask(user=self.user, run=run, **CHOSEN)
        self.approve(run)
        self.disturb()
        run = self.finish(BulkRun.objects.get(pk=run.pk))
        self.assertEqual(run.failed, failed)
        return run

    def disturb(self) -> None:
        """What HubSpot has an error of its own about may be tried again."""
        self.sandbox.fault(method="PUT", path=f"/{NO_CONTACT}/", status=500, times=None)

    def retried(self, run: BulkRun) -> BulkRun:
        return self.read(services.retry(user=run.user, meta=services.NOWHERE, run=run))

    def test_the_one_row_that_failed(self) -> None:
        again = self.retried(self.ended())
        self.assertEqual(again.rows_ready, 1)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=again, **CHOSEN)
        self.assertEqual(self.post(again, "start", self.user, way="batch"), "422")
        self.not_started(again)

    def test_the_request_and_the_approval_of_the_first_run(self) -> None:
        run = self.ended()
        again = self.retried(run)
        self.refused(self.approve, again, asked=self.request_of(run))
        approval.ask(user=self.user, run=again, **CHOSEN)
        self.refused(self.approve, again, asked=self.request_of(run))
        self.not_started(again)

    def test_a_retry_of_a_retry(self) -> None:
        again = self.retried(self.ended())
        approval.ask(user=self.user, run=again, **CHOSEN)
        self.approve(again)
        third = self.retried(self.finish(BulkRun.objects.get(pk=again.pk)))
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=third, **CHOSEN)
        User.objects.filter(pk=self.user.pk).update(role=Role.ADMIN)
        self.user.refresh_from_db()
        approval.ask(user=self.user, run=third, **CHOSEN)
        self.refused(self.approve, third, self.user)
        self.not_started(third)

    def test_one_that_was_started_before_approvals_were_demanded(self) -> None:
        run = self.file(lines_of(LIMIT) + f"{NO_CONTACT};2000001;x\n")
        self.disturb()
        with override_settings(BULK_APPROVAL_ROWS=0):
            services.start(user=self.user, run=run, **CHOSEN)
            run = self.finish(run)
        self.assertEqual(run.failed, 1)
        again = self.retried(run)
        with self.assertRaises(ApprovalNeededError), in_time(days=2):
            services.start(user=self.user, run=again, **CHOSEN)
        self.not_started(again)
        BulkRun.objects.filter(pk=run.pk).update(started_at=None)  # or it counts as self-approved


class SplitTests(ApprovalTestCase):
    def half(self, number: int = 0) -> BulkRun:
        return self.file(lines_of(LIMIT - 1, first=number * LIMIT))

    def test_a_file_in_parts(self) -> None:
        first, second = self.half(), self.half(1)
        services.start(user=self.user, run=first, **CHOSEN)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=second, **CHOSEN)
        self.not_started(second)

    def test_all_parts_at_once(self) -> None:
        runs = [self.half(number) for number in range(5)]
        steps = [lambda run=run: services.start(user=self.user, run=run, **CHOSEN) for run in runs]
        refused = at_once(*steps)
        self.assertEqual(len(refused), 4)
        self.assertEqual(BulkRun.objects.filter(state=RunState.QUEUEING).count(), 1)

    def test_what_was_sent_counts_although_the_rest_was_canceled(self) -> None:
        run = self.finish(self.started_half())
        self.assertEqual(approval.started_lately(self.user.pk), LIMIT - 1)
        self.assertEqual(run.linked, LIMIT - 1)
        BulkRun.objects.filter(pk=run.pk).update(state=RunState.CANCELED)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=self.half(1), **CHOSEN)

    def started_half(self) -> BulkRun:
        run = self.half()
        services.start(user=self.user, run=run, **CHOSEN)
        return run

    def test_it_counts_for_a_day_and_also_if_the_clock_was_set_back(self) -> None:
        self.started_half()
        second = self.half(1)
        for of_time in ({"hours": 23}, {"days": -300}):
            with self.subTest(of_time), in_time(**of_time):
                with self.assertRaises(ApprovalNeededError):
                    services.start(user=self.user, run=second, **CHOSEN)
                self.not_started(second)
        with in_time(hours=25):
            services.start(user=self.user, run=second, **CHOSEN)
        self.assertEqual(self.started_by(second), [])


CHANGES = {
    "an id": f"UPDATE {ROW} SET to_object_id = '2000099' WHERE number = 2",
    "a type": f"UPDATE {ROW} SET to_object_type = 'deals' WHERE number = 2",
    "a reason": f"UPDATE {ROW} SET reason = 'SUP-2' WHERE number = 2",
    "the reason of all": f"UPDATE {RUN} SET reason = 'SUP-2'",
    "the way": f"UPDATE {RUN} SET way = 'single'",
    "what is left out": f"UPDATE {RUN} SET skip_linked = {{flip}}",
    "a row less": f"DELETE FROM {ROW} WHERE number = 2",
    "a row that was not ready": f"UPDATE {ROW} SET state = 'ready' WHERE state = 'invalid'",
    "a row that is not ready": f"UPDATE {ROW} SET state = 'double' WHERE number = 2",
    "an answer about a link": f"UPDATE {ROW} SET was_linked = {{flip}} WHERE number = 2",
    "the order": f"UPDATE {ROW} SET number = number + 100",
}


class ChangedTests(ApprovalTestCase):
    def test_rows_changed_by_sql(self) -> None:
        for what, statement in CHANGES.items():
            BulkRun.objects.all().delete()
            run = self.file(lines_of(LIMIT + 2) + "x;y;z\n")
            skip = "link" in what
            approval.ask(user=self.user, run=run, way="batch", skip_linked=skip)
            flip = "NOT skip_linked" if "left out" in what else "TRUE"
            sql(statement.format(flip=flip))
            with self.subTest(what):
                self.refused(self.approve, run)
                self.not_started(run)
                self.assertEqual(self.kinds(run)[-1], EventKind.RUN_APPROVAL_VOID)
                self.refused(self.approve, run)

    def test_a_row_more(self) -> None:
        run = self.asked()
        row = run.rows.get(number=1)
        row.pk, row.number, row.to_object_id = None, 99, "2000099"
        row.save()
        self.refused(self.approve, run)
        self.not_started(run)

    def test_the_same_text_at_another_place(self) -> None:
        """Nothing that is moved from one cell into its neighbour gives the same digest."""
        run = self.asked()
        row = run.rows.get(number=1)
        row.from_object_type, row.from_object_id = "contact", "s1000001"
        row.save()
        self.refused(self.approve, run)
        self.not_started(run)

    def test_numbers_that_say_that_there_is_little(self) -> None:
        run = self.large()
        BulkRun.objects.filter(pk=run.pk).update(rows_read=1)
        run.refresh_from_db()
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        self.not_started(run)

    def test_columns_chosen_anew(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        self.said(run, *SWAPPED)
        self.assertIn(EventKind.RUN_APPROVAL_VOID, self.kinds(run))
        self.refused(self.approve, run, asked=asked)
        self.not_started(run)

    def test_columns_chosen_anew_and_then_as_they_were(self) -> None:
        run = self.asked()
        asked, digest = self.request_of(run), approval.staged(run).digest
        self.said(run, *SWAPPED)
        self.said(run, "from_object_id:contacts", "to_object_id:companies", "reason")
        self.assertEqual(approval.staged(run).digest, digest)
        self.refused(self.approve, run, asked=asked)
        BulkRun.objects.filter(pk=run.pk).update(approval="asked", asked_at=timezone.now())
        self.refused(self.approve, run, asked=asked)  # as the log says, and no column
        self.not_started(run)

    def test_a_record_chosen_among_several(self) -> None:
        named = {"name": "Island Bakery", "domain": "island.example"}
        first, _second = (self.sandbox.create("companies", named, 0) for _ in range(2))
        file = lines_of(LIMIT + 1) + "1000009;island.example;x\n"
        run = self.file(file.replace("company id", "company"))
        self.assertEqual((run.rows_ready, run.rows_to_choose), (LIMIT + 1, 1))
        stale = BulkRun.objects.get(pk=run.pk)
        approval.ask(user=self.user, run=run, **CHOSEN)
        asked = self.request_of(run)
        services.choose(run=stale, choices={run.keys.get(text="island.example").pk: first})
        self.assertIn(EventKind.RUN_APPROVAL_VOID, self.kinds(run))
        self.refused(self.approve, run, asked=asked)
        self.read(run)
        self.assertEqual((run.rows_ready, run.approval), (LIMIT + 2, ""))
        self.refused(self.approve, run, asked=asked)
        self.not_started(run)

    def test_columns_chosen_anew_by_a_tab_that_knows_no_request(self) -> None:
        run = self.large()
        stale = BulkRun.objects.get(pk=run.pk)
        approval.ask(user=self.user, run=run, **CHOSEN)
        services.read_anew(run=stale, meanings=SWAPPED)
        self.assertIn(EventKind.RUN_APPROVAL_VOID, self.kinds(run))
        self.refused(self.approve, run)

    def test_asked_by_a_tab_that_shows_an_earlier_reading(self) -> None:
        run = self.large()
        stale, reading = BulkRun.objects.get(pk=run.pk), run.read_at.isoformat()
        self.said(run, *SWAPPED)
        answer = self.post(run, "ask", self.user, way="batch", reading=reading)
        self.assertIn("?moved", answer)
        self.refused(approval.ask, user=self.user, run=stale, **CHOSEN)
        self.assertEqual(self.request_of(run), 0)

    def test_another_request_than_the_page_shows(self) -> None:
        run = self.asked()
        earlier = self.request_of(run)
        approval.withdraw(user=self.user, run=run)
        self.refused(self.approve, run, asked=earlier)
        sql(CHANGES["an id"])
        approval.ask(user=self.user, run=run, **CHOSEN)
        answer = self.post(run, "approve", self.admin, asked=earlier)
        self.assertIn("?moved", answer)
        self.not_started(run)

    def test_rows_changed_once_it_is_approved(self) -> None:
        run = self.asked()
        self.approve(run)
        sql(CHANGES["an id"])
        run.refresh_from_db()
        self.finish(run)
        self.assertEqual((run.state, self.calls("POST"), self.calls("PUT")), ("canceled", 0, 0))
        self.assertEqual({*self.outcomes(run)}, {("canceled", "not_sent")})
        self.assertIn(EventKind.RUN_APPROVAL_VOID, self.kinds(run))

    def test_rows_changed_or_added_while_it_is_queued(self) -> None:
        more = f"INSERT INTO {ROW} SELECT * FROM {ROW} WHERE FALSE"
        for statement in (f"DELETE FROM {ROW} WHERE number = 4", CHANGES["a reason"], more):
            self.sandbox.reset()
            BulkRow.objects.all().delete()
            author = person(f"author {len(statement)}", "support")
            run = self.asked(author)
            self.approve(run)
            run.refresh_from_db()
            with mock.patch.object(enqueueing, "ROWS_AT_ONCE", 1):
                enqueueing.queue_rows(self.claimed_run(run))
                sql(statement)
                if statement == more:
                    row = run.rows.get(number=4)
                    row.pk, row.number = None, 5
                    row.save()
                BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
                self.finish(BulkRun.objects.get(pk=run.pk))
            with self.subTest(statement):
                run.refresh_from_db()
                self.assertEqual((run.state, self.calls("POST")), ("canceled", 0))

    def claimed_run(self, run: BulkRun) -> BulkRun:
        claimed = tasks.claim(BulkRun.objects.filter(pk=run.pk))
        self.assertIsNotNone(claimed)
        return claimed


class ReplayTests(ApprovalTestCase):
    def test_the_same_approval_twice(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        self.approve(run)
        self.refused(self.approve, run, asked=asked)
        self.refused(self.approve, run, self.second, asked=asked)
        self.assertEqual(self.started_by(run), ["Admin"])

    def test_the_start_form_after_the_approval(self) -> None:
        run = self.asked()
        self.approve(run)
        before = BulkRun.objects.get(pk=run.pk).started_at
        answer = self.post(run, "start", self.user, way="single", reading=run.read_at.isoformat())
        self.assertNotEqual(answer, run.get_absolute_url())
        run.refresh_from_db()
        self.assertEqual((run.way, run.started_at, run.approval), ("batch", before, "approved"))

    def test_what_was_refused(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        approval.refuse(user=self.admin, run=run, asked=asked, reason="No ticket")
        for user in (self.admin, self.second):
            self.refused(self.approve, run, user, asked=asked)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        BulkRun.objects.filter(pk=run.pk).update(approval="asked", asked_at=timezone.now())
        self.refused(self.approve, run, asked=asked)
        self.not_started(run)

    def test_what_was_discarded(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        services.discard(run=run, user=self.user)
        self.assertEqual(self.post(run, "approve", self.admin, asked=asked), "404")
        self.refused(self.approve, run, asked=asked)

    def test_columns_that_say_that_it_was_approved(self) -> None:
        run = self.large()
        BulkRun.objects.filter(pk=run.pk).update(approval="approved", asked_at=timezone.now())
        run.refresh_from_db()
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        self.not_started(run)


class RaceTests(ApprovalTestCase):
    def test_several_tabs_of_several_admins(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        judges = [self.admin, self.second, self.author] * 2
        refused = at_once(*[partial(self.approve, run, user, asked) for user in judges])
        self.assertEqual(len(refused), 5)
        self.assertEqual(len(self.started_by(run)), 1)

    def test_ones_own_tabs_while_another_approves(self) -> None:
        run = self.asked(self.author)
        asked = self.request_of(run)

        def own() -> None:
            self.approve(BulkRun.objects.get(pk=run.pk), self.author, asked)

        def start() -> None:
            services.start(user=self.author, run=BulkRun.objects.get(pk=run.pk), **CHOSEN)

        refused = at_once(own, start, own, start, lambda: self.approve(run, self.admin, asked))
        self.assertEqual(len(refused), 4)
        self.assertEqual(self.started_by(run), ["Admin"])

    def test_taken_back_or_changed_while_it_is_approved(self) -> None:
        for number in range(4):
            run = self.asked(person(f"author {number}", "support"))
            asked = self.request_of(run)
            tabs = [BulkRun.objects.get(pk=run.pk) for _ in range(4)]
            no = {"user": self.second, "asked": asked, "reason": "x"}
            at_once(
                partial(approval.withdraw, user=run.user, run=tabs[0]),
                partial(services.read_anew, run=tabs[1], meanings=SWAPPED),
                partial(approval.refuse, run=tabs[2], **no),
                partial(self.approve, tabs[3], self.admin, asked),
            )
            answers = [kind for kind in self.kinds(run) if kind.startswith("run_appro")][1:]
            with self.subTest(answers):
                is_approved = "run_approved" in answers
                is_started = bool(BulkRun.objects.get(pk=run.pk).started_at)
                self.assertEqual(is_started, is_approved)
                # The first answer counts; once it was approved there is no other.
                self.assertEqual(len(answers), 1)

    def test_deactivated_while_they_approve(self) -> None:
        for number in range(4):
            judge = person(f"judge {number}", "admin")
            run = self.asked(person(f"author {number}", "support"))
            asked = self.request_of(run)

            def leave(judge: User = judge) -> None:
                call_command("people", deactivate=str(judge.pk), stdout=StringIO())

            at_once(
                leave, lambda run=run, judge=judge, asked=asked: self.approve(run, judge, asked)
            )
            left = SecurityEvent.objects.get(what=EventKind.DEACTIVATED, user=judge)
            approved = run.events.filter(what=EventKind.RUN_APPROVED).first()
            with self.subTest(is_approved=bool(approved)):
                self.assertTrue(approved is None or approved.at <= left.at)


class TimeTests(ApprovalTestCase):
    def test_too_late(self) -> None:
        run = self.asked()
        with in_time(hours=24, seconds=1):
            self.refused(self.approve, run)
            self.not_started(run)
            self.assertEqual(self.kinds(run)[-1], EventKind.RUN_APPROVAL_EXPIRED)
        self.refused(self.approve, run)

    def test_in_time(self) -> None:
        run = self.asked()
        with in_time(hours=23, minutes=59):
            self.approve(run)
        self.assertEqual(self.started_by(run), ["Admin"])

    def test_a_clock_that_was_set_back(self) -> None:
        with in_time(days=300):
            run = self.asked()
        self.refused(self.approve, run)
        self.not_started(run)
        self.assertEqual(self.kinds(run)[-1], EventKind.RUN_APPROVAL_EXPIRED)

    def test_a_column_that_says_that_it_was_asked_for_just_now(self) -> None:
        run = self.asked()
        with in_time(days=2):
            BulkRun.objects.filter(pk=run.pk).update(asked_at=timezone.now())
            approval.expire()
            self.refused(self.approve, run)
        self.not_started(run)

    def test_what_a_worker_has_ended_and_one_asked_for_anew(self) -> None:
        run = self.asked()
        earlier = self.request_of(run)
        with in_time(hours=25):
            approval.expire()
            approval.expire()
            self.refused(self.approve, run, asked=earlier)
            approval.ask(user=self.user, run=run, **CHOSEN)
            self.refused(self.approve, run, asked=earlier)
            self.not_started(run)
            self.approve(run)
        self.assertEqual(self.started_by(run), ["Admin"])
        self.assertEqual(self.kinds(run).count(EventKind.RUN_APPROVAL_EXPIRED), 1)


class LoopholeTests(ApprovalTestCase):
    def test_one_row_more_than_the_limit_and_not_one(self) -> None:
        services.start(user=self.user, run=self.large(pairs=LIMIT), **CHOSEN)
        other = person("other", "support")
        with self.assertRaises(ApprovalNeededError):
            services.start(user=other, run=self.large(other, LIMIT + 1), **CHOSEN)

    def test_another_persons_run_of_few_rows(self) -> None:
        run = self.large(pairs=1)
        self.refused(services.start, user=self.admin, run=run, **CHOSEN)
        self.refused(approval.ask, user=self.user, run=run, **CHOSEN)
        self.not_started(run)
        services.start(user=self.user, run=run, **CHOSEN)

    def test_several_pairs_in_a_cell(self) -> None:
        run = self.file(KNOWN.replace(";", ",") + '1000001,"2000001;2000002;2000003;2000004",x\n')
        self.assertEqual(run.rows_ready, 4)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=run, **CHOSEN)
        self.not_started(run)

    def test_an_admin_alone(self) -> None:
        User.objects.filter(role=Role.ADMIN).exclude(pk=self.author.pk).delete()
        run = self.asked(self.author)
        self.refused(self.approve, run, self.author)
        self.not_started(run)
