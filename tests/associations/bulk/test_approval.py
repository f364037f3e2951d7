"""Four eyes: one asks, another looks at the same and approves or not, and both stand in the log."""

import hashlib
import json

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.bulk import approval, services
from associations.bulk.worker.scheduler import tidy
from associations.models import Approval, BulkRun, EventKind, RunState, Worker
from hubadmin.models import User
from tests.associations.bulk.approving import CHOSEN, KNOWN, LIMIT, ApprovalTestCase
from tests.associations.bulk.test_approval_attacks import in_time
from tests.support import SignedInClient, person, security_events


class FlowTests(ApprovalTestCase):
    def test_from_the_question_to_the_end(self) -> None:
        run = self.large()
        reading = run.read_at.isoformat()
        answer = self.post(run, "ask", self.user, way="single", reading=reading)
        self.assertEqual(answer, run.get_absolute_url())
        run.refresh_from_db()
        told = (run.state, run.approval, run.way, run.is_asked_for)
        self.assertEqual(told, ("ready", "asked", "single", True))
        answer = self.post(run, "approve", self.admin, asked=self.request_of(run))
        self.assertEqual(answer, run.get_absolute_url())
        run.refresh_from_db()
        self.assertEqual(
            (run.state, run.approval, run.uploads.count()), ("queueing", "approved", 1)
        )
        self.finish(run)
        self.assertEqual((run.linked, self.calls("PUT")), (LIMIT + 1, LIMIT + 1))
        self.assertEqual({each.user for each in run.entries.all()}, {self.user})

    def test_both_names_are_in_the_log_with_the_digest(self) -> None:
        run = self.asked()
        digest = approval.staged(run).digest
        self.approve(run)
        told = [e for e in security_events() if e["what"] != EventKind.RUN_UPLOADED]
        kinds = [(each["what"], each["user_name"], each["run_id"]) for each in told]
        self.assertEqual(
            kinds,
            [
                ("run_approval_asked", "Support", run.pk),
                ("run_approved", "Admin", run.pk),
                ("run_started", "Admin", run.pk),
            ],
        )
        chosen = {"way": "batch", "skip_linked": False}
        rows = {"pairs": LIMIT + 1, "digest": digest}
        self.assertEqual(told[0]["facts"], rows | chosen)
        whose = {"asked_by": "Support", "asked_by_id": self.user.pk}
        self.assertEqual(told[1]["facts"], rows | whose)

    def test_anybody_can_count_the_digest_again_by_the_log(self) -> None:
        run = self.asked()
        self.approve(run)
        run.refresh_from_db()
        self.finish(run)
        about = {"reason": "", "run": run.pk, "skip_linked": False}
        about |= {"user": self.user.pk, "way": "batch"}
        columns = ("row_number", "from_object_type", "from_object_id", "to_object_type")
        columns += ("to_object_id", "reason")
        rows = run.entries.order_by("row_number").values_list(*columns)
        lines = [json.dumps(each, separators=(",", ":")) for each in (about, *map(list, rows))]
        expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        asked = run.events.get(what=EventKind.RUN_APPROVAL_ASKED)
        self.assertEqual(asked.facts["digest"], expected)

    def test_the_reason_of_all_rows_is_that_of_those_without_one(self) -> None:
        file = KNOWN.replace(";reason", "") + "501;902\n502;903\n503;904\n504;905\n"
        run = self.file(file, reason="Größe 仕事 “x”")
        approval.ask(user=self.user, run=run, **CHOSEN)
        self.approve(run)
        run.refresh_from_db()
        self.finish(run)
        self.assertEqual({each.reason for each in run.entries.all()}, {run.reason})
        self.assertEqual(run.approval, Approval.APPROVED)

    def test_refused_and_asked_again(self) -> None:
        run = self.asked()
        fields = {"asked": self.request_of(run), "reason": "Wrong <b>column</b>"}
        self.post(run, "refuse", self.admin, **fields)
        run.refresh_from_db()
        self.assertEqual((run.approval, run.asked_at, run.state), ("refused", None, "ready"))
        event = run.events.order_by("pk").last()
        told = (event.what, event.user, event.facts["reason"], event.facts["asked_by"])
        self.assertEqual(told, ("run_approval_refused", self.admin, fields["reason"], "Support"))
        approval.ask(user=self.user, run=run, **CHOSEN)
        self.approve(run, self.second)
        self.assertEqual(self.started_by(run), ["Second"])

    def test_a_refusal_has_a_reason(self) -> None:
        run = self.asked()
        address, asked = f"{run.get_absolute_url()}refuse/", self.request_of(run)
        client = SignedInClient(self.admin)
        for reason, words in (("", "Say why"), ("x" * 301, "300 characters"), ("a\u202eb", "")):
            answer = client.post(address, {"asked": asked, "reason": reason})
            self.assertContains(answer, words, status_code=422)
        self.assertEqual(BulkRun.objects.get(pk=run.pk).approval, "asked")

    def test_off_unless_somebody_says_so(self) -> None:
        run = self.large()
        with override_settings(BULK_APPROVAL_ROWS=0):
            page = SignedInClient(self.user).get(run.get_absolute_url())
            self.assertNotContains(page, "approval")
            services.start(user=self.user, run=run, **CHOSEN)
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.QUEUEING)
        run.delete()

    def test_turned_off_while_one_waits(self) -> None:
        run = self.asked()
        with override_settings(BULK_APPROVAL_ROWS=0):
            page = SignedInClient(self.user).get(run.get_absolute_url())
            self.assertContains(page, "Start: link 4 pairs")
            services.start(user=self.user, run=run, **CHOSEN)
        run.refresh_from_db()
        self.assertEqual((run.state, run.approval, run.asked_at), ("queueing", "", None))
        run.delete()

    def test_what_is_left_out_is_none_of_what_is_counted(self) -> None:
        run = self.large()
        run.rows.filter(number=1).update(was_linked=True)
        BulkRun.objects.filter(pk=run.pk).update(rows_linked=1, rows_looked_up=4)
        run.refresh_from_db()
        page = SignedInClient(self.user).get(run.get_absolute_url())
        self.assertContains(page, "Start: link 3 pairs")
        self.assertContains(page, "Ask for approval")
        answer = self.post(run, "start", self.user, way="batch")
        self.assertEqual(answer, "422")
        self.post(run, "start", self.user, way="batch", skip_linked="on")
        run.refresh_from_db()
        self.assertEqual((run.state, run.pairs), ("queueing", LIMIT))

    def test_few_queries_however_many_rows(self) -> None:
        counts = set()
        for pairs in (LIMIT + 1, 10 * LIMIT):
            run = self.asked(person(f"author {pairs}", "support"), pairs)
            with CaptureQueriesContext(connection) as queries:
                self.approve(run)
            counts.add(len(queries))
        self.assertEqual(len(counts), 1)

    def test_one_that_waits_for_too_long_is_tidied_away(self) -> None:
        run = self.asked()
        with in_time(days=8):
            while tidy():
                pass
        self.assertFalse(BulkRun.objects.filter(pk=run.pk).exists())


