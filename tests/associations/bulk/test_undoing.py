"""A run that undoes another: what it takes back, what it leaves and why, and what it survives."""

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from associations.audit.recorder import RequestMeta
from associations.bulk import approval, services, tasks
from associations.bulk.errors import ApprovalNeededError, NotPossibleError
from associations.bulk.messages import sentence
from associations.bulk.undoing import can_be_undone
from associations.linking import undo
from associations.models import AssociationRequest, BulkRun, EventKind, RunState, SendMode
from associations.texts.outcomes import explain
from hubadmin.models import User
from tests.associations.bulk.engine import FIRST_COMPANY, FIRST_CONTACT, EngineTestCase, row
from tests.associations.linking.base import entry_of, run_of
from tests.support import SignedInClient, person

CHOSEN = {"way": SendMode.SINGLE, "skip_linked": False}
ARCHIVE = "batch/labels/archive"


@override_settings(HUBSPOT_VERIFY=True)
class UndoingTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.admin = person("admin")

    def linked_run(self, rows: int = 4, way: str = SendMode.BATCH) -> BulkRun:
        run = self.finish(self.started(*(row(number) for number in range(rows)), way=way))
        self.assertEqual(run.linked, rows)
        return run

    def undone(self, run: BulkRun, **asked: Any) -> BulkRun:
        """A run that undoes this one, whose dry run is over."""
        values = {"user": self.user, "run": run, "reason": "SUP-9", "meta": RequestMeta()}
        own = services.undo(**(values | asked))
        return self.read(own)

    def read(self, run: BulkRun) -> BulkRun:
        deadline = time.monotonic() + 30
        while run.state == RunState.READING:
            self.assertLess(time.monotonic(), deadline)
            self.step(run)
        return run

    def begin(self, own: BulkRun) -> BulkRun:
        services.start(user=own.user, run=own, **CHOSEN)
        while own.state == RunState.QUEUEING:
            self.step(own)
        return own

    def check(self, run: BulkRun) -> None:
        outcomes = list(run.entries.values_list("outcome", flat=True))
        self.assertEqual(run.unlinked, outcomes.count("unlinked"))
        self.assertEqual(run.queued, len(outcomes))

    def types(self, number: int) -> list[str]:
        links = self.sandbox.links.seen("contacts", str(FIRST_CONTACT + number), "companies")
        return [str(each.label) for each in links.get(str(FIRST_COMPANY + number), [])]

    def label(self, number: int) -> None:
        ends = "contacts", str(FIRST_CONTACT + number), "companies", str(FIRST_COMPANY + number)
        self.sandbox.link(*ends, label="Decision maker")

    def problems(self, run: BulkRun) -> list[str]:
        return [each.problem for each in run.rows.order_by("number") if each.problem]

    def removals(self) -> int:
        return sum(each["path"].endswith(ARCHIVE) for each in self.sandbox.requests)


class WholeWayTests(UndoingTestCase):
    def test_all_of_a_run(self) -> None:
        run = self.linked_run()
        own = self.undone(run)
        self.assertEqual((own.state, own.rows_ready, own.undoes_id), ("ready", 4, run.pk))
        self.assertEqual(self.removals(), 0)
        self.finish(self.begin(own))
        self.assertEqual((own.state, own.unlinked, own.linked), ("done", 4, 0))
        undone = own.entries.order_by("row_number")
        self.assertEqual({each.cause for each in undone}, {"seen_gone"})
        self.assertEqual({each.undoes_id for each in undone}, {e.pk for e in run.entries.all()})
        self.assertTrue(all(each.verified and each.links_before for each in undone))
        self.assertEqual([self.types(number) for number in range(4)], [[], [], [], []])
        self.assertEqual(self.removals(), 4)
        kinds = dict(own.events.values_list("what", "facts"))
        self.assertEqual(kinds[EventKind.RUN_STARTED], {"undoes": run.pk})

    def test_a_way_that_was_posted_by_hand_links_nothing(self) -> None:
        own = self.undone(self.linked_run())
        services.start(user=self.user, run=own, way=SendMode.BATCH, skip_linked=True)
        self.finish(own)
        self.assertEqual((own.way, own.unlinked), (SendMode.SINGLE, 4))

    def test_its_pages_never_say_linked_of_it(self) -> None:
        run = self.linked_run()
        own, client = self.undone(run), SignedInClient(self.user)
        self.assertContains(client.get(own.get_absolute_url()), "Undo the 4 links")
        self.finish(self.begin(own))
        page = client.get(own.get_absolute_url())
        self.assertContains(page, "4 of 4 links are removed.")
        self.assertNotContains(page, "are linked")
        self.assertContains(page, f'href="{run.get_absolute_url()}"')
        self.assertContains(client.get("/bulk/"), "4 unlinked")
        self.assertContains(client.get(run.get_absolute_url()), own.get_absolute_url())
        results = b"".join(client.get(f"{own.get_absolute_url()}results.csv").streaming_content)
        self.assertEqual(results.count(b'"unlinked","no"'), 4)
        self.assertEqual(client.get(f"{own.get_absolute_url()}bad-rows.csv").status_code, 404)

    def test_undone_once_nothing_is_left_to_undo(self) -> None:
        run = self.linked_run(2)
        self.finish(self.begin(self.undone(run)))
        again = self.undone(run)
        self.assertEqual(self.problems(again), ["undo_undone", "undo_undone"])


