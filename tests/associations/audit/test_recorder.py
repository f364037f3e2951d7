from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from associations.audit import recorder
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest, SendMode
from tests.associations.bulk.engine import EngineTestCase, row


def attempt(**values: object) -> Attempt:
    return Attempt(timezone.now(), 5, **values)


class ClosingTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.run_ = self.queued(row(1), row(2), way=SendMode.SINGLE)
        self.entry = self.run_.entries.first()

    def log(self, *attempts: Attempt) -> None:
        for each in attempts:
            with transaction.atomic():
                recorder.record_attempts([(self.entry, each)])

    def close(self, cause: Cause) -> None:
        with transaction.atomic():
            recorder.close_entries(self.run_.pk, [(self.entry, Answer(cause))])

    def logged(self) -> list[tuple[int, bool]]:
        return list(self.entry.attempts.values_list("number", "late"))

    def test_an_attempt_that_is_there_is_not_added_again(self) -> None:
        one, other = attempt(http_status=200), attempt(http_status=503)
        self.log(one, one, other, one)
        self.assertEqual(self.logged(), [(1, False), (2, False)])

    def test_one_that_comes_after_the_closing_is_late(self) -> None:
        self.log(attempt(http_status=503))
        self.close(Cause.HUBSPOT_DOWN)
        self.log(attempt(http_status=200))
        self.assertEqual(self.logged(), [(1, False), (2, True)])

    def test_an_entry_is_closed_and_counted_once(self) -> None:
        for cause in (Cause.REFUSED, Cause.CONFIRMED):
            self.close(cause)
        self.run_.refresh_from_db()
        self.assertEqual((self.run_.rejected, self.run_.linked), (1, 0))
        self.assertEqual(self.outcomes(self.run_)[0], ("rejected", "refused"))

    def test_an_exchange_is_kept_once(self) -> None:
        chunk, one = self.claimed(self.run_), attempt(http_status=200, body="{}")
        types = ("contacts", "companies")
        for _ in range(2):
            recorder.record_batch(chunk, one, Answer(Cause.CONFIRMED), types, 2)
        self.assertEqual(self.run_.batches.count(), 1)

    def test_what_is_known_of_an_entry_that_is_sent_no_more(self) -> None:
        refused = attempt(http_status=429)
        lost = attempt(failure=Cause.TIMED_OUT)
        missing = attempt(http_status=404, body='{"category": "OBJECT_NOT_FOUND"}')
        for attempts, cause in (
            ([], Cause.NOT_SENT),
            ([refused], Cause.RATE_LIMITED),
            ([lost, refused], Cause.TIMED_OUT),
            ([lost, missing], Cause.RECORD_NOT_FOUND),
        ):
            with self.subTest(cause):
                self.entry = self.another()
                self.log(*attempts)
                self.assertEqual(recorder.known_answer(self.entry).cause, cause)

    def another(self) -> AssociationRequest:
        return self.queued(row(1), way=SendMode.SINGLE).entries.get()

    def test_what_nobody_came_back_for_is_in_doubt(self) -> None:
        recorder.mark_as_sending(self.run_.entries.all())
        self.entry.refresh_from_db()
        self.assertEqual(recorder.known_answer(self.entry).cause, Cause.INTERRUPTED)
        with transaction.atomic():
            recorder.requeue_interrupted(self.claimed(self.run_))
        self.assertEqual(self.outcomes(self.run_), [("queued", "")] * 2)
        noted = self.entry.attempts.get()
        self.assertEqual((noted.failure, noted.started_at), ("interrupted", self.entry.sent_at))
        self.assertLess(timedelta(milliseconds=noted.duration_ms), timedelta(seconds=9))

    def test_however_long_nobody_came_back(self) -> None:
        long_ago = timezone.now() - timedelta(days=99)
        recorder.mark_as_sending(self.run_.entries.all())
        self.run_.entries.update(sent_at=long_ago)
        with transaction.atomic():
            recorder.requeue_interrupted(self.claimed(self.run_))
        self.assertEqual(self.outcomes(self.run_), [("queued", "")] * 2)
        noted = self.entry.attempts.get()
        self.assertEqual((noted.started_at, noted.duration_ms), (long_ago, recorder.LONGEST_MS))
