"""Japanese in a real browser that asks for it, and the switch, without any script."""

import re

from playwright.sync_api import Page, expect

from tests.browser.base import BrowserTestCase

ADDRESS = "/audit/?outcome=linked&range=7d"


class LanguageTests(BrowserTestCase):
    def japanese(self, **options: bool) -> Page:
        return self.signed_in("admin", locale="ja-JP", **options)

    def assert_language(self, page: Page, language: str) -> None:
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(f"footer button[value={language}]")).to_have_attribute(
            "aria-current", "true"
        )

    def test_a_link_from_start_to_end(self) -> None:
        page = self.japanese()
        self.fill(page, "コンタクト", "501", "会社", "902")
        page.click("button.primary")
        expect(page).to_have_title(re.compile("コンタクト 501と会社 902"))
        expect(page.locator("#linked")).to_contain_text("関連付け済み")

    def test_the_switch_needs_no_script_and_keeps_the_page(self) -> None:
        page = self.japanese(java_script_enabled=False)
        page.goto(ADDRESS)
        self.assert_language(page, "ja")
        for name, language in (("English", "en"), ("日本語", "ja"), ("English", "en")):
            page.locator("footer button", has_text=name).click()
            self.assertTrue(page.url.endswith(ADDRESS), page.url)
            self.assert_language(page, language)
        page.goto("/requests/")
        self.assert_language(page, "en")

    def test_it_outlives_the_sign_in(self) -> None:
        page = self.japanese()
        page.locator("footer button", has_text="English").click()
        page.click("text=Sign out")
        expect(page.locator("h1")).to_have_text("Who are you in this demo?")
        self.assert_language(page, "en")
