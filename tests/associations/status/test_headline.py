"""The first line of the status page: the worst of all that the page tells, in its words."""

import re
from datetime import datetime, timedelta
from html import unescape
from unittest import mock

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from associations.bulk import backoff
from associations.gateway import rate_limiter
from associations.hubspot.client import SUPPORT_ENDS
from associations.hubspot.outcomes import Cause
from associations.models import AssociationBatch, BulkRun, RunState, Worker
from associations.models.bulk import UNDER_WAY
from tests.associations.linking.base import entry_of, run_of
from tests.associations.status.test_views import DETAILS, LONG_AGO, TOKEN, USAGE, StatusTestCase

WELL = "Nothing here needs your attention."
WORST_FIRST = ["wrong", "warning", "unknown", "well"]
REFUSED = {"status": 403, "body": {"category": "MISSING_SCOPES", "message": "no"}}
ANSWERS = {
    "token_refused": ({"status": 401}, "wrong", "does not accept this site's access token"),
    "redirected": ({"status": 302}, "wrong", "address of HubSpot's API is wrong"),
    "rate_limited": ({"status": 429}, "warning", "No more can be asked of HubSpot"),
    "locked": ({"status": 423}, "warning", "has this locked"),
    "migrating": ({"status": 477}, "warning", "takes no requests"),
    "hubspot_error": ({"status": 500}, "warning", "an error of its own"),
    "hubspot_down": ({"status": 503}, "warning", "not available"),
    "refused": ({"status": 400, "body": {"message": "Odd."}}, "warning", "did not show it: Odd."),
    "unreadable": ({"status": 200, "body": "<p>"}, "warning", "could not be read"),
    "timed_out": ({"delay": 30.0}, "warning", "did not answer in time"),
    "connection_lost": ({"reset": "before"}, "warning", "broke before its answer"),
}


