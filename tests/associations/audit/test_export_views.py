"""Copies to take away: what is asked for is what comes, and that somebody took it is logged."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

from django.http import HttpResponse, QueryDict
from django.test import override_settings
from django.urls import reverse

from associations.audit import views
from associations.audit.forms import AuditFilterForm
from associations.audit.recorder import EXPORT_QUERY_LENGTH
from associations.audit.views import LISTED
from associations.models import AuditExport
from tests.associations.linking.base import PageTestCase, entry_of, named_entry_of
from tests.support import SignedInClient, know_of_no_changes, person

FORMATS = ("csv", "jsonl")
# Each in a field of the filter that takes any text.
NASTY = (
    "../../etc/passwd",
    'a"; filename="evil.exe',
    "a\r\nSet-Cookie: a=b",
    "con.\u202egpj.exe",
    "漢字" * 20,
    "a/b\\c:d*e?f<g>h|i",
    "%2e%2e%2f",
    "." * 90,
)


class ExportTestCase(PageTestCase):
    def export(
        self, file_format: str = "csv", query: str = "", client: SignedInClient | None = None
    ) -> HttpResponse:
        address = f"{reverse('export', args=[file_format])}?{query}"
        return (client or self.as_admin).get(address)

    def ids(self, answer: HttpResponse) -> list[int]:
        """The entries of either file."""
        text = answer.getvalue().decode("utf-8-sig")
        if "json" in answer["Content-Type"]:
            found = [json.loads(line) for line in text.splitlines()]
            return [each["id"] for each in found if each["kind"] == "entry"]
        return [int(row["id"]) for row in csv.DictReader(io.StringIO(text, newline=""))]

    def name(self, answer: HttpResponse) -> str:
        match = re.fullmatch(r'attachment; filename="([^"]+)"', answer["Content-Disposition"])
        self.assertIsNotNone(match, answer["Content-Disposition"])
        return match[1]


class FileTests(ExportTestCase):
    def test_the_headers(self) -> None:
        for file_format, kind in zip(FORMATS, ("text/csv", "application/x-ndjson"), strict=True):
            answer = self.export(file_format)
            self.assertEqual(answer["Content-Type"], f"{kind}; charset=utf-8")
            self.assertIn("no-store", answer["Cache-Control"])
            self.assertEqual(answer["X-Accel-Buffering"], "no")
            self.assertFalse(answer.has_header("Content-Length"))
            self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
            answer.getvalue()

    def test_it_holds_what_the_list_shows(self) -> None:
        for number in range(6):
            entry_of(self.user, outcome=("linked", "rejected")[number % 2], reason=f"SUP-{number}")
        queries = ("", "outcome=rejected", "reason=SUP-3", "outcome=linked&outcome=rejected")
        queries += (f"who={self.user.pk}", "record=902", "status=404", "range=today")
        for query in queries:
            listed = [e.pk for e in self.as_admin.get(f"/audit/?{query}").context["entries"]]
            for file_format in FORMATS:
                with self.subTest(query, file_format=file_format):
                    self.assertEqual(self.ids(self.export(file_format, query)), listed)

    def test_days_are_those_of_the_address(self) -> None:
        entry = entry_of(self.user, created_at=datetime(2026, 11, 24, 3, tzinfo=UTC))
        for zone, found in (("UTC", []), ("America/New_York", [entry.pk])):
            query = f"since=2026-11-23&until=2026-11-23&tz={zone}"
            self.assertEqual(self.ids(self.export("csv", query)), found)

    def test_all_pages_of_the_list_are_in_it(self) -> None:
        entries = [entry_of(self.user).pk for _ in range(120)]
        self.assertEqual(self.ids(self.export("csv", f"before={entries[60]}")), entries[::-1])

    def test_the_name_says_what_it_is_of_and_when(self) -> None:
        now = datetime(2026, 11, 24, 23, 30, 5, tzinfo=UTC)
        clock = SimpleNamespace(now=lambda: now)
        with (
            mock.patch("associations.audit.recorder.acts.timezone", clock),
            override_settings(TIME_ZONE="Asia/Tokyo"),
        ):
            everything, some = self.export(), self.export("jsonl", "outcome=rejected&range=7d")
        when = "20261125T083005+0900"
        self.assertEqual(self.name(everything), f"hubadmin-audit_{when}.csv")
        self.assertIn("outcome-rejected", self.name(some))
        self.assertIn("range-7d", self.name(some))
        self.assertTrue(self.name(some).endswith(f"_{when}.jsonl"))

    def test_the_name_is_safe_whatever_the_filter_holds(self) -> None:
        for text in NASTY:
            for field in ("error", "correlation", "category"):
                with self.subTest(text, field=field):
                    answer = self.as_admin.get("/audit/export.csv", {field: text})
                    if answer.status_code == 422:
                        continue  # too long, or no such value
                    name = self.name(answer)
                    self.assertRegex(name, r"\Ahubadmin-audit_[A-Za-z0-9._+-]{1,110}\.csv\Z")
                    answer.getvalue()

    def test_other_formats_are_no_page(self) -> None:
        for ending in ("xlsx", "CSV", "csv/", "jsonl.exe"):
            self.assertEqual(self.as_admin.get(f"/audit/export.{ending}").status_code, 404)


class RecordTests(ExportTestCase):
    def record(self) -> AuditExport:
        return AuditExport.objects.get()

    def test_it_is_there_before_the_first_byte(self) -> None:
        answer = self.export(query="outcome=linked&outcome=rejected&reason=SUP+1%2F2")
        record = self.record()
        self.assertEqual((record.state, record.rows, record.finished_at), ("running", None, None))
        self.assertEqual((record.user, record.user_name), (self.admin, "Admin"))
        self.assertEqual((record.format, record.client_ip), ("csv", "127.0.0.1"))
        self.assertEqual(record.query, "outcome=linked&outcome=rejected&reason=SUP+1%2F2")
        self.assertEqual(record.request_id, answer["X-Request-ID"])
        answer.getvalue()

    def test_a_name_that_was_looked_for_is_not_kept(self) -> None:
        answer = self.export("jsonl", query="name=Grace+Hopper&outcome=linked")
        data = answer.getvalue() + answer["Content-Disposition"].encode()
        self.assertEqual(self.record().query, "outcome=linked&name=%E2%80%A6")
        self.assertNotIn(b"Grace", data)
        self.assertContains(self.as_admin.get("/audit/exports/"), "…")

    def test_the_query_is_only_what_the_filter_means(self) -> None:
        self.export(query="before=7&reason=&nonsense=1&status=+404+&tz=UTC").getvalue()
        self.assertEqual(self.record().query, "status=+404+")

    def test_no_name_is_kept_that_somebody_looked_for(self) -> None:
        """What is sealed could not be erased."""
        named_entry_of(self.user, "Ada Byron", "Analytical Ltd", "ada@example.com")
        answer = self.as_admin.get("/audit/export.jsonl?name=ada+byron&outcome=linked")
        *lines, end = answer.getvalue().decode().splitlines()
        self.assertIn("Ada Byron", "".join(lines))
        kept = QueryDict(self.record().query)
        self.assertEqual(kept.dict(), {"outcome": "linked", "name": "…"})
        for told in (end, answer["Content-Disposition"]):
            self.assertNotIn("byron", told)
        page = self.as_admin.get("/audit/exports/")
        self.assertContains(page, "Name contains: …")

    def test_complete_with_the_number_of_entries(self) -> None:
        for number in range(5):
            entry_of(self.user).attempts.create(
                number=1, started_at=datetime.now(UTC), duration_ms=1, late=number == 0
            )
        for file_format in FORMATS:
            self.export(file_format).getvalue()
            record = AuditExport.objects.first()
            self.assertEqual((record.state, record.rows), ("complete", 5))
            self.assertLessEqual(record.started_at, record.finished_at)

    def test_each_end_is_a_line_in_the_log(self) -> None:
        entry_of(self.user)
        with self.assertLogs("hubadmin.audit", "INFO") as logs:
            self.export().getvalue()
        (line,) = logs.records
        found = (line.getMessage(), line.export, line.state, line.rows, line.user_id)
        expected = ("audit log exported", self.record().pk, "complete", 1, self.admin.pk)
        self.assertEqual(found, expected)

    def test_head_makes_none_and_neither_does_post(self) -> None:
        for file_format in FORMATS:
            address = reverse("export", args=[file_format])
            head = self.as_admin.head(address)
            self.assertEqual((head.status_code, head.getvalue()), (200, b""))
            self.assertEqual(self.as_admin.post(address).status_code, 405)
        self.assertFalse(AuditExport.objects.exists())

    def test_none_where_one_could_break_off_unnoticed(self) -> None:
        """Over HTTP/1.0 the end of the connection is the only end of a file."""
        for file_format in FORMATS:
            address = reverse("export", args=[file_format])
            answer = self.as_admin.get(address, SERVER_PROTOCOL="HTTP/1.0")
            self.assertContains(answer, "proxy_http_version 1.1", status_code=505)
        self.assertFalse(AuditExport.objects.exists())

    def test_a_value_that_cannot_be_read_is_422_and_makes_none(self) -> None:
        for query in ("outcome=nonsense", "since=2026-13-01", "status=x", "tz=Mars", "reason=ab"):
            for file_format in FORMATS:
                answer = self.export(file_format, query)
                self.assertContains(answer, 'role="alert"', status_code=422)
                self.assertFalse(answer.has_header("Content-Disposition"))
        self.assertFalse(AuditExport.objects.exists())

    def test_support_people_get_nothing_and_make_none(self) -> None:
        for address in ("/audit/export.csv", "/audit/export.jsonl", "/audit/exports/"):
            self.assertEqual(self.client.get(address).status_code, 403)
        self.assertFalse(AuditExport.objects.exists())

    def test_a_field_named_several_times_is_no_more_than_can_be_kept(self) -> None:
        """PostgreSQL refuses a text longer than its column, SQLite does not."""
        answer = self.export(query=f"reason={'(' * 3900}&reason=SUP-1")
        self.assertIn(answer.status_code, (200, 422))
        if answer.streaming:
            answer.getvalue()
        for record in AuditExport.objects.all():
            AuditExport._meta.get_field("query").clean(record.query, record)

    def test_a_filter_that_could_not_be_logged_whole_takes_nothing(self) -> None:
        """Cut, the record would say less than was taken."""
        people = [person(f"p{number}", "support").pk for number in range(700)]
        entry_of(self.user)
        query = "&".join(f"who={pk}" for pk in [*people, self.user.pk])
        for file_format in FORMATS:
            answer = self.export(file_format, query)
            self.assertContains(answer, "too long for the record of exports", status_code=422)
            self.assertContains(answer, 'href="#id_who', status_code=422)
        answer = self.export(query=f"outcome=linked&reason={'a' * 100}{'+' * 4_200}")
        self.assertContains(answer, "Write less", status_code=422)
        self.assertContains(answer, 'href="#id_reason', status_code=422)
        self.assertFalse(AuditExport.objects.exists())
        most = query[: EXPORT_QUERY_LENGTH - 1].rpartition("&")[0]
        self.assertEqual(self.ids(self.export(query=most)), [])
        self.assertEqual(AuditExport.objects.get().query, most)


class ListTests(ExportTestCase):
    def test_whoever_took_a_copy_is_listed(self) -> None:
        self.assertContains(self.as_admin.get("/audit/exports/"), "Nobody has taken one yet")
        entry_of(self.user)
        self.export(query="outcome=linked&range=today").getvalue()
        other = SignedInClient(person("other", "admin"))
        self.export("jsonl", client=other).getvalue()
        page = self.as_admin.get("/audit/exports/")
        for text in ("Admin", "Other", "complete", "everything", "jsonl"):
            self.assertContains(page, text)
        self.assertContains(page, "Outcome: linked, Range: Today")
        self.assertContains(page, 'href="/audit/?outcome=linked&amp;range=today"')

    def test_what_never_ended_says_so(self) -> None:
        record = AuditExport.objects.create(
            user=self.admin, user_name="Admin", format="csv", started_at=datetime.now(UTC)
        )
        self.assertEqual(record.state, "running")
        self.assertContains(self.as_admin.get("/audit/exports/"), "not ended")

    def test_the_newest_are_listed_by_one_query(self) -> None:
        know_of_no_changes()
        with self.assertNumQueries(4):
            self.as_admin.get("/audit/exports/")
        now = datetime.now(UTC)
        AuditExport.objects.bulk_create(
            AuditExport(user=self.admin, user_name=f"P{n}.", format="csv", started_at=now)
            for n in range(LISTED + 1)
        )
        with self.assertNumQueries(4):
            page = self.as_admin.get("/audit/exports/")
        self.assertContains(page, f"P{LISTED}.")

    def test_no_form_is_built_for_each(self) -> None:
        now, filters = (
            datetime.now(UTC),
            ("outcome=linked", "range=today", "who=1&outcome=rejected"),
        )
        AuditExport.objects.bulk_create(
            AuditExport(
                user=self.admin, user_name="A", format="csv", started_at=now, query=filters[n % 3]
            )
            for n in range(30)
        )
        with mock.patch.object(views, "AuditFilterForm", wraps=AuditFilterForm) as made:
            page = self.as_admin.get("/audit/exports/").content.decode()
        self.assertEqual(made.call_count, 1)
        for told in ("Outcome: linked<", "Range: Today<", "People: 1, Outcome: rejected<"):
            self.assertEqual(page.count(told), 10, told)

    def test_only_the_newest_are_listed(self) -> None:
        now = datetime.now(UTC)
        AuditExport.objects.bulk_create(
            AuditExport(user=self.admin, user_name=f"P{n}.", format="csv", started_at=now)
            for n in range(LISTED + 1)
        )
        page = self.as_admin.get("/audit/exports/")
        self.assertNotContains(page, "P0.")
