"""What can be taken away of a run: what became of each row, and the rows to be corrected."""

import csv
from collections.abc import Iterable
from unittest import mock

from django.test import TestCase
from django.utils import timezone

from associations.bulk import exports
from associations.bulk.corrections import corrections_of
from associations.bulk.exports import result_lines
from associations.bulk.files.rows import RowChecker
from associations.bulk.staging import _insert, _rows_to_retry
from associations.gateway.object_types import standard_choices
from associations.models import BulkRow, BulkRun, RunState
from tests.associations.bulk.files.files import read_table
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import person


def read(lines: Iterable[bytes]) -> list[dict[str, str]]:
    text = b"".join(lines).decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


class ResultTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        self.run_ = run_of(self.user, state="canceled", skip_linked=True)

    def row(self, number: int, state: str = "ready", **fields: object) -> BulkRow:
        values = {"from_object_type": "contacts", "from_object_id": str(500 + number)}
        values |= {"to_object_type": "companies", "to_object_id": "902", "line": number + 1}
        return BulkRow.objects.create(run=self.run_, number=number, state=state, **values | fields)

    def invalid(self, number: int, **cells: str) -> BulkRow:
        empty = dict.fromkeys(("from_object_type", "from_object_id"), "")
        return self.row(
            number,
            "invalid",
            problem="required",
            problem_field="from_object_id",
            cells=cells,
            **empty,
        )

    def entry(self, number: int, **fields: object) -> None:
        entry_of(self.user, run=self.run_, row_number=number, **fields)


class RunResultTests(ResultTestCase):
    def fill(self) -> None:
        for number in (1, 2, 6):
            self.row(number)
        self.entry(2, outcome="rejected", cause="record_not_found", error_text="=no such")
        self.entry(1, reason="SUP-1")
        self.invalid(3, from_object_id="", to_object_id="902")
        self.row(4, "double")
        self.row(5, was_linked=True)

    def test_every_row_in_the_order_of_the_file(self) -> None:
        self.fill()
        rows = read(result_lines(self.run_))
        self.assertEqual([row["row"] for row in rows], ["1", "2", "3", "4", "5", "6"])
        self.assertEqual([row["line"] for row in rows], ["2", "3", "4", "5", "6", "7"])
        told = [(row["state"], row["linked"]) for row in rows]
        self.assertEqual(
            told,
            [
                ("linked", "yes"),
                ("rejected", "no"),
                ("invalid", ""),
                ("double", ""),
                ("left_out", "yes"),
                ("left_out", ""),
            ],
        )
        self.assertEqual(rows[0]["reason"], "SUP-1")
        self.assertEqual(rows[1]["hubspot"], "'=no such")
        self.assertIn("From: the record's id is missing", rows[2]["what_happened"])
        self.assertTrue(rows[0]["entry"].isdecimal())

    def test_without_what_was_staged_the_entries_remain(self) -> None:
        self.fill()
        self.run_.rows.all().delete()
        rows = read(result_lines(self.run_))
        self.assertEqual([(row["row"], row["line"]) for row in rows], [("1", ""), ("2", "")])

    def test_of_this_run_only_and_whatever_the_stretches(self) -> None:
        for number in range(1, 8):
            self.row(number)
            if number % 2:
                self.entry(number)
        entry_of(self.user, run=run_of(self.user), row_number=1)
        whole = read(result_lines(self.run_))
        self.assertEqual(len(whole), 7)
        for size in (1, 2, 3, 7):
            with mock.patch.object(exports, "ROWS_AT_ONCE", size):
                self.assertEqual(read(result_lines(self.run_)), whole)

    def test_few_queries_for_many_rows(self) -> None:
        for number in range(1, 41):
            self.row(number)
            self.entry(number)
        with self.assertNumQueries(4) as queries:
            b"".join(result_lines(self.run_))
        # No sentence of the file tells of attempts, whose bodies are long.
        self.assertNotIn("associationattempt", str(queries.captured_queries))

    def test_of_nothing_there_is_the_head(self) -> None:
        self.assertEqual(len(b"".join(result_lines(self.run_)).splitlines()), 1)


