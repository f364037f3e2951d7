"""How much one person may have uploaded and not started, and what is said of more."""

import threading
import time
from collections.abc import Callable
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import allowance, services
from associations.models import BulkRun, BulkUpload, RunState, SecurityEvent, SendMode
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import LogTransactionTestCase, person

TOLD = "You have as much waiting as one person may have."
FILE = b"from,to\nContact 501,Company 902\n"


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("customers.csv", FILE)


class UploadTests(PageTestCase):
    def waiting(self, number: int, **fields: object) -> list[BulkRun]:
        return [run_of(self.user, **{"state": "ready"} | fields) for _ in range(number)]

    def is_taken(self) -> bool:
        before = BulkRun.objects.count()
        answer = self.client.post("/bulk/", {"file": file()})
        self.assertEqual(answer.status_code == 302, BulkRun.objects.count() > before)
        return answer.status_code == 302

    def test_so_many_runs_may_wait_and_none_more(self) -> None:
        self.waiting(allowance.RUNS - 1)
        self.assertTrue(self.is_taken())
        self.assertFalse(self.is_taken())

    @override_settings(BULK_MAX_ROWS=1_000)
    def test_so_many_rows_may_wait_whether_they_are_read_or_not(self) -> None:
        states = {"rows_read": 1_000}, {"state": "reading", "size": 60_000}, {"size": 60_000}
        for fields in states:
            with self.subTest(fields):
                BulkRun.objects.all().delete()
                self.waiting(allowance.FULL_RUNS - 1, **fields)
                self.assertTrue(self.is_taken())
                self.waiting(1, **fields)
                self.assertFalse(self.is_taken())

    def test_a_file_that_waits_for_its_columns_counts_as_long_as_it_is_kept(self) -> None:
        runs = self.waiting(allowance.RUNS, state="unreadable", problem="missing_columns")
        self.assertTrue(self.is_taken())
        for run in runs:
            run.uploads.create(number=1, content=b"Kunde,Firma")
        self.assertFalse(self.is_taken())

    def test_it_is_about_what_the_person_has_waiting(self) -> None:
        for state in set(RunState) - {RunState.READING, RunState.READY}:
            self.waiting(3, state=state, rows_read=400_000)
        for _ in range(allowance.RUNS):
            run_of(self.admin, state="ready")
        self.assertTrue(self.is_taken())

    def test_it_is_said_beside_the_field_with_links_and_leaves_nothing_behind(self) -> None:
        runs, events = self.waiting(allowance.RUNS), SecurityEvent.objects.count()
        for fields, name in (({"file": file()}, "id_file"), ({"rows": "501,902"}, "id_rows")):
            with self.subTest(name):
                page = self.client.post("/bulk/", fields | {"reason": "SUP-7"})
                self.assertContains(page, TOLD, count=2, status_code=422)
                self.assertContains(page, f'id="{name}_error"', status_code=422)
                self.assertContains(page, 'value="SUP-7"', status_code=422)
                beside = page.content.decode().split("These runs wait:")[1].split("</p>")[0]
                for run in runs:
                    self.assertIn(f'<a href="/bulk/{run.pk}/">', beside)
        self.assertEqual(BulkRun.objects.count(), len(runs))
        self.assertFalse(BulkUpload.objects.exists())
        self.assertEqual(SecurityEvent.objects.count(), events)

    def test_nothing_of_the_file_is_read_before(self) -> None:
        self.waiting(allowance.RUNS)
        parts = mock.MagicMock()
        file = {"name": "x.csv", "parts": parts, "way": SendMode.BATCH}
        with self.assertRaises(allowance.UsedUpError):
            services.create(user=self.user, meta=RequestMeta(), **file)
        self.assertEqual(parts.mock_calls, [])

    def test_what_failed_is_tried_again_no_sooner_either(self) -> None:
        self.waiting(allowance.RUNS)
        ended = run_of(self.user, rejected=1, queued=1)
        entry_of(self.user, run=ended, row_number=1, outcome="rejected", cause="rate_limited")
        page = self.client.post(f"/bulk/{ended.pk}/retry/")
        self.assertContains(page, TOLD, status_code=422)
        self.assertContains(page, "These runs wait:", status_code=422)
        self.assertFalse(ended.retries.exists())


def at_once(steps: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=step) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def slowly(asked: Callable[[BulkRun], bool]) -> Callable[[BulkRun], bool]:
    def answer(run: BulkRun) -> bool:
        found = asked(run)
        time.sleep(0.3)
        return found

    return answer


class AtOnceTests(LogTransactionTestCase):
    def test_many_at_once_are_counted_one_after_the_other(self) -> None:
        user, refused = person(), []
        for _ in range(allowance.RUNS - 2):
            run_of(user, state="ready")

        def upload() -> None:
            file = {"name": "x.csv", "parts": [FILE], "way": SendMode.BATCH}
            try:
                services.create(user=user, meta=RequestMeta(), **file)
            except allowance.UsedUpError as error:
                refused.append(error)
            finally:
                connections.close_all()

        at_once([upload] * 6)
        self.assertEqual(len(refused), 4)
        self.assertEqual(BulkRun.objects.count(), allowance.RUNS)

    def test_what_failed_is_tried_again_by_one_run_at_a_time(self) -> None:
        user, refused = person(), []
        ended = run_of(user, rejected=1, queued=1)
        entry_of(user, run=ended, row_number=1, outcome="rejected", cause="rate_limited")

        def retry() -> None:
            try:
                services.retry(user=user, meta=RequestMeta(), run=BulkRun.objects.get(pk=ended.pk))
            except services.NotPossibleError as error:
                refused.append(error)
            finally:
                connections.close_all()

        # Whoever asks here has not been counted yet when the other does.
        with mock.patch.object(services, "is_tried_again", slowly(services.is_tried_again)):
            at_once([retry] * 3)
        self.assertEqual((len(refused), ended.retries.count()), (2, 1))
