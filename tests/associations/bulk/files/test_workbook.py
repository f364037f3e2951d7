"""What the cells of a workbook come to."""

import tracemalloc
from collections import deque
from datetime import date, datetime, time
from typing import Any
from unittest import mock

from django.test import SimpleTestCase, override_settings, tag
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart

from associations.bulk.files import workbook as module
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.rows import Row
from associations.bulk.files.table import EXTRA_CELLS, Table
from associations.bulk.files.workbook import column_letters, plain_number
from associations.bulk.messages import sentence
from associations.hubspot.record_references import PairReason
from tests.associations.bulk.files.files import (
    CHOSEN,
    TYPES,
    answer,
    parts_of,
    read_table,
    rows_of,
    table_of,
)
from tests.associations.bulk.files.workbooks import (
    HEAD,
    HEADER,
    MAIN,
    STRICT,
    number_row,
    packed,
    parts_of_workbook,
    raw,
    saved,
    sheet,
    text_row,
    workbook_of,
)


def table(content: bytes, sheet: str = "") -> Table:
    return read_table(parts_of(content), given=CHOSEN, resolve=TYPES.resolve, sheet=sheet)


def cells_of(content: bytes) -> list[list[str]]:
    return [record.cells for record in table(content)]


def reason_of(value: Any, number_format: str = "") -> str:
    """What becomes of a value that somebody has put into the column of reasons."""
    workbook = Workbook()
    workbook.active.append(HEADER)
    workbook.active.append([501, 902, value])
    if number_format:
        workbook.active["C2"].number_format = number_format
    [cells] = cells_of(saved(workbook))
    return cells[2]


