"""What an admin is told of somebody whom no group lets in, and of tokens that are not for us."""

import time
from typing import Any
from unittest import mock

from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase, override_settings

from hubadmin.models import User
from hubadmin.sso.told import Told
from hubadmin.sso.users import provision_from
from tests.hubadmin.sso.base import CLIENT_ID, ProviderTestCase
from tests.hubadmin.sso.test_gateway_token import GatewayTestCase
from tests.hubadmin.sso.test_gateway_token import claims as gateway_claims
from tests.hubadmin.sso.test_proxy_headers import ADA, SECRET
from tests.identity.forgery import sign
from tests.identity.hostile import GONE
from tests.support import SandboxMixin, SignedInClient, security_events

OVERAGE = {
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://x"}},
}
# What is claimed instead of a known group, and of what the log then speaks.
CLAIMED: dict[str, tuple[dict[str, Any], str]] = {
    "no claim at all": ({"groups": GONE}, "did not come; these did: 'at_hash', 'aud', "),
    "an empty list": ({"groups": []}, "is empty"),
    "an overage as Entra ID tells it": ({"groups": GONE, **OVERAGE}, "an overage"),
    "an overage as short tokens tell it": ({"groups": GONE, "hasgroups": True}, "an overage"),
    "objects": ({"groups": [{"name": "support"}]}, "holds a list of dict"),
    "an object": ({"groups": {"support": True}}, "holds dict"),
    "a number": ({"groups": 7}, "holds int"),
    "others": ({"groups": ["a", "b"]}, "none is in SSO_SUPPORT_GROUPS or SSO_ADMIN_GROUPS"),
    "Keycloak's full path": (
        {"groups": ["/support"]},
        "the provider sent '/support'; SSO_SUPPORT_GROUPS has 'support'",
    ),
    "a longer path": ({"groups": ["/company/admin"]}, "sent '/company/admin'; SSO_ADMIN_GROUPS"),
    "another case": ({"groups": ["Support"]}, "sent 'Support'; SSO_SUPPORT_GROUPS has 'support'"),
    "a name of a directory": ({"groups": ["CN=support,OU=x"]}, "sent 'CN=support,OU=x'"),
    "spaces": ({"groups": [" support"]}, "sent ' support'"),
    "what is not seen": ({"groups": ["support\u200b"]}, r"sent 'support\u200b'"),
    "all in one text": ({"groups": "others; support"}, "as one text; it has to be a list"),
}


