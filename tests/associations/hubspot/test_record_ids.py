from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.record_references import (
    OF_THE_DIGITS,
    Reason,
    RecordIdError,
    is_record_id,
    read_record_id,
)
from tests.generated import examples


class RecordIdTests(TestCase):
    def test_1_to_20_digits_are_an_id(self) -> None:
        for text in ("1", "501", "9" * 20):
            with self.subTest(text):
                self.assertEqual(read_record_id(text), text)

    def test_spaces_around_it_are_trimmed(self) -> None:
        self.assertEqual(read_record_id(" \t501\r\n"), "501")
        self.assertEqual(read_record_id("\u00a0501\u2003"), "501")

    def test_what_is_not_an_id_is_told_apart(self) -> None:
        for text, reason in {
            "": Reason.NOT_DIGITS,
            "abc": Reason.NOT_DIGITS,
            "50 1": Reason.NOT_DIGITS,
            "-501": Reason.NOT_DIGITS,
            "501.0": Reason.NOT_DIGITS,
            "5\0": Reason.NOT_DIGITS,
            "²": Reason.NOT_DIGITS,
            "https://app.hubspot.com/contacts/1/record/0-1/501": Reason.NOT_DIGITS,
            "\uff15\uff10\uff11": Reason.NOT_PLAIN_DIGITS,  # full-width
            "\u0665": Reason.NOT_PLAIN_DIGITS,  # Arabic
            "0": Reason.ZERO,
            "0501": Reason.LEADING_ZERO,
            "0" * 25: Reason.ZERO,
            "1" * 21: Reason.TOO_LONG,
        }.items():
            with self.subTest(text), self.assertRaises(RecordIdError) as raised:
                read_record_id(text)
            with self.subTest(text):
                self.assertEqual(raised.exception.reason, reason)
                self.assertIn(reason, OF_THE_DIGITS)

    def test_how_long_it_is_is_told(self) -> None:
        with self.assertRaises(RecordIdError) as raised:
            read_record_id("1" * 21)
        self.assertEqual(raised.exception.facts, {"length": 21})

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
            self.assertIn(error.reason, OF_THE_DIGITS)
