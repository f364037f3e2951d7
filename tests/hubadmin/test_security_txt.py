"""/.well-known/security.txt: what RFC 9116 demands, for anybody, and no more than was set."""

import re
from datetime import datetime, timedelta

from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from tests.hubadmin.test_checks import CheckTestCase
from tests.support import SignedInClient

ADDRESS = "/.well-known/security.txt"
CONTACTS = ["mailto:security@example.com", "https://example.com/security"]


class SecurityTxtTests(SimpleTestCase):
    @override_settings(SECURITY_CONTACT=CONTACTS)
    def test_it_says_whom_to_tell_and_until_when_that_holds(self) -> None:
        answer = SignedInClient().get(ADDRESS)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer["Content-Type"], "text/plain; charset=utf-8")
        lines = answer.text.splitlines()
        fields = [tuple(line.split(": ", 1)) for line in lines]
        self.assertEqual([value for name, value in fields if name == "Contact"], CONTACTS)
        told = dict(fields)
        # One, in the form of RFC 3339, ahead of us and by less than a year.
        self.assertEqual(sum(name == "Expires" for name, _ in fields), 1)
        ahead = datetime.fromisoformat(told["Expires"]) - timezone.now()
        self.assertTrue(timedelta(days=7) < ahead < timedelta(days=365), ahead)
        self.assertEqual(told["Canonical"], f"https://testserver{ADDRESS}")
        self.assertEqual(told["Preferred-Languages"], "en, ja")
        self.assertTrue(all(re.fullmatch(r"[A-Z][A-Za-z-]+: \S.*", line) for line in lines))

    @override_settings(SECURITY_CONTACT=[])
    def test_where_nobody_is_set_there_is_no_such_page(self) -> None:
        self.assertEqual(SignedInClient().get(ADDRESS).status_code, 404)


class SettingTests(CheckTestCase):
    def test_a_contact_is_an_address_by_which_somebody_can_be_told(self) -> None:
        for contact in ("security@example.com", "http://example.com", "mailto:", "mailto:a b@c.de"):
            with self.subTest(contact):
                self.assert_says("hubadmin.E041", SECURITY_CONTACT=[contact])
        self.assert_says(SECURITY_CONTACT=[*CONTACTS, "tel:+49-30-1234567"])
