"""Sealing and verifying by several processes: the same seals, the same findings, in order."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from unittest import mock, skipUnless

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase
from django.utils import timezone

from associations.audit.integrity import processes, sealing
from associations.audit.integrity.chain_verification import verify
from associations.audit.integrity.manifest import read
from associations.audit.integrity.processes import Processes
from associations.audit.integrity.sealing import seal_log
from associations.models import AssociationRequest
from tests.associations.audit.integrity.base import (
    ENTRY,
    CommittedLogTestCase,
    LogTestCase,
    as_owner,
    run,
    sql,
)

SEALS = 6


class ProcessesTests(CommittedLogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(processes, "ALONE", 0))
        pool = mock.patch.object(processes, "ProcessPoolExecutor", wraps=ProcessPoolExecutor)
        self.pools = self.enterContext(pool)

    def log_of(self, seals: int) -> None:
        """So many seals of two entries each, the digests of each by another process."""
        for _ in range(2 * seals - AssociationRequest.objects.count()):
            self.entry()
        self.entries = [*AssociationRequest.objects.order_by("pk").values_list("pk", flat=True)]
        with (
            mock.patch.multiple(sealing, ITEMS_PER_SEAL=2, ITEMS_AT_LEAST=1),
            mock.patch.object(
                Processes, "submit", autospec=True, side_effect=Processes.submit
            ) as s,
        ):
            made = list(seal_log(processes=2))
        self.assertEqual(s.call_count, 2 * seals)
        self.assertEqual([[*read(each.manifest).ids("entry")] for each in made], self.pairs())

    def pairs(self) -> list[list[int]]:
        return [self.entries[n : n + 2] for n in range(0, len(self.entries), 2)]

    def alter(self, entry: int) -> None:
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {entry}")

    def test_what_two_have_sealed_one_and_two_prove(self) -> None:
        self.log_of(SEALS)
        self.assertEqual(self.pools.call_count, 1)
        for number in (1, 2):
            self.assertEqual(self.proven_by(number), [*range(1, SEALS + 1)])
        self.assertEqual(self.pools.call_count, 2)

    def proven_by(self, number: int) -> list[int]:
        told: list[int] = []
        report = verify(processes=number, progress=lambda so_far: told.append(so_far.last.number))
        self.assertEqual((report.seals, report.items, report.found), (SEALS, 2 * SEALS, 0))
        return told

    def test_the_first_thing_that_is_wrong_is_told_whoever_finds_it(self) -> None:
        self.log_of(SEALS)
        for seal in (5, 3):  # the later one may be found first
            self.alter(self.pairs()[seal - 1][1])
        with as_owner():
            sql("DELETE FROM associations_auditseal WHERE number = 6")
            sql("UPDATE associations_auditseal SET signature = 'x' WHERE number = 4")
        code, said = run("verify_audit_log", "--processes", "2")
        self.assertEqual(code, 1, said)
        self.assertIn(f"Entry {self.pairs()[2][1]} was altered: it is not what seal 3", said)
        self.assertIn("Proven before that: up to seal 2.", said)

    def test_a_break_of_the_chain_is_told_after_all_that_is_before_it(self) -> None:
        self.log_of(SEALS)
        with as_owner():
            sql("DELETE FROM associations_auditseal WHERE number = 5")
        code, said = run("verify_audit_log", "--processes", "2")
        self.assertEqual(code, 1, said)
        self.assertIn("Seal 5 was removed: after seal 4 comes seal 6.", said)
        self.assertIn("Proven before that: up to seal 4.", said)

    def test_what_is_odd_is_told_as_well(self) -> None:
        with self.at(timezone.now() + timedelta(days=9)):
            ahead = self.entry().pk
        self.log_of(2)
        report = verify(processes=2)
        self.assertEqual(report.findings, verify().findings)
        self.assertIn(f"Entry {ahead} was dated ahead", " ".join(report.findings))


class NumberTests(LogTestCase):
    def test_in_a_transaction_nobody_else_is_asked(self) -> None:
        self.sealed_log(3)
        self.enterContext(mock.patch.object(processes, "ALONE", 0))
        with mock.patch.object(processes, "ProcessPoolExecutor") as pool:
            self.assertEqual(verify(processes=4).seals, 3)
        pool.assert_not_called()

    def test_it_takes_one_at_least(self) -> None:
        for command in ("verify_audit_log", "seal_audit_log"):
            for number in ("0", "-1", "x"):
                code, said = run(command, "--processes", number)
                self.assertEqual(code, 1)
                self.assertIn("--processes", said)
        self.assertGreaterEqual(processes.cores(), 1)


PROGRAM = """
import time
import django
django.setup()
from associations.audit.integrity import processes
if __name__ == "__main__":
    processes.ALONE = 0
    with processes.Processes(2) as others:
        print(others.submit(processes.os.getpid).result(), flush=True)
        time.sleep(60)
"""


@skipUnless(sys.platform == "linux", "only Linux ends a process with its parent")
class KilledTests(SimpleTestCase):
    def test_nothing_is_left_of_it(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        program = Path(folder, "program.py")
        program.write_text(PROGRAM)
        parent = subprocess.Popen(
            [sys.executable, program],
            env=os.environ | {"PYTHONPATH": str(settings.BASE_DIR)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        self.enterContext(parent.stdout)
        child = Path("/proc", parent.stdout.readline().strip())
        self.assertTrue(child.exists())
        parent.kill()
        deadline = time.monotonic() + 10
        while child.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if is_left := child.exists():
            os.kill(int(child.name), signal.SIGKILL)
        self.assertFalse(is_left, "it waits for ever for a parent that is gone")


class OptionTests(SimpleTestCase):
    def test_a_number_that_is_none_is_named(self) -> None:
        for text in ("0", "-1", "two", "1.5", "", "٣"):
            with self.subTest(text), self.assertRaisesMessage(CommandError, "whole number from 1"):
                call_command("verify_audit_log", f"--processes={text}")
