"""The line that is sealed: its bytes are the same on every database, for ever."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from unittest import mock, skipUnless

from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as GeneratedTestCase

from associations.audit.integrity import serialization, stored_rows, triggers
from associations.audit.integrity.serialization import KINDS, digest, each_line, format_moment, line
from associations.hubspot.sanitizing import json_object
from associations.models import AssociationAttempt, AssociationRequest, AuditExport
from tests.associations.audit.integrity.base import ENTRY, LogTestCase, sql, unchecked, undone
from tests.associations.linking.base import entry_of
from tests.generated import ANY_JSON, examples
from tests.support import person

AT = datetime(2026, 11, 24, 9, 30, 0, 120, tzinfo=UTC)
TIME = "2026-11-24T09:30:00.000120Z"


class LineTests(LogTestCase):
    maxDiff = None

    def line_of(self, kind: str, row: object) -> str:
        return dict(each_line(kind, [row.pk]))[row.pk]

    def full_entry(self) -> AssociationRequest:
        entry = self.entry(
            attempts=0,
            reason="“Grüße”\n/\\",
            cause="partly_failed",
            http_status=200,
            results=[{"b": 1, "a": [None, "é", 0.5, False]}],
            num_errors=0,
            errors=[{}],
            body="\u2028<b>\t\u007f",
            client_ip="2001:db8::1",
            created_at=AT,
            sent_at=AT,
            finished_at=AT,
        )
        self.attempt(entry, number=2, started_at=AT, headers={}, body="")
        self.attempt(
            entry, number=1, started_at=AT, http_status=None, headers={}, body="", failure="locked"
        )
        self.late_attempt(entry)
        return entry

    def test_an_entry_to_the_byte(self) -> None:
        entry = self.full_entry()
        first, second = entry.attempts.filter(late=False).order_by("number")
        same = f'"late":false,"number":%d,"started_at":"{TIME}"}}'
        expected = (
            '{"api_version":"v4","attempts":['
            '{"body_complete":true,"duration_ms":95,"failure":"locked",'
            f'"id":{first.pk},{same % 1},'
            '{"body_complete":true,"duration_ms":95,"http_status":200,'
            f'"id":{second.pk},{same % 2}],'
            '"body":"\u2028<b>\\t\u007f","cause":"partly_failed","client_ip":"2001:db8::1",'
            f'"created_at":"{TIME}","errors":[{{}}],"finished_at":"{TIME}",'
            '"from_object_id":"501","from_object_type":"contacts","http_status":200,'
            f'"id":{entry.pk},"kind":"entry","num_errors":0,"outcome":"linked",'
            '"reason":"“Grüße”\\n/\\\\","results":[{"a":[null,"é",0.5,false],"b":1}],'
            f'"sent_at":"{TIME}","to_object_id":"902","to_object_type":"companies",'
            f'"user_id":{self.user.pk},"user_name":"Admin"}}'
        )
        self.assertEqual(self.line_of("entry", entry), expected)

    def test_what_was_seen_to_the_byte(self) -> None:
        entry = self.entry(attempts=0)
        before = self.line_of("entry", entry)
        seen = {"was_linked": False, "verified": True, "verified_at": AT}
        entry = self.entry(attempts=0, **seen, unverified_cause="timed_out")
        line = self.line_of("entry", entry)
        self.assertIn('"unverified_cause":"timed_out","user_id"', line)
        self.assertIn(f'"verified":true,"verified_at":"{TIME}","was_linked":false}}', line)
        for name in (*seen, "unverified_cause"):
            self.assertNotIn(name, before)

    def test_the_other_kinds_to_the_byte(self) -> None:
        entry = self.entry(attempts=0)
        late = self.late_attempt(entry, started_at=AT, headers={"A": "b"}, body="x")
        self.assertEqual(
            self.line_of("attempt", late),
            '{"body":"x","body_complete":true,"duration_ms":95,"headers":{"A":"b"},'
            f'"http_status":200,"id":{late.pk},"kind":"attempt","late":true,"number":9,'
            f'"request_id":{entry.pk},"started_at":"{TIME}"}}',
        )
        check = self.check(entry, checked_at=AT, is_linked=False, types=[], client_ip="::1")
        self.assertEqual(
            self.line_of("check", check),
            f'{{"checked_at":"{TIME}","client_ip":"::1","duration_ms":80,"entry_id":{entry.pk},'
            f'"id":{check.pk},"is_linked":false,"kind":"check","request_id":"r-1",'
            f'"user_id":{self.user.pk},"user_name":"Admin"}}',
        )
        export = self.export(started_at=AT, finished_at=AT, rows=0, query="who=1")
        self.assertEqual(
            self.line_of("export", export),
            f'{{"finished_at":"{TIME}","format":"csv","id":{export.pk},"kind":"export",'
            f'"query":"who=1","rows":0,"started_at":"{TIME}","state":"complete",'
            f'"user_id":{self.user.pk},"user_name":"Admin"}}',
        )
        pruning = self.pruning(pruned_at=AT, signature="c2ln")
        self.assertEqual(
            self.line_of("pruning", pruning),
            f'{{"archive_name":"a.jsonl","archive_sha256":"{"0" * 64}","head":"{"0" * 64}",'
            f'"id":{pruning.pk},"items":1,"kind":"pruning","last_seal":1,"pruned_at":"{TIME}",'
            '"signature":"c2ln"}',
        )

    def test_it_is_the_same_by_either_way_of_reading(self) -> None:
        entry = self.full_entry()
        self.check(entry, types=[{"label": "é"}], is_linked=None)
        self.batch(self.bulk_run()), self.export(), self.event(), self.pruning()
        self.verification(), self.erasure(), self.timestamp()
        for kind, model in KINDS.items():
            with self.subTest(kind):
                ids = [*model._default_manager.values_list("pk", flat=True)]
                self.assertTrue(ids)
                read = [line(kind, *row) for row in serialization.rows_of(kind, ids)]
                with mock.patch.object(serialization, "_as_read", side_effect=AssertionError):
                    self.assertEqual([text for _, text in each_line(kind, ids)], read)

    @skipUnless(connection.vendor == "sqlite", "PostgreSQL has one way to write a time")
    def test_times_that_are_written_in_another_way_are_read_all_the_same(self) -> None:
        entry = self.full_entry()
        whole = self.line_of("entry", entry)
        for text in ("2026-11-24 09:30:00.00012", "2026-11-24T10:30:00.000120+01:00"):
            with self.subTest(text), unchecked(), undone(), triggers.lifted():
                sql(f"UPDATE {ENTRY} SET created_at = %s WHERE id = {entry.pk}", text)
                self.assertEqual(self.line_of("entry", entry), whole)

    @skipUnless(connection.vendor == "sqlite", "PostgreSQL has one way to write a time")
    def test_a_time_of_any_length_has_its_microseconds(self) -> None:
        entry = self.full_entry()
        for fraction in ("", ".120", ".000120"):
            with self.subTest(fraction), unchecked(), undone(), triggers.lifted():
                text = f"2026-11-24 09:30:00{fraction}"
                sql(f"UPDATE {ENTRY} SET created_at = %s WHERE id = {entry.pk}", text)
                expected = f'"created_at":"2026-11-24T09:30:00.{fraction[1:].ljust(6, "0")}Z"'
                with mock.patch.object(serialization, "_as_read", side_effect=AssertionError):
                    self.assertIn(expected, self.line_of("entry", entry))

    def test_what_is_empty_is_left_out_however_it_is_written(self) -> None:
        entry = self.full_entry()
        with unchecked(), triggers.lifted():
            sql(f"UPDATE {ENTRY} SET errors = '[]' WHERE id = {entry.pk}")
            whole = self.line_of("entry", entry)
            for text in ("null", '""', "[ ]", "{\n}"):
                with self.subTest(text):
                    sql(f"UPDATE {ENTRY} SET errors = %s WHERE id = {entry.pk}", text)
                    self.assertEqual(self.line_of("entry", entry), whole)

    def test_a_day_that_there_is_not_is_no_time(self) -> None:
        for text in ("2026-02-30 09:30:00.000120", "2026-11-24 25:30:00.000120"):
            with self.subTest(text), self.assertRaises(ValueError):
                stored_rows._moment(text)

    def test_every_column_is_in_it(self) -> None:
        for kind, model in KINDS.items():
            columns = [field.attname for field in model._meta.concrete_fields]
            found = json.loads(line(kind, dict.fromkeys(columns, 1)))
            self.assertEqual(found.keys(), {"kind", *columns})

    def test_what_is_empty_is_left_out_and_so_a_column_added_later(self) -> None:
        for empty in (None, "", [], {}):
            with self.subTest(empty):
                self.assertEqual(line("entry", {"id": 1, "new": empty}), '{"id":1,"kind":"entry"}')

    def test_nought_and_no_are_not_empty(self) -> None:
        self.assertEqual(line("x", {"a": 0, "b": False}), '{"a":0,"b":false,"kind":"x"}')

    def test_times_are_utc_to_the_microsecond(self) -> None:
        self.assertEqual(format_moment(AT), TIME)
        self.assertEqual(format_moment(AT.astimezone(timezone(timedelta(hours=-7)))), TIME)
        self.assertEqual(
            format_moment(datetime(2026, 1, 1, tzinfo=UTC)), "2026-01-01T00:00:00.000000Z"
        )

    def test_the_digest_is_that_of_the_utf_8(self) -> None:
        self.assertEqual(digest("Grüße"), hashlib.sha256("Grüße".encode()).hexdigest())

    def test_lines_come_by_id_and_only_of_rows_that_there_are(self) -> None:
        entries = [self.entry() for _ in range(3)]
        ids = [entry.pk for entry in entries]
        found = each_line("entry", [ids[2], ids[0], 10**9, ids[1]])
        self.assertEqual([pk for pk, _ in found], ids)

    def test_each_entry_has_its_own_attempts(self) -> None:
        entries = [self.entry(attempts=number) for number in (0, 1, 3)]
        found = dict(each_line("entry", [entry.pk for entry in entries]))
        counts = [len(json.loads(text).get("attempts", [])) for text in found.values()]
        self.assertEqual(counts, [0, 1, 3])

    def test_neither_a_late_attempt_nor_a_check_is_part_of_its_entry(self) -> None:
        entry = self.entry()
        before = self.line_of("entry", entry)
        self.late_attempt(entry)
        self.check(entry)
        self.assertEqual(self.line_of("entry", entry), before)


class AnyContentTests(GeneratedTestCase):
    """What HubSpot may send, once it was made storable."""

    @examples(60)
    @given(ANY_JSON, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    def test_a_line_is_the_same_whenever_it_is_read(self, value: object, text: str) -> None:
        content = json_object(json.dumps({"content": value}))
        entry = entry_of(person(), errors=[content], body=text)
        AssociationAttempt.objects.create(
            request=entry, number=1, started_at=AT, duration_ms=1, headers=content
        )
        first, again = (dict(each_line("entry", [entry.pk]))[entry.pk] for _ in range(2))
        self.assertEqual(first, again)
        self.assertEqual(first, line("entry", *next(serialization.rows_of("entry", [entry.pk]))))
        self.assertEqual(json.loads(first).get("body", ""), text)
        self.assertNotIn("\n", first)
        first.encode()


class KindTests(LogTestCase):
    def test_exports_and_entries_of_one_number_are_told_apart(self) -> None:
        self.assertIs(KINDS["export"], AuditExport)
        self.assertNotEqual(line("export", {"id": 1}), line("entry", {"id": 1}))
