"""An auditor with exports, seals and the public key, and none of this program."""

import ast
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from associations.audit.integrity import signing
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import (
    BATCH,
    ENTRY,
    EVENT,
    as_owner,
    items_of,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.pruned import PruningTestCase
from tests.associations.audit.integrity.tampering import SealTestCase
from tests.support import SandboxMixin, SignedInClient

SCRIPT = settings.BASE_DIR / "associations/audit/integrity/verify_export.py"


class AuditorMixin(SandboxMixin):
    def setUp(self) -> None:
        super().setUp()
        self.files = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.client = SignedInClient(self.user)
        self.key = signing.own_key().text

    def saved(self, path: str, name: str) -> Path:
        """A file as a browser saves it."""
        answer = self.client.get(path)
        self.assertEqual(answer.status_code, 200)
        file = self.files / name
        file.write_bytes(b"".join(answer.streaming_content))
        return file

    def exported(self, query: str = "") -> Path:
        return self.saved(f"/audit/export.jsonl{query}", "export.jsonl")

    def seals_file(self) -> Path:
        return self.saved("/audit/integrity/seals.jsonl", "seals.jsonl")

    def verify(self, *arguments: object, key: str = "") -> tuple[int, str]:
        """What the script says on a machine that has nothing of this program."""
        command = [sys.executable, "-I", str(SCRIPT), key or self.key, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.files, env={}, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def assert_proves(self, *arguments: object, key: str = "") -> list[str]:
        code, said = self.verify(*arguments, key=key)
        self.assertEqual(code, 0, said)
        return said.splitlines()

    def assert_refuses(self, reason: str, *arguments: object, key: str = "") -> None:
        code, said = self.verify(*arguments, key=key)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, reason)

    def change(self, file: Path, old: str, new: str) -> Path:
        text = file.read_text()
        self.assertIn(old, text)
        file.write_text(text.replace(old, new, 1))
        return file

    def without(self, file: Path, start: str) -> Path:
        """The file without the first line that begins so, and an end that fits."""
        lines = file.read_text().splitlines()
        lines.remove(next(line for line in lines if line.startswith(start)))
        end = json.loads(lines[-1])
        if end["kind"] == "end":
            lines[-1] = json.dumps(end | {"lines": end["lines"] - 1})
        file.write_text("".join(f"{line}\n" for line in lines))
        return file


class ScriptTests(AuditorMixin, SealTestCase):
    def test_it_is_short_and_knows_nothing_of_this_program(self) -> None:
        text = SCRIPT.read_text()
        self.assertLessEqual(len(text.splitlines()), 130)
        nodes = list(ast.walk(ast.parse(text)))
        plain = [node for node in nodes if isinstance(node, ast.Import)]
        names = [alias.name for node in plain for alias in node.names]
        names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
        packages = {name.split(".")[0] for name in names}
        self.assertLessEqual(packages, {*sys.stdlib_module_names, "cryptography"})

    def test_exports_and_seals_are_proven(self) -> None:
        said = self.assert_proves(self.exported(), self.seals_file())
        last = AuditSeal.objects.last()
        self.assertEqual(said[-1], f"Proven by seals 1 to 5, head {last.head}")
        proven = {line for line in said if line.endswith(": proven")}
        expected = {*items_of(*AuditSeal.objects.all())} - {("export", self.taken.pk)}
        expected -= {("batch", batch.pk) for batch in self.batches[1:]}  # no entry names them
        self.assertEqual(proven, {f"{kind} {pk}: proven" for kind, pk in expected})

    def test_lines_that_are_in_no_seal_are_told(self) -> None:
        entry = self.entry()
        settle()
        said = self.assert_proves(self.exported(), self.seals_file())
        loose = {line for line in said if line.endswith(": in no seal")}
        numbers = (self.still_open.pk, entry.pk)
        self.assertEqual(loose, {f"entry {pk}: in no seal" for pk in numbers})

    def test_a_part_of_the_log_is_proven_as_well(self) -> None:
        said = self.assert_proves(self.seals_file(), self.exported("?reason=SUP-1"))
        items = f"check {self.checks[0].pk}: proven", f"entry {self.first[0].pk}: proven"
        self.assertEqual((*said[:-1],), items)
        self.assert_proves(self.exported("?reason=nothing"), self.seals_file())

    def test_all_that_the_seals_hold_is_demanded_if_one_asks_for_it(self) -> None:
        self.assert_refuses("missing .*export", self.exported(), self.seals_file(), "--complete")
        with as_owner():
            sql("DELETE FROM associations_auditexport")
            sql(f"DELETE FROM {EVENT}")  # that the files were taken
            sql("DELETE FROM associations_auditseal")
            sql(f"DELETE FROM {BATCH} WHERE id > {self.batches[0].pk}")
        seal()
        self.assert_proves(self.exported(), self.seals_file(), "--complete")
        export = self.without(self.exported(), '{"api_version"')
        self.assert_proves(export, self.files / "seals.jsonl")
        self.assert_refuses("missing", export, self.files / "seals.jsonl", "--complete")

    def test_checks_are_proven_with_their_entries(self) -> None:
        self.assert_proves(self.exported("?reason=SUP-2"), self.seals_file())
        export = self.change(
            self.exported("?reason=SUP-2"), '"is_linked":false', '"is_linked":true'
        )
        finding = f"check {self.checks[1].pk} was altered or inserted"
        self.assert_refuses(finding, export, self.seals_file())

    def test_one_under_a_number_of_which_there_was_none_is_refused(self) -> None:
        old, new = (f'"id":{pk},"is_linked"' for pk in (self.checks[0].pk, self.check_gap))
        export = self.change(self.exported(), old, new)
        finding = f"check {self.check_gap} was altered or inserted"
        self.assert_refuses(finding, export, self.seals_file())

    def test_several_keys_may_have_signed(self) -> None:
        secret, public = signing.new_key()
        with self.settings(AUDIT_SIGNING_KEY=secret, AUDIT_PUBLIC_KEYS=[self.key]):
            self.entry()
            seal()
        export, seals = self.exported(), self.seals_file()
        self.assert_proves(export, seals, key=f"{self.key},{public}")
        self.assert_refuses("seal 6 .* signed with the key", export, seals)
        self.assert_refuses("seal 1 .* signed with the key", export, seals, key=public)


class AlteredTests(AuditorMixin, SealTestCase):
    def test_a_line_that_was_changed(self) -> None:
        for old, new in (('"reason":"SUP-1"', '"reason":"SUP-9"'), ('"late":true', '"late":false')):
            export = self.change(self.exported(), old, new)
            self.assert_refuses("was altered or inserted", export, self.seals_file())

    def test_a_space_between_two_tokens(self) -> None:
        export = self.change(self.exported(), '"reason":"SUP-1"', '"reason": "SUP-1"')
        self.assert_refuses("was altered or inserted", export, self.seals_file())

    def test_a_line_without_its_number(self) -> None:
        old = f'"id":{self.first[0].pk},"kind":"entry",'
        export = self.change(self.exported(), old, '"kind":"entry",')
        self.assert_refuses("KeyError: 'id'", export, self.seals_file())

    def test_a_line_under_a_number_of_which_there_was_no_row(self) -> None:
        for number in (self.gap, 0):
            old, new = (f'"id":{pk},"kind":"entry"' for pk in (self.first[0].pk, number))
            export = self.change(self.exported(), old, new)
            self.assert_refuses(
                f"entry {number} was altered or inserted", export, self.seals_file()
            )

    def test_the_log_itself_changed_before_it_was_exported(self) -> None:
        pk = self.second[1].pk
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {pk}")
        self.assert_refuses(f"entry {pk} was altered", self.exported(), self.seals_file())

    def test_an_export_that_was_cut_off(self) -> None:
        export, seals = self.exported(), self.seals_file()
        whole = export.read_bytes()
        for size in (len(whole) - 1, len(whole) - 20, whole.rindex(b"\n", 0, -1) + 1, 300):
            export.write_bytes(whole[:size])
            self.assert_refuses("is not whole|JSONDecodeError", export, seals)

    def test_a_line_that_was_taken_out_and_the_end_left(self) -> None:
        export = self.exported()
        lines = export.read_bytes().splitlines(keepends=True)
        export.write_bytes(b"".join(lines[1:]))
        self.assert_refuses("is not whole", export, self.seals_file())

    def test_seals_that_were_broken_off(self) -> None:
        export, seals = self.exported(), self.seals_file()
        *lines, _, end = seals.read_bytes().splitlines(keepends=True)
        seals.write_bytes(b"".join([*lines, end]))
        self.assert_refuses("seals.jsonl is not whole", export, seals)

    def test_seals_as_an_older_version_gave_them(self) -> None:
        """Without an end."""
        export, seals = self.exported(), self.seals_file()
        seals.write_bytes(b"".join(seals.read_bytes().splitlines(keepends=True)[:-1]))
        self.assert_proves(export, seals)

    def test_seals_that_were_changed(self) -> None:
        export = self.exported()
        head = AuditSeal.objects.get(number=3).head
        title = "hubadmin-seal 2", "hubadmin-seal 3"
        for old, new in (("entry", "export"), (head, "0" * 64), title):
            seals = self.change(self.seals_file(), old, new)
            self.assert_refuses("seal [0-9] (was altered|does not follow)", export, seals)

    def test_a_seal_that_was_signed_by_somebody_else(self) -> None:
        with self.settings(AUDIT_SIGNING_KEY=signing.new_key()[0]):
            self.rewrite(3, signing.sign)
        self.assert_refuses("InvalidSignature", self.exported(), self.seals_file())

    def test_a_seal_that_is_missing(self) -> None:
        seals = self.without(self.seals_file(), f'{{"head":"{self.seals[2].head}"')
        self.assert_refuses("seal 4 does not follow the one before it", self.exported(), seals)

    def test_a_line_that_is_there_twice_in_two_forms(self) -> None:
        export = self.exported()
        other = self.files / "other.jsonl"
        other.write_bytes(export.read_bytes())
        self.change(other, '"reason":"SUP-1"', '"reason":"SUP-9"')
        self.assert_refuses("was altered or inserted", export, other, self.seals_file())


class ArchiveTests(AuditorMixin, PruningTestCase):
    def test_archives_and_what_stays_are_proven_together(self) -> None:
        self.assert_pruned()
        export, seals = self.exported(), self.seals_file()
        said = self.assert_proves(self.file, export, seals)
        self.assertIn("Proven by seals 1 to 5", said[-1])
        self.assertNotIn("in no seal", "".join(said))
        self.assertIn("Proven by seals 3 to 5", self.assert_proves(export, seals)[-1])
        self.assertIn("Proven by seals 1 to 3", self.assert_proves(self.file, "--complete")[-1])

    def test_an_archive_that_was_changed_is_not(self) -> None:
        self.assert_pruned()
        self.assert_refuses("was altered", self.change(self.file, "SUP-1", "SUP-9"))
