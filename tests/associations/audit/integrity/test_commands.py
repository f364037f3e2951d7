"""The commands as people and cron run them: what they print, and their exit codes."""

import json
import re
import signal
import time
from datetime import timedelta
from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.db import connection
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from associations.audit.integrity import signing, triggers
from associations.models import AssociationRequest, AuditSeal, AuditVerification
from tests.associations.audit.integrity.base import (
    ENTRY,
    CommittedLogTestCase,
    LogTestCase,
    as_owner,
    run,
    seal,
    sql,
)
from tests.associations.audit.integrity.processes import Process, manage


class KeyTests(SimpleTestCase):
    def make(self) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("make_audit_key", stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    def test_it_prints_two_lines_for_the_environment_and_advice_beside(self) -> None:
        out, err = self.make()
        lines = re.fullmatch(r"AUDIT_SIGNING_KEY=(\S{44})\nAUDIT_PUBLIC_KEYS=(\S{44})\n", out)
        with override_settings(AUDIT_SIGNING_KEY=lines[1]):
            self.assertEqual(signing.own_key().text, lines[2])
        self.assertIn("The first is secret", err)

    def test_every_time_another(self) -> None:
        self.assertNotEqual(self.make()[0], self.make()[0])


class SealCommandTests(LogTestCase):
    def test_each_seal_is_a_line_with_its_head(self) -> None:
        self.entry()
        code, said = run("seal_audit_log")
        self.assertEqual((code, said), (0, f"seal 1\t{AuditSeal.objects.get().head}\n"))

    def test_with_nothing_to_seal_it_says_so(self) -> None:
        self.assertEqual(run("seal_audit_log"), (0, "Nothing is left to seal.\n"))

    def test_what_a_crash_left_open_is_closed_and_sealed(self) -> None:
        self.open_entry(sent_at=timezone.now() - timedelta(hours=1))
        run("seal_audit_log")
        self.assertEqual(AssociationRequest.objects.get().cause, "interrupted")
        self.assertIn("entry ", AuditSeal.objects.get().manifest)

    def test_without_a_key_it_says_how_to_make_one(self) -> None:
        for arguments in ((), ("--every", "60")):
            with override_settings(AUDIT_SIGNING_KEY=""):
                code, said = run("seal_audit_log", *arguments)
            self.assertEqual(code, 1)
            self.assertIn("AUDIT_SIGNING_KEY is not set", said)

    def test_no_pause_is_none(self) -> None:
        for seconds in ("0", "-1"):
            code, said = run("seal_audit_log", f"--every={seconds}")
            self.assertEqual(code, 1)
            self.assertIn("a number of seconds greater than 0", said)


class VerifyCommandTests(LogTestCase):
    def test_it_tells_now_and_then_how_far_it_is(self) -> None:
        seals = self.sealed_log(3)
        with mock.patch("associations.management.commands.verify_audit_log.PROGRESS_SECONDS", 0):
            said = self.assert_proven()
        for each, items in zip(seals, (2, 7, 9), strict=True):
            self.assertIn(f"seal {each.number}\t{items} items\t{each.head}\n", said)

    def test_missing_triggers_are_a_failure_of_their_own(self) -> None:
        self.sealed_log(1)
        sql(triggers.expected(connection.vendor)[0].drop)
        said = self.assert_not_proven("These triggers are missing or changed: hubadmin_")
        self.assertIn("`manage.py migrate` installs them. Proven up to seal 1", said)
        self.assertFalse(AuditVerification.objects.get().is_proven)

    def test_an_altered_log_comes_before_missing_triggers(self) -> None:
        self.sealed_log(1)
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another'")
        sql(triggers.expected(connection.vendor)[0].drop)
        self.assert_not_proven("NOT PROVEN. Entry [0-9]+ was altered")


class ProcessTests(CommittedLogTestCase):
    """Real processes, without anything that only a server needs."""

    def test_sealing_and_verifying(self) -> None:
        self.entry()
        done = manage("seal_audit_log")
        self.assertEqual(done.returncode, 0, done.stderr)
        head = AuditSeal.objects.get().head
        self.assertEqual(done.stdout, f"seal 1\t{head}\n")
        told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        (line,) = [each for each in told if each.get("logger") == "hubadmin.audit"]
        self.assertEqual((line["event"], line["seal"], line["head"]), ("audit log sealed", 1, head))
        public = {"AUDIT_SIGNING_KEY": "", "AUDIT_PUBLIC_KEYS": signing.own_key().text}
        for variables in ({}, public):
            done = manage("verify_audit_log", "--head", head, **variables)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Proven up to seal 1", done.stdout)

    def test_an_altered_log_is_exit_code_1(self) -> None:
        entry = self.entry()
        seal()
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another'")
        done = manage("verify_audit_log")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"NOT PROVEN. Entry {entry.pk} was altered", done.stderr)

    def test_a_missing_trigger_is_exit_code_1(self) -> None:
        trigger = triggers.expected(connection.vendor)[0]
        self.addCleanup(triggers.install)
        sql(trigger.drop)
        done = manage("verify_audit_log")
        self.assertEqual(done.returncode, 1)
        self.assertIn(trigger.name, done.stderr)

    def test_it_goes_on_sealing_until_it_is_told_to_end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            seals = AuditSeal.objects.count()
            process = Process("seal_audit_log", "--every", "0.1")
            for _ in range(2):
                self.entry()
                seals += 1
                self.wait_for(seals)
            process.send_signal(number)
            done = process.finish()
            self.assertEqual((done.returncode, done.stdout), (0, "Sealing has ended.\n"))

    def wait_for(self, seals: int) -> None:
        deadline = time.monotonic() + 30
        while AuditSeal.objects.count() < seals:
            self.assertLess(time.monotonic(), deadline, "it was not sealed in time")
            time.sleep(0.05)
