"""Where pruning cannot be done to the end, everything is as it was."""

from collections.abc import Callable

from django.db import IntegrityError
from django.test import override_settings, skipUnlessDBFeature
from django.utils import timezone

from associations.audit.integrity import archive, pruning, triggers
from associations.models import AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import (
    ENTRY,
    PRUNING,
    SEAL,
    as_owner,
    items_of,
    refuse_rows_in,
    sql,
)
from tests.associations.audit.integrity.pruned import CommittedPruningTestCase, PruningTestCase


class FailureTests(PruningTestCase):
    def assert_as_it_was(self, *arguments: str) -> str:
        """It says that it could not, and nothing has changed."""
        before = self.everything()
        code, said = self.prune(*arguments)
        self.assertEqual(code, 1, said)
        self.assertEqual(self.everything(), before)
        self.assertEqual(triggers.problems(), [])
        return said

    def test_a_file_that_there_is_is_never_overwritten(self) -> None:
        self.file.write_text("an earlier archive")
        said = self.assert_as_it_was()
        self.assertIn(f"{self.file} exists already; name another file with --archive.", said)
        self.assertEqual(self.file.read_text(), "an earlier archive")

    def test_a_file_that_cannot_be_written(self) -> None:
        self.file.parent.joinpath("none").touch()
        code, said = self.prune(name="none/archive.jsonl")
        self.assertEqual(code, 1)
        self.assertIn("none/archive.jsonl cannot be written: Not a directory.", said)
        self.assertTrue(AuditSeal.objects.filter(number=1).exists())

    @override_settings(AUDIT_SIGNING_KEY="")
    def test_without_the_key(self) -> None:
        self.assertIn("AUDIT_SIGNING_KEY is not set", self.assert_as_it_was())
        self.assertFalse(self.file.exists())

    def test_a_log_that_is_not_as_it_was_sealed(self) -> None:
        entry = items_of(self.seals[1])[0][1]
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {entry}")
        self.assertIn(f"Entry {entry} was altered", self.assert_as_it_was())

    def test_a_log_from_which_something_is_missing(self) -> None:
        export = next(pk for kind, pk in items_of(self.seals[1]) if kind == "export")
        with as_owner():
            sql(f"DELETE FROM associations_auditexport WHERE id = {export}")
        self.assertIn(f"Export {export} was removed", self.assert_as_it_was())

    def test_a_database_that_fails_once_all_is_deleted(self) -> None:
        refuse_rows_in(PRUNING, "the disk is full")
        said = self.assert_as_it_was()
        self.assertIn("The database refused: the disk is full", said)
        self.assert_not_proven(f"trigger refused on {PRUNING}")
        self.assertEqual(archive.verify_archive(self.file), (3, 9))

    @skipUnlessDBFeature("has_select_for_update")  # SQLite cannot be told to fail there
    def test_a_database_that_fails_as_the_pruning_is_sealed(self) -> None:
        refuse_rows_in(SEAL, "the disk is full")
        self.assertIn("The database refused: the disk is full", self.assert_as_it_was())


class MeanwhileTests(CommittedPruningTestCase):
    """What comes to an entry while the archive is written is in no archive: nothing goes then."""

    def assert_nothing_goes(self, add: Callable[[AssociationRequest], object]) -> None:
        last = pruning.last_seal_before(timezone.now())
        sha256, *_ = pruning.write_archive(self.file, last)
        add(AssociationRequest.objects.get(reason="SUP-1"))
        before = self.everything()
        with self.assertRaises(IntegrityError):
            pruning.prune(last, self.file.name, sha256)
        self.assertEqual(self.everything(), before)
        self.assertEqual(triggers.problems(), [])
        self.assert_proven()

    def test_a_check(self) -> None:
        self.assert_nothing_goes(self.check)

    def test_a_late_attempt(self) -> None:
        self.assert_nothing_goes(lambda entry: self.late_attempt(entry, number=8))
