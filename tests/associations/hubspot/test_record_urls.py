import time
from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, resolve
from associations.hubspot.record_references import (
    Reason,
    RecordIdError,
    RecordReference,
    read_reference,
    record_url,
)
from tests.associations.hubspot.addresses import PORTAL_ID, RECORDS, REFUSED, UI_HOSTS
from tests.generated import ANY_TEXT, examples

UI_URL = "https://app.hubspot.com"
CONTACT_501 = f"{UI_URL}/contacts/4242/record/0-1/501"
CAR = ObjectType("2-4001", "2-4001", "Car", "Cars")
NUMBERED = ObjectType("2-4002", "2-4002", "Car 2", "Cars 2")


def refusal(text: str, **options: Any) -> RecordIdError | None:
    """Why the text is refused; None if it is not."""
    try:
        read_reference(text, **options)
    except RecordIdError as error:
        return error
    return None


def resolve_own(text: str) -> ObjectType:
    """As a company's choices do, whose custom objects have names of their own."""
    if text == "van":
        raise UnknownObjectTypeError(text, ["Van (2-1)", "Van (2-2)"])
    return {"Car": CAR, "2-4001": CAR, "Car 2": NUMBERED}.get(text) or resolve(text)


class RecordUrlTests(TestCase):
    def test_a_record_in_hubspots_pages(self) -> None:
        for ui_url in (UI_URL, UI_URL + "/"):
            self.assertEqual(record_url(ui_url, "4242", "contacts", "501"), CONTACT_501)
        self.assertTrue(record_url(UI_URL, "4242", "2-4001", "41").endswith("/record/2-4001/41"))

    def test_none_without_a_portal_or_without_the_id_of_the_type(self) -> None:
        self.assertEqual(record_url(UI_URL, "", "contacts", "501"), "")
        self.assertEqual(record_url(UI_URL, "4242", "p_car", "41"), "")
        self.assertEqual(record_url(UI_URL, "4242", "0-9999", "41"), "")

    def test_what_it_writes_is_read_again(self) -> None:
        for canonical in ("contacts", "0-8", "2-4001"):
            with self.subTest(canonical):
                url = record_url(UI_URL, "4242", canonical, "7")
                self.assertEqual(
                    read_reference(url), RecordReference(resolve(canonical), "7", "4242")
                )


class TableTests(TestCase):
    def test_there_are_many_and_no_reason_is_left_out(self) -> None:
        self.assertGreaterEqual(len(RECORDS) + len(REFUSED), 200)
        self.assertEqual({*Reason} - {*REFUSED.values()}, {Reason.AMBIGUOUS_TYPE})

    def test_what_names_a_record(self) -> None:
        for text, expected in RECORDS.items():
            with self.subTest(text):
                found = read_reference(text, portal_id=PORTAL_ID, ui_hosts=UI_HOSTS)
                self.assertEqual((found.object_type.canonical, found.object_id), expected)

    def test_what_does_not(self) -> None:
        for text, reason in REFUSED.items():
            with self.subTest(text):
                error = refusal(text, portal_id=PORTAL_ID, ui_hosts=UI_HOSTS)
                self.assertIsNotNone(error)
                self.assertEqual(error.reason, reason)


class PortalTests(TestCase):
    def test_any_is_taken_while_the_own_is_not_known(self) -> None:
        for portal_id in ("999", "4242"):
            found = read_reference(f"{UI_URL}/contacts/{portal_id}/contact/501")
            self.assertEqual(found, RecordReference(resolve("contact"), "501", portal_id))

    def test_an_address_without_one_is_taken(self) -> None:
        for text in ("501", "contact 501", "/record/0-1/501"):
            with self.subTest(text):
                self.assertEqual(read_reference(text, portal_id="4242").portal_id, "")

    def test_both_are_told(self) -> None:
        error = refusal(f"{UI_URL}/contacts/999/contact/501", portal_id="4242")
        self.assertEqual(error.facts, {"portal": "999", "expected": "4242"})

    def test_its_own_page_is_not_the_contact_of_its_number(self) -> None:
        self.assertEqual(refusal("contacts/4242", portal_id="4242").reason, Reason.NOT_A_RECORD)
        self.assertEqual(read_reference("contacts/4243", portal_id="4242").object_id, "4243")
        self.assertEqual(read_reference("contacts/4242").object_id, "4242")


