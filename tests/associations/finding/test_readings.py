"""What kind of thing a text is, before anybody is asked."""

import time
from unittest import TestCase

from associations.finding.by_words import forms_of
from associations.finding.readings import FREE_MAIL, Kind, Reading, domain_of, read_text
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType, resolve

TYPES = standard_choices()
CONTACTS, COMPANIES = resolve("contacts"), resolve("companies")


def read(text: str, narrowed: ObjectType | None = None) -> Reading:
    return read_text(text, TYPES, narrowed, portal_id="4242", ui_hosts=["127.0.0.1:9"])


def wide(text: str) -> str:
    """The text as a Japanese keyboard may write it."""
    return "".join(chr(ord(each) + 0xFEE0) for each in text)


class KindTests(TestCase):
    def assert_read(self, kind: Kind, told: dict[str, str]) -> None:
        for text, expected in told.items():
            with self.subTest(text):
                reading = read(text)
                self.assertEqual((reading.kind, reading.text), (kind, expected))

    def test_nothing_and_too_little(self) -> None:
        for text in ("", "  ", "'", "\u200b", "x", "!!", "—", "\ufeff \u3000"):
            self.assert_read(Kind.EMPTY, {text: ""})
        self.assert_read(Kind.NAME, {"林": "林", "Al": "Al", "é": "é"})

    def test_no_length_keeps_anybody_waiting(self) -> None:
        for text in ("\u0300\u0316" * 50_000, "company: a" + "\u0300\u0316" * 50_000):
            start = time.process_time()
            self.assertEqual(read(text).kind, Kind.REFUSED)
            self.assertLess(time.process_time() - start, 2)

    def test_ids_with_and_without_their_type(self) -> None:
        self.assert_read(Kind.ID, {"501": "501", " 501.0 ": "501", "\u200e501": "501"})
        for text in (
            "contact 501",
            "0-1/501",
            "Contact: 501",
            "コンタクト 501",
            "contact\uff1a501",
        ):
            self.assert_read(Kind.REFERENCE, {text: "501"})
        self.assert_read(
            Kind.REFERENCE,
            {"https://app.hubspot.com/contacts/4242/record/0-2/902?a=b@c.example": "902"},
        )

    def test_email_addresses(self) -> None:
        for text in (
            "ada@example.com",
            "Ada@Example.COM",
            "mailto:ada@example.com",
            "<ada@example.com>",
            "Ada Byron <ada@example.com>",
            wide("ADA@example.com"),
            "ada@\u200bexample.com",
        ):
            self.assert_read(Kind.EMAIL, {text: "ada@example.com"})
        for text in ("ada@", "@ada", "ada@example", "a@b.c, d@e.f", "ada@exa mple.com", "a@@b.co"):
            self.assertNotEqual(read(text).kind, Kind.EMAIL, text)
        self.assertEqual(domain_of("a.b@mail.example"), "mail.example")

    def test_domains(self) -> None:
        for text in (
            "acme.example",
            "www.Acme.example",
            "@acme.example",
            "https://www.acme.example/x?y=1#z",
            "http://acme.example:8080",
            "acme.example/about/us",
            wide("acme.example"),
        ):
            self.assert_read(Kind.DOMAIN, {text: "acme.example"})
        self.assert_read(Kind.DOMAIN, {"日本語.jp": "日本語.jp", "müller.de": "müller.de"})
        self.assert_read(Kind.NAME, {"10.0.0.1": "10.0.0.1", "Acme Inc.": "Acme Inc."})
        self.assert_read(Kind.NAME, {"hubspot.com": "hubspot.com"})

    def test_phone_numbers(self) -> None:
        for text in (
            "+44 20 7946 0018",
            "(020) 7946 0018",
            "020 794 600",
            "0312345678",
            "555-123-4567",
            "03-1234 5678",
        ):
            self.assert_read(Kind.PHONE, {text: text})
        self.assert_read(Kind.PHONE, {wide("03-1234-5678"): "03-1234-5678"})
        self.assert_read(Kind.ID, {"5551234567": "5551234567"})
        self.assert_read(Kind.NAME, {"+44 20": "+44 20"})

    def test_names(self) -> None:
        for text in (
            "Ada Byron",
            "O'Brien & Sons",
            "A.P. Byron / Sons",
            "Studio 54",
            "Re: invoice 7",
            "株式会社" + wide("ABC"),
            "a@b.co, c@d.co",
        ):
            self.assert_read(Kind.NAME, {text: text})
        self.assert_read(Kind.NAME, {" Ada \n Byron ": "Ada Byron", "A\u200bda B": "Ada B"})
        self.assertEqual(len(read("Ada " * 100).text), 200)

    def test_why_an_id_or_an_address_names_none(self) -> None:
        for text, reason in {
            "https://app.hubspot.com/contacts/4242/objects/0-1/views/all/list": "list_page",
            "https://app.hubspot.com/contacts/77/record/0-1/501": "another_portal",
            "https://app.hubspot.com.evil.example/contacts/4242/record/0-1/5": "not_hubspot",
            "app.hubspot.com/contacts/4242/record/0-1/5 5": "more_than_address",
            "http://": "not_hubspot",
            "/x": "not_a_record",
            "1.2e11": "rounded",
            "1,234,567": "in_groups",
            "12.5": "decimal",
            "0501": "leading_zero",
            "0000000": "zero",
            "\u0665\u0660\u0661": "not_plain_digits",  # Arabic
            "5" * 21: "too_long",
            "0-999/5": "unknown_type",
            "company": "no_id",
            "x" * 2001: "address_too_long",
        }.items():
            with self.subTest(text):
                reading = read(text)
                self.assertEqual((reading.kind, str(reading.reason)), (Kind.REFUSED, reason))
        self.assertEqual(
            read("https://app.hubspot.com/contacts/77/record/0-1/501").facts,
            {"portal": "77", "expected": "4242"},
        )


