"""What records were called is proven by the digests of their entries, wherever it is told."""

import json
import unittest
from pathlib import Path
from unittest import mock

from associations.audit.integrity import archive, names
from associations.audit.integrity.chain_verification import TamperedError
from associations.models import AuditErasure, AuditSeal, RecordNames
from tests.associations.audit.integrity.base import (
    LogTestCase,
    as_owner,
    before_there_were,
    on_postgresql,
    run,
    seal,
    settle,
    skip_a_number,
    sql,
    unchecked,
    undone,
)
from tests.associations.audit.integrity.named import ADA, MAIL, NAMES, NamedLogMixin
from tests.associations.audit.integrity.test_independent import AuditorMixin
from tests.support import SignedInClient

ERASURE = AuditErasure._meta.db_table


class NamesTests(NamedLogMixin, LogTestCase):
    def assert_found(self, finding: str) -> None:
        self.assert_not_proven(finding.format(self.adas[0].pk))

    def test_names_as_they_were_seen_are_proven(self) -> None:
        self.assert_proven()

    def test_any_part_that_was_altered(self) -> None:
        for side in ("from", "to"):
            for part in ("name", "typed", "salt"):
                with self.subTest(side, part=part):
                    before = RecordNames.objects.values().get(pk=self.adas[0].pk)
                    self.alter(self.adas[0], **{f"{side}_{part}": "another"})
                    which = f"The name under {side.title()} of entry {{}}"
                    self.assert_found(f"{which} was altered")
                    self.alter(self.adas[0], **{f"{side}_{part}": before[f"{side}_{part}"]})
                    self.assert_proven()

    def test_names_that_were_given_to_each_other(self) -> None:
        one, other = (
            {name: value for name, value in row.items() if name != "entry_id"}
            for row in self.kept()[1:]
        )
        self.alter(self.adas[1], **other)
        self.alter(self.graces, **one)
        for entry in (self.adas[1], self.graces):
            self.assert_not_proven(f"The name under From of entry {entry.pk} was altered")

    def test_a_row_that_was_removed(self) -> None:
        self.remove(self.adas[0])
        for side in ("From", "To"):
            self.assert_found(f"The name under {side} of entry {{}} was removed: no signed erasure")

    def test_a_side_that_was_emptied(self) -> None:
        self.alter(self.adas[0], from_name="", from_typed="", from_salt="")
        self.assert_found("The name under From of entry {} was removed: no signed erasure")

    def test_a_row_that_was_planted(self) -> None:
        RecordNames.objects.create(entry=self.nameless, from_name="Eve", from_salt="0" * 32)
        settle()
        finding = f"The name under From of entry {self.nameless.pk} was inserted"
        self.assert_not_proven(finding)

    def test_a_row_that_nobody_can_read(self) -> None:
        with as_owner(), unchecked():
            length = f"ALTER TABLE {NAMES} ALTER COLUMN from_name TYPE text"
            value = "repeat('x', 300)" if on_postgresql() else "CAST(x'ff' AS TEXT)"
            if on_postgresql():
                sql("DROP INDEX associations_names_text")
                sql(length)
            sql(f"UPDATE {NAMES} SET from_name = {value} WHERE entry_id = {self.adas[0].pk}")
        finding = "altered" if on_postgresql() else "altered: they cannot be read"
        self.assert_found(f"of entry {{}} (was|were) {finding}")

    def test_the_page_says_so(self) -> None:
        self.alter(self.adas[0], to_name="Another Ltd")
        page = SignedInClient(self.user).get("/audit/integrity/")
        self.assertContains(page, f"The name under To of entry {self.adas[0].pk} was altered")

    def test_what_is_in_no_seal_yet_is_looked_at_once_it_is(self) -> None:
        entry = self.named("Lin", ("contacts", "9"))
        settle()
        self.alter(entry, from_name="Eve")
        seal()
        self.assert_not_proven(f"The name under From of entry {entry.pk} was altered")


