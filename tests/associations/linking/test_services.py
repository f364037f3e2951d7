"""The one flow, and what is left of it after a crash."""

import threading
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any
from unittest import mock

from django.db import OperationalError, close_old_connections, connection
from django.test import TestCase, skipUnlessDBFeature
from django.utils import timezone

from associations.audit import recorder
from associations.audit.recorder import (
    ENTRY_BODY_LENGTH,
    LogUnavailableError,
    RequestMeta,
    entries,
)
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause, Linked, Outcome
from associations.linking import services
from associations.models import AssociationAttempt, AssociationRequest
from tests.support import (
    LINK,
    LogTransactionTestCase,
    SandboxMixin,
    SignedInClient,
    have_pages_close_abandoned,
    missing_table,
    person,
    read_only_database,
)


class CreateAssociationTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()

    def create(self, **fields: str) -> AssociationRequest:
        return services.create_association(user=self.user, **(LINK | fields))

    def test_a_link(self) -> None:
        before = timezone.now()
        entry = self.create(reason="SUP-1")
        self.assertEqual((entry.outcome, entry.cause), (Outcome.LINKED, Cause.CONFIRMED))
        self.assertEqual(entry.linked, Linked.YES)
        self.assertEqual((entry.user_name, entry.user_email), ("Support", "support@example.com"))
        self.assertEqual((entry.http_status, entry.status, entry.errors), (200, "COMPLETE", []))
        self.assertEqual(
            [result["associationSpec"]["associationTypeId"] for result in entry.results], [279, 280]
        )
        self.assertEqual(entry.reason, "SUP-1")
        self.assertTrue(before <= entry.created_at <= entry.sent_at <= entry.finished_at)
        self.assertIsNotNone(entry.completed_at)
        self.assertTrue(entry.correlation_id)
        self.assertIn('"COMPLETE"', entry.body)
        attempt = entry.attempts.get()
        self.assertEqual((attempt.number, attempt.http_status, attempt.late), (1, 200, False))

    def test_a_refusal(self) -> None:
        entry = self.create(from_object_id="383")
        self.assertEqual((entry.outcome, entry.cause), (Outcome.REJECTED, Cause.RECORD_NOT_FOUND))
        self.assertEqual(entry.error_category, "VALIDATION_ERROR")
        self.assertEqual(entry.error_text, "One or more associations are invalid")
        self.assertEqual(entry.errors[0]["context"]["objectId"], ["383"])

    def test_of_a_long_answer_the_entry_has_the_beginning_and_its_attempt_the_whole(self) -> None:
        self.sandbox.fault(status=400, body={"message": "x" * 3 * ENTRY_BODY_LENGTH})
        entry = self.create()
        entry.refresh_from_db()
        attempt = entry.attempts.get()
        self.assertEqual(len(entry.body), ENTRY_BODY_LENGTH)
        self.assertGreater(len(attempt.body), 3 * ENTRY_BODY_LENGTH)
        self.assertTrue(attempt.body.startswith(entry.body))

    def test_every_attempt_is_a_row(self) -> None:
        self.sandbox.fault(status=503, times=2, body={"message": "down"})
        entry = self.create()
        rows = entry.attempts.values_list("number", "http_status")
        self.assertEqual(list(rows), [(1, 503), (2, 503), (3, 200)])

    def test_what_is_not_allow_listed_is_neither_logged_nor_sent(self) -> None:
        for field, value in (("from_object_id", ".."), ("to_object_type", "../x")):
            with self.subTest(field), self.assertRaises(ValueError):
                self.create(**{field: value})
        self.assertFalse(AssociationRequest.objects.exists())
        self.assertEqual(self.sandbox.requests, [])

    def test_a_repeated_submit_is_one_entry_and_one_put(self) -> None:
        first = self.create(submit_token="t")
        with self.assertRaises(services.SentBeforeError) as told:
            self.create(submit_token="t")
        self.assertEqual(told.exception.entry, first)
        self.assertEqual(len(self.puts()), 1)

    def test_the_same_token_with_other_fields_or_another_person_is_a_new_submit(self) -> None:
        entries = {self.create(submit_token="t").pk}
        entries.add(self.create(submit_token="t", to_object_id="903").pk)
        entries.add(self.create(submit_token="t", reason="SUP-1").pk)
        self.user = person("other", "support")
        entries.add(self.create(submit_token="t").pk)
        entries.add(self.create().pk)
        entries.add(self.create().pk)
        self.assertEqual(len(entries), 6)

    def test_the_name_in_the_log_is_the_one_of_that_day(self) -> None:
        entry = self.create()
        self.user.name = "Changed"
        self.user.save()
        entry.refresh_from_db()
        self.assertEqual(entry.user_name, "Support")

    def test_nothing_is_sent_when_the_log_cannot_be_written(self) -> None:
        with (
            read_only_database(),
            self.assertLogs("associations.audit.recorder", "ERROR"),
            self.assertRaises(LogUnavailableError),
        ):
            self.create()
        self.assertEqual(self.sandbox.requests, [])

    def test_an_attempt_that_cannot_be_logged_does_not_cost_the_answer(self) -> None:
        with (
            missing_table(AssociationAttempt),
            self.assertLogs("associations.audit.recorder", "ERROR"),
        ):
            entry = self.create()
        self.assertEqual((entry.outcome, len(self.puts())), (Outcome.LINKED, 1))
        entry.refresh_from_db()
        self.assertEqual(entry.outcome, Outcome.LINKED)

    def test_a_log_that_cannot_be_written_after_sending_leaves_the_entry_open(self) -> None:
        entry, _ = recorder.open_entry(
            user=self.user, submit_token="", meta=RequestMeta(), reason="", **LINK
        )
        with (
            read_only_database(),
            self.assertLogs("associations.audit.recorder", "ERROR") as logs,
        ):
            services.send(entry)
        entry.refresh_from_db()
        self.assertEqual(entry.outcome, Outcome.SENDING)
        self.assertEqual(
            [record.http_status for record in logs.records if record.levelname == "ERROR"],
            [200, 200],
        )

    def test_abandoned_entries_do_not_keep_anybody_from_reading(self) -> None:
        recorder.open_entry(user=self.user, submit_token="", meta=RequestMeta(), reason="", **LINK)
        AssociationRequest.objects.update(sent_at=timezone.now() - timedelta(hours=1))
        with read_only_database(), self.assertLogs("associations.audit.recorder", "ERROR"):
            recorder.close_abandoned()
        self.assertEqual(AssociationRequest.objects.get().outcome, Outcome.SENDING)

    def test_pages_close_what_was_abandoned_now_and_then(self) -> None:
        client = SignedInClient(self.user)
        for outcome in (Outcome.UNREACHABLE, Outcome.SENDING, Outcome.UNREACHABLE):
            if outcome == Outcome.UNREACHABLE:
                have_pages_close_abandoned()
            entry, _ = recorder.open_entry(
                user=self.user, submit_token="", meta=RequestMeta(), reason="", **LINK
            )
            long_ago = timezone.now() - timedelta(hours=1)
            AssociationRequest.objects.filter(pk=entry.pk).update(sent_at=long_ago)
            client.get("/requests/")
            entry.refresh_from_db()
            self.assertEqual(entry.outcome, outcome)

    def test_the_number_of_queries(self) -> None:
        self.create()
        # count, insert; lock, insert of the attempt; close; and savepoints, as within a test
        lock = int(connection.features.has_select_for_update)
        with self.assertNumQueries(9 + lock):
            self.create()


