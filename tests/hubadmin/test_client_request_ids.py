"""The id that a client or a proxy gives a request: kept beside ours, never in its place."""

import csv
import io
import json

from django.test import SimpleTestCase

from associations.bulk import enqueueing
from associations.bulk.leases import claim
from associations.models import AssociationCheck, AssociationRequest, AuditExport, BulkRun
from tests.associations.bulk.engine import EngineTestCase, row
from tests.associations.linking.base import PageTestCase
from tests.support import LINK

OURS = r"\A[0-9a-f]{32}\Z"
# As gateways, load balancers and tracing write them, and what nobody should.
THEIRS = {
    "Abc-123": "Abc-123",
    "Root=1-67891233-abcdef012345678912345678": "Root=1-67891233-abcdef012345678912345678",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": (
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    ),
    "a b\tc": "abc",
    "x" * 65: "x" * 64,
    "a\u00e9\u202eb\0": "ab",
    "": "",
}


class HeaderTests(SimpleTestCase):
    def test_the_answers_id_is_always_ours(self) -> None:
        for theirs in THEIRS:
            answer = self.client.get("/healthz", headers={"X-Request-ID": theirs})
            self.assertRegex(answer["X-Request-ID"], OURS)

    def test_two_requests_of_one_id_are_two(self) -> None:
        answers = [self.client.get("/healthz", headers={"X-Request-ID": "same"}) for _ in range(2)]
        self.assertNotEqual(*(answer["X-Request-ID"] for answer in answers))

    def test_the_line_of_a_request_has_both(self) -> None:
        for theirs, kept in THEIRS.items():
            with self.subTest(theirs), self.assertLogs("hubadmin.request", "INFO") as logs:
                self.client.get("/nowhere", headers={"X-Request-ID": theirs})
                (record,) = logs.records
                self.assertEqual(getattr(record, "client_request_id", ""), kept)


class LogTests(PageTestCase):
    """Whatever of the log keeps the id of a request keeps the client's as well."""

    def setUp(self) -> None:
        super().setUp()
        self.answer = self.client.post("/?submit", LINK, headers={"X-Request-ID": "trace-1"})
        self.entry = AssociationRequest.objects.get()

    def assert_both(self, kept: object, ours: str, theirs: str) -> None:
        self.assertRegex(ours, OURS)
        self.assertEqual((kept.request_id, kept.client_request_id), (ours, theirs))

    def test_an_entry(self) -> None:
        self.assert_both(self.entry, self.answer["X-Request-ID"], "trace-1")

    def test_a_check(self) -> None:
        headers = {"X-Request-ID": "trace-2"}
        address = f"{self.entry.get_absolute_url()}check/"
        answer = self.client.post(address, headers=headers)
        self.assert_both(AssociationCheck.objects.get(), answer["X-Request-ID"], "trace-2")

    def test_an_export(self) -> None:
        answer = self.as_admin.get("/audit/export.csv", headers={"X-Request-ID": "trace-3"})
        self.assert_both(AuditExport.objects.get(), answer["X-Request-ID"], "trace-3")
        answer.getvalue()

    def test_the_files_of_an_export(self) -> None:
        text = self.as_admin.get("/audit/export.csv").getvalue().decode("utf-8-sig")
        (line,) = csv.DictReader(io.StringIO(text))
        self.assertGreater([*line].index("client_request_id"), [*line].index("batch"))
        self.assert_both(self.entry, line["request_id"], line["client_request_id"])
        lines = self.as_admin.get("/audit/export.jsonl").getvalue().decode().splitlines()
        told = json.loads(lines[0])
        self.assert_both(self.entry, told["request_id"], told["client_request_id"])

    def test_what_a_spreadsheet_would_compute_stands_after_a_quote_mark(self) -> None:
        for theirs in ("=1+1", "@SUM(A1)", "-2", "+3"):
            self.client.post("/?submit", LINK, headers={"X-Request-ID": theirs})
            text = self.as_admin.get("/audit/export.csv").getvalue().decode("utf-8-sig")
            self.assertEqual(next(csv.DictReader(io.StringIO(text)))["client_request_id"][0], "'")

    def test_the_page_shows_it_to_admins(self) -> None:
        page = self.as_admin.get(self.entry.get_absolute_url())
        self.assertContains(page, "<code><bdi>trace-1</bdi></code>")
        self.assertNotContains(self.client.get(self.entry.get_absolute_url()), "trace-1")

    def test_nobody_takes_the_id_of_anothers_entry(self) -> None:
        headers = {"X-Request-ID": self.entry.request_id}
        self.client.post("/?submit", LINK, headers=headers)
        ids = [*AssociationRequest.objects.values_list("request_id", flat=True)]
        self.assertEqual(len({*ids}), 2, ids)

    def test_the_line_of_a_closed_entry(self) -> None:
        with (
            self.assertLogs("hubadmin.audit", "INFO") as logs,
            self.captureOnCommitCallbacks(execute=True),
        ):
            answer = self.client.post("/?submit", LINK, headers={"X-Request-ID": "trace-4"})
        (line,) = logs.records
        told = (line.entry_request_id, getattr(line, "entry_client_request_id", None))
        self.assertEqual(told, (answer["X-Request-ID"], "trace-4"))


class RunTests(EngineTestCase):
    def test_a_run_hands_its_ids_on_to_its_entries(self) -> None:
        run = self.started(row(1), row(2))
        BulkRun.objects.filter(pk=run.pk).update(request_id="ours", client_request_id="trace-5")
        enqueueing.queue_rows(claim(BulkRun.objects.filter(pk=run.pk)))
        ids = {*run.entries.values_list("request_id", "client_request_id")}
        self.assertEqual(ids, {("ours", "trace-5")})


class UploadTests(PageTestCase):
    def test_a_run_has_those_of_its_upload(self) -> None:
        headers = {"X-Request-ID": "trace-6"}
        answer = self.client.post("/bulk/", {"rows": "Contact 1,Company 2"}, headers=headers)
        run = BulkRun.objects.get()
        told = (run.request_id, run.client_request_id)
        self.assertEqual(told, (answer["X-Request-ID"], "trace-6"))
