"""OpenID Connect from start to sign-out; what a hostile provider tries is in tests/identity."""

import hashlib
import logging
from base64 import urlsafe_b64encode
from contextlib import AbstractContextManager
from functools import partial
from unittest import mock

from hubadmin.logging import JSONFormatter
from hubadmin.models import User
from hubadmin.sso import oidc_provider
from hubadmin.sso.oidc_provider import provider
from tests.hubadmin.sso.base import CLIENT_SECRET, ProviderTestCase, query_of
from tests.identity import forgery
from tests.identity.hostile import DISCOVERY, GONE
from tests.support import SignedInClient

EVIL = (
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "https://evil.test/",
    "http:///evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.test",
    "\t//evil.test",
    "/\t/evil.test",
    "https:evil.test",
    "http://testserver/",
)


class KeyTests(ProviderTestCase):
    """The secret key is changed machine by machine, as hubadmin/README.md says to."""

    OLD, NEW = "old-" + 60 * "o", "new-" + 60 * "n"
    # What each machine has, one step after the other.
    STEPS = ((OLD, []), (OLD, [NEW]), (NEW, [OLD]), (NEW, []))

    def with_keys(self, key: str, others: list[str]) -> AbstractContextManager[None]:
        return self.settings(SECRET_KEY=key, SECRET_KEY_FALLBACKS=others)

    def test_who_is_signed_in_and_who_is_about_to_notices_nothing(self) -> None:
        for machines in zip(self.STEPS[:2], self.STEPS[1:3], strict=True):
            for one, other in (machines, machines[::-1]):
                self.client = SignedInClient()
                with self.with_keys(*one):
                    asked = self.go()
                with self.with_keys(*other):
                    answer = self.come_back(asked)
                    self.assertRedirects(answer, "/requests/")
                exchange = self.provider.asked("/token")[-1]
                digest = hashlib.sha256(exchange["code_verifier"].encode()).digest()
                challenge = urlsafe_b64encode(digest).decode().rstrip("=")
                self.assertEqual(challenge, asked["code_challenge"])
                for each in (one, other):
                    with self.with_keys(*each):
                        self.assertEqual(self.client.get("/requests/").status_code, 200)

    def test_a_key_that_is_not_known_any_more_signs_nobody_in(self) -> None:
        with self.with_keys(*self.STEPS[0]):
            asked = self.go()
            self.sign_in()
        with self.with_keys(*self.STEPS[3]):
            self.assertEqual(self.client.get("/requests/").status_code, 302)
            self.assertEqual(self.come_back(asked).status_code, 400)