class UnfinishedTests(ResultTestCase):
    """Results that are taken while the run is on its way say what is so, and no more."""

    def results(self, state: str, **fields: object) -> list[tuple[str, str, str]]:
        for name, value in ({"state": state} | fields).items():
            setattr(self.run_, name, value)
        rows = read(result_lines(self.run_))
        return [(row["state"], row["linked"], row["what_happened"]) for row in rows]

    def test_rows_that_are_not_queued_yet(self) -> None:
        self.row(1)
        self.row(2, was_linked=False)
        self.row(3, was_linked=True)
        self.entry(1, outcome="queued", cause="", sent_at=None, finished_at=None)
        for state in ("queueing", "running", "paused"):
            for skip, third in (
                (True, ("left_out", "yes", "The records were linked already, so this row")),
                (False, ("not_sent", "yes", "This row was not sent yet.")),
            ):
                with self.subTest(state, skip=skip):
                    first, second, last = self.results(state, skip_linked=skip)
                    self.assertEqual(first[:2], ("queued", ""))
                    self.assertIn("Nothing was sent yet.", first[2])
                    self.assertEqual(second, ("not_sent", "no", "This row was not sent yet."))
                    self.assertEqual(last[:2], third[:2])
                    self.assertIn(third[2], last[2])
                    self.assertNotIn("canceled", str((first, second, last)))

    def test_of_which_nobody_knows_whether_they_are_linked(self) -> None:
        self.row(1)
        self.assertEqual(self.results("queueing")[0][:2], ("not_sent", ""))
        self.assertEqual(self.results("canceled")[0][:2], ("left_out", ""))

    def test_canceled_rows_are_linked_as_the_dry_run_saw_them(self) -> None:
        for number, was_linked in ((1, True), (2, False), (3, True), (4, False)):
            self.row(number, was_linked=was_linked)
        for number in (1, 2):
            self.entry(number, outcome="canceled", cause="not_sent", sent_at=None)
        told = [each[:2] for each in self.results("canceled", skip_linked=False)]
        self.assertEqual(
            told, [("canceled", "yes"), ("canceled", "no"), ("left_out", "yes"), ("left_out", "no")]
        )

    def test_rows_of_a_run_that_is_being_canceled(self) -> None:
        self.row(1)
        self.row(2)
        for number, sent in ((3, None), (4, timezone.now())):
            self.entry(number, outcome="queued", cause="", sent_at=sent, finished_at=None)
        self.entry(5, outcome="sending", cause="", finished_at=None)
        told = self.results("canceling")
        for state, _, text in told[:2]:
            self.assertEqual(state, "left_out")
            self.assertIn("was canceled before this row was queued", text)
        for state, _, text in told[2:4]:
            self.assertEqual(state, "queued")
            self.assertIn("is being canceled, so this row will not be sent", text)
        self.assertNotIn("canceled", str(told[4]))

    def test_a_row_that_was_tried_and_waits_is_not_under_way(self) -> None:
        self.entry(1, outcome="queued", cause="", finished_at=None)
        for state in ("running", "paused"):
            ((_, _, text),) = self.results(state)
            self.assertIn("wait for another turn in a bulk run", text)
            self.assertNotIn("Linking", text)

    def test_the_line_of_a_retried_row_is_that_of_the_first_file(self) -> None:
        self.row(7, line=12)
        retry = run_of(self.user, retry_of=self.run_)
        entry_of(self.user, run=self.run_, row_number=7, outcome="rejected", cause="locked")
        entry_of(self.user, run=self.run_, row_number=9, outcome="rejected", cause="locked")
        _insert(retry, [row.columns for row in _rows_to_retry(retry)])
        rows = read(result_lines(retry))
        self.assertEqual([(row["row"], row["line"]) for row in rows], [("7", "12"), ("9", "")])


class BadRowPageTests(PageTestCase):
    def test_only_of_a_file_that_was_read_to_its_end(self) -> None:
        for state in RunState:
            run = run_of(self.user, state=state)
            run.rows.create(number=1, line=2, state="invalid", problem="required")
            answer = self.client.get(f"/bulk/{run.pk}/bad-rows.csv")
            expected = 404 if state in ("reading", "unreadable") else 200
            self.assertEqual(answer.status_code, expected, state)
            answer.getvalue()  # one that nobody reads is a download under way


class BadRowTests(ResultTestCase):
    def test_as_they_stood_and_why(self) -> None:
        self.row(1)
        self.invalid(2, from_object_id="", to_object_id="+902", reason="=1+1")
        (row,) = read(corrections_of(self.run_, standard_choices().resolve).content)
        self.assertEqual((row["line"], row["to_object_id"]), ("3", "'+902"))
        self.assertEqual(row["reason"], "'=1+1")
        self.assertIn("is missing", row["problem"])

    def test_corrected_it_can_be_uploaded_again(self) -> None:
        BulkRun.objects.filter(pk=self.run_.pk).update(from_object_type="contacts")
        self.run_.refresh_from_db()
        cells = {"from_object_id": "", "to_object_type": "Company", "to_object_id": "902"}
        self.invalid(1, **cells, reason="-5")
        text = b"".join(corrections_of(self.run_, standard_choices().resolve).content).replace(
            b'"contacts",""', b'"contacts","501"'
        )
        table = read_table(lambda: [text])
        self.assertEqual(table.unused, ())
        (row,) = [RowChecker(standard_choices()).check(table.values(each)) for each in table]
        self.assertIsNone(row.problem)
        self.assertEqual(row[:5], ("contacts", "501", "companies", "902", "-5"))
