"""Copies of the log as files: what stands in each cell and each line, and that none is missing."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock, skipUnless

from django.db import OperationalError, connection, models
from django.test import TestCase
from django.utils import timezone

from associations.audit.exports import CSV_COLUMNS, ROWS_AT_ONCE, ExportProgress, csv_lines
from associations.hubspot.client import OBJECT_PATHS
from associations.hubspot.object_types import CATALOGUE
from associations.hubspot.outcomes import VERDICTS, Cause, Outcome
from associations.hubspot.unseen import visible
from associations.models import AssociationBatch, AssociationRequest, BulkRun, RecordNames
from tests.associations.audit.integrity.base import ENTRY, as_owner, sql
from tests.associations.linking.base import entry_of
from tests.support import person

COLUMNS = (
    "id,created_at,sent_at,finished_at,user_id,user_name,user_email,from_object_type,"
    "from_object_id,to_object_type,to_object_id,reason,outcome,cause,linked,was_linked,"
    "verified,verified_at,unverified_cause,http_status,status,num_errors,error_category,"
    "error_text,correlation_id,requested_at,started_at,completed_at,api_version,client_ip,user_agent,request_id,"
    "run,row_number,batch,client_request_id,from_merged_into,to_merged_into,"
    "from_name,from_typed,to_name,to_typed,undoes"
)
MOMENTS = (
    *("created_at", "sent_at", "finished_at", "requested_at", "started_at", "completed_at"),
    "verified_at",
)
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
# What no text can get into: checked before it is stored, or one of our own words.
CLOSED = {
    *("from_object_type", "from_object_id", "to_object_type", "to_object_id"),
    *("outcome", "cause", "unverified_cause", "api_version", "client_ip"),
    *("from_merged_into", "to_merged_into"),
}
ODD_TEXTS = (
    'said "no"',
    '"',
    "a, b",
    "two\nlines",
    "two\r\nlines",
    "half\ra line",
    "a;b\tc",
    "\\.",
    " spaces ",
    "line\u2028paragraph\u2029next\u0085end",
    "ümläut 漢字 🧾",
    "'quoted'",
    "NULL",
)
NAMES = ("from_name", "from_typed", "to_name", "to_typed")
DAY = datetime(2026, 11, 24, tzinfo=UTC)


class CSVTestCase(TestCase):
    def setUp(self) -> None:
        self.user = person()

    def file(self, entries: models.QuerySet | None = None) -> str:
        """The file as a text, without the mark that it begins with."""
        found = AssociationRequest.objects.all() if entries is None else entries
        data = b"".join(csv_lines(found, ExportProgress()))
        self.assertTrue(data.startswith(b"\xef\xbb\xbfid,"))
        return data.decode("utf-8-sig")

    def rows(self, entries: models.QuerySet | None = None) -> list[dict[str, str]]:
        lines = csv.reader(io.StringIO(self.file(entries), newline=""), strict=True)
        names = next(lines)
        return [dict(zip(names, line, strict=True)) for line in lines]


class CellTests(CSVTestCase):
    def test_the_first_line_names_the_columns(self) -> None:
        self.assertEqual(self.file(), f"{COLUMNS}\n")
        self.assertEqual(COLUMNS.split(","), list(CSV_COLUMNS))

    def test_every_column_holds_what_the_entry_does(self) -> None:
        words = {
            "user_name": "Ada",
            "user_email": "ada@example.com",
            "from_object_type": "0-8",
            "from_object_id": "501",
            "to_object_type": "p_cat",
            "to_object_id": "902",
            "reason": "SUP-1",
            "outcome": "rejected",
            "cause": "refused",
            "unverified_cause": "timed_out",
            "from_merged_into": "502",
            "to_merged_into": "9902",
            "http_status": "400",
            "status": "COMPLETE",
            "num_errors": "3",
            "error_category": "VALIDATION_ERROR",
            "error_text": "No.",
            "correlation_id": "c-1",
            "api_version": "2026-09",
            "client_ip": "2001:db8::7",
            "user_agent": "Firefox",
            "request_id": "r-1",
            "client_request_id": "theirs-1",
        }
        moment = DAY + timedelta(hours=9, microseconds=120_001)
        moments = {name: moment + timedelta(days=n) for n, name in enumerate(MOMENTS)}
        run = BulkRun.objects.create(user=self.user, created_at=DAY)
        told = {"run": run, "inputs": 9, "started_at": DAY, "duration_ms": 1}
        of_run = {"run": run, "row_number": 7, "batch": AssociationBatch.objects.create(**told)}
        seen = {"was_linked": True, "verified": False, "undoes_id": 4}
        entry = entry_of(self.user, **words, **moments, **of_run, **seen)
        days = {name: f"2026-11-{24 + n} 09:00:00.120001" for n, name in enumerate(MOMENTS)}
        own = {"id": str(entry.pk), "user_id": str(self.user.pk), "linked": "yes"}
        own |= {"was_linked": "yes", "verified": "no", "run": str(run.pk), "row_number": "7"}
        own |= {"batch": str(of_run["batch"].pk), "undoes": "4"}
        names = dict(
            zip(NAMES, ("Ada Byron", "ada@example.com", "Analytical Ltd", ""), strict=True)
        )
        RecordNames.objects.create(entry=entry, **names)
        self.assertEqual(self.rows(), [words | days | own | names])

    def test_what_is_not_known_is_empty(self) -> None:
        entry_of(self.user, outcome="sending", cause="", sent_at=None, finished_at=None)
        filled = {name for name, cell in self.rows()[0].items() if cell}
        known = {"id", "created_at", "user_id", "user_name", "outcome", "api_version"}
        self.assertEqual(filled, known | {name for name in COLUMNS.split(",") if "object" in name})

    def test_times_are_in_utc(self) -> None:
        zone = timezone.get_fixed_timezone(-300)
        for moment, cell in (
            (datetime(2026, 11, 24, 23, 30, tzinfo=zone), "2026-11-25 04:30:00.000000"),
            (DAY + timedelta(milliseconds=500), "2026-11-24 00:00:00.500000"),
            (DAY + timedelta(microseconds=-1), "2026-11-23 23:59:59.999999"),
        ):
            entry = entry_of(self.user, created_at=moment)
            with timezone.override("Asia/Tokyo"):
                row = self.rows(AssociationRequest.objects.filter(pk=entry.pk))[0]
            self.assertEqual(
                datetime.fromisoformat(row["created_at"]), datetime.fromisoformat(cell)
            )

    def test_linked_is_what_was_seen_whatever_the_cause(self) -> None:
        entry_of(self.user, outcome="unreachable", cause="timed_out", verified=True)
        self.assertEqual([row["linked"] for row in self.rows()], ["yes"])

    def test_linked_is_what_the_entry_says_for_every_cause(self) -> None:
        for cause in ("", *Cause):
            entry_of(self.user, cause=cause)
        entries = {str(entry.pk): entry for entry in AssociationRequest.objects.all()}
        rows = self.rows()
        self.assertEqual({row["cause"] for row in rows}, {"", *Cause})
        self.assertEqual({row["linked"] for row in rows}, {"", "yes", "perhaps", "no"})
        for row in rows:
            self.assertEqual(row["linked"], entries[row["id"]].linked or "", row["cause"])

    def test_what_was_seen_is_yes_or_no_or_nothing_on_any_database(self) -> None:
        for seen in (True, False, None):
            entry_of(self.user, was_linked=seen, verified=not seen)
        found = [(row["was_linked"], row["verified"]) for row in self.rows()]
        self.assertEqual(found, [("", "yes"), ("no", "yes"), ("yes", "no")])

    def test_texts_come_back_as_they_were_but_for_what_cannot_be_seen(self) -> None:
        for text in ODD_TEXTS:
            entry_of(self.user, reason=text, error_text=text, user_agent=text)
        for row, text in zip(self.rows(), reversed(ODD_TEXTS), strict=True):
            found = [row[name] for name in ("reason", "error_text", "user_agent")]
            self.assertEqual(found, [visible(text)] * 3)

    @skipUnless(connection.vendor == "sqlite", "PostgreSQL holds no such text")
    def test_what_is_no_text_has_a_mark_and_only_here(self) -> None:
        entry_of(self.user, reason="SUP-2")
        broken = entry_of(self.user, reason="SUP-1")
        with as_owner():
            sql(f"UPDATE {ENTRY} SET status = CAST(x'41ff' AS TEXT) WHERE id = {broken.pk}")
        found = [(row["reason"], row["status"]) for row in self.rows()]
        self.assertEqual(found, [("SUP-1", "A\ufffd"), ("SUP-2", "")])
        with self.assertRaises(OperationalError):  # elsewhere it is still what nobody can read
            sql(f"SELECT status FROM {ENTRY}")


class FormulaTests(CSVTestCase):
    def texts(self) -> list[str]:
        """Every column that a text of somebody's could get into."""
        names = CSV_COLUMNS.keys() - {"linked", *NAMES}
        fields = [AssociationRequest._meta.get_field(name) for name in names]
        texts = {f.name for f in fields if isinstance(f, (models.CharField, models.TextField))}
        return sorted(texts - CLOSED)

    def test_no_text_begins_as_a_formula_would(self) -> None:
        names = self.texts()
        self.assertGreaterEqual({*names}, {"user_name", "reason", "error_text", "user_agent"})
        texts = [f"{start}1" for start in FORMULA_STARTS] + [*FORMULA_STARTS]
        for text in texts:
            entry_of(self.user, **dict.fromkeys(names, text))
        for row, text in zip(self.rows(), reversed(texts), strict=True):
            for name in names:
                self.assertEqual(row[name], f"'{text}", name)

    def test_nor_does_any_name(self) -> None:
        for start in FORMULA_STARTS:
            names = dict.fromkeys(NAMES, f"{start}1+1")
            RecordNames.objects.create(entry=entry_of(self.user), **names)
        for row, start in zip(self.rows(), reversed(FORMULA_STARTS), strict=True):
            self.assertEqual({row[name] for name in NAMES}, {f"'{start}1+1"})

    def test_other_texts_get_no_mark(self) -> None:
        texts = ("1=1", " =1", "'=1", "a-b", "x@example.com", "\u00a0=1")
        for text in texts:
            entry_of(self.user, **dict.fromkeys(self.texts(), text))
        for row, text in zip(self.rows(), reversed(texts), strict=True):
            self.assertEqual({row[name] for name in self.texts()}, {text})

    def test_whatever_separates_cells_elsewhere_stands_between_quotes(self) -> None:
        """Spreadsheets may also split at semicolons and tabs, and end a line at any CR."""
        for separator in ";\t\r":
            with self.subTest(separator):
                entry_of(self.user, reason=f"x{separator}=1+1")
                self.assertIn(f'"x{separator}=1+1"', self.file())

    def test_what_is_checked_before_it_is_stored_is_no_formula_either(self) -> None:
        words = [*Outcome, *Cause, *OBJECT_PATHS, *(each.canonical for each in CATALOGUE)]
        words += [verdict.linked for verdict in VERDICTS.values()]
        self.assertEqual([word for word in words if word.startswith((*FORMULA_STARTS,))], [])