class SignInTests(ProviderTestCase):
    def test_a_deep_link_is_kept(self) -> None:
        answer = self.client.get("/requests/?before=7")
        self.assertRedirects(answer, "/sign-in?next=/requests/%3Fbefore%3D7")
        page = self.client.get(answer["Location"])
        start = "/sign-in/start?next=%2Frequests%2F%3Fbefore%3D7"
        self.assertContains(page, start)
        self.assertRedirects(self.come_back(self.go(start)), "/requests/?before=7")

    def test_what_the_provider_is_asked(self) -> None:
        asked = self.go()
        self.assertEqual(asked["response_type"], "code")
        self.assertEqual(asked["redirect_uri"], "https://testserver/sign-in/callback")
        self.assertEqual(asked["scope"], "openid profile email")
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.assertNotIn("prompt", asked)
        self.assertTrue(asked["state"] and asked["nonce"] and asked["code_challenge"])
        self.come_back(asked)
        (exchange,) = self.provider.asked("/token")
        self.assertEqual(exchange["grant_type"], "authorization_code")
        self.assertTrue(exchange["code_verifier"])

    def test_the_person_is_who_the_provider_says(self) -> None:
        self.sign_in(sub="u1", name="Ada Byron", email="ada@example.com", groups=["x", "admin"])
        user = User.objects.get()
        self.assertEqual((user.issuer, user.subject), (self.provider.issuer, "u1"))
        self.assertEqual(
            (user.name, user.email, user.is_admin), ("Ada Byron", "ada@example.com", True)
        )
        self.assertContains(self.client.get("/audit/"), "Ada Byron")

    def test_it_leads_nowhere_else(self) -> None:
        for evil in EVIL:
            with self.subTest(evil=evil):
                self.client = type(self.client)()
                page = self.client.get("/sign-in", {"next": evil})
                self.assertContains(page, '"/sign-in/start?next=%2F"')
                response = self.client.get("/sign-in/start", {"next": evil})
                self.assertEqual(self.come_back(query_of(response))["Location"], "/")
                self.assertEqual(self.client.get("/sign-in", {"next": evil})["Location"], "/")

    def test_without_a_known_group_the_page_says_whom_to_ask(self) -> None:
        for groups in ([], ["others"], GONE, {"support": True}, "other", None, 7):
            with self.subTest(groups=groups), self.settings(SSO_CONTACT="the service desk"):
                self.provider.userinfo_answer = (200, {"sub": "victim"})
                answer = self.come_back(self.go(), groups=groups)
                self.assertRedirects(answer, "/no-access", fetch_redirect_response=False)
                page = self.client.get("/no-access")
                self.assertContains(page, "Ask the service desk", status_code=403)
                self.assertContains(page, "Victim", status_code=403)
                self.assertEqual(self.client.get("/").status_code, 302)
        self.assertEqual(
            query_of(self.client.get("/sign-in/start?switch"))["prompt"], "select_account"
        )

    def test_groups_as_a_text_or_from_the_userinfo_endpoint(self) -> None:
        self.sign_in(groups="admin")
        self.assertTrue(User.objects.get().is_admin)
        self.provider.userinfo_answer = (200, {"sub": "victim", "groups": ["support"]})
        self.sign_in(groups=GONE)
        self.assertEqual(User.objects.get().role, "support")

    def test_a_state_serves_once_and_only_in_the_browser_that_began(self) -> None:
        asked = self.go()
        mine, self.client = self.client, type(self.client)()
        self.assertContains(self.come_back(asked), "Sign in once more", status_code=400)
        self.client = mine
        self.assertEqual(self.come_back(asked).status_code, 302)
        self.assertRedirects(self.come_back(asked), "/")  # signed in already: Back, say
        self.client.post("/sign-out")
        self.assertContains(self.come_back(asked), "Sign in once more", status_code=400)
        self.assertEqual(self.client.get("/sign-in/callback").status_code, 400)

    def test_a_refusal_of_the_providers_is_a_page(self) -> None:
        for error in ("access_denied", "login_required", "x" * 5000):
            answer = self.come_back_with(self.go(), error)
            self.assertContains(answer, "could not be signed in", status_code=403)
        answer = self.client.get("/sign-in/callback", {"state": self.go()["state"]})
        self.assertEqual(answer.status_code, 403)

    def test_signing_out_reaches_the_provider(self) -> None:
        self.sign_in()
        answer = self.client.post("/sign-out")
        self.assertEqual(answer.status_code, 200)
        self.assertTrue(answer["Refresh"].startswith(f"0; url={self.provider.issuer}/logout?"))
        self.assertIn("id_token_hint=ey", answer["Refresh"])
        self.assertIn(
            "post_logout_redirect_uri=https%3A%2F%2Ftestserver%2Fsign-in", answer["Refresh"]
        )
        self.assertEqual(self.client.get("/").status_code, 302)

    def test_without_such_a_page_the_person_is_told(self) -> None:
        self.provider.metadata = {"end_session_endpoint": None}
        provider.cache_clear()
        self.sign_in()
        answer = self.client.post("/sign-out")
        self.assertContains(answer, "may still know you")
        self.assertNotIn("Refresh", answer)
        with self.settings(SSO_SIGN_OUT_URL="https://login.example.com/out"):
            answer = self.client.post("/sign-out")
        self.assertEqual(answer["Refresh"], "0; url=https://login.example.com/out")

    def test_coming_and_going_is_logged_without_secrets(self) -> None:
        with self.assertLogs("", "DEBUG") as logs:
            self.sign_in()
            self.come_back_with(self.go(), "access_denied")
            self.client.post("/sign-out")
        ours = [record for record in logs.records if record.name == "hubadmin.sso"]
        self.assertEqual(
            [(record.getMessage(), record.levelno) for record in ours],
            [
                ("signed in", logging.INFO),
                ("sign-in refused", logging.WARNING),
                ("signed out", logging.INFO),
            ],
        )
        self.assertEqual(ours[0].client_ip, "127.0.0.1")
        self.assertEqual(ours[2].user_id, User.objects.get().pk)
        # Above the level DEBUG, at which Authlib tells more than it should.
        told = [record for record in logs.records if record.levelno > logging.DEBUG]
        text = "\n".join(JSONFormatter().format(record) for record in told)
        self.assertNotIn(CLIENT_SECRET, text)
        self.assertNotIn("eyJ", text)


