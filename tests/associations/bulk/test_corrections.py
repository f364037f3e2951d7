"""The rows that need somebody, as a file: in the person's columns, and back again."""

import csv
import io
import tracemalloc
from typing import Any

from django.test import override_settings
from django.utils import timezone, translation
from openpyxl import Workbook, load_workbook

from associations.audit.integrity import erasing
from associations.bulk import services
from associations.bulk.corrections import (
    NEED_NOBODY,
    Corrections,
    corrections_of,
    number_to_correct,
    rows_kept_back,
)
from associations.bulk.staging import FAILED, to_try_again
from associations.bulk.todo import runs_needing, todo_of
from associations.bulk.worker import scheduler
from associations.gateway.object_types import standard_choices
from associations.hubspot.outcomes import LASTING, VERDICTS, Cause
from associations.models import BulkRow, BulkRun, RowState, RunState
from tests.associations.bulk.engine import FIRST_COMPANY, FIRST_CONTACT, NO_CONTACT
from tests.associations.bulk.test_mapping import FileTestCase
from tests.associations.linking.base import entry_of
from tests.support import SignedInClient

HEAD = "Name;contact id;company id;Notiz"
GOOD = f"Ada;{FIRST_CONTACT};{FIRST_COMPANY};"
BAD = "Jörg;12x;902;a"


class CorrectionTestCase(FileTestCase):
    def corrected(self, run: BulkRun) -> tuple[Corrections, bytes]:
        run.refresh_from_db()
        file = corrections_of(run, standard_choices().resolve)
        return file, b"".join(file.content)

    def cells(
        self, run: BulkRun, encoding: str = "utf-8-sig", delimiter: str = ";"
    ) -> list[list[str]]:
        _file, data = self.corrected(run)
        return list(csv.reader(io.StringIO(data.decode(encoding)), delimiter=delimiter))

    def ended(self, content: str | bytes, **fields: str) -> BulkRun:
        run = self.file(content, **fields)
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        return self.finish(run)

    def problems(self, run: BulkRun) -> list[tuple[Any, ...]]:
        rows = rows_kept_back(run).order_by("number")
        return [(row.problem, row.problem_field, row.cells) for row in rows]


class OwnColumnTests(CorrectionTestCase):
    def test_the_persons_columns_in_their_order_with_line_and_problem(self) -> None:
        run = self.file("\n".join([HEAD, GOOD, BAD]))
        head, row = self.cells(run)
        self.assertEqual(head, [*HEAD.split(";"), "line", "problem"])
        self.assertEqual(row[:5], [*BAD.split(";"), "3"])
        self.assertIn("A record id has digits only", row[5])

    def test_what_ended_not_linked_stands_with_what_was_left_out(self) -> None:
        run = self.ended("\n".join([HEAD, f"Nobody;{NO_CONTACT};{FIRST_COMPANY};", BAD, GOOD]))
        rows = self.cells(run)[1:]
        self.assertEqual([row[4] for row in rows], ["2", "3"])
        self.assertIn("HubSpot has no contact", rows[0][5])
        self.assertEqual(number_to_correct(run), 2)
        self.assertEqual([item.count for item in todo_of(run)], [1, 1])

    def test_a_line_of_several_pairs_stands_once_with_all_its_problems(self) -> None:
        pairs = f"{NO_CONTACT};{NO_CONTACT + 1};{FIRST_CONTACT}"
        run = self.ended(f'contact id,company id\n"{pairs}",{FIRST_COMPANY}\n')
        (row,) = self.cells(run, delimiter=",")[1:]
        self.assertEqual(row[:3], [pairs, str(FIRST_COMPANY), "2"])
        self.assertIn(str(NO_CONTACT), row[3])
        self.assertIn(str(NO_CONTACT + 1), row[3])

    def test_rows_of_any_state_but_ready_and_double_need_somebody(self) -> None:
        run = self.file("\n".join([HEAD, GOOD, GOOD]))
        self.assertEqual(list(rows_kept_back(run)), [])
        self.assertEqual({*RowState} - {*NEED_NOBODY}, {RowState.INVALID, RowState.TO_FIND})
        BulkRow.objects.filter(run=run, number=1).update(state="later", problem="later_code")
        self.assertEqual(self.cells(run)[1][4:], ["2", "later_code"])

    def test_a_canceled_run_gives_what_was_never_sent(self) -> None:
        run = self.file("\n".join([HEAD, GOOD, BAD]))
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        services.cancel(user=self.user, run=run)
        self.finish(run)
        rows = self.cells(run)[1:]
        self.assertEqual([row[4] for row in rows], ["2", "3"])
        self.assertIn("canceled", rows[0][5])

    def test_without_a_file_or_names_in_our_own_columns(self) -> None:
        headless = self.file(
            f"501,902\n12x,{FIRST_COMPANY}\n",
            from_object_type="contacts",
            to_object_type="companies",
        )
        self.assertEqual(headless.rows_invalid, 1)
        gone = self.file("\n".join([HEAD, BAD]))
        gone.uploads.all().delete()
        for run, company in ((headless, str(FIRST_COMPANY)), (gone, "902")):
            head, row = self.cells(run, delimiter=",")
            self.assertEqual((head[0], head[-1]), ("line", "problem"))
            self.assertEqual((row[2], row[4]), ("12x", company))