class PageTests(ApprovalTestCase):
    def setUp(self) -> None:
        super().setUp()
        Worker.objects.create(name="here", seen_at=timezone.now())

    def page(self, run: BulkRun, user: User) -> object:
        return SignedInClient(user).get(run.get_absolute_url())

    def test_who_uploads_is_told_before(self) -> None:
        page = self.page(self.large(), self.user)
        self.assertContains(page, "Ask for approval")
        self.assertContains(page, "come to more than 3 pairs within 24 hours")
        self.assertNotContains(page, "Start: link")

    def test_what_one_has_started_is_told(self) -> None:
        services.start(user=self.user, run=self.large(pairs=2), **CHOSEN)
        page = self.page(self.large(pairs=2), self.user)
        self.assertContains(page, "You have started 2 pairs already.")

    def test_what_an_admin_sees(self) -> None:
        run = self.asked()
        page = self.page(run, self.admin)
        digest = approval.staged(run).digest
        for words in (
            "waits for approval",
            "<bdi>Support</bdi> asked for approval at",
            digest,
            "Approve and start: link 4 pairs",
            "Do not approve",
            "results.csv",
        ):
            self.assertContains(page, words)
        for words in ("What your columns mean", "discard/", "withdraw/", "start/"):
            self.assertNotContains(page, words)
        lines = SignedInClient(self.admin).get(f"{run.get_absolute_url()}results.csv").getvalue()
        self.assertEqual(lines.count(b"not_sent"), LIMIT + 1)

    def test_the_rows_are_to_be_had_only_while_somebody_is_to_approve_them(self) -> None:
        run = self.large()
        client = SignedInClient(self.admin)
        self.assertEqual(client.get(f"{run.get_absolute_url()}results.csv").status_code, 404)

    def test_what_whoever_asked_sees(self) -> None:
        for user in (self.user, self.author):
            page = self.page(self.asked(user), user)
            self.assertContains(page, "You asked for approval at")
            self.assertContains(page, "Take the request back")
            self.assertNotContains(page, "Approve and start")

    def test_an_admin_of_whom_a_part_is(self) -> None:
        run = self.asked(self.author)
        User.objects.filter(pk=self.author.pk).update(is_active=False)
        own = self.read(services.take_over(user=self.admin, run=run))
        User.objects.filter(pk=self.author.pk).update(is_active=True)
        approval.ask(user=self.admin, run=own, **CHOSEN)
        page = self.page(own, self.author)
        self.assertContains(page, "You cannot approve it")
        self.assertNotContains(page, "Approve and start")

    def test_how_it_ended(self) -> None:
        run = self.asked()
        approval.refuse(
            user=self.admin, run=run, asked=self.request_of(run), reason="Wrong <b>column"
        )
        page = self.page(run, self.user)
        self.assertContains(page, "<bdi>Admin</bdi> did not approve it")
        self.assertContains(page, "Wrong &lt;b&gt;column")
        self.assertContains(page, "not approved")
        approval.ask(user=self.user, run=run, **CHOSEN)
        with in_time(hours=25):
            page = self.page(run, self.user)
            self.assertContains(page, "Nobody has answered your request for approval in time.")
            self.assertContains(page, "Ask for approval")
            approval.ask(user=self.user, run=run, **CHOSEN)
            run.rows.filter(number=1).update(reason="SUP-2")
            self.refused(self.approve, run)
            page = self.page(run, self.user)
            self.assertContains(page, "does not count any more")
            self.assertContains(page, "approval void")

    def test_asked_for_by_and_approved_by(self) -> None:
        run = self.asked()
        self.approve(run)
        for user in (self.user, self.admin):
            page = self.page(run, user)
            self.assertContains(
                page, "asked for by <bdi>Support</bdi>, approved by <bdi>Admin</bdi> at"
            )
            self.assertContains(page, approval.staged(run).digest)

    def test_one_whose_entries_were_not_what_was_approved(self) -> None:
        run = self.asked()
        self.approve(run)
        run.rows.filter(number=1).update(reason="SUP-2")
        run.refresh_from_db()
        self.finish(run)
        self.assertContains(self.page(run, self.user), "was not what had been approved")

    def test_admins_find_them(self) -> None:
        run, other = self.asked(), self.large()
        client = SignedInClient(self.admin)
        listed = client.get("/bulk/?asked")
        self.assertContains(listed, f'row-link" href="{run.get_absolute_url()}"')
        self.assertNotContains(listed, f'row-link" href="{other.get_absolute_url()}"')
        self.assertContains(client.get("/bulk/"), "waits for approval")
        self.assertContains(client.get("/"), "of <bdi>Support</bdi> waits for approval")
        for user in (self.user, person("colleague", "support")):
            self.assertNotContains(SignedInClient(user).get("/"), "waits for approval")
        self.approve(run)
        self.assertContains(client.get("/bulk/?asked"), "No run waits for approval.")
        self.assertNotContains(client.get("/"), "waits for approval")

    def test_whoever_asked_in_vain_is_told_on_every_page(self) -> None:
        run = self.asked()
        asked = self.request_of(run)
        approval.refuse(user=self.admin, run=run, asked=asked, reason="No ticket")
        self.assertContains(SignedInClient(self.user).get("/"), "not approved")
        self.assertNotContains(SignedInClient(self.admin).get("/"), "not approved")
        services.discard(run=run, user=self.user)
        self.assertNotContains(SignedInClient(self.user).get("/"), "not approved")

    def test_the_events(self) -> None:
        run = self.asked()
        digest = approval.staged(run).digest
        self.approve(run)
        page = SignedInClient(self.second).get("/audit/events/")
        self.assertContains(page, "asked for approval")
        self.assertContains(page, "asked for by Support")
        self.assertContains(page, f"SHA-256 {digest[:12]}")
