"""The benchmark itself: that it measures what it says, and that its peers still run."""

import tempfile
import unittest
from pathlib import Path

from django.db import connection
from django.test import override_settings, tag

from hubadmin.demo.sandbox import Sandbox
from tests.benchmarks.subject import Subject, hubadmin
from tests.benchmarks.submit import PEERS, Side
from tests.support import LogTransactionTestCase, SandboxMixin


@override_settings(HUBSPOT_VERIFY=False)
class HubadminTests(SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.subject = Subject(hubadmin(), self.sandbox.url)
        self.addCleanup(lambda: connection.cursor().execute("DROP TABLE raw_log"))

    def test_each_step_is_measured_and_each_submit_is_one_entry_and_one_put(self) -> None:
        with self.subject.checked():
            samples = self.subject.flows(2)
        self.assertEqual({len(each) for each in samples.values()}, {2})

    def test_a_submit_is_measured_counted_and_not(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(METRICS_DIR=folder):
            with self.subject.checked():
                samples = self.subject.counted(2)
            self.assertTrue([*Path(folder).glob("counter_*.db")])
        self.assertEqual([len(samples[name]) for name in ("counted", "uncounted")], [2, 2])

    def test_the_floor_is_one_statement_that_commits(self) -> None:
        with self.subject.checked():
            said = self.subject.statements()
        self.assertEqual(said["floor"], {"statements": 1, "commits": 1, "sent": 1})
        # An entry before the PUT, what came of it after it.
        self.assertGreaterEqual(said["POST"]["commits"], 2)
        self.assertEqual({said[page]["commits"] for page in ("form", "answer", "list")}, {0})

    def test_a_submit_that_is_not_linked_ends_the_benchmark(self) -> None:
        fields = self.subject.fields()
        with self.assertRaisesRegex(AssertionError, "rejected by 1"), self.subject.checked():
            self.sandbox.fault(status=400)
            self.subject.post(fields)


@tag("own_database")
class PeerTests(unittest.TestCase):
    def test_each_of_them_runs(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        sandbox = self.enterContext(Sandbox())
        for name in PEERS[1:]:  # what is plain about them is the same in each
            with self.subTest(name), Side(name, folder, sandbox.url, rows=0) as side:
                side.rounds.append(side.ask("flows 1"))
                self.assertGreater(side.ratio("POST", "floor"), 0)
