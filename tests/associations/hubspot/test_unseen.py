import unicodedata
from unittest import TestCase

from hypothesis import given

from associations.hubspot.sanitizing import clean, json_object, parse_moment
from associations.hubspot.unseen import bare, unseen_in, visible, without_unseen
from tests.generated import ANY_TEXT, examples

# Texts that somebody writes, and which are other ones without their marks.
KEPT = (
    "Ada Byron",
    "a tab\tand a line\nbreak\r\n",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
    "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner
    "\U0001f469\u200d\U0001f4bb",  # a woman at a computer
    "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire
    "\U0001f44d\U0001f3fd\u200d\U0001f44d",
    "1\ufe0f\u20e3",  # the key of a telephone
    "\u845b\U000e0100\u57ce",  # Katsuragi, as the town writes itself
    "\u05d0\u05d1 abc \u0627\u0644",  # two directions, by nobody's mark
    "\ue000 \u00a0\u3000",
)
# A text, what is told of it, and what is left.
UNSEEN = (
    ("Ada \u202enoryB", ["U+202E"], "Ada noryB"),
    ("pay\u200dpal \u200c", ["U+200D", "U+200C"], "paypal "),
    ("\u2066a\u2069\u200e\u200f\u061c", ["U+2066", "U+2069", "U+200E", "U+200F", "U+061C"], "a"),
    ("a\u200bb\u2060\ufeff\u00ad", ["U+200B", "U+2060", "U+FEFF", "U+00AD"], "ab"),
    ("a\U000e0041\U000e007f", ["U+E0041", "U+E007F"], "a"),
    ("\x00\x07\x1b[31m\x7f\x85", ["U+0000", "U+0007", "U+001B", "U+007F", "U+0085"], "[31m"),
    ("a\u2028b\u2029", ["U+2028", "U+2029"], "ab"),
    ("\u3164\u115f\uffa0\u034f", ["U+3164", "U+115F", "U+FFA0", "U+034F"], ""),
    ("x\ufe00\ufe01\ufe0f", ["U+FE01", "U+FE0F"], "x\ufe00"),
    (" \ufe0f", ["U+FE0F"], " "),
    ("\ud800\ufff9\uffff", ["U+D800", "U+FFF9", "U+FFFF"], ""),
    ("\u200c\u0645\u06cc\u200c", ["U+200C"], "\u0645\u06cc"),
)


class UnseenTests(TestCase):
    def test_what_is_written_so_stays(self) -> None:
        for text in KEPT:
            with self.subTest(ascii(text)):
                self.assertEqual(unseen_in(text), [])
                self.assertEqual((visible(text), without_unseen(text)), (text, text))

    def test_what_cannot_be_seen_is_named_or_taken_out(self) -> None:
        for text, names, rest in UNSEEN:
            with self.subTest(ascii(text)):
                self.assertEqual(unseen_in(text), names)
                self.assertEqual(without_unseen(text), rest)
                for name in names:
                    self.assertIn(f"⟨{name}⟩", visible(text))

    @examples(300)
    @given(ANY_TEXT)
    def test_of_any_text_nothing_is_left_that_turns_or_hides(self, text: str) -> None:
        for made in (visible(text), without_unseen(text)):
            self.assertEqual(unseen_in(made), unseen_in(without_unseen(made)))
            kinds = {unicodedata.bidirectional(each) for each in made}
            self.assertFalse(kinds & {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI"})
        self.assertEqual(visible(visible(text)), visible(text))

    def test_around_an_id_it_is_nothing(self) -> None:
        self.assertEqual(bare("\u202a'\ufeff501\u200e "), "501")

    def test_a_formula_that_keeps_a_number_a_text_is_that_text(self) -> None:
        self.assertEqual(bare(' ="106738123456" '), "106738123456")
        for formula in ('="1"&"2"', "=501", '="501', '"501"'):
            self.assertEqual(bare(formula), formula)


class AnswerTests(TestCase):
    def test_hubspots_words_name_it(self) -> None:
        body = '{"message": "no \\u202edrocer", "\\u200bkey": ["\\u0007", "raw \u202e"]}'
        expected = {"message": "no ⟨U+202E⟩drocer", "⟨U+200B⟩key": ["⟨U+0007⟩", "raw ⟨U+202E⟩"]}
        self.assertEqual(json_object(body), expected)
        self.assertEqual(clean("raw \u202e\x9b", "token"), "raw ⟨U+202E⟩⟨U+009B⟩")

    def test_numbers_and_times_are_those_that_the_log_takes(self) -> None:
        body = f'{{"a": [1e400, {"9" * 301}, -{"9" * 4000}, {"9" * 300}, true]}}'
        self.assertEqual(json_object(body), {"a": [None, None, None, int("9" * 300), True]})
        body = '{"a": [1e305, -1e31, 1e-299, 0.0, -1.5e30, 1e-30, 279.0]}'
        self.assertEqual(
            json_object(body), {"a": [None, None, None, 0.0, None, 1e-30, 279.0]}, "written out"
        )
        for year, is_taken in (("1999", False), ("2000", True), ("2199", True), ("2200", False)):
            self.assertEqual(parse_moment(f"{year}-06-01T00:00:00Z") is not None, is_taken, year)
