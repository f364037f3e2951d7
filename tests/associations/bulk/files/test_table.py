from unittest import TestCase

from django.test import SimpleTestCase

from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.table import EXTRA_CELLS, TableRow, begin
from tests.associations.bulk.files.files import CHOSEN, HEADER, answer, table_of


def cells_of(content: str) -> list[list[str]]:
    return [record.cells for record in table_of(content, given=CHOSEN)]


class DelimiterTests(SimpleTestCase):
    def test_it_is_the_one_that_makes_known_columns(self) -> None:
        for content, delimiter in {
            "from_id,to_id\n1,2": ",",
            "from_id;to_id\n1;2": ";",
            "from_id\tto_id\n1\t2": "\t",
            "from_id;to_id;a,b,c,d\n1;2;x": ";",
            "a,b;from_id;to_id\nx;1;2": ";",
            '"from_id";"to_id"\n"1";"2"': ";",
            "contact_id;company_id\n1;2": ";",
            "contact;company\n1;2": ";",
        }.items():
            with self.subTest(content):
                self.assertEqual(table_of(content, given=CHOSEN).delimiter, delimiter)

    def test_without_a_header_it_is_the_one_that_makes_records(self) -> None:
        for content, delimiter in {
            "1,2": ",",
            "1;2": ";",
            "1\t2": "\t",
            "1;2;because, as they said": ";",
            "1\t2\tbecause, and; so": "\t",
            "1,2,because; so": ",",
            "501,0;902,0": ";",
            "contact;1;company;2": ";",
            "contact 1;company 2": ";",
            "https://app.hubspot.com/contacts/4242/record/0-1/5?a=b,c;https://x.hubspot.com/": ";",
            "1;2\tAda Byron\n3\tGrace Pier\n4\tTess Low": "\t",
            "1;2\n3;4;because": ";",
        }.items():
            with self.subTest(content):
                self.assertEqual(begin(lambda: iter([content.encode()])).delimiter, delimiter)  # noqa: B023
                if "Ada" not in content:
                    self.assertFalse(table_of(content, given=CHOSEN).has_header)


class SaidDelimiterTests(SimpleTestCase):
    """What Excel takes a first line for: no record, but the sign that parts the cells."""

    def test_each_sign_in_each_encoding(self) -> None:
        for sign in ",;\t|":
            text = f"sep={sign}\r\ncontact id{sign}company id\r\n733{sign}41\r\n"
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
                with self.subTest(sign=sign, encoding=encoding):
                    table = table_of(text.encode(encoding))
                    self.assertEqual([*table], [(1, 3, ["733", "41"])])

    def test_it_goes_before_what_would_make_more_columns(self) -> None:
        table = table_of('"SEP=;"\nfrom id;to id;reason\n733;41;a, b, c\n', given=CHOSEN)
        self.assertEqual([*table], [(1, 3, ["733", "41", "a, b, c"])])

    def test_without_a_header(self) -> None:
        self.assertEqual([*table_of("sep=|\n733|41\n", given=CHOSEN)], [(1, 2, ["733", "41"])])

    def test_nothing_comes_after_it(self) -> None:
        self.assertEqual(answer("sep=;\n"), ("empty", {}))


