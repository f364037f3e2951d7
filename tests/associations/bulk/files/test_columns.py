from django.test import SimpleTestCase

from associations.bulk.files.columns import (
    Layout,
    fitting_columns,
    has_header_in,
    layout_of,
    likely_meanings,
)
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import FIELDS
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from tests.associations.bulk.files.files import TYPES, car


def layout(row: str, types: TypeChoices = TYPES) -> Layout:
    return layout_of(row.split(","), types.resolve)


def order(row: str, types: TypeChoices = TYPES) -> str:
    """The columns in short, in their order: `from_object_id` is `from id`."""
    columns = layout(row, types).columns
    names = sorted(columns, key=columns.get)
    return ", ".join(name.replace("_object_", " ") for name in names)


class HeaderTests(SimpleTestCase):
    def test_all_in_the_standard_order(self) -> None:
        expected = "from type, from id, to type, to id, reason"
        for row in (
            "from_object_type,from_object_id,to_object_type,to_object_id,reason",
            "From Type,From ID,To Type,To ID,Reason",
            "FROM-TYPE,FROM-ID,TO-TYPE,TO-ID,WHY",
            "fromObjectType,fromObjectId,toObjectType,toObjectId,comment",
            "Source type,Source,Target type,Target,Note",
            "source object,source record,destination object,destination record,Comments",
            "From record type,From record,To record type,To record,Reason",
            " from  type ,\u200bfrom\u00a0id,to.type,to id:,\ufeffreason",
            "object type 1,object id 1,object type 2,object id 2,notes",
            "\uff26\uff32\uff2f\uff2d type,from id,to type,to id,reason",
            "関連付け元のタイプ,関連付け元のID,関連付け先のタイプ,関連付け先のID,理由",
            "関連付け元のオブジェクトタイプ,関連付け元,関連付け先のオブジェクトタイプ,関連付け先,備考",
            "元のタイプ,元のレコードID,先のタイプ,先のレコードID,メモ",
            "元タイプ,元\uff29\uff24,先タイプ,先ID,コメント",
            "リンク元の種類,リンク元ID,リンク先の種類,リンク先ID,理由",
        ):
            with self.subTest(row):
                self.assertEqual(order(row), expected)
                self.assertTrue(layout(row).has_header)

    def test_any_order_and_columns_that_nobody_knows(self) -> None:
        found = layout("Reason,Owner,To ID,From ID,, Created ")
        self.assertEqual(found.columns, {"reason": 0, "to_object_id": 2, "from_object_id": 3})
        self.assertEqual((found.unused, found.width), (("Owner", "Created"), 6))

    def test_our_own_columns_are_no_unused_ones(self) -> None:
        self.assertEqual(layout("Line,from_id,to_id,PROBLEM").unused, ())

    def test_fields_have_synonyms_that_no_other_field_has(self) -> None:
        self.assertEqual(order(",".join(FIELDS)).count(","), 4)


class TypedTests(SimpleTestCase):
    def test_a_name_that_says_the_type_as_well(self) -> None:
        for row, types in {
            "contact_id,company_id": ("contacts", "companies"),
            "Company ID,Contact IDs": ("companies", "contacts"),
            "Deal record ID,Ticket URL": ("deals", "tickets"),
            "Record ID - Contact,Record ID (Company)": ("contacts", "companies"),
            "name,contact id,x,line item id": ("contacts", "0-8"),
            "コンタクトID,会社のID": ("contacts", "companies"),
            "Contact,Company": ("contacts", "companies"),
            "2-4001 id,contact_id": ("2-4001", "contacts"),
            "contact_id,contacts_id": ("contacts", "contacts"),
        }.items():
            with self.subTest(row):
                found = layout(row)
                self.assertEqual(order(row), "from id, to id")
                self.assertEqual(
                    (found.types["from_object_type"], found.types["to_object_type"]), types
                )

    def test_custom_objects_too(self) -> None:
        types = TypeChoices([*standard_choices(), TypeChoice(car(), "Car")])
        found = layout("car id,contact id", types)
        self.assertEqual(found.types["from_object_type"], "2-4001")

    def test_it_stands_for_the_side_that_no_other_column_names(self) -> None:
        for row, expected in {
            "from_id,company_id": ("from id, to id", {"to_object_type": "companies"}),
            "to_id,company_id": ("to id, from id", {"from_object_type": "companies"}),
            "from type,from id,company id": (
                "from type, from id, to id",
                {"to_object_type": "companies"},
            ),
        }.items():
            with self.subTest(row):
                self.assertEqual((order(row), layout(row).types), expected)

    def test_it_is_only_a_column_where_both_sides_are_named(self) -> None:
        found = layout("from_id,to_id,ticket_id,Company")
        self.assertEqual((found.types, found.unused), ({}, ("ticket_id", "Company")))
        self.assertEqual(layout("contact_id,company_id,Deal,Ticket").unused, ("Deal", "Ticket"))


