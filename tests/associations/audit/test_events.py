"""Each closed entry as one line of the log stream: when it is written, and what it says."""

import io
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from associations.audit import recorder
from associations.audit.events import record_closed
from associations.audit.recorder import RequestMeta
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause
from associations.linking import services
from associations.models import AssociationRequest, BulkChunk
from hubadmin.logging import JSONFormatter
from tests.associations.audit.integrity.base import LogMixin
from tests.associations.linking.base import entry_of
from tests.support import LINK, LogTransactionTestCase, SandboxMixin, person

TOKEN = "opaque/se+cret=="
KEYS = {
    *("time", "level", "logger", "event", "schema"),
    *("entry", "entry_request_id", "entry_client_request_id"),
    *("outcome", "cause", "user_id", "user_name", "user_email"),
    *("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason"),
    *("http_status", "error_category", "error_text", "correlation_id", "api_version", "client_ip"),
    *("was_linked", "verified", "unverified_cause", "verified_at"),
    *("from_merged_into", "to_merged_into"),
    *("created_at", "sent_at", "finished_at", "was_linked_at"),
}
META = RequestMeta(client_ip="192.0.2.7", user_agent="Firefox", request_id="r-1")


class EventTestCase(SandboxMixin, LogTransactionTestCase):
    """Each test really commits: an event belongs to what has been committed."""

    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(JSONFormatter())
        logger = logging.getLogger("hubadmin.audit")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def events(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.lines()]
        return [event for event in found if event["event"] == "entry closed"]

    def create(self, **fields: str) -> AssociationRequest:
        return services.create_association(user=self.user, meta=META, **(LINK | fields))

    def opened(self) -> AssociationRequest:
        entry, _ = recorder.open_entry(
            user=self.user, submit_token="", meta=META, reason="", **LINK
        )
        return entry


class WhenTests(EventTestCase):
    def test_one_line_for_each_entry_that_is_closed(self) -> None:
        entries = [self.create(), self.create(from_object_id="383"), self.create()]
        told = [(event["entry"], event["outcome"]) for event in self.events()]
        expected = list(zip([e.pk for e in entries], ["linked", "rejected", "linked"], strict=True))
        self.assertEqual(told, expected)

    def test_none_while_it_is_open_nor_for_the_same_submit_again(self) -> None:
        self.opened()
        self.assertEqual(self.events(), [])
        self.create(submit_token="t")
        with self.assertRaises(services.SentBeforeError):
            self.create(submit_token="t")
        self.assertEqual(len(self.events()), 1)

    def test_none_when_somebody_else_has_closed_it(self) -> None:
        entry = self.opened()
        recorder.close_entry(entry, Answer(Cause.REFUSED))
        with self.assertLogs("associations.audit.recorder", "WARNING"):
            recorder.close_entry(entry, Answer(Cause.CONFIRMED))
        self.assertEqual([event["cause"] for event in self.events()], ["refused"])

    def test_only_after_the_commit(self) -> None:
        entry = self.opened()
        with transaction.atomic():
            recorder.close_entry(entry, Answer(Cause.CONFIRMED))
            self.assertEqual(self.lines(), [])
        self.assertEqual(len(self.events()), 1)

    def test_none_when_the_closing_is_rolled_back(self) -> None:
        entry = self.opened()
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            recorder.close_entry(entry, Answer(Cause.CONFIRMED))
            _ = 1 / 0
        entry.refresh_from_db()
        self.assertEqual((entry.outcome, self.lines()), ("sending", []))

    def test_also_for_what_a_crash_left_open(self) -> None:
        entries = [self.opened(), self.opened()]
        answer = {"status": 400, "body": {"message": "No"}}
        attempt = Attempt(timezone.now(), 1, http_status=400, body=json.dumps(answer["body"]))
        recorder.record_attempt(entries[1], 1, attempt)
        AssociationRequest.objects.update(sent_at=timezone.now() - timedelta(hours=1))
        for _ in range(2):
            recorder.close_abandoned()
        told = [(each["entry"], each["cause"], each["http_status"]) for each in self.events()]
        expected = [(entries[0].pk, "interrupted", None), (entries[1].pk, "refused", 400)]
        self.assertEqual(told, expected)


