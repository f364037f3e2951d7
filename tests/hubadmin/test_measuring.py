"""How processes count: forked ones, killed ones, who comes after them, and without a folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.test import TestCase, tag
from prometheus_client.multiprocess import MultiProcessCollector

from associations.audit import events
from associations.hubspot.outcomes import Cause
from hubadmin.web import measuring
from tests.associations.linking.base import entry_of
from tests.hubadmin.test_checks import CheckTestCase
from tests.support import person

TOKEN = "a-token-of-the-tests-own"
# Both count 1 before and 10 after the fork; the child is killed, the first one ends.
FORKS = """
import os, signal
import django
django.setup()
from hubadmin.web.middleware import REQUESTS
REQUESTS.add("link", "GET", "2xx")
child = os.fork()
REQUESTS.add("link", "GET", "2xx", by=10)
if child == 0:
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
REQUESTS.add("link", "GET", "2xx", by=100)
"""


def total(folder: Path) -> float:
    found = MultiProcessCollector(None, str(folder)).collect()
    return sum(sample.value for each in found for sample in each.samples)


class FolderTestCase(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "metrics"
        changed = self.settings(METRICS_TOKEN=TOKEN, METRICS_DIR=str(self.folder))
        self.enterContext(changed)


@tag("own_database")
class ProcessTests(FolderTestCase):
    def run_forks(self) -> None:
        environment = {"PATH": os.environ["PATH"], "ENV_FILE": "", "SECRET_KEY": "x" * 50}
        environment |= {"METRICS_TOKEN": TOKEN, "METRICS_DIR": str(self.folder)}
        environment["DJANGO_SETTINGS_MODULE"] = "hubadmin.settings"
        command = [sys.executable, "-c", FORKS]
        subprocess.run(command, env=environment, cwd=settings.BASE_DIR, check=True, timeout=60)

    def test_each_counts_for_itself_and_who_comes_later_counts_on(self) -> None:
        for times in (1, 2, 3):
            self.run_forks()
            self.assertEqual(total(self.folder), times * 121)
        self.assertEqual(len([*self.folder.glob("*.lock")]), 2, "files are of as many processes")

    def test_files_have_all_their_room_and_are_nobody_elses(self) -> None:
        self.run_forks()
        for file in self.folder.glob("*.db"):
            self.assertGreaterEqual(file.stat().st_blocks * 512, measuring.FILE_BYTES)
        modes = [each.stat().st_mode & 0o777 for each in (self.folder, *self.folder.iterdir())]
        self.assertEqual((modes[0], {*modes[1:]}), (0o700, {0o600}))


class CountedTests(FolderTestCase):
    def test_an_entry_whose_look_is_to_come_is_counted_by_what_that_shows(self) -> None:
        entry = entry_of(person(), look_due=True)
        events.record_closed(entry)
        self.assertEqual(total(self.folder) if self.folder.exists() else 0, 0)
        entry.look_due, entry.outcome, entry.cause = None, "unconfirmed", Cause.NOT_SHOWN
        events.record_looked(entry)
        (family,) = MultiProcessCollector(None, str(self.folder)).collect()
        told = [(each.labels, each.value) for each in family.samples]
        self.assertEqual(told, [({"outcome": "unconfirmed", "cause": "not_shown"}, 1)])

    def test_a_code_of_another_version_is_one_of_many(self) -> None:
        entry = entry_of(person())
        entry.cause = "of_another_version"
        events.record_closed(entry)
        (family,) = MultiProcessCollector(None, str(self.folder)).collect()
        self.assertEqual({*family.samples[0].labels.values()}, {"other"})

    def test_where_nothing_can_be_counted_that_is_told_once(self) -> None:
        self.folder.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        with self.assertLogs("hubadmin.web.measuring", "ERROR") as logs:
            for _ in range(3):
                events.record_sent_again(2)
        self.assertEqual(len(logs.records), 1)
        self.assertIn("chmod 700", logs.records[0].why)

    def test_without_a_token_nothing_is_made(self) -> None:
        with self.settings(METRICS_TOKEN=""):
            events.record_sent_again(2)
        self.assertFalse(self.folder.exists())


class CheckTests(CheckTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_a_token_that_could_be_guessed_or_that_no_header_has(self) -> None:
        own = {"METRICS_DIR": str(self.folder)}
        for token in ("short", "x" * 15, "with a space in between", "länger als sechzehn"):
            self.assert_says("hubadmin.E055", METRICS_TOKEN=token, **own)
        self.assert_says(METRICS_TOKEN=TOKEN, **own)
        self.assert_says(METRICS_TOKEN="", METRICS_DIR="/proc/nowhere")

    def test_a_folder_that_others_may_read_or_that_is_none(self) -> None:
        self.folder.chmod(0o750)
        file = self.folder / "file"
        file.touch()
        for path in (self.folder, file, file / "below"):
            self.assert_says("hubadmin.E056", METRICS_TOKEN=TOKEN, METRICS_DIR=str(path))
        new = self.folder / "new" / "metrics"
        self.assert_says(METRICS_TOKEN=TOKEN, METRICS_DIR=str(new))
        self.assertFalse(new.parent.exists(), "a check makes nothing: it may be root's")
