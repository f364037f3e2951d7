import ast
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import TestCase

from django.conf import settings
from django.test import SimpleTestCase, override_settings
from django.utils import translation
from django.utils.translation import gettext

from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot import object_types
from associations.hubspot.object_types import CATALOGUE, ObjectType, UnknownObjectTypeError, resolve


def custom(type_id: str, label: str, plural: str = "") -> TypeChoice:
    return TypeChoice(ObjectType(type_id, type_id, label, plural or f"{label}s"), label)


def choices(*added: TypeChoice, **translated: str) -> TypeChoices:
    """HubSpot's types, some of them under another label, and a company's own."""
    standard = [TypeChoice(each, translated.get(each.canonical, each.label)) for each in CATALOGUE]
    return TypeChoices([*standard, *added])


@contextmanager
def catalogue(language: str, words: dict[str, str]) -> Iterator[None]:
    """A catalogue of these words alone, in gettext's binary form, instead of the project's."""
    words = dict(sorted(({"": "Content-Type: text/plain; charset=UTF-8\n"} | words).items()))
    tables, texts = b"", b""
    start = 28 + 16 * len(words)
    for text in [*words, *words.values()]:
        data = text.encode()
        tables += struct.pack("<2I", len(data), start + len(texts))
        texts += data + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(words), 28, 28 + 8 * len(words), 0, 0)
    with tempfile.TemporaryDirectory() as directory, override_settings(LOCALE_PATHS=[directory]):
        path = Path(directory, language, "LC_MESSAGES", "django.mo")
        path.parent.mkdir(parents=True)
        path.write_bytes(header + tables + texts)
        yield


class TypeChoicesTestCase(SimpleTestCase):
    def assert_named(self, types: TypeChoices, expected: dict[str, str]) -> None:
        for text, canonical in expected.items():
            with self.subTest(text):
                self.assertEqual(types.resolve(text).canonical, canonical)

    def candidates(self, types: TypeChoices, text: str) -> tuple[str, ...]:
        with self.assertRaises(UnknownObjectTypeError) as raised:
            types.resolve(text)
        return raised.exception.candidates


class ResolveTests(TypeChoicesTestCase):
    def test_no_length_keeps_anybody_waiting(self) -> None:
        start = time.process_time()
        self.assertEqual(self.candidates(choices(), "\u0300\u0316" * 50_000), ())
        self.assertLess(time.process_time() - start, 2)

    def test_hubspots_own_by_every_name_they_have(self) -> None:
        types = standard_choices()
        for each in CATALOGUE:
            for text in (each.type_id, each.canonical, each.label.upper(), f" {each.plural}\t"):
                with self.subTest(text):
                    self.assertIs(types.resolve(text), each)
        self.assert_named(types, {"people": "contacts", "LINE_ITEM": "0-8"})

    def test_a_translated_label_and_the_english_ones(self) -> None:
        types = choices(contacts="Kontakt", deals="Geschäft")
        self.assert_named(types, {"Kontakt": "contacts", "contact": "contacts"})
        self.assert_named(types, {"GESCHÄFT": "deals", "Gescha\u0308ft": "deals", "Deals": "deals"})

    def test_a_custom_object_by_label_plural_or_id_in_any_case(self) -> None:
        car = custom("2-4001", "Leih Wagen", "Leih-Wägen")
        types = choices(car)
        for text in ("Leih Wagen", " leih  WAGEN", "leih-wägen", "2-4001", " 2-4001 "):
            with self.subTest(text):
                self.assertIs(types.resolve(text), car.object_type)

    def test_capitals_that_are_written_otherwise(self) -> None:
        self.assert_named(choices(custom("2-1", "Straße")), {"STRASSE": "2-1"})

    def test_one_that_is_not_on_offer_by_its_id(self) -> None:
        self.assert_named(choices(), {"2-9": "2-9", "p_car": "p_car", "P_car": "p_car"})
        self.assertIs(TypeChoices([]).resolve("contact"), resolve("contact"))

    def test_what_is_unknown(self) -> None:
        for text in ("", " ", "foo", "Kontakt", "0-9999"):
            with self.subTest(text):
                self.assertEqual(self.candidates(choices(), text), ())

    def test_digits_in_a_label_are_not_drawn_together(self) -> None:
        types = choices(custom("2-1", "Car 25"))
        self.assertEqual(self.candidates(types, "Car 2 5"), ())


