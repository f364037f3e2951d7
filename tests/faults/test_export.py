"""Exports from the real server, with readers that are slow and a database that breaks.

A copy that is not whole must be a broken transfer for whoever takes it, whatever else goes on.
"""

import shutil
import socket
import subprocess
import threading
import time
from datetime import timedelta
from typing import Any

import requests
from django.db import connection
from django.db.models import Model
from django.test import tag
from django.utils import timezone
from requests.adapters import HTTPAdapter

from associations.linking import services
from associations.models import AssociationRequest, AuditExport
from tests.faults.test_kill import wait_for
from tests.identity.server import Server
from tests.support import (
    LINK,
    LogTransactionTestCase,
    SandboxMixin,
    missing_table,
    needed,
    person,
)

SECRET = "a-secret-that-the-proxy-and-we-share-42"
AS_ADA = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.7",
    "X-SSO-Secret": SECRET,
    "X-SSO-Subject": "ada",
    "X-SSO-Name": "Ada",
    "X-SSO-Groups": "admin",
    "Host": "localhost",
}
FORMATS = ("csv", "jsonl")
ROWS = 20_000  # more than all buffers between the server and a reader hold, in several stretches
CURL, CURL_PARTIAL_FILE = shutil.which("curl"), 18


class _SlowAdapter(HTTPAdapter):
    """Takes little off the server's hands before it is read."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)]
        super().init_poolmanager(*args, socket_options=options, **kwargs)


def database_url() -> str:
    """The database of the tests, for a server to use it as well."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    account = f"{database['USER']}:{database['PASSWORD']}"
    return f"postgres://{account}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def multiply(model: type[Model], count: int) -> None:
    """Have the database copy its rows until there are so many: much faster than to send them."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    table, columns = model._meta.db_table, ", ".join(field.column for field in fields)
    while left := count - model.objects.count():
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT {left}"
            )


class ExportTestCase(SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person("support")
        long_ago, long = timezone.now() - timedelta(hours=1), "x" * 290
        values = LINK | {"outcome": "linked", "cause": "confirmed", "api_version": "v4"}
        values |= {"user_name": long[:200], "user_agent": long, "request_id": long[:64]}
        AssociationRequest.objects.create(user=self.user, created_at=long_ago, **values)
        multiply(AssociationRequest, ROWS)

    def server(self, **environment: str) -> Server:
        return Server(
            self.sandbox.url,
            DATABASE_URL=database_url(),
            SSO_MODE="header",
            SSO_ISSUER="proxy",
            SSO_HEADER_SECRET=SECRET,
            **environment,
        )

    def begun(self, server: Server, file_format: str = "csv") -> requests.Response:
        """An export whose reader has stopped after the first bytes, so that the server waits."""
        session = requests.Session()
        session.mount("http://", _SlowAdapter())
        self.addCleanup(session.close)
        answer = session.get(
            f"http://127.0.0.1:{server.port}/audit/export.{file_format}",
            headers=AS_ADA,
            stream=True,
            timeout=60,
        )
        self.assertEqual(answer.status_code, 200)
        time.sleep(1)  # for the buffers to fill
        self.assertEqual(self.record().state, "running")
        return answer

    def record(self) -> AuditExport:
        return AuditExport.objects.latest("id")

    def ended(self) -> AuditExport:
        wait_for(lambda: self.record().state != "running")
        return self.record()


@tag("long")
class ServingTests(ExportTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.enterContext(self.server())

    def test_a_database_that_fails_in_the_middle_breaks_the_transfer_off(self) -> None:
        for file_format in FORMATS:
            with self.subTest(file_format):
                answer, read = self.begun(self.running, file_format), b""
                with (
                    missing_table(AssociationRequest),
                    self.assertRaises(requests.exceptions.ChunkedEncodingError),
                ):
                    for part in answer.iter_content(64 * 1024):
                        read += part
                record = self.ended()
                self.assertEqual((record.state, record.user_name), ("aborted", "Ada"))
                self.assertEqual(record.rows, read.count(b"\n") - (file_format == "csv"))
                self.assertTrue(0 < record.rows < ROWS, record.rows)
                self.assertNotIn(b'"complete"', read)

    @needed(bool(CURL), "curl")
    def test_curl_calls_it_a_partial_file(self) -> None:
        headers = [part for header in AS_ADA.items() for part in ("-H", ": ".join(header))]
        address = f"http://127.0.0.1:{self.running.port}/audit/export.csv"
        curl = subprocess.Popen(
            [CURL, "-sS", "--limit-rate", "2M", *headers, address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        curl.stdout.read(1000)
        time.sleep(1)
        with missing_table(AssociationRequest):
            _, said = curl.communicate(timeout=60)
        self.assertEqual(curl.returncode, CURL_PARTIAL_FILE, said)
        self.assertEqual(self.ended().state, "aborted")

    def test_a_reader_who_goes_away_is_noted(self) -> None:
        for file_format in FORMATS:
            answer = self.begun(self.running, file_format)
            answer.close()
            record = self.ended()
            self.assertEqual(record.state, "aborted")
            self.assertLess(record.rows, ROWS)

    def test_a_slow_reader_holds_nothing_up(self) -> None:
        for file_format in FORMATS:
            with self.subTest(file_format):
                before = AssociationRequest.objects.count()
                answer = self.begun(self.running, file_format)
                # What fits into the buffers is read first; one that waited would never end.
                deadline = time.monotonic() + 60
                while self.open_transactions() and time.monotonic() < deadline:
                    time.sleep(0.2)
                self.assertEqual(self.open_transactions(), 0)
                start = time.monotonic()
                entry = services.create_association(user=self.user, **LINK)
                self.assertLess(time.monotonic() - start, 10)  # it would wait for its reader
                self.assertEqual(entry.outcome, "linked")
                lines = answer.content.count(b"\n")  # a first line, or a last one
                self.assertEqual(lines, before + 1)
                record = self.ended()
                self.assertEqual((record.state, record.rows), ("complete", before))

    def open_transactions(self) -> int:
        """Of the server: none that reads, and none that writes."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"  # and no vacuum of its own
                )
            else:  # it can be emptied only while nobody reads an older state
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return cursor.fetchone()[0]


class StoppingTests(ExportTestCase):
    def test_one_that_is_cut_off_never_counts_as_complete(self) -> None:
        """gunicorn gives it half a minute; two seconds here."""
        with self.server(GUNICORN_CMD_ARGS="--graceful-timeout 2") as server:
            answers = [self.begun(server, file_format) for file_format in FORMATS]
            server.stop()
        for answer in answers:
            with self.assertRaises(requests.exceptions.ChunkedEncodingError):
                b"".join(answer.iter_content(64 * 1024))
        states = set(AuditExport.objects.values_list("state", flat=True))
        self.assertTrue(states <= {"running", "aborted"}, states)
        self.assertEqual(AuditExport.objects.count(), len(FORMATS))

    def test_one_that_is_read_on_comes_to_its_end(self) -> None:
        with self.server() as server:
            answer = self.begun(server)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            wait_for(lambda: "Handling signal: term" in server.output())
            lines = answer.content.count(b"\n")
            stopping.join(40)
        self.assertEqual(lines, ROWS + 1)
        record = self.record()
        self.assertEqual((record.state, record.rows), ("complete", ROWS))
