"""Claims of any shape: what is taken from them, and that nothing breaks on them."""

from django.test import SimpleTestCase, TestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as GeneratedTestCase

from hubadmin.models import User
from hubadmin.sso.common import RefusedError
from hubadmin.sso.users import claim, groups_in, provision_from, text
from tests.generated import ANY_JSON, examples


class GroupTests(SimpleTestCase):
    def test_a_text_a_list_and_anything_else(self) -> None:
        for value, groups in (
            ("a", ["a"]),
            (["a", "b"], ["a", "b"]),
            (["a", 1, None, ["b"], {"c": 1}], ["a"]),
            ({"a": True}, []),
            (None, []),
            (True, []),
            (7, []),
        ):
            with self.subTest(value=value):
                self.assertEqual(groups_in({"groups": value}), groups)
        self.assertEqual(groups_in({}), [])

    def test_by_name_or_by_path(self) -> None:
        claims = {
            "cognito:groups": 1,
            "https://example.com/groups": 2,
            "realm_access": {"roles": 3},
            "a.b": 4,
            "a": {"b": 5},
            "text": "t",
        }
        for name, value in (
            ("cognito:groups", 1),
            ("https://example.com/groups", 2),
            ("realm_access.roles", 3),
            ("a.b", 4),
            ("text.x", None),
            ("x.y", None),
            ("", None),
        ):
            self.assertEqual(claim(claims, name), value, name)

    @override_settings(SSO_GROUPS_CLAIM="email")
    def test_people_named_one_by_one(self) -> None:
        ada = {"email": "ada@example.com"}
        self.assertEqual(groups_in(ada | {"email_verified": True}), ["ada@example.com"])
        for unverified in ({}, {"email_verified": False}, {"email_verified": "true"}):
            self.assertEqual(groups_in(ada | unverified), [])
        with self.settings(SSO_MODE="assertion"):  # the gateway lets nobody else through
            self.assertEqual(groups_in(ada), ["ada@example.com"])
            self.assertEqual(groups_in(ada | {"email_verified": False}), [])
            with self.settings(SSO_ALB_ARN="arn"):
                self.assertEqual(groups_in(ada), [])


class PersonTests(TestCase):
    def test_what_cannot_be_shown_is_left_out(self) -> None:
        user = provision_from({"sub": "u", "name": "A\0d\na\ud800\u202e ", "email": ["x"]})
        self.assertEqual((user.name, user.email), ("Ada", ""))
        self.assertEqual(text("x" * 999), "x" * 200)
        persian = "\u0645\u06cc\u200c\u062e\u0648"  # with a mark that belongs to it
        self.assertEqual(text(f"\u200f{persian}\u200c \u3164"), persian)

    def test_a_name_is_found(self) -> None:
        for claims, name in (
            ({"name": "Ada", "preferred_username": "ab", "email": "a@x"}, "Ada"),
            ({"preferred_username": "ab", "email": "a@x"}, "ab"),
            ({"email": "a@x"}, "a@x"),
            ({}, "u"),
        ):
            self.assertEqual(provision_from({"sub": "u"} | claims).name, name)


class AnyClaimsTests(GeneratedTestCase):
    @examples(150)
    @given(st.dictionaries(st.sampled_from(["sub", "email", "name", "groups", "x"]), ANY_JSON))
    def test_any_claims_make_a_person_or_a_refusal(self, claims: dict) -> None:
        try:
            user = provision_from(claims)
        except RefusedError:
            return
        stored = User.objects.get(pk=user.pk)
        self.assertEqual(stored.subject, claims["sub"])
        self.assertTrue(stored.name)
