"""Pictures of every page in its states: `python -m tests.browser.screenshots [FOLDER]`.

Light and dark, 1280 and 390 px wide; for the eye, before a page counts as done.
"""

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from playwright.sync_api import Page, Route

from tests.browser.base import BrowserTestCase
from tests.browser.bulk import freeze, upload, uploaded_rows
from tests.browser.company import CompanyTestCase

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".screenshots")

AUDIT_PAGES = {
    "audit": "/audit/",
    "audit-filtered": "/audit/?outcome=rejected&outcome=unreachable&range=7d&from_type=contacts",
    "audit-nothing": "/audit/?record=77777",
    "audit-errors": "/audit/?record=0a&status=9&range=7d&since=2026-11-01",
    "audit-figures": "/audit/figures/",
    "audit-record": "/audit/records/contacts/501/",
    "audit-exports": "/audit/exports/",
    "audit-integrity": "/audit/integrity/",
}


NO_READ_SCOPE = {
    "status": "error",
    "message": "This app hasn't been granted all required scopes to make this call.",
    "category": "MISSING_SCOPES",
    "context": {"missingScopes": ["crm.objects.contacts.read", "crm.objects.companies.read"]},
}


class Pictures:
    """Takes each picture four times."""

    signed_in: Callable[..., Page]

    def take(self, name: str, who: str, show: Callable[[Page], object]) -> None:
        page = self.signed_in(who, viewport={"width": 1280, "height": 800})
        show(page)
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 800})
                page.screenshot(path=FOLDER / f"{name}-{scheme}-{width}.png", full_page=True)


class CompanyPictures(Pictures, CompanyTestCase):
    """The pages around signing in."""

    def everything(self) -> None:
        self.take("no-access", "vera", lambda page: page.reload())
        self.take("sso-sign-in", "mina", self.signed_out)
        self.take("sso-stale", "vera", lambda page: page.goto("/sign-in/callback?code=x&state=x"))
        self.take("sso-refused", "vera", self.refused)
        self.take("sso-recheck", "mina", self.recheck)
        self.take("sso-signed-out", "mina", self.leaving)

    def signed_out(self, page: Page) -> None:
        page.context.clear_cookies()
        page.goto("/audit/")

    def refused(self, page: Page) -> None:
        page.context.clear_cookies()
        page.goto("/sign-in/start")
        state = self.asked()[-1]["state"]
        page.goto(f"/sign-in/callback?error=access_denied&state={state}")

    def recheck(self, page: Page) -> None:
        BrowserTestCase.fill(page, "Contact", "501", "Company", "902")
        page.wait_for_selector("#from-card .record-line")  # else that would be what is checked
        self.let_the_recheck_come_due()
        self.stay(page)
        page.click(".link-form .primary")

    def leaving(self, page: Page) -> None:
        self.stay(page)
        page.click("text=Sign out")

    def stay(self, page: Page) -> None:
        """Have pages that lead on by themselves stay to be seen."""

        def without_refresh(route: Route) -> None:
            answer = route.fetch()
            headers = {k: v for k, v in answer.headers.items() if k != "refresh"}
            route.fulfill(response=answer, headers=headers)

        page.route("**/*", without_refresh)


