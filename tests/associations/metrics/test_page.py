"""/metrics: who may read it, in which form, and what it says of the database."""

import shutil
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from unittest import mock

from django.db import connection
from django.test import SimpleTestCase, TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from associations.audit.integrity import sealing
from associations.gateway import rate_limiter
from associations.hubspot.outcomes import VERDICTS
from associations.metrics import state
from associations.models import AssociationCheck, AuditSeal, Sealer, Worker
from hubadmin import __version__
from hubadmin.startup import COMMIT
from hubadmin.web import measuring, middleware, readiness
from tests.associations.linking.base import entry_of, run_of
from tests.support import SignedInClient, database_away, forget_looks, needed, person

TOKEN = "a-token-of-the-tests-own"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
Labels = frozenset[tuple[str, str]]


def samples(text: str) -> dict[tuple[str, Labels], float]:
    """Each sample's value, by its name and its labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, **labels: str) -> tuple[str, Labels]:
    return f"hubadmin_{name}", frozenset(labels.items())


class MeasuredMixin:
    """A token, and a folder that is empty."""

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "metrics"
        changed = override_settings(METRICS_TOKEN=TOKEN, METRICS_DIR=str(folder))
        self.folder = folder
        self.enterContext(changed)
        for forget in (forget_looks, state.collector.forget, readiness.forget, rate_limiter.close):
            forget()
            self.addCleanup(forget)

    def page(self, **headers: str) -> str:
        answer = self.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"} | headers)
        self.assertEqual(answer.status_code, 200, answer.content)
        return answer.content.decode()

    def samples(self) -> dict[tuple[str, Labels], float]:
        state.collector.forget()
        return samples(self.page())


class GuardTests(SimpleTestCase):
    databases = ()

    def test_without_a_token_there_is_no_such_page_and_nothing_is_counted(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "metrics"
            with self.settings(METRICS_TOKEN="", METRICS_DIR=str(own)):
                for header in ("", "Bearer ", "Bearer None"):
                    answer = self.client.get("/metrics", headers={"authorization": header})
                    self.assertEqual(answer.status_code, 404, header)
            self.assertFalse(own.exists())

    def test_with_another_or_none_it_tells_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "metrics"
            with self.settings(METRICS_TOKEN=TOKEN, METRICS_DIR=str(own)):
                near = (f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é")
                for header in ("", TOKEN, "Bearer", *near):
                    answer = self.client.get("/metrics", headers={"authorization": header})
                    self.assertEqual((answer.status_code, answer.content), (401, b""), header)
                    self.assertEqual(answer["WWW-Authenticate"], "Bearer")
                    self.assertIn("no-store", answer["Cache-Control"])


class FormTests(MeasuredMixin, TestCase):
    def test_it_needs_no_session_and_is_not_kept(self) -> None:
        answer = self.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertEqual(answer.cookies, {})

    def test_both_forms_by_what_the_reader_takes(self) -> None:
        plain, opened = self.page(), self.page(accept=OPEN_METRICS)
        self.assertTrue(opened.endswith("# EOF\n"))
        self.assertEqual(
            {each.name for each in text_string_to_metric_families(plain)} - {"hubadmin_build_info"},
            {each.name for each in open_metrics(opened)} - {"hubadmin_build"},
        )

    def test_what_a_reader_may_not_ask_for_is_plain_text(self) -> None:
        for odd in ("text/plain;version=x", "application/openmetrics-text;version=;", ",;=,", "é"):
            self.assertIn("hubadmin_ready 1.0", self.page(accept=odd))

    def test_prometheus_gets_what_it_prefers(self) -> None:
        opened, plain = "application/openmetrics-text;version=1.0.0", "text/plain;version=0.0.4"
        for accepted in (f"{opened},{plain};q=0.5,*/*;q=0.1", f"{opened};q=0.5,{plain};q=0.3"):
            self.assertTrue(self.page(accept=accepted).endswith("# EOF\n"))
        self.assertNotIn("# EOF", self.page(accept=f"{opened};q=0.3,{plain};q=0.5"))

    @needed(bool(shutil.which("promtool")), "promtool (Debian: prometheus)")
    def test_promtool_finds_nothing_amiss(self) -> None:
        for user in (person(), person("admin")):
            SignedInClient(user).get("/")
        command = [shutil.which("promtool"), "check", "metrics"]
        checked = subprocess.run(command, input=self.page(), capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stderr + checked.stdout), (0, ""))


class StateTests(MeasuredMixin, TestCase):
    def test_an_empty_log(self) -> None:
        found = self.samples()
        self.assertEqual(found[of("ready")], 1)
        self.assertEqual(found[of("build_info", version=__version__, commit=COMMIT)], 1)
        self.assertEqual(found[of("workers")], 0)
        self.assertEqual(found[of("rows_waiting")], 0)
        self.assertEqual(found[of("runs", state="paused")], 0)
        self.assertEqual(found[of("sweep_findings")], 0)
        for absent in ("newest_seal", "unsealed_since", "sealer_seen", "quota_told"):
            self.assertNotIn(of(f"{absent}_timestamp_seconds"), found)
        parts = {labels: value for (name, labels), value in found.items() if "part_read" in name}
        self.assertEqual((len(parts), {*parts.values()}), (len(state.PARTS), {1.0}))

    def test_entries_seals_and_the_sealer(self) -> None:
        now, user = timezone.now(), person()
        hour, day = (now - timedelta(hours=each) for each in (1, 24))
        run = run_of(user, state="paused", stop_cause="token_refused")
        entry_of(user, outcome="sending", cause="", created_at=hour, finished_at=None)
        for row, moment in enumerate((hour, day), 1):
            fields = {"row_number": row, "run": run, "outcome": "queued", "cause": ""}
            entry_of(user, created_at=moment, sent_at=None, finished_at=None, **fields)
        oldest = "oldest_open_entry_timestamp_seconds"
        found = self.samples()
        self.assertEqual(found[of(oldest, of="form")], hour.timestamp())
        self.assertEqual(found[of(oldest, of="run")], day.timestamp())
        self.assertNotIn(of("unsealed_since_timestamp_seconds"), found)
        entry_of(user, finished_at=hour)
        self.assertEqual(self.samples()[of("unsealed_since_timestamp_seconds")], hour.timestamp())
        [*sealing.seal_log()]
        Sealer.objects.create(name="one", seen_at=now)
        found = self.samples()
        self.assertNotIn(of("unsealed_since_timestamp_seconds"), found)
        sealed_at = AuditSeal.objects.last().sealed_at.timestamp()
        self.assertEqual(found[of("newest_seal_timestamp_seconds")], sealed_at)
        self.assertAlmostEqual(
            found[of("sealer_seen_timestamp_seconds")], now.timestamp(), delta=60
        )

    def test_a_seal_that_was_altered_is_no_seal_and_the_rest_is_told(self) -> None:
        AuditSeal.objects.create(
            number=1, sealed_at=timezone.now(), manifest="none", head="f" * 64, signature="x"
        )
        with self.assertLogs("associations.metrics.state", "WARNING"):
            found = self.samples()
        self.assertEqual(found[of("part_read", part="seals")], 0)
        self.assertEqual(found[of("part_read", part="runs")], 1)

    def test_runs_and_workers(self) -> None:
        user = person()
        run_of(user, state="paused", stop_cause="scope_missing")
        run_of(user, state="paused")
        run_of(user, state="paused", stop_cause="of_a_later_version")
        run_of(user, state="running", queued=100, linked=30, rejected=2, canceled=8)
        run_of(user)
        Worker.objects.create(name="a 1", seen_at=timezone.now())
        Worker.objects.create(name="b 2", seen_at=timezone.now() - timedelta(minutes=5))
        found = self.samples()
        self.assertEqual(found[of("runs", state="paused")], 3)
        self.assertNotIn(of("runs", state="done"), found)
        for cause in ("scope_missing", state.BY_A_PERSON, "other"):
            self.assertEqual(found[of("runs_paused", cause=cause)], 1, cause)
        self.assertEqual(found[of("rows_waiting")], 60)
        self.assertEqual(found[of("workers")], 1)

    def test_what_the_daily_look_found(self) -> None:
        seen = {"checked_at": timezone.now(), "duration_ms": 1}
        AssociationCheck.objects.create(entry=entry_of(person()), finding="gone", **seen)
        self.assertEqual(self.samples()[of("sweep_findings")], 1)

    def test_the_calls_of_the_day_as_the_newest_answer_told_them(self) -> None:
        headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "40"}
        started = timezone.now() - timedelta(minutes=1)
        entry_of(person()).attempts.create(
            number=1, started_at=started, duration_ms=5, http_status=200, headers=headers
        )
        found = self.samples()
        self.assertEqual((found[of("quota_calls")], found[of("quota_calls_used")]), (1000, 960))
        self.assertEqual(found[of("quota_told_timestamp_seconds")], started.timestamp())

    def test_the_limit_of_calls(self) -> None:
        self.assertNotIn(of("call_limit"), self.samples())
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=20, HUBSPOT_CALLS_FOR_PEOPLE=4):
            self.assertTrue(rate_limiter.acquire_interactive(1))
            found = self.samples()
        self.assertEqual(found[of("call_limit")], 20)
        self.assertGreaterEqual(found[of("call_limit_used")], 1)  # others may have used some

    def test_two_who_ask_cost_one_and_later_it_is_read_anew(self) -> None:
        self.page()
        with self.assertNumQueries(0):
            self.page()
        later = mock.Mock(monotonic=mock.Mock(return_value=time.monotonic() + state.FRESH + 1))
        with mock.patch.object(state, "time", later), CaptureQueriesContext(connection) as asked:
            self.page()
        self.assertGreater(len(asked), 5)

    def test_while_the_database_is_away_that_is_told_and_nothing_waits_for_it(self) -> None:
        with database_away(), self.assertLogs("hubadmin.web.readiness", "ERROR"):
            found = self.samples()
        self.assertEqual(found[of("ready")], 0)
        read = [value for (name, _), value in found.items() if name == "hubadmin_part_read"]
        self.assertEqual((len(read), sum(read)), (len(state.PARTS), 0))
        self.assertIn(of("requests_total", outcome="linked", cause="confirmed"), found)


class LabelTests(MeasuredMixin, TestCase):
    def test_they_are_of_few_values_whatever_comes(self) -> None:
        client = SignedInClient(person())
        for path in ("/", "/nowhere", "/nowhere/2", "/requests/17/", "/requests/18/", "/?q=ada"):
            client.get(path)
        client.generic("BREW", "/")
        entry_of(person())
        labels = [dict(each) for _, each in self.samples()]
        views = {each["view"] for each in labels if "view" in each}
        known = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
        self.assertEqual(views - known, {"none"})
        methods = {each["method"] for each in labels if "method" in each}
        self.assertEqual(methods, {"GET", "POST", "other"})
        causes = {each["cause"] for each in labels if "outcome" in each}
        self.assertEqual(causes, {*VERDICTS})

    def test_every_label_together_fits_into_a_file(self) -> None:
        """One that had to grow would end its process on a full disk."""
        routes = sum(isinstance(name, str) for name in get_resolver().reverse_dict) + 1
        key = 400  # bytes, more than any of ours
        statuses, methods = 6, len(middleware.METHODS) + 1
        counters = routes * methods * statuses + 2 * len(VERDICTS) + 5 * 20
        histograms = (routes + 5) * (len(measuring.BUCKETS) + 2)
        self.assertLess(max(counters, histograms) * key, measuring.FILE_BYTES)
