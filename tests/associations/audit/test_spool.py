"""What HubSpot had answered while the log could not be written comes into it afterwards, once."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import Error as DBError
from django.db import transaction
from django.db.models.signals import post_save
from django.test import override_settings
from django.utils import timezone

from associations.audit import recorder, spool
from associations.audit.integrity import triggers
from associations.audit.integrity.sealing import seal_log
from associations.audit.recorder import kept
from associations.bulk import backoff, tasks
from associations.bulk.worker.scheduler import Scheduler
from associations.db import retry_on_outage
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest, BulkChunk, SendMode
from tests.associations.audit.integrity.processes import database_url, manage
from tests.associations.bulk.engine import EngineTestCase, row
from tests.associations.linking.base import entry_of, named_entry_of
from tests.associations.management.test_status import status
from tests.hubadmin.test_health import read_only
from tests.support import (
    LINK,
    LogTransactionTestCase,
    SandboxMixin,
    SignedInClient,
    database_away,
    person,
)

Outage = Callable[[], AbstractContextManager[None]]


class SpoolMixin:
    """A folder of the test's own; nothing is read back unless the test says so."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "spool"
        self.enterContext(override_settings(SPOOL_DIR=str(self.folder)))
        self.threads = mock.patch.object(kept, "_try_to_read_back", kept._trying.release)
        self.threads.start()
        self.addCleanup(self.threads.stop)
        self.addCleanup(spool._may_wait.clear)
        spool._may_wait.clear()

    def files(self) -> list[str]:
        return sorted(each.suffix for each in self.folder.iterdir()) if self.folder.exists() else []

    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(each.read_text()) for each in sorted(self.folder.iterdir())]


