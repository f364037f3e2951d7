"""The units to copy: systemd finds nothing wrong with them, and little to harden."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands
from django.test import SimpleTestCase

from hubadmin import gunicorn_conf
from tests.support import needed

UNITS = settings.BASE_DIR / "hubadmin" / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
TELLING_OF_HEADS = "hubadmin/README.md", "associations/audit/integrity/README.md"
MOST = 20  # tenths of systemd's measure of exposure: 10 is an open door, 2 is "OK"


def units(pattern: str) -> list[Path]:
    return sorted(UNITS.glob(pattern))


@needed(ANALYZE, "systemd-analyze")
class AnalyzedTests(SimpleTestCase):
    def setUp(self) -> None:
        """The units as for this tree, whose programs systemd then finds."""
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "units"
        shutil.copytree(UNITS, self.folder)
        for file in self.folder.glob("**/*.*"):
            if file.is_file():
                text = file.read_text().replace("/opt/hubadmin", str(settings.BASE_DIR))
                file.write_text(text)

    def analyze(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [ANALYZE or "systemd-analyze", *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    def test_systemd_finds_nothing_wrong(self) -> None:
        for unit in units("*.service") + units("*.socket") + units("*.timer"):
            with self.subTest(unit.name):
                ended = self.analyze("verify", "--man=no", f"./{unit.name}")
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_each_is_hardened(self) -> None:
        self.assertEqual(len(units("*.service")), 7)
        for unit in units("*.service"):
            with self.subTest(unit.name):
                ended = self.analyze(
                    *("security", "--offline=true", f"--threshold={MOST}", "--no-pager"),
                    f"./{unit.name}",
                )
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
                self.assertIn("Overall exposure level", ended.stdout)


class WrittenTests(SimpleTestCase):
    def test_each_command_is_one(self) -> None:
        started = [
            re.search(r"^ExecStart=(.+)", each.read_text(), re.M)[1] for each in units("*.service")
        ]
        commands = {re.search(r"manage\.py (\w+)", each)[1] for each in started if "manage" in each}
        self.assertEqual(len(commands), 6)
        self.assertLessEqual(commands, {*get_commands()})
        self.assertIn("-c python:hubadmin.gunicorn_conf", " ".join(started))

    def test_whoever_talks_to_the_outside_has_not_the_sealers_settings(self) -> None:
        for unit in units("*.service"):
            accounts = re.findall(r"^User=(.+)", unit.read_text(), re.M)
            files = re.findall(r"ENV_FILE=(.+)", unit.read_text())
            with self.subTest(unit.name):
                self.assertEqual((len(accounts), len(files)), (1, 1))
                self.assertEqual(accounts == ["hubadmin"], files == ["/etc/hubadmin/web.env"])

    def test_nobody_is_cut_off_while_requests_end(self) -> None:
        (patience,) = re.findall(
            r"TimeoutStopSec=(\d+)", (UNITS / "hubadmin-web.service").read_text()
        )
        self.assertGreater(int(patience), gunicorn_conf.graceful_timeout)

    def test_each_starts_where_its_files_are_and_what_prunes_where_it_may_write(self) -> None:
        shared = "".join(each.read_text() for each in UNITS.glob("*.d/*"))
        self.assertNotIn("WorkingDirectory", shared, "it would win over that of each unit")
        for unit in units("*.service"):
            text = unit.read_text()
            (place,) = re.findall(r"^WorkingDirectory=(.+)", text, re.M)
            (own,) = re.findall(r"^StateDirectory=(\S+)", text, re.M)
            writes = "prune_audit_log" in text
            self.assertEqual(place, f"/var/lib/{own}" if writes else "/opt/hubadmin", unit.name)

    def test_the_file_of_heads_that_is_told_of_is_where_the_sealer_may_write(self) -> None:
        text = (UNITS / "hubadmin-sealer.service").read_text()
        (own,) = re.findall(r"^StateDirectory=(\S+)", text, re.M)
        for file in (".env.example", *TELLING_OF_HEADS):
            named = re.findall(
                r"AUDIT_HEADS_FILE=(\S+?)`?\s", (settings.BASE_DIR / file).read_text()
            )
            self.assertEqual({*named}, {f"/var/lib/{own}/heads"}, file)

    def test_each_timer_has_its_service_and_each_account_is_made(self) -> None:
        made = re.findall(r"^u (\S+)", (UNITS.parent / "sysusers.conf").read_text(), re.M)
        for timer in units("*.timer"):
            self.assertTrue(timer.with_suffix(".service").exists())
        told = "".join(each.read_text() for each in units("*.service"))
        self.assertEqual({*re.findall(r"^User=(.+)", told, re.M)}, {*made})
