import gzip
from collections.abc import Iterator
from unittest import TestCase, mock

from hypothesis import given
from hypothesis import strategies as st

from associations.bulk.files.decoding import MAX_LINE, Encoding, Parts, encoding_of, lines_in
from associations.bulk.files.errors import FileError, FileReason
from tests.associations.bulk.files.files import parts_of
from tests.generated import examples

TEXT = "id,名前\r\n1,Müller \u2013 東京\r2,“x”\n3"
LINES = ["id,名前\r\n", "1,Müller \u2013 東京\r", "2,“x”\n", "3"]
SIZES = (1, 2, 3, 7, 100_000)


def decoded_lines(parts: Parts) -> Iterator[str]:
    return lines_in(parts, encoding_of(parts))


def refusal(data: bytes, size: int = 100_000) -> tuple[FileReason, dict] | None:
    try:
        list(decoded_lines(parts_of(data, size)))
    except FileError as error:
        return error.reason, error.facts
    return None


class EncodingTests(TestCase):
    def assert_read(self, data: bytes, encoding: Encoding, lines: list[str]) -> None:
        for size in SIZES:
            with self.subTest(encoding, size=size):
                self.assertEqual(encoding_of(parts_of(data, size)), encoding)
                self.assertEqual(list(decoded_lines(parts_of(data, size))), lines)

    def test_unicode_with_and_without_a_mark(self) -> None:
        self.assert_read(TEXT.encode(), Encoding.UTF_8, LINES)
        self.assert_read("\ufffd\n".encode(), Encoding.UTF_8, ["\ufffd\n"])
        self.assert_read(TEXT.encode("utf-8-sig"), Encoding.UTF_8, LINES)
        for encoding in (Encoding.UTF_16_LE, Encoding.UTF_16_BE):
            self.assert_read(f"\ufeff{TEXT}".encode(encoding), encoding, LINES)
            self.assert_read(TEXT.encode(encoding), encoding, LINES)

    def test_windows_1252_where_nothing_is_utf_8(self) -> None:
        text = "id;raison\n1;l\u2019état, créé à Köln \u2013 5 €\n2;Ñandú\n"
        self.assert_read(
            text.encode("cp1252"), Encoding.WINDOWS_1252, text.splitlines(keepends=True)
        )

    def test_french_and_english_are_never_taken_for_japanese(self) -> None:
        for text in (
            "don\u2019t",
            "l\u2019état",
            "“créée”",
            "naïve",
            "Ærø",
            "Ça va «bien»",
            "…\u2013…",
            "Šiška",
        ):
            with self.subTest(text):
                self.assert_read(f"{text}\n".encode("cp1252"), Encoding.WINDOWS_1252, [f"{text}\n"])

    def test_shift_jis_as_excel_writes_it_in_japan(self) -> None:
        for text in (
            "連携元ID,会社ID\n",
            "理由,テスト依頼①\n",
            "ｶﾅ,東京都\n",
            "1,2,お客様の依頼 \uff5e高橋\uff5e\n",
        ):
            with self.subTest(text):
                self.assert_read(text.encode("cp932"), Encoding.SHIFT_JIS, [text])

    def test_nothing_and_next_to_nothing(self) -> None:
        self.assert_read(b"", Encoding.UTF_8, [])
        self.assert_read(b"\n", Encoding.UTF_8, ["\n"])
        self.assert_read(b"\r\n\r", Encoding.UTF_8, ["\r\n", "\r"])

    def test_only_line_breaks_end_a_line(self) -> None:
        line = "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b\n"
        self.assert_read(line.encode(), Encoding.UTF_8, [line])


