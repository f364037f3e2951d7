"""Signing in with a provider that is honest unless a test says otherwise: real HTTP on loopback."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.test import TestCase, override_settings

from tests.identity.forgery import sign
from tests.identity.hostile import Context, HostileProvider
from tests.support import SandboxMixin, SignedInClient

CLIENT_ID, CLIENT_SECRET = "hubadmin", "a-client-secret-as-long-as-they-are"


def query_of(response: HttpResponse) -> dict[str, str]:
    """The query of the address that the response leads to."""
    return {
        name: value for name, (value,) in parse_qs(urlsplit(response["Location"]).query).items()
    }


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """The clock by which sign-ins age, set forward."""
    now = time.time() + seconds
    with mock.patch("hubadmin.sso.sessions.time", SimpleNamespace(time=lambda: now)):
        yield


class ProviderTestCase(SandboxMixin, TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.provider = cls.enterClassContext(HostileProvider())
        cls.enterClassContext(
            override_settings(
                SSO_MODE="oidc",
                SSO_ISSUER=cls.provider.issuer,
                SSO_DISCOVERY_URL="",
                SSO_CLIENT_ID=CLIENT_ID,
                SSO_CLIENT_SECRET=CLIENT_SECRET,
            )
        )

    def setUp(self) -> None:
        super().setUp()
        self.provider.reset()
        self.client = SignedInClient()

    def go(self, path: str = "/sign-in/start?next=/requests/", **options: Any) -> dict[str, str]:
        """Go where the browser is sent on to the provider; return what it is asked there."""
        response = self.client.get(path, **options)
        self.assertEqual(response.status_code, 302, response.content[:2000])
        self.assertTrue(response["Location"].startswith(f"{self.provider.issuer}/authorize?"))
        return query_of(response)

    def come_back(
        self, asked: dict[str, str], forge: Callable[..., str] = sign, **claims: Any
    ) -> HttpResponse:
        """Come back from the provider, which says this of the person."""

        def token_answer(form: dict[str, str]) -> tuple[int, Any]:
            context = Context(self.provider, CLIENT_ID, CLIENT_SECRET, asked["nonce"])
            return 200, context.answer(forge(context.claims(**claims)))

        self.provider.token_answer = token_answer
        return self.client.get("/sign-in/callback", {"code": "c", "state": asked["state"]})

    def come_back_with(self, asked: dict[str, str], error: str) -> HttpResponse:
        return self.client.get("/sign-in/callback", {"error": error, "state": asked["state"]})

    def sign_in(self, **claims: Any) -> None:
        response = self.come_back(self.go(), **claims)
        self.assertRedirects(response, "/requests/", fetch_redirect_response=False)

    def key(self) -> str:
        return self.client.cookies["__Host-sessionid"].value
