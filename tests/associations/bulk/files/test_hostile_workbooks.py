"""Workbooks that nobody should upload: each is told what it is, and before it unfolds."""

import io
import random
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest import mock
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZIP_STORED, ZipFile

from django.test import SimpleTestCase, tag
from openpyxl import Workbook

from associations.bulk.files import packages
from associations.bulk.files.errors import FileError, FileReason
from tests.associations.bulk.files.files import CHOSEN, answer, parts_of, table_of
from tests.associations.bulk.files.workbooks import (
    GOOD,
    HEAD,
    MAIN,
    changed,
    number_row,
    packed,
    parts_of_workbook,
    raw,
    saved,
    sheet,
    text_row,
    workbook_of,
)

MIB = 1024 * 1024
ROW = number_row(2, "><v>501</v>", "><v>902</v>")
LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
FETCHED = '<!ENTITY x SYSTEM "file:///etc/passwd">'


def with_dtd(entities: str, entity: str) -> str:
    xml = sheet(HEAD, text_row(2, "501", "902", f"&{entity};"))
    return xml.replace("<worksheet", f"<!DOCTYPE worksheet [{entities}]><worksheet", 1)


def bomb(size: int) -> str:
    return sheet(HEAD, ROW, after=f"<!--{'0' * size}-->")


def ole(name: str) -> bytes:
    """A file of old Office whose directory has a stream of that name."""
    start = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    entries = ("Root Entry", "EncryptionInfo" if "Encrypted" in name else "Other", name)
    return start + b"".join(each.encode("utf-16-le").ljust(128, b"\0") for each in entries)


def lying(workbook: bytes, size: int) -> bytes:
    """The workbook whose directory says of its sheet that it unpacks to `size`."""
    at = workbook.rindex(b"PK\1\2", 0, workbook.rindex(b"sheet1.xml"))
    return workbook[: at + 24] + struct.pack("<L", size) + workbook[at + 28 :]


def with_many_parts(count: int, **more: str) -> bytes:
    return packed(parts_of_workbook(GOOD) | {f"xl/media/{n}": "" for n in range(count)} | more)


def twice(workbook: bytes) -> bytes:
    file = io.BytesIO(workbook)
    with ZipFile(file, "a") as archive, mock.patch("warnings.warn"):
        archive.writestr("xl/worksheets/sheet1.xml", sheet(HEAD))
    return file.getvalue()


def of_another_kind(document: str, **parts: str) -> bytes:
    """What is packed as a workbook is, but has another document in it."""
    found = parts_of_workbook(GOOD)
    found["_rels/.rels"] = str(found["_rels/.rels"]).replace("xl/workbook.xml", document)
    return packed(found | {document: "<document/>"} | parts)


def open_document(kind: str) -> bytes:
    parts = {"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": "<x/>"}
    return packed(parts, ZIP_STORED)


def encrypted_zip() -> bytes:
    data = bytearray(raw(GOOD))
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = -1
        while (start := data.find(sign, start + 1)) >= 0:
            data[start + at] |= 1
    return bytes(data)


def with_macros() -> bytes:
    """A workbook with a macro that opens by itself, and links to other files."""
    parts = parts_of_workbook(GOOD)
    relations = str(parts["xl/_rels/workbook.xml.rels"]).replace(
        "</Relationships>",
        '<Relationship Id="v" Type="http://schemas.microsoft.com/office/2006/relationships/'
        'vbaProject" Target="vbaProject.bin"/><Relationship Id="e" Type="x/externalLink"'
        ' Target="http://127.0.0.1:9/evil.xlsx" TargetMode="External"/></Relationships>',
    )
    more = {"xl/_rels/workbook.xml.rels": relations, "xl/vbaProject.bin": ole("VBA")}
    return packed(parts | more)


def with_links() -> bytes:
    """A workbook whose sheet itself is said to be elsewhere."""
    parts = parts_of_workbook(GOOD)
    relations = str(parts["xl/_rels/workbook.xml.rels"]).replace(
        'Target="worksheets/sheet1.xml"',
        'Target="http://127.0.0.1:9/sheet1.xml" TargetMode="External"',
    )
    return packed(parts | {"xl/_rels/workbook.xml.rels": relations})


def outside() -> bytes:
    """A workbook whose sheet is said to be a file of the server's."""
    parts = parts_of_workbook(GOOD)
    relations = str(parts["xl/_rels/workbook.xml.rels"]).replace(
        "worksheets/sheet1.xml", "../../../../etc/passwd"
    )
    return packed(parts | {"xl/_rels/workbook.xml.rels": relations})