class SpoolTestCase(SpoolMixin, SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        self.client = SignedInClient(self.user)

    @contextmanager
    def outage_after_opening(self, outage: Outage = database_away) -> Iterator[None]:
        """The database goes away as soon as an entry is committed."""
        away = outage()

        def leave(created: bool, **_: Any) -> None:
            transaction.on_commit(away.__enter__) if created else None

        post_save.connect(leave, sender=AssociationRequest)
        try:
            yield
        finally:
            post_save.disconnect(leave, sender=AssociationRequest)
            away.__exit__(None, None, None)

    def submit_meanwhile(self, outage: Outage = database_away) -> AssociationRequest:
        with self.outage_after_opening(outage), self.assertLogs("associations", "ERROR"):
            self.client.post("/", LINK)
        return AssociationRequest.objects.get()

    def submit_and_lose_the_log(self, outage: Outage = database_away) -> AssociationRequest:
        entry = self.submit_meanwhile(outage)
        self.assertEqual((entry.outcome, entry.attempts.count()), ("sending", 0))
        return entry

    def assert_told(self, entry: AssociationRequest, *, outcome: str, late: bool = False) -> None:
        """HubSpot's answer stands there once, and the entry ended so."""
        entry.refresh_from_db()
        attempts = list(entry.attempts.values_list("number", "http_status", "late"))
        self.assertEqual((entry.outcome, attempts), (outcome, [(1, 200, late)]))


class ReadBackTests(SpoolTestCase):
    def test_the_next_page_closes_the_entry_by_what_hubspot_had_said(self) -> None:
        entry = self.submit_and_lose_the_log()
        self.assertEqual({*self.files()}, {".json"})
        with self.assertLogs("hubadmin.audit", "INFO") as logs:
            self.assertEqual(self.client.get("/").status_code, 200)
        self.assert_told(entry, outcome="linked")
        entry.refresh_from_db()
        self.assertTrue(entry.correlation_id and entry.results and entry.completed_at)
        self.assertEqual(self.files(), [])
        told = [each for each in logs.records if each.getMessage() == "entry closed"]
        self.assertEqual([vars(each)["entry"] for each in told], [entry.pk])

    def test_a_database_that_is_read_only(self) -> None:
        entry = self.submit_and_lose_the_log(read_only)
        self.client.get("/requests/")
        self.assert_told(entry, outcome="linked")

    def test_each_attempt_and_a_look_that_was_made(self) -> None:
        self.sandbox.fault(status=503, body={"message": "down"})
        entry = self.submit_and_lose_the_log()
        self.client.get("/")
        entry.refresh_from_db()
        attempts = list(entry.attempts.values_list("number", "http_status"))
        self.assertEqual((entry.outcome, attempts), ("linked", [(1, 503), (2, 200)]))

    def test_who_closed_it_as_unknown_meanwhile_was_right_then(self) -> None:
        entry = self.submit_and_lose_the_log()
        AssociationRequest.objects.update(sent_at=timezone.now() - timedelta(minutes=10))
        with override_settings(SPOOL_DIR="/dev/null/elsewhere"):  # by another machine
            recorder.look_after_log()
        entry.refresh_from_db()
        self.assertEqual(entry.cause, Cause.INTERRUPTED)
        recorder.look_after_log()
        self.assert_told(entry, outcome="unreachable", late=True)
        self.assertEqual((entry.cause, self.files()), (Cause.INTERRUPTED, []))

    def test_a_process_that_dies_between_closing_and_removing_tells_it_once(self) -> None:
        entry = self.submit_and_lose_the_log()
        script = (
            "import os\nfrom associations.audit import recorder, spool\n"
            "is_last = lambda: len(list(spool.folder().iterdir())) == 1\n"
            "spool.remove = lambda file: os.kill(os.getpid(), 9) if is_last() else file.unlink()\n"
            "recorder.read_back()"
        )
        where = {"DATABASE_URL": database_url(), "SPOOL_DIR": str(self.folder)}
        died = manage("shell", "-c", script, **where)
        self.assertEqual(died.returncode, -9, died.stderr)
        self.assert_told(entry, outcome="linked")
        finished_at = entry.finished_at
        self.assertNotEqual(self.files(), [])
        recorder.read_back()
        self.assert_told(entry, outcome="linked")
        self.assertEqual((entry.finished_at, self.files()), (finished_at, []))

    def test_the_sealer_of_this_machine_does_it_for_a_process_that_is_gone(self) -> None:
        entry = self.submit_and_lose_the_log()
        where = {"DATABASE_URL": database_url(), "SPOOL_DIR": str(self.folder)}
        done = manage("seal_audit_log", **where)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_told(entry, outcome="linked")

    def test_so_does_a_worker(self) -> None:
        entry = self.submit_and_lose_the_log()
        Scheduler(mock.Mock(queue_size=lambda: 0)).tick()
        self.assert_told(entry, outcome="linked")

    def test_the_process_itself_does_it_as_soon_as_it_can(self) -> None:
        self.threads.stop()
        self.addCleanup(self.threads.start)
        with mock.patch.object(kept, "READ_BACK_SECONDS", 0.2):
            entry = self.submit_meanwhile()  # and on a busy machine it is closed by now
            deadline = time.monotonic() + 20
            while kept._trying.locked():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
        self.assert_told(entry, outcome="linked")
        self.assertEqual(self.files(), [])

    def test_meanwhile_no_page_waits_for_it(self) -> None:
        entry = self.submit_and_lose_the_log()
        with kept._trying:  # as long as the thread is at it
            self.client.get("/")
            entry.refresh_from_db()
            self.assertEqual(entry.outcome, "sending")
        self.client.get("/")
        self.assert_told(entry, outcome="linked")

    def test_a_file_that_cannot_be_removed_is_told_once_all_the_same(self) -> None:
        entry = self.submit_and_lose_the_log()
        with (
            mock.patch.object(Path, "unlink", side_effect=PermissionError("read-only")),
            self.assertLogs("associations.audit.spool", "ERROR"),
        ):
            self.assertEqual(self.client.get("/").status_code, 200)
        self.assert_told(entry, outcome="linked")
        recorder.read_back()
        self.assert_told(entry, outcome="linked")
        self.assertEqual(self.files(), [])

    def test_while_it_is_away_nothing_is_lost(self) -> None:
        entry = self.submit_and_lose_the_log()
        before = self.files()
        with database_away(), self.assertRaises(DBError):
            recorder.read_back()
        self.assertEqual(self.files(), before)
        self.assertTrue(spool.may_wait())
        recorder.read_back()
        self.assert_told(entry, outcome="linked")

    def test_an_entry_that_has_got_the_number_of_one_that_a_restored_log_lost(self) -> None:
        """The answer was to a link that this log knows nothing of."""
        lost = self.submit_and_lose_the_log()
        with triggers.lifted():
            lost.attempts.all().delete()
            AssociationRequest.objects.filter(pk=lost.pk).delete()
        made = {"created_at": timezone.now() + timedelta(minutes=5)}
        other = entry_of(self.user, pk=lost.pk, outcome="sending", to_object_id="903", **made)
        with self.assertLogs("associations.audit.spool", "ERROR") as logs:
            recorder.read_back()
        other.refresh_from_db()
        self.assertEqual((other.outcome, other.attempts.count()), ("sending", 0))
        self.assertEqual({*self.files()}, {".unusable"})
        self.assertIn("another entry of this number", str(vars(logs.records[0])))

    def test_so_it_is_where_nothing_but_the_end_of_it_was_kept(self) -> None:
        spool.keep(spool.Kept(None, [12345], closes=True))
        made = {"created_at": timezone.now() + timedelta(minutes=5)}
        other = entry_of(self.user, pk=12345, outcome="sending", **made)
        with self.assertLogs("associations.audit.spool", "ERROR"):
            recorder.read_back()
        other.refresh_from_db()
        self.assertEqual((other.outcome, self.files()), ("sending", [".unusable"]))

    def test_a_page_and_a_submit_ask_no_disk(self) -> None:
        with mock.patch.object(spool, "folder", side_effect=AssertionError):
            self.assertEqual(self.client.post("/", LINK).status_code, 302)
            self.client.get("/requests/")
        self.assertEqual(self.files(), [])


class FileTests(SpoolTestCase):
    def test_only_this_account_reads_them_and_they_hold_what_the_row_holds(self) -> None:
        with self.settings(HUBSPOT_ACCESS_TOKEN="pat-na1-canary00"):
            self.submit_and_lose_the_log()
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        for file in self.folder.iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            text = file.read_text()
            for hidden in ("pat-na1-canary00", "Support", "support@example.com", "Ada"):
                self.assertNotIn(hidden, text)
        self.assertEqual({each["format"] for each in self.kept()}, {1})

    def test_a_file_that_cannot_be_used_is_put_aside_and_keeps_no_other_waiting(self) -> None:
        entry = self.submit_and_lose_the_log()
        whole = self.kept()[0]
        odd = [b"", b"[]", b"{", b"\xff", b"[" * 9999, b'{"format": 2}']
        exchange = whole["attempt"] | {"http_status": "200"}
        forged = [
            {"attempt": exchange},
            {"attempt": whole["attempt"] | {"started_at": "2026-01-01"}},
            {"attempt": whole["attempt"] | {"failure": "nonsense"}},
            {"entries": ["1"]},
            {"entries": [2**80]},
            {"entries": [entry.pk + 1]},
            {"more": 1},
            {"batch": {"run_id": 1}},
            {"attempt": None, "batch": {}},
        ]
        odd += [json.dumps(whole | each).encode() for each in forged]
        for number, text in enumerate(odd):
            (self.folder / f"{time.time_ns()}-{number:03}.json").write_bytes(text)
        with self.assertLogs("associations.audit.spool", "ERROR") as logs:
            recorder.read_back()
        self.assertEqual(self.files(), [".unusable"] * len(odd))
        self.assertEqual(len(logs.records), len(odd))
        self.assert_told(entry, outcome="linked")
        self.assertIn(f"{len(odd)} answers of HubSpot that this machine kept", status()[1])

    def test_what_a_killed_process_had_begun_to_write(self) -> None:
        self.submit_and_lose_the_log()
        (self.folder / "0.part").write_text("{")
        recorder.read_back()
        self.assertEqual(self.files(), [".part"])  # somebody may be writing it
        with (
            mock.patch.object(spool, "WRITING_SECONDS", -1),
            self.assertLogs("associations.audit.spool", "ERROR"),
        ):
            recorder.read_back()
        self.assertEqual(self.files(), [".unusable"])

    def test_no_more_than_there_is_room_for(self) -> None:
        for bound in ("MOST_FILES", "MOST_BYTES"):
            with self.subTest(bound), mock.patch.object(spool, bound, 1):
                kept = spool.Kept(Attempt(timezone.now(), 1, http_status=200), [1], 1)
                self.assertTrue(spool.keep(kept))
                with self.assertLogs("associations.audit.spool", "ERROR") as logs:
                    self.assertFalse(spool.keep(kept))
                self.assertIn("is full", vars(logs.records[0])["why"])
                self.assertIn("there is no more room", status()[1])
                for file in self.folder.iterdir():
                    file.unlink()

    def test_what_others_could_have_put_there_is_not_believed(self) -> None:
        entry = self.submit_and_lose_the_log()
        self.folder.chmod(0o770)
        with self.assertLogs("associations.audit.spool", "WARNING") as logs:
            recorder.read_back()
        self.assertIn("not this account's alone", vars(logs.records[0])["why"])
        entry.refresh_from_db()
        self.assertEqual(entry.outcome, "sending")
        with self.assertLogs("associations.audit.spool", "ERROR"):
            self.assertFalse(spool.keep(spool.Kept(None, [1])))

    def test_a_place_where_nothing_can_be_kept_is_said(self) -> None:
        with (
            self.settings(SPOOL_DIR="/dev/null/x"),
            self.outage_after_opening(),
            self.assertLogs("associations", "ERROR") as logs,
        ):
            self.client.post("/", LINK)
        told = [vars(each) for each in logs.records if "kept" in vars(each)]
        self.assertTrue(told)
        self.assertFalse(any(each["kept"] for each in told))

    def test_what_is_much_older_than_the_last_seal_is_for_people(self) -> None:
        """In the log it would look like a row that was dated back."""
        user = person("other", "support")
        named_entry_of(user, "a", "b")
        list(seal_log())
        entry, _ = recorder.open_entry(user=user, meta=recorder.NOWHERE, reason="", **LINK)
        old = Attempt(timezone.now() - timedelta(hours=3), 1, http_status=200, body="{}")
        spool.keep(spool.Kept(old, [entry.pk], 1))
        with self.assertLogs("associations.audit.spool", "ERROR"):
            recorder.read_back()
        self.assertEqual((self.files(), entry.attempts.count()), ([".unusable"], 0))


class StatusTests(SpoolTestCase):
    def test_it_tells_how_many_wait_without_the_database_too(self) -> None:
        spool.keep(spool.Kept(None, [1], closes=True))
        code, written = status()
        self.assertEqual(code, 1, written)
        self.assertIn("1 answer of HubSpot waits on this machine", written)
        with database_away():
            code, written = status("--json")
        facts = json.loads(written)
        self.assertEqual((code, facts["status"]), (3, "unknown"))
        (line,) = facts["sections"][0]["lines"]
        self.assertIn("1 answer of HubSpot waits on this machine", line["text"])


class RunTests(SpoolMixin, EngineTestCase):
    """A worker gives up after a while; what HubSpot had said is in the log all the same."""

    @contextmanager
    def away_at_the_end(self) -> Iterator[None]:
        away, answered = database_away(), backoff.reaction_to

        def leave(*args: Any) -> Any:
            away.__enter__()
            return answered(*args)

        with (
            mock.patch.dict(retry_on_outage.__kwdefaults__, {"seconds": 0.0}),
            mock.patch.object(backoff, "reaction_to", side_effect=leave),
            self.assertRaises(DBError),
        ):
            try:
                yield
            finally:
                away.__exit__(None, None, None)

    def send(self, chunk: BulkChunk) -> None:
        tasks.send_chunk(chunk.run, chunk, time.monotonic() + 10)

    def test_single_rows(self) -> None:
        run = self.queued(row(0), row(1), row(2, contact=7_000_001), way=SendMode.SINGLE)
        with self.away_at_the_end():
            self.send(self.claimed(run))
        self.assertEqual(len(self.files()), 3)
        recorder.read_back()
        self.assertEqual([each[0] for each in self.outcomes(run)], ["linked", "linked", "queued"])
        run.refresh_from_db()
        self.assertEqual(run.linked, 2)
        calls = self.calls("PUT")
        run.chunks.update(owner="", lease_until=None)
        self.finish(run)
        self.assertEqual(self.outcomes(run)[2], ("rejected", "record_not_found"))
        self.assertEqual(self.calls("PUT"), calls + 1)

    def test_whoever_takes_them_up_looks_first(self) -> None:
        run = self.queued(row(0), way=SendMode.SINGLE)
        with self.away_at_the_end():
            self.send(self.claimed(run))
        run.chunks.update(owner="", lease_until=None)
        calls = self.calls("PUT")
        self.finish(run)
        attempts = run.entries.get().attempts
        self.assertEqual([each.http_status for each in attempts.all()], [200])
        self.assertEqual((self.calls("PUT"), self.files()), (calls, []))

    def test_a_batch_of_a_run_whose_number_a_restored_log_has_given_to_another(self) -> None:
        run = self.queued(row(0))
        exchange, types = Attempt(timezone.now(), 5, http_status=200, body="{}"), ("a", "b")
        lost = [70_001, 70_050]
        recorder.keep_batch(self.claimed(run), exchange, Answer(Cause.CONFIRMED), types, lost)
        with self.assertLogs("associations.audit.spool", "ERROR") as logs:
            recorder.read_back()
        self.assertIn("no such entries of this run", str(vars(logs.records[0])))
        self.assertEqual((run.batches.count(), self.files()), (0, [".unusable"]))

    def test_a_batch(self) -> None:
        run = self.queued(*map(row, range(12)))
        chunk = self.claimed(run)
        with (
            mock.patch.dict(retry_on_outage.__kwdefaults__, {"seconds": 0.0}),
            mock.patch.object(recorder, "record_batch", side_effect=DBError),
            self.assertRaises(DBError),
        ):
            self.send(chunk)
        self.assertEqual(len(self.files()), 1)
        recorder.read_back()
        batch = run.batches.get()
        self.assertEqual((batch.cause, batch.inputs), (Cause.CONFIRMED, 12))
        self.assertEqual({each.batch_id for each in run.entries.all()}, {batch.pk})
        self.assertEqual({each[0] for each in self.outcomes(run)}, {"queued"})
        ids = [run.entries.latest("pk").pk] * 12
        exchange = Attempt(batch.started_at, batch.duration_ms, http_status=200, body=batch.body)
        types = ("contacts", "companies")
        recorder.keep_batch(chunk, exchange, Answer(Cause.CONFIRMED), types, ids)
        recorder.read_back()
        self.assertEqual(run.batches.count(), 1)
        run.chunks.update(owner="", lease_until=None)
        self.finish(run)
        self.assertEqual([each[0] for each in self.outcomes(run)], ["linked"] * 12)

    def test_one_that_was_sent_again_meanwhile_is_left_to_who_sends_it(self) -> None:
        run = self.queued(row(0), way=SendMode.SINGLE)
        entry = run.entries.get()
        old = Attempt(timezone.now() - timedelta(minutes=1), 1, http_status=503)
        recorder.mark_as_sending(run.entries.all())
        spool.keep(spool.Kept(old, [entry.pk]))
        recorder.read_back()
        entry.refresh_from_db()
        self.assertEqual((entry.outcome, entry.attempts.count()), ("sending", 1))
