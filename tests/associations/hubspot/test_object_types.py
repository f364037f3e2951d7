import re
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot import object_types
from associations.hubspot.object_types import (
    CATALOGUE,
    UnknownObjectTypeError,
    is_exact,
    label_of,
    resolve,
)
from tests.generated import examples

SAFE_IN_A_PATH = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class CatalogueTests(TestCase):
    def test_the_promised_names_are_sent_by_name_and_every_other_type_by_its_id(self) -> None:
        by_name = {t.canonical for t in CATALOGUE if t.canonical != t.type_id}
        self.assertEqual(by_name, {"contacts", "companies", "deals", "tickets", "notes"})

    def test_no_two_types_share_an_id_or_a_name(self) -> None:
        for attribute in ("type_id", "canonical", "label", "plural"):
            with self.subTest(attribute):
                values = {getattr(t, attribute).lower() for t in CATALOGUE}
                self.assertEqual(len(values), len(CATALOGUE))

    def test_the_ids_that_hubspot_publishes(self) -> None:
        published = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5"}
        published |= {"notes": "0-46", "line items": "0-8", "leads": "0-136", "projects": "0-970"}
        for name, type_id in published.items():
            with self.subTest(name):
                self.assertEqual(resolve(name).type_id, type_id)

    def test_every_type_is_found_by_each_of_its_names(self) -> None:
        for object_type in CATALOGUE:
            for name in (
                object_type.type_id,
                object_type.canonical,
                object_type.label,
                object_type.plural,
                object_type.label.upper().replace(" ", "_"),
                object_type.plural.lower().replace(" ", "-"),
                f"  {object_type.label.lower()}\t",
            ):
                with self.subTest(name):
                    self.assertIs(resolve(name), object_type)


class ResolveTests(TestCase):
    def test_other_words_that_people_use(self) -> None:
        for word, label in {
            "people": "Contact",
            "Person": "Contact",
            "e-mail": "Email",
            "GOAL_TARGET": "Goal",
        }.items():
            with self.subTest(word):
                self.assertEqual(resolve(word).label, label)

    def test_no_name_is_remembered_that_is_longer_than_any(self) -> None:
        before = object_types._remembered.cache_info().currsize
        for number in range(20):
            self.assertEqual(resolve(f"line{'-' * (1_000 + number)}item").label, "Line item")
        self.assertEqual(object_types._remembered.cache_info().currsize, before)

    def test_a_custom_object_by_its_id(self) -> None:
        for text in ("2-4001", " 2-4001\n", "2-1"):
            with self.subTest(text):
                found = resolve(text)
                self.assertEqual(found.canonical, text.strip())
                self.assertEqual(found.type_id, text.strip())

    def test_a_custom_object_by_its_name_whose_letters_keep_their_case(self) -> None:
        for text, canonical in {
            "p_car": "p_car",
            "P_Car": "p_Car",
            "p4242_Car_2": "p4242_Car_2",
            "p_contacts": "p_contacts",
            "p_roduct": "p_roduct",  # without its underscore that were a product
        }.items():
            with self.subTest(text):
                found = resolve(text)
                self.assertEqual((found.canonical, found.type_id), (canonical, ""))

    def test_anything_else_is_unknown(self) -> None:
        for text in (
            *("", " ", "-", "_", "foo", "contact s!", "01", "0 1", "0-", "0-9999", "1-1"),
            *("2-", "2-0", "2-01", "2-4001/..", "2-４００１", "2-" + "9" * 20),  # noqa: RUF001
            *("p_", "p4242", "p_1car", "p_c\u00e4r", "p_a b", "p_" + "a" * 101, "p_x/../y"),
            *("0-1 4", "0 -1", "0- 1", "0_-1", "0-1_4"),  # not the quotes' 0-14
            *("..", "contacts/..", "contacts\0", "contacts?x", "ｃontacts"),  # noqa: RUF001
        ):
            with self.subTest(text), self.assertRaises(UnknownObjectTypeError):
                resolve(text)

    @examples(200)
    @given(st.text() | st.from_regex(r"\s*([pP][0-9]{0,3}_|[0-2]-)[A-Za-z0-9_ -]{0,9}\s*"))
    def test_what_comes_back_is_safe_in_a_url_and_resolves_to_itself(self, text: str) -> None:
        try:
            found = resolve(text)
        except UnknownObjectTypeError:
            return
        self.assertTrue(SAFE_IN_A_PATH.fullmatch(found.canonical))
        self.assertEqual(resolve(found.canonical), found)

    def test_an_error_names_what_it_could_be(self) -> None:
        self.assertEqual(UnknownObjectTypeError("van", iter(["A", "B"])).candidates, ("A", "B"))
        self.assertEqual(UnknownObjectTypeError("van").candidates, ())

    def test_what_can_only_be_an_id_or_the_name_of_a_custom_object(self) -> None:
        for text in ("0-1", "0-9999", "2-4001", "9-9", "p_car", "P4242_Car"):
            with self.subTest(text):
                self.assertTrue(is_exact(text))
        for text in ("contact", "Car", "01", "0-1 ", "p", "0-1-2", "0-\uff11"):
            with self.subTest(text):
                self.assertFalse(is_exact(text))


class LabelTests(TestCase):
    def test_a_stored_type_is_shown_by_its_label(self) -> None:
        self.assertEqual(label_of("contacts"), "Contact")
        self.assertEqual(label_of("0-8"), "Line item")
        self.assertEqual(label_of("2-4001"), "2-4001")
        self.assertEqual(label_of("p_car"), "p_car")

    def test_a_type_that_is_not_known_is_shown_as_it_is_stored(self) -> None:
        self.assertEqual(label_of("0-9999"), "0-9999")