def large_directory() -> bytes:
    """A directory of 5 MiB, for few parts."""
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        for name, content in parts_of_workbook(GOOD).items():
            archive.writestr(name, content)
        for number in range(90):
            archive.writestr(f"{number:060000}", "")
    return file.getvalue()


LIES = sheet(HEAD, ROW, before='<dimension ref="A1:XFD1048576"/>')
WHOLE = raw(GOOD)
HOSTILE: dict[str, tuple[Callable[[], bytes], list[str] | str | tuple[str, dict[str, Any]]]] = {
    # bombs
    "a sheet of zeros": (
        lambda: raw(bomb(20 * MIB)),
        ("packed_too_tight", {"limit": 250}),
    ),
    "shared texts of zeros": (
        lambda: raw(GOOD, strings=f'<sst xmlns="{MAIN}"><si><t>{"0" * 20 * MIB}</t></si></sst>'),
        "packed_too_tight",
    ),
    "a picture of zeros": (
        lambda: packed(parts_of_workbook(GOOD) | {"xl/media/1.png": bytes(20 * MIB)}),
        "packed_too_tight",
    ),
    "a directory that says too little": (
        lambda: lying(raw(bomb(MIB // 2)), 500),
        "damaged_workbook",
    ),
    "a directory that says too much": (
        lambda: lying(raw(GOOD), 2**31),
        ("unpacks_too_large", {"limit": 256}),
    ),
    "a directory that says somewhat more": (lambda: lying(raw(GOOD), 5_000), ["501-902"]),
    "20,000 parts": (lambda: with_many_parts(20_000), ("too_many_parts", {"limit": 10_000})),
    "a directory of 5 MiB": (large_directory, "too_many_parts"),
    "two parts of one name": (lambda: twice(WHOLE), "damaged_workbook"),
    "packed by bzip2": (lambda: packed(parts_of_workbook(GOOD), ZIP_BZIP2), "damaged_workbook"),
    "packed by LZMA": (lambda: packed(parts_of_workbook(GOOD), ZIP_LZMA), "damaged_workbook"),
    # XML
    "a billion laughs in the sheet": (lambda: raw(with_dtd(LAUGHS, "j")), "unsafe_workbook"),
    "a billion laughs in the workbook": (
        lambda: changed(WHOLE, workbook=f"<!DOCTYPE x [{LAUGHS}]><workbook>&j;</workbook>"),
        "unsafe_workbook",
    ),
    "a file of the server's": (lambda: raw(with_dtd(FETCHED, "x")), "unsafe_workbook"),
    "a DTD from elsewhere": (
        lambda: raw(
            GOOD.replace("<worksheet", '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x"><worksheet')
        ),
        "unsafe_workbook",
    ),
    "a DTD in the shared texts": (
        lambda: raw(GOOD, strings=f"<!DOCTYPE sst [{FETCHED}]><sst/>"),
        "unsafe_workbook",
    ),
    "a DTD in the styles": (
        lambda: raw(GOOD, styles=f"<!DOCTYPE x [{FETCHED}]><x/>"),
        "unsafe_workbook",
    ),
    "a DTD in the list of parts": (
        lambda: packed(parts_of_workbook(GOOD) | {"_rels/.rels": f"<!DOCTYPE x [{FETCHED}]><x/>"}),
        "unsafe_workbook",
    ),
    "an entity that is not defined": (lambda: raw(sheet(HEAD, "&x;")), "damaged_workbook"),
    "100,000 elements in each other": (lambda: raw(sheet("<a>" * 100_000)), "damaged_workbook"),
    "an attribute of 3 MiB": (
        lambda: raw(sheet(f'<row r="1" x="{random.Random(1).randbytes(3 * MIB // 2).hex()}"/>')),
        "damaged_workbook",
    ),
    "a text of 3 MiB": (
        lambda: raw(sheet(HEAD, text_row(2, random.Random(1).randbytes(3 * MIB // 2).hex()))),
        ("long_cell", {"limit": 32_767}),
    ),
    "a sheet that ends early": (lambda: raw(GOOD[:-40]), "damaged_workbook"),
    "a sheet that goes on": (lambda: raw(GOOD + "<x/>"), "damaged_workbook"),
    "a sheet of another kind": (lambda: raw("<html/>"), "damaged_workbook"),
    "an encoding that nobody knows": (
        lambda: raw(GOOD.replace("UTF-8", "x-klingon")),
        "damaged_workbook",
    ),
    # cells that lie
    "a dimension that lies": (lambda: raw(LIES), ["501-902"]),
    "50,000 columns": (
        lambda: raw(sheet(HEAD, '<row r="2">' + "<c><v>1</v></c>" * 50_000 + "</row>")),
        ("too_many_columns", {"line": 2, "columns": 50_000, "limit": 50}),
    ),
    "100,000 empty columns": (
        lambda: raw(
            sheet(
                HEAD,
                f'<row r="2">{"<c/>" * 100_000}</row>',
                number_row(3, "><v>501</v>", "><v>902</v>"),
            )
        ),
        ["501-902"],
    ),
    "a column beyond the last": (
        lambda: raw(sheet(HEAD, '<row r="2"><c r="XFE2"><v>1</v></c></row>')),
        "damaged_workbook",
    ),
    "a row beyond the last": (
        lambda: raw(sheet(HEAD, '<row r="1048577"><c><v>1</v></c></row>')),
        "damaged_workbook",
    ),
    "a row twice": (lambda: raw(sheet(HEAD, ROW, ROW)), "damaged_workbook"),
    "a row that is no number": (lambda: raw(sheet(HEAD, '<row r="x"/>')), "damaged_workbook"),
    "a cell of another row": (
        lambda: raw(sheet(HEAD, '<row r="2"><c r="A3"><v>1</v></c></row>')),
        "damaged_workbook",
    ),
    "a cell twice": (
        lambda: raw(sheet('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>')),
        "damaged_workbook",
    ),
    "a shared text that there is not": (
        lambda: raw(sheet(HEAD, number_row(2, ' t="s"><v>7</v>', "><v>902</v>"))),
        "damaged_workbook",
    ),
    "a shared text of a negative number": (
        lambda: raw(sheet(HEAD, number_row(2, ' t="s"><v>-1</v>', "><v>902</v>"))),
        "damaged_workbook",
    ),
    "merged cells over each other": (
        lambda: raw(
            sheet(
                HEAD, ROW, after="<mergeCells>" + '<mergeCell ref="A1:B9"/>' * 60 + "</mergeCells>"
            )
        ),
        "damaged_workbook",
    ),
    "merged cells of no name": (
        lambda: raw(sheet(HEAD, ROW, after='<mergeCells><mergeCell ref="x"/></mergeCells>')),
        "damaged_workbook",
    ),
    # other kinds
    "a workbook with macros": (with_macros, ["501-902"]),
    "a sheet that is elsewhere": (with_links, "charts_only"),
    "a sheet outside of the file": (outside, "damaged_workbook"),
    "a workbook with a password": (lambda: ole("EncryptedPackage"), "encrypted_workbook"),
    "a zip with a password": (encrypted_zip, "encrypted_workbook"),
    "an old workbook": (lambda: ole("Workbook"), "old_workbook"),
    "a workbook of 1995": (lambda: ole("Book"), "old_workbook"),
    "an old document": (lambda: ole("WordDocument"), "workbook"),
    "a document": (lambda: of_another_kind("word/document.xml"), "workbook"),
    "a binary workbook": (lambda: of_another_kind("xl/workbook.bin"), "binary_workbook"),
    "a spreadsheet of LibreOffice": (lambda: open_document("spreadsheet"), "open_document"),
    "a text of LibreOffice": (lambda: open_document("text"), "workbook"),
    "a table of Numbers": (lambda: packed({"Index/Document.iwa": "x"}), "workbook"),
    "an archive": (lambda: packed({"rows.csv": "501,902\n"}), "archive"),
    "an archive of 20,000 files": (
        lambda: packed({str(number): "" for number in range(20_000)}),
        "archive",
    ),
    "an archive of nothing": (lambda: packed({}), "archive"),
    # damage
    "a half": (lambda: WHOLE[: len(WHOLE) // 2], "damaged_workbook"),
    "all but the end": (lambda: WHOLE[:-1], "damaged_workbook"),
    "the beginning alone": (lambda: WHOLE[:80], "damaged_workbook"),
    "half an archive": (lambda: packed({"rows.csv": "501,902\n" * 99})[:100], "archive"),
    "no list of parts": (
        lambda: packed({n: c for n, c in parts_of_workbook(GOOD).items() if n != "_rels/.rels"}),
        "damaged_workbook",
    ),
    "no workbook in it": (lambda: changed(WHOLE, workbook=None), "damaged_workbook"),
    "no sheet in it": (lambda: changed(WHOLE, sheet1=None), "damaged_workbook"),
    "an empty sheet": (lambda: changed(WHOLE, sheet1=""), "damaged_workbook"),
    "nothing but a chart": (
        lambda: raw("<chartsheet/>", kinds={1: "chartsheet"}),
        ("charts_only", {}),
    ),
    "1,001 sheets that are one": (
        lambda: changed(
            WHOLE,
            workbook=str(parts_of_workbook(GOOD)["xl/workbook.xml"]).replace(
                "</sheets>",
                '<sheet name="x" sheetId="1" r:id="rId1"/>' * 1_000 + "</sheets>",
            ),
        ),
        "damaged_workbook",
    ),
}


@tag("long")
class HostileTests(SimpleTestCase):
    def test_what_becomes_of_each(self) -> None:
        for name, (made, expected) in HOSTILE.items():
            with self.subTest(name):
                found = answer(made())
                self.assertEqual(found[0] if isinstance(expected, str) else found, expected)

    def test_each_reason_is_met(self) -> None:
        found = {
            expected if isinstance(expected, str) else expected[0]
            for _, expected in HOSTILE.values()
        }
        kinds = {"workbook", "archive", "open_document", "charts_only", "long_cell"}
        kinds |= {each for each in FileReason if each.endswith("_workbook")}
        kinds |= {"packed_too_tight", "unpacks_too_large", "too_many_parts"}
        self.assertEqual(kinds - found, set())

    def test_nothing_is_read_of_what_the_directory_gives_away(self) -> None:
        for name in ("a sheet of zeros", "a directory that says too much", "20,000 parts"):
            content = HOSTILE[name][0]()
            with self.subTest(name), mock.patch.object(ZipFile, "open") as opened:
                self.assertEqual(answer(content)[0], HOSTILE[name][1][0])
                opened.assert_not_called()

    def test_no_more_than_a_piece_in_memory_of_what_it_does_not_give_away(self) -> None:
        for name in ("an attribute of 3 MiB", "a text of 3 MiB", "50,000 columns"):
            content = parts_of(HOSTILE[name][0]())
            with self.subTest(name):
                tracemalloc.start()
                with suppress(FileError):
                    table_of(b"".join(content()), given=CHOSEN)
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                self.assertLess(peak, 8 * MIB)

    def test_it_is_counted_again_while_it_is_read(self) -> None:
        content = raw(bomb(400_000))
        file = packages.spooled(parts_of(content)(), MIB)
        self.addCleanup(file.close)
        package = packages.Package(file)
        bound = mock.patch.object(packages, "MAX_UNPACKED", 200_000)
        with bound, self.assertRaises(FileError) as raised:
            list(package.pieces("xl/worksheets/sheet1.xml"))
        self.assertEqual(raised.exception.reason, FileReason.UNPACKS_TOO_LARGE)

    def test_far_too_many_cells(self) -> None:
        with mock.patch.object(packages, "MAX_ELEMENTS", 1_000):
            rows = [f'<row r="{n}"><c s="1"/><c s="1"/></row>' for n in range(3, 500)]
            self.assertEqual(answer(raw(sheet(HEAD, ROW, *rows))), ("too_many_cells", {}))

    def test_all_parts_together(self) -> None:
        with mock.patch.object(packages, "MAX_UNPACKED", MIB):
            parts = {f"xl/media/{n}": random.Random(n).randbytes(MIB // 4) for n in range(4)}
            content = packed(parts_of_workbook(GOOD) | parts)
            self.assertEqual(answer(content), ("unpacks_too_large", {"limit": 1}))

    def test_a_workbook_with_one_byte_changed_is_read_or_refused_with_a_sentence(self) -> None:
        workbook = Workbook()
        for row in (["from_id", "to_id", "reason"], [501, 902, "x"], ["503", "=A2", 1.5]):
            workbook.active.append(row)
        dice = random.Random(7)
        for whole in (saved(workbook), packed(parts_of_workbook(GOOD), ZIP_STORED)):
            for _ in range(400):
                content = bytearray(whole)
                for _ in range(dice.choice([1, 1, 5])):
                    content[dice.randrange(4, len(content))] = dice.randrange(256)
                with self.subTest(bytes(content)):
                    answer(bytes(content))

    def test_a_workbook_cut_anywhere(self) -> None:
        whole = workbook_of([501, 902])
        for end in range(60, len(whole), 53):
            self.assertEqual(answer(whole[:end])[0], "damaged_workbook")