class ErasureRowTests(NamedLogMixin, LogTestCase):
    """Only a row that somebody with the key has made accounts for anything."""

    def test_one_that_nobody_signed_accounts_for_nothing(self) -> None:
        self.alter(self.adas[0], from_name="", from_typed="", from_salt="")
        row = self.erasure()
        seal()
        self.assert_not_proven(f"The name under From of entry {self.adas[0].pk} was removed")
        self.assert_not_proven(f"Erasure {row.pk} was made up: nobody with a key")

    def test_nor_does_one_that_has_the_signature_of_another(self) -> None:
        self.erased()
        true = AuditErasure.objects.get()
        row = self.erasure(signature=true.signature)
        self.assert_not_proven(f"Erasure {row.pk} was made up: nobody with a key")

    def test_one_that_was_altered(self) -> None:
        self.erased()
        true = AuditErasure.objects.get()
        for column, value in (("entries", '{"from": "1-9"}'), ("records", "[]"), ("by", "another")):
            with self.subTest(column):
                before = AuditErasure.objects.values_list(column, flat=True).get()
                with as_owner():
                    sql(f"UPDATE {ERASURE} SET {column} = '{value}'")
                self.assert_not_proven(f"Erasure {true.pk} was altered")
                with as_owner():
                    AuditErasure.objects.update(**{column: before})
        self.assert_proven()

    def test_one_that_is_there_twice(self) -> None:
        self.erased()
        true = AuditErasure.objects.get()
        told = {name: getattr(true, name) for name in ("erased_at", "by", "records", "entries")}
        row = self.erasure(**told, signature=true.signature)
        self.assert_not_proven(f"Erasure {row.pk} repeats erasure {true.pk}: one of the two")
        self.assertEqual(len(names.erasures_told()), 1)

    def test_one_that_is_there_twice_under_a_number_that_was_free(self) -> None:
        """Nobody can tell from the rows which came first, and none is called what it may not be."""
        skip_a_number(ERASURE)
        self.erased()
        true = AuditErasure.objects.get()
        told = {name: getattr(true, name) for name in ("erased_at", "by", "records", "entries")}
        with unchecked():
            copy = self.erasure(**told, signature=true.signature, pk=true.pk - 1)
        found = [*names.made_up_erasures()]
        said = f"Erasure {true.pk} repeats erasure {copy.pk}: one of the two was made up."
        self.assertEqual(found, [said])

    def test_one_that_was_removed(self) -> None:
        self.erased()
        true = AuditErasure.objects.get()
        with as_owner():
            sql(f"DELETE FROM {ERASURE}")
        self.assert_not_proven(f"Erasure {true.pk} was removed")

    def test_a_name_that_was_put_back(self) -> None:
        before = RecordNames.objects.values().get(pk=self.adas[0].pk)
        self.erased()
        self.alter(self.adas[0], from_name=ADA, from_typed=MAIL, from_salt=before["from_salt"])
        self.assert_not_proven(f"The name under From of entry {self.adas[0].pk} was put back")

    def test_shapes_that_are_none_of_ours_break_nothing(self) -> None:
        shapes = [("[]", '{"from": 5}'), ("[{}]", '{"x": []}'), ("[[1]]", '{"to": "1-x"}')]
        shapes += [("5", "[1]"), ('"x"', '"from"'), ("{}", "null")]
        for records, entries in shapes:
            with self.subTest(records, entries=entries), unchecked():
                now = "now()" if on_postgresql() else "'2026-11-24 09:30:00'"
                sql(
                    f"INSERT INTO {ERASURE} (erased_at, by, records, entries, signature) "
                    f"VALUES ({now}, 'x', '{records}', '{entries}', 'AAAA')"
                )
                pk = AuditErasure.objects.values_list("pk", flat=True).last()
                self.assert_not_proven(f"Erasure {pk} was made up")
                self.assertEqual(names.erased_on(self.adas[0]), {})
                with as_owner():
                    sql(f"DELETE FROM {ERASURE}")

    def test_a_record_s_id_is_taken_for_no_number_of_an_entry(self) -> None:
        """Whoever may write entries chooses what the ids of records are, and so what is signed."""
        row = self.erasure(
            is_signed=True, records=["x/1; from 1-9999"], entries={"to": f"{self.adas[0].pk}"}
        )
        again = AuditErasure(records=["x/1"], entries={"from": "1-9999"} | row.entries)
        again.erased_at, again.by = row.erased_at, row.by
        self.assertNotEqual(again.statement, row.statement)

    def test_without_a_key_nobody_can_tell(self) -> None:
        self.erased()
        with self.settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[]):
            self.assertEqual(names.erased_on(self.adas[0]), {})


class MeanwhileTests(NamedLogMixin, LogTestCase):
    def test_what_is_erased_while_somebody_verifies_is_accounted_for(self) -> None:
        before = names.erased_sides()
        self.erased()
        with mock.patch(
            "associations.audit.integrity.chain_verification.erased_sides",
            side_effect=[before, names.erased_sides()],
        ):
            self.assert_proven()


class OlderSealTests(NamedLogMixin, LogTestCase):
    """A log that the release before has sealed, which knew no names."""

    def setUp(self) -> None:
        first = mock.patch("associations.audit.integrity.manifest.FIRST_LINE", "hubadmin-seal 1")
        with first, before_there_were("erasure"):
            super().setUp()

    def test_its_seals_hold_and_the_next_ones_say_what_they_are(self) -> None:
        self.entry()
        seal()
        versions = [text.splitlines()[0] for (text,) in AuditSeal.objects.values_list("manifest")]
        self.assertEqual(versions, ["hubadmin-seal 1", "hubadmin-seal 2"])
        self.assert_proven()
        self.erased()
        self.assert_proven()


