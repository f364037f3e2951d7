"""Bulk runs: upload one, the list of them, and the notice of those that have ended."""

import io
from unittest import mock

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from associations.bulk import views as bulk
from associations.models import BulkRun, BulkUpload
from hubadmin.web import drafts
from tests.associations.bulk.files.files import read_table
from tests.associations.linking.base import PageTestCase, run_of
from tests.support import SignedInClient, person, read_only_database

FILE = b"from,to\nContact 501,Company 902\n"


def file(content: bytes = FILE, name: str = "customers.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


class UploadTests(PageTestCase):
    def stored(self) -> bytes:
        parts = BulkUpload.objects.order_by("number").values_list("content", flat=True)
        return b"".join(map(bytes, parts))

    def test_a_file_becomes_a_run_and_its_page_comes_next(self) -> None:
        answer = self.client.post("/bulk/", {"file": file(), "from_object_type": "Contact"})
        run = BulkRun.objects.get()
        self.assertRedirects(answer, f"/bulk/{run.pk}/")
        told = (run.user, run.name, run.state, run.way, run.size, run.from_object_type)
        expected = (self.user, "customers.csv", "reading", settings.BULK_WAY, len(FILE), "contacts")
        self.assertEqual(told, expected)
        self.assertEqual(self.stored(), FILE)
        self.assertTrue(run.request_id and run.client_ip)

    def test_pasted_rows_do_as_well(self) -> None:
        self.client.post("/bulk/", {"rows": "\t501\r\nContact 7,Company 9", "reason": "SUP-7"})
        run = BulkRun.objects.get()
        self.assertEqual((run.name, run.reason), ("", "SUP-7"))
        self.assertEqual(self.stored(), b"\t501\r\nContact 7,Company 9")
        self.assertContains(self.client.get("/bulk/"), "pasted rows")

    def test_a_large_file_is_kept_in_parts(self) -> None:
        content = bytes(range(256)) * 40
        for fields in ({"file": file(content)}, {"rows": "x" * len(content)}):
            BulkUpload.objects.all().delete()
            with mock.patch.object(bulk, "PART_BYTES", 4096):
                self.client.post("/bulk/", fields)
            sizes = [len(bytes(each.content)) for each in BulkUpload.objects.order_by("number")]
            self.assertEqual(sizes, [4096, 4096, 2048])

    def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(self) -> None:
        typed = {"rows": "501,902\n77,<b>", "reason": "SUP-1", "to_object_type": "Contakt"}
        page = self.client.post("/bulk/", typed)
        self.assertContains(page, "No object type called “Contakt”", status_code=422)
        self.assertContains(page, "501,902\n77,&lt;b&gt;", status_code=422)
        self.assertContains(page, 'value="SUP-1"', status_code=422)
        self.assertContains(page, "Nothing was uploaded yet", status_code=422)
        self.assertFalse(BulkRun.objects.exists())

    @override_settings(BULK_MAX_BYTES=1000)
    def test_a_file_that_is_too_large(self) -> None:
        page = self.client.post("/bulk/", {"file": file(b"x" * 1001), "reason": "SUP-1"})
        self.assertContains(page, "1000\xa0bytes are taken", status_code=413)
        self.assertContains(page, 'value="SUP-1"', status_code=413)

    def test_more_pasted_than_is_taken(self) -> None:
        page = self.client.post("/bulk/", {"rows": "x" * (settings.MAX_REQUEST_BYTES + 1)})
        self.assertContains(page, "rows that are pasted 1.0\xa0MB", status_code=413)

    def test_a_database_that_takes_nothing(self) -> None:
        with read_only_database(), self.assertLogs("associations.bulk.views", "ERROR"):
            answer = self.client.post("/bulk/", {"rows": "Contact 7,Company 9", "reason": "SUP-1"})
        self.assertContains(answer, "could not be kept at the moment", status_code=503)
        self.assertContains(answer, "SUP-1", status_code=503)
        self.assertFalse(BulkRun.objects.exists())

    def test_the_template_can_be_read(self) -> None:
        answer = self.client.get("/bulk/template.csv")
        self.assertTrue(answer.content.startswith(b"\xef\xbb\xbf"))
        table = read_table(lambda: [answer.content])
        self.assertEqual((len(table.columns), table.unused, len(list(table))), (5, (), 2))

    def test_the_template_for_excel_says_the_same(self) -> None:
        answer = self.client.get("/bulk/template.xlsx")
        self.assertIn("spreadsheetml.sheet", answer["Content-Type"])
        self.assertIn('filename="hubadmin-bulk-run.xlsx"', answer["Content-Disposition"])
        table = read_table(lambda: [answer.content])
        rows = [record.cells for record in table]
        other = read_table(lambda: [self.client.get("/bulk/template.csv").content])
        self.assertEqual((table.columns, rows), (other.columns, [each.cells for each in other]))

    def test_its_columns_are_texts_down_to_the_last_row(self) -> None:
        content = self.client.get("/bulk/template.xlsx").content
        sheet = load_workbook(io.BytesIO(content)).active
        for letter in "ABCDE":
            column = sheet.column_dimensions[letter]
            formats = {column.number_format, *(cell.number_format for cell in sheet[letter])}
            self.assertEqual(formats, {"@"})

    def test_the_form_offers_workbooks_and_both_templates(self) -> None:
        page = self.client.get("/bulk/")
        self.assertContains(page, 'accept=".xlsx,.xlsm,.csv')
        for name in ("template.xlsx", "template.csv"):
            self.assertContains(page, f'href="/bulk/{name}"')


class DraftTests(PageTestCase):
    def signed_out_meanwhile(self, **fields: object) -> HttpResponse:
        self.client = SignedInClient()
        self.client.post("/bulk/", {"is_upload": "1", **fields})
        self.client.sign_in(self.user)
        return self.client.get("/bulk/")

    def test_what_was_typed_is_there_again(self) -> None:
        page = self.signed_out_meanwhile(rows="501,902", reason="SUP-1")
        self.assertContains(page, "had been signed out")
        self.assertContains(page, "501,902")
        self.assertContains(page, 'value="SUP-1"')
        self.assertNotContains(self.client.get("/bulk/"), "had been signed out")

    def test_a_file_is_not_and_that_is_said(self) -> None:
        self.assertContains(self.signed_out_meanwhile(file=file()), "A file cannot be kept")

    def test_rows_that_were_cut_do_not_pass_for_all(self) -> None:
        page = self.signed_out_meanwhile(rows="5" * drafts.MAX_KEPT, reason="SUP-1")
        self.assertContains(page, "Nor could all the rows")
        self.assertNotContains(page, "5" * 100)


class ListTests(PageTestCase):
    def test_nothing_yet(self) -> None:
        self.assertContains(self.client.get("/bulk/"), "What you upload is listed here")
        self.assertContains(self.client.get("/bulk/?before=1"), "No runs here")

    def test_ones_own_and_for_admins_all(self) -> None:
        run_of(self.user, name="mine.csv")
        run_of(person("colleague", "support"), name="theirs.csv")
        page = self.client.get("/bulk/")
        self.assertContains(page, "mine.csv")
        self.assertNotContains(page, "theirs.csv")
        page = self.as_admin.get("/bulk/")
        self.assertContains(page, "theirs.csv")
        self.assertContains(page, "Colleague")

    def test_state_and_counts_in_words(self) -> None:
        started = {"started_at": timezone.now(), "queued": 4900, "linked": 4880}
        run_of(self.user, rejected=15, unreachable=5, told_at=timezone.now(), **started)
        self.assertContains(self.client.get("/bulk/"), "4,900 of 4,900: 4,880 linked, 15 not")
        self.assertContains(self.client.get("/bulk/"), "5 perhaps")

    def test_older_ones_by_the_page(self) -> None:
        with mock.patch.object(bulk, "LISTED", 2):
            runs = [run_of(self.user, name=f"{n}.csv") for n in "abc"]
            page = self.client.get("/bulk/")
            self.assertEqual([run.pk for run in page.context["runs"]], [runs[2].pk, runs[1].pk])
            self.assertContains(page, f'href="?before={runs[1].pk}"')
            older = self.client.get(f"/bulk/?before={runs[1].pk}")
            self.assertEqual([run.pk for run in older.context["runs"]], [runs[0].pk])
            self.assertNotContains(older, "Older")
            for nonsense in ("x", "-1", "٣", "9" * 19):
                page = self.client.get("/bulk/", {"before": nonsense})
                self.assertEqual(len(page.context["runs"]), 2)

    def test_the_number_of_queries_does_not_grow(self) -> None:
        run_of(self.user, told_at=timezone.now())
        self.client.get("/bulk/")
        with self.assertNumQueries(6):
            self.client.get("/bulk/")
        for _ in range(10):
            run_of(self.user, told_at=timezone.now())
        with self.assertNumQueries(6):
            self.client.get("/bulk/")


class NoticeTests(PageTestCase):
    def test_none_for_whoever_has_no_access_any_more(self) -> None:
        run_of(self.user, queued=20, linked=18, rejected=2)
        self.user.role = ""
        self.user.save()
        with CaptureQueriesContext(connection) as asked:
            page = self.client.get("/")
        self.assertContains(page, "You have no access here yet", status_code=403)
        self.assertNotContains(page, "customers.csv", status_code=403)
        self.assertNotIn("bulkrun", str(asked.captured_queries))

    def test_on_every_page_until_it_was_opened(self) -> None:
        run = run_of(self.user, queued=20, linked=18, rejected=2)
        for address in ("/", "/requests/", "/bulk/", "/nowhere"):
            page = self.client.get(address).content.decode()
            self.assertIn(f"Run {run.pk} (<bdi>customers.csv</bdi>) is partly done", page)
            self.assertIn("18 linked, 2 not.", page)
        self.assertNotIn("done</a>", self.client.get(f"/bulk/{run.pk}/").content.decode())
        self.assertNotContains(self.client.get("/"), "partly done")

    def test_for_its_own_person_only(self) -> None:
        run = run_of(self.user)
        self.assertNotContains(self.as_admin.get("/"), "is done")
        self.as_admin.get(f"/bulk/{run.pk}/")
        self.assertContains(self.client.get("/"), "is done")

    def test_of_no_more_than_three_and_none_that_goes_on(self) -> None:
        for state in ("done", "canceled", "done", "done", "running", "ready"):
            run_of(self.user, state=state)
        page = self.client.get("/")
        self.assertEqual(page.content.decode().count('class="ended-run'), 3)

    def test_nothing_is_asked_of_the_database_for_those_signed_out(self) -> None:
        with mock.patch.object(BulkRun.objects, "untold") as untold:
            SignedInClient().get("/sign-in")
            untold.assert_not_called()
