from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.record_ids import RecordIdError, is_record_id, read_record_id
from associations.hubspot.record_urls import record_url
from tests.generated import examples

UI_URL = "https://app.hubspot.com"


class RecordIdTests(TestCase):
    def test_1_to_20_digits_are_an_id(self) -> None:
        for text in ("1", "501", "9" * 20):
            with self.subTest(text):
                self.assertEqual(read_record_id(text), text)

    def test_spaces_around_it_are_trimmed(self) -> None:
        self.assertEqual(read_record_id(" \t501\r\n"), "501")
        self.assertEqual(read_record_id("\u00a0501\u2003"), "501")

    def test_what_is_not_an_id_is_told_apart(self) -> None:
        for text, message in {
            "": "digits only",
            "abc": "digits only",
            "50 1": "digits only",
            "-501": "digits only",
            "501.0": "digits only",
            "5\0": "digits only",
            "²": "digits only",
            "https://app.hubspot.com/contacts/1/record/0-1/501": "digits only",
            "\uff15\uff10\uff11": "plain digits",  # full-width
            "\u0665": "plain digits",  # Arabic
            "0": "No record has the id 0",
            "0501": "does not start with 0",
            "0" * 25: "No record has the id 0",
            "1" * 21: "at most 20 digits; this one has 21",
        }.items():
            with self.subTest(text), self.assertRaisesRegex(RecordIdError, message):
                read_record_id(text)

    def test_the_strict_form_allows_nothing_around_the_digits(self) -> None:
        self.assertTrue(is_record_id("501"))
        for text in ("501\n", " 501", "0501", "", "1" * 21, "\uff15"):
            with self.subTest(text):
                self.assertFalse(is_record_id(text))

    @examples(200)
    @given(st.text() | st.text(st.characters(categories=["Nd"])) | st.from_regex(r"\s*\d+\s*"))
    def test_whatever_is_read_is_an_id_in_its_strict_form(self, text: str) -> None:
        try:
            self.assertTrue(is_record_id(read_record_id(text)))
        except RecordIdError as error:
            self.assertTrue(str(error))


class RecordUrlTests(TestCase):
    def test_a_record_in_hubspots_pages(self) -> None:
        expected = "https://app.hubspot.com/contacts/4242/record/0-1/501"
        for ui_url in (UI_URL, UI_URL + "/"):
            self.assertEqual(record_url(ui_url, "4242", "contacts", "501"), expected)
        self.assertTrue(record_url(UI_URL, "4242", "2-4001", "41").endswith("/record/2-4001/41"))

    def test_none_without_a_portal_or_without_the_id_of_the_type(self) -> None:
        self.assertEqual(record_url(UI_URL, "", "contacts", "501"), "")
        self.assertEqual(record_url(UI_URL, "4242", "p_car", "41"), "")
        self.assertEqual(record_url(UI_URL, "4242", "0-9999", "41"), "")
