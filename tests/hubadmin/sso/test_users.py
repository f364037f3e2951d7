from django.test import SimpleTestCase, TestCase, override_settings

from hubadmin.models import Role, User
from hubadmin.sso.users import provision, role_of

ADA = {
    "issuer": "https://id.example.com",
    "subject": "u1",
    "email": "ada@example.com",
    "name": "Ada Byron",
    "groups": ["hub-support"],
}


@override_settings(SSO_SUPPORT_GROUPS=["hub-support", "desk"], SSO_ADMIN_GROUPS=["hub-admin"])
class RoleTests(SimpleTestCase):
    def test_the_groups_give_the_role(self) -> None:
        for groups, role in (
            (["hub-support"], Role.SUPPORT),
            (["desk", "else"], Role.SUPPORT),
            (["hub-admin"], Role.ADMIN),
            (["hub-support", "hub-admin"], Role.ADMIN),
            (("hub-admin", "hub-support"), Role.ADMIN),
            (iter(["hub-admin"]), Role.ADMIN),
            ([], Role.NONE),
            (["else", "HUB-ADMIN", "hub-admin ", "", "hub"], Role.NONE),
        ):
            with self.subTest(groups=groups):
                self.assertIs(role_of(groups), role)

    @override_settings(SSO_SUPPORT_GROUPS=[], SSO_ADMIN_GROUPS=[])
    def test_without_mapped_groups_nobody_has_one(self) -> None:
        self.assertIs(role_of(["hub-admin", ""]), Role.NONE)


@override_settings(SSO_SUPPORT_GROUPS=["hub-support"], SSO_ADMIN_GROUPS=["hub-admin"])
class ProvisionTests(TestCase):
    def test_somebody_new(self) -> None:
        user = provision(**ADA)
        user.refresh_from_db()
        self.assertEqual((user.issuer, user.subject), ("https://id.example.com", "u1"))
        self.assertEqual((user.email, user.name), ("ada@example.com", "Ada Byron"))
        self.assertEqual((user.role, user.is_active), (Role.SUPPORT, True))
        self.assertFalse(user.is_admin)

    def test_the_same_issuer_and_subject_is_the_same_person_as_they_are_today(self) -> None:
        first = provision(**ADA)
        again = ADA | {"email": "ada@new.example", "name": "Ada King", "groups": ["hub-admin"]}
        second = provision(**again)
        second.refresh_from_db()
        self.assertEqual(second.pk, first.pk)
        self.assertEqual((second.email, second.name), ("ada@new.example", "Ada King"))
        self.assertTrue(second.is_admin)
        self.assertEqual(User.objects.count(), 1)

    def test_who_has_left_the_groups_loses_the_role(self) -> None:
        provision(**ADA | {"groups": ["hub-admin"]})
        self.assertEqual(provision(**ADA | {"groups": []}).role, Role.NONE)
        self.assertEqual(User.objects.get().role, Role.NONE)

    def test_the_same_email_elsewhere_is_another_person(self) -> None:
        ada = provision(**ADA | {"groups": ["hub-admin"]})
        for change in ({"subject": "u2"}, {"issuer": "https://other.example"}):
            with self.subTest(change):
                other = provision(**ADA | change)
                self.assertNotEqual(other.pk, ada.pk)
                self.assertFalse(other.is_admin)

    def test_signing_in_reactivates_nobody(self) -> None:
        provision(**ADA)
        User.objects.update(is_active=False)
        self.assertFalse(provision(**ADA).is_active)

    def test_there_is_always_a_name_that_fits(self) -> None:
        nameless = ADA | {"name": ""}
        self.assertEqual(provision(**nameless).name, "ada@example.com")
        self.assertEqual(provision(**nameless | {"email": ""}).name, "u1")
        self.assertEqual(provision(**ADA | {"name": "x" * 300}).name, "x" * 200)