class BarTests(UndoingTestCase):
    def assert_left(self, own: BulkRun, *problems: str) -> None:
        self.assertEqual(self.problems(own), list(problems))
        self.assertEqual(own.rows_invalid, len(problems))
        for each in own.rows.exclude(problem=""):
            self.assertIn(" ", sentence("", each.problem, each.facts))
        SignedInClient(own.user).get(own.get_absolute_url())

    def test_what_was_linked_before(self) -> None:
        self.linked_run(2)
        self.assert_left(self.undone(self.linked_run(3)), *["undo_was_linked"] * 2)

    def test_what_nobody_knows_that_of(self) -> None:
        with override_settings(HUBSPOT_VERIFY=False):
            run = self.linked_run(2)
        self.assert_left(self.undone(run), *["undo_not_known"] * 2)

    def test_what_somebody_else_has_asked_for_since(self) -> None:
        run = self.linked_run(3)
        first = run.entries.get(row_number=2)
        ends = {"to_object_id": first.from_object_id, "from_object_id": first.to_object_id}
        ends |= {"to_object_type": "contacts", "from_object_type": "companies"}
        entry_of(self.admin, **ends)
        entry_of(self.user, **{name: getattr(run.entries.get(row_number=3), name) for name in ends})
        self.assert_left(self.undone(run), "undo_asked_again")

    def test_what_has_a_label_by_now(self) -> None:
        run = self.linked_run(2)
        self.label(0)
        own = self.undone(run)
        self.assert_left(own, "undo_not_alone")
        self.assertIn("Decision maker", own.rows.get(number=1).facts["labels"])

    def test_a_label_that_comes_after_the_check_keeps_the_link(self) -> None:
        own = self.begin(self.undone(self.linked_run(2)))
        self.label(0)
        self.finish(own)
        self.assertEqual(self.outcomes(own)[0], ("canceled", "not_alone"))
        self.assertEqual((own.unlinked, len(self.types(0))), (1, 2))

    def test_what_is_gone_or_being_undone(self) -> None:
        run = self.linked_run(3)
        one, other, _ = run.entries.order_by("row_number")
        undo.undo(
            user=self.user, entry=one, reason="", meta=RequestMeta(), is_still_in=lambda: True
        )
        values = {name: getattr(other, name) for name in ("from_object_id", "to_object_id")}
        entry_of(self.user, undoes=other, outcome="sending", cause="", finished_at=None, **values)
        self.assert_left(self.undone(run), "undo_undone", "undo_under_way")

    def test_where_hubspot_shows_nothing_the_rows_are_looked_at_later(self) -> None:
        run = self.linked_run(2)
        self.fault(method="POST", path="associations/.*/batch/read", status=500, times=2)
        own = self.undone(run)
        self.assertEqual((own.rows_ready, own.lookup_cause), (2, "hubspot_error"))
        self.finish(self.begin(own))
        self.assertEqual(own.unlinked, 2)

    def test_what_hubspot_does_not_show_at_its_turn(self) -> None:
        own = self.begin(self.undone(self.linked_run(3)))
        self.sandbox.unreadable.add(("contacts", str(FIRST_CONTACT + 1)))
        self.finish(own)
        self.assertEqual(self.outcomes(own)[1], ("canceled", "not_seen_alone"))
        entry = own.entries.get(row_number=2)
        self.assertEqual((entry.linked, entry.attempts.count()), ("perhaps", 0))
        self.assertIn("Nothing was sent", explain(entry).sentence)
        self.assertEqual((own.unlinked, self.removals(), len(self.types(1))), (2, 2, 1))


