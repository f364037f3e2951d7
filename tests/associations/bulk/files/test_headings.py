"""Names of columns as people and HubSpot's exports write them, in seven languages."""

from django.test import SimpleTestCase

from associations.bulk.files.columns import (
    Layout,
    layout_of,
    layout_with,
    likely_meanings,
    meanings_of,
)
from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.headings import TypedName, typed_name
from tests.associations.bulk.files.files import TYPES


def layout(names: str, *sample: str) -> Layout:
    return layout_of(names.split(","), TYPES.resolve, [row.split(",") for row in sample])


def said(name: str) -> TypedName | None:
    return typed_name(name, TYPES.resolve)


class TypedNameTests(SimpleTestCase):
    def test_the_ids_of_contacts_and_companies_in_seven_languages(self) -> None:
        for name, expected in {
            "Contact ID": "contacts",
            "Kontakt-ID": "contacts",
            "Datensatz-ID - Kontakt": "contacts",
            "ID du contact": "contacts",
            "ID del contacto": "contacts",
            "ID do contato": "contacts",
            "Contactpersoon-ID": "contacts",
            "コンタクトID": "contacts",
            "レコードID - コンタクト": "contacts",
            "Unternehmens-ID": "companies",
            "ID de l'entreprise": "companies",
            "ID de la empresa": "companies",
            "ID da empresa": "companies",
            "Bedrijf ID": "companies",
            "会社のレコードID": "companies",
            "ID de la transaction": "deals",
            "ID del negocio": "deals",
            "Contact <CONTACT hs_object_id>": "contacts",
            "Record ID <TICKET hs_object_id>": "tickets",
        }.items():
            with self.subTest(name):
                found = said(name)
                self.assertEqual((found.object_type, found.says_id), (expected, True))

    def test_what_the_associated_records_are(self) -> None:
        for name, expected in {
            "Associated Company IDs": ("companies", False),
            "Associated Contact IDs": ("contacts", False),
            "Primary Associated Company ID": ("companies", True),
            "Associated Company IDs (Primary)": ("companies", True),
            "associatedcompanyid": ("companies", False),
            "Zugeordnete Unternehmens-IDs": ("companies", False),
            "関連付けられた会社のID": ("companies", False),
        }.items():
            with self.subTest(name):
                found = said(name)
                self.assertTrue(found.is_associated and found.says_id)
                self.assertEqual((found.object_type, found.is_primary), expected)

    def test_records_of_a_type_that_is_not_said(self) -> None:
        for name in ("Record ID", "hs_object_id", "Datensatz-ID", "ID de registro", "レコードID"):
            with self.subTest(name):
                self.assertEqual(said(name), TypedName("", says_id=True))

    def test_names_that_say_nothing_of_a_record(self) -> None:
        for name in ("", "Name", "First name", "Owner", "Create date", "Straße", "都道府県", "2-"):
            with self.subTest(name):
                self.assertIsNone(said(name))


class HubSpotFileTests(SimpleTestCase):
    def test_an_export_names_its_own_records_first(self) -> None:
        for names, expected in {
            "Record ID,Name,Associated Company IDs": (0, 2, "companies"),
            "Associated Contact IDs,Record ID": (1, 0, "contacts"),
            "hs_object_id,associatedcompanyid": (0, 1, "companies"),
            "Record ID,Primary Associated Company ID": (0, 1, "companies"),
            "Record ID,Associated Company IDs (Primary),Associated Company IDs": (
                *(0, 2),
                "companies",
            ),
        }.items():
            with self.subTest(names):
                found = layout(names, "501,902,903")
                ids = found.columns["from_object_id"], found.columns["to_object_id"]
                self.assertEqual((*ids, found.types["to_object_type"]), expected)
                self.assertNotIn("from_object_type", found.types)

    def test_an_import_file_names_both(self) -> None:
        found = layout("Contact <CONTACT hs_object_id>,Company <COMPANY hs_object_id>", "501,902")
        self.assertEqual(found.types["from_object_type"], "contacts")
        self.assertEqual(found.types["to_object_type"], "companies")

    def test_records_of_two_types_are_for_people_to_choose(self) -> None:
        with self.assertRaises(FileError) as raised:
            layout("Record ID,Associated Company IDs,Associated Deal IDs", "501,902,77")
        self.assertEqual(raised.exception.reason, FileReason.TOO_MANY_RECORDS)


class ByValuesTests(SimpleTestCase):
    def test_of_three_types_those_with_records_below_them(self) -> None:
        found = layout("Contact,Company,Ticket", "501,902,SUP-1", "ada@example.com,byron.example,x")
        self.assertEqual(found.columns, {"from_object_id": 0, "to_object_id": 1, "reason": 2})
        self.assertEqual(found.unused, ())

    def test_a_ticket_with_ids_is_no_reason(self) -> None:
        with self.assertRaises(FileError):
            layout("Contact,Company,Ticket", "501,902,77")
        found = layout("Contact ID,Company ID,Ticket", "501,902,77")
        self.assertEqual((found.unused, "reason" in found.columns), (("Ticket",), False))

    def test_a_reason_that_is_there_stays(self) -> None:
        found = layout("Contact ID,Company ID,Ticket,Grund", "501,902,SUP-1,because")
        self.assertEqual(found.columns["reason"], 3)


class ChosenTests(SimpleTestCase):
    NAMES = ("Kunde", "Firma", "Notiz")

    def chosen(self, *meanings: str) -> Layout:
        return layout_with(self.NAMES, meanings, TYPES.resolve)

    def test_a_layout_and_its_meanings_say_the_same(self) -> None:
        for meanings in (
            ("from_object_id:contacts", "to_object_id:companies", "reason"),
            ("to_object_id", "from_object_id:deals", ""),
            ("from_object_id", "from_object_type", "to_object_id:0-8"),
        ):
            with self.subTest(meanings):
                self.assertEqual(tuple(meanings_of(self.chosen(*meanings))), meanings)

    def test_what_cannot_be(self) -> None:
        for meanings, reason in {
            ("from_object_id", "", "reason"): FileReason.MISSING_COLUMN,
            ("", "", ""): FileReason.MISSING_COLUMNS,
            ("to_object_id", "to_object_id:deals", "from_object_id"): FileReason.DOUBLE_COLUMN,
            ("from_object_id", "to_object_id"): FileReason.OTHER_COLUMNS,
            ("from_object_id:deals", "from_object_type", "to_object_id"): FileReason.DOUBLE_COLUMN,
            ("from_object_type", "to_object_id", "from_object_id:deals"): FileReason.DOUBLE_COLUMN,
        }.items():
            with self.subTest(meanings), self.assertRaises(FileError) as raised:
                self.chosen(*meanings)
            self.assertEqual(raised.exception.reason, reason)

    def test_what_is_proposed_where_not_all_is_understood(self) -> None:
        for names, expected in {
            "Kunde,Company ID,Note": ["", "from_object_id:companies", "reason"],
            "contact id,company id,deal id": [
                *("from_object_id:contacts", "to_object_id:companies", ""),
            ],
            "from id,From-ID,x": ["from_object_id", "", ""],
            "a,b,c": ["", "", ""],
        }.items():
            with self.subTest(names):
                self.assertEqual(likely_meanings(names.split(","), TYPES.resolve), expected)