class ValuesTests(SimpleTestCase):
    """Columns whose names say too little, with what stands below."""

    def places(self, head: str, *rows: str) -> list[int]:
        found = layout_of(head.split(","), TYPES.resolve, [row.split(",") for row in rows])
        return [found.columns["from_object_id"], found.columns["to_object_id"]]

    def test_the_one_column_of_addresses(self) -> None:
        self.assertEqual(self.places("Firma,Mitglied", "Harbour Ltd,a@x.example"), [0, 1])

    def test_an_address_of_somebody_else_is_nobody_s(self) -> None:
        for name in (
            "Betreuer E-Mail",
            "E-mail du propriétaire",
            "担当者のメール",
            "Owner",
            "Account manager",
            "Partner E-Mail",
            "",
        ):
            with self.subTest(name), self.assertRaises(FileError):
                self.places(f"Domain,Wer,{name}", "x.example,Ada,a@y.example")

    def test_of_two_columns_of_addresses_nobody_knows_which(self) -> None:
        with self.assertRaises(FileError):
            self.places("Domain,Wer,Wen", "x.example,b@y.example,a@y.example")

    def test_a_reason_that_is_called_as_a_type_is(self) -> None:
        self.assertEqual(
            self.places("Eメール,メモ,会社のドメイン名", "a@x.example,,x.example"), [0, 2]
        )
        self.assertEqual(self.places("Dealname,Grund,Unternehmensdomain", "A,b,x.example"), [0, 2])


class FirstRowTests(SimpleTestCase):
    """Whether the first row is one of data: one that is taken for names would be lost."""

    def has_header(self, first: str, *rows: str) -> bool:
        sample = [row.split("|") for row in rows]
        return has_header_in(first.split("|"), TYPES.resolve, sample)

    def test_data(self) -> None:
        for first in (
            "Harbour Ltd|600001",
            "6,000,046|p\uff20x.example",
            "#N/A|600001; 600002|because",
        ):
            with self.subTest(first):
                self.assertFalse(self.has_header(first, "Pier Ltd|600002"))
        self.assertFalse(self.has_header('x.example|"A, B" <p@x.example>', "y.example|q@x.example"))
        self.assertFalse(self.has_header("Ada Byron|\u2013", "Grace Pier|x.example"))
        self.assertFalse(self.has_header("Ada Byron|Harbour Ltd", "Grace Pier|Pier Ltd"))

    def test_names(self) -> None:
        for first in ("Kunde|Firma", "Cliente|Azienda", "Cliente|Note"):
            with self.subTest(first):
                self.assertTrue(self.has_header(first, "600001|600002"))
        self.assertTrue(self.has_header("Contact|Azienda", "Ada Byron|Pier Ltd"))


class WithoutHeaderTests(SimpleTestCase):
    def test_by_how_many_there_are(self) -> None:
        for row, expected in {
            "501,902": "from id, to id",
            "501,902,because": "from id, to id, reason",
            "501,902,": "from id, to id, reason",
            "contact,501,company,902": "from type, from id, to type, to id",
            "contact,501,company,902,because": "from type, from id, to type, to id, reason",
            "contact,501,company,902,because,,,": "from type, from id, to type, to id, reason",
            "501,902,Reason": "from id, to id, reason",
            "foo,501,bar,902": "from type, from id, to type, to id",
            "contact 501,company #902": "from id, to id",
            "https://app.hubspot.com/contacts/4242/record/0-1/501,902": "from id, to id",
            "/contacts/4242/contact/501,app-eu1.hubspot.com/x": "from id, to id",
            "コンタクト 501,会社 902": "from id, to id",
            "'501,1.5E+11": "from id, to id",
            "\uff15\uff10\uff11,-7": "from id, to id",
        }.items():
            with self.subTest(row):
                self.assertEqual(order(row), expected)
                self.assertFalse(layout(row).has_header)