class MergedTests(UndoingTestCase):
    """A record of a pair is merged with another: before the run, after it, or at its turn."""

    def merge(self, number: int) -> str:
        new = self.sandbox.create("contacts", {})
        self.sandbox.merge("contacts", str(FIRST_CONTACT + number), new)
        return new

    def is_linked(self, contact: str, number: int) -> bool:
        links = self.sandbox.links.seen("contacts", contact, "companies")
        return str(FIRST_COMPANY + number) in links

    def test_before_it_was_linked(self) -> None:
        new = self.merge(1)
        run = self.linked_run(3, way=SendMode.SINGLE)
        self.assertEqual(run.entries.get(row_number=2).from_merged_into, new)
        own = self.undone(run)
        self.assertEqual(own.rows.get(number=2).from_object_id, new)
        self.finish(self.begin(own))
        entry = own.entries.get(row_number=2)
        told = (own.unlinked, entry.from_object_id, self.is_linked(new, 1))
        self.assertEqual(told, (3, new, False))

    def test_since(self) -> None:
        run = self.linked_run(3)
        new = self.merge(1)
        own = self.undone(run)
        self.assertEqual(self.problems(own), ["undo_merged"])
        self.finish(self.begin(own))
        self.assertEqual((own.unlinked, self.is_linked(new, 1)), (2, True))

    def test_between_the_check_and_its_turn(self) -> None:
        own = self.begin(self.undone(self.linked_run(3)))
        new = self.merge(1)
        self.finish(own)
        self.assertEqual(self.outcomes(own)[1], ("canceled", "merged"))
        self.assertEqual((own.unlinked, self.is_linked(new, 1)), (2, True))


class GoingOnTests(UndoingTestCase):
    """What a run that undoes has left, by a run of its own: a retry, or somebody else's."""

    def test_a_retry_undoes_what_failed(self) -> None:
        own = self.begin(self.undone(self.linked_run(3)))
        dies = mock.patch("associations.bulk.undo_sender._call", side_effect=SystemExit)
        with dies, suppress(SystemExit):
            tasks._send(own, time.monotonic() + 1)
        services.cancel(user=self.user, run=own)
        own.chunks.update(owner="", lease_until=None)
        self.finish(own)
        self.assertEqual((own.state, own.unreachable), (RunState.CANCELED, 3))
        again = self.read(services.retry(user=self.user, meta=RequestMeta(), run=own))
        self.assertEqual((again.undoes_id, again.rows_ready), (own.undoes_id, 3))
        self.finish(self.begin(again))
        self.assertEqual((again.unlinked, again.linked, self.removals()), (3, 0, 3))
        ids = [{each.undoes_id for each in run.entries.all()} for run in (own, again)]
        self.assertEqual(ids[0], ids[1])

    def test_an_admin_takes_one_over(self) -> None:
        own = self.undone(self.linked_run(4))
        User.objects.filter(pk=self.user.pk).update(is_active=False)
        theirs = services.take_over(user=self.admin, run=own)
        self.finish(own)
        self.assertEqual((own.state, own.queued), (RunState.CANCELED, 0))
        self.read(theirs)
        self.assertEqual((theirs.undoes_id, theirs.rows_ready), (own.undoes_id, 4))
        self.finish(self.begin(theirs))
        self.assertEqual((theirs.unlinked, theirs.linked, self.removals()), (4, 0, 4))
        self.assertEqual({each.user for each in theirs.entries.all()}, {self.admin})

    def test_an_admin_takes_over_what_is_left_of_one(self) -> None:
        own = self.begin(self.undone(self.linked_run(4)))
        with mock.patch("associations.bulk.single_sender.next_rows") as rows:
            rows.side_effect = lambda entries: list(entries.order_by("pk")[:1])
            with mock.patch("associations.bulk.single_sender.WAVES_IN_A_TURN", 1):
                self.step(own)
        self.assertEqual(own.unlinked, 1)
        services.pause(user=self.user, run=own)
        User.objects.filter(pk=self.user.pk).update(is_active=False)
        theirs = services.take_over(user=self.admin, run=own)
        self.finish(own)
        self.read(theirs)
        self.assertEqual((theirs.undoes_id, theirs.rows_ready), (own.undoes_id, 3))
        self.finish(self.begin(theirs))
        self.assertEqual((own.unlinked, theirs.unlinked, self.removals()), (1, 3, 4))