class FormatTests(CorrectionTestCase):
    def test_in_the_delimiter_and_the_encoding_that_it_came_in(self) -> None:
        for delimiter, encoding, suffix, told in (
            (";", "utf-8", "csv", "utf-8-sig"),
            (",", "cp1252", "csv", "cp1252"),
            ("\t", "utf-16", "tsv", "utf-16"),
        ):
            with self.subTest(encoding):
                text = "\n".join([HEAD, GOOD, BAD]).replace(";", delimiter)
                run = self.file(text.encode(encoding))
                self.assertEqual(self.corrected(run)[0].suffix, suffix)
                self.assertEqual(self.cells(run, told, delimiter)[1][0], "Jörg")

    def test_in_japanese_a_western_encoding_has_no_words(self) -> None:
        run = self.file("\n".join([HEAD, GOOD, BAD]).encode("cp1252"))
        with translation.override("ja"):
            head, row = self.cells(run)
        self.assertEqual((head[-2:], row[0]), (["行", "問題"], "Jörg"))

    def test_a_workbook_comes_back_as_texts(self) -> None:
        book, data = Workbook(), io.BytesIO()
        for row in (["contact id", "company id", "x"], ["106738123456", "9x2", "=1+1"]):
            book.active.append(row)
        book.active["C2"].data_type = "s"
        book.active["A2"] = 106738123456
        book.save(data)
        run = self.file(data.getvalue())
        file, content = self.corrected(run)
        self.assertEqual(file.suffix, "xlsx")
        cells = [*load_workbook(io.BytesIO(content)).active.iter_rows()][1]
        self.assertEqual([cell.value for cell in cells][:4], ["106738123456", "9x2", "=1+1", "2"])
        self.assertEqual({cell.data_type for cell in cells[:3]}, {"s"})
        again = self.file(content)
        self.assertEqual(self.problems(again)[0][:2], self.problems(run)[0][:2])

    def test_values_that_a_spreadsheet_would_compute_come_back_as_they_were(self) -> None:
        for value in ("=1+1", "+1x", "-x", "@x", "'x", "\uff1dx", "_x0041_", '"', "a\nb"):
            for way in ("csv", "xlsx"):
                with self.subTest(value, way=way):
                    BulkRun.objects.all().delete()
                    run = self.file(
                        self.made(way, ["contact id", "company id", "note"], ["x1", "902", value])
                    )
                    _file, data = self.corrected(run)
                    again = self.file(data)
                    self.assertEqual(self.reasons(again), self.reasons(run))
                    self.assertNotIn(b"<f>", data)
                    if way == "csv":
                        self.assertNotRegex(data.decode(), r'(^|,)"[=+@\uff1d-]')

    def reasons(self, run: BulkRun) -> list[str]:
        return list(run.rows.values_list("reason", flat=True))

    def made(self, way: str, *rows: list[str]) -> bytes:
        if way == "csv":
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            return text.getvalue().encode()
        book, data = Workbook(), io.BytesIO()
        for row in rows:
            book.active.append(row)
        for cell in book.active[2]:
            cell.data_type = "s"
        book.save(data)
        return data.getvalue()

    def test_memory_is_flat(self) -> None:
        lines = "".join(f"{'x' * 40};12x;902;{'y' * 40}\n" for _ in range(4000))
        run = self.file(f"{HEAD}\n{lines}")
        peaks = []
        for count in (1000, 4000):
            BulkRow.objects.filter(run=run).update(state="ready")
            BulkRow.objects.filter(run=run, number__lte=count).update(state="invalid")
            self.corrected(run)
            tracemalloc.start()
            for _part in corrections_of(run, standard_choices().resolve).content:
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        self.assertLess(peaks[1], peaks[0] * 2)