class CrashTests(SandboxMixin, TestCase):
    """A crash is what does not happen any more: each test stops at its point of the flow."""

    def setUp(self) -> None:
        super().setUp()
        self.entry, _ = recorder.open_entry(
            user=person(), submit_token="", meta=RequestMeta(), reason="", **LINK
        )
        self.numbers = count(1)

    def closed_later(self) -> AssociationRequest:
        """Let longer than any call go by, and close what is open, once."""
        AssociationRequest.objects.update(sent_at=timezone.now() - timedelta(minutes=10))
        recorder.close_abandoned()
        self.entry.refresh_from_db()
        self.assertIsNotNone(self.entry.finished_at)
        return self.entry

    def record(self, attempt: Attempt) -> None:
        recorder.record_attempt(self.entry, next(self.numbers), attempt)

    def attempt(self, http_status: int, body: str = "{}") -> Attempt:
        return Attempt(timezone.now(), duration_ms=1, http_status=http_status, body=body)

    def test_before_or_while_sending(self) -> None:
        entry = self.closed_later()
        self.assertEqual((entry.outcome, entry.cause), (Outcome.UNREACHABLE, Cause.INTERRUPTED))

    def test_between_answer_and_closing(self) -> None:
        clients.interactive().create_default_association(**LINK, on_attempt=self.record)
        entry = self.closed_later()
        self.assertEqual((entry.outcome, entry.cause), (Outcome.LINKED, Cause.CONFIRMED))
        self.assertEqual(len(entry.results), 2)

    def test_after_an_attempt_that_would_have_been_repeated(self) -> None:
        self.record(self.attempt(503))
        self.assertEqual(self.closed_later().cause, Cause.INTERRUPTED)

    def test_after_the_last_attempt(self) -> None:
        for _ in range(3):
            self.record(self.attempt(503))
        self.assertEqual(self.closed_later().cause, Cause.HUBSPOT_DOWN)

    def test_an_entry_still_under_way_is_left_alone(self) -> None:
        recorder.close_abandoned()
        self.entry.refresh_from_db()
        self.assertEqual(self.entry.outcome, Outcome.SENDING)

    def test_an_answer_after_closing_is_kept_as_a_late_attempt(self) -> None:
        entry = self.closed_later()
        self.record(self.attempt(200))
        with self.assertLogs("associations.audit.recorder", "WARNING"):
            after = recorder.close_entry(entry, Answer(Cause.CONFIRMED))
        self.assertEqual(after.cause, Cause.INTERRUPTED)
        self.assertTrue(entry.attempts.get().late)


