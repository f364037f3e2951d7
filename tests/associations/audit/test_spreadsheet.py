"""The exported CSV in a real spreadsheet, which must compute nothing of what people wrote.

`SPREADSHEET_TABLE=1 python manage.py test tests.associations.audit.test_spreadsheet` also prints
what became of each text.
"""

import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from django.test import TestCase, tag

from associations.audit.exports import ExportProgress, csv_lines
from associations.models import AssociationRequest
from tests.associations.linking.base import entry_of
from tests.support import needed, person

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
# UTF-8, from the first line on; the separators are a comma, or all that its dialog comes up with.
COMMA, AS_THE_DIALOG = "CSV:44,34,76,1", "CSV:44/59/9,34,76,1"
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.test/","Click")',
    "+1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1,2)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",
)
HIDDEN = ("x\r=1+1", "x\n=1+1", "x;=1+1", "x\t=1+1", 'x",=1+1', 'x"\n=1+1')
PLAIN = ("SUP-1 “urgent”", 'a "b", c', "ümläut 漢字 🧾", "two\nlines")


@dataclass(frozen=True)
class Cell:
    text: str
    formula: str


def _name(prefix: str, name: str) -> str:
    return f"{{urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0}}{name}"


def _text(element: ET.Element) -> str:
    parts = [element.text or ""]
    for child in element:
        special = {_name("text", "tab"): "\t", _name("text", "line-break"): "\n"}
        spaces = " " * int(child.get(_name("text", "c"), 1))
        is_space = child.tag == _name("text", "s")
        parts.append(spaces if is_space else special.get(child.tag) or _text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _cells(row: ET.Element) -> list[Cell]:
    found = []
    for cell in row.iter(_name("table", "table-cell")):
        paragraphs = [_text(each) for each in cell.iter(_name("text", "p"))]
        times = min(int(cell.get(_name("table", "number-columns-repeated"), 1)), 100)
        formula = cell.get(_name("table", "formula"), "")
        found += [Cell("\n".join(paragraphs), formula)] * times
    return found


@needed(bool(OFFICE), "LibreOffice")
@tag("long", "one_database")
class SpreadsheetTests(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def setUp(self) -> None:
        self.user = person()

    def opened(self, data: bytes, how: str) -> list[list[Cell]]:
        """The rows, with every cell, as LibreOffice has them once it has opened the file."""
        file = self.folder / "export.csv"
        file.write_bytes(data)
        profile = (self.folder / "profile").as_uri()
        command = [OFFICE, f"-env:UserInstallation={profile}", "--headless", f"--infilter={how}"]
        command += ["--convert-to", "fods", "--outdir", self.folder, file]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        tree = ET.parse(file.with_suffix(".fods"))  # noqa: S314 - our own LibreOffice wrote it
        rows = [_cells(row) for row in tree.iter(_name("table", "table-row"))]
        return [row for row in rows if any(cell.text for cell in row)]

    def export(self, texts: tuple[str, ...]) -> bytes:
        for text in reversed(texts):
            words = dict.fromkeys(("user_name", "reason", "error_text", "user_agent"), text)
            entry_of(self.user, **words)
        return b"".join(csv_lines(AssociationRequest.objects.all(), ExportProgress()))

    def assert_kept(self, rows: list[list[Cell]], name: str, texts: list[str]) -> None:
        """Nothing is computed, and the column holds these texts, a CR as the line break it is."""
        self.assertEqual([cell for cell in chain(*rows) if cell.formula], [])
        names, *entries = [[cell.text for cell in row] for row in rows]
        self.assertEqual(len(entries), len(texts))
        expected = [text.replace("\r", "\n") for text in texts]
        self.assertEqual([entry[names.index(name)] for entry in entries], expected)

    def test_the_texts_are_kept_and_nothing_is_computed(self) -> None:
        texts = FORMULAS + HIDDEN + PLAIN
        marked = [f"'{text}" for text in FORMULAS] + [*HIDDEN, *PLAIN]
        data = self.export(texts)
        for how in (COMMA, AS_THE_DIALOG):
            rows = self.opened(data, how)
            if os.environ.get("SPREADSHEET_TABLE"):
                self.print_table(how, texts, rows)
            for name in ("user_name", "reason", "error_text", "user_agent"):
                with self.subTest(how, column=name):
                    self.assert_kept(rows, name, marked)

    def test_every_column_arrives_under_its_name(self) -> None:
        entry_of(self.user, reason="SUP-1", http_status=400, client_ip="2001:db8::1")
        data = b"".join(csv_lines(AssociationRequest.objects.all(), ExportProgress()))
        names, cells = [[cell.text for cell in row] for row in self.opened(data, COMMA)]
        self.assertEqual(names, data.decode("utf-8-sig").splitlines()[0].split(","))
        found = dict(zip(names, cells, strict=False))
        expected = {"reason": "SUP-1", "http_status": "400", "client_ip": "2001:db8::1"}
        self.assertEqual(found, found | expected)

    def test_without_the_mark_it_would_be_computed(self) -> None:
        data = self.export(("=1+1", '=HYPERLINK("http://evil.test/","Click")'))
        rows = self.opened(data.replace(b"'=", b"="), COMMA)
        computed = {cell.text for cell in chain(*rows) if cell.formula}
        self.assertEqual(computed, {"2", "Click"})

    def test_unquoted_it_would_be_computed_too(self) -> None:
        for data in (
            b"id,reason\n1,x\r=1+1\n",
            b"id,reason\n1,x;=1+1\n",
            b"id,reason\n1,x\t=1+1\n",
        ):
            rows = self.opened(data, AS_THE_DIALOG)
            self.assertEqual({cell.text for cell in chain(*rows) if cell.formula}, {"2"})

    def print_table(self, how: str, texts: tuple[str, ...], rows: list[list[Cell]]) -> None:
        computed = [cell for cell in chain(*rows) if cell.formula]
        print(f"\n{how}: {len(rows) - 1} rows of {len(texts)}, {len(computed)} cells computed")
        column = [cell.text for cell in rows[0]].index("reason")
        for row in rows[1:]:
            cell = (row + [Cell("", "")] * column)[column]
            print(f"  {cell.text!r:50} {cell.formula or 'no formula'}")
