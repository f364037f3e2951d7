"""What people are told of: each event from how things stand, once, and when it is over."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from associations.audit.recorder import record_event
from associations.models import (
    AuditVerification,
    BulkRun,
    Condition,
    Delivery,
    EventKind,
    Notice,
    Sealer,
    Watch,
    Worker,
)
from associations.notices import watch as watching
from associations.notices.messages import message_of
from associations.notices.watch import watch
from hubadmin.demo.sandbox.portal import NO_READ_TOKEN
from tests.associations.audit.integrity.base import as_owner, seal, settle, sql
from tests.associations.linking.base import entry_of, named_entry_of, run_of
from tests.associations.notices.base import told
from tests.associations.status.test_views import USAGE, StatusTestCase

MINUTE = timedelta(minutes=1)
DAILY_REMAINING = "X-HubSpot-RateLimit-Daily-Remaining"
DETAILS = "/details"  # of the account, whatever the version


class WatchTestCase(StatusTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(told("ops json https://ops.example.com"))
        self.enterContext(override_settings(HUBSPOT_API_VERSION="2026-09"))
        watch()
        self.now = timezone.now()

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        with mock.patch("django.utils.timezone.now", return_value=moment):
            yield

    def watch_after(self, wait: timedelta = watching.LOOK_EVERY) -> list[str]:
        """Look again after so long; return the events that are new."""
        before = set(Notice.objects.values_list("pk", flat=True))
        self.now += wait
        with self.at(self.now):
            watch()
        new = Notice.objects.exclude(pk__in=before).order_by("pk")
        return [f"{each.event} over" if each.is_over else each.event for each in new]


class RunTests(WatchTestCase):
    def test_an_end_is_told_once(self) -> None:
        counts = {"rows_read": 9, "queued": 9, "linked": 7, "rejected": 2}
        times = {"started_at": self.now, "finished_at": self.now + MINUTE}
        run = run_of(self.user, **counts, **times)
        self.assertEqual(self.watch_after(), ["run_ended"])
        notice = Notice.objects.get()
        numbers = {"run": run.pk, "pairs": 9, "achieved": 7, "failed": 2, "not_sent": 0}
        self.assertEqual((notice.numbers, notice.path), (numbers, run.get_absolute_url()))
        self.assertEqual(Delivery.objects.get().receiver, "ops")
        self.assertEqual(self.watch_after(), [])
        undo = run_of(self.user, undoes=run, unlinked=7, rows_read=7, queued=7, **times)
        self.assertEqual(self.watch_after(), ["run_ended"])
        self.assertEqual(Notice.objects.last().numbers["undoes"], run.pk)
        self.assertIn(f"Bulk run {undo.pk}, the undo of run {run.pk}", self.last_text())

    def last_text(self) -> str:
        return message_of(Notice.objects.last()).text

    def test_what_was_over_before_the_first_look_is_not_told(self) -> None:
        ended = self.now - MINUTE
        run_of(self.user, started_at=ended, finished_at=ended)
        self.assertEqual(self.watch_after(), [])

    def test_nor_what_ended_while_nobody_looked_for_days(self) -> None:
        run_of(self.user, started_at=self.now, finished_at=self.now + MINUTE)
        self.assertEqual(self.watch_after(watching.LOOKED_BACK + 2 * MINUTE), [])

    def test_a_run_that_has_paused_by_itself_each_time(self) -> None:
        run = run_of(self.user, state="paused", stop_cause="token_refused")
        record_event(EventKind.RUN_STOPPED, run=run, cause="token_refused")
        self.assertEqual(self.watch_after(), ["run_paused"])
        self.assertEqual(self.watch_after(), [])
        BulkRun.objects.update(state="running", stop_cause="")
        Worker.objects.create(name="w 1", seen_at=self.now + timedelta(days=1))
        self.assertEqual(self.watch_after(), [])
        record_event(EventKind.RUN_STOPPED, run=run, cause="token_refused")
        BulkRun.objects.update(state="paused", stop_cause="token_refused")
        self.assertEqual(self.watch_after(), ["run_paused"])

    def test_not_one_that_somebody_has_paused(self) -> None:
        run_of(self.user, state="paused")
        self.assertEqual(self.watch_after(), [])

    def test_a_choice_that_nobody_makes(self) -> None:
        run_of(self.user, state="ready", rows_to_choose=3, read_at=self.now)
        self.assertEqual(self.watch_after(MINUTE), [], "somebody may sit before it")
        self.assertEqual(self.watch_after(5 * MINUTE), ["run_choice"])
        self.assertIn("3 rows wait", self.last_text())
        BulkRun.objects.update(rows_to_choose=1)
        self.assertEqual(self.watch_after(), [])

    def test_a_second_person_who_is_waited_for_each_time(self) -> None:
        asked = {"approval": "asked", "rows_read": 5000}
        run_of(self.user, state="ready", asked_at=self.now, **asked)
        self.assertEqual(self.watch_after(), ["run_approval"])
        self.assertIn("5,000 pairs", self.last_text())
        self.assertEqual(self.watch_after(), [])
        BulkRun.objects.update(asked_at=self.now)
        self.assertEqual(self.watch_after(), ["run_approval"])


class LogTests(WatchTestCase):
    def test_a_late_seal_and_its_end(self) -> None:
        entry_of(self.user, finished_at=self.now - timedelta(hours=1))
        self.assertEqual(self.watch_after(), ["seal_late"])
        self.assertEqual(Notice.objects.get().path, "/status/#log")
        self.assertEqual(self.watch_after(), [])
        seal()
        self.assertEqual(self.watch_after(), [], "it may come back in a moment")
        self.assertEqual(self.watch_after(watching.QUIET), ["seal_late over"])
        self.assertTrue(message_of(Notice.objects.last()).text.startswith("Over now: Closed"))
        self.assertFalse(Condition.objects.exists())

    def test_what_comes_and_goes_is_told_once(self) -> None:
        for _ in range(6):
            entry_of(self.user, finished_at=self.now - timedelta(hours=1))
            self.watch_after()
            seal()
            self.watch_after()
        self.assertEqual([each.event for each in Notice.objects.all()], ["seal_late"])

    def test_a_seal_that_is_none_of_ours(self) -> None:
        entry_of(self.user)
        seal()
        settle()
        self.assertEqual(self.watch_after(), [])
        with as_owner():
            sql("UPDATE associations_auditseal SET signature = 'bm9uZQ=='")
        self.assertEqual(self.watch_after(), ["log_altered"])

    def test_triggers_that_are_away(self) -> None:
        problems = mock.patch("associations.audit.integrity.triggers.problems")
        with problems as found:
            found.return_value = ["no trigger entry_update"]
            self.assertEqual(self.watch_after(), ["log_altered"])

    def test_a_verification_that_failed_until_one_succeeds(self) -> None:
        found = {"started_at": self.now, "seals": 1, "items": 1}
        failed = AuditVerification(is_proven=False, finished_at=self.now, **found)
        failed.save()
        self.assertEqual(self.watch_after(), ["verification_failed"])
        proven = {"is_proven": True, "finished_at": self.now + MINUTE}
        AuditVerification.objects.create(**found, **proven)
        self.watch_after()
        self.assertEqual(self.watch_after(watching.QUIET), ["verification_failed over"])

    def test_a_sealer_that_was_killed(self) -> None:
        Sealer.objects.create(name="host 1", seen_at=self.now)
        self.assertEqual(self.watch_after(timedelta(seconds=20)), [])
        self.assertEqual(self.watch_after(timedelta(seconds=20)), [], "it may just start anew")
        self.assertEqual(self.watch_after(timedelta(seconds=20)), ["sealer_silent"])
        Sealer.objects.create(name="host 2", seen_at=self.now + timedelta(hours=1))
        self.watch_after()
        self.assertEqual(self.watch_after(watching.QUIET), ["sealer_silent over"])

    def test_none_that_has_ended_in_order_or_never_was(self) -> None:
        self.assertEqual(self.watch_after(), [])


class WorkerTests(WatchTestCase):
    def test_a_worker_that_was_killed(self) -> None:
        Worker.objects.create(name="host 1", seen_at=self.now)
        self.watch_after(timedelta(seconds=40))
        self.assertEqual(self.watch_after(timedelta(seconds=20)), ["worker_silent"])

    def test_none_while_a_run_needs_one(self) -> None:
        run_of(self.user, state="running")
        self.watch_after(timedelta(seconds=20))
        self.assertEqual(self.watch_after(timedelta(seconds=20)), ["worker_silent"])

    def test_not_while_another_lives(self) -> None:
        Worker.objects.create(name="host 1", seen_at=self.now - timedelta(hours=1))
        Worker.objects.create(name="host 2", seen_at=self.now + timedelta(hours=1))
        self.watch_after()
        self.assertEqual(self.watch_after(), [])


class HubSpotTests(WatchTestCase):
    def test_a_token_that_is_refused_and_taken_again(self) -> None:
        self.fault(DETAILS, status=401, times=None)
        self.assertEqual(self.watch_after(MINUTE), [], "not so soon again")
        self.assertEqual(self.watch_after(), ["token_refused"])
        self.assertEqual(Notice.objects.get().path, "/status/#hubspot")
        self.sandbox.reset()
        self.watch_after()
        self.watch_after()
        self.assertEqual(self.watch_after(), ["token_refused over"])

    def test_hubspot_that_does_not_answer_is_neither(self) -> None:
        self.fault(DETAILS, status=401)
        self.assertEqual(self.watch_after(), ["token_refused"])
        self.fault(DETAILS, status=503, times=None)
        for _ in range(5):
            self.assertEqual(self.watch_after(), [])

    def test_a_scope_to_write_that_is_missing(self) -> None:
        entry_of(self.user)
        seal()
        with override_settings(HUBSPOT_ACCESS_TOKEN=NO_READ_TOKEN):
            found = self.watch_after()
        self.assertEqual(found, [], "only reading is lacking")
        entry_of(self.user, http_status=403, cause="scope_missing", outcome="rejected")
        seal()
        self.fault("access-token-info", status=404, times=None)
        self.assertEqual(self.watch_after(), ["scope_missing"])

    def test_what_people_were_refused_is_told_without_a_look(self) -> None:
        for status, cause in ((401, "token_refused"), (403, "scope_missing")):
            refused = {"outcome": "rejected", "http_status": status, "cause": cause}
            entry = entry_of(self.user, **refused)
            self.attempt(entry, number=1, http_status=status, started_at=self.now)
            asked = len(self.sandbox.requests)
            self.assertEqual(self.watch_after(timedelta(seconds=16)), [cause])
            self.assertEqual(len(self.sandbox.requests), asked)
            self.assertEqual(self.watch_after(timedelta(seconds=16)), [])

    def test_that_it_is_over_only_a_look_tells(self) -> None:
        entry = entry_of(self.user, outcome="rejected", cause="token_refused")
        self.attempt(entry, number=1, http_status=401, started_at=self.now)
        seal()
        self.assertEqual(self.watch_after(timedelta(seconds=16)), ["token_refused"])
        with override_settings(HUBSPOT_ACCESS_TOKEN=""):
            for _ in range(8):
                self.assertEqual(self.watch_after(), [])
        self.assertEqual(self.watch_after(), ["token_refused over"])

    def test_what_was_refused_long_ago_or_otherwise_is_no_news(self) -> None:
        entry = entry_of(self.user, outcome="rejected", cause="token_refused")
        self.attempt(entry, number=1, http_status=401, started_at=self.now - 5 * MINUTE)
        other = entry_of(self.user, outcome="rejected", cause="record_not_found")
        self.attempt(other, number=1, http_status=404, started_at=self.now)
        self.assertEqual(self.watch_after(timedelta(seconds=16)), [])

    def used(self, percent: int) -> None:
        self.sandbox.reset()
        usage = {"usageLimit": 1000, "currentUsage": 10 * percent, "name": "private-apps"}
        body = {"results": [usage | {"collectedAt": "2026-11-29T00:00:00Z"}]}
        self.fault(USAGE, status=200, body=body, times=None)

    def test_calls_of_the_day_at_80_and_at_95_percent(self) -> None:
        for percent, events in ((79, []), (80, ["quota_80"]), (90, []), (95, ["quota_95"])):
            self.used(percent)
            self.assertEqual(self.watch_after(), events, percent)
        self.used(1)
        for _ in range(5):
            self.assertEqual(self.watch_after(), [], "a new day is no news")
        self.used(99)
        self.assertEqual(self.watch_after(), ["quota_95"])

    def test_an_answer_in_the_log_tells_of_the_day_sooner_than_a_look(self) -> None:
        asked = len(self.sandbox.requests)
        for left, events in ((210, []), (190, ["quota_80"]), (60, []), (40, ["quota_95"])):
            told = {"X-HubSpot-RateLimit-Daily": "1000", DAILY_REMAINING: str(left)}
            entry = entry_of(self.user, outcome="linked")
            self.attempt(entry, number=1, headers=told, started_at=self.now)
            self.assertEqual(self.watch_after(timedelta(seconds=16)), events, left)
        self.assertEqual(len(self.sandbox.requests), asked)
        self.assertEqual(Notice.objects.get(event="quota_95").numbers, {"percent": 96})

    def test_what_an_answer_said_long_ago_is_left_to_the_look(self) -> None:
        told = {"X-HubSpot-RateLimit-Daily": "1000", DAILY_REMAINING: "40"}
        entry = entry_of(self.user, outcome="linked")
        self.attempt(entry, number=1, headers=told, started_at=self.now - 2 * MINUTE)
        self.assertEqual(self.watch_after(timedelta(seconds=16)), [])

    def test_a_clock_that_differs_from_hubspots(self) -> None:
        for ahead, events in ((29, []), (-29, []), (45, ["clock_differs"]), (-4000, [])):
            date = format_datetime(datetime.now(UTC) - timedelta(seconds=ahead), usegmt=True)
            self.sandbox.reset()
            for method in ("GET", "POST"):
                self.sandbox.fault(method=method, headers={"Date": date}, times=None)
            self.assertEqual(self.watch_after(), events, ahead)
        self.assertEqual(Notice.objects.get().path, "/status/#clocks")
        self.sandbox.reset()
        over = [event for _ in range(4) for event in self.watch_after()]
        self.assertEqual(over, ["clock_differs over"])

    def test_without_a_token_hubspot_is_not_asked(self) -> None:
        """The sealer has none, and knows nothing of the version either."""
        self.fault(DETAILS, status=401, times=None)
        asked = len(self.sandbox.requests)
        with override_settings(HUBSPOT_ACCESS_TOKEN="", HUBSPOT_API_VERSION="v4"):
            self.assertEqual(self.watch_after(timedelta(days=100)), [])
        self.assertEqual(len(self.sandbox.requests), asked)

    def test_whoever_has_none_takes_nobodys_turn(self) -> None:
        self.fault(DETAILS, status=401, times=None)
        with override_settings(HUBSPOT_ACCESS_TOKEN=""):
            self.assertEqual(self.watch_after(), [])
        self.assertEqual(self.watch_after(timedelta(seconds=2)), ["token_refused"])

    def test_it_costs_three_calls_in_five_minutes(self) -> None:
        asked = len(self.sandbox.requests)
        for _ in range(20):
            self.watch_after(timedelta(seconds=15))
        self.assertEqual(len(self.sandbox.requests) - asked, 3)

    def test_the_end_of_the_version_at_90_30_and_7_days(self) -> None:
        end = date(2028, 3, 1)
        told_at = []
        for days in (95, 91, 90, 60, 31, 30, 8, 7, 3, 1, 0, -1, -9):
            day = mock.patch.object(timezone, "localdate", return_value=end - timedelta(days=days))
            with day:
                told_at += [days for event in self.watch_after() if event == "version_ends"]
        self.assertEqual(told_at, [90, 30, 7, -1])


class CallTests(WatchTestCase):
    def test_failures_that_spike(self) -> None:
        entry = entry_of(self.user)
        seal()
        for number in range(1, 11):
            self.attempt(entry, number=number, http_status=500, started_at=self.now)
            events = self.watch_after(timedelta(seconds=15))
            self.assertEqual(events, ["calls_failing"] if number == 10 else [])
        self.assertEqual(Notice.objects.get().numbers, {"calls": 10, "failed": 10})
        self.assertEqual(self.watch_after(timedelta(hours=2)), ["calls_failing over"])

    def test_links_that_have_changed(self) -> None:
        facts = {"links": 9, "not_looked_at": 0, "calls": 1, "first": 1, "last": 9}
        record_event(EventKind.LINKS_SWEPT, findings=0, **facts)
        self.assertEqual(self.watch_after(), [])
        record_event(EventKind.LINKS_SWEPT, findings=4, **facts)
        self.assertEqual(self.watch_after(), ["links_changed"])
        self.assertEqual(Notice.objects.get().path, "/changed/")
        self.assertEqual(self.watch_after(), [])


class WholeTests(WatchTestCase):
    def test_a_quiet_hour_tells_nothing(self) -> None:
        Worker.objects.create(name="w", seen_at=self.now + timedelta(hours=9))
        Sealer.objects.create(name="s", seen_at=self.now + timedelta(hours=9))
        for _ in range(60):
            self.assertEqual(self.watch_after(MINUTE), [])

    def test_few_look(self) -> None:
        self.watch_after()
        self.now += timedelta(seconds=5)
        with self.at(self.now), self.assertNumQueries(3):
            watch()

    def test_a_clock_that_was_set_back_stops_nobody(self) -> None:
        Watch.objects.update(watched_at=self.now + timedelta(days=9))
        run_of(self.user, started_at=self.now, finished_at=self.now + MINUTE)
        self.assertEqual(self.watch_after(), ["run_ended"])

    def test_without_a_receiver_nobody_looks(self) -> None:
        with told(""), self.assertNumQueries(0):
            watch()

    def test_what_fails_keeps_nothing_else_back(self) -> None:
        run_of(self.user, state="running")
        self.watch_after(timedelta(seconds=20))
        broken = mock.patch.object(watching, "log_lines", side_effect=ValueError)
        with broken, self.assertRaises(ValueError):
            self.watch_after(timedelta(seconds=20))
        self.assertEqual(Notice.objects.get().event, "worker_silent")

    def test_nothing_in_a_notice_says_who_or_which(self) -> None:
        person = self.user
        person.name, person.email = "Canary Person", "canary@example.com"
        facts = {"user_name": person.name, "user_email": person.email, "reason": "canary reason"}
        old = {"finished_at": self.now - timedelta(hours=1)}
        named_entry_of(person, "Canary Name", "Canary Ltd", "canary@x.example", **old)
        counts = {"rows_read": 9, "started_at": self.now, "finished_at": self.now + MINUTE}
        run_of(person, name="canary.csv", **facts, **counts)
        run = run_of(person, name="canary.csv", state="paused", stop_cause="timed_out", **facts)
        record_event(EventKind.RUN_STOPPED, run=run, cause="canary")
        choose = {"rows_to_choose": 2, "read_at": self.now - timedelta(hours=1)}
        run_of(person, name="canary.csv", state="ready", **choose, **facts)
        asked = {"approval": "asked", "asked_at": self.now}
        run_of(person, name="canary.csv", state="ready", **asked, **facts)
        self.fault(DETAILS, status=401, body={"message": "canary"}, times=None)
        events = self.watch_after()
        self.assertEqual(len(events), 6, events)
        for notice in Notice.objects.all():
            self.assertNotIn("canary", str([vars(notice), message_of(notice).facts]).lower())
