"""The text of a seal: written to the letter, and read back as it was meant."""

import hashlib
import unittest
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from associations.audit.integrity import id_ranges
from associations.audit.integrity.manifest import (
    NOTHING_BEFORE,
    Coverage,
    Manifest,
    ManifestError,
    before_the_first,
    head_of,
    read,
)
from associations.audit.integrity.serialization import KINDS
from tests.generated import examples

A, B = "a" * 64, "b" * 64
MANIFEST = Manifest(
    number=17,
    previous=A,
    sealed_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    key_id="0123456789abcdef",
    coverage={
        "entry": Coverage(1050, [(1042, 1042), (1047, 1049)]),
        "attempt": Coverage(12, []),
        "check": Coverage(7, []),
        "export": Coverage(3, [(2, 2)]),
        "pruning": Coverage(0, []),
    },
    items=[("entry", 1039, A), ("entry", 1050, B), ("export", 3, A)],
)
TEXT = f"""\
hubadmin-seal 2
number 17
previous {A}
sealed_at 2026-11-24T09:30:00.000000Z
key 0123456789abcdef
covers entry 1050
waiting entry 1042 1047-1049
covers attempt 12
covers check 7
covers export 3
waiting export 2
covers pruning 0
entry 1039 {A}
entry 1050 {B}
export 3 {A}
"""

IDS = st.sets(st.integers(1, 2**63 - 1), max_size=8)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
MANIFESTS = st.builds(
    Manifest,
    number=st.integers(1, 2**63 - 1),
    previous=DIGESTS,
    sealed_at=st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),
    key_id=st.text("0123456789abcdef", min_size=16, max_size=16),
    coverage=st.fixed_dictionaries(
        dict.fromkeys(
            KINDS, st.builds(Coverage, st.integers(0, 2**63 - 1), IDS.map(id_ranges.of_ids))
        )
    ),
    items=st.lists(
        st.tuples(st.sampled_from([*KINDS]), st.integers(1, 2**63 - 1), DIGESTS), max_size=5
    ),
)


class ManifestTests(unittest.TestCase):
    def test_the_text_to_the_letter(self) -> None:
        self.assertEqual(MANIFEST.text, TEXT)

    @examples(100)
    @given(MANIFESTS)
    def test_it_is_read_as_it_was_written(self, manifest: Manifest) -> None:
        self.assertEqual(read(manifest.text), manifest)

    def test_the_head_is_the_digest_of_the_text(self) -> None:
        self.assertEqual(head_of(TEXT), hashlib.sha256(TEXT.encode()).hexdigest())

    def test_items_by_kind(self) -> None:
        self.assertEqual(MANIFEST.ids("entry"), {1039: A, 1050: B})
        self.assertEqual(MANIFEST.ids("attempt"), {})

    def test_a_kind_that_came_up_later_begins_at_its_beginning(self) -> None:
        older = "".join(line for line in TEXT.splitlines(True) if "export" not in line)
        begun, told = read(older).coverage["export"], before_the_first()["export"]
        self.assertEqual((begun.high, begun.waiting), (told.high, told.waiting))
        self.assertEqual((begun.is_told, told.is_told), (False, True))

    def test_what_is_no_manifest_is_refused(self) -> None:
        broken = {
            "nothing": "",
            "another format": TEXT.replace("hubadmin-seal 2", "hubadmin-seal 3"),
            "no number": TEXT.replace("number 17\n", ""),
            "no key": TEXT.replace("key 0123456789abcdef\n", ""),
            "a number that is none": TEXT.replace("number 17", "number x"),
            "a time that is none": TEXT.replace("2026-11-24T", "2026-13-24T"),
            "an id that is none": TEXT.replace("entry 1039", "entry x"),
            "a range that is none": TEXT.replace("1047-1049", "1047-x"),
            "a line of one word": TEXT + "word\n",
            "an empty line": TEXT + "\n",
        }
        for name, text in broken.items():
            with self.subTest(name), self.assertRaises(ManifestError):
                read(text)

    def test_candidates_are_what_waits_and_what_is_new(self) -> None:
        coverage = Coverage(10, [(3, 4)])
        self.assertEqual(coverage.candidates(12), [(3, 4), (11, 12)])
        self.assertEqual(coverage.candidates(10), [(3, 4)])
        self.assertEqual(Coverage().candidates(2), [(1, 2)])

    def test_nothing_comes_before_the_first(self) -> None:
        self.assertEqual(NOTHING_BEFORE, "0" * 64)
