"""What the columns of a file mean: proposed, chosen on the page, remembered for the next file."""

import time
from io import BytesIO

from openpyxl import Workbook

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, services, staging
from associations.bulk.leases import claim
from associations.models import BulkRun, RunState
from hubadmin.models import User
from tests.associations.bulk.engine import EngineTestCase
from tests.support import SignedInClient, person

UNKNOWN = "Kunde;Firma;Vorgang\n501;902;SUP-1\n502;903;SUP-2\n"
MEANINGS = ["from_object_id:contacts", "to_object_id:companies", "reason"]
SEVERAL = 'contact id,company id\n501,902;903\n502,"902, 903"\n503,"902\n904"\n504,905;\n'


class FileTestCase(EngineTestCase):
    def file(self, content: str | bytes, user: User | None = None, **fields: str) -> BulkRun:
        data = content.encode() if isinstance(content, str) else content
        run = services.create(
            user=user or self.user,
            meta=RequestMeta(),
            name="x.csv",
            parts=[data],
            way="batch",
            **fields,
        )
        return self.read(run)

    def read(self, run: BulkRun, seconds: float = 10) -> BulkRun:
        BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
        dry_run.read_run(claim(BulkRun.objects.filter(pk=run.pk)), time.monotonic() + seconds)
        run.refresh_from_db()
        return run

    def said(self, run: BulkRun, *meanings: str) -> BulkRun:
        """Somebody says what the columns mean, and the file is read anew."""
        services.read_anew(run=run, meanings=meanings)
        return self.read(run)

    def ids(self, run: BulkRun) -> list[tuple[str, str]]:
        rows = run.rows.order_by("number")
        return list(rows.values_list("from_object_id", "to_object_id"))


class SeveralTests(FileTestCase):
    def test_each_id_of_a_cell_is_a_pair_of_its_line(self) -> None:
        run = self.file(SEVERAL)
        expected = [("501", "902"), ("501", "903"), ("502", "902"), ("502", "903")]
        expected += [("503", "902"), ("503", "904"), ("504", "905")]
        self.assertEqual(self.ids(run), expected)
        lines = list(run.rows.order_by("number").values_list("number", "line"))
        self.assertEqual(lines, [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 6)])
        self.assertEqual((run.rows_read, run.rows_further, run.rows_ready), (7, 3, 7))

    def test_on_both_sides_nobody_knows_which_belong_together(self) -> None:
        run = self.file("contact id,company id\n501;502,902;903\n503;504,905\n")
        first = run.rows.get(number=1)
        self.assertEqual(
            (first.problem, first.cells["to_object_id"]), ("several_on_both", "902;903")
        )
        self.assertEqual(self.ids(run)[1:], [("503", "905"), ("504", "905")])

    def test_what_could_be_one_number_or_one_text_stays_one(self) -> None:
        cells = ('"902,903"', "902 903", "902|903", "902/903", "902;x", '"9,02; 903"')
        run = self.file("contact id,company id\n" + "".join(f"501,{each}\n" for each in cells))
        self.assertEqual((run.rows_read, run.rows_invalid), (len(cells), len(cells)))

    def test_a_run_goes_on_within_a_line(self) -> None:
        many = ";".join(str(900 + number) for number in range(1, 1200))
        run = services.create(
            user=self.user,
            meta=RequestMeta(),
            name="x.csv",
            parts=[f"contact id,company id\n501,{many}\n".encode()],
            way="batch",
        )
        self.assertEqual(self.read(run, seconds=0).rows_read, 500)
        staging._open.clear()  # another process goes on
        self.read(run)
        self.assertEqual([to for _from, to in self.ids(run)], many.split(";"))
        self.assertEqual(run.rows_further, 1198)


