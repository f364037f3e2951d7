"""Requests that come slowly, in pieces, or never whole, at the real server without a proxy."""

import itertools
import re
import resource
import socket
import sqlite3
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import requests
from django.test import tag

from hubadmin import gunicorn_conf
from hubadmin.demo.sandbox import Sandbox
from hubadmin.gunicorn_worker import IN_MEMORY, ON_DISK, REQUEST_SECONDS
from tests.faults.test_rotation import AS_ADA, SECRET
from tests.hubadmin.test_worker import children, wait_for
from tests.identity.server import Server
from tests.load.slow_bodies import FORM, HEAD, KINDS, Slow, probed

GET = f"GET /healthz HTTP/1.1\r\n{HEAD}\r\n".encode()
SSO = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET}


class Raw:
    """A client that sends just what it is told to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=40)
        self.send, self.close = self._socket.sendall, self._socket.close

    def answer(self, until: bytes = b"") -> str:
        """What comes until there is this, or until the end."""
        data = b""
        while not (until and until in data) and (more := self._socket.recv(65536)):
            data += more
        return data.decode()


class SlowTestCase(unittest.TestCase):
    environment: dict[str, str] = {}

    def setUp(self) -> None:
        sandbox = self.enterContext(Sandbox())
        self.server = self.enterContext(Server(sandbox.url, **SSO, **self.environment))

    def client(self) -> Raw:
        return self.enterContext(closing(Raw(self.server.port)))


@tag("own_database")
class SlowTests(SlowTestCase):
    def test_nobody_is_held_up_by_more_slow_clients_than_there_are_threads(self) -> None:
        for kind in KINDS:
            if kind != "nobody":
                with self.subTest(kind), Slow(self.server.port, kind):
                    time.sleep(0.5)
                    probes = probed(self.server.port, 3)
                    told = f"{probes.lost} of {len(probes.times)} lost, p95 {probes.p95:.2f} s"
                    self.assertTrue(not probes.lost and probes.p95 < 1, told)

    def test_a_request_that_does_not_come_in_time_is_cut_off(self) -> None:
        started = {kind: self.client() for kind in ("bodies", "heads", "silent")}
        start = time.monotonic()
        for kind, client in started.items():
            client.send(KINDS[kind].encode())
        with ThreadPoolExecutor() as pool:
            answers = dict(zip(started, pool.map(Raw.answer, started.values()), strict=True))
        took = time.monotonic() - start
        self.assertTrue(REQUEST_SECONDS - 1 < took < REQUEST_SECONDS + 4, took)
        for kind in ("bodies", "heads"):
            self.assertRegex(answers[kind], r"^HTTP/1.1 408 [\s\S]*please send it again")
        self.assertEqual(answers["silent"], "")
        log = self.server.output_with("did not come in time", 2)
        self.assertEqual(log.count("did not come in time"), 2)
        self.assertNotIn("traceback", log)

    def test_one_that_has_begun_is_waited_for_when_the_server_stops(self) -> None:
        begun, silent = self.client(), self.client()
        begun.send(GET[:20])
        time.sleep(0.5)
        with ThreadPoolExecutor() as pool:
            code = pool.submit(self.server.stop)
            self.assertEqual(silent.answer(), "")
            begun.send(GET[20:])
            self.assertRegex(begun.answer(), r'^HTTP/1.1 200 [\s\S]*\{"status": "ok"\}')
            self.assertEqual(code.result(), 0)

    def test_who_makes_room_while_something_comes_from_them_ends_no_process(self) -> None:
        begun = f"{FORM}Content-Length: {IN_MEMORY + 1}\r\n\r\n".encode()
        for _ in range(20):  # without the guard, most of these end the process
            with ExitStack() as stack:
                first, *others, last = [
                    stack.enter_context(closing(Raw(self.server.port))) for _ in range(ON_DISK + 1)
                ]
                first.send(begun)
                time.sleep(0.05)
                for client in others:
                    client.send(begun)
                time.sleep(0.1)
                last.send(begun)
                first.close()
                time.sleep(0.05)
        self.assertNotIn("traceback", self.server.output())


@tag("own_database")
class FullTests(SlowTestCase):
    environment = {"WEB_WORKERS": "1"}

    def test_who_does_not_go_when_told_all_keeps_nobody_out(self) -> None:
        for _ in range(gunicorn_conf.worker_connections - gunicorn_conf.threads):
            kept = self.client()
            kept.send(GET)
            kept.answer(b"}")
        for _ in range(4):
            for _ in range(gunicorn_conf.threads):
                self.client().send(GET)
            probes = probed(self.server.port, 1)
            self.assertTrue(not probes.lost and probes.p95 < 1, probes)

    def test_a_full_disk_ends_only_what_needs_it(self) -> None:
        for worker in wait_for(lambda: children(self.server._process._process.pid)):
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
        for size in (512, 64 * 1024):  # what is left to write once more, and nothing
            client = self.client()
            client.send(f"{FORM}Content-Length: {3 * IN_MEMORY}\r\n\r\n".encode())
            with suppress(OSError):
                for _ in range(3 * IN_MEMORY // size):
                    client.send(b"a" * size)
                    time.sleep(0.001)
            with suppress(ConnectionResetError):
                self.assertTrue(client.answer().startswith("HTTP/1.1 503 "))
        log = self.server.output_with("there is no room for a large request")
        self.assertNotIn("Exception in worker process", log)
        client = self.client()
        client.send(GET)
        self.assertIn('{"status": "ok"}', client.answer(b"}"))

    def test_who_comes_when_no_more_files_can_be_open_is_told(self) -> None:
        (worker,) = wait_for(lambda: children(self.server._process._process.pid))
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        opened = {int(each.name) for each in Path(f"/proc/{worker}/fd").iterdir()}
        numbers = (each for each in range(limits[0]) if each not in opened)
        *_, last = itertools.islice(numbers, 3)  # there is room for three more
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (last + 1, limits[1]))
        kept = [self.client() for _ in range(8)]
        for client in kept:
            client.send(GET)
        answers = [client.answer(b"}") for client in kept]
        told = [each for each in answers if '{"status": "ok"}' not in each]
        self.assertTrue(told)
        for each in told:
            self.assertRegex(each, r"^HTTP/1.1 503 [\s\S]*Nothing was done; please try again")
        for client in kept:
            client.close()
        log = self.server.output_with("no more files can be open")
        self.assertNotIn("Exception in worker process", log)
        self.assertEqual(log.count("no more files can be open"), 1)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        client = self.client()
        client.send(GET)
        self.assertIn('{"status": "ok"}', client.answer(b"}"))
        self.assertEqual(children(self.server._process._process.pid), [worker])


@tag("own_database")
class PiecesTests(SlowTestCase):
    """What gunicorn can read, it reads however it comes."""

    def test_a_head_byte_by_byte(self) -> None:
        client = self.client()
        for byte in GET:
            client.send(bytes([byte]))
            time.sleep(0.001)
        self.assertIn('{"status": "ok"}', client.answer(b"}"))

    def test_several_requests_at_once(self) -> None:
        client = self.client()
        client.send(GET * 3 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(client.answer().count('{"status": "ok"}'), 4)

    def test_a_body_and_the_next_request_behind_it(self) -> None:
        client = self.client()
        client.send(f"{FORM}Content-Length: 4\r\n\r\na=".encode())
        time.sleep(0.2)
        client.send(b"bc" + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertRegex(client.answer(), r'^HTTP/1.1 403[\s\S]+HTTP/1.1 200[\s\S]+"ok"\}$')

    def test_a_client_that_asks_whether_to_go_on(self) -> None:
        client = self.client()
        client.send(f"{FORM}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode())
        self.assertIn("100 Continue", client.answer(b"\r\n\r\n"))
        client.send(b"a=bc")
        self.assertIn("HTTP/1.1 403", client.answer(b"</html>"))

    def test_too_large_a_body_is_refused_before_it_comes(
        self,
    ) -> None:
        client = self.client()
        client.send(f"{FORM}Content-Length: 99000000\r\n\r\n".encode() + GET)
        answer = client.answer()
        self.assertTrue(answer.startswith("HTTP/1.1 413 "), answer[:80])
        self.assertEqual(answer.count("HTTP/1.1"), 1)

    def test_too_large_a_head(self) -> None:
        client = self.client()
        client.send(GET[:-2] + b"X-Long: x\r\n" * (IN_MEMORY // 11 + 1000))
        self.assertTrue(client.answer().startswith("HTTP/1.1 431 "))

    def test_a_connection_that_was_idle_for_as_long_as_a_proxy_keeps_it_by_default(self) -> None:
        self.assertGreater(gunicorn_conf.keepalive, 60)  # nginx
        client = self.client()
        for pause in (3.5, 0):  # gunicorn by default: 2
            client.send(f"{FORM}Content-Length: 4\r\n\r\na=bc".encode())
            self.assertIn("HTTP/1.1 403", client.answer(b"</html>"))
            time.sleep(pause)

    def test_a_file_is_taken_whole(self) -> None:
        rows = "".join(f"contacts,{n},companies,{n}\n" for n in range(40_000)).encode()
        address = f"http://127.0.0.1:{self.server.port}/bulk/"
        page = requests.get(address, headers=AS_ADA, timeout=30)
        headers = AS_ADA | {"Cookie": "; ".join(f"{c.name}={c.value}" for c in page.cookies)}
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        requests.post(
            address,
            fields,
            files={"file": ("pairs.csv", rows)},
            headers=headers,
            allow_redirects=False,
            timeout=60,
        )
        file = self.server.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as database:
            sql = "SELECT content FROM associations_bulkupload ORDER BY number"
            self.assertEqual(b"".join(part for (part,) in database.execute(sql)), rows)
