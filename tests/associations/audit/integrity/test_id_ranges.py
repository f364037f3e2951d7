"""Sets of ids as ranges: whatever is done with them is what is done with the ids."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from associations.audit.integrity import id_ranges
from tests.generated import examples

IDS = st.sets(st.integers(1, 60), max_size=40)
LIMITS = st.integers(0, 61)


def ids_in(pairs: id_ranges.Ranges) -> list[int]:
    return [number for first, last in pairs for number in range(first, last + 1)]


class RangesTests(unittest.TestCase):
    @examples(100)
    @given(IDS)
    def test_ids_come_back_in_as_few_ranges_as_can_be(self, ids: set[int]) -> None:
        found = id_ranges.of_ids(ids)
        self.assertEqual(ids_in(found), sorted(ids))
        self.assertEqual(len(found), sum(number + 1 not in ids for number in ids))

    @examples(100)
    @given(IDS, IDS)
    def test_several_become_one(self, some: set[int], others: set[int]) -> None:
        found = id_ranges.merged(id_ranges.of_ids(some), id_ranges.of_ids(others))
        self.assertEqual(found, id_ranges.of_ids(some | others))

    def test_a_range_that_ends_before_it_begins_is_none(self) -> None:
        self.assertEqual(id_ranges.merged([(5, 4)], [(1, 2)]), [(1, 2)])

    @examples(200)
    @given(IDS, IDS)
    def test_ids_are_taken_out(self, some: set[int], others: set[int]) -> None:
        left = id_ranges.less(id_ranges.of_ids(some), id_ranges.of_ids(others))
        self.assertEqual(left, id_ranges.of_ids(some - others))

    @examples(100)
    @given(IDS)
    def test_how_many_they_are(self, ids: set[int]) -> None:
        self.assertEqual(id_ranges.size(id_ranges.of_ids(ids)), len(ids))

    @examples(100)
    @given(IDS, LIMITS)
    def test_what_is_above_a_limit(self, ids: set[int], limit: int) -> None:
        above = {number for number in ids if number > limit}
        self.assertEqual(id_ranges.above(id_ranges.of_ids(ids), limit), id_ranges.of_ids(above))

    @examples(100)
    @given(IDS, LIMITS)
    def test_what_is_in_there(self, ids: set[int], number: int) -> None:
        self.assertEqual(id_ranges.contains(id_ranges.of_ids(ids), number), number in ids)

    @examples(100)
    @given(IDS)
    def test_a_text_is_read_as_it_was_written(self, ids: set[int]) -> None:
        found = id_ranges.of_ids(ids)
        self.assertEqual(id_ranges.from_text(id_ranges.to_text(found)), found)

    def test_the_text_is_that_of_the_readme(self) -> None:
        self.assertEqual(id_ranges.to_text([(1042, 1042), (1047, 1049)]), "1042 1047-1049")

    def test_what_is_no_text_of_ranges_is_refused(self) -> None:
        for text in ("a", "1-b", "-", "1 x-2"):
            with self.subTest(text), self.assertRaises(ValueError):
                id_ranges.from_text(text)

    @examples(50)
    @given(IDS, st.integers(1, 5))
    def test_batches_are_all_of_it_in_order(self, ids: set[int], size: int) -> None:
        batches = list(id_ranges.batches(id_ranges.of_ids(ids), size))
        self.assertEqual([pair for batch in batches for pair in batch], id_ranges.of_ids(ids))
        self.assertLessEqual({len(batch) for batch in batches}, set(range(1, size + 1)))