class ChosenTests(FileTestCase):
    def test_columns_that_nobody_knows_wait_for_somebody(self) -> None:
        run = self.file(UNKNOWN)
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "missing_column"))
        columns = [["Kunde", ["501", "502"]], ["Firma", ["902", "903"]]]
        self.assertEqual(run.layout["columns"], [*columns, ["Vorgang", ["SUP-1", "SUP-2"]]])
        services.read_anew(run=run, meanings=MEANINGS)
        self.read(run)
        self.assertEqual((run.state, run.problem, run.rows_ready), (RunState.READY, "", 2))
        row = run.rows.get(number=2)
        pair = (row.from_object_type, row.from_object_id, row.to_object_type, row.to_object_id)
        self.assertEqual((*pair, row.reason), ("contacts", "502", "companies", "903", "SUP-2"))

    def test_what_was_staged_before_is_gone(self) -> None:
        run = self.file("contact id,company id\n501,902\n502,x\n501,902\n")
        self.assertEqual((run.rows_invalid, run.rows_double), (1, 1))
        services.read_anew(run=run, meanings=["to_object_id:deals", "from_object_id:tickets"])
        self.assertEqual((run.state, run.rows_read), (RunState.READING, 0))
        self.read(run)
        counts = (run.rows_read, run.rows_invalid, run.rows_double, run.rows.count())
        self.assertEqual((run.state, *counts), (RunState.READY, 3, 1, 1, 3))
        self.assertEqual(self.ids(run)[0], ("902", "501"))

    def test_a_worker_that_dies_while_it_forgets_leaves_nothing_old(self) -> None:
        lines = "".join(f"{501 + n},{902 + n}\n" for n in range(1200))
        run = self.file(f"contact id,company id\n{lines}")
        services.read_anew(run=run, meanings=["to_object_id:deals", "from_object_id:tickets"])
        self.read(run, seconds=0)
        self.assertTrue(run.is_anew)
        self.assertEqual(run.rows.count(), 700)
        self.read(run)
        self.assertEqual((run.is_anew, run.rows_read, run.rows.count()), (False, 1200, 1200))
        self.assertFalse(run.rows.exclude(from_object_type="tickets").exists())

    def test_columns_that_say_the_type_go_before_one_for_all_rows(self) -> None:
        run = self.file("contact id,company id\n501,902\n", from_object_type="deals")
        self.assertEqual(run.rows_invalid, 1)
        services.read_anew(run=run, meanings=["from_object_id:contacts", "to_object_id:companies"])
        self.assertEqual(self.read(run).rows_ready, 1)

    def test_what_is_started_or_has_no_file_stays_as_it_is(self) -> None:
        run = self.file("contact id,company id\n501,902\n")
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        self.assertEqual(([*run.layout], run.uploads.count()), (["encoding", "meanings"], 1))
        for state in (RunState.QUEUEING, RunState.DONE, RunState.READY):
            BulkRun.objects.filter(pk=run.pk).update(state=state)
            if state == RunState.READY:
                run.uploads.all().delete()
            with self.subTest(state), self.assertRaises(services.NotPossibleError):
                services.read_anew(run=run, meanings=MEANINGS)

    def test_the_same_columns_mean_the_same_to_the_same_person(self) -> None:
        services.read_anew(run=self.file(UNKNOWN), meanings=MEANINGS)
        again = self.file("KUNDE;firma;Vorgang\n601;905;SUP-9\n")
        self.assertEqual((again.state, again.rows_ready), (RunState.READY, 1))
        self.assertTrue(again.layout["is_remembered"])
        self.assertEqual(self.file(UNKNOWN, person("another", "support")).state, "unreadable")
        self.assertEqual(self.file("Firma;Kunde;Vorgang\n1;2;3\n").state, "unreadable")
        services.read_anew(run=self.file("→;←;x\n501;902;y\n"), meanings=MEANINGS)
        self.assertEqual(self.file(" →;←;X\n501;902;y\n").state, "ready")
        for names in ("←;→;x", "→;;x", f"→;←;{'x' * 200}"):
            self.assertEqual(self.file(f"{names}\n902;501;y\n").state, "unreadable")


