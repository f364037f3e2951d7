"""Who did what with a run: a part of the log, which nobody changes and which outlives the run."""

from datetime import timedelta

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from associations.bulk import backoff, tasks
from associations.bulk.worker import scheduler
from associations.models import BulkRun
from tests.associations.audit.integrity.base import sql
from tests.associations.bulk.engine import EngineTestCase, row
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import security_events

TABLES = ("associations_securityevent", "associations_bulkevent")


class GuardTests(EngineTestCase):
    def test_nobody_changes_or_deletes_who_started_a_run(self) -> None:
        self.started(row(1))
        there = {*TABLES} & {*connection.introspection.table_names()}
        for table in [each for each in there if sql(f"SELECT count(*) FROM {each}") != [(0,)]]:
            for statement in (f"UPDATE {table} SET user_name = 'Mallory'", f"DELETE FROM {table}"):
                with self.subTest(statement), transaction.atomic():
                    with self.assertRaisesRegex(DatabaseError, "never change|is deleted"):
                        sql(statement)
                    transaction.set_rollback(True)

    def test_from_its_upload_to_its_end(self) -> None:
        run = self.finish(self.queued(row(1)))
        mine = self.user.name
        told = [(e["what"], e.get("user_name"), e["run_id"]) for e in security_events()]
        expected = [("run_uploaded", mine), ("run_started", mine), ("run_ended", None)]
        self.assertEqual(told, [(*each, run.pk) for each in expected])

    def test_one_that_pauses_by_itself(self) -> None:
        run = self.queued(row(1))
        backoff.stop_run(run, "token_refused")
        event = security_events()[-1]
        self.assertEqual((event["what"], event["run_id"]), ("run_stopped", run.pk))
        self.assertEqual(event["facts"], {"cause": "token_refused"})
        self.assertNotIn("user_id", event)

    def test_whoever_watches_runs_has_a_line_each(self) -> None:
        with self.assertLogs("hubadmin.runs", "WARNING") as logs:
            run = self.finish(self.queued(row(1)))
            other = self.queued(row(2))
            backoff.stop_run(other, "token_refused")
        told = [(each.getMessage(), each.run) for each in logs.records]
        went = ["bulk run started", "bulk run ended"]
        stopped = ["bulk run started", "bulk run paused by itself"]
        expected = [*((each, run.pk) for each in went), *((each, other.pk) for each in stopped)]
        self.assertEqual(told, expected)
        self.assertEqual([logs.records[1].state, logs.records[3].cause], ["done", "token_refused"])
        self.assertNotIn(self.user.name, str([vars(each) for each in logs.records]))

    def test_one_that_is_tidied_away_stays_in_the_log(self) -> None:
        run = self.uploaded(row(1))
        BulkRun.objects.update(created_at=timezone.now() - timedelta(days=99))
        while scheduler.tidy():
            pass
        self.assertFalse(BulkRun.objects.exists())
        told = [(e["what"], e.get("user_name", ""), e["run_id"]) for e in security_events()]
        discarded = ("run_discarded", "", run.pk)
        self.assertEqual(told, [("run_uploaded", self.user.name, run.pk), discarded])

    def test_an_end_is_told_once(self) -> None:
        run = self.finish(self.queued(row(1)))
        tasks._end(run, "running", "done")
        self.assertEqual([e["what"] for e in security_events()].count("run_ended"), 1)


class ActionTests(PageTestCase):
    def test_whoever_did_it_and_from_where(self) -> None:
        run = run_of(self.user, state="running")
        for client, action in (
            (self.client, "pause"),
            (self.as_admin, "go-on"),
            (self.as_admin, "cancel"),
        ):
            answer = client.post(f"/bulk/{run.pk}/{action}/")
            event = security_events()[-1]
            who = self.admin if client is self.as_admin else self.user
            self.assertEqual((event["user_id"], event["run_id"]), (who.pk, run.pk))
            self.assertEqual(event["request_id"], answer["X-Request-ID"])
            self.assertEqual(event["client_ip"], "127.0.0.1")
        whats = [event["what"] for event in security_events()]
        self.assertEqual(whats, ["run_paused", "run_resumed", "run_canceled"])

    def test_a_run_that_is_discarded_and_one_that_tries_again(self) -> None:
        ready = run_of(self.user, state="ready", name="secret.csv")
        self.client.post(f"/bulk/{ready.pk}/discard/")
        ended = run_of(self.user, state="done", queued=1, rejected=1)
        entry_of(self.user, run=ended, row_number=1, outcome="rejected", cause="rate_limited")
        self.client.post(f"/bulk/{ended.pk}/retry/")
        first, second = security_events()
        told = (first["what"], first["run_id"], first["user_id"], first["facts"]["name"])
        self.assertEqual(told, ("run_discarded", ready.pk, self.user.pk, "secret.csv"))
        self.assertEqual((second["what"], second["run_id"]), ("run_uploaded", ended.pk + 1))

    def test_what_was_not_possible_is_none(self) -> None:
        run = run_of(self.user, state="done")
        for action in ("start", "pause", "go-on", "cancel", "discard", "retry"):
            self.client.post(f"/bulk/{run.pk}/{action}/", {"way": "batch"})
        self.assertEqual(security_events(), [])


class DownloadTests(PageTestCase):
    """Whatever takes data out, but for exports, which have a table of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.run_ = run_of(self.user)
        self.entry = entry_of(self.user, run=self.run_, row_number=1)
        run, entry = self.run_.pk, self.entry.pk
        self.files = {
            f"/bulk/{run}/results.csv": ("results.csv", run, None),
            f"/bulk/{run}/bad-rows.csv": ("bad-rows.csv", run, None),
            f"/requests/{entry}/support-bundle.txt": ("support-bundle.txt", None, entry),
            "/audit/integrity/seals.jsonl": ("seals.jsonl", None, None),
        }

    def test_each_is_told_before_its_first_byte(self) -> None:
        for address, expected in self.files.items():
            answer = self.as_admin.get(address)
            event = security_events()[-1]
            with self.subTest(address):
                facts = event["facts"]
                told = (facts["file"], event.get("run_id"), facts.get("entry"))
                self.assertEqual((event["what"], *told), ("downloaded", *expected))
                who = (event["user_id"], event["request_id"])
                self.assertEqual(who, (self.admin.pk, answer["X-Request-ID"]))
            answer.getvalue()

    def test_ones_own_results_too(self) -> None:
        self.client.get(f"/bulk/{self.run_.pk}/results.csv").getvalue()
        self.assertEqual([e["user_id"] for e in security_events()], [self.user.pk])

    def test_who_only_asks_or_gets_none_is_not_told(self) -> None:
        for address in self.files:
            self.as_admin.head(address)
        for address in ("/requests/99999/support-bundle.txt", "/bulk/99999/results.csv"):
            self.assertEqual(self.as_admin.get(address).status_code, 404)
        self.client.get("/audit/integrity/seals.jsonl")
        self.assertEqual(security_events(), [])
