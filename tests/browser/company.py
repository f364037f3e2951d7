"""hubadmin as a company runs it: an identity provider, Apache ending TLS, and a real Chromium."""

import unittest
from typing import Any

from django.test import tag
from playwright.sync_api import Page, sync_playwright

from hubadmin.demo.sandbox import Sandbox
from tests.browser.base import FLAGS, BrowserTestCase
from tests.identity import apache, real_provider
from tests.identity.apache import Apache, tls_proxy
from tests.identity.real_provider import RealProvider
from tests.identity.server import Server
from tests.support import chromium_path, needed

MAKE_RECHECK_DUE = """
from django.contrib.sessions.models import Session
for session in Session.objects.all():
    data = session.get_decoded()
    if "sso" in data:
        data["sso"]["checked_at"] -= 3600
        session.session_data = Session.objects.encode(data)
        session.save()
"""
PEOPLE = {"mina": ["support"], "noah": ["admin", "others"], "vera": ["others"]}


@tag("own_database")
@needed(bool(chromium_path()), "Chromium")
@needed(real_provider.AVAILABLE, "the identity provider (npm ci --prefix tests/identity/provider)")
@needed(apache.AVAILABLE, "Apache with mod_auth_openidc")
class CompanyTestCase(unittest.TestCase):
    launch: dict[str, Any] = {}  # how else the browser is started

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.hubspot = cls.enterClassContext(Sandbox())
        cls.provider = cls.enterClassContext(RealProvider())
        cls.server = cls.enterClassContext(
            Server(
                cls.hubspot.url,
                SSO_MODE="oidc",
                SSO_ISSUER=cls.provider.issuer,
                SSO_CLIENT_ID=cls.provider.client_id,
                SSO_CLIENT_SECRET=cls.provider.client_secret,
                SSO_SCOPES="openid profile email groups",
                SSO_CONTACT="the service desk (help@example.com)",
            )
        )
        cls.apache = cls.enterClassContext(Apache(tls_proxy(cls.server.upstream)))
        origin = cls.apache.origin
        cls.provider.register([f"{origin}/sign-in/callback"], [f"{origin}/sign-in"])
        playwright = cls.enterClassContext(sync_playwright())
        cls.browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=FLAGS, **cls.launch
        )
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        self.hubspot.reset()
        for sub, groups in PEOPLE.items():
            self.provider.set_account(sub, groups)
        self.provider.clear_log()

    def puts(self) -> list[dict[str, Any]]:
        return [request for request in self.hubspot.requests if request["method"] == "PUT"]

    def window(self, **options: Any) -> Page:
        """A browser of its own; what it reports against a page is a failure of the test."""
        context = self.browser.new_context(
            base_url=self.apache.origin, ignore_https_errors=True, **options
        )
        self.addCleanup(context.close)
        page = context.new_page()
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        return page

    def _note(self, kind: str, text: str) -> None:
        # A page that answers 403 on purpose is reported as an error as well, and so is what a page
        # had asked for that was left meanwhile.
        is_left = text.startswith(("htmx:afterRequest", "htmx:sendAbort"))
        if kind == "error" and "server responded with a status" not in text and not is_left:
            self.complaints.append(text)

    def tearDown(self) -> None:
        self.assertEqual(getattr(self, "complaints", []), [])

    def sign_in(self, page: Page, sub: str, path: str = "/") -> None:
        """From a page of ours to the provider's, and back."""
        page.goto(path)
        page.click("text=Sign in with your company account")
        page.fill("input[name=login]", sub)
        page.press("input[name=login]", "Enter")
        page.wait_for_url(f"{self.apache.origin}/**")

    linked_now = staticmethod(BrowserTestCase.linked_now)

    def signed_in(self, sub: str, **options: Any) -> Page:
        page = self.window(**options)
        self.sign_in(page, sub)
        return page

    def asked(self) -> list[dict[str, str]]:
        """What the provider was asked to authorize."""
        return [entry["query"] for entry in self.provider.log("authorization")]

    def let_the_recheck_come_due(self) -> None:
        """As if everybody had been checked an hour ago, and had been busy since."""
        self.server.manage("shell", "-c", MAKE_RECHECK_DUE)