class PermissionTests(UndoingTestCase):
    def test_who_may(self) -> None:
        run = self.linked_run(1)
        self.assertTrue(can_be_undone(run, self.user))
        BulkRun.objects.filter(pk=run.pk).update(started_at="2026-01-01T00:00Z")
        run.refresh_from_db()
        self.assertFalse(can_be_undone(run, self.user))
        self.assertTrue(can_be_undone(run, self.admin))
        path = f"{run.get_absolute_url()}undo/"
        self.assertIn("?moved", SignedInClient(self.user).post(path)["Location"])
        other = person("colleague", "support")
        self.assertEqual(SignedInClient(other).post(path).status_code, 404)
        self.assertRedirects(
            SignedInClient(self.admin).post(path, {"reason": "SUP-9"}),
            f"/bulk/{run.pk + 1}/",
        )

    def test_one_at_a_time_and_no_undo_of_an_undo(self) -> None:
        run = self.linked_run(1)
        own = self.undone(run)
        with self.assertRaises(NotPossibleError):
            self.undone(run, user=self.admin)
        self.finish(self.begin(own))
        with self.assertRaises(NotPossibleError):
            self.undone(own)


class CrashTests(UndoingTestCase):
    def broken(self, where: str) -> BulkRun:
        """A run whose worker dies at a place of its code, whose lease then runs out."""
        own = self.begin(self.undone(self.linked_run()))
        with mock.patch(where, side_effect=SystemExit), suppress(SystemExit):
            tasks._send(own, time.monotonic() + 1)
        own.chunks.update(owner="", lease_until=None)
        return self.finish(own)

    def test_between_the_look_and_the_call(self) -> None:
        own = self.broken("associations.bulk.undo_sender._call")
        self.assertEqual((own.unlinked, self.removals()), (4, 4))

    def test_between_the_call_and_the_log(self) -> None:
        own = self.broken("associations.bulk.undo_sender._look_after")
        self.assertEqual((own.unlinked, self.removals()), (4, 4))
        entry = own.entries.order_by("row_number")[0]
        self.assertEqual([each.failure for each in entry.attempts.all()], ["interrupted"])
        self.assertEqual((entry.cause, entry.links_before), ("seen_gone", {}))
        # What went with it between the look of the one that died and its call, nobody can know.
        self.assertIn("that is gone as well", explain(entry).verification)

    def test_paused_and_canceled_in_the_middle(self) -> None:
        own = self.begin(self.undone(self.linked_run()))
        services.pause(user=self.user, run=own)
        services.resume(user=self.user, run=own)
        services.cancel(user=self.user, run=own)
        self.finish(own)
        self.assertEqual((own.state, own.canceled, self.removals()), ("canceled", 4, 0))
        self.assertEqual({each.linked for each in own.entries.all()}, {"yes"})

    def test_answers_that_say_nothing_close_no_row(self) -> None:
        for fault in ({"status": 429}, {"status": 503}, {"status": 401, "times": 1}):
            with self.subTest(fault):
                own = self.begin(self.undone(self.linked_run(1)))
                self.fault(method="POST", path="companies/batch/read", **{"times": 2} | fault)
                self.step(own)
                self.assertEqual(own.closed, 0)
                if own.state == RunState.PAUSED:
                    services.resume(user=self.user, run=own)
                    own.refresh_from_db()
                self.finish(own)
                self.assertEqual(own.unlinked, 1)

    def test_a_removal_that_hubspot_refuses_for_a_moment(self) -> None:
        own = self.begin(self.undone(self.linked_run(2)))
        self.fault(method="POST", path=ARCHIVE, status=429, times=2)
        self.finish(own)
        self.assertEqual(own.unlinked, 2)

    def test_two_undo_the_same_at_once(self) -> None:
        run = self.linked_run(3)
        own = self.undone(run)
        other = run.entries.get(row_number=2)
        values = {name: getattr(other, name) for name in ("from_object_id", "to_object_id")}
        entry_of(self.admin, undoes=other, outcome="sending", cause="", finished_at=None, **values)
        self.finish(self.begin(own))
        self.assertEqual((own.unlinked, self.problems(own)), (2, ["undo_under_way"]))

    def test_what_is_asked_for_between_the_check_and_the_call(self) -> None:
        run = self.linked_run(2)
        own = self.begin(self.undone(run))
        other = run.entries.get(row_number=2)
        entry_of(self.admin, **{n: getattr(other, n) for n in ("from_object_id", "to_object_id")})
        self.finish(own)
        self.assertEqual(self.outcomes(own)[1], ("canceled", "not_sent"))
        self.assertEqual((own.unlinked, len(self.types(1))), (1, 1))


