"""The page of one bulk run in each of its states, and what can be done with it."""

from datetime import timedelta
from unittest import mock

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.audit.recorder import record_event
from associations.bulk import backoff, not_ready
from associations.models import BulkRow, BulkRun, Worker
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import person

READ = {"rows_read": 4900, "rows_invalid": 15, "rows_double": 5}
UNDER_WAY = ("reading", "queueing", "running", "canceling")


class RunTestCase(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        Worker.objects.create(name="here", seen_at=timezone.now())

    def run_(self, state: str, **fields: object) -> BulkRun:
        return run_of(self.user, state=state, **fields)

    def page(self, run: BulkRun, *, admin: bool = False) -> HttpResponse:
        return (self.as_admin if admin else self.client).get(run.get_absolute_url())

    def post(self, run: BulkRun, action: str, *, admin: bool = False, **fields: str) -> str:
        """Do it as its own person or as an admin; return where that leads, or the status."""
        client = self.as_admin if admin else self.client
        answer = client.post(f"{run.get_absolute_url()}{action}/", fields)
        return answer.headers.get("Location", str(answer.status_code))


class SeenTests(RunTestCase):
    def test_a_head_shows_nobody_that_the_run_has_ended(self) -> None:
        run = self.run_("done")
        for path in ("", "progress/?state=running"):
            self.client.head(run.get_absolute_url() + path, headers={"HX-Request": "true"})
        self.assertContains(self.client.get("/"), run.get_absolute_url())
        self.page(run)
        self.assertNotContains(self.client.get("/"), run.get_absolute_url())


class BeforeTests(RunTestCase):
    def test_a_way_that_there_is_not_is_told_where_one_chooses(self) -> None:
        run = self.run_("ready", **READ)
        for way in ({"way": "rocket"}, {}):
            answer = self.client.post(f"{run.get_absolute_url()}start/", way)
            self.assertContains(answer, "Choose how they are sent.", status_code=422)
            self.assertContains(answer, "Start: link 4,880 pairs", status_code=422)
        run.refresh_from_db()
        self.assertEqual((run.state, run.way), ("ready", "batch"))
        running = self.run_("running")
        self.assertIn("?moved", self.post(running, "start", way="rocket"))

    def test_the_page_of_an_ended_run_reads_no_attempts(self) -> None:
        run = self.run_("done", queued=2, rejected=2)
        for number in (1, 2):
            entry_of(self.user, run=run, row_number=number, outcome="rejected", cause="refused")
        with CaptureQueriesContext(connection) as queries:
            self.assertContains(self.page(run), "2 are not")
        self.assertNotIn("associationattempt", str(queries.captured_queries))

    def test_a_file_that_cannot_be_read(self) -> None:
        page = self.page(
            self.run_("unreadable", problem="long_line", problem_facts={"line": 7, "limit": 64})
        )
        self.assertContains(page, "Choose another file")

    def test_what_will_be_linked_and_what_not(self) -> None:
        run = self.run_("ready", rows_linked=80, unused_columns=["Owner", "<b>"], **READ)
        page = self.page(run)
        self.assertContains(page, "4,880 of 4,900 rows can be sent")
        self.assertContains(page, "Start: link 4,880 pairs")
        self.assertContains(page, "Start: link 4,800 pairs")
        self.assertContains(page, "Leave out the 80 that are linked already")
        self.assertContains(page, 'id="skip-linked" checked')
        self.assertContains(page, "Columns that are not used: <bdi>Owner, &lt;b&gt;</bdi>.")
        self.assertContains(page, 'value="batch" checked')

    def test_nothing_to_start(self) -> None:
        page = self.page(self.run_("ready", rows_read=3, rows_invalid=3))
        self.assertContains(page, "None of the rows can be sent")
        self.assertNotContains(page, "Start: link")

    def test_links_that_could_not_be_looked_up(self) -> None:
        page = self.page(self.run_("ready", lookup_cause="scope_missing", **READ))
        self.assertContains(page, "This site&#x27;s access token may not read the records.")

    def test_bad_rows_with_their_sentences_and_no_more_than_fit(self) -> None:
        run = self.run_("ready", rows_read=9, rows_invalid=3)
        for number in (1, 2, 3):
            BulkRow.objects.create(
                run=run,
                number=number,
                line=number + 1,
                state="invalid",
                problem="unknown_type",
                problem_field="from_object_type",
                facts={"text": "<i>"},
                cells={"from_object_type": "<i>"},
            )
        with mock.patch.object(not_ready, "ROWS_SHOWN", 2):
            page = self.page(run)
        self.assertContains(page, "No object type called “&lt;i&gt;” is known here", count=2)
        self.assertContains(page, "And 1 more")
        self.assertContains(page, "Download the 3 to correct")
        answer = self.client.get(f"/bulk/{run.pk}/bad-rows.csv")
        self.assertEqual(len(answer.getvalue().splitlines()), 4)
        self.assertIn("attachment", answer["Content-Disposition"])

    def test_an_admin_sees_it_and_cannot_start_it(self) -> None:
        page = self.page(self.run_("ready", **READ), admin=True)
        self.assertContains(page, "Only <bdi>Support</bdi> can start it")
        self.assertNotContains(page, "Start: link")
        self.assertNotContains(page, "discard/")


class UnderWayTests(RunTestCase):
    def test_numbers_a_rate_and_the_time_left(self) -> None:
        ago = timezone.now() - timedelta(seconds=30)
        page = self.page(
            self.run_("running", queued=4880, linked=1190, rejected=10, started_at=ago)
        )
        self.assertContains(page, "1,200 of 4,880 pairs are done (24%)")
        self.assertRegex(page.content.decode(), r"(39|40) a second, about 9\d seconds left")
        self.assertContains(page, "You may close this page")

    def test_it_stays_up_to_date_only_while_something_is_under_way(self) -> None:
        for state in UNDER_WAY:
            self.assertContains(self.page(self.run_(state)), f'progress/?state={state}" hx-trigger')
        for state in ("ready", "paused", "done", "canceled", "unreadable"):
            run = self.run_(state, problem="empty" if state == "unreadable" else "")
            self.assertNotContains(self.page(run), "hx-trigger")

    def test_what_it_waits_for(self) -> None:
        run = self.run_("running", queued=10)
        for cause, words in {
            "rate_limited": "It resumes in [67] seconds",
            "daily_limit": "daily limit is used up. It resumes at <time",
            "timed_out": "HubSpot does not answer. The next try is in [67] seconds",
            "migrating": "moving this account",
        }.items():
            with self.subTest(cause):
                backoff.pause_calls(cause, timezone.now() + timedelta(seconds=7))
                # A busy machine may take a second for the page.
                self.assertRegex(self.page(run).content.decode(), words)
        Worker.objects.all().delete()
        self.assertContains(self.page(run), "No worker is running. Tell")
        self.assertContains(self.page(run, admin=True), "manage.py run_worker")

    def test_why_it_has_paused_by_itself(self) -> None:
        for cause, words in {
            "token_refused": "did not accept this site",
            "scope_missing": "did not have the scopes",
            "redirected": "address of HubSpot",
            "": "until somebody resumes it",
        }.items():
            with self.subTest(cause):
                page = self.page(self.run_("paused", stop_cause=cause, queued=10))
                self.assertContains(page, words)
                self.assertContains(page, "Resume")


class ProgressTests(RunTestCase):
    def part(self, run: BulkRun, state: str) -> HttpResponse:
        address = f"{run.get_absolute_url()}progress/?state={state}"
        return self.client.get(address, headers={"HX-Request": "true"})

    def test_the_numbers_alone_while_the_state_is_the_same(self) -> None:
        run = self.run_("running", queued=100, linked=40)
        answer = self.part(run, "running")
        self.assertContains(answer, "40 of 100 pairs are done")
        self.assertNotIn("HX-Retarget", answer.headers)
        for words in ("<h1", "<form", "announcement"):
            self.assertNotContains(answer, words)

    def test_all_of_it_once_and_a_word_about_it_when_the_state_has_changed(self) -> None:
        answer = self.part(self.run_("ready", **READ), "reading")
        self.assertEqual((answer["HX-Retarget"], answer["HX-Reswap"]), ("#run", "innerHTML"))
        self.assertContains(answer, "The rows are read. The run can be started.")
        self.assertContains(answer, "Start: link 4,880 pairs")
        self.assertNotContains(answer, "hx-trigger")

    def test_whoever_looks_on_as_it_ends_need_not_be_told(self) -> None:
        run = self.run_("done", queued=1, linked=1)
        self.part(run, "running")
        self.assertNotContains(self.client.get("/"), "is done")

    def test_as_many_queries_for_any_run(self) -> None:
        for fields in ({"queued": 1}, {"queued": 100_000, "linked": 99_000}):
            run = self.run_("running", **fields)
            with self.assertNumQueries(5):  # session, person, run, workers, pause
                self.part(run, "running")


class AfterTests(RunTestCase):
    def test_an_undo_that_has_come_too_late_says_so_and_cannot_be_started(self) -> None:
        long_ago = timezone.now() - timedelta(hours=settings.UNDO_HOURS + 1)
        undone = run_of(self.user, state="done", started_at=long_ago, finished_at=long_ago)
        ready = {"state": "ready", "undoes": undone, "rows_read": 2, "read_at": timezone.now()}
        run = run_of(self.user, **ready)
        page = self.page(run)
        self.assertContains(page, "an admin can undo this later.")
        self.assertNotContains(page, "Can be undone")
        self.assertNotContains(page, f"/bulk/{run.pk}/start/")
        BulkRun.objects.filter(pk=undone.pk).update(started_at=timezone.now())
        page = self.page(run)
        self.assertContains(page, "2 of 2 links can be undone.")
        self.assertContains(page, f"/bulk/{run.pk}/start/")

    def test_the_sentence_first_then_what_failed_and_what_can_be_done(self) -> None:
        ended = timezone.now()
        run = self.run_(
            "done",
            queued=4900,
            linked=4880,
            rejected=15,
            unreachable=3,
            canceled=2,
            started_at=ended - timedelta(minutes=3),
            finished_at=ended,
        )
        for number in (7, 3):
            entry = {"outcome": "rejected", "cause": "record_not_found"}
            entry_of(self.user, run=run, row_number=number, **entry)
        for number in (9, 8):
            entry_of(
                self.user, run=run, row_number=number, outcome="unreachable", cause="timed_out"
            )
        page = self.page(run)
        self.assertContains(page, "4,880 of 4,900 pairs are linked. 15 are not.")
        self.assertContains(page, "Of 3 it is not certain. 2 were not sent.")
        self.assertContains(page, "Try 2 again")
        self.assertContains(page, "after 3 minutes")
        found = [
            (item.can_pass, [entry.row_number for entry in item.rows])
            for item in page.context["todo"]
        ]
        self.assertEqual(found[:2], [(False, [3, 7]), (True, [8, 9])])
        self.assertNotContains(page, "/audit/")
        self.assertContains(self.page(run, admin=True), f"/audit/?run={run.pk}")

    def test_no_way_to_try_again_where_nothing_failed(self) -> None:
        self.assertNotContains(self.page(self.run_("done", queued=3, linked=3)), " again")

    def test_who_did_what(self) -> None:
        run = self.run_("canceled")
        for what, user in (("run_started", self.user), ("downloaded", self.admin)):
            record_event(what, run=run, user=user)
        record_event("run_ended", run=run)
        page = self.page(run)
        self.assertContains(page, "<bdi>Support</bdi> started")
        self.assertContains(page, ": ended")
        self.assertNotContains(page, "downloaded")

    def test_results_only_once_it_was_started(self) -> None:
        run = self.run_("done")
        entry_of(self.user, run=run, row_number=1)
        answer = self.client.get(f"/bulk/{run.pk}/results.csv")
        self.assertEqual(len(answer.getvalue().splitlines()), 2)
        ready = self.run_("ready")
        self.assertEqual(self.client.get(f"/bulk/{ready.pk}/results.csv").status_code, 404)


class ActionTests(RunTestCase):
    def test_starting_as_chosen(self) -> None:
        run = self.run_("ready", **READ)
        address = run.get_absolute_url()
        self.assertEqual(self.post(run, "start", way="nonsense"), "422")
        run.refresh_from_db()
        self.assertEqual(run.state, "ready")
        self.assertEqual(self.post(run, "start", way="single", skip_linked="on"), address)
        run.refresh_from_db()
        self.assertEqual((run.state, run.way, run.skip_linked), ("queueing", "single", True))
        self.assertEqual(self.post(run, "start", way="batch"), f"{address}?moved")
        page = self.client.get(f"{address}?moved")
        self.assertContains(page, "Nothing was changed")
        self.assertContains(page, 'role="alert" tabindex="-1" autofocus')

    def test_pausing_going_on_and_canceling_by_its_person_or_an_admin(self) -> None:
        for admin in (False, True):
            run = self.run_("running")
            for action, state in (
                ("pause", "paused"),
                ("go-on", "running"),
                ("cancel", "canceling"),
            ):
                with self.subTest(action, admin=admin):
                    self.assertEqual(self.post(run, action, admin=admin), run.get_absolute_url())
                    run.refresh_from_db()
                    self.assertEqual(run.state, state)
            names = run.events.values_list("user_name", flat=True)
            self.assertEqual({*names}, {"Admin" if admin else "Support"})

    def test_nothing_is_changed_where_the_state_does_not_allow_it(self) -> None:
        run = self.run_("done")
        for action in ("start", "pause", "go-on", "cancel", "discard", "retry"):
            with self.subTest(action):
                moved = f"{run.get_absolute_url()}?moved"
                self.assertEqual(self.post(run, action, way="batch"), moved)
        run.refresh_from_db()
        self.assertEqual(run.state, "done")

    def test_discarding(self) -> None:
        run = self.run_("ready")
        self.assertEqual(self.post(run, "discard"), "/bulk/")
        self.assertFalse(BulkRun.objects.exists())

    def test_trying_again_leads_to_a_run_that_is_tied_to_the_first(self) -> None:
        run = self.run_("done", queued=2, rejected=2)
        entry_of(self.user, run=run, row_number=1, outcome="rejected", cause="rate_limited")
        address = self.post(run, "retry")
        new = BulkRun.objects.get(retry_of=run)
        self.assertEqual(address, new.get_absolute_url())
        self.assertContains(self.page(new), f'href="{run.get_absolute_url()}">run {run.pk}<')
        self.assertContains(self.page(run), f'href="{address}">run {new.pk}<')

    def test_in_nobody_elses_name(self) -> None:
        for state, action in (("ready", "start"), ("ready", "discard"), ("done", "retry")):
            run = self.run_(state, rejected=1)
            self.assertEqual(self.post(run, action, admin=True, way="batch"), "403")
        theirs = run_of(person("colleague", "support"), state="running")
        for action in ("pause", "cancel", "start"):
            self.assertEqual(self.post(theirs, action), "404")
        theirs.refresh_from_db()
        self.assertEqual(theirs.state, "running")