class StretchTests(CSVTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Three moments, the same for several entries, and not in the order of their numbers.
        for hours in (2, 1, 2, 3, 1, 2, 3, 2):
            entry_of(self.user, created_at=DAY + timedelta(hours=hours))
        self.listed = [entry.pk for entry in AssociationRequest.objects.for_list()]

    def exported(self, **wanted: Any) -> list[int]:
        rows = self.rows(AssociationRequest.objects.filter(**wanted))
        return [int(row["id"]) for row in rows]

    def test_the_order_is_that_of_the_list(self) -> None:
        self.assertNotEqual(self.listed, sorted(self.listed, reverse=True))
        self.assertEqual(self.exported(), self.listed)

    def test_no_boundary_loses_or_repeats_a_row(self) -> None:
        for size in range(1, len(self.listed) + 2):
            with self.subTest(size=size), mock.patch.dict(ROWS_AT_ONCE, csv=size):
                self.assertEqual(self.exported(), self.listed)

    def test_the_filter_holds_in_every_stretch(self) -> None:
        two = DAY + timedelta(hours=2)
        wanted = [e.pk for e in AssociationRequest.objects.for_list() if e.created_at == two]
        for size in (1, 2, 4):
            with mock.patch.dict(ROWS_AT_ONCE, csv=size):
                self.assertEqual(self.exported(created_at=two), wanted)

    def test_what_comes_meanwhile_moves_nothing(self) -> None:
        progress = ExportProgress()
        with mock.patch.dict(ROWS_AT_ONCE, csv=3):
            lines = csv_lines(AssociationRequest.objects.all(), progress)
            found = [next(lines), next(lines)]
            self.assertEqual(progress.rows, 3)
            entry_of(self.user, created_at=DAY + timedelta(hours=9))
            found += lines
        numbers = re.findall(rb'^"?(\d+)"?,', b"".join(found), re.M)
        self.assertEqual([int(number) for number in numbers], self.listed)
        self.assertEqual(progress.rows, len(self.listed))
