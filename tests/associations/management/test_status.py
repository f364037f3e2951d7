"""`manage.py status`: what /status/ says, for programs that watch."""

import io
import json
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from associations.models import AssociationRequest, BulkRun, RunState
from tests.associations.linking.base import run_of
from tests.associations.status.test_views import StatusTestCase
from tests.support import LogTransactionTestCase, database_away, missing_table


def status(*options: str) -> tuple[int, str]:
    """Return the exit code and what was written."""
    written = io.StringIO()
    try:
        call_command("status", *options, stdout=written)
    except SystemExit as end:
        return int(end.code or 0), written.getvalue()
    raise AssertionError("it ends with its code")


class StatusCommandTests(StatusTestCase):
    def facts(self) -> dict[str, Any]:
        code, written = status("--json")
        facts = json.loads(written)
        self.assertEqual(facts["exit_code"], code)
        return facts

    @override_settings(HUBSPOT_API_VERSION="2026-09")
    def test_all_in_order(self) -> None:
        code, written = status()
        first, *lines = written.splitlines()
        self.assertEqual((code, first), (0, "OK - all is in order"), written)
        self.assertGreater(len(lines), 8)
        self.assertTrue(all(line.startswith(("well", "unknown")) for line in lines), written)
        self.assertNotIn("<", written)

    def test_json_has_the_lines_of_the_page(self) -> None:
        facts = self.facts()
        keys = {"status", "exit_code", "headline", "version", "commit", "at", "sections"}
        self.assertEqual(set(facts), keys)
        names = [each["name"] for each in facts["sections"]]
        told = ",\\s+".join(f"`{name}`" for name in names)
        self.assertRegex((settings.BASE_DIR / "hubadmin" / "README.md").read_text(), told)
        self.assertEqual(names, ["hubspot", "calls", "runs", "version", "clocks", "log", "notices"])
        page = self.page()
        for section in facts["sections"]:
            for line in section["lines"]:
                self.assertEqual(set(line), {"level", "text", "advice", "codes", "event"})
                if "seen" not in line["text"] and "calls" not in line["text"]:
                    self.assert_says(page, line["text"])

    @override_settings(PROBLEMS=["DATABASE_URL_FILE is 'x', which cannot be read."])
    def test_nothing_is_told_of_another_database_than_was_meant(self) -> None:
        code, written = status()
        self.assertEqual(code, 3)
        self.assertEqual(written, "UNKNOWN - DATABASE_URL_FILE is 'x', which cannot be read.\n")
        self.assertEqual(self.facts()["sections"], [])

    def test_what_needs_attention_soon_is_a_warning(self) -> None:
        run_of(self.user, state=RunState.PAUSED)
        code, written = status()
        self.assertEqual((code, written.split()[0]), (1, "WARNING"), written)
        self.assertIn("is paused until somebody resumes it", written.splitlines()[0])

    def test_what_is_wrong_is_critical(self) -> None:
        run_of(self.user, state=RunState.RUNNING)
        code, written = status()
        self.assertEqual((code, written.split()[0]), (2, "CRITICAL"))
        self.assertIn("No worker is running", written.splitlines()[0])
        self.assertEqual(self.facts()["status"], "critical")

    def test_a_refused_token_is_critical(self) -> None:
        self.fault("account-info/v3/details", status=401, times=None)
        self.assertEqual(status()[0], 2)


class AwayTests(LogTransactionTestCase):
    def test_a_database_that_cannot_be_asked_is_unknown(self) -> None:
        with database_away():
            code, written = status()
            self.assertEqual((code, written.split()[0]), (3, "UNKNOWN"))
            code, written = status("--json")
        self.assertEqual((code, json.loads(written)["status"]), (3, "unknown"))
        self.assertEqual(json.loads(written)["sections"], [])
        with missing_table(BulkRun):
            self.assertEqual(status()[0], 3)
        self.assertTrue(connection.is_usable())
        self.assertFalse(AssociationRequest.objects.exists())