class NarrowedTests(TestCase):
    def test_by_what_stands_before_a_colon(self) -> None:
        for text in ("company: acme", "Companies:acme", "会社\uff1aacme", "0-2 : acme"):
            reading = read(text, CONTACTS)
            self.assertEqual((reading.text, reading.object_type), ("acme", COMPANIES), text)
        self.assertEqual(read("Acme: acme", CONTACTS).object_type, CONTACTS)
        self.assertEqual(read("Acme: acme", CONTACTS).text, "Acme: acme")

    def test_whatever_comes_after_it(self) -> None:
        for text, kind in {
            "company: ada@example.com": Kind.EMAIL,
            "company: acme.example": Kind.DOMAIN,
            "company: 902": Kind.REFERENCE,
            "company: https://app.hubspot.com/contacts/4242/record/0-2/902": Kind.REFERENCE,
            "company: https://acme.example/": Kind.DOMAIN,
            "company:": Kind.EMPTY,
            "company: company": Kind.NAME,
        }.items():
            reading = read(text)
            self.assertEqual((reading.kind, reading.object_type), (kind, COMPANIES), text)

    def test_a_name_that_several_types_have(self) -> None:
        two = [ObjectType(f"2-{n}", f"2-{n}", "Car", "Cars") for n in (1, 2)]
        types = TypeChoices(TypeChoice(each, each.label) for each in two)
        reading = read_text("car: ada", types)
        self.assertEqual((reading.kind, str(reading.reason)), (Kind.REFUSED, "ambiguous_type"))
        self.assertEqual(reading.facts, {"text": "car", "choices": "Car (2-1), Car (2-2)"})

    def test_the_name_of_a_type_may_be_a_companys(self) -> None:
        self.assertEqual(read("Project", COMPANIES).kind, Kind.NAME)


class FreeMailTests(TestCase):
    def test_each_is_a_domain_as_it_is_read(self) -> None:
        for domain in FREE_MAIL:
            self.assertEqual((read(domain).kind, read(domain).text), (Kind.DOMAIN, domain))
        self.assertIn("gmail.com", FREE_MAIL)


class PhoneFormTests(TestCase):
    def test_with_and_without_the_country(self) -> None:
        for text, forms in {
            "+44 20 7946 0018": ["2079460018", "02079460018"],
            "+44 (0)20 7946 0018": ["2079460018", "02079460018"],
            "0044 20 7946 0018": ["2079460018", "02079460018"],
            "020 7946 0018": ["2079460018", "02079460018"],
            "+1 (555) 123-4567": ["5551234567", "05551234567"],
            "+420 555 123 456": ["555123456", "0555123456"],
            "555-123-4567": ["5551234567"],
        }.items():
            self.assertEqual(forms_of(text), forms, text)
