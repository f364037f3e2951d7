"""The sandbox as a server: its connections, its start and end, and its command."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import requests

from hubadmin.demo.sandbox import Sandbox, index
from tests.hubadmin.demo.sandbox.base import (
    BEARER,
    LINK,
    PATH,
    SandboxCase,
    eventually,
    raw_request,
    read_all,
)

ROOT = Path(__file__).parents[4]
CODE = (
    "from hubadmin.management.commands.hubspot_sandbox import Command; import sys;"
    "Command().run_from_argv(['manage.py', 'hubspot_sandbox', *sys.argv[1:]])"
)


class ConnectionTests(SandboxCase):
    def test_a_body_does_not_spill_into_the_next_request_on_the_connection(self):
        first = raw_request(headers={**BEARER, "Content-Length": "4"}) + b"GET "
        second = raw_request("GET", "/_sandbox/faults", {"Connection": "close"})
        received = read_all(self.send(first + second))
        self.assertEqual(received.count(b"HTTP/1.1 200 OK"), 2)
        self.assertEqual(received.count(b"\r\nConnection: close\r\n"), 1)

    def test_head_gets_no_body(self):
        head = self.send(raw_request("HEAD", headers={"Connection": "close"}))
        self.assertTrue(read_all(head).endswith(b"\r\n\r\n"))

    def test_bodies_of_unknown_length_end_the_connection(self):
        for headers in ({"Content-Length": "x"}, {"Transfer-Encoding": "chunked"}):
            answer = read_all(self.send(raw_request(headers=BEARER | headers)))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), headers)

    def test_what_is_not_http_is_refused_in_json(self):
        answer = read_all(self.send(b"PUT /a b c HTTP/1.1\r\n\r\n"))
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 "))
        self.assertEqual(json.loads(body)["status"], "error")

    def test_clients_that_go_away_leave_no_trace(self):
        with mock.patch.object(sys, "stderr") as stderr:
            self.sandbox.fault(drip=0.001, delay=0.01, times=None)
            for request in (b"", b"PUT /", raw_request(), raw_request()[:-2]):
                self.send(request).close()
            self.call("GET", "/")  # accepted after them all
            self.assertTrue(eventually(lambda: not self.sandbox._listener._live))
        stderr.write.assert_not_called()

    def test_half_a_body_changes_nothing(self):
        connection = self.send(raw_request(headers={**BEARER, "Content-Length": "9"}) + b"half")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(connection), b"")
        self.assertEqual(self.sandbox.associations, set())

    def test_burst_of_the_same_association(self):
        for connection in [self.send(raw_request()) for _ in range(128)]:
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200"))
        self.assertEqual(self.sandbox.associations, LINK)
        self.assertEqual(len(self.sandbox.requests), 128)


class LifeTests(SandboxCase):
    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.threads = threading.active_count()

    def assert_ends(self, connection):
        start = time.monotonic()
        self.sandbox.stop()
        read_all(connection)
        self.assertLess(time.monotonic() - start, 3)
        self.assertTrue(eventually(lambda: threading.active_count() <= self.threads))

    def test_stop_ends_idle_connections(self):
        self.sandbox.start()
        connection = self.send(raw_request())
        self.assertTrue(connection.recv(65536))
        self.assert_ends(connection)
        with self.assertRaises(ConnectionRefusedError):
            self.send(b"")

    def test_stop_ends_delays_and_drips(self):
        for name, associations in (("delay", set()), ("drip", LINK), ("drip_headers", LINK)):
            self.sandbox.start().reset()
            self.sandbox.fault(**{name: 60})
            connection = self.send(raw_request())
            self.assertTrue(eventually(lambda: self.sandbox.requests))
            self.assert_ends(connection)
            self.assertEqual(self.sandbox.associations, associations)

    def test_started_again_it_keeps_port_and_memory(self):
        self.sandbox.stop()
        with self.sandbox:
            url = self.sandbox.url
            self.assertIs(self.sandbox.start(), self.sandbox)
            self.call()
        with self.assertRaises(requests.ConnectionError):
            self.call()
        self.sandbox.stop()
        with self.sandbox:
            self.assertEqual(self.sandbox.url, url)
            self.assertEqual(self.call("GET", "/").status_code, 200)
            self.assertEqual(self.sandbox.associations, LINK)

    def test_prepared_it_has_ready_what_the_first_search_needs(self):
        index._build_index.cache_clear()
        with self.sandbox.prepare():
            built = index._build_index.cache_info
            self.assertTrue(eventually(lambda: built().currsize == 4, seconds=30))
            path = "/crm/v3/objects/contacts/search"
            self.assertEqual(self.call("POST", path, json={}).status_code, 200)
            self.assertEqual(built().misses, 4)

    def test_only_the_loopback_address_with_room_for_a_burst(self):
        with self.sandbox:
            self.assertEqual(self.sandbox._listener.server_address[0], "127.0.0.1")
            self.assertGreaterEqual(self.sandbox._listener.request_queue_size, 128)


class CommandTests(unittest.TestCase):
    def command(self, *arguments):
        """Start the command in a process of its own, where no settings exist."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, *arguments], cwd=ROOT, env={}, **pipes
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_serves_until_a_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.command("--port", "0", "--rate-limit", "1")
            url = process.stdout.readline().split()[-1]
            answers = [requests.put(url + PATH, headers=BEARER, timeout=5) for _ in range(2)]
            self.assertEqual([answer.status_code for answer in answers], [200, 429])
            process.send_signal(number)
            self.assertEqual((process.wait(5), process.stderr.read()), (0, ""))
            output = process.stdout.read()
            self.assertIn("Token: sandbox", output)
            self.assertIn(f"{url}/crm/v4/objects/contacts/501", output)

    def test_searches_have_a_limit_of_their_own(self):
        process = self.command("--port", "0", "--search-limit", "2")
        url = process.stdout.readline().split()[-1] + "/crm/v3/objects/contacts/search"
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(requests.post, url, json={}, headers=BEARER) for _ in range(4)]
            statuses = sorted(each.result(10).status_code for each in asked)
        self.assertEqual(statuses, [200, 200, 429, 429])

    def test_port_taken(self):
        with Sandbox() as taken:
            process = self.command("--port", str(taken.port))
            _, errors = process.communicate(timeout=5)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(errors, r"\ACommandError: Cannot listen on port \d+: .+\n\Z")