class WhatTests(EventTestCase):
    def only_event(self, write: Callable[[], AssociationRequest]) -> dict[str, Any]:
        write()
        (event,) = self.events()
        return event

    def test_the_keys_are_always_the_same(self) -> None:
        empty = AssociationRequest(user=self.user, created_at=timezone.now(), outcome="canceled")
        for write in (
            self.create,
            lambda: self.create(from_object_id="383"),
            lambda: recorder.close_entry(self.opened(), Answer(Cause.INTERRUPTED)),
            lambda: record_closed(empty),
        ):
            self.stream.truncate(0)
            self.stream.seek(0)
            self.assertEqual(self.only_event(write).keys(), KEYS)

    def test_what_they_hold(self) -> None:
        event = self.only_event(lambda: self.create(reason="SUP-1", from_object_id="383"))
        entry = AssociationRequest.objects.get()
        self.assertEqual((event["level"], event["logger"]), ("info", "hubadmin.audit"))
        self.assertEqual(event["schema"], "hubadmin.audit/1")
        self.assertEqual((event["entry"], event["entry_request_id"]), (entry.pk, "r-1"))
        self.assertEqual((event["user_id"], event["user_name"]), (self.user.pk, "Support"))
        for name in KEYS & {field.name for field in AssociationRequest._meta.fields}:
            value = getattr(entry, name)
            if name.endswith("_at") and value:
                value = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
            self.assertEqual(event[name], value, name)
        self.assertEqual(event["reason"], "SUP-1")
        self.assertEqual((event["cause"], event["http_status"]), ("record_not_found", 400))

    def test_what_is_not_known_is_null_or_empty(self) -> None:
        entry = entry_of(self.user, sent_at=None, finished_at=None, client_ip=None)
        event = self.only_event(lambda: record_closed(entry))
        nothing = {name for name, value in event.items() if value is None}
        unknown = {"http_status", "client_ip", "sent_at", "finished_at"}
        self.assertEqual(
            nothing, unknown | {"was_linked", "was_linked_at", "verified", "verified_at"}
        )

    def test_the_numbers_are_numbers(self) -> None:
        event = self.only_event(self.create)
        for name in ("entry", "user_id", "http_status"):
            self.assertIs(type(event[name]), int, name)

    def test_no_field_can_make_a_second_line(self) -> None:
        odd = 'a\rb\nc\r\nd\u2028e\u0085f\x0bg"}\n{"event": "entry closed"'
        texts = KEYS & {
            *("user_name", "user_email", "reason", "error_category", "error_text"),
            *("correlation_id", "from_object_type", "api_version", "cause"),
        }
        fields = dict.fromkeys(texts, odd) | {"request_id": odd}
        record_closed(AssociationRequest(pk=7, user=self.user, created_at=timezone.now(), **fields))
        (line,) = self.lines()
        self.assertEqual({json.loads(line)[name] for name in texts | {"entry_request_id"}}, {odd})

    @override_settings(HUBSPOT_ACCESS_TOKEN=TOKEN)
    def test_the_token_is_nowhere(self) -> None:
        body = {"message": f"{TOKEN} is no good", "category": TOKEN, "correlationId": TOKEN}
        self.sandbox.fault(status=400, body=body)
        self.create(reason=f"Bearer {TOKEN}")
        (line,) = self.lines()
        self.assertNotIn("se+cret", line)
        self.assertEqual(json.loads(line)["reason"], "Bearer [redacted]")


class ManyTests(LogMixin, EventTestCase):
    """What many entries of a run share is one line."""

    COMMON = {"time", "level", "logger", "event", "schema", "outcome", "run"}
    MANY = COMMON | {"first_entry", "last_entry", "entries"}

    def setUp(self) -> None:
        super().setUp()
        self.of = self.bulk_run()

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def waiting(self, count: int, **fields: object) -> tuple[BulkChunk, list[int]]:
        ids = [entry.pk for entry in self.entries_of(self.of, count, **fields)]
        told = {"first_id": ids[0], "last_id": ids[-1], "rows": count, "way": "batch"}
        return BulkChunk.objects.create(run=self.of, **told), ids

    def test_entries_that_a_batch_closed(self) -> None:
        chunk, ids = self.waiting(3, outcome="sending")
        batch = self.batch(self.of)
        answer = Answer(Cause.CONFIRMED, http_status=200)
        with transaction.atomic():
            recorder.close_entries_by_batch(chunk, (ids[0], ids[1]), batch, answer, {})
            self.assertEqual(self.told(), [])
        (event,) = self.told()
        self.assertEqual(event.keys(), self.MANY | {"batch", "cause", "http_status"})
        range_ = (event["run"], event["first_entry"], event["last_entry"], event["entries"])
        self.assertEqual(range_, (self.of.pk, ids[0], ids[1], 2))
        self.assertEqual((event["event"], event["outcome"]), ("entries closed", "linked"))
        self.assertEqual((event["schema"], event["logger"]), ("hubadmin.audit/1", "hubadmin.audit"))
        batch_told = (event["batch"], event["cause"], event["http_status"])
        self.assertEqual(batch_told, (batch.pk, "confirmed", 200))

    def test_entries_that_were_canceled_before_they_were_sent(self) -> None:
        chunk, ids = self.waiting(2)
        with transaction.atomic():
            recorder.cancel_unsent(chunk)
        (event,) = self.told()
        self.assertEqual(event.keys(), self.MANY)
        self.assertEqual((event["outcome"], event["entries"]), ("canceled", 2))
        self.assertEqual((event["first_entry"], event["last_entry"]), (ids[0], ids[-1]))

    def test_where_none_was_closed_none_is_told(self) -> None:
        chunk, ids = self.waiting(2)
        with transaction.atomic():
            answer = Answer(Cause.CONFIRMED)
            recorder.close_entries_by_batch(
                chunk, (ids[0], ids[1]), self.batch(self.of), answer, {}
            )
        self.assertEqual(self.told(), [])

    def test_what_is_rolled_back_is_not_told(self) -> None:
        chunk, _ = self.waiting(2)
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            recorder.cancel_unsent(chunk)
            raise ZeroDivisionError
        self.assertEqual(self.told(), [])

    def test_one_that_is_closed_by_itself_names_its_run(self) -> None:
        (entry,) = self.entries_of(self.of, 1)
        record_closed(entry)
        (event,) = self.told()
        self.assertEqual(event.keys(), KEYS | {"run"})
        self.assertEqual((event["event"], event["run"]), ("entry closed", self.of.pk))
