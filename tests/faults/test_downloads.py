"""Downloads on the real server, by readers who are slow, many at once, or no longer let in."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from django.conf import settings
from django.test import override_settings, tag

from associations.models import AuditExport
from hubadmin.models import User
from hubadmin.web.sending import PATIENCE
from tests.faults.test_export import AS_ADA, ExportTestCase, database_url
from tests.faults.test_kill import wait_for
from tests.identity.server import Server
from tests.support import SignedInClient, person

AS_BEA = AS_ADA | {"X-SSO-Subject": "bea", "X-SSO-Name": "Bea", "X-SSO-Groups": "support"}
EXPORT, PAGE = "/audit/export.csv", "/requests/"
THREADS = 8


@contextmanager
def reader(server: Server, path: str = EXPORT, **headers: str) -> Iterator[socket.socket]:
    """Somebody who asks, and takes little off the server's hands before it is read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        lines = [f"{name}: {value}\r\n" for name, value in (AS_ADA | headers).items()]
        connection.sendall(f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        yield connection


def beginning(connection: socket.socket) -> str:
    """The status line and what came with it."""
    return connection.recv(4096).decode("utf-8", "replace")


def rest(connection: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """What still comes within so many seconds, and whether the connection then is at its end.

    Read at about a megabyte a second.
    """
    found, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            part = connection.recv(16 * 1024)
            time.sleep(0.015)
        except TimeoutError:
            break
        except ConnectionResetError:
            return found, True
        if not part:
            return found, True
        found += part
    return found, False


class DownloadTestCase(ExportTestCase):
    workers = "1"

    def setUp(self) -> None:
        super().setUp()
        options = {"WEB_WORKERS": self.workers, "WEB_THREADS": str(THREADS)}
        self.running = self.enterContext(self.server(**options))

    def begin(self, path: str = EXPORT, **headers: str) -> socket.socket:
        return self.enterContext(reader(self.running, path, **headers))

    def get(self, path: str, headers: dict[str, str]) -> requests.Response:
        address = f"http://127.0.0.1:{self.running.port}{path}"
        return requests.get(address, headers=headers, timeout=30)

    def states(self) -> list[str]:
        return list(AuditExport.objects.order_by("id").values_list("state", flat=True))


@tag("long")
class ManyAtOnceTests(DownloadTestCase):
    def test_one_persons_leave_the_pages_of_others_alone(self) -> None:
        begun = [self.begin() for _ in range(2 * THREADS)]
        time.sleep(1)
        start = time.monotonic()
        self.assertEqual(self.get(PAGE, AS_BEA).status_code, 200)
        self.assertLess(time.monotonic() - start, 5)
        statuses = sorted(beginning(each).split()[1] for each in begun)
        self.assertEqual(statuses, ["200"] * 2 + ["429"] * (2 * THREADS - 2))
        self.assertEqual(self.states(), ["running"] * 2, "of what was refused nothing is logged")

    def test_whoever_has_two_is_told_so(self) -> None:
        begun = [self.begin() for _ in range(2)]
        [beginning(each) for each in begun]
        refused = self.get("/audit/integrity/seals.jsonl", AS_ADA)
        self.assertEqual(refused.status_code, 429)
        self.assertIn("You are downloading 2 files already.", refused.text)
        self.assertTrue(0 < int(refused.headers["Retry-After"]) <= 60)
        begun[0].close()
        wait_for(lambda: self.get("/audit/integrity/seals.jsonl", AS_ADA).status_code == 200)

    def test_many_peoples_leave_threads_for_pages(self) -> None:
        """A quarter of the threads is for downloads: of eight two."""
        people = [{"X-SSO-Subject": f"p{n}", "X-SSO-Name": f"P{n}"} for n in range(THREADS)]
        begun = [self.begin(**each) for each in people]
        statuses = sorted(beginning(each).split()[1] for each in begun)
        self.assertEqual(statuses, ["200"] * 2 + ["503"] * (THREADS - 2))
        self.assertEqual(self.get(PAGE, AS_BEA).status_code, 200)


class ProcessesTests(DownloadTestCase):
    workers = "3"

    def test_two_are_two_in_all_processes_together(self) -> None:
        begun = [self.begin() for _ in range(9)]
        statuses = sorted(beginning(each).split()[1] for each in begun)
        self.assertEqual(statuses, ["200"] * 2 + ["429"] * 7)


@tag("long")
class SlowTests(DownloadTestCase):
    def test_whoever_reads_nothing_is_cut_off_in_the_end(self) -> None:
        connection = self.begin()
        self.assertIn("200 OK", beginning(connection))
        wait_for(lambda: self.states() == ["aborted"], seconds=25)
        text, ended = rest(connection, 5)
        self.assertTrue(ended)
        self.assertFalse(text.endswith(b"0\r\n\r\n"), "it would pass for the whole")
        log = self.running.output_with('"an answer was broken off"')
        self.assertNotIn("Traceback", log)

    def test_whoever_drips_is_cut_off_in_the_end(self) -> None:
        connection, deadline = self.begin(), time.monotonic() + 40
        while self.states() != ["aborted"] and time.monotonic() < deadline:
            connection.recv(1000)
            time.sleep(0.1)
        self.assertEqual(self.states(), ["aborted"])

    def test_whoever_is_slow_but_steady_gets_it_all(self) -> None:
        """At half a megabyte a second, for longer than anybody is waited for."""
        connection, start, end = self.begin(), time.monotonic(), b""
        while part := connection.recv(32 * 1024):
            end = (end + part)[-5:]
            if end == b"0\r\n\r\n":
                break
            time.sleep(0.025)
        self.assertGreater(time.monotonic() - start, PATIENCE)
        self.assertEqual(self.states(), ["complete"])


@tag("long")
class LeavingTests(DownloadTestCase):
    def lost(self, connection: socket.socket) -> None:
        """The bytes that come later than five seconds after a person's leaving."""
        within, _ = rest(connection, 5)
        late, ended = rest(connection, 3)
        self.assertEqual(len(late), 0)
        self.assertTrue(ended)
        self.assertFalse(within.endswith(b"0\r\n\r\n"), "it would pass for the whole")
        wait_for(lambda: self.states()[-1] == "aborted")

    def test_a_download_ends_with_its_persons_access(self) -> None:
        for change in ({"is_active": False}, {"role": ""}):
            with self.subTest(**change):
                connection = self.begin()
                self.assertIn("200 OK", beginning(connection))
                ada = User.objects.filter(subject="ada")
                before = ada.values("is_active", "role").get()
                ada.update(**change)
                self.lost(connection)
                ada.update(**before)

    def test_also_while_its_reader_takes_nothing(self) -> None:
        connection = self.begin()
        self.assertIn("200 OK", beginning(connection))
        time.sleep(1)
        User.objects.filter(subject="ada").update(is_active=False)
        wait_for(lambda: self.states() == ["aborted"], seconds=5)


class SessionTests(DownloadTestCase):
    """Where a session carries the sign-in, a download ends with it."""

    def server(self, **environment: str) -> Server:
        return Server(
            self.sandbox.url,
            DATABASE_URL=database_url(),
            SECRET_KEY=settings.SECRET_KEY,
            SSO_MODE="oidc",
            SSO_ISSUER="http://127.0.0.1:9",
            SSO_CLIENT_ID="hubadmin",
            SSO_CLIENT_SECRET="secret",
            **environment,
        )

    @override_settings(SSO_MODE="oidc", SSO_RECHECK_SECONDS=900)
    def test_who_signs_out_gets_no_more_of_it(self) -> None:
        browser = SignedInClient(person("admin"))
        cookie = f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}"
        connection = self.begin(Cookie=cookie)
        self.assertIn("200 OK", beginning(connection))
        self.assertGreater(len(rest(connection, 3)[0]), 0)
        self.assertContains(browser.post("/sign-out"), "signed out")
        rest(connection, 5)
        self.assertEqual(rest(connection, 3), (b"", True))
        self.assertEqual(self.states(), ["aborted"])
