"""Files that are streamed: how many at once, and what is said over that."""

import gc
import time
from unittest import mock

from django.db import Error as DBError
from django.http import HttpResponse, StreamingHttpResponse
from django.test import TestCase, override_settings

from associations.audit import downloads
from associations.gateway import rate_limiter
from associations.models import AuditExport, BulkRow, SecurityEvent
from tests.associations.bulk.test_exports import run_of
from tests.support import SignedInClient, forget_looks, person


class DownloadTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(rate_limiter.close)
        forget_looks()
        self.admin = person("admin")
        self.as_admin = SignedInClient(self.admin)
        self.run_ = run_of(self.admin, state="running")
        self.files = [
            "/audit/export.csv",
            "/audit/export.jsonl",
            "/audit/events.csv",
            "/audit/events.jsonl",
            "/audit/integrity/seals.jsonl",
            f"/bulk/{self.run_.pk}/bad-rows.csv",
            f"/bulk/{self.run_.pk}/results.csv",
        ]

    def begun(self, path: str = "/audit/export.csv") -> HttpResponse:
        """One that nobody has read yet."""
        answer = self.as_admin.get(path)
        self.assertEqual(answer.status_code, 200)
        return answer

    def status(self, path: str = "/audit/export.csv") -> int:
        answer = self.as_admin.get(path)
        answer.getvalue()
        return answer.status_code


class AtOnceTests(DownloadTestCase):
    def test_a_third_is_refused_before_anything_is_logged(self) -> None:
        under_way = [self.begun(), self.begun("/audit/events.csv")]
        logged = AuditExport.objects.count(), SecurityEvent.objects.count()
        for path in self.files:
            with self.subTest(path):
                answer = self.as_admin.get(path)
                self.assertContains(answer, "You are downloading 2 files already.", status_code=429)
                self.assertEqual(answer["Retry-After"], "30")
        self.assertEqual((AuditExport.objects.count(), SecurityEvent.objects.count()), logged)
        under_way[0].getvalue()
        self.assertEqual(self.status(), 200)

    def test_each_gives_its_place_back(self) -> None:
        for path in self.files * 2:
            self.assertEqual(self.status(path), 200)

    def test_so_does_what_is_no_file(self) -> None:
        for path in ("/audit/export.csv?outcome=nonsense", "/bulk/999/results.csv") * 3:
            self.assertIn(self.status(path), (404, 422))

    def test_and_one_that_is_dropped_on_its_way(self) -> None:
        for _ in range(4):
            self.begun()
            gc.collect()

    def test_another_person_has_their_own(self) -> None:
        under_way = [self.begun(), self.begun()]
        other = SignedInClient(person("auditor", "admin")).get("/audit/export.csv")
        self.assertEqual((other.status_code, len(under_way)), (200, 2))

    @override_settings(WEB_THREADS=4)
    def test_pages_keep_their_threads(self) -> None:
        under_way = self.begun()
        answer = self.as_admin.get("/audit/events.csv")
        self.assertContains(answer, "Many files are being downloaded just now.", status_code=503)
        under_way.getvalue()
        self.assertEqual([self.status(), self.status()], [200, 200])

    def test_after_a_crash_its_slot_is_soon_free(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "DOWNLOAD_SECONDS", 0.2))
        slots = [rate_limiter.take_download(self.admin.pk) for _ in range(3)]
        self.assertEqual(slots[2], 0)
        time.sleep(0.15)
        rate_limiter.keep_download(slots[0])
        time.sleep(0.1)
        again = [rate_limiter.take_download(self.admin.pk) for _ in range(2)]
        self.assertEqual(again, [slots[1], 0])

    def test_a_limit_that_cannot_be_asked_keeps_nobody_from_a_file(self) -> None:
        broken = mock.patch.object(rate_limiter._connection, "run", side_effect=DBError)
        with broken, self.assertLogs("associations.audit.downloads", "ERROR"):
            self.assertEqual(self.status(), 200)


class ViewTests(DownloadTestCase):
    def test_head_takes_no_place_and_reads_nothing(self) -> None:
        BulkRow.objects.create(run=self.run_, number=1, line=2, state="invalid")
        under_way = [self.begun(), self.begun()]
        for path in self.files:
            answer = self.as_admin.head(path)
            self.assertEqual((answer.status_code, answer.getvalue()), (200, b""), path)
        self.assertEqual(len(under_way), 2)

    def test_each_that_is_streamed_comes_through_this_door(self) -> None:
        with mock.patch.object(downloads, "_stream", wraps=downloads._stream) as streamed:
            for path in self.files:
                answer = self.as_admin.get(path)
                self.assertIsInstance(answer, StreamingHttpResponse)
                self.assertEqual(answer["X-Accel-Buffering"], "no")
                answer.getvalue()
        self.assertEqual(streamed.call_count, len(self.files))

    def test_no_link_to_one_hides_what_is_said_instead(self) -> None:
        """For a link with the attribute `download` browsers show no page."""
        for page in ("/audit/", "/audit/events/", "/audit/integrity/", f"/bulk/{self.run_.pk}/"):
            self.assertNotRegex(self.as_admin.get(page).content.decode(), r"<a [^>]* download[ >]")
