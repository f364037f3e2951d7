"""The export that proves the log: an entry's line is, byte for byte, what is sealed of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.test import TestCase

from associations.audit.exports import ROWS_AT_ONCE, ExportProgress, json_lines
from associations.audit.integrity.sealing import seal_log
from associations.audit.integrity.serialization import digest, each_line
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    BulkRun,
)
from tests.associations.linking.base import entry_of
from tests.support import person

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ODD_TEXT = 'a\u2028b\u2029c\u0085d\x0be\x1cf\r\ng\rh\n"quoted", \\n, <漢字>'
EXPECTED = (
    '{"api_version":"v4","attempts":[{"body":"ü","body_complete":true,"duration_ms":12,'
    '"headers":{"Retry-After":"1"},"http_status":503,"id":%d,"late":false,"number":1,'
    '"started_at":"2026-11-24T12:00:00.000000Z"}],"cause":"hubspot_down",'
    '"created_at":"2026-11-24T12:00:00.000000Z","finished_at":"2026-11-24T12:00:01.500000Z",'
    '"from_object_id":"501","from_object_type":"contacts","http_status":503,"id":%d,'
    '"kind":"entry","outcome":"unreachable","reason":"Grüße","sent_at":"2026-11-24T12:00:00.000000Z",'
    '"to_object_id":"902","to_object_type":"companies","user_id":%d,"user_name":"Support"}'
)


class LinesTestCase(TestCase):
    def setUp(self) -> None:
        self.user = person()

    def stream(self, query: str = "") -> Iterator[bytes]:
        self.progress = ExportProgress()
        return json_lines(AssociationRequest.objects.all(), self.progress, NOON, query)

    def lines(self, query: str = "") -> list[bytes]:
        """The lines without their ends; each has one."""
        *lines, rest = b"".join(self.stream(query)).split(b"\n")
        self.assertEqual(rest, b"")
        return lines

    def entry(self, **fields: object) -> AssociationRequest:
        return entry_of(self.user, created_at=NOON, **fields)

    def attempt(
        self, entry: AssociationRequest, number: int, **fields: object
    ) -> AssociationAttempt:
        values = {"started_at": NOON, "duration_ms": 12} | fields
        return entry.attempts.create(number=number, **values)

    def check(self, entry: AssociationRequest) -> AssociationCheck:
        told = {"user": self.user, "user_name": self.user.name, "duration_ms": 9}
        return entry.checks.create(checked_at=NOON, is_linked=False, **told)


class JSONLinesTests(LinesTestCase):
    def test_an_entry_is_its_canonical_line(self) -> None:
        entry = self.entry(
            outcome="unreachable",
            cause="hubspot_down",
            http_status=503,
            reason="Grüße",
            sent_at=NOON,
            finished_at=NOON + timedelta(seconds=1.5),
        )
        attempt = self.attempt(
            entry, 1, http_status=503, body="ü", headers={"Retry-After": "1"}, body_complete=True
        )
        line = self.lines()[0]
        self.assertEqual(line.decode(), EXPECTED % (attempt.pk, entry.pk, self.user.pk))
        self.assertEqual(line, dict(each_line("entry", [entry.pk]))[entry.pk].encode())

    def test_its_digest_is_the_one_in_the_seal(self) -> None:
        entry = self.entry(reason=ODD_TEXT)
        self.attempt(entry, 1, body=ODD_TEXT)
        late = self.attempt(entry, 2, body=ODD_TEXT, late=True)
        items = ("entry", entry.pk), ("attempt", late.pk), ("check", self.check(entry).pk)
        seal = next(seal_log())
        for (kind, pk), line in zip(items, self.lines()[:3], strict=True):
            self.assertIn(f"{kind} {pk} {digest(line.decode())}\n", seal.manifest)

    def test_attempts_that_came_late_follow_their_entry(self) -> None:
        older, newer = self.entry(), self.entry()
        self.attempt(newer, 1)
        for entry in (older, newer):
            for number in (2, 3):
                self.attempt(entry, number, late=True)
        found = [json.loads(line) for line in self.lines()[:-1]]
        order = [(each["kind"], each.get("request_id", each["id"])) for each in found]
        expected = [
            (kind, entry.pk) for entry in (newer, older) for kind in ("entry", "attempt", "attempt")
        ]
        self.assertEqual(order, expected)
        self.assertEqual([each.get("number") for each in found], [None, 2, 3] * 2)
        self.assertEqual([a["number"] for a in found[0]["attempts"]], [1])

    def test_checks_follow_what_they_are_of(self) -> None:
        older, newer = self.entry(), self.entry()
        for entry in (newer, older, newer):
            self.check(entry)
        self.attempt(newer, 2, late=True)
        found = [json.loads(line) for line in self.lines()[:-1]]
        kinds = ["entry", "attempt", "check", "check", "entry", "check"]
        self.assertEqual([each["kind"] for each in found], kinds)
        of = [each.get("entry_id") for each in found if each["kind"] == "check"]
        self.assertEqual(of, [newer.pk, newer.pk, older.pk])
        self.assertLess(found[2]["id"], found[3]["id"])
        self.assertEqual(self.progress.rows, 2)

    def test_checks_of_other_entries_are_no_part_of_it(self) -> None:
        wanted, other = self.entry(), self.entry()
        self.check(other)
        only = AssociationRequest.objects.filter(pk=wanted.pk)
        (data, end) = json_lines(only, ExportProgress(), NOON, "")
        self.assertEqual([json.loads(line)["kind"] for line in data.splitlines()], ["entry"])
        self.assertEqual(json.loads(end)["lines"], 1)

    def test_the_last_line_says_that_the_file_is_whole(self) -> None:
        late = self.attempt(self.entry(), 1, late=True)
        self.entry()
        *lines, end = self.lines("reason=a%20b")
        self.assertEqual(
            json.loads(end),
            {
                "kind": "end",
                "complete": True,
                "lines": len(lines),
                "exported_at": "2026-11-24T12:00:00.000000Z",
                "query": "reason=a%20b",
            },
        )
        self.assertEqual((len(lines), self.progress.rows, late.late), (3, 2, True))

    def test_a_log_without_entries_is_whole_as_well(self) -> None:
        (end,) = self.lines()
        self.assertEqual((json.loads(end)["complete"], json.loads(end)["lines"]), (True, 0))

    def test_what_was_broken_off_does_not_say_so(self) -> None:
        for _ in range(4):
            self.entry()
        with mock.patch.dict(ROWS_AT_ONCE, jsonl=1):
            parts = list(self.stream())
        self.assertIn(b'"complete": true', parts[-1])
        self.assertNotIn(b'"complete"', b"".join(parts[:-1]))

    def test_nothing_but_a_line_feed_ends_a_line(self) -> None:
        names = ("reason", "error_text", "user_agent", "user_name", "body")
        entry = self.entry(**dict.fromkeys(names, ODD_TEXT), errors=[{"message": ODD_TEXT}])
        self.attempt(entry, 1, body=ODD_TEXT, late=True)
        lines = self.lines()
        self.assertEqual(len(lines), 3)
        self.assertEqual({json.loads(lines[0])[name] for name in names}, {ODD_TEXT})
        self.assertEqual(json.loads(lines[1])["body"], ODD_TEXT)
        self.assertNotIn(b"\r", b"".join(lines))

    def test_no_boundary_loses_or_repeats_a_line(self) -> None:
        for number in range(7):
            entry = self.entry()
            for late in range(number % 3):
                self.attempt(entry, 1 + late, late=True)
            if number % 2:
                self.check(entry)
        whole = b"".join(self.stream())
        self.assertEqual(len(whole.splitlines()), 7 + 6 + 3 + 1)
        for size in range(1, 9):
            with self.subTest(size=size), mock.patch.dict(ROWS_AT_ONCE, jsonl=size):
                self.assertEqual(b"".join(self.stream()), whole)
                self.assertEqual(self.progress.rows, 7)


class BatchTests(LinesTestCase):
    """Entries of a run, and the batches that closed them."""

    def setUp(self) -> None:
        super().setUp()
        self.run_of_all = BulkRun.objects.create(user=self.user, created_at=NOON)

    def batch(self) -> AssociationBatch:
        told = {"started_at": NOON, "duration_ms": 9, "inputs": 2, "body": '{"results": []}'}
        return AssociationBatch.objects.create(run=self.run_of_all, **told)

    def of_batches(self, *batches: AssociationBatch | None) -> list[AssociationRequest]:
        return [self.entry(batch=batch, run=self.run_of_all) for batch in batches]

    def told(self, lines: list[bytes]) -> list[tuple[str, int]]:
        return [(each["kind"], each["id"]) for each in map(json.loads, lines[:-1])]

    def test_a_batch_follows_the_first_entry_that_names_it_and_stands_there_once(self) -> None:
        one, other, unnamed = self.batch(), self.batch(), self.batch()
        named = (one, None, other, one, other)
        entries = self.of_batches(*named)[::-1]
        self.attempt(entries[0], 1, late=True)
        expected, first = [], {other: 0, one: 1}
        for n, entry in enumerate(entries):
            expected.append(("entry", entry.pk))
            expected += [("attempt", each.pk) for each in entry.attempts.all()]
            expected += [("batch", batch.pk) for batch, at in first.items() if at == n]
        for size in (1, 2, 3, 100):
            with self.subTest(size), mock.patch.dict(ROWS_AT_ONCE, jsonl=size):
                lines = self.lines()
                self.assertEqual(self.told(lines), expected)
                self.assertEqual(json.loads(lines[-1])["lines"], len(expected))
                self.assertEqual(self.progress.rows, 5)
        self.assertNotIn(("batch", unnamed.pk), expected)

    def test_it_is_its_canonical_line_in_a_part_of_its_own(self) -> None:
        batch = self.batch()
        self.of_batches(batch, batch)
        parts = [part for part in self.stream() if b'"kind":"batch"' in part]
        self.assertEqual(parts, [f"{dict(each_line('batch', [batch.pk]))[batch.pk]}\n".encode()])

    def test_a_filter_that_no_entry_of_it_passes_leaves_it_out(self) -> None:
        wanted, _ = self.of_batches(None, self.batch())
        only = AssociationRequest.objects.filter(pk=wanted.pk)
        data, _ = json_lines(only, ExportProgress(), NOON, "")
        self.assertNotIn(b'"kind":"batch"', data)