class EncodingTests(FileTestCase):
    TEXT = "contact id,company id,reason\n501,902,été à Łódź\n"

    def test_it_is_told_and_chosen(self) -> None:
        data = "contact id,company id,reason\n501,902,été\n".encode("mac-roman")
        run = self.file(data)
        self.assertEqual(run.layout["encoding"], "cp1252")
        self.assertEqual(run.layout["encodings"]["mac-roman"], "été")
        self.assertNotEqual(run.rows.get().reason, "été")
        chosen = run.layout["meanings"]
        services.read_anew(run=run, meanings=chosen, encoding="mac-roman")
        self.assertEqual(self.read(run).rows.get().reason, "été")
        self.assertEqual(run.layout["encoding"], "mac-roman")

    def test_one_that_cannot_be_windows_1252_is_read_and_can_be_chosen_too(self) -> None:
        for text, encoding in (("reçu, très bien", "mac-roman"), ("Źle, Łódź", "cp1250")):
            with self.subTest(encoding):
                rows = f"contact id;company id;reason\n501;902;x\n502;903;{text}\n"
                run = self.file(rows.encode(encoding))
                self.assertEqual((run.state, run.layout["encoding"]), ("ready", "mac-roman"))
                self.assertEqual(run.layout["encodings"][encoding], text)
                self.assertNotIn("cp1252", run.layout["encodings"])
                chosen = run.layout["meanings"]
                services.read_anew(run=run, meanings=chosen, encoding=encoding)
                self.assertEqual(self.read(run).rows.get(number=2).reason, text)

    def test_a_file_that_says_its_encoding_is_not_asked_about(self) -> None:
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            with self.subTest(encoding):
                run = self.file(self.TEXT.encode(encoding))
                self.assertEqual((run.layout["encodings"], run.rows_ready), ({}, 1))

    def test_one_that_it_cannot_be_in_is_not_offered(self) -> None:
        run = self.file(b"contact id,company id,reason\n501,902,\x98\n")
        self.assertLess({"cp1252", "mac-roman"}, run.layout["encodings"].keys())
        self.assertNotIn("cp1250", run.layout["encodings"])


class SheetTests(FileTestCase):
    def book(self) -> bytes:
        book = Workbook()
        book.active.title = "Notes"
        book.active.append(["Call them", "tomorrow"])
        pairs = book.create_sheet("Pairs")
        for row in (["Contact", "Company", "Ticket"], [501, 902, "SUP-1"], [502, "902;903", "x"]):
            pairs.append(row)
        file = BytesIO()
        book.save(file)
        return file.getvalue()

    def test_another_sheet_is_chosen_and_its_columns_are_proposed(self) -> None:
        run = self.file(self.book())
        self.assertEqual((run.state, run.layout["sheet"]), (RunState.UNREADABLE, "Notes"))
        self.assertEqual(run.layout["sheets"], ["Notes", "Pairs"])
        services.read_anew(run=run, sheet="Pairs")
        self.read(run)
        self.assertEqual(self.ids(run), [("501", "902"), ("502", "902"), ("502", "903")])
        self.assertEqual([row.line for row in run.rows.all()], [2, 3, 3])
        self.assertEqual(run.layout["meanings"], MEANINGS)

    def test_the_form_asks_nothing_of_columns_nobody_has_seen(self) -> None:
        run = self.file(self.book())
        client = SignedInClient(self.user)
        address = f"{run.get_absolute_url()}columns/"
        self.assertContains(client.get(run.get_absolute_url()), "Sheet")
        for sheet, status in (("Pairs", 302), ("Notes", 422), ("Nothing", 422)):
            with self.subTest(sheet):
                waits = {"state": RunState.UNREADABLE, "problem": "missing_columns"}
                BulkRun.objects.filter(pk=run.pk).update(**waits)
                answer = client.post(address, {"sheet": sheet, "column_1": "", "column_2": ""})
                self.assertEqual(answer.status_code, status)
