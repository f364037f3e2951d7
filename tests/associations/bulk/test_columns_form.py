"""The page where one says what the columns of a file mean."""

from django.http import HttpResponse

from associations.bulk import services
from associations.models import BulkRun, RunState
from tests.associations.bulk.test_mapping import FileTestCase
from tests.support import SignedInClient, person

UNKNOWN = "Kunde;Firma;<b>Vorgang</b>\n501;902;SUP-1\n"
CHOSEN = {
    "column_1": "from_object_id:contacts",
    "column_2": "to_object_id:companies",
    "column_3": "reason",
}


class ColumnsTests(FileTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient(self.user)
        self.as_admin = SignedInClient(person("admin"))

    def page(self, run: BulkRun, *, admin: bool = False) -> HttpResponse:
        return (self.as_admin if admin else self.client).get(run.get_absolute_url())

    def post(self, run: BulkRun, *, admin: bool = False, **fields: str) -> str:
        """Choose; return where that leads, or the status."""
        client = self.as_admin if admin else self.client
        answer = client.post(f"{run.get_absolute_url()}columns/", fields)
        return answer.headers.get("Location", str(answer.status_code))

    def test_a_row_a_column_with_its_first_values(self) -> None:
        answer = self.page(self.file(UNKNOWN))
        self.assertContains(answer, "What your columns mean")
        for shown in ("Kunde", "SUP-1", "&lt;b&gt;Vorgang", "From: Contact", "To: Company"):
            self.assertContains(answer, shown)
        self.assertNotContains(answer, "<b>Vorgang")
        self.assertNotContains(answer, "Encoding")

    def test_what_is_chosen_is_read_anew(self) -> None:
        run = self.file(UNKNOWN)
        self.assertEqual(self.post(run, **CHOSEN), run.get_absolute_url())
        self.read(run)
        self.assertEqual((run.state, run.rows_ready), (RunState.READY, 1))
        answer = self.page(run)
        self.assertContains(answer, 'value="reason" selected')
        self.assertContains(answer, "Start: link 1 pair")

    def test_nonsense_is_told_where_one_chooses_and_changes_nothing(self) -> None:
        run = self.file(UNKNOWN)
        for change, said in (
            ({"column_2": "from_object_id:deals"}, "is this already"),
            ({"column_2": ""}, "Choose it as “To”."),
            ({"column_3": "from_object_type"}, "“Kunde” is this already"),
            ({"column_1": "", "column_2": ""}, "Choose it as “From”."),
            ({"column_2": "to_object_id:../../x"}, "Choose one of these."),
            ({"column_3": "password"}, "Choose one of these."),
        ):
            with self.subTest(change):
                address = f"{run.get_absolute_url()}columns/"
                answer = self.client.post(address, CHOSEN | change)
                self.assertContains(answer, said, status_code=422)
                run.refresh_from_db()
                self.assertEqual((run.state, run.chosen), (RunState.UNREADABLE, {}))

    def test_a_file_that_is_gone_waits_for_nobody(self) -> None:
        run = self.file(UNKNOWN)
        told = "columns not understood"
        for address in ("/bulk/", run.get_absolute_url()):
            self.assertContains(self.client.get(address), told)
        BulkRun.objects.filter(pk=run.pk).update(layout={})  # as erasing leaves it
        run.uploads.all().delete()
        for address in ("/bulk/", run.get_absolute_url()):
            self.assertNotContains(self.client.get(address), told)
            self.assertContains(self.client.get(address), "cannot be read")

    def test_only_whom_it_belongs_to_chooses(self) -> None:
        run = self.file(UNKNOWN)
        self.assertNotContains(self.page(run, admin=True), "What your columns mean")
        self.assertEqual(self.post(run, admin=True, **CHOSEN), "403")

    def test_a_run_that_has_moved_on_is_left_alone(self) -> None:
        run = self.file(UNKNOWN)
        self.post(run, **CHOSEN)
        self.assertIn("?moved", self.post(run, **CHOSEN))
        self.read(run)
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        self.assertIn("?moved", self.post(run, **CHOSEN))
        self.assertNotContains(self.page(run), "What your columns mean")

    def test_encodings_are_shown_by_what_they_make_of_a_cell(self) -> None:
        run = self.file("contact id,company id,reason\n501,902,Größe\n".encode("mac-roman"))
        answer = self.page(run)
        self.assertContains(answer, "Western, Macintosh: Größe")
        columns = dict(zip(CHOSEN, run.layout["meanings"], strict=True))
        self.post(run, encoding="mac-roman", **columns)
        self.assertEqual(self.read(run).rows.get().reason, "Größe")
        self.assertIn("422", self.post(run, encoding="rot13", **columns))

    def test_several_ids_in_a_cell_are_told(self) -> None:
        run = self.file(b"contact id,company id\n501,902;903;904\n")
        self.assertContains(self.page(run), "2 pairs more than lines")
