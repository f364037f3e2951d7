"""A socket that belongs to somebody else, as systemd's: restarts that nobody notices."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

from django.conf import settings
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.deploy.crowd import SSO, Crowd, entries
from tests.identity.processes import Process, free_port, listens
from tests.identity.server import Server
from tests.support import needed


class RestartTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.database = self.folder / "db.sqlite3"
        self.sandbox = self.enterContext(Sandbox())
        self.settings = SSO | {"DATABASE_URL": f"sqlite:///{self.database}"}

    def assert_nothing_was_lost(self, crowd: Crowd) -> None:
        self.assertEqual({*crowd.seen}, {200}, crowd.seen)
        self.assertEqual({*crowd.statuses()}, {302}, crowd.statuses())
        self.assertEqual(entries(self.database), dict.fromkeys(crowd.sent, 1))
        self.assertGreater(len(crowd.sent), 20)


@tag("own_database")
class SocketTests(RestartTestCase):
    def test_restarts_lose_no_connection_and_no_request(self) -> None:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0), backlog=1024))
        server = Server(self.sandbox.url, listener=listener, **self.settings)
        self.enterContext(server)
        crowd = Crowd(f"http://127.0.0.1:{server.port}")
        with crowd.at_work():
            for _ in range(3):
                time.sleep(1)
                server.restart()
            time.sleep(1)
        self.assert_nothing_was_lost(crowd)


@tag("own_database")
@needed(shutil.which("systemd-socket-activate"), "systemd-socket-activate")
class ActivatedTests(RestartTestCase):
    """gunicorn as systemd itself starts it, when the first connection comes."""

    def test_it_serves_and_reads_its_secrets_again(self) -> None:
        port = free_port()
        # Only for its settings, and its database.
        with Server(self.sandbox.url, **self.settings) as server:
            environment = server.environment | {"WEB_BIND": "127.0.0.1:1"}  # of no use to anybody
        command = [shutil.which("systemd-socket-activate"), "--listen", f"127.0.0.1:{port}"]
        # It hands on nothing of its own environment that it is not told to.
        command += [f"--setenv={name}={value}" for name, value in environment.items()]
        command += [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"]
        process = self.enterContext(Process(command, cwd=settings.BASE_DIR, env=os.environ))
        process.wait_until(lambda: listens(port))
        crowd = Crowd(f"http://127.0.0.1:{port}")
        with crowd.at_work():
            process.output_with("the server starts", seconds=30)
            time.sleep(2)
            for times in (1, 2):
                process.send_signal(signal.SIGHUP)
                process.output_with("secrets were read again", times)
                time.sleep(2)
        self.assert_nothing_was_lost(crowd)
        self.assertEqual(process.stop(), 0)
