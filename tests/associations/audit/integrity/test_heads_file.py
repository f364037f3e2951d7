"""Heads on the sealer's own machine: a log that was cut short or made anew is found by them."""

import os
import re
import signal
import stat
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from unittest import mock

from django.db import connection, transaction
from django.test import override_settings

from associations.audit.integrity import heads_file
from associations.audit.integrity.heads_file import HeadsFile
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    LONG_AGO,
    CommittedLogTestCase,
    LogMixin,
    LogTestCase,
    as_owner,
    run,
    seal,
    sql,
)
from tests.associations.audit.integrity.processes import Process

LOGGER = "hubadmin.audit"


class HeadsMixin(LogMixin):
    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.enterContext(TemporaryDirectory())) / "heads"
        self.enterContext(override_settings(AUDIT_HEADS_FILE=str(self.file)))

    def lines(self) -> list[tuple[int, str]]:
        told = [line.split(" ") for line in self.file.read_text().splitlines()]
        return [(int(number), head) for number, head, _ in told]

    def kept(self, count: int) -> list[tuple[int, str]]:
        """A log of so many seals, written down."""
        self.sealed_log(count)
        HeadsFile().keep()
        return [*AuditSeal.objects.values_list("number", "head")]

    def cut_after(self, number: int) -> None:
        """As a recovery to a point in time does."""
        with as_owner():
            sql(f"DELETE FROM associations_auditseal WHERE number > {number}")

    def go_on(self, day: int) -> None:
        with self.at(LONG_AGO + timedelta(days=day)):
            self.entry()
        seal(at=LONG_AGO + timedelta(days=day))

    def assert_says(self, event: str, why: str, times: int = 1) -> None:
        with self.assertLogs(LOGGER, "ERROR") as logs:
            heads = HeadsFile()
            for _ in range(3):
                heads.keep()
        told = [each for each in logs.records if each.message == event]
        self.assertEqual(len(told), times)
        self.assertRegex(told[0].why, why)


class KeepingTests(HeadsMixin, LogTestCase):
    def test_each_seal_is_a_line_that_only_the_sealer_reads(self) -> None:
        before = os.umask(0)
        try:
            seals = self.kept(3)
        finally:
            os.umask(before)
        self.assertEqual(self.lines(), seals)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        line = r"3 [0-9a-f]{64} 2025-01-03T00:00:00.000000Z\n"
        self.assertRegex(self.file.read_text(), line)

    def test_the_command_writes_it(self) -> None:
        self.entry()
        run("seal_audit_log")
        self.assertEqual(len(self.lines()), 1)

    def test_what_was_not_written_is_caught_up_with(self) -> None:
        self.kept(2)
        self.go_on(3), self.go_on(4)
        HeadsFile().keep()
        self.assertEqual(self.lines(), [*AuditSeal.objects.values_list("number", "head")])
        before = self.file.read_bytes()
        HeadsFile().keep()
        self.assertEqual(self.file.read_bytes(), before)

    def test_a_line_that_was_cut_in_two_is_written_anew(self) -> None:
        seals = self.kept(3)
        whole = self.file.read_bytes()
        for size in (len(whole) - 1, len(whole) - 40, len(whole) - 90):
            self.file.write_bytes(whole[:size])
            self.assert_proven()
            HeadsFile().keep()
            self.assertEqual(self.lines(), seals)
            self.assertEqual(self.file.read_bytes(), whole)

    def test_of_a_log_that_is_older_the_newest(self) -> None:
        self.sealed_log(5)
        with mock.patch.object(heads_file, "AT_FIRST", 2):
            HeadsFile().keep()
        self.assertEqual([number for number, _ in self.lines()], [4, 5])
        self.assert_proven()

    def test_it_stays_small(self) -> None:
        """Of what is old, each day's last stays."""
        for minute in range(8):
            with self.at(LONG_AGO + timedelta(minutes=minute)):
                self.entry()
            seal(at=LONG_AGO + timedelta(minutes=minute))
        HeadsFile().keep()
        with mock.patch.object(heads_file, "MOST_BYTES", 600):
            self.go_on(1)
            HeadsFile().keep()
        numbers = [number for number, _ in self.lines()]
        self.assertEqual(numbers, [4, 5, 6, 7, 8, 9])
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertEqual([each.name for each in self.file.parent.iterdir()], ["heads"])
        self.assert_proven()

    def test_whatever_is_wrong_with_it_is_said_once_and_stops_nothing(self) -> None:
        self.sealed_log(1)
        event = "the heads of the seals cannot be written down"
        self.file.mkdir()
        self.assert_says(event, "AUDIT_HEADS_FILE is .*/heads: Is a directory")
        with override_settings(AUDIT_HEADS_FILE="/nowhere/heads"):
            self.assert_says(event, "AUDIT_HEADS_FILE is /nowhere/heads: No such file")
        self.file.rmdir()
        self.file.write_text("a\n")
        self.assert_says(event, "Line 1 of .*/heads cannot be read")
        self.assertEqual(self.file.read_text(), "a\n")

    def test_without_the_setting_nothing_is_written(self) -> None:
        with override_settings(AUDIT_HEADS_FILE=""):
            self.kept(1)
        self.assertFalse(self.file.exists())