class CellTests(SimpleTestCase):
    def test_ids_as_numbers_and_as_texts(self) -> None:
        content = workbook_of(
            [501, 902],
            ["501", "902"],
            [501.0, 902.0],
            ["Contact 501", "https://app.hubspot.com/contacts/4242/record/0-2/902"],
            ["'501", " 902 "],
        )
        self.assertEqual(answer(content), ["501-902"] * 5)

    def test_all_digits_of_long_ids(self) -> None:
        content = workbook_of([106738123456, "1" * 20], [10**15 - 1, 1])
        found = ["106738123456-" + "1" * 20, "999999999999999-1"]
        self.assertEqual(answer(content), found)

    def test_numbers_as_they_are_written_in_the_file(self) -> None:
        for written, text in {
            "501": "501",
            "501.0": "501",
            "5.01E2": "501",
            "1.06738123456E+11": "106738123456",
            "0": "0",
            "-5": "-5",
            "007": "7",
            "0.5": "0.5",
            "501.25": "501.25",
            "0.30000000000000004": "0.3",
            "1E-7": "0.0000001",
            "999999999999999": "999999999999999",
            "1000000000000000": "1E+15",
            "1234567890123456": "1.23456789012346E+15",
            "1.2345678901234501E+18": "1.23456789012345E+18",
            "-1234567890123456": "-1.23456789012346E+15",
            "abc": "abc",
            "1_000": "1_000",
            "nan": "nan",
            "1E999": "1E999",
            "\u0665": "\u0665",
        }.items():
            with self.subTest(written):
                self.assertEqual(plain_number(written), text)

    def test_a_number_that_excel_has_rounded_is_refused_with_its_cell(self) -> None:
        for written in ("1234567890123456", "1.2345678901234501E+18", "1000000000000000"):
            rows = rows_of(
                raw(sheet(HEAD, number_row(2, "><v>501</v>", f"><v>{written}</v>"))), **CHOSEN
            )
            [row] = rows
            with self.subTest(written):
                self.assertEqual(row.problem.field, "to_object_id")
                self.assertEqual(row.problem.code, PairReason.ROUNDED)
                self.assertEqual(row.problem.facts["cell"], "B2")
                self.assertIn("The number in the cell B2 (1", sentence(*row.problem))

    def test_that_of_a_reason_as_well(self) -> None:
        [row] = rows_of(workbook_of([501, 902, 1234567890123456]), **CHOSEN)
        self.assertEqual(row.problem[:2], ("reason", "rounded"))

    def test_but_not_that_of_a_column_that_is_not_used(self) -> None:
        header = ("from_id", "to_id", "account")
        content = workbook_of([501, 902, 1234567890123456], header=header)
        self.assertEqual(answer(content), ["501-902"])

    def test_what_excel_had_rounded_before_and_is_a_text_now(self) -> None:
        [row] = rows_of(workbook_of(["1.23457E+11", 902]), **CHOSEN)
        self.assertEqual(row.problem.code, PairReason.ROUNDED)
        self.assertIn("is a number that a spreadsheet has rounded", sentence(*row.problem))

    def test_dates_times_and_spans(self) -> None:
        for value, text in {
            date(2026, 11, 28): "2026-11-28",
            datetime(2026, 11, 28, 17, 5): "2026-11-28 17:05:00",
            time(17, 5, 9): "17:05:09",
        }.items():
            with self.subTest(value):
                self.assertEqual(reason_of(value), text)
        self.assertEqual(reason_of(501, "yyyy-mm-dd"), "1901-05-15")
        self.assertEqual(reason_of(1, "dd/mm/yy"), "1900-01-01")
        self.assertEqual(reason_of(-1, "dd/mm/yy"), "1899-12-29")

    def test_formats_that_are_no_dates(self) -> None:
        for name in ("0", "#,##0", "General", "@", '"day" 0', "[Red]0", "0.00E+00", "000000"):
            with self.subTest(name):
                self.assertEqual(reason_of(12345, name), "12345")

    def test_dates_of_a_mac_and_of_east_asia(self) -> None:
        styles = (
            f'<styleSheet xmlns="{MAIN}"><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
            '<cellXfs><xf numFmtId="0"/><xf numFmtId="31"/></cellXfs></styleSheet>'
        )
        rows = HEAD, number_row(2, "><v>501</v>", "><v>902</v>", ' s="1"><v>44892</v>')
        content = raw(sheet(*rows), styles=styles)
        self.assertEqual(cells_of(content), [["501", "902", "2022-11-27"]])
        content = raw(sheet(*rows), styles=styles, properties='<workbookPr date1904="1"/>')
        self.assertEqual(cells_of(content), [["501", "902", "2026-11-28"]])

    def test_a_date_that_there_is_not(self) -> None:
        self.assertEqual(reason_of(10**9, "yyyy-mm-dd"), "1000000000")

    def test_truth_values_and_errors(self) -> None:
        self.assertEqual((reason_of(True), reason_of(False)), ("TRUE", "FALSE"))
        self.assertEqual((reason_of("#N/A"), reason_of("#REF!")), ("#N/A", "#REF!"))
        self.assertEqual(answer(workbook_of(["#N/A", 902])), ["not_digits"])

    def test_rich_texts_and_breaks(self) -> None:
        rich = CellRichText("be", TextBlock(InlineFont(b=True), "cau"), "se")
        self.assertEqual(reason_of(rich), "because")
        self.assertEqual(reason_of("a\nb\tc"), "a\nb\tc")
        self.assertEqual(reason_of("東京 & <b> é 🎉"), "東京 & <b> é 🎉")

    def test_shared_texts_without_how_they_are_pronounced(self) -> None:
        strings = (
            f'<sst xmlns="{MAIN}"><si><t>501</t></si>'
            "<si><r><t>東</t></r><r><rPr><b/></rPr><t>京</t></r>"
            '<rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></si>'
            '<si><t xml:space="preserve"> a_x000D_\n_x005F_x000D__xD83D__x0000_</t></si><si/></sst>'
        )
        content = raw(
            sheet(
                HEAD,
                number_row(2, ' t="s"><v>0</v>', "><v>902</v>", ' t="s"><v>1</v>'),
                number_row(3, ' t="s"><v>0</v>', "><v>902</v>", ' t="s"><v>2</v>'),
                number_row(4, ' t="s"><v>0</v>', "><v>902</v>", ' t="s"><v>3</v>'),
            ),
            strings=strings,
        )
        self.assertEqual(
            cells_of(content),
            [
                ["501", "902", "東京"],
                ["501", "902", " a\r\n_x000D__xD83D__x0000_"],
                ["501", "902"],
            ],
        )

    def test_formulas_by_what_came_of_them(self) -> None:
        content = raw(
            sheet(
                HEAD,
                number_row(
                    2,
                    "><f>500+1</f><v>501</v>",
                    ' t="str"><f>"902"</f><v>902</v>',
                    ' t="e"><f>1/0</f><v>#DIV/0!</v>',
                ),
                number_row(3, "><v>501</v>", "><v>902</v>", ' t="str"><f>""</f><v></v>'),
                number_row(4, "><v>501</v>", "><v>902</v>", ' t="b"><f>1=1</f><v>1</v>'),
            )
        )
        expected = [["501", "902", "#DIV/0!"], ["501", "902"], ["501", "902", "TRUE"]]
        self.assertEqual(cells_of(content), expected)

    def test_a_formula_that_nobody_has_computed(self) -> None:
        [row] = rows_of(workbook_of(["=500+1", 902]), **CHOSEN)
        self.assertEqual(row.problem[:2], ("from_object_id", "no_value"))
        self.assertIn("The cell A2 has a formula", sentence(*row.problem))
        self.assertEqual(cells_of(workbook_of(["=500+1", 902])), [["=500+1", "902"]])
        [row] = rows_of(workbook_of([501, 902, '=CONCATENATE("SUP-",A2)']), **CHOSEN)
        self.assertEqual(row.problem[:2], ("reason", "no_value"))
        shared = number_row(2, "><v>501</v>", '><f t="shared" si="0"/><v/>')
        [row] = rows_of(raw(sheet(HEAD, shared)), **CHOSEN)
        self.assertEqual(row.problem[:2], ("to_object_id", "no_value"))

    def test_names_of_columns(self) -> None:
        for number, letters in {1: "A", 26: "Z", 27: "AA", 702: "ZZ", 16384: "XFD"}.items():
            self.assertEqual(column_letters(number), letters)