class RecordTests(SimpleTestCase):
    def test_numbers_and_lines(self) -> None:
        content = '\n\nfrom_id,to_id,reason\r\n\r\n1,2,"a\nb\r\nc"\n , ,\n,,,,\n\n3,4\r5,6'
        self.assertEqual(
            list(table_of(content, given=CHOSEN)),
            [
                TableRow(1, 5, ["1", "2", "a\nb\r\nc"]),
                TableRow(2, 11, ["3", "4"]),
                TableRow(3, 12, ["5", "6"]),
            ],
        )

    def test_a_title_above_the_names_of_columns_is_no_record(self) -> None:
        for title in ("Our list of May\n", "Our list of May,,\n\n2026-05-03,,\n"):
            table = table_of(f"{title}contact id,company id,reason\n1,2,x\n")
            self.assertEqual([each.cells for each in table], [["1", "2", "x"]])

    def test_it_can_be_read_again(self) -> None:
        table = table_of("1,2\n3,4\n", given=CHOSEN)
        self.assertEqual(list(table), list(table))
        self.assertEqual([record.number for record in table], [1, 2])

    def test_quotation_marks(self) -> None:
        for row, reason in {
            '1,2,"a, b"': "a, b",
            '1,2,"a ""b"""': 'a "b"',
            '1,2,5" pipe': '5" pipe',
            '1, 2, "a, b"': "a, b",
            '"1","2",""': "",
        }.items():
            with self.subTest(row):
                self.assertEqual(cells_of(HEADER + row), [["1", "2", reason]])

    def test_the_line_of_a_quotation_mark_that_is_not_closed(self) -> None:
        for content, line in {
            '1,"2\n3,4\n': 1,
            '1,2\n3,"4\n5,6\n7,8\n': 2,
            '1,2\r3,"4\r5,6\r': 2,
            '1,2\n3,4,"a\nb","c\nd\n': 3,
            '1,2,"a"b\n3,4\n': 1,
            '1,2\n3,4,"open\n5,6,"x"\n7,8\n': 2,
            '1,2,"a""\n3,4\n': 1,
            '1,2, "a\n': 1,
            '1,2\n3,4,"' + "5,6\n" * 100_000: 2,
            '1,2\n3,4,"' + '"\n,"' * 40_000: 2,
        }.items():
            with self.subTest(content[:40]):
                with self.assertRaises(FileError) as raised:
                    cells_of("from_id,to_id,reason\n" + content)
                found = raised.exception.reason, raised.exception.facts["line"]
                self.assertEqual(found[0], FileReason.OPEN_QUOTE)
                if len(content) < 1000:
                    self.assertEqual(found[1], line + 1)
                else:  # where the record that never ends begins, or one of its marks
                    self.assertGreaterEqual(found[1], line + 1)

    def test_columns_up_to_fifty(self) -> None:
        header = "from_id,to_id" + ",x" * 48
        self.assertEqual(len(table_of(header + "\n1,2\n", given=CHOSEN).unused), 48)
        for content, line in {header + ",x\n1,2\n": 1, header + "\n1,2\n1" + "," * 50: 3}.items():
            with self.subTest(line), self.assertRaises(FileError) as raised:
                cells_of(content)
            facts = {"line": line, "columns": 51, "limit": 50}
            self.assertEqual(raised.exception.facts, facts)


class ValueTests(SimpleTestCase):
    def values(self, content: str) -> list[dict[str, str]]:
        table = table_of(content, given=CHOSEN)
        return [table.values(record) for record in table]

    def test_by_field_in_whatever_order(self) -> None:
        self.assertEqual(
            self.values("why,x,to id,from id\nas,?,2,1\n"),
            [{"from_object_id": "1", "to_object_id": "2", "reason": "as"}],
        )

    def test_cells_that_are_missing_are_empty(self) -> None:
        [values] = self.values("from_id,to_id,reason\n1\n")
        self.assertEqual(values, {"from_object_id": "1", "to_object_id": "", "reason": ""})

    def test_cells_beyond_the_columns_are_told_if_anything_stands_there(self) -> None:
        self.assertNotIn(EXTRA_CELLS, self.values("1,2\n3,4,,,\n")[1])
        self.assertEqual(self.values("1,2\n3,4,x,y\n")[1][EXTRA_CELLS], "2")

    def test_a_type_that_the_name_of_a_column_says(self) -> None:
        [values] = self.values("contact_id,company_id\n1,2\n")
        self.assertEqual(values["from_object_type"], "contacts")
        self.assertEqual(values["to_object_type"], "companies")


class TypeTests(SimpleTestCase):
    def refusal(self, content: str, *given: str) -> tuple[str, str] | None:
        try:
            table_of(content, given=given)
        except FileError as error:
            return error.reason.value, error.facts["field"]
        return None

    def test_somebody_has_to_say_them(self) -> None:
        content = "from_id,to_id\n1,2\n3,4\n"
        self.assertEqual(self.refusal(content), ("no_type", "from_object_type"))
        self.assertEqual(self.refusal(content, "from_object_type"), ("no_type", "to_object_type"))
        self.assertIsNone(self.refusal(content, *CHOSEN))
        self.assertEqual(self.refusal("1,2\n"), ("no_type", "from_object_type"))

    def test_they_may_stand_beside_the_id_of_some_row(self) -> None:
        self.assertIsNone(self.refusal("from_id,to_id\n1,2\ncontact 3,company 4\n"))
        self.assertIsNone(self.refusal("contact 1,company 2\n"))
        self.assertIsNone(self.refusal("from_id,to_id\nx,\n"))
        self.assertIsNone(self.refusal("reason,from_id,to_id\nalone\n"))


class LazyTests(TestCase):
    def test_the_rest_of_a_file_is_checked_while_it_is_read(self) -> None:
        table = table_of(HEADER + "1,2\n" * 50 + '3,"4\n', given=CHOSEN)
        numbers = []
        with self.assertRaises(FileError):
            numbers.extend(record.number for record in table)
        self.assertEqual(numbers, [*range(1, 51)])