class ProviderTroubleTests(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        provider.cache_clear()
        self.addCleanup(provider.cache_clear)

    def assert_unavailable(self, path: str = "/sign-in/start") -> None:
        with self.assertLogs("hubadmin.sso", "WARNING"):
            answer = self.client.get(path)
        self.assertContains(answer, "not possible at the moment", status_code=503)
        self.assertIn("Retry-After", answer)

    def test_discovery_down_or_odd_at_a_cold_start_and_then_well_again(self) -> None:
        odd = (
            {"issuer": "https://other.example"},
            {"issuer": f"{self.provider.issuer}/"},
            {"issuer": None},
            {"token_endpoint": None},
            {"token_endpoint": 7},
            {"jwks_uri": "http://elsewhere.example/jwks"},
            {"authorization_endpoint": "javascript:alert(1)"},
        )
        for metadata in odd:
            with self.subTest(metadata=metadata):
                self.provider.metadata = metadata
                self.assert_unavailable()
        for attribute in ("down", "dead"):
            with self.subTest(attribute):
                self.provider.reset()
                setattr(self.provider, attribute, {DISCOVERY})
                self.assert_unavailable()
        self.provider.reset()
        self.sign_in()

    def test_an_empty_address(self) -> None:
        with self.settings(SSO_DISCOVERY_URL="http://127.0.0.1:9/nobody"):
            self.assert_unavailable()

    def test_the_token_endpoint_down_broken_or_not_ours(self) -> None:
        troubles = {
            (503, "<html>"): 503,
            (500, "{}"): 503,
            (302, "{}"): 403,
            (200, "<html>"): 403,
            (200, "[]"): 403,
            (200, "null"): 403,
            (200, "7"): 403,
            (200, "[" * 100_000): 403,
            (400, '{"error": "invalid_grant"}'): 403,
            (401, '{"error": "invalid_client"}'): 503,
            (400, '{"error": ["x"], "error_description": {"a": 1}}'): 403,
        }
        for (status, body), expected in troubles.items():
            with self.subTest(status=status, body=body[:40]):
                asked = self.go()
                self.provider.token_answer = lambda form, s=status, b=body: (s, b)
                parameters = {"code": "c", "state": asked["state"]}
                with self.assertLogs("hubadmin.sso", "WARNING"):
                    answer = self.client.get("/sign-in/callback", parameters)
                self.assertEqual(answer.status_code, expected)

    def test_a_provider_that_does_not_answer_in_time(self) -> None:
        asked = self.go()
        self.provider.delay = 1.5
        with mock.patch.object(oidc_provider, "TIMEOUT", 0.5):
            self.assertEqual(self.come_back(asked).status_code, 503)

    def test_keys_that_were_rotated(self) -> None:
        self.sign_in()
        for name, kid in (("another key under the old name", "good"), ("under a new one", "new")):
            with self.subTest(name):
                self.provider.keys = forgery.jwks(**{kid: forgery.OTHER})
                signed = partial(forgery.sign, key=forgery.OTHER, kid=kid)
                answer = self.come_back(self.go(), forge=signed)
                self.assertEqual(answer["Location"], "/requests/")

    def test_keys_down(self) -> None:
        self.provider.down = {"/jwks"}
        self.assertEqual(self.come_back(self.go()).status_code, 503)


class OtherModeTests(ProviderTestCase):
    def test_its_pages_are_there_in_its_mode_only(self) -> None:
        for mode in ("", "header", "assertion", "demo"):
            with self.settings(SSO_MODE=mode):
                self.assertEqual(self.client.get("/sign-in/start").status_code, 404)
                self.assertEqual(self.client.get("/sign-in/callback").status_code, 404)