class MergedTests(SimpleTestCase):
    def merged(self, *ranges: str) -> list[Row]:
        workbook = Workbook()
        for row in (HEADER, [501, 902, "a"], [501, 903, "b"], [501, 904, "c"]):
            workbook.active.append(row)
        for each in ranges:
            workbook.active.merge_cells(each)
        return rows_of(saved(workbook), **CHOSEN)

    def told(self, *ranges: str) -> list[tuple[str, str, Any] | None]:
        return [
            row.problem and (*row.problem[:2], row.problem.facts.get("cell"))
            for row in self.merged(*ranges)
        ]

    def test_of_the_cells_only_the_first_has_a_value_and_the_others_say_so(self) -> None:
        missing = ("from_object_id", "merged")
        self.assertEqual(self.told("A2:A4"), [None, (*missing, "A3"), (*missing, "A4")])
        text = sentence(*self.merged("A2:A4")[1].problem)
        self.assertIn("The cell A3 is merged with others (A2:A4)", text)

    def test_reasons_and_cells_side_by_side(self) -> None:
        self.assertEqual(self.told("C3:C4"), [None, None, ("reason", "merged", "C4")])
        self.assertEqual(self.told("A3:B3"), [None, ("to_object_id", "merged", "B3"), None])

    def test_columns_that_are_not_used(self) -> None:
        self.assertEqual(self.told("D1:H4", "C4:F4"), [None] * 3)


