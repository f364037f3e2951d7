"""Real processes: killed between event and sending, at work side by side, and ended in order."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import tag

from tests.associations.notices.base import SECRET, SITE, Hooks, wait_for
from tests.demo import MANAGE, ready

A_RUN = """
from django.utils import timezone; from hubadmin.models import User
from associations.models import BulkRun
user, _ = User.objects.get_or_create(issuer="t", subject="t", name="Canary Person")
now = timezone.now()
BulkRun.objects.create(user=user, user_name="Canary Person", name="canary.csv", state="done",
    rows_read=3, queued=3, linked=3, created_at=now, started_at=now, finished_at=now)
"""


@tag("own_database")
class ProcessTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = ready(Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo")
        self.database = folder / "hubadmin.sqlite3"
        self.hooks = self.enterContext(Hooks())
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": "",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY,
            "SITE_URL": SITE,
            "NOTICE_PRIVATE_RECEIVERS": "hook",
            "NOTICE_SIGNING_SECRET": SECRET,
        }
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, MANAGE, *arguments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=120)

    def sealer(self, path: str) -> subprocess.Popen:
        receiver = {"NOTICE_RECEIVERS": f"hook json {self.hooks.url}{path}"}
        process = subprocess.Popen(
            [sys.executable, MANAGE, "seal_audit_log", "--every", "1", "--processes", "1"],
            env=self.environment | receiver,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            return database.execute(statement).fetchall()

    def kill(self, process: subprocess.Popen) -> None:
        process.kill()
        process.wait()

    def a_run_ends(self) -> None:
        self.manage("shell", "-v0", "-c", A_RUN)

    def look_again(self) -> None:
        self.sql("UPDATE associations_watch SET watched_at = NULL")

    def test_killed_between_event_and_sending_it_is_told_all_the_same(self) -> None:
        sealer = self.sealer("/ok")
        wait_for(lambda: self.sql("SELECT * FROM associations_watch"), 60)
        self.kill(sealer)
        self.a_run_ends()
        self.look_again()
        # It is sent, and before that can be noted, whoever has sent it is gone.
        sealer = self.sealer("/slow")
        wait_for(lambda: self.hooks.posts, 60)
        self.kill(sealer)
        self.assertEqual(self.sql("SELECT sent_at FROM associations_delivery"), [(None,)])
        self.sql("UPDATE associations_delivery SET next_at = '2026-01-01 00:00:00'")
        sealer = self.sealer("/ok")
        sent = "SELECT sent_at FROM associations_delivery WHERE sent_at IS NOT NULL"
        wait_for(lambda: self.sql(sent), 60)
        self.assertEqual(self.hooks.paths(), ["/slow", "/ok"])
        first, second = (each.json for each in self.hooks.posts)
        self.assertEqual(first, second)
        self.assertEqual(first["event"], "run_ended")
        self.assertNotIn("canary", str(self.hooks.posts).lower().replace(SECRET, ""))
        # The one that was killed is no silence as long as another lives. It ends in order.
        sealer.send_signal(signal.SIGTERM)
        self.assertEqual(sealer.wait(30), 0)
        self.assertNotIn("canary", sealer.stdout.read().decode())
        self.assertEqual(len(self.sql("SELECT * FROM associations_sealer")), 2)

    def test_two_side_by_side_tell_it_once(self) -> None:
        sealers = [self.sealer("/ok"), self.sealer("/ok")]
        wait_for(lambda: len(self.sql("SELECT * FROM associations_sealer")) == 2, 60)
        for _ in range(3):
            self.a_run_ends()
        self.look_again()
        wait_for(lambda: len(self.hooks.posts) >= 3, 60)
        time.sleep(6)
        self.assertEqual(len({each.json["id"] for each in self.hooks.posts}), 3)
        self.assertEqual(len(self.hooks.posts), 3)
        for each in sealers:
            each.terminate()
            self.assertEqual(each.wait(30), 0)
        self.assertEqual(self.sql("SELECT * FROM associations_sealer"), [])

    def test_a_receiver_that_is_none_stops_no_sealing(self) -> None:
        self.environment |= {"SITE_URL": "", "NOTICE_PRIVATE_RECEIVERS": ""}
        self.sealer("/ok")
        self.a_run_ends()
        wait_for(lambda: self.sql("SELECT * FROM associations_sealer"), 60)
        self.sql("DROP TABLE associations_watch")
        now = "strftime('%Y-%m-%d %H:%M:%S', 'now')"
        columns = "at, what, user_name, user_email, role, facts, user_agent, request_id"
        self.sql(
            f"INSERT INTO associations_securityevent ({columns}, client_request_id) "
            f"VALUES ({now}, 'signed_in', 'a', '', '', '{{}}', '', '', '')"
        )
        wait_for(lambda: self.sql("SELECT * FROM associations_auditseal"), 60)
