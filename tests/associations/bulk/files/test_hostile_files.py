import tracemalloc
from collections.abc import Callable, Iterator
from itertools import repeat

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from associations.bulk.files.errors import FileError, FileReason
from tests.associations.bulk.files.files import (
    CHOSEN,
    HEADER,
    TYPES,
    answer,
    checker,
    read_table,
    rows_of,
)
from tests.associations.bulk.files.hostile import HOSTILE
from tests.generated import examples

KIB = 1024
# Each is repeated until the file is as large as is wanted.
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "rows": (HEADER.encode(), b"501,902,because\n"),
    "empty lines": (b"", b"\n"),
    "lines of CR": (HEADER.encode(), b"\r"),
    "delimiters": (b"", b"," * 40 + b"\n"),
    "one line": (b"", b"x"),
    "quotes that stay open": (b'501,902,"', b"501,902,because\n"),
    "a record that never ends": (b'501,902,"', b'x\n"' + b',"xy"' * 10 + b',"'),
    "long cells": (HEADER.encode(), b"501,902," + b"x" * 60_000 + b"\n"),
    "many columns": (HEADER.encode(), b"1," * 49 + b"\n"),
    "wide": ("\ufeff".encode("utf-16-le"), "501,902,東京\n".encode("utf-16-le")),
    "the old encoding": (HEADER.encode(), "501,902,Köln\n".encode("cp1252")),
    "Shift JIS": (HEADER.encode(), "501,902,東京都の依頼\n".encode("cp932")),
    "two encodings": (b"\xff\n", "501,902,Köln\n".encode()),
    "types that nobody knows": (b"from type,from id,to id\n", b"x" * 5000 + b",1,2\n"),
}


def endless(start: bytes, again: bytes, size: int) -> Callable[[], Iterator[bytes]]:
    """A file of about that size that is never in memory, in parts of 512 KiB at most."""
    part = again * max(1, min(size, 512 * KIB) // len(again))

    def parts() -> Iterator[bytes]:
        yield start
        yield from repeat(part, size // len(part))

    return parts


def read_through(parts: Callable[[], Iterator[bytes]]) -> None:
    """Read the file as the dry run does; it may well be refused."""
    check = checker(**CHOSEN).check
    try:
        table = read_table(parts, given=CHOSEN, resolve=TYPES.resolve)
        for record in table:
            check(table.values(record))
    except FileError:
        return


# test_hostile_workbooks.py and test_workbook.py have them.
OF_WORKBOOKS = {
    *(FileReason.OLD_WORKBOOK, FileReason.BINARY_WORKBOOK, FileReason.OPEN_DOCUMENT),
    *(FileReason.ENCRYPTED_WORKBOOK, FileReason.DAMAGED_WORKBOOK, FileReason.UNSAFE_WORKBOOK),
    *(FileReason.UNPACKS_TOO_LARGE, FileReason.PACKED_TOO_TIGHT, FileReason.TOO_MANY_PARTS),
    *(FileReason.TOO_MANY_CELLS, FileReason.CHARTS_ONLY, FileReason.HIDDEN_ONLY),
    *(FileReason.NO_SHEET, FileReason.LONG_CELL, FileReason.LONG_ROW, FileReason.TOO_LARGE),
}


class TableOfFilesTests(SimpleTestCase):
    def test_what_becomes_of_each(self) -> None:
        self.assertGreaterEqual(len(HOSTILE), 90)
        for name, (content, expected) in HOSTILE.items():
            with self.subTest(name):
                found = answer(content)
                self.assertEqual(found[0] if isinstance(expected, str) else found, expected)

    def test_it_is_the_same_in_small_parts(self) -> None:
        for name, (content, expected) in HOSTILE.items():
            if len(content) < 3000:
                with self.subTest(name):
                    found = answer(content, size=3)
                    self.assertEqual(found[0] if isinstance(expected, str) else found, expected)

    def test_hardly_a_reason_is_left_out(self) -> None:
        found = {answer(content)[0] for content, _expected in HOSTILE.values()}
        elsewhere = {FileReason.TOO_MANY_RECORDS, FileReason.NO_TYPE, FileReason.TOO_MANY_ROWS}
        elsewhere |= {FileReason.TOO_MANY_LINES, FileReason.ACCESS_ENDED, FileReason.OTHER_COLUMNS}
        self.assertEqual({*FileReason} - found - OF_WORKBOOKS, elsewhere)


class GeneratedTests(SimpleTestCase):
    PIECES = st.sampled_from(
        [
            *(
                "501",
                "902",
                ",",
                ";",
                "\t",
                "\n",
                "\r",
                '"',
                '""',
                " ",
                "'",
                "=",
                "/",
                ".0",
                "1E+5",
            ),
            *("from id", "to id", "contact_id", "contact", "x", "é", "東京"),
            *("\ufeff", "\u200b", "\x85"),
        ]
    )

    @examples(200)
    @given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from([1, 5, 1000]))
    def test_any_text_is_read_or_refused_with_a_sentence(self, content: str, size: int) -> None:
        self.assertEqual(answer(content, size), answer(content))

    @examples(100)
    @given(st.binary(max_size=100))
    def test_any_bytes_below_a_header(self, data: bytes) -> None:
        answer(HEADER.encode() + data)

    @examples(100)
    @given(st.lists(st.tuples(*[st.integers(1, 10**20 - 1)] * 2), min_size=1))
    def test_good_rows_are_never_lost(self, pairs: list[tuple[int, int]]) -> None:
        for delimiter, end in ((",", "\n"), (";", "\r\n"), ("\t", "\r")):
            content = end.join(f"{one}{delimiter}{other}" for one, other in pairs)
            read = [(int(row[1]), int(row[3])) for row in rows_of(content, **CHOSEN)]
            self.assertEqual(read, pairs)


class MemoryTests(SimpleTestCase):
    """The measurement beside this reads 20 MiB of each kind."""

    SIZES = {
        "long cells": 6144 * KIB,
        "types that nobody knows": 4096 * KIB,
        "a record that never ends": 512 * KIB,
    }

    def test_no_file_is_ever_in_memory_as_a_whole(self) -> None:
        for name, size in self.SIZES.items():
            parts = endless(*ENDLESS[name], size)
            with self.subTest(name):
                tracemalloc.start()
                read_through(parts)
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                self.assertLess(peak, 3 * 1024 * KIB)

    def test_records_come_while_the_file_is_read(self) -> None:
        taken = []

        def parts() -> Iterator[bytes]:
            taken.clear()
            for part in endless(*ENDLESS["rows"], 100 * KIB)():
                for at in range(0, len(part), KIB):
                    taken.append(at)
                    yield part[at : at + KIB]

        records = iter(read_table(parts, given=CHOSEN, resolve=TYPES.resolve))
        self.assertEqual(next(records).number, 1)
        self.assertLess(len(taken), 5)
