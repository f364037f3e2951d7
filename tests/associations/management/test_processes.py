"""Both commands as a shell runs them: their codes, and what signals do."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from django.conf import settings
from django.test import tag

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from tests.associations.management.test_link import ADA, ANALYTICAL
from tests.hubadmin.test_settings import PRODUCTION


@tag("own_database")
class ProcessTests(unittest.TestCase):
    """The command as a shell runs it, with a database and a HubSpot of its own."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.sandbox = self.enterContext(Sandbox())
        self.folder = folder
        self.environment = (
            os.environ
            | PRODUCTION
            | {
                "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
                "HUBSPOT_API_BASE_URL": self.sandbox.url,
                "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN,
                "LC_ALL": "C.UTF-8",
            }
        )
        self.manage("migrate", "-v0")
        self.manage("shell", "-c", MAKE_ADA)

    def command(self, *args: str) -> list[str]:
        return [sys.executable, str(settings.BASE_DIR / "manage.py"), *args]

    def manage(self, *args: str, code: int = 0) -> str:
        ended = subprocess.run(
            self.command(*args), env=self.environment, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        self.assertNotIn(SANDBOX_TOKEN, ended.stdout + ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        return ended.stdout

    def begun(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command(*args),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, method: str, path: str) -> None:
        deadline = time.monotonic() + 120
        while not any(
            each["method"] == method and path in each["path"] for each in self.sandbox.requests
        ):
            self.assertLess(time.monotonic(), deadline, "HubSpot was not asked")
            time.sleep(0.02)

    def test_both_commands_with_their_codes(self) -> None:
        who = ("--as", "ada@example.com")
        told = json.loads(self.manage("link", ADA, ANALYTICAL, *who, "--reason", "SUP-1"))
        self.assertEqual((told["result"], told["to"]["id"]), ("linked", "902"))
        self.manage("link", ADA, "company:Analytical Ltd", *who, code=3)
        self.assertEqual(self.manage("link", ADA, code=2), "", "argparse speaks for itself")
        pairs = self.folder / "pairs.csv"
        pairs.write_text("Who,Where\n501,903\n502,\n")
        said = ("--map", "Who=contact id", "--map", "Where=company id", *who)
        told = json.loads(self.manage("bulk", str(pairs), *said, "--dry-run", code=3))
        self.assertEqual([each["line"] for each in told["left_out"]], [3])
        told = json.loads(self.manage("bulk", str(pairs), *said, code=3))
        self.assertEqual((told["state"], told["outcomes"]["linked"]), ("done", 1))

    def test_a_signal_lets_the_request_under_way_end_and_be_logged(self) -> None:
        self.sandbox.faults.add({"method": "PUT", "delay": 2})
        process = self.begun("link", "contact 501", "company 902", "--as", "Ada")
        self.wait_for("PUT", "/associations/")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(json.loads(out)["entry"]["outcome"], "linked")

    def test_a_signal_leaves_a_run_to_the_workers(self) -> None:
        pairs = self.folder / "pairs.csv"
        rows = (f"{1_000_000 + n},{2_000_000 + n}" for n in range(1, 400))
        pairs.write_text("contact id,company id\n" + "\n".join(rows) + "\n")
        process = self.begun("bulk", str(pairs), "--way", "single", "--as", "Ada")
        self.wait_for("PUT", "/associations/")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 7, err)
        told = json.loads(out)
        self.assertEqual(told["state"], "running")
        self.assertGreater(told["outcomes"]["queued"], told["outcomes"]["linked"])
        self.assertIn("workers send the rest", err)
        counted = self.manage("shell", "-v0", "-c", COUNT_OPEN).strip()
        self.assertEqual(counted, "0 sending, 0 leased")


MAKE_ADA = """
from hubadmin.models import User
User.objects.create(issuer="t", subject="a", email="ada@example.com", name="Ada", role="support")
"""
COUNT_OPEN = """
from associations.models import AssociationRequest, BulkChunk, BulkRun
sending = AssociationRequest.objects.filter(outcome="sending").count()
leased = sum(each.objects.exclude(owner="").count() for each in (BulkChunk, BulkRun))
print(f"{sending} sending, {leased} leased")
"""