class RoundTests(CorrectionTestCase):
    def test_uploaded_again_it_is_understood_without_a_choice(self) -> None:
        for language in ("en", "ja"):
            with self.subTest(language), translation.override(language):
                run = self.file("\n".join([HEAD, GOOD, BAD]))
                _file, data = self.corrected(run)
                again = self.file(data)
                self.assertEqual((again.state, again.rows_read), (RunState.READY, 1))
                self.assertEqual(again.unused_columns, ["Name"])
                corrected = self.file(data.replace(b"12x", b"501"))
                self.assertEqual((corrected.rows_ready, corrected.rows_invalid), (1, 0))
                # and a second time without a second pair of our columns
                self.assertEqual(len(self.cells(again)[0]), 6)

    def test_what_was_said_of_its_columns_holds_for_it(self) -> None:
        run = self.file("Kunde;Firma;Vorgang\n12x;902;SUP-1\n502;903;SUP-2\n")
        run = self.said(run, "from_object_id:contacts", "to_object_id:companies", "reason")
        _file, data = self.corrected(run)
        again = self.file(data.replace(b"12x", b"501"))
        self.assertEqual((again.state, again.rows_ready), (RunState.READY, 1))
        self.assertTrue(again.layout["is_remembered"])

    def test_types_and_a_reason_for_all_rows_go_with_it(self) -> None:
        given = {"from_object_type": "contacts", "to_object_type": "companies", "reason": "SUP-9"}
        run = self.file("from id,to id\n12x,902\n502,903\n", **given)
        _file, data = self.corrected(run)
        row = self.file(data.replace(b"12x", b"501")).rows.get()
        found = row.from_object_type, row.to_object_type, row.reason, row.state
        self.assertEqual(found, ("contacts", "companies", "SUP-9", "ready"))

    def test_the_download_names_its_format_in_the_persons_language(self) -> None:
        run = self.file("\n".join([HEAD, GOOD, BAD]))
        client = SignedInClient(self.user)
        answer = client.get(f"/bulk/{run.pk}/bad-rows.csv", headers={"accept-language": "ja"})
        self.assertIn("bad-rows.csv", answer["Content-Disposition"])
        self.assertIn("問題", answer.getvalue().decode())


class KeptTests(CorrectionTestCase):
    def test_the_file_stays_until_its_rows_go(self) -> None:
        run = self.ended("\n".join([HEAD, GOOD, BAD]))
        self.assertEqual(run.uploads.count(), 1)
        with override_settings(BULK_KEEP_DAYS=0):
            while scheduler.tidy():
                pass
        self.assertEqual((run.uploads.count(), run.rows.count()), (0, 0))

    @override_settings(KEEP_RECORD_NAMES=False)
    def test_where_no_names_are_kept_it_goes_with_the_start(self) -> None:
        run = self.ended("\n".join([HEAD, GOOD, BAD]))
        self.assertEqual(run.uploads.count(), 0)
        self.assertEqual(self.cells(run, delimiter=",")[1][2], "12x")

    def test_erasing_takes_the_file_of_an_ended_run(self) -> None:
        run = self.ended("\n".join([HEAD, GOOD, BAD]))
        self.assertEqual(erasing.forget_files({"Somebody Else"}), 0)
        self.assertEqual(erasing.runs_being_read(), [])
        self.assertEqual(erasing.forget_files({"Jörg"}), 1)
        self.assertEqual(run.uploads.count(), 0)


