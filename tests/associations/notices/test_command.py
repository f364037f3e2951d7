"""`manage.py send_notices`: one pass for a timer, and trying receivers out."""

import io

from django.core.management import CommandError, call_command
from django.test import TestCase
from django.utils import timezone

from associations.models import Delivery, Notice, Watch
from associations.notices.watch import watch
from associations.status.notices import notice_lines
from tests.associations.linking.base import run_of
from tests.associations.notices.base import SITE, Hooks, Mails, closed_port, told
from tests.support import LogTransactionTestCase, database_away, person


def send_notices(*options: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that were written."""
    written, code = io.StringIO(), 0
    try:
        call_command("send_notices", *options, stdout=written)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, written.getvalue().splitlines()


class SendNoticesTests(TestCase):
    def setUp(self) -> None:
        self.hooks = self.enterContext(Hooks())
        # The sealer's settings: no token.
        self.enterContext(self.settings(HUBSPOT_ACCESS_TOKEN=""))

    def test_one_pass_looks_and_sends(self) -> None:
        with told(f"a json {self.hooks.url}/ok"):
            watch()
            now = timezone.now()
            run_of(person(), started_at=now, finished_at=now)
            Watch.objects.update(watched_at=None)
            self.assertEqual(send_notices(), (0, []))
        self.assertEqual([each.json["event"] for each in self.hooks.posts], ["run_ended"])
        self.assertIsNotNone(Delivery.objects.get().sent_at)

    def test_each_receiver_is_tried_and_what_came_of_it_is_said(self) -> None:
        mails = self.enterContext(Mails())
        lines = [
            f"chat slack {self.hooks.url}/ok/canary",
            f"team teams {self.hooks.url}/failing/canary",
            f"soc json http://127.0.0.1:{closed_port()}/canary run_ended",
            "ops email ops@example.com",
        ]
        with told("\n".join(lines), **mails.settings):
            code, said = send_notices("--test")
            self.assertEqual(code, 1)
            self.assertEqual(
                said,
                [
                    "chat: sent",
                    "team: not sent. The last try was answered with HTTP 500.",
                    "soc: not sent. The last try found no connection.",
                    "ops: sent",
                ],
            )
            self.assertEqual(len(mails.mails), 1)
            # Whoever is first: they are tried side by side.
            (chat,) = [post.json for post in self.hooks.posts if post.path.startswith("/ok")]
            self.assertIn("A test of hubadmin's notices", chat["text"])
            self.assertIn(f"{SITE}/status/", chat["text"])
            shown = [each.text for each in notice_lines()]
        self.assertIn("Notices for chat: last delivered", shown[0])
        self.assertEqual(shown[1], "Notices for team: none was to be sent yet.")
        # Nobody tries a test again.
        self.assertFalse(Delivery.objects.filter(next_at__isnull=False).exists())

    def test_one_of_them(self) -> None:
        with told(f"a json {self.hooks.url}/failing; b json {self.hooks.url}/ok"):
            self.assertEqual(send_notices("--test", "b"), (0, ["b: sent"]))
            with self.assertRaisesMessage(CommandError, "no receiver c; there are: a, b."):
                send_notices("--test", "c")
        self.assertEqual(self.hooks.paths(), ["/ok"])
        self.assertEqual(Notice.objects.count(), 1)

    def test_without_receivers(self) -> None:
        for options in ([], ["--test"]):
            with self.assertRaisesMessage(CommandError, "NOTICE_RECEIVERS names nobody"):
                send_notices(*options)


class AwayTests(LogTransactionTestCase):
    def test_a_database_that_is_away(self) -> None:
        for options in ([], ["--test"]):
            with (
                told("a json http://127.0.0.1:9/"),
                database_away(),
                self.assertRaisesMessage(CommandError, "The database cannot be used"),
            ):
                send_notices(*options)