class RefusedTests(TestCase):
    def test_what_is_damaged_is_told_with_its_line(self) -> None:
        for data, line in {
            "ü\nä\n".encode() + b"\xff\n": 3,
            "ü, ".encode() + b"\xfc\n": 1,
            b"\xfc\n\xfd\n" + "東".encode(): 3,
            b"\xef\xbb\xbfa\nM\xfcller\n": 2,
            "ab\ncd".encode("utf-16") + b"x": 2,
            "ab\n\ud800d\n".encode("utf-16-le", "surrogatepass"): 2,
            b"a\n\xed\xa0\x80\xc3\xbc\n": 2,
        }.items():
            for size in SIZES:
                with self.subTest(data, size=size):
                    self.assertEqual(refusal(data, size), (FileReason.BROKEN_TEXT, {"line": line}))

    def test_null_characters(self) -> None:
        for data in (b"a\nb\0c\n", b"a\n\0", "a\nb\0c,d,e,f\n".encode("utf-16")):
            with self.subTest(data):
                self.assertEqual(refusal(data), (FileReason.NOT_TEXT, {"line": 2}))

    def test_the_longest_line_and_one_more(self) -> None:
        line = b"x" * (MAX_LINE - 1) + b"\n"
        too_long = (FileReason.LONG_LINE, {"line": 3, "limit": 64})
        for size in (1000, 100_000):
            self.assertIsNone(refusal(line * 3, size))
            self.assertEqual(refusal(line * 2 + b"x" + line, size), too_long)
            self.assertEqual(refusal(line * 2 + b"x" * 2 * MAX_LINE, size), too_long)

    def test_a_line_without_end_is_not_read_to_its_end(self) -> None:
        taken = []

        def parts() -> object:
            for _ in range(10_000):
                taken.append(b"x" * 1024)
                yield taken[-1]

        with self.assertRaises(FileError):
            encoding_of(parts)
        self.assertLess(len(taken), 100)

    def test_more_lines_than_any_rows_need(self) -> None:
        with mock.patch("associations.bulk.files.decoding.MAX_LINES", 1000):
            self.assertIsNone(refusal(b"\n" * 1000))
            too_many = (FileReason.TOO_MANY_LINES, {"limit": 1000})
            self.assertEqual(refusal(b"\n" * 1001), too_many)

    def test_files_of_another_kind(self) -> None:
        for reason, files in {
            FileReason.WORKBOOK: (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
                b"PK\x03\x04\x14\0" + bytes(20) + b"[Content_Types].xml" + bytes(50),
                b"PK\x03\x04\x14\0" + bytes(20) + b"xl/workbook.xml" + bytes(50),
                b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
            ),
            FileReason.ARCHIVE: (b"PK\x03\x04\x14\0rows.csv", b"PK\x05\x06", gzip.compress(b"1,2")),
            FileReason.PDF: (b"%PDF-1.7\n1 0 obj",),
            FileReason.IMAGE: (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0JFIF", b"GIF89a"),
            FileReason.WEB_PAGE: (
                b"<!DOCTYPE html><html>",
                b"\xef\xbb\xbf \r\n<HTML>",
                b"<table border=1>",
                b"<?xml version='1.0'?>",
                "<html><body>".encode("utf-16"),
            ),
            FileReason.JSON: (b'{"inputs": []}', b'[\n  {"from": 1}', b"[501, 902]", b'["a"]'),
        }.items():
            for data in files:
                for size in (1, 100_000):
                    with self.subTest(data, size=size):
                        self.assertEqual(refusal(data, size), (reason, {}))

    def test_texts_that_only_begin_alike(self) -> None:
        for data in (b"<501>,<902>\n", b"[Contact],[Company]\n", b"PK,2\n", b"%,PDF\n", b"{x},1\n"):
            with self.subTest(data):
                self.assertIsNone(refusal(data))


class GeneratedTests(TestCase):
    @examples(150)
    @given(st.binary(max_size=60), st.sampled_from(SIZES))
    def test_any_bytes_are_read_or_refused_alike_in_any_parts(self, data: bytes, size: int) -> None:
        def read(size: int) -> object:
            return refusal(data, size) or list(decoded_lines(parts_of(data, size)))

        self.assertEqual(read(size), read(100_000))

    @examples(150)
    @given(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    )
    def test_no_character_of_unicode_is_lost(self, text: str, encoding: str) -> None:
        data = f"a,b\n{text}".encode(encoding)
        self.assertEqual("".join(decoded_lines(parts_of(data))), f"a,b\n{text}")