class FileTests(AuditorMixin, NamedLogMixin, LogTestCase):
    """In files names stand beside what they open, and can be changed no more than in the log."""

    def test_an_export_proves_them(self) -> None:
        export = self.exported()
        told = [json.loads(line) for line in export.read_text().splitlines()]
        named = {each["entry"]: each for each in told if each["kind"] == "names"}
        self.assertEqual(named.keys(), {each.pk for each in (*self.adas, self.graces)})
        self.assertEqual(named[self.adas[0].pk]["from_typed"], MAIL)
        self.assert_proves(export, self.seals_file())

    def test_an_export_of_which_a_name_was_altered_is_refused(self) -> None:
        for old, new in ((ADA, "Eve"), (MAIL, "eve@example.com"), ('"to_salt":"', '"to_salt":"0')):
            with self.subTest(old):
                export = self.change(self.exported(), old, new)
                self.assert_refuses("the names of entry [0-9]+ were altered", export)

    def assert_refuses(self, reason: str, *arguments: object, key: str = "") -> None:
        super().assert_refuses(reason, *arguments, self.seals_file(), key=key)

    def test_names_of_another_entry_are_refused(self) -> None:
        one, other = (f'"entry":{each.pk},' for each in (self.adas[0], self.nameless))
        export = self.change(self.exported(), one, other)
        self.assert_refuses(f"the names of entry {self.nameless.pk} were altered", export)

    @unittest.skipIf(on_postgresql(), "its columns hold text")
    def test_names_that_nobody_can_read_keep_nobody_from_all_others(self) -> None:
        for value in ("CAST(x'ff' AS TEXT)", "x'ff00'"):
            with self.subTest(value), undone():
                with as_owner(), unchecked():
                    where = f"WHERE entry_id = {self.adas[0].pk}"
                    sql(f"UPDATE {NAMES} SET from_name = {value} {where}")
                lines = self.exported().read_text().splitlines()
                told = [json.loads(line) for line in lines]
                (odd,) = [each for each in told if each["kind"] == "unreadable"]
                self.assertEqual((odd["id"], odd["of"]), (self.adas[0].pk, "names"))
                self.assert_proves(self.files / "export.jsonl", self.seals_file())
                archive.verify_archive(self.archived())
                (self.files / "archive.jsonl").unlink()
                for page in ("/audit/", "/audit/?name=ada", "/audit/export.csv"):
                    self.assertEqual(self.client.get(page).status_code, 200)
                self.client.get(f"/requests/{self.adas[0].pk}/")
                self.assertEqual(self.erased().names, 2)
                self.assert_proven()

    def test_what_is_erased_is_in_no_file_from_then_on(self) -> None:
        self.erased()
        export = self.exported()
        text = export.read_text()
        for gone in (ADA, MAIL):
            self.assertNotIn(gone, text)
        self.assertIn("Grace Hopper", text)
        self.assertIn('"kind":"erasure"', text)
        self.assert_proves(export, self.seals_file())
        table = self.saved("/audit/export.csv", "export.csv").read_text()
        self.assertNotIn(ADA, table)
        self.assertIn("Grace Hopper", table)

    def archived(self) -> Path:
        file = self.files / "archive.jsonl"
        archive.write_archive(file, AuditSeal.objects.all())
        return file

    def test_an_archive_proves_them(self) -> None:
        file = self.archived()
        self.assertIn(ADA, file.read_text())
        archive.verify_archive(file)
        self.assert_proves(file)

    def test_a_file_that_has_not_all_names_tells_so(self) -> None:
        untold = f"entry {self.graces.pk}: its name under {{}} is not there"
        export = self.exported()
        self.assertNotIn("is not there", " ".join(self.assert_proves(export, self.seals_file())))
        start = f'{{"entry":{self.graces.pk},'
        said = self.assert_proves(self.without(export, start), self.files / "seals.jsonl")
        told = [line for line in said if "is not there" in line]
        self.assertEqual(len(told), 2)
        for line, side in zip(told, ("from", "to"), strict=True):
            self.assertIn(untold.format(side), line)
        self.erased()
        file = self.archived()
        said = run("verify_audit_log", "--archive", str(file))[1]
        self.assertIn("unaltered.\nNames that were sealed and are not in it: 2. They were", said)
        self.assertEqual(len([x for x in self.assert_proves(file) if "is not there" in x]), 2)

    def test_an_archive_that_has_all_names_tells_of_none(self) -> None:
        self.assertEqual(archive.names_left_out(self.archived()), 0)

    def test_names_that_stand_twice_are_refused(self) -> None:
        file = self.archived()
        lines = file.read_text().splitlines(keepends=True)
        place = next(i for i, line in enumerate(lines) if '"kind":"names"' in line)
        file.write_text("".join([*lines[:place], lines[place], *lines[place:]]))
        with self.assertRaisesRegex(TamperedError, "names of entry [0-9]+ were altered"):
            archive.verify_archive(file)

    def test_an_archive_of_which_a_name_was_altered_is_refused(self) -> None:
        file = self.change(self.archived(), ADA, "Eve")
        with self.assertRaisesRegex(TamperedError, f"names of entry {self.adas[0].pk} were"):
            archive.verify_archive(file)