@override_settings(BULK_APPROVAL_ROWS=3)
class ApprovalTests(UndoingTestCase):
    def large(self) -> BulkRun:
        with override_settings(BULK_APPROVAL_ROWS=0):
            return self.undone(self.linked_run(5))

    def test_it_takes_one(self) -> None:
        own = self.large()
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=own, **CHOSEN)
        approval.ask(user=self.user, run=own, **CHOSEN)
        asked = own.events.filter(what=EventKind.RUN_APPROVAL_ASKED).get()
        services.approve(user=self.admin, run=own, asked=asked.pk)
        self.finish(own)
        self.assertEqual(own.unlinked, 5)

    def test_whoever_linked_it_does_not_approve_that_it_goes(self) -> None:
        another = person("another", "admin")
        with override_settings(BULK_APPROVAL_ROWS=0):
            run = self.linked_run(5)
            own = self.undone(run, user=self.admin)
        approval.ask(user=self.admin, run=own, **CHOSEN)
        self.make_admin(self.user)
        asked = own.events.filter(what=EventKind.RUN_APPROVAL_ASKED).get()
        for user, may in ((self.user, False), (self.admin, False), (another, True)):
            self.assertIs(approval.may_judge(user, own), may)
        with self.assertRaises(NotPossibleError):
            services.approve(user=self.user, run=own, asked=asked.pk)
        services.approve(user=another, run=own, asked=asked.pk)

    def test_nor_does_whoever_linked_a_retry_that_goes_with_it(self) -> None:
        """An admin undoes what others have linked as well; whoever is no admin, their own only."""
        another = person("another", "admin")
        with override_settings(BULK_APPROVAL_ROWS=0):
            own = self.undone(self.linked_run(5), user=self.admin)
        self.assertTrue(approval.may_judge(another, own))
        run_of(another, retry_of=own.undoes)
        self.assertFalse(approval.may_judge(another, own))
        own.user = self.user
        self.assertTrue(approval.may_judge(another, own))

    def make_admin(self, user: User) -> None:
        User.objects.filter(pk=user.pk).update(role="admin")
        user.refresh_from_db()

    def test_which_entry_a_row_undoes_is_part_of_it(self) -> None:
        own = self.large()
        approval.ask(user=self.user, run=own, **CHOSEN)
        asked = own.events.filter(what=EventKind.RUN_APPROVAL_ASKED).get()
        for change in (
            lambda: own.rows.filter(number=1).update(undoes_id=AssociationRequest.objects.count()),
            lambda: BulkRun.objects.filter(pk=own.pk).update(undoes=None),
        ):
            before = approval.staged(own).digest
            change()
            self.assertNotEqual(approval.staged(BulkRun.objects.get(pk=own.pk)).digest, before)
        with self.assertRaises(NotPossibleError):
            services.approve(user=self.admin, run=own, asked=asked.pk)

    def test_dividing_helps_nobody_around_it(self) -> None:
        """Of two runs that are small enough by themselves, the second undo takes an approval."""
        with override_settings(BULK_APPROVAL_ROWS=0):
            one, other = self.linked_run(2), self.finish(self.started(row(8), row(9)))
        yesterday = timezone.now() - timedelta(hours=25)
        BulkRun.objects.filter(pk__in=[one.pk, other.pk]).update(started_at=yesterday)
        with override_settings(UNDO_HOURS=48):
            first, second = self.undone(one), self.undone(other)
            self.finish(self.begin(first))
            self.assertEqual((first.unlinked, first.approval), (2, ""))
            with self.assertRaises(ApprovalNeededError):
                services.start(user=self.user, run=second, **CHOSEN)

    def test_an_undo_counts_with_what_was_linked(self) -> None:
        with override_settings(BULK_APPROVAL_ROWS=0):
            run = self.linked_run(2)
        with self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=self.undone(run), **CHOSEN)

    def test_little_of_a_large_run_takes_one_as_well(self) -> None:
        own = self.large()
        own.rows.filter(number__gt=1).update(state="invalid", problem="undo_gone")
        BulkRun.objects.filter(pk=own.pk).update(rows_invalid=4)
        own.refresh_from_db()
        BulkRun.objects.filter(pk=own.undoes_id).update(started_at="2026-01-01T00:00Z")
        with override_settings(UNDO_HOURS=10**5), self.assertRaises(ApprovalNeededError):
            services.start(user=self.user, run=own, **CHOSEN)