class SheetTests(SimpleTestCase):
    def test_lines_are_those_of_the_spreadsheet(self) -> None:
        workbook = Workbook()
        for line in (3, 5, 9):
            workbook.active.cell(line, 2, "from_id" if line == 3 else 500 + line)
            workbook.active.cell(line, 3, "to_id" if line == 3 else 900 + line)
        for line in range(10, 200):
            workbook.active.cell(line, 7).number_format = "0.00"  # a format, and nothing in it
        found = [(each.number, each.line, each.cells) for each in table(saved(workbook))]
        self.assertEqual(found, [(1, 5, ["", "505", "905"]), (2, 9, ["", "509", "909"])])

    def test_rows_and_cells_may_do_without_their_names(self) -> None:
        rows = ["<row><c><v>501</v></c><c/><c><v>902</v></c></row>"] * 2
        found = [
            (each.line, each.cells)
            for each in table(raw(sheet(text_row(1, "from_id", "x", "to_id"), *rows)))
        ]
        self.assertEqual(found, [(2, ["501", "", "902"]), (3, ["501", "", "902"])])

    def test_what_stands_right_of_the_columns(self) -> None:
        content = workbook_of([501, 902, "x"], [501, 902], header=("from_id", "to_id", None, None))
        found = table(content)
        values = [found.values(record).get(EXTRA_CELLS) for record in found]
        self.assertEqual((found.layout.width, values), (2, ["1", None]))

    def test_more_columns_than_are_read(self) -> None:
        workbook = Workbook()
        workbook.active.append(HEADER)
        workbook.active.append([501, 902])
        workbook.active.cell(2, 50, "x")
        self.assertEqual(len(cells_of(saved(workbook))[0]), 50)
        workbook.active.cell(2, 16_384, "x")
        facts = {"line": 2, "columns": 16_384, "limit": 50}
        self.assertEqual(answer(saved(workbook)), ("too_many_columns", facts))
        workbook.active.cell(2, 16_384).value = None
        self.assertEqual(answer(saved(workbook)), ["extra_cells"])

    def test_it_can_be_read_again_and_by_two_at_once(self) -> None:
        found = table(workbook_of([501, 902], [503, 904], [505, 906]))
        self.assertEqual([*found], [*found])
        pairs = zip(found, found, strict=True)
        self.assertTrue(all(one == other for one, other in pairs))

    def test_without_a_header(self) -> None:
        found = table(workbook_of([503, 904], header=(501, 902)))
        self.assertFalse(found.has_header)
        self.assertEqual([each.line for each in found], [1, 2])

    def test_strict_open_xml(self) -> None:
        strict = sheet(HEAD, number_row(2, "><v>501</v>", "><v>902</v>"), space=STRICT)
        self.assertEqual(answer(raw(strict, space=STRICT)), ["501-902"])

    def test_prefixes_case_and_paths_as_others_write_them(self) -> None:
        prefixed = (
            f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1"><x:v>501</x:v>'
            '</x:c><x:c r="B1"><x:v>902</x:v></x:c></x:row></x:sheetData></x:worksheet>'
        )
        parts = parts_of_workbook(prefixed)
        relations = str(parts["xl/_rels/workbook.xml.rels"])
        for target in ("/xl/Worksheets/sheet1.xml", "../xl/worksheets/SHEET1.xml"):
            parts["xl/_rels/workbook.xml.rels"] = relations.replace("worksheets/sheet1.xml", target)
            with self.subTest(target):
                self.assertEqual(answer(packed(parts)), ["501-902"])

    def test_utf_16(self) -> None:
        content = sheet(HEAD, text_row(2, "501", "902", "東京")).replace("UTF-8", "UTF-16")
        parts = parts_of_workbook("") | {"xl/worksheets/sheet1.xml": content.encode("utf-16")}
        self.assertEqual(cells_of(packed(parts)), [["501", "902", "東京"]])

    def test_a_file_in_small_parts(self) -> None:
        content = workbook_of([501, 902])
        for size in (1, 3, 1000):
            self.assertEqual(answer(content, size=size), ["501-902"])

    def test_no_rows_no_header_and_no_types(self) -> None:
        self.assertEqual(answer(workbook_of()), ("header_only", {}))
        self.assertEqual(answer(saved(Workbook())), ("empty", {}))
        self.assertEqual(answer(workbook_of([1, 2], header=("a", "b")))[0], "missing_columns")
        with self.assertRaises(FileError) as raised:
            table_of(workbook_of([1, 2]))
        self.assertEqual(raised.exception.reason, FileReason.NO_TYPE)