class LabelTests(TypeChoicesTestCase):
    def test_they_come_in_the_order_given(self) -> None:
        given = [custom("2-2", "B"), custom("2-1", "A"), TypeChoice(resolve("deal"), "Deal", False)]
        self.assertEqual([*TypeChoices(given)], given)

    def test_labels_for_stored_types(self) -> None:
        types = choices(custom("2-4001", "Car"), contacts="Kontakt")
        for canonical, label in {
            "contacts": "Kontakt",
            "2-4001": "Car",
            "companies": "Company",
            "2-9": "2-9",
            "0-9999": "0-9999",
        }.items():
            with self.subTest(canonical):
                self.assertEqual(types.label_of(canonical), label)
        self.assertEqual(TypeChoices([]).label_of("contacts"), "Contact")

    def test_two_custom_objects_called_alike(self) -> None:
        types = choices(custom("2-1", "Van"), custom("2-2", "van"))
        labels = [each.label for each in types if each.object_type.canonical.startswith("2-")]
        self.assertEqual(labels, ["Van (2-1)", "van (2-2)"])
        self.assert_named(types, {"Van (2-1)": "2-1", "VAN (2-2)": "2-2", "2-1": "2-1"})
        for text in ("van", "Vans"):
            with self.subTest(text):
                self.assertEqual(self.candidates(types, text), ("Van (2-1)", "van (2-2)"))

    def test_one_called_as_a_type_of_hubspot_in_either_language(self) -> None:
        types = choices(
            custom("2-1", "Kontakt"),
            custom("2-2", "contact"),
            custom("2-3", "Contacts", "Many"),
            contacts="Kontakt",
        )
        labels = [types.label_of(each) for each in ("contacts", "2-1", "2-2", "2-3")]
        expected = ["Kontakt", "Kontakt (2-1)", "contact (2-2)", "Contacts (2-3)"]
        self.assertEqual(labels, expected)
        self.assert_named(types, dict.fromkeys(["Kontakt", "Contact", "contacts"], "contacts"))
        self.assert_named(types, {"kontakt (2-1)": "2-1", "Many": "2-3"})

    def test_one_called_as_a_further_word_of_hubspots_is_meant_by_its_label(self) -> None:
        types = choices(custom("2-1", "Person", "People"))
        self.assertEqual(types.label_of("2-1"), "Person")
        self.assert_named(types, {"person": "2-1", "people": "2-1", "contact": "contacts"})

    def test_one_called_as_the_id_or_name_of_another_is_never_meant_by_it(self) -> None:
        for label in ("0-1", "2-77", "p_car"):
            with self.subTest(label):
                types = choices(custom("2-1", label))
                self.assertEqual(types.label_of("2-1"), f"{label} (2-1)")
                self.assertEqual(types.resolve(label), resolve(label))
                self.assert_named(types, {f"{label} (2-1)": "2-1"})

    def test_one_without_a_label(self) -> None:
        types = choices(custom("2-1", " ", " "))
        self.assert_named(types, {types.label_of("2-1"): "2-1"})
        self.assertEqual(self.candidates(types, " "), ())

    def test_two_types_of_hubspot_that_a_translation_calls_alike(self) -> None:
        types = choices(**{"0-47": "Termin", "0-421": "Termin"})
        self.assertEqual(types.label_of("0-47"), "Termin (0-47)")
        self.assertEqual(self.candidates(types, "termin"), ("Termin (0-47)", "Termin (0-421)"))
        self.assert_named(types, {"Termin (0-421)": "0-421", "meeting": "0-47"})

    def test_every_label_shown_means_its_own_type(self) -> None:
        types = choices(
            custom("2-1", "Van"),
            custom("2-2", "Van"),
            custom("2-3", "Vans"),
            custom("2-4", "Deal"),
            custom("2-5", "Person"),
            custom("2-6", "2-1"),
            contacts="Deals",
        )
        shown = [each.label for each in types]
        self.assertEqual(len(set(shown)), len(shown))
        self.assert_named(types, {each.label: each.object_type.canonical for each in types})

    def test_what_is_switched_off_stays_so_under_its_longer_label(self) -> None:
        off = TypeChoice(ObjectType("2-1", "2-1", "Deal", "Deals"), "Deal", is_enabled=False)
        *_, last = choices(off)
        self.assertEqual((last.label, last.is_enabled), ("Deal (2-1)", False))


class LanguageTests(TypeChoicesTestCase):
    def test_in_each_language_every_label_and_plural_means_one_type(self) -> None:
        for language, _ in settings.LANGUAGES:
            with translation.override(language):
                types = standard_choices()
                for each in CATALOGUE:
                    label = gettext(each.label)
                    with self.subTest(label, language=language):
                        self.assertEqual(types.label_of(each.canonical), label)
                        self.assert_named(types, {label: each.canonical})
                        self.assert_named(types, {gettext(each.plural): each.canonical})

    def test_english_is_understood_in_japanese(self) -> None:
        with translation.override("ja"):
            types = standard_choices()
        self.assertNotEqual(types.label_of("contacts"), "Contact")
        for each in CATALOGUE:
            self.assert_named(types, dict.fromkeys([each.label, each.plural], each.canonical))

    def test_each_language_is_understood_in_every_other(self) -> None:
        with translation.override("ja"):
            japanese = {gettext(each.label): each.canonical for each in CATALOGUE}
        with translation.override("en"):
            self.assert_named(standard_choices(), japanese)

    def test_a_languages_word_for_many_is_understood(self) -> None:
        """In a language that has one, unlike Japanese."""
        words = {"Contact": "Kontakt", "Contacts": "Kontakte"}
        with catalogue("ja", words), translation.override("ja"):
            self.assert_named(standard_choices(), dict.fromkeys(words.values(), "contacts"))


class TranslationTests(TestCase):
    def test_every_label_stands_where_translators_find_it(self) -> None:
        tree = ast.parse(Path(object_types.__file__).read_text(encoding="utf-8"))
        marked = {
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "gettext_noop"
        }
        labels = {label for each in CATALOGUE for label in (each.label, each.plural)}
        self.assertEqual(marked, labels)