class CauseTests(CorrectionTestCase):
    # The same request may end otherwise by itself, or once the site is repaired.
    PASSING = {
        *(Cause.NOT_SEEN_GONE, Cause.STILL_LINKED),
        *(Cause.IN_PROGRESS, Cause.NOT_SHOWN, Cause.PARTLY_FAILED, Cause.UNKNOWN_STATUS),
        *(Cause.UNREADABLE, Cause.CANCELED_BY_HUBSPOT, Cause.REDIRECTED, Cause.TOKEN_REFUSED),
        *(Cause.SCOPE_MISSING, Cause.FORBIDDEN, Cause.LOCKED, Cause.RATE_LIMITED),
        *(Cause.DAILY_LIMIT, Cause.MIGRATING, Cause.HUBSPOT_ERROR, Cause.HUBSPOT_DOWN),
        *(Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.INTERRUPTED, Cause.NO_CONNECTION),
    }

    def test_every_cause_is_tried_again_or_not(self) -> None:
        failing = {cause for cause in Cause if VERDICTS[cause].outcome in FAILED}
        self.assertEqual(failing - LASTING, self.PASSING)
        run = self.file("\n".join([HEAD, GOOD]))
        for number, cause in enumerate(Cause, 1):
            fields = {"outcome": VERDICTS[cause].outcome, "cause": cause}
            entry_of(self.user, run=run, row_number=number, **fields)
        again = to_try_again(run.pk).values_list("cause", flat=True)
        self.assertEqual({*again}, self.PASSING)

    def test_only_those_are_in_the_run_that_tries_again(self) -> None:
        run = self.ended("\n".join([HEAD, f"N;{NO_CONTACT};{FIRST_COMPANY};", GOOD]))
        with self.assertRaises(services.NotPossibleError):
            services.retry(user=self.user, meta=services.NOWHERE, run=run)


class NeedingTests(CorrectionTestCase):
    def test_which_runs_need_somebody(self) -> None:
        now = timezone.now()
        faults = {"finished_at": now, "rejected": 1}
        for needs, fields in (
            (True, {"state": "ready", "rows_read": 1}),
            (True, {"state": "ready", "rows_read": 1, "rows_invalid": 1}),
            (False, {"state": "ready", "rows_read": 1, "approval": "asked"}),  # for an admin
            (False, {"state": "ready", "rows_read": 1, "rows_linked": 1}),
            (True, {"state": "unreadable", "problem": "no_header", "layout": {"columns": []}}),
            (False, {"state": "unreadable", "problem": "empty"}),
            (True, {"state": "paused", "stop_cause": "token_refused"}),
            (False, {"state": "paused"}),
            (False, {"state": "running"}),
            (True, {"state": "done", **faults}),
            (True, {"state": "canceled", "finished_at": now, "rows_invalid": 1}),
            (False, {"state": "done", **faults, "attended_at": now}),
            (False, {"state": "done", "finished_at": now}),
            (False, {"state": "done", "rejected": 1, "finished_at": now.replace(year=2025)}),
        ):
            with self.subTest(fields):
                BulkRun.objects.all().delete()
                values = {"user_name": "x", "name": "x", "created_at": now}
                BulkRun.objects.create(user=self.user, **values | fields)
                self.assertEqual(bool(runs_needing(self.user)), needs)

    def test_the_navigation_and_the_list_say_so_until_it_is_taken_along(self) -> None:
        run = self.ended("\n".join([HEAD, GOOD, BAD]))
        client = SignedInClient(self.user)
        self.assertContains(client.get("/"), "1 run needs you")
        self.assertContains(client.get("/"), "Some are left to correct.")
        self.assertContains(client.get("/bulk/"), "has something left to correct")
        client.get(run.get_absolute_url())
        self.assertContains(client.get("/"), "1 run needs you")
        client.head(f"/bulk/{run.pk}/bad-rows.csv")
        self.assertContains(client.get("/"), "1 run needs you")
        client.get(f"/bulk/{run.pk}/bad-rows.csv").getvalue()
        self.assertNotContains(client.get("/"), "needs you")