class HeadlineTestCase(StatusTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.worker = Worker.objects.create(name="here 1", seen_at=timezone.now())

    def headline(self) -> tuple[str, str]:
        """The level and the sentence at the top, which follow from all the lines below."""
        page = self.page()
        level, sentence = self.shown(page)
        lines = [line for part in page.context["parts"] for line in part.lines]
        self.assertEqual(level, min((line.level for line in lines), key=WORST_FIRST.index))
        worst = next(line for line in lines if line.level == level)
        self.assertIn(WELL if level == "well" else self.text(worst.text), sentence)
        return level, sentence

    def shown(self, page: HttpResponse) -> tuple[str, str]:
        markup = page.content.decode()
        found = re.search(r'</h1>\s*<div class="notice (\w+)"(.*?)>(.*?)</div>', markup, re.S)
        level, attributes, sentence = found.groups()
        self.assertIn(level, WORST_FIRST, self.text(sentence))
        self.assertIn('role="status"', attributes)
        return level, self.text(sentence)

    def text(self, markup: str) -> str:
        return " ".join(unescape(re.sub("<[^>]*>", "", markup)).split())


class HubSpotTests(HeadlineTestCase):
    def test_each_way_in_which_hubspot_shows_nothing(self) -> None:
        for name, (fault, level, words) in ANSWERS.items():
            with self.subTest(name):
                self.sandbox.reset()
                for path in (DETAILS, USAGE, TOKEN):
                    self.fault(path, times=2, **fault)
                shown, sentence = self.headline()
                self.assertEqual(shown, level)
                self.assertIn(words, sentence)

    def test_a_part_that_is_not_known_is_not_well(self) -> None:
        self.fault(USAGE, status=503)
        level, sentence = self.headline()
        self.assertEqual(level, "unknown")
        self.assertIn("How many calls are left today is not known", sentence)

    def test_all_is_well(self) -> None:
        self.assertEqual(self.headline()[0], "well")

    def test_the_worst_of_several(self) -> None:
        told = {"usageLimit": 1000, "currentUsage": 970}
        self.fault(USAGE, status=200, body={"results": [told]})
        with self.settings(HUBSPOT_PORTAL_ID=""):
            level, sentence = self.headline()
        self.assertEqual(level, "wrong")
        self.assertIn("30 of 1,000 calls are left", sentence)

    def test_of_a_token_that_is_refused_nothing_is_in_order(self) -> None:
        """Though the look at the token, which needs none, still tells its scopes and its portal."""
        self.fault(DETAILS, status=401)
        page = self.page()
        self.assert_says(page, "not known while HubSpot does not accept it")
        self.assert_says(page, "HUBSPOT_PORTAL_ID is 4242, the portal of the access token.")
        self.assertNotContains(page, "every scope")
        self.assertNotContains(page, "that portal")


class KeyOfAnotherKindTests(HeadlineTestCase):
    """What the looks at the token and at the calls know nothing of: a service key."""

    def test_it_is_not_told_and_nothing_looks_broken(self) -> None:
        daily = {"X-HubSpot-RateLimit-Daily": "500", "X-HubSpot-RateLimit-Daily-Remaining": "400"}
        self.attempt(headers=daily)
        for status, body in (
            (404, {"message": "unknown"}),
            (404, {"message": "no", "category": "OBJECT_NOT_FOUND"}),
            (400, {"message": "tokenKey is no private app"}),
            (401, {"message": "no", "category": "INVALID_AUTHENTICATION"}),
            (403, {"message": "no"}),
        ):
            with self.subTest(status=status, body=body):
                for path in (USAGE, TOKEN):
                    self.fault(path, status=status, body=body)
                page = self.page()
                text = self.text(page.content.decode())
                self.assertEqual(text.count("not told for keys of this kind"), 2)
                self.assertEqual(self.shown(page), ("well", f"✓ {WELL}"))

    def test_without_any_answer_nobody_knows_the_calls(self) -> None:
        self.fault(USAGE, status=404, body={"message": "unknown"})
        level, sentence = self.headline()
        self.assertEqual(level, "unknown")
        self.assertIn("is not told for keys of this kind", sentence)

    def test_an_answer_that_cannot_be_read_says_nothing_of_the_kind(self) -> None:
        for fault in ({"status": 200, "body": "<p>"}, {"status": 503}, {"status": 429}):
            with self.subTest(fault):
                self.fault(TOKEN, **fault)
                page = self.page()
                self.assertNotContains(page, "keys of this kind")
                self.assertEqual(self.shown(page)[0], "unknown")


class RunTests(HeadlineTestCase):
    def test_runs_that_have_paused_by_themselves(self) -> None:
        for cause, words in (
            ("token_refused", "HubSpot did not accept this site's access token."),
            ("scope_missing", "did not have the scopes for these types of records"),
            ("redirected", "address of HubSpot's API was wrong"),
            ("of_a_later_version", "of_a_later_version"),
        ):
            with self.subTest(cause):
                BulkRun.objects.all().delete()
                run = run_of(self.user, state="paused", stop_cause=cause, queued=9)
                level, sentence = self.headline()
                self.assertEqual(level, "wrong")
                self.assertIn(f"Bulk run {run.pk} has paused by itself", sentence)
                self.assertIn(words, sentence)
                self.assertContains(self.page(), f'href="{run.get_absolute_url()}"')

    def test_for_whatever_cause(self) -> None:
        for cause in Cause:
            BulkRun.objects.all().delete()
            run_of(self.user, state="paused", stop_cause=cause, queued=9)
            self.assertEqual(self.headline()[0], "wrong", cause)

    def test_several_for_one_cause_are_one_line(self) -> None:
        first, second = (
            run_of(self.user, state="paused", stop_cause="token_refused") for _ in range(2)
        )
        sentence = self.headline()[1]
        self.assertIn(f"Bulk runs {second.pk}, {first.pk} have paused by themselves", sentence)

    def test_each_state_with_a_worker_and_without(self) -> None:
        for state in RunState:
            BulkRun.objects.all().delete()
            run_of(self.user, state=state, queued=9, linked=3)
            with self.subTest(state):
                level, sentence = self.headline()
                self.assertEqual(level, "warning" if state == "paused" else "well")
                if state == "paused":
                    self.assertIn("is paused until somebody", sentence)
            with self.subTest(state, worker=None):
                Worker.objects.update(seen_at=timezone.now() - LONG_AGO)
                expected = dict.fromkeys(UNDER_WAY, "wrong")
                self.assertEqual(self.headline()[0], expected.get(state, "warning"))
                Worker.objects.update(seen_at=timezone.now())

    def test_a_pause_of_all_runs_says_why(self) -> None:
        run_of(self.user, state="running", queued=9)
        for cause, words in (("daily_limit", "daily limit"), ("timed_out", "did not answer")):
            backoff.pause_calls(cause, timezone.now() + timedelta(minutes=5))
            level, sentence = self.headline()
            self.assertEqual(level, "warning")
            self.assertIn("Bulk runs wait until", sentence)
            self.assertIn(words, sentence)


class OpenRowTests(HeadlineTestCase):
    """Rows of runs are open for as long as their run takes; that is no alarm."""

    rows = 0

    def row(self, state: str, outcome: str, sent_at: datetime | None) -> str:
        """A row that is older than all before, and what the page says then."""
        self.rows += 1
        run = run_of(self.user, state=state, queued=9)
        fields = {"outcome": outcome, "cause": "", "finished_at": None, "sent_at": sent_at}
        fields["created_at"] = timezone.now() - self.rows * LONG_AGO
        entry_of(self.user, run=run, row_number=1, **fields)
        return self.text(self.page().content.decode())

    def test_in_no_state_of_a_run_its_process_is_said_to_have_ended(self) -> None:
        for state in ("queueing", "running", "paused", "canceling"):
            for outcome in ("queued", "sending"):
                for ago in (None, LONG_AGO):
                    with self.subTest(state, outcome=outcome, ago=ago):
                        sent_at = ago and timezone.now() - ago
                        text = self.row(state, outcome, sent_at)
                        self.assertNotIn("its process has ended", text)
                        self.assertEqual(self.levels(self.page(), "log"), ["well"] * 4)

    def test_a_row_that_waits_is_not_under_way(self) -> None:
        text = self.row("paused", "queued", None)
        self.assertIn("waits for its turn in bulk run", text)
        self.assertNotIn("is under way, since", text)

    def test_an_entry_of_the_form_behind_many_rows_is_still_found(self) -> None:
        self.row("paused", "sending", timezone.now() - 2 * LONG_AGO)
        ago = timezone.now() - LONG_AGO
        open_ = {"outcome": "sending", "cause": "", "finished_at": None}
        entry = entry_of(self.user, created_at=ago, sent_at=ago, **open_)
        BulkRun.objects.update(state="running")
        level, sentence = self.headline()
        self.assertEqual(level, "warning")
        self.assertIn(f"Entry {entry.pk} has been open since", sentence)


class FailureTests(HeadlineTestCase):
    def attempts(self, ended: int, failed: int, **fields: object) -> None:
        entry = entry_of(self.user)
        for number in range(1, ended + 1):
            status = fields.get("http_status", 401) if number <= failed else 200
            values = {"number": number} | fields | {"http_status": status}
            self.attempt(entry, **values)

    def test_from_which_share_on(self) -> None:
        for ended, failed, level, words in (
            (25, 1, "well", "Of today's 25 calls in the log 1 failed (4.0%)"),
            (80, 3, "well", "3 failed (3.8%)"),
            (60, 3, "warning", "3 failed (5.0%)"),
            (40, 19, "warning", "19 failed (47.5%)"),
            (20, 10, "wrong", "10 failed (50.0%)"),
            (10, 8, "wrong", "8 failed (80.0%)"),
            (4, 3, "warning", "3 failed (75.0%)"),
            (3, 2, "well", "2 failed (66.7%). That is too little to go by."),
        ):
            with self.subTest(ended=ended, failed=failed):
                before = transaction.savepoint()
                self.attempts(ended, failed)
                (shown, _), page = self.headline(), self.page()
                transaction.savepoint_rollback(before)
                self.assertEqual(shown, level)
                self.assert_says(page, words)

    def test_what_hubspot_wants_and_where_they_are(self) -> None:
        self.attempts(30, 3)
        self.assert_says(self.page(), "HubSpot wants fewer of a day's calls to fail than 5%.")
        self.assertContains(self.page(), "/audit/?range=today&amp;outcome=rejected")

    def test_batches_count_as_calls(self) -> None:
        run = run_of(self.user, queued=9, linked=9)
        types = {"from_object_type": "contacts", "to_object_type": "companies", "inputs": 9}
        now = timezone.now()
        for status in (200, 503, None, 401):
            AssociationBatch.objects.create(
                run=run,
                **types,
                started_at=now,
                duration_ms=1 + (status or 0),
                http_status=status,
                failure="" if status else "timed_out",
                cause="x",
            )
        self.assert_says(self.page(), "Of today's 4 calls in the log 3 failed (75.0%)")

    def test_what_was_never_sent_is_no_call(self) -> None:
        for failure in ("rate_limited", "access_ended"):
            self.attempts(30, 30, http_status=None, failure=failure)
        self.assert_says(self.page(), "No call of today is in the log yet")

    def test_yesterdays_do_not_count(self) -> None:
        self.attempts(30, 30, started_at=timezone.now() - timedelta(days=1))
        self.assertEqual(self.headline()[0], "well")

    def test_of_more_than_are_looked_through(self) -> None:
        self.attempts(30, 10)
        with mock.patch("associations.status.failures.COVERED", 20):
            self.assert_says(self.page(), "Of today's newest 20 calls in the log 0 failed (0.0%)")


class LimitTests(HeadlineTestCase):
    def test_whose_limit_it_is(self) -> None:
        self.addCleanup(rate_limiter.close)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=150, HUBSPOT_CALLS_FOR_PEOPLE=30):
            page = self.page()
        self.assert_says(page, "of the 150 calls that this site allows itself within ten seconds")
        self.assertNotContains(page, "that HubSpot takes within ten seconds")

    def test_what_this_site_kept_back_itself_is_not_put_down_to_hubspot(self) -> None:
        self.addCleanup(rate_limiter.close)
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=1, HUBSPOT_CALLS_FOR_PEOPLE=0):
            page = self.page()
        self.assert_says(
            page, "All calls that this site allows itself within ten seconds are in use"
        )
        self.assertNotContains(page, "HubSpot takes no more")


class VersionTests(HeadlineTestCase):
    def test_each_version_comes_to_its_end(self) -> None:
        self.assertEqual({*SUPPORT_ENDS}, {"v4", "2026-03", "2026-09"})
        for version, month in (("2026-03", "September 2027"), ("2026-09", "March 2028")):
            with self.subTest(version), self.settings(HUBSPOT_API_VERSION=version):
                page = self.page()
                self.assert_says(page, f"API version {version} is in use.", f"about {month}")
                self.assertNotContains(page, "has not announced its end")