class ProviderTests(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.provider.userinfo_answer = (200, {"sub": "victim"})

    def refused(self, **claims: Any) -> Any:
        """Come back with these claims, and not get in; return what the log says."""
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            answer = self.come_back(self.go(), **claims)
        self.assertNotEqual(answer.get("Location"), "/requests/")
        self.assertEqual(self.client.get("/requests/").status_code, 302)
        return logs.records[-1]

    def test_the_log_says_why_no_group_lets_in(self) -> None:
        for name, (claims, hint) in CLAIMED.items():
            with self.subTest(name):
                said = self.refused(**claims)
                self.assertEqual(said.why, "no known group")
                self.assertIn(hint, said.hint)

    def test_and_the_security_event(self) -> None:
        self.refused(groups=["/support", "b"])
        facts = security_events()[-1]["facts"]
        self.assertEqual(facts["groups"], "2: '/support', 'b'")
        self.assertIn("SSO_SUPPORT_GROUPS has 'support'", facts["hint"])
        admins = SignedInClient(provision_from({"sub": "noah", "groups": ["admin"]}))
        self.assertContains(admins.get("/audit/events/"), "SSO_SUPPORT_GROUPS has")

    def test_the_page_says_what_to_pass_on(self) -> None:
        for claims, sentence in (
            ({"groups": ["/support", "<b>"]}, "named these groups of yours:"),
            ({"groups": []}, "named no group of yours"),
            ({"groups": GONE, "hasgroups": True}, "in more groups than it can name"),
        ):
            with self.subTest(claims=claims):
                answer = self.come_back(self.go(), **claims)
                page = self.client.get("/no-access")
                self.assertContains(page, sentence, status_code=403)
                self.assertContains(page, answer["X-Request-ID"], status_code=403)
        self.come_back(self.go(), groups=["/support", "<b>"])
        self.assertContains(self.client.get("/no-access"), "<bdi>&lt;b&gt;</bdi>", status_code=403)

    def test_many_groups_are_counted(self) -> None:
        said = self.refused(groups=[f"group-{number}" for number in range(5000)])
        self.assertTrue(said.groups.startswith("5000: 'group-0', "))
        self.assertTrue(said.groups.endswith("'group-19' and 4980 more"))
        self.assertContains(self.client.get("/no-access"), "and 4980 more", status_code=403)

    def test_a_near_miss_lets_nobody_in(self) -> None:
        for group in ("/admin", "ADMIN", "admin/", " admin", "cn=admin", "admin,x"):
            self.refused(groups=[group])
        self.assertEqual(User.objects.get().role, "")

    def test_an_audience_an_issuer_a_clock(self) -> None:
        now = int(time.time())
        for claims, why in (
            ({"aud": "another"}, f"its aud is 'another', SSO_CLIENT_ID is '{CLIENT_ID}'"),
            (
                {"iss": f"{self.provider.issuer}/"},
                f"its iss is '{self.provider.issuer}/', SSO_ISSUER is '{self.provider.issuer}'",
            ),
            ({"iat": now + 900, "exp": now + 1800}, "of a time to come: compare"),
            ({"iat": now - 1800, "exp": now - 900}, "has expired: compare"),
        ):
            with self.subTest(claims=claims):
                self.assertIn(why, self.refused(**claims).why)

    def test_an_issuer_in_discovery(self) -> None:
        slash = self.settings(SSO_ISSUER=f"{self.provider.issuer}/")
        with slash, self.assertLogs("hubadmin.sso", "WARNING") as logs:
            self.assertEqual(self.client.get("/sign-in/start").status_code, 503)
        self.assertIn(f"SSO_ISSUER is '{self.provider.issuer}/'", logs.records[0].why)


class GatewayTests(GatewayTestCase):
    def refused(self, **changes: Any) -> Any:
        self.client = SignedInClient()
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            self.assertEqual(self.get(sign(gateway_claims(**changes))).status_code, 403)
        return logs.records[-1]

    def test_groups(self) -> None:
        self.assertIn("'custom.groups' (SSO_GROUPS_CLAIM) did not", self.refused(custom=GONE).hint)
        said = self.refused(custom={"groups": ["Support"]})
        self.assertIn("sent 'Support'", said.hint)

    def test_the_page(self) -> None:
        page = self.get(sign(gateway_claims(custom={"groups": ["others"]})))
        self.assertContains(page, "named these groups of yours:", status_code=403)
        self.assertContains(page, page["X-Request-ID"], status_code=403)

    def test_an_audience_an_issuer_a_clock(self) -> None:
        now = int(time.time())
        for changes, why in (
            ({"aud": "another"}, "its aud is 'another', SSO_AUDIENCE is "),
            ({"iss": "https://x.example"}, "its iss is 'https://x.example', SSO_ISSUER is "),
            ({"iat": now + 900, "exp": now + 1800}, "of a time to come"),
            ({"iat": now - 1800, "exp": now - 900}, "has expired"),
        ):
            with self.subTest(changes=changes):
                self.assertIn(why, self.refused(**changes).why)

    def test_why_is_looked_for_only_where_somebody_is_not_let_in(self) -> None:
        with mock.patch.object(Told, "by_claims") as looked:
            self.assertEqual(self.get(sign(gateway_claims())).status_code, 200)
        looked.assert_not_called()


@override_settings(SSO_MODE="header", SSO_ISSUER="proxy", SSO_HEADER_SECRET=SECRET)
class HeaderTests(SandboxMixin, TestCase):
    def get(self, groups: str) -> HttpResponse:
        return SignedInClient().get("/requests/", headers=ADA | {"X-SSO-Groups": groups})

    def test_groups(self) -> None:
        for groups, hint in (
            ("", "SSO_GROUPS_HEADER) did not come"),
            (" ; ", "SSO_GROUPS_HEADER) did not come"),
            ("/support;b", "sent '/support'; SSO_SUPPORT_GROUPS has 'support'"),
        ):
            with self.subTest(groups=groups), self.assertLogs("hubadmin.sso", "WARNING") as logs:
                self.assertEqual(self.get(groups).status_code, 403)
                self.assertIn(hint, logs.records[-1].hint)

    def test_a_separator_that_is_not_ours(self) -> None:
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            self.assertEqual(self.get("others,support").status_code, 403)
        self.assertIn("SSO_GROUPS_SEPARATOR is ';'", logs.records[0].why)


class AddressTests(TestCase):
    def test_what_people_use_as_an_address(self) -> None:
        entra = {"sub": "u", "name": "Ada", "preferred_username": "ada@corp.example"}
        self.assertEqual(provision_from(entra).email, "ada@corp.example")
        told = entra | {"email": "ada@example.com"}
        self.assertEqual(provision_from(told).email, "ada@example.com")
        self.assertEqual(provision_from(entra | {"preferred_username": "ada"}).email, "")

    @override_settings(SSO_GROUPS_CLAIM="email", SSO_SUPPORT_GROUPS=["ada@corp.example"])
    def test_it_gives_no_role(self) -> None:
        claims = {"sub": "u", "preferred_username": "ada@corp.example", "email_verified": True}
        self.assertEqual(provision_from(claims).role, "")


class HintTests(SimpleTestCase):
    @override_settings(SSO_GROUPS_CLAIM="email")
    def test_an_address_that_is_not_verified(self) -> None:
        told = Told.by_claims({"email": "a@x"}, "email", "a@x", [])
        self.assertIn("email_verified", told.hint)

    def test_it_is_short(self) -> None:
        names = [f"/{'x' * 10_000}/support"] * 50
        told = Told.of(names)
        self.assertLess(len(told.hint), 800)
        self.assertLess(max(map(len, told.names)), 101)