class RefusedTests(SimpleTestCase):
    def refusal(self, row: str) -> tuple[FileReason, dict]:
        with self.assertRaises(FileError) as raised:
            layout(row)
        return raised.exception.reason, raised.exception.facts

    def test_a_needed_column_that_is_missing(self) -> None:
        for row, field in {
            "from_id,foo": "to_object_id",
            "From type,From ID,To type,Reason": "to_object_id",
            "to id,from type": "from_object_id",
            "contact_id,name": "to_object_id",
            "note,contact": "to_object_id",
        }.items():
            with self.subTest(row):
                expected = {"field": field, "found": ", ".join(row.split(","))}
                self.assertEqual(self.refusal(row), (FileReason.MISSING_COLUMN, expected))

    def test_both_missing(self) -> None:
        for row in (
            "name,first name",
            "from|to",
            "a",
            "reason,type",
            "501;902",
            "Subject: Hello",
            "note 1",
        ):
            with self.subTest(row):
                expected = {"found": ", ".join(row.split(","))}
                self.assertEqual(self.refusal(row), (FileReason.MISSING_COLUMNS, expected))

    def test_records_in_no_known_order(self) -> None:
        for row in (
            "1,2,3,4,5,6",
            "501,902,x,y",
            "contact 501,company 902,because,yes,z,z",
            "contact,501,company,902,x,y",  # not the names of two columns
            "note,501,902,x,y,z",
            "501,80331,902",  # a zip code in between, or a ticket's number behind
            "anna@example.com,example.com,x,y",
            "anna@example.com,Anna,Example Ltd",
        ):
            with self.subTest(row):
                self.assertEqual(self.refusal(row)[0], FileReason.NO_HEADER)

    def test_two_that_mean_the_same(self) -> None:
        for row, field in {
            "source id,source_id,to id": "from_object_id",
            "From,To,Target": "to_object_id",
            "from id,to id,reason,why": "reason",
            "type 1,from type,from id,to id": "from_object_type",
            "contact_id,contact id": "from_object_id",
            "from type,contact_id,company_id": "from_object_type",
        }.items():
            with self.subTest(row):
                reason, facts = self.refusal(row)
                self.assertEqual((reason, facts["field"]), (FileReason.DOUBLE_COLUMN, field))

    def test_more_than_two_that_name_a_record(self) -> None:
        for row in ("contact_id,company_id,deal_id", "from_id,company_id,deal_id"):
            with self.subTest(row):
                self.assertEqual(self.refusal(row)[0], FileReason.TOO_MANY_RECORDS)

    def test_sides_beside_two_columns_of_records_may_be_dates_or_places(self) -> None:
        rows = {
            "Contact ID,Company ID,From,To": "from_object_id:contacts, to_object_id:companies, , ",
            "Desde,Hasta,Contacto,Empresa": ", , from_object_id:contacts, to_object_id:companies",
            "Kontakt-ID,Von,Nach,Unternehmens-ID": (
                "from_object_id:contacts, , , to_object_id:companies"
            ),
        }
        for row, likely in rows.items():
            with self.subTest(row):
                cells = row.split(",")
                with self.assertRaises(FileError) as raised:
                    layout_of(cells, TYPES.resolve, [["501", "902", "501", "902"]])
                self.assertEqual(raised.exception.reason, FileReason.TOO_MANY_RECORDS)
                self.assertEqual(", ".join(likely_meanings(cells, TYPES.resolve)), likely)
        names = [["501", "902", "Anna", "Example Ltd"]]
        found = layout_of(["From", "To", "Contact", "Company"], TYPES.resolve, names)
        self.assertEqual(found.columns, {"from_object_id": 0, "to_object_id": 1})

    def test_an_amount_is_no_record(self) -> None:
        cells, amounts = ["Contact", "Company", "Tax"], [["501", "902", "19.00"]]
        found = layout_of(cells, TYPES.resolve, amounts)
        self.assertEqual(found.columns, {"from_object_id": 0, "to_object_id": 1})

    def test_what_was_found_is_told_shortened(self) -> None:
        found = self.refusal(",".join(["x" * 100, " a \n b ", "", *"cdefgh"]))[1]["found"]
        self.assertEqual(found, f"{'x' * 40}, a b, c, d, e, f, g, …")


class HostileTests(SimpleTestCase):
    def test_names_that_would_take_a_regular_expression_long(self) -> None:
        for name in (
            "_" * 60_000,
            "record" * 10_000,
            " -" * 30_000,
            "1" * 60_000,
            "\ufdfa" * 20_000,
        ):
            with self.subTest(name[:6]):
                self.assertEqual(fitting_columns([name, name], TYPES.resolve) % 2, 0)