class LostConnectionTests(SandboxMixin, LogTransactionTestCase):
    @skipUnlessDBFeature("has_select_for_update")  # SQLite has no connection to lose
    def test_a_connection_that_breaks_during_the_call_does_not_cost_the_answer(self) -> None:
        user = person()
        others = threading.Timer(0.3, _end_other_connections)
        self.sandbox.fault(delay=0.8)
        others.start()
        entry = services.create_association(user=user, **LINK)
        others.join()
        entry.refresh_from_db()
        self.assertEqual((entry.outcome, entry.attempts.count()), (Outcome.LINKED, 1))


def _end_other_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()


class CommitTests(SandboxMixin, LogTransactionTestCase):
    """What other connections see, and when."""

    def in_thread(self, **fields: str) -> threading.Thread:
        def work() -> None:
            with suppress(services.SentBeforeError):  # a thread that came late
                services.create_association(user=self.user, **(LINK | fields))
            close_old_connections()
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def setUp(self) -> None:
        super().setUp()
        self.user = person()

    def wait_for_put(self) -> None:
        deadline = timezone.now() + timedelta(seconds=5)
        while not self.puts() and timezone.now() < deadline:
            pass

    def test_a_closing_whose_commit_was_not_confirmed_is_there_once(self) -> None:
        real, closings = entries.insert, list[object]()

        def insert(write: Any, **kwargs: Any) -> Any:
            done = real(write, **kwargs)
            if not kwargs:  # not of the opening
                closings.append(done)
                if len(closings) == 1:
                    raise OperationalError("the connection is lost")
            return done

        with mock.patch.object(entries, "insert", insert):
            seen = {"was_linked": False, "was_linked_at": timezone.now()}
            entry = services.create_association(user=self.user, **LINK, **seen)
        self.assertEqual(closings, [True, False])
        self.assertEqual((entry.outcome, entry.look_due), ("linked", True))
        self.assertEqual([*entry.attempts.values_list("number", "late")], [(1, False)])

    def test_the_entry_is_committed_before_the_put_leaves_and_no_transaction_is_open(self) -> None:
        self.sandbox.fault(delay=0.5)
        thread = self.in_thread()
        self.wait_for_put()
        entry = AssociationRequest.objects.get()
        self.assertEqual(entry.outcome, Outcome.SENDING)
        # On SQLite this write would wait for any open transaction.
        AssociationRequest.objects.update(status="written meanwhile")
        self.assertEqual(AssociationRequest.objects.get().outcome, Outcome.SENDING)
        thread.join()
        self.assertEqual(AssociationRequest.objects.get().outcome, Outcome.LINKED)

    def test_the_same_submit_many_times_at_once_is_one_entry(self) -> None:
        self.sandbox.fault(delay=0.2)
        threads = [self.in_thread(submit_token="t") for _ in range(12)]
        for thread in threads:
            thread.join()
        self.assertEqual(AssociationRequest.objects.count(), 1)
        self.assertEqual(len(self.puts()), 1)