class ComparedTests(HeadsMixin, LogTestCase):
    def test_it_is_said_that_they_were_compared(self) -> None:
        self.kept(3)
        said = self.assert_proven()
        self.assertIn(f"the one that {self.file} knows, up to seal 3 at least.", said)
        self.assertNotIn("Without a head noted elsewhere", said)

    def test_seals_that_came_since_are_no_fault(self) -> None:
        self.kept(3)
        self.go_on(5)
        self.assertIn("up to seal 3 at least", self.assert_proven())

    def test_a_recovery_that_loses_the_newest(self) -> None:
        self.kept(4)
        self.cut_after(2)
        said = self.assert_not_proven(
            "NOT PROVEN. The seals after seal 2 are gone: .*/heads knew seal 3 on 2025-01-03 "
            "00:00:00 UTC with the head [0-9a-f]{64}. The log was cut short, or an older backup"
        )
        self.assertIn("Proven before that: up to seal 2.", said)

    def test_and_goes_on_from_there(self) -> None:
        """Then a number exists twice, each time with another head."""
        before = self.kept(4)
        self.cut_after(2)
        self.assert_says("the log lacks a seal that was made before", ".*/heads knew seal 4 on")
        self.go_on(8), self.go_on(9), self.go_on(10)
        self.assert_says("the log lacks a seal that was made before", ".*/heads knew seal 4 on")
        after = [*AuditSeal.objects.filter(number__gt=2).values_list("number", "head")]
        self.assertEqual(self.lines(), [*before, *after])
        self.go_on(11)
        with self.assertNoLogs(LOGGER, "ERROR"):
            HeadsFile().keep()
        self.assertEqual([number for number, _ in self.lines()], [1, 2, 3, 4, 3, 4, 5, 6])
        said = self.assert_not_proven("NOT PROVEN. Seal 3 was rewritten, or made anew after an old")
        self.assertIn("Proven before that: up to seal 2.", said)

    def test_a_file_of_another_log(self) -> None:
        self.kept(3)
        text = re.sub(
            " [0-9a-f]{64} ", lambda _: f" {os.urandom(32).hex()} ", self.file.read_text()
        )
        self.file.write_text(text)
        why = "heads has 3 heads, and none of them is in this log. Either the file is of another"
        self.assert_not_proven(f"NOT PROVEN in all.\n.*{why}")
        self.go_on(5)
        self.assert_says("the heads of the seals cannot be written down", why)
        self.assertEqual(self.file.read_text(), text)

    def test_one_that_shows_nothing(self) -> None:
        self.kept(2)
        self.file.write_text(self.file.read_text().replace("2025", "2O25", 1))
        self.assert_not_proven("Line 1 of .*/heads cannot be read: it is not as seal_audit_log")
        self.file.write_bytes(b"\xff\0\n")
        self.assert_not_proven("Line 1 of .*/heads cannot be read")
        self.file.unlink()
        self.assert_not_proven("AUDIT_HEADS_FILE is .*/heads: No such file or directory")
        self.file.mkdir()
        self.assert_not_proven("AUDIT_HEADS_FILE is .*/heads: Is a directory")
        said = run("verify_audit_log")[1]
        self.assertIn("Proven up to seal 2", said)

    def test_a_part_of_the_log(self) -> None:
        self.kept(4)
        head = AuditSeal.objects.get(number=2).head
        self.assert_proven("--after", head)
        self.cut_after(3)
        self.assert_not_proven("The seals after seal 3 are gone", "--after", head)


class CrashTests(HeadsMixin, CommittedLogTestCase):
    def test_kill_9_in_between_is_no_false_alarm(self) -> None:
        for number in range(6):
            process = Process("seal_audit_log", "--every", "0.01", AUDIT_HEADS_FILE=str(self.file))
            before, deadline = AuditSeal.objects.count(), time.monotonic() + 30
            while AuditSeal.objects.count() < before + 3 + number % 3:
                self.assertLess(time.monotonic(), deadline)
                with transaction.atomic():  # an entry and its attempt
                    self.entry()
            process.send_signal(signal.SIGKILL)
            process.finish()
            self.assert_proven()
        HeadsFile().keep()
        self.assertEqual(self.lines(), [*AuditSeal.objects.values_list("number", "head")])

    def test_several_at_once_write_each_line_once(self) -> None:
        self.sealed_log(5)

        def keep() -> None:
            with mock.patch.object(heads_file, "MOST_BYTES", 100):
                for _ in range(5):
                    HeadsFile().keep()
            connection.close()

        threads = [Thread(target=keep) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(self.lines(), [*AuditSeal.objects.values_list("number", "head")])
