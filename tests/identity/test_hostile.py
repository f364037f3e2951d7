"""Whatever a provider's answer lies about, nobody gets in by it.

`HOSTILE_TABLE=1` prints who refuses what: hubadmin, and Authlib as it comes.
"""

import os
import warnings
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.integrations.django_client import DjangoIntegration
from authlib.integrations.django_client.apps import DjangoOAuth2App
from django.http import HttpRequest
from django.test import RequestFactory, TestCase, override_settings, tag

from hubadmin.models import User
from hubadmin.sso import oidc
from tests.identity.hostile import (
    CONTROLS,
    DISCOVERY,
    VARIANTS,
    Context,
    HostileProvider,
    Variant,
    prepare,
)
from tests.support import SignedInClient

CLIENT = {"client_id": "hubadmin", "client_secret": "a-secret-long-enough-to-sign-with"}
SCOPES = "openid profile email"
SETTINGS = {
    "SSO_MODE": "oidc",
    "SSO_CLIENT_ID": CLIENT["client_id"],
    "SSO_CLIENT_SECRET": CLIENT["client_secret"],
    "SSO_SCOPES": SCOPES,
    "SSO_GROUPS_CLAIM": "groups",
    "SSO_SUPPORT_GROUPS": ["support"],
    "SSO_ADMIN_GROUPS": ["admin"],
}
REFUSALS = {400, 403, 502, 503}
CLAIMS = {"aud", "azp", "iss", "exp", "nonce", "sub", "at_hash"}
# What Authlib 1.9.9 lets in when it is used as its documentation shows: what we have to refuse.
LET_IN_BY_AUTHLIB = {
    "ID token missing",
    "ID token missing, userinfo instead",
    "alg none, advertised",
    "aud another, azp ours",
    "aud ''",
    "aud []",
    "issuer another in discovery, too",
    "issuer with a slash more in discovery, too",
    "sub too long",
    "sub with a NUL",
    "sub with half a surrogate",
    "userinfo a list",
    "userinfo of nobody",
    "userinfo of somebody else",
}


@tag("long", "one_database")
class HostileTests(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.provider = cls.enterClassContext(HostileProvider())
        discovery = cls.provider.issuer + DISCOVERY
        ours = {"SSO_ISSUER": cls.provider.issuer, "SSO_DISCOVERY_URL": discovery}
        cls.enterClassContext(override_settings(**SETTINGS, **ours))

    def answer_with(self, variant: Variant, nonce: str) -> None:
        context = Context(self.provider, **CLIENT, nonce=nonce)
        self.provider.token_answer = lambda form: (200, variant(context))

    def sign_in(self, name: str) -> tuple[SignedInClient, Any]:
        """Sign in as a browser does; return it with the last answer it got."""
        oidc.provider.cache_clear()
        variant = prepare(self.provider, name)
        client = SignedInClient(raise_request_exception=False)
        answer = client.get("/sign-in/start", {"next": "/requests/"})
        if answer.status_code != 302:
            return client, answer
        asked = dict(parse_qsl(urlsplit(answer["Location"]).query))
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.answer_with(variant, asked["nonce"])
        answer = client.get("/sign-in/callback", {"code": "a-code", "state": asked["state"]})
        self.assertTrue(self.provider.asked("/token"), "the variant was never sent")
        return client, answer

    def assert_refused(self, name: str) -> str:
        """Check that nobody got in; return how it was refused."""
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            client, answer = self.sign_in(name)
            self.assertIn(answer.status_code, REFUSALS, getattr(answer, "exc_info", ""))
        why = logs.records[-1].why
        if (claim := name.split()[0]) in CLAIMS:
            self.assertIn(claim, why)
        inside = client.get("/requests/")
        self.assertRedirects(inside, "/sign-in?next=/requests/", fetch_redirect_response=False)
        self.assertFalse(User.objects.exclude(role="").exists())
        return f"{answer.status_code} {why}"

    def let_in_by_authlib(self, name: str) -> bool:
        """Whether Authlib, used as its documentation shows, ends up with a subject."""
        variant = prepare(self.provider, name)
        app = DjangoOAuth2App(
            DjangoIntegration("stock"),
            **CLIENT,
            server_metadata_url=self.provider.issuer + DISCOVERY,
            client_kwargs={"scope": SCOPES, "code_challenge_method": "S256"},
        )
        begun = app.create_authorization_url("https://testserver/sign-in/callback")
        self.answer_with(variant, begun["nonce"])
        request = RequestFactory().get("/", {"code": "a-code", "state": begun["state"]})
        request.session = {}
        app.save_authorize_data(request, **begun)
        try:
            return bool(self.claims_by_authlib(app, request).get("sub"))
        except Exception:
            return False

    def claims_by_authlib(self, app: DjangoOAuth2App, request: HttpRequest) -> dict[str, Any]:
        with warnings.catch_warnings(action="ignore"):  # it warns of `none`, and takes it
            token = app.authorize_access_token(request)
        claims = dict(token.get("userinfo") or {})
        return claims if "groups" in claims else claims | app.userinfo(token=token)

    def test_what_is_sound_gets_in(self) -> None:
        for name in CONTROLS:
            with self.subTest(name):
                client, answer = self.sign_in(name)
                self.assertRedirects(answer, "/requests/", fetch_redirect_response=False)
                self.assertEqual(client.get("/requests/").status_code, 200)
                self.assertTrue(self.let_in_by_authlib(name))

    def test_no_hostile_answer_gets_in(self) -> None:
        for name in VARIANTS:
            with self.subTest(name):
                how = self.assert_refused(name)
                if os.environ.get("HOSTILE_TABLE"):
                    stock = "LETS IN" if name in LET_IN_BY_AUTHLIB else "refuses"
                    print(f"{name:42} | Authlib {stock} | {how[:120]}")

    def test_authlib_alone_lets_some_in(self) -> None:
        """Else the table of hostile answers would prove nothing: somebody must fail it."""
        found = {name for name in VARIANTS if self.let_in_by_authlib(name)}
        self.assertEqual(found, LET_IN_BY_AUTHLIB)