class HostTests(TestCase):
    def test_hosts_of_the_settings_stand_for_hubspot(self) -> None:
        for host in ("127.0.0.1:8001", "localhost:8001", "[::1]:8001", "CRM.example.test"):
            for scheme in ("http://", "https://", "//", ""):
                text = f"{scheme}{host}/contacts/4242/contact/501"
                with self.subTest(text):
                    self.assertIsNotNone(refusal(text))
                    hosts = [host, ""]
                    self.assertEqual(read_reference(text, ui_hosts=hosts).object_id, "501")

    def test_no_host_is_none_of_them(self) -> None:
        text = "https:///contacts/4242/contact/501"
        self.assertEqual(refusal(text, ui_hosts=[""]).reason, Reason.NOT_HUBSPOT)


class TypeTests(TestCase):
    def test_an_id_alone_says_no_type(self) -> None:
        self.assertEqual(read_reference(" <501> "), RecordReference(None, "501"))

    def test_an_id_stays_one_though_a_type_is_called_so(self) -> None:
        found = read_reference("501", resolve=lambda text: CAR)
        self.assertEqual(found, RecordReference(None, "501"))

    def test_types_are_those_of_whoever_asks(self) -> None:
        for text in (f"{UI_URL}/contacts/4242/record/2-4001/5", "Car 5", "Car #5", "2-4001/5"):
            with self.subTest(text):
                found = read_reference(text, resolve=resolve_own)
                self.assertIs(found.object_type, CAR)
                self.assertEqual(found.object_id, "5")

    def test_a_type_whose_name_ends_with_a_number_is_not_a_record_of_another(self) -> None:
        self.assertEqual(refusal("Car 2", resolve=resolve_own).reason, Reason.NO_ID)
        found = read_reference("Car 2 5", resolve=resolve_own)
        self.assertEqual((found.object_type, found.object_id), (NUMBERED, "5"))

    def test_older_addresses_mean_hubspots_own_types(self) -> None:
        def misleading(text: str) -> ObjectType:
            return CAR if text == "contact" else resolve(text)

        found = read_reference(f"{UI_URL}/contacts/4242/contact/501", resolve=misleading)
        self.assertEqual(found.object_type.canonical, "contacts")

    def test_an_unknown_type_is_quoted(self) -> None:
        self.assertEqual(refusal("foo  bar 501").facts, {"text": "foo bar"})
        self.assertEqual(refusal("/record/0-9999/501").facts, {"text": "0-9999"})

    def test_one_of_two_meanings_is_refused_with_both(self) -> None:
        error = refusal("van 501", resolve=resolve_own)
        self.assertEqual(error.reason, Reason.AMBIGUOUS_TYPE)
        self.assertEqual(error.facts, {"text": "van", "choices": "Van (2-1), Van (2-2)"})


class AnythingTests(TestCase):
    PARTS = st.sampled_from(
        [
            *("https://", "app.hubspot.com", "/", "contacts", "4242", "record", "0-1", "501"),
            *("contact", "objects", "?", "#", "%", "\\", " ", "<", ">", ":", "..", "@", "\uff15"),
        ]
    )

    @examples(300)
    @given(ANY_TEXT | st.lists(PARTS, max_size=14).map("".join))
    def test_is_read_or_refused_with_a_reason(self, text: str) -> None:
        error = refusal(text, portal_id=PORTAL_ID)
        if error:
            self.assertIsInstance(error.reason, Reason)
        else:
            self.assertIn(read_reference(text).object_id, text)

    def test_what_is_very_long_takes_no_time(self) -> None:
        """A pattern that went back over it again and again would take minutes."""
        for part in ("/", " ", "1", "a", "a.", "#:", "/a", "1 1", "a 1", "/contacts/1", "://"):
            for end in ("", "!", "\n1"):
                with self.subTest(part, end=end):
                    began = time.process_time()
                    refusal(part * 20_000 + end)
                    self.assertLess(time.process_time() - began, 1)
