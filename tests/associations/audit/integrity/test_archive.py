"""The file of what was pruned: whole, provable by itself, and not once it was touched."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.test import override_settings, tag
from hypothesis import given
from hypothesis import strategies as st

from associations.audit.integrity import archive, signing
from associations.audit.integrity.chain_verification import TamperedError
from associations.models import AuditSeal
from tests.associations.audit.integrity.base import LogTestCase, items_of, run
from tests.generated import examples


def ended(lines: list[bytes]) -> bytes:
    """These lines with an end that fits them, as somebody would write it who can count."""
    body = b"".join(lines)
    end = {"kind": "end", "lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(end, separators=(",", ":")).encode() + b"\n"


class ArchiveTestCase(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "archive.jsonl"
        self.seals = self.sealed_log(3)
        self.sha256 = archive.write_archive(self.file, AuditSeal.objects.all())
        self.content = self.file.read_bytes()
        self.lines = self.content.splitlines(keepends=True)[:-1]

    def verify(self, content: bytes) -> tuple[int, int]:
        self.file.write_bytes(content)
        return archive.verify_archive(self.file)

    def numbers_of(self, kind: str) -> list[int]:
        """On which lines things of this kind stand."""
        return [n for n, line in enumerate(self.lines) if json.loads(line)["kind"] == kind]

    def assert_altered(self, content: bytes, finding: str) -> None:
        with self.assertRaisesRegex(TamperedError, finding):
            self.verify(content)
        code, said = run("verify_audit_log", "--archive", str(self.file))
        self.assertEqual(code, 1)
        self.assertRegex(said, f"^NOT PROVEN. .*{finding}")


class ArchiveTests(ArchiveTestCase):
    def test_it_holds_each_seal_followed_by_what_is_in_it(self) -> None:
        records = [json.loads(line) for line in self.lines]
        found = [(r["kind"], r.get("id", r.get("number"))) for r in records]
        expected = [x for each in self.seals for x in (("seal", each.number), *items_of(each))]
        self.assertEqual(found, expected)

    def test_it_is_proven_by_itself(self) -> None:
        self.assertEqual(self.verify(self.content), (3, 9))
        code, said = run("verify_audit_log", "--archive", str(self.file))
        self.assertEqual(code, 0)
        self.assertEqual(said, f"Proven: {self.file} holds 3 seals and 9 items, unaltered.\n")

    def test_its_digest_is_that_of_the_whole_file(self) -> None:
        self.assertEqual(self.sha256, hashlib.sha256(self.content).hexdigest())

    def test_the_last_line_tells_how_many_there_are_and_their_digest(self) -> None:
        self.assertEqual(ended(self.lines), self.content)

    def test_the_public_key_is_enough(self) -> None:
        public = signing.own_key().text
        with override_settings(AUDIT_SIGNING_KEY="", AUDIT_PUBLIC_KEYS=[public]):
            self.assertEqual(self.verify(self.content), (3, 9))

    @override_settings(AUDIT_SIGNING_KEY=signing.new_key()[0])
    def test_another_key_proves_nothing(self) -> None:
        self.assert_altered(self.content, "Seal 1 was signed with the key .* not trusted")

    def test_it_may_begin_and_end_in_the_middle_of_the_chain(self) -> None:
        second = self.folder / "second.jsonl"
        archive.write_archive(second, AuditSeal.objects.filter(number=2))
        self.assertEqual(archive.verify_archive(second), (1, 5))

    def test_a_file_that_there_is_stays_as_it_is(self) -> None:
        self.file.write_text("something else")
        with self.assertRaises(FileExistsError):
            archive.write_archive(self.file, AuditSeal.objects.all())
        self.assertEqual(self.file.read_text(), "something else")

    def test_a_file_that_there_is_not_is_told(self) -> None:
        code, said = run("verify_audit_log", "--archive", str(self.folder / "none"))
        self.assertEqual(
            (code, said), (1, f"{self.folder / 'none'} cannot be read: No such file or directory.")
        )


class AlteredTests(ArchiveTestCase):
    def changed(self, number: int, change: Callable[[dict], object]) -> bytes:
        """With one line changed, and an end that fits."""
        record = json.loads(self.lines[number])
        change(record)
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return ended([*self.lines[:number], f"{text}\n".encode(), *self.lines[number + 1 :]])

    def test_an_item_that_was_changed(self) -> None:
        for kind in ("entry", "attempt", "check", "export"):
            number = self.numbers_of(kind)[0]
            content = self.changed(number, lambda record: record.update(new="x"))
            self.assert_altered(content, f"The {kind} [0-9]+ was altered in the archive")

    def test_an_item_under_another_number(self) -> None:
        content = self.changed(self.numbers_of("entry")[0], lambda record: record.update(id=10**9))
        self.assert_altered(content, "The entry 1000000000 is in none of the archive's seals")

    def test_a_seal_that_was_changed(self) -> None:
        number = self.numbers_of("seal")[1]
        for field, finding in {
            "manifest": "its text does not give its head",
            "head": "its text does not give its head",
            "signature": "its signature is not valid",
            "number": "its text is another seal's",
            "sealed_at": "its text is another seal's",
        }.items():
            for value in ("x", "2001-01-01T00:00:00Z"):
                content = self.changed(number, lambda r, f=field, v=value: r.update({f: v}))
                self.assert_altered(content, finding)
            for value in (None, 7, [1], {}, "2001-13-01T00:00:00Z"):
                content = self.changed(number, lambda r, f=field, v=value: r.update({f: v}))
                self.assert_altered(content, "Seal .* was|cannot be read")
            content = self.changed(number, lambda r, f=field: r.pop(f))
            self.assert_altered(content, "Seal .* was|cannot be read")

    def test_a_line_that_is_missing(self) -> None:
        for kind, finding in {"entry": "The entry [0-9]+ is missing", "seal": "is in none"}.items():
            number = self.numbers_of(kind)[1]
            content = ended([*self.lines[:number], *self.lines[number + 1 :]])
            self.assert_altered(content, finding)

    def test_a_seal_that_is_missing_with_all_it_held(self) -> None:
        first, last = self.numbers_of("seal")[1:3]
        content = ended([*self.lines[:first], *self.lines[last:]])
        self.assert_altered(content, "Seal 3 does not follow seal 1")

    def test_a_line_that_is_there_twice(self) -> None:
        number = self.numbers_of("entry")[0]
        content = ended([*self.lines[: number + 1], *self.lines[number:]])
        self.assert_altered(content, "is in none of the archive's seals")

    def test_a_line_that_was_made_up(self) -> None:
        awaited = json.loads(self.lines[1])["id"]
        elsewhere = f'{{"kind":"entry","id":{awaited},"reason":"é"}}'.encode("utf-16-be") + b"\0"
        plain = b"", b"x", b"[]", b"null", b"{}", b'{"kind":7}'
        odd = b'{"kind":["seal"]}', b'{"kind":"entry","id":[1]}', b"[" * 10_000, elsewhere
        for line in (*plain, *odd):
            content = ended([self.lines[0], line + b"\n", *self.lines[1:]])
            with self.subTest(line[:40]):
                self.assert_altered(content, "cannot be read|is in none of the archive's seals")

    def test_what_follows_the_end(self) -> None:
        for more in (b"x", b"\n", self.lines[0]):
            self.assert_altered(self.content + more, "Something follows the archive's last line")

    def test_a_file_that_was_cut_off_between_two_lines(self) -> None:
        for count in range(len(self.lines) + 1):
            content = b"".join(self.lines[:count])
            self.assert_altered(content, "is missing in the archive|The archive is not whole")

    def test_the_newest_seals_cut_off_and_a_new_end_is_what_the_pruning_shows(self) -> None:
        """It is a shorter archive then; its digest is not the one that the log holds."""
        content = ended(self.lines[: self.numbers_of("seal")[2]])
        self.assertEqual(self.verify(content), (2, 7))
        self.assertNotEqual(hashlib.sha256(content).hexdigest(), self.sha256)


@tag("long")
class AnyChangeTests(ArchiveTestCase):
    """It is never proven then, and raises nothing but that. (The last line feed is not missed.)"""

    def test_a_byte_that_is_another(self) -> None:
        @examples(300)
        @given(st.integers(0, len(self.content) - 2), st.integers(1, 255))
        def changed(place: int, change: int) -> None:
            content = bytearray(self.content)
            content[place] ^= change
            self.assert_refused(bytes(content))

        changed()

    def test_a_file_that_ends_anywhere(self) -> None:
        @examples(100)
        @given(st.integers(0, len(self.content) - 2))
        def cut_off(place: int) -> None:
            self.assert_refused(self.content[:place])

        cut_off()

    def assert_refused(self, content: bytes) -> None:
        with self.assertRaises(TamperedError):
            self.verify(content)
