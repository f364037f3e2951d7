"""`run_worker` as a service runs it: its start, its end, and what befalls its processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError
from django.test import SimpleTestCase, TestCase, tag
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker
from django_q.tasks import async_task

from associations.bulk.worker import broker as brokers
from associations.bulk.worker import pool
from associations.bulk.worker.redis_broker import RedisBroker
from associations.management.commands import run_worker
from tests.hubadmin.test_settings import PRODUCTION

COMMAND = [sys.executable, settings.BASE_DIR / "manage.py", "run_worker"]


def children(pid: int) -> list[int]:
    """The processes that this one has started, the oldest first."""
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(found: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)
    return value


@tag("own_database")
class RefusalTests(unittest.TestCase):
    def refused(self, **environment: str) -> str:
        environment = os.environ | PRODUCTION | {"DATABASE_URL": "sqlite:///nowhere"} | environment
        ended = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        return ended.stderr

    def test_it_does_not_start_for_the_reasons_for_which_the_server_does_not(self) -> None:
        said = self.refused(SECRET_KEY="", WORKER_PROCESSES="0", BULK_WAY="pigeon")
        self.assertIn("The worker does not start: ", said)
        self.assertIn("SECRET_KEY is not set", said)
        self.assertIn("WORKER_PROCESSES is 0; it must be at least 1.", said)
        self.assertIn("BULK_WAY is 'pigeon'; it must be batch or single.", said)


@tag("own_database")
@unittest.skipUnless(sys.platform == "linux", "looks into /proc")
class ProcessTests(unittest.TestCase):
    """With a database that nobody has migrated: what is away does not end a worker either."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        own = {"DATABASE_URL": f"sqlite:///{self.folder}/db.sqlite3", "WORKER_PROCESSES": "1"}
        self.log = self.enterContext((self.folder / "log").open("w+"))
        self.process = subprocess.Popen(
            COMMAND, env=os.environ | PRODUCTION | own, stderr=self.log, start_new_session=True
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def running(self) -> list[int]:
        """The sentinel and, once they are there, the three processes that it starts."""

        def found() -> list[int]:
            (sentinel,) = children(self.process.pid) or [0]
            started = children(sentinel)
            return [sentinel, *started] if len(started) == 3 else []

        return wait_for(found)

    def lines(self) -> list[dict]:
        """The log; each line has to be JSON."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def test_it_outlives_what_befalls_its_processes_and_ends_in_order(self) -> None:
        for number in (0, 1):  # the sentinel; a process that waits for a task
            everybody = self.running()
            os.kill(everybody[number], signal.SIGKILL)
            wait_for(lambda everybody=everybody: not any(map(is_alive, everybody)))
        everybody = self.running()
        os.killpg(self.process.pid, signal.SIGTERM)  # as a service manager may
        self.assertEqual(self.process.wait(20), 0)
        self.assertEqual([*filter(is_alive, everybody)], [])
        events = [line["event"] for line in self.lines()]
        self.assertEqual(events.count("worker started"), 1)
        self.assertEqual(events.count("the worker's processes died and start anew"), 2)
        self.assertEqual(events.count("runs cannot be looked after"), 1, "not each second again")
        self.assertEqual(events[-1], "worker ended")
        self.assertNotIn("canary", (self.folder / "log").read_text())

    def test_killed_it_leaves_no_process_behind(self) -> None:
        everybody = self.running()
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not any(map(is_alive, everybody)))


@tag("own_database")
class WaitingTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        own = {"DATABASE_URL": f"sqlite:///{self.folder}/later/db.sqlite3", "WORKER_PROCESSES": "1"}
        self.log = self.enterContext((self.folder / "log").open("w+"))
        environment = os.environ | PRODUCTION | own
        self.process = subprocess.Popen(COMMAND, env=environment, stderr=self.log)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        wait_for(lambda: "the worker waits for its database" in self.events())

    def events(self) -> list[str]:
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line)["event"] for line in lines]

    def test_it_starts_once_its_database_is_there(self) -> None:
        time.sleep(2.5)
        self.assertEqual(self.events().count("the worker waits for its database"), 1)
        (self.folder / "later").mkdir()
        wait_for(lambda: "worker started" in self.events())
        self.process.terminate()
        self.assertEqual(self.process.wait(20), 0)

    def test_while_it_waits_it_can_be_ended(self) -> None:
        self.process.terminate()
        self.assertEqual(self.process.wait(20), 0)
        self.assertNotIn("worker started", self.events())


class BrokerTests(TestCase):
    def setUp(self) -> None:
        self.enterContext(mock.patch.object(brokers, "PAUSE", 0))
        self.enterContext(mock.patch.object(brokers.connections, "close_all"))  # of this test

    def test_a_task_waits_in_the_database_until_it_is_done(self) -> None:
        broker = brokers.DatabaseBroker()
        async_task("associations.bulk.tasks.work", 1, broker=broker)
        ((number, package),) = broker.dequeue()
        self.assertTrue(package)
        self.assertIsNone(broker.dequeue(), "only one gets it")
        broker.acknowledge(number)
        self.assertFalse(OrmQ.objects.exists())

    def test_redis_that_is_away_is_waited_for(self) -> None:
        with mock.patch("django_q.conf.Conf.REDIS", "redis://127.0.0.1:9/0"):
            broker = RedisBroker()
        with self.assertLogs("associations.bulk.worker.broker", "WARNING"):
            self.assertIsNone(broker.dequeue())

    def test_a_worker_does_not_start_without_the_redis_that_it_is_to_use(self) -> None:
        conf = {"BROKER_CLASS": "associations.bulk.worker.redis_broker.RedisBroker"}
        conf["REDIS"] = "redis://:canary@127.0.0.1:9/0"
        refused = self.assertRaisesRegex(CommandError, "cannot be reached")
        with mock.patch.multiple("django_q.conf.Conf", **conf), refused as raised:
            run_worker.reached_broker()
        self.assertNotIn("canary", str(raised.exception))


class TokenTests(SimpleTestCase):
    def test_what_a_task_failed_of_is_kept_without_the_token(self) -> None:
        with self.settings(HUBSPOT_ACCESS_TOKEN="Canary/7f3a"):
            task = {"result": "KeyError: Canary/7f3a : Bearer Canary/7f3a", "success": False}
            post_execute_in_worker.send(sender=pool, func=None, task=task)  # pool.py listens
        self.assertNotIn("Canary", task["result"])
        self.assertIn("KeyError", task["result"])


@tag("long")
class ImportTests(SimpleTestCase):
    def test_redis_is_read_only_by_those_who_are_to_use_it(self) -> None:
        code = (
            "import sys, django; django.setup(); import hubadmin.urls, django_q.brokers;"
            "import associations.management.commands.run_worker;"
            "django_q.brokers.get_broker(); print('redis' in sys.modules)"
        )
        for address, told in (("", "False"), ("redis://127.0.0.1:9/0", "True")):
            environment = os.environ | {"WORKER_BROKER_URL": address}
            environment["DJANGO_SETTINGS_MODULE"] = "tests.settings"
            environment.pop("TEST_DATABASE_URL", None)  # which is not there but for the tests
            done = subprocess.run(
                [sys.executable, "-c", code],
                cwd=settings.BASE_DIR,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(done.stdout.strip(), told)
