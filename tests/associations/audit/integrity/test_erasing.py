"""A person's names go from the log, and every proof still holds."""

import os
import sqlite3
import tempfile
import time
import unittest
from datetime import timedelta
from pathlib import Path
from unittest import mock

import psycopg
from django.db import DatabaseError, connection
from django.test import override_settings, skipUnlessDBFeature, tag
from django.utils import timezone

from associations.audit.integrity import erasing, names, pruning, triggers
from associations.audit.integrity.chain_verification import TamperedError
from associations.audit.integrity.signing import SigningKeyError
from associations.models import (
    AssociationRequest,
    AuditErasure,
    AuditSeal,
    BulkKey,
    BulkRow,
    BulkRun,
    BulkUpload,
    RecordNames,
)
from hubadmin.web.command_line import account
from tests.associations.audit.integrity.base import (
    ENTRY,
    LONG_AGO,
    SEAL,
    CommittedLogTestCase,
    LogTestCase,
    as_owner,
    items_of,
    on_postgresql,
    refuse_rows_in,
    run,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.named import (
    ADA,
    ADAS,
    COMPANY,
    GRACES,
    MAIL,
    NAMES,
    NamedLogMixin,
)
from tests.associations.audit.integrity.processes import Process, database_url
from tests.faults.erased.searching import of_files
from tests.support import SandboxMixin, SignedInClient

DAY = timedelta(days=1)


@tag("long")
class ErasingTests(NamedLogMixin, LogTestCase):
    def named_rows(self, entry: AssociationRequest) -> tuple[str, str, str, str]:
        row = RecordNames.objects.get(pk=entry.pk)
        return row.from_name, row.from_typed, row.from_salt, row.to_name

    def test_the_names_of_a_record_go_and_no_other(self) -> None:
        digest = self.adas[0].from_name_digest
        found = self.erased()
        self.assertEqual((found.names, len(found.rows)), (2, 0))
        for entry in self.adas:
            self.assertEqual(self.named_rows(entry), ("", "", "", COMPANY))
        self.assertEqual(self.named_rows(self.graces)[0], "Grace Hopper")
        self.adas[0].refresh_from_db()
        self.assertEqual(self.adas[0].from_name_digest, digest)
        self.assert_proven()

    def test_it_is_signed_sealed_and_told(self) -> None:
        self.erased()
        row = AuditErasure.objects.get()
        self.assertEqual((row.by, row.records), ("the tests", ["contacts/501"]))
        self.assertIn(("erasure", row.pk), items_of(AuditSeal.objects.last()))
        self.assertIn("Erased on", self.assert_proven())
        self.assertEqual(names.erased_on(self.adas[1]), {"from": row.erased_at})
        self.assertEqual(names.erased_on(self.graces), {})
        self.assertEqual(triggers.problems(), [])

    def test_the_page_of_an_entry_says_when(self) -> None:
        page = SignedInClient(self.user)
        address = self.adas[0].get_absolute_url()
        self.assertNotContains(page.get(address), "was erased on")
        self.erased()
        told = page.get(address)
        self.assertContains(told, "name was erased on", 1)
        self.assertNotContains(told, ADA)
        self.assertNotContains(page.get(self.graces.get_absolute_url()), "was erased on")

    def test_a_second_time_nothing_is_left(self) -> None:
        self.erased()
        self.assertEqual(self.erased().names, 0)
        self.assertEqual(AuditErasure.objects.count(), 1)
        self.assert_proven()

    def test_names_that_come_later_are_erased_by_themselves(self) -> None:
        self.erased()
        later = self.named(ADA, ADAS)
        seal()
        self.assertEqual(self.erased().entries, {"from": [later.pk], "to": []})
        self.assertEqual(AuditErasure.objects.count(), 2)
        self.assert_proven()

    def test_the_other_side_of_an_entry(self) -> None:
        self.assertEqual(self.adas[0].to_object_type, "companies")
        self.erased(("companies", self.adas[0].to_object_id))
        row = RecordNames.objects.get(pk=self.adas[0].pk)
        self.assertEqual((row.from_name, row.to_name, row.to_salt), (ADA, "", ""))
        self.assertEqual(names.erased_on(self.adas[0]).keys(), {"to"})
        self.assert_proven()

    def test_a_record_that_was_merged_goes_under_all_its_ids(self) -> None:
        """501 was merged into 502, and that one into 503."""
        self.named(ADA, ADAS, from_merged_into="502")
        self.named(ADA, ("contacts", "502"), from_merged_into="503")
        last = self.named("Ada Lovelace", ("contacts", "503"))
        seal()
        for record in (ADAS, ("contacts", "502"), ("contacts", "503")):
            with self.subTest(record):
                planned = erasing.plan([record])
                ids = [object_id for _, object_id in planned.records]
                self.assertEqual(ids, ["501", "502", "503"])
                self.assertEqual(planned.names, 5)
        self.erased(("contacts", "503"))
        self.assertEqual(self.named_rows(last)[0], "")
        self.assertFalse(RecordNames.objects.filter(from_name__startswith="Ada").exists())
        self.assert_proven()

    def test_the_same_id_of_another_type_is_somebody_else(self) -> None:
        deal = self.named("Engine", ("deals", "501"))
        self.erased()
        self.assertEqual(self.named_rows(deal)[0], "Engine")

    def test_an_entry_that_is_open_is_sealed_without_a_name(self) -> None:
        still_open = self.named(ADA, ADAS, outcome="sending", cause="", finished_at=None)
        self.erased()
        self.assertEqual(self.named_rows(still_open)[0], "")
        self.close(still_open)
        seal()
        self.assertIn(("entry", still_open.pk), items_of(AuditSeal.objects.last()))
        self.assert_proven()

    def test_more_records_than_a_statement_takes_conditions(self) -> None:
        records = [("contacts", str(number)) for number in range(10_000, 12_500)]
        self.assertEqual(erasing.plan([*records, ADAS]).names, 2)

    def test_whom_an_address_or_a_name_found(self) -> None:
        for text in (MAIL, MAIL.upper(), ADA):
            self.assertEqual(erasing.records_found_by(text), [ADAS])
        self.assertEqual(erasing.records_found_by("Ada"), [])
        self.assertEqual(len(erasing.records_found_by(COMPANY)), 1)

    def test_what_was_found_by_it_since_somebody_looked(self) -> None:
        planned = erasing.records_found_by(MAIL)
        later = self.named("Ada King", ("contacts", "502"), typed=MAIL)
        self.erased(*planned, text=MAIL)
        self.assertEqual(self.named_rows(later)[0], "")

    def test_reasons_that_say_it_are_named(self) -> None:
        self.entry(reason=f"as {MAIL} asked")
        other = self.entry(reason="as the customer asked")
        found = {*erasing.reasons_with(self.erased().texts)}
        self.assertEqual(len(found), 1)
        self.assertNotIn(other.pk, found)


class StagedTests(SandboxMixin, NamedLogMixin, LogTestCase):
    """Rows of files, in runs that are not tidied away yet."""

    def setUp(self) -> None:
        super().setUp()
        self.run = BulkRun.objects.create(
            user=self.user, user_name="x", name="a.csv", state="ready", created_at=self.clock()
        )

    def row(self, number: int, **fields: object) -> BulkRow:
        values = {"run": self.run, "number": number, "line": number + 1, "state": "ready"}
        return BulkRow.objects.create(**(values | fields))

    def invalid(self, number: int, cell: str, **fields: object) -> BulkRow:
        told = {"problem_field": "from", "problem": "not_digits", "facts": {"text": cell}}
        told |= {"state": "invalid", "cells": {"from_object_id": cell, "to_object_id": "902"}}
        return self.row(number, **(told | fields))

    def test_the_names_of_a_row(self) -> None:
        of_ada = {"from_object_type": "contacts", "from_object_id": "501", "from_name": ADA}
        row = self.row(1, **of_ada, from_typed=MAIL, from_salt="a" * 32, to_name=COMPANY)
        self.assertEqual(self.erased().rows, {row.pk})
        row.refresh_from_db()
        told = row.from_name, row.from_typed, row.from_salt, row.to_name
        self.assertEqual(told, ("", "", "", COMPANY))

    def test_cells_of_a_row_that_names_the_record(self) -> None:
        of_ada = {"from_object_type": "contacts", "from_object_id": "501"}
        row = self.invalid(1, "Countess of Lovelace", **of_ada)
        self.erased()
        row.refresh_from_db()
        self.assertEqual((row.cells, row.facts), ({}, {}))

    def test_cells_that_say_the_address_or_the_name(self) -> None:
        for number, cell in enumerate([f"Ada <{MAIL.upper()}>", MAIL, f" {ADA} "], start=1):
            self.invalid(number, cell)
        other = self.invalid(9, "grace@example.com")
        self.assertEqual(len(self.erased().rows), 3)
        self.assertEqual([*BulkRow.objects.exclude(cells={})], [other])

    def test_an_address_that_only_files_say(self) -> None:
        self.invalid(1, "lin@example.com")
        found = self.erased(("contacts", "0"), text="lin@example.com")
        self.assertEqual(len(found.rows), 1)
        self.assertFalse(BulkRow.objects.exclude(cells={}).exists())

    def test_whom_a_row_was_found_by(self) -> None:
        self.row(1, from_object_type="contacts", from_object_id="9", from_typed="lin@example.com")
        self.assertEqual(erasing.records_found_by("lin@example.com"), [("contacts", "9")])

    def test_what_only_files_say_of_a_record_is_logged_as_well(self) -> None:
        self.row(1, from_object_type="contacts", from_object_id="9", from_name="Lin", from_salt="a")
        self.erased(("contacts", "9"))
        self.assertIn("what files said of contacts/9", self.assert_proven())

    def test_the_reason_of_a_row_that_goes_nowhere(self) -> None:
        told = {"from_object_id": "x", "reason": f"for {MAIL}"}
        bad = self.invalid(1, "x", cells=told, reason=f"for {MAIL}")
        ready = self.row(2, reason=f"for {MAIL}")
        self.erased()
        for row in (bad, ready):
            row.refresh_from_db()
        self.assertEqual((bad.reason, ready.reason), ("", f"for {MAIL}"))
        self.assertEqual(erasing.runs_with({MAIL}), [self.run.pk])

    def test_the_first_line_of_a_file_without_a_header(self) -> None:
        facts = {"found": f"7, {MAIL}, Ada Byron"}
        unused = ["Phone", f"Ada <{MAIL}>"]
        BulkRun.objects.filter(pk=self.run.pk).update(
            state="unreadable", problem="no_header", problem_facts=facts, unused_columns=unused
        )
        self.assertEqual(erasing.forget_files({MAIL}, is_dry=True), 1)
        self.assertEqual(erasing.forget_files({MAIL}), 1)
        self.run.refresh_from_db()
        told = self.run.problem_facts, self.run.unused_columns
        self.assertEqual(told, ({"found": "…"}, ["Phone"]))
        page = SignedInClient(self.user).get(self.run.get_absolute_url())
        self.assertNotContains(page, MAIL)
        self.assertEqual(erasing.forget_files({MAIL}), 0)

    def test_a_file_that_waits_goes_whole_if_it_says_so(self) -> None:
        columns = {"columns": [["Mail", [MAIL]], ["Id", ["501"]]], "encoding": "cp1252"}
        others = {"columns": [["Mail", ["x"]]], "encoding": "utf-16-le"}
        for layout, content, goes in (
            (columns, b"Mail,Id", True),
            (others, MAIL.upper().encode("utf-16-le"), True),
            (others | {"encoding": "utf-8"}, b"PK\x03\x04\xff", True),
            (others, "somebody else".encode("utf-16-le"), False),
        ):
            with self.subTest(content):
                waiting = BulkRun.objects.filter(pk=self.run.pk)
                waiting.update(state="ready", layout=layout, problem_facts={})
                self.run.uploads.all().delete()
                self.run.uploads.create(number=1, content=content)
                self.assertEqual(erasing.forget_files({MAIL}, is_dry=True), int(goes))
                self.assertTrue(self.run.uploads.exists())
                self.assertEqual(erasing.forget_files({MAIL}), int(goes))
                self.run.refresh_from_db()
                self.assertEqual(self.run.layout, {} if goes else layout)
                self.assertEqual(self.run.uploads.exists(), not goes)
        self.assertEqual(erasing.runs_being_read(), [])

    def test_a_file_whose_encoding_is_chosen_wrongly_goes_as_well(self) -> None:
        kept = {
            "encoding": "cp1252",
            "encodings": {"cp1252": "Šrö", "mac-roman": "x", "cp932": "x"},
        }
        BulkRun.objects.filter(pk=self.run.pk).update(state="ready", layout=kept)
        self.run.uploads.create(number=1, content="Jörg Müller,501,902".encode("mac-roman"))
        self.assertEqual(erasing.forget_files({"Somebody Else"}), 0)
        self.assertEqual(erasing.forget_files({"Jörg Müller"}), 1)
        self.assertFalse(self.run.uploads.exists())

    def test_how_a_file_is_read_on_stays(self) -> None:
        layout = {"columns": [["Mail", [MAIL]]], "meanings": ["from_object_id"]}
        BulkRun.objects.filter(pk=self.run.pk).update(state="reading", layout=layout)
        self.assertEqual(erasing.forget_files({MAIL}), 1)
        self.run.refresh_from_db()
        self.assertEqual(self.run.layout, {"meanings": ["from_object_id"]})

    def test_a_file_that_is_still_being_read_is_told_of(self) -> None:
        BulkRun.objects.filter(pk=self.run.pk).update(state="reading")
        self.assertEqual(erasing.runs_being_read(), [])
        BulkUpload.objects.create(run=self.run, number=1, content=MAIL.encode())
        self.assertEqual(erasing.runs_being_read(), [self.run.pk])

    def test_pages_and_files_of_the_run_still_come(self) -> None:
        self.invalid(1, MAIL)
        self.row(2, from_object_type="contacts", from_object_id="501", from_name=ADA)
        self.erased()
        client = SignedInClient(self.user)
        for page in ("", "bad-rows.csv"):
            with self.subTest(page):
                answer = client.get(f"/bulk/{self.run.pk}/{page}")
                self.assertEqual(answer.status_code, 200)
                body = b"".join(answer) if answer.streaming else answer.content
                self.assertNotIn(MAIL.encode(), body)


class FailureTests(NamedLogMixin, LogTestCase):
    def assert_as_it_was(self, error: type[Exception], finding: str) -> None:
        before = self.kept()
        with self.assertRaisesRegex(error, finding):
            self.erased()
        self.assertEqual(self.kept(), before)
        self.assertFalse(AuditErasure.objects.exists())
        self.assertEqual(triggers.problems(), [])

    @override_settings(AUDIT_SIGNING_KEY="")
    def test_without_the_key(self) -> None:
        self.assert_as_it_was(SigningKeyError, "AUDIT_SIGNING_KEY is not set")

    def test_where_the_last_seal_is_none_of_ours(self) -> None:
        with as_owner():
            sql(f"UPDATE {SEAL} SET signature = 'AAAA'")
        self.assert_as_it_was(TamperedError, "Seal 1 was rewritten")

    @skipUnlessDBFeature("has_select_for_update")  # SQLite cannot be told to fail there
    def test_a_database_that_fails_as_it_is_sealed(self) -> None:
        refuse_rows_in(SEAL, "the disk is full")
        self.assert_as_it_was(DatabaseError, "the disk is full")


class PruningTests(NamedLogMixin, LogTestCase):
    """An erasure stays for as long as an entry does that it names."""

    def setUp(self) -> None:
        self.now = LONG_AGO
        self.enterContext(mock.patch.object(timezone, "now", lambda: self.now))
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def sealed(self) -> AuditSeal:
        made = seal()
        settle()
        self.now += DAY
        return made[-1]

    def erased_now(self) -> AuditSeal:
        self.now += DAY
        self.erased()
        self.now += DAY
        return AuditSeal.objects.last()

    def prune(self, last: AuditSeal) -> None:
        settle()
        sha256, *_ = pruning.write_archive(self.folder / "a.jsonl", last)
        pruning.prune(last, "a.jsonl", sha256)
        settle()

    def assert_kept_from(self, kept: AuditSeal) -> None:
        """All before this seal may go, however old the others are."""
        last = pruning.last_seal_before(self.now + 100 * DAY)
        self.assertEqual(last.number, kept.number - 1)

    def test_one_in_a_later_seal_holds_nothing_back(self) -> None:
        self.now += 10 * DAY
        self.named(ADA, ADAS)
        self.sealed()
        self.erased_now()
        last = pruning.last_seal_before(LONG_AGO + 5 * DAY)
        self.assertEqual(last.number, 1)
        self.prune(last)
        self.assertEqual(RecordNames.objects.count(), 1)
        self.assert_proven()

    def test_it_goes_with_the_last_of_its_entries(self) -> None:
        last = self.erased_now()
        self.entry()
        self.sealed()
        self.assertEqual(pruning.last_seal_before(last.sealed_at + DAY), last)
        self.prune(last)
        self.assertFalse(AuditErasure.objects.exists())
        archived = (self.folder / "a.jsonl").read_text()
        self.assertIn('"kind":"erasure"', archived)
        self.assertIn("Grace Hopper", archived)
        self.assertNotIn(ADA, archived)
        self.assert_proven()

    def test_one_of_an_open_entry_stays_and_what_was_sealed_with_it(self) -> None:
        still_open = self.named(ADA, ADAS, outcome="sending", cause="", finished_at=None)
        with_it = self.erased_now()
        self.entry()
        self.sealed()
        self.assert_kept_from(with_it)
        self.prune(pruning.last_seal_before(self.now))
        self.assertEqual(AuditErasure.objects.count(), 1)
        self.assert_proven()
        self.close(still_open)
        after = self.sealed()
        self.assert_proven()
        self.assertEqual(pruning.last_seal_before(self.now + DAY), after)

    def test_one_that_was_made_up_holds_nothing_back(self) -> None:
        self.erasure(entries={"from": "1-99999"})
        sealed = self.sealed()
        self.assertEqual(pruning.last_seal_before(self.now), sealed)


@tag("long")
class CommandTests(NamedLogMixin, CommittedLogTestCase):
    def everywhere(self) -> bytes:
        """Whatever the database still tells, and on SQLite every byte of its files."""
        if on_postgresql():
            told = sql(
                "SELECT tablename, most_common_vals::text, histogram_bounds::text FROM pg_stats"
            )
            for (table,) in sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
                told += sql(f'SELECT t::text FROM "{table}" t')
            return str(told).encode()
        path = connection.settings_dict["NAME"]
        files = [Path(f"{path}{suffix}") for suffix in ("", "-wal")]
        return b"".join(of_files(each for each in files if each.exists()))

    def test_an_address_and_all_that_it_found(self) -> None:
        if on_postgresql():
            sql("ANALYZE")
        self.assertIn(MAIL.encode(), self.everywhere())
        code, said = run("erase_person", MAIL)
        self.assertEqual(code, 0, said)
        self.assertIn(
            "Erased 2 names in 2 entries, and what 0 rows of files say; of contacts 501", said
        )
        self.assertIn("the bytes are overwritten", said)
        self.assertIn("Out of reach of this command: exports, archives and backups", said)
        for gone in (ADA, MAIL):
            self.assertNotIn(gone.encode(), self.everywhere())
        self.assertIn(b"grace@example.com", self.everywhere())
        self.assert_proven()

    def test_who_erased_is_as_the_system_says_and_not_the_environment(self) -> None:
        forged = dict.fromkeys(("LOGNAME", "USER", "USERNAME"), "somebody-else")
        with mock.patch.dict(os.environ, forged):
            code, said = run("erase_person", MAIL)
        self.assertEqual(code, 0, said)
        self.assertEqual(AuditErasure.objects.get().by, account())

    def test_a_dry_run_does_nothing(self) -> None:
        before = self.kept()
        code, said = run("erase_person", "contact", "501", "--dry-run")
        self.assertEqual(code, 0)
        self.assertIn("Would erase 2 names in 2 entries", said)
        self.assertIn("Nothing was done", said)
        self.assertEqual(self.kept(), before)

    def test_who_is_not_known(self) -> None:
        code, said = run("erase_person", "nobody@example.com")
        self.assertEqual(code, 1)
        self.assertIn("The log keeps nothing that was found by this. Nothing was done.", said)
        self.assertIn("run it by the record", said)
        code, said = run("erase_person", "501")
        self.assertEqual(code, 1)
        self.assertIn("Of which type is record 501? Write it, such as: contact 501", said)

    def test_a_refusal_says_that_nothing_was_erased(self) -> None:
        before = self.kept()
        with self.settings(AUDIT_SIGNING_KEY=""):
            code, said = run("erase_person", MAIL)
        self.assertEqual(code, 1)
        self.assertRegex(said, "AUDIT_SIGNING_KEY is not set.* Nothing was erased.")
        self.assertEqual(self.kept(), before)

    def test_two_at_once_and_the_second_finds_nothing_more(self) -> None:
        self.assertEqual(run("erase_person", "contact", "501")[0], 0)
        code, said = run("erase_person", "contact", "501")
        self.assertEqual(code, 0, said)
        self.assertIn("Erased 0 names in 0 entries", said)
        self.assertNotIn("sealed", said)
        self.assertIn("The bytes are overwritten", said)
        self.assertEqual(AuditErasure.objects.count(), 1)

    def test_killed_at_any_moment_it_is_done_in_whole_or_not_at_all(self) -> None:
        """Once more by the record, and the bytes go as well."""
        for delay in (0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4):
            with self.subTest(delay):
                process = Process("erase_person", MAIL)
                time.sleep(delay)
                process.kill()
                process.communicate()
                left = sum(row["from_name"] == ADA for row in self.kept())
                self.assertIn((left, AuditErasure.objects.count()), [(2, 0), (0, 1)])
                self.assertEqual(triggers.problems(), [])
                self.assert_proven()
            if not left:
                break
        self.assertEqual(run("erase_person", "contacts", "501")[0], 0)
        for gone in (ADA, MAIL):
            self.assertNotIn(gone.encode(), self.everywhere())
        self.assert_proven()

    def test_several_at_once_while_somebody_seals(self) -> None:
        """Each waits for the other, or says that it could not; whatever it says is so."""
        who = [("contact", "501"), ("grace@example.com",), ("contact", "501")]
        running = [Process("erase_person", *each) for each in who]
        running.append(Process("seal_audit_log"))
        done = [each.finish(120) for each in running]
        for each in done:
            self.assertNotIn("Traceback", each.stderr)
            if each.returncode:
                self.assertRegex(each.stderr, "Nothing was erased|It is erased, but the database")
        for _, object_id in (ADAS, GRACES):
            self.assertEqual(run("erase_person", "contacts", object_id)[0], 0)
        self.assertEqual([row["from_name"] for row in self.kept()], ["", "", ""])
        self.assertEqual(AuditErasure.objects.count(), 2)
        self.assert_proven()

    @unittest.skipUnless(on_postgresql(), "SQLite has one lock, and whoever reads has none")
    def test_a_page_that_reads_two_tables_is_not_broken_off(self) -> None:
        """It has one of them, and asks for the other while erasing has that and wants the first."""
        with psycopg.connect(database_url()) as page:
            page.execute(f"SELECT count(*) FROM {ENTRY}")
            erasing_now = Process("erase_person", MAIL)
            until = time.monotonic() + 30
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            while not sql(waiting, ENTRY):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.02)
            found = page.execute(f"SELECT count(*) FROM {NAMES}").fetchone()
        self.assertEqual(found, (3,))
        done = erasing_now.finish(60)
        self.assertEqual(done.returncode, 0, done.stderr)

    @unittest.skipIf(on_postgresql(), "there whoever reads waits, or is waited for")
    def test_somebody_who_reads_meanwhile_is_told_of(self) -> None:
        reader = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM associations_recordnames").fetchall()
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 100")
        code, said = run("erase_person", MAIL)
        self.assertEqual(code, 1)
        self.assertIn("It is erased, but the database may still have the bytes", said)
        self.assertIn("run this: erase_person contacts 501", said)
        reader.execute("COMMIT")
        code, said = run("erase_person", "contacts", "501")
        self.assertEqual(code, 0, said)
        self.assertNotIn(MAIL.encode(), self.everywhere())


class KeyTests(StagedTests):
    """What rows were named by is sought once, and kept with the run."""

    def key(self, text: str, **fields: object) -> BulkKey:
        values = {"run": self.run, "object_type": "contacts", "kind": "email", "text": text}
        return BulkKey.objects.create(**(values | fields))

    def test_what_names_the_record_and_what_it_might_have_been(self) -> None:
        by_mail = self.key(MAIL, object_id="501", name=ADA)
        by_name = self.key("Ada", kind="name", candidates=[["501", ADA, ""], ["502", "B", ""]])
        other = self.key("grace@example.com", object_id="502")
        self.assertEqual(self.erased().keys, {by_mail.pk, by_name.pk})
        self.assertEqual([*BulkKey.objects.all()], [other])

    def test_an_address_that_only_a_key_says(self) -> None:
        key = self.key("lin@example.com", problem="no_such_email")
        self.assertEqual(self.erased(("contacts", "0"), text="lin@example.com").keys, {key.pk})