class ChoiceTests(SimpleTestCase):
    def workbook(self) -> Workbook:
        """An empty sheet, a hidden and a very hidden one, two with rows, and a chart."""
        workbook = Workbook()
        workbook.active.title = "Notes"
        for name, state in (("Old", "hidden"), ("Lists", "veryHidden"), ("Links", "visible")):
            one = workbook.create_sheet(name)
            one.append(HEADER)
            one.append([len(name), 902])
            one.sheet_state = state
        workbook.create_chartsheet("Chart").add_chart(BarChart())
        more = workbook.create_sheet("More, 東京")
        more.append(HEADER)
        more.append([77, 902])
        return workbook

    def test_the_first_that_is_seen_and_has_something(self) -> None:
        found = table(saved(self.workbook()))
        self.assertEqual((found.workbook.sheets, found.workbook.sheet), (self.seen(), "Links"))
        self.assertEqual([each.cells for each in found], [["5", "902"]])
        self.assertIsNone(table_of("1,2\n", given=CHOSEN).workbook)

    def seen(self) -> tuple[str, ...]:
        return ("Notes", "Links", "More, 東京")

    def test_another_by_its_name(self) -> None:
        found = table(saved(self.workbook()), "More, 東京")
        self.assertEqual([each.cells for each in found], [["77", "902"]])
        self.assertEqual(found.workbook.sheets, self.seen())

    def test_none_that_is_empty_hidden_or_not_there(self) -> None:
        for name, reason in {
            "Notes": FileReason.EMPTY,
            "Old": FileReason.NO_SHEET,
            "Lists": FileReason.NO_SHEET,
            "Chart": FileReason.NO_SHEET,
            "links": FileReason.NO_SHEET,
        }.items():
            with self.subTest(name), self.assertRaises(FileError) as raised:
                table(saved(self.workbook()), name)
            self.assertEqual(raised.exception.reason, reason)
        facts = {"sheet": "links", "found": "Notes, Links, More, 東京"}
        self.assertEqual(raised.exception.facts, facts)

    def test_nothing_but_what_is_hidden(self) -> None:
        workbook = self.workbook()
        for name in ("Links", "More, 東京"):
            del workbook[name]
        self.assertEqual(answer(saved(workbook)), ("hidden_only", {"found": "Old, Lists"}))

    def test_nothing_but_charts(self) -> None:
        workbook = self.workbook()
        for name in workbook.sheetnames:
            if name != "Chart":
                del workbook[name]
        self.assertEqual(answer(saved(workbook)), ("charts_only", {}))
        charts = raw("<chartsheet/>", "<x/>", kinds={1: "chartsheet", 2: "dialogsheet"})
        self.assertEqual(answer(charts), ("charts_only", {}))


@tag("long")
class SizeTests(SimpleTestCase):
    ROWS = 20_000

    def large(self) -> bytes:
        """Rows whose reasons are texts of their own, as Excel keeps them."""
        rows = (
            number_row(
                line,
                f"><v>{1_000_000 + line}</v>",
                f"><v>{106_738_000_000 + line}</v>",
                f' t="s"><v>{line}</v>',
            )
            for line in range(2, self.ROWS + 2)
        )
        texts = "".join(
            f"<si><t>SUP-{line}, because of what they said</t></si>"
            for line in range(self.ROWS + 2)
        )
        return raw(sheet(HEAD, *rows), strings=f'<sst xmlns="{MAIN}">{texts}</sst>')

    def test_memory_stays_flat(self) -> None:
        content = self.large()
        table(workbook_of([1, 2]))
        tracemalloc.start()
        [last] = deque(table(content), maxlen=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertEqual((last.number, last.line), (self.ROWS, self.ROWS + 1))
        self.assertEqual(last.cells[2], f"SUP-{self.ROWS + 1}, because of what they said")
        self.assertLess(peak, 4 * 1024 * 1024)

    def test_a_row_a_cell_and_a_file_that_are_too_large(self) -> None:
        rows = [HEAD, text_row(2, "501", "902", *["x" * 30_000] * 3)]
        facts = {"line": 2, "limit": 64}
        self.assertEqual(answer(raw(sheet(*rows))), ("long_row", facts))
        strings = f'<sst xmlns="{MAIN}"><si><t>{"x" * 32_768}</t></si></sst>'
        content = raw(sheet(HEAD, text_row(2, "501", "902")), strings=strings)
        self.assertEqual(answer(content), ("long_cell", {"limit": 32_767}))
        with override_settings(BULK_MAX_BYTES=1000):
            self.assertEqual(answer(workbook_of([501, 902])), ("too_large", {"limit": 1}))

    def test_texts_that_cells_share_and_how_many(self) -> None:
        texts = module._Texts()
        for text in ("a", "", "東京", "x" * 1000):
            texts.add(text)
        found = [texts.get(number) for number in (3, 0, 2, 1, 3, 0)]
        self.assertEqual(found, ["x" * 1000, "a", "東京", "", "x" * 1000, "a"])
        self.assertEqual([texts.demand(number) for number in range(4)], [0, "", 2, 3])
        for number in (-1, 4):
            with self.assertRaises(IndexError):
                texts.demand(number)
        with mock.patch.object(module, "MAX_STRINGS", 5), self.assertRaises(FileError) as raised:
            texts.add("b")
            texts.add("c")
        self.assertEqual(raised.exception.reason, FileReason.TOO_MANY_CELLS)