class DemoPictures(Pictures, BrowserTestCase):
    def everything(self) -> None:
        pages = {
            "sign-in": self.sign_in,
            "form-empty": lambda page: page.goto("/"),
            "form-errors": lambda page: self.link(page, "Contact", "05", "Company", ""),
            "form-list": lambda page: page.fill("#id_from_object_id", "Tanaka"),
            "success": lambda page: self.link(page, "Contact", "501", "Company", "902"),
            "entry": lambda page: page.goto("/requests/1/"),
            "several": self.several,
            "several-linked": self.several_linked,
            "together": self.together,
            "bookmarklet": lambda page: page.goto("/bookmarklet/"),
            "not-found": lambda page: self.link(page, "Contact", "383", "Company", "902"),
            "no-default-type": lambda page: self.link(page, "Contact", "501", "Product", "601"),
            "scope-missing": self.scope_missing,
            "hubspot-down": self.hubspot_down,
            "timed-out-html": self.html_answer,
            "form": lambda page: page.goto("/"),
            "my-requests": lambda page: page.goto("/requests/"),
            "not-here": lambda page: page.goto("/requests/999999/"),
        }
        for name, show in pages.items():
            self.take(name, "support", show)
        self.previews()
        for name, address in AUDIT_PAGES.items():
            self.take(name, "admin", lambda page, address=address: self.whole(page, address))
        self.take("audit-filter", "admin", self.filter_form)
        self.take("audit-entry", "admin", self.newest_failure)
        self.bulk_runs()

    def several(self, page: Page) -> None:
        page.goto("/")
        page.fill("#id_from_object_id", "contact 504")
        for company in ("901", "902", "903"):
            page.fill("#id_to_object_id", f"company {company}")
            page.locator("#id_to_object_id").blur()
            page.wait_for_selector("#to-card:not([hidden])")
            if company != "903":
                page.click("[data-another]")
        page.wait_for_load_state("networkidle")

    def several_linked(self, page: Page) -> None:
        self.several(page)
        page.click(".link-form .primary")
        page.wait_for_selector("#linked")
        page.wait_for_load_state("networkidle")

    def together(self, page: Page) -> None:
        self.several_linked(page)
        page.click("text=See all of them")
        page.wait_for_load_state("networkidle")

    def bulk_runs(self) -> None:
        self.take("bulk-empty", "support", lambda page: page.goto("/bulk/"))
        self.take("bulk-unreadable", "support", self.unreadable)
        self.take("bulk-ready", "support", self.ready)
        self.take("bulk-done", "support", self.done)
        for state, fields in (
            ("paused", {"linked": 9, "stop_cause": "token_refused"}),
            ("running", {"linked": 9, "stop_cause": ""}),
            ("reading", {"is_read": 1}),
        ):
            show = partial(freeze, self, state=state, **fields)
            self.take(f"bulk-{state}", "support", show)
        self.take("bulk", "admin", lambda page: page.goto("/bulk/"))

    def unreadable(self, page: Page) -> None:
        upload(page, b"%PDF-1.7")
        page.wait_for_selector("text=Choose another file")

    def ready(self, page: Page) -> None:
        upload(page, uploaded_rows(20, bad=2, missing=2))
        page.wait_for_selector(".start .primary")

    def done(self, page: Page) -> None:
        self.ready(page)
        page.click(".start .primary")
        page.wait_for_selector("text=Download the results")

    def previews(self) -> None:
        """What one sees before linking, and after; from a page on which addresses were pasted."""
        contact, company = "0-1/501", "0-2/903"
        self.take("preview", "support", lambda page: self.paste(page, contact, company))
        self.take("verified", "support", lambda page: self.paste(page, contact, company, send=True))
        self.take("preview-linked", "support", lambda page: self.paste(page, contact, company))
        self.take(
            "was-linked", "support", lambda page: self.paste(page, contact, company, send=True)
        )
        self.take("preview-no-type", "support", lambda page: self.paste(page, "0-2/901", "0-7/601"))
        self.take("preview-missing", "support", lambda page: self.paste(page, "0-1/383", company))
        self.linked_already("deals", "701", "companies", "901")
        self.take("preview-refused", "support", lambda page: self.paste(page, "0-3/701", company))
        # A pair for each: that it could not be shown is remembered for a moment.
        for name, fault, *pair in (
            ("scope", {"status": 403, "body": NO_READ_SCOPE}, "0-1/510", "0-2/905"),
            ("down", {"status": 503}, "0-1/511", "0-2/906"),
            ("slow", {"delay": 3}, "0-1/512", "0-2/907"),
        ):
            for method in ("GET", "POST"):
                self.fault(method=method, times=None, **fault)
            self.take(f"preview-{name}", "support", lambda page, pair=pair: self.paste(page, *pair))
            self.take(
                f"unverified-{name}",
                "support",
                lambda page, pair=pair: self.paste(page, *pair, send=True),
            )
            self.setUp()
        self.take("japanese-form", "support", self.in_japanese("/"))
        self.take("japanese-failure", "support", self.in_japanese("/requests/2/"))
        self.take("japanese-audit", "admin", self.in_japanese("/audit/"))
        self.take("japanese-status", "admin", self.in_japanese("/status/"))

    def paste(self, page: Page, from_: str, to: str, *, send: bool = False) -> None:
        for side, record in (("from", from_), ("to", to)):
            address = f"{self.demo.hubspot}/contacts/4242/record/{record}?eschref=%2Fcontacts"
            page.fill(f"#id_{side}_object_id", address)
        page.locator("#id_to_object_id").blur()
        page.wait_for_timeout(600)
        page.wait_for_load_state("networkidle")
        if send:
            page.focus("#id_reason")
            page.keyboard.press("Enter")
            page.wait_for_url(re.compile("linked=|/requests/"))
            page.wait_for_load_state("networkidle")

    def in_japanese(self, address: str) -> Callable[[Page], object]:
        def show(page: Page) -> None:
            page.click("button[lang=ja]")
            self.whole(page, address)

        return show

    def sign_in(self, page: Page) -> None:
        page.click("text=Sign out")
        page.wait_for_url("**/demo/sign-in")

    def scope_missing(self, page: Page) -> None:
        body = {
            "status": "error",
            "message": "This app hasn't been granted all required scopes to make this call.",
            "correlationId": "7c1c5b5e-2f3a-4d7c-9d26-0f5f2f4f9c11",
            "category": "MISSING_SCOPES",
            "context": {"missingScopes": ["crm.objects.companies.write"]},
        }
        self.fault(status=403, body=body)
        self.link(page, "Contact", "501", "Company", "902")

    def hubspot_down(self, page: Page) -> None:
        self.fault(status=503, times=3)
        self.link(page, "Contact", "501", "Company", "902")

    def html_answer(self, page: Page) -> None:
        self.fault(status=200, body="<html>gateway</html>", content_type="text/html")
        self.link(page, "Contact", "501", "Company", "902")

    def whole(self, page: Page, address: str) -> None:
        """The page with what it loads apart."""
        page.goto(address, wait_until="networkidle")

    def filter_form(self, page: Page) -> None:
        self.whole(page, "/audit/")
        page.click("summary >> text=Filter")

    def newest_failure(self, page: Page) -> None:
        page.goto("/audit/")
        page.locator("a.row-link", has_text="383").first.click()


if __name__ == "__main__":
    for kind in (DemoPictures, CompanyPictures):
        case = kind("everything")
        kind.setUpClass()
        try:
            case.setUp()
            case.everything()
        finally:
            case.doCleanups()
            kind.doClassCleanups()
