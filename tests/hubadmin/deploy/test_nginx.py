"""The nginx configuration to copy, in front of two servers of which one dies, and of others'."""

import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
from django.conf import settings
from django.test import SimpleTestCase, tag

from hubadmin import gunicorn_conf
from hubadmin.demo.sandbox import Sandbox
from tests.faults.test_kill import wait_for
from tests.hubadmin.deploy.crowd import SSO, Crowd, entries
from tests.hubadmin.deploy.nginx import NGINX, SITE, Nginx
from tests.identity.processes import free_port
from tests.identity.server import Server
from tests.support import needed


class Upstream(BaseHTTPRequestHandler):
    """Notes what it is asked; one that fails ends the connection as a machine does that dies."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        if self.server.fails:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def upstream(fails: bool = False) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        server.fails, server.asked = fails, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class NumberTests(SimpleTestCase):
    """What stands in the file has to fit what the server does."""

    def number(self, name: str) -> int:
        return int(re.search(rf"^\s*{name} (?:4 )?(\d+)", SITE.read_text(), re.M)[1])

    def test_times(self) -> None:
        self.assertLess(self.number("keepalive_timeout"), gunicorn_conf.keepalive)
        self.assertGreater(self.number("proxy_read_timeout"), gunicorn_conf.graceful_timeout)

    def test_sizes(self) -> None:
        most = settings.MAX_REQUEST_BYTES + settings.BULK_MAX_BYTES
        self.assertLessEqual(most, self.number("client_max_body_size") * 2**20)
        least = gunicorn_conf.limit_request_field_size
        self.assertLessEqual(least, self.number("large_client_header_buffers") * 2**10)


@needed(NGINX, "nginx")
class RuleTests(unittest.TestCase):
    def nginx(self, *servers: ThreadingHTTPServer) -> Nginx:
        nginx = self.enterContext(Nginx(*(each.server_port for each in servers)))
        self.session = self.enterContext(requests.Session())
        self.session.trust_env, self.session.verify = False, str(nginx.certificate)
        return nginx

    def test_nginx_itself_has_nothing_to_say_against_it(self) -> None:
        nginx = self.nginx(self.enterContext(upstream()))
        ended = subprocess.run(nginx.command("-t"), capture_output=True, text=True, timeout=30)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        for word in ("[warn]", "[error]", "[emerg]"):
            self.assertNotIn(word, ended.stderr)

    def test_a_post_is_never_sent_twice_and_a_get_goes_to_the_other(self) -> None:
        for method, expected in (("GET", {200}), ("POST", {200, 502})):
            failing, well = self.enterContext(upstream(fails=True)), self.enterContext(upstream())
            nginx = self.nginx(failing, well)
            statuses = Counter[int]()
            for number in range(12):
                answer = self.session.request(method, f"{nginx.origin}/?{number}", timeout=20)
                statuses[answer.status_code] += 1
                if answer.status_code == 502:
                    self.assertIn("look into My requests first", answer.text)
            seen = Counter(path for _, path, _ in failing.asked + well.asked)
            self.assertTrue(failing.asked)
            with self.subTest(method):
                self.assertEqual({*statuses}, expected)
                most = 1 if method == "POST" else 2
                self.assertLessEqual(max(seen.values()), most)
                self.assertEqual(len(seen), 12)

    def test_a_post_goes_on_where_nobody_listens(self) -> None:
        well = self.enterContext(upstream())
        nginx = self.enterContext(Nginx(free_port(), well.server_port))
        for _ in range(4):
            answer = requests.post(nginx.origin, verify=str(nginx.certificate), timeout=20)
            self.assertEqual(answer.status_code, 200)
        self.assertEqual(len(well.asked), 4)

    def test_what_strangers_say_of_themselves_is_overwritten(self) -> None:
        server = self.enterContext(upstream())
        nginx = self.nginx(server)
        said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        self.session.get(nginx.origin, headers=said, timeout=20)
        ((_, _, headers),) = server.asked
        told = {name: headers[name] for name in said}
        self.assertEqual(told, {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"})
        self.assertEqual(headers["Host"], "localhost")

    def test_what_is_for_the_inside_is_not_for_the_outside(self) -> None:
        server = self.enterContext(upstream())
        nginx = self.nginx(server)
        paths = "/metrics", "/metrics?a=b", "//metrics", "/%6detrics", "/metrics/", "/x/../metrics"
        for path in (*paths, "/healthz", "/readyz"):
            with self.subTest(path):
                command = ["curl", "-sk", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}"]
                command = [*command, f"{nginx.origin}{path}"]
                ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
                self.assertEqual(ended.stdout, "404")
        self.assertEqual(server.asked, [])

    def test_a_log_has_paths_only(self) -> None:
        nginx = self.nginx(self.enterContext(upstream(fails=True)))
        self.session.post(f"{nginx.origin}/page?from=ada@example.com", timeout=20)
        wait_for(lambda: "POST /page" in nginx.log())  # it writes once it has answered
        logs = "".join(each.read_text() for each in nginx.folder.glob("*.log"))
        self.assertNotIn("ada@example.com", logs)


@tag("own_database")
@needed(NGINX, "nginx")
class CrowdTests(unittest.TestCase):
    """Two real servers with one log behind a real nginx."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.database = folder / "db.sqlite3"
        sandbox = self.enterContext(Sandbox())
        one = {"DATABASE_URL": f"sqlite:///{self.database}", "SECRET_KEY": "k" * 60}
        self.listeners = [
            self.enterContext(socket.create_server(("127.0.0.1", 0), backlog=1024)) for _ in "12"
        ]
        self.servers = [
            self.enterContext(Server(sandbox.url, listener=each, **SSO | one, WEB_WORKERS="1"))
            for each in self.listeners
        ]
        nginx = self.enterContext(Nginx(*(each.port for each in self.servers)))
        self.crowd = Crowd(nginx.origin, verify=str(nginx.certificate))

    def test_one_is_killed_in_the_middle(self) -> None:
        with self.crowd.at_work():
            time.sleep(3)
            self.listeners[0].close()
            self.servers[0].kill()
            time.sleep(3)
        statuses, made = self.crowd.statuses(), entries(self.database)
        self.assertEqual({*self.crowd.seen}, {200}, "somebody could not look")
        self.assertLessEqual({*statuses}, {302, 502})
        self.assertLessEqual(statuses[502], 4)  # of the four people, who had one each under way
        self.assertGreater(statuses[302], 20)
        self.assertEqual(max(made.values()), 1, "a POST was sent twice")
        answered = {reason for reason, status in self.crowd.sent.items() if status == 302}
        self.assertLessEqual(answered, {*made})

    def test_one_after_the_other_is_restarted(self) -> None:
        with self.crowd.at_work():
            for server in self.servers:
                time.sleep(2)
                server.restart()
            time.sleep(2)
        self.assertEqual({*self.crowd.seen}, {200})
        self.assertEqual({*self.crowd.statuses()}, {302})
        self.assertEqual(entries(self.database), dict.fromkeys(self.crowd.sent, 1))
        # All of them said that they come from somewhere else (AS_ADA); nginx saw where from.
        log = "".join(each.output() for each in self.servers)
        self.assertEqual({*re.findall(r'"client_ip": "([^"]+)"', log)}, {"127.0.0.1"})
