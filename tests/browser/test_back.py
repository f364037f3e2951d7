"""What Back shows of people's pages, in a browser that keeps pages as people's browsers do."""

import re
from typing import Any

from playwright.sync_api import Error, Page, expect

from tests.browser.base import BrowserTestCase
from tests.browser.company import CompanyTestCase

PAIR = ("Contact", "501", "Company", "902")
REASON = "SUP-1234"
END_SESSIONS = "from django.contrib.sessions.models import Session; Session.objects.all().delete()"
# What a browser tells a page that it keeps, and shows again.
LEAVE = "dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))"
RETURN = "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
# Playwright's own flag would take away what is to be tried.
KEEPING = {"ignore_default_args": ["--disable-back-forward-cache"]}
NOT_KEEPING: dict[str, Any] = {}


class BackTestCase(CompanyTestCase):
    launch: dict[str, Any] = KEEPING

    def on_the_form(self, sub: str = "mina", **options: Any) -> Page:
        """Somebody who has typed, and gone on to another page by a click."""
        page = self.signed_in(sub, **options)
        page.click("nav >> text=Bulk runs")
        page.click("nav >> text=Link")
        self.fill_in(page)
        page.click("nav >> text=My requests")
        expect(page.locator("h1")).to_have_text("My requests")
        return page

    @staticmethod
    def fill_in(page: Page) -> None:
        BrowserTestCase.fill(page, *PAIR)
        page.fill("#id_reason", REASON)

    @staticmethod
    def back(page: Page) -> None:
        # A page that was kept is not loaded, so nothing else could be waited for.
        try:
            page.go_back(wait_until="commit")
        except Error as error:
            # On its way a page may lead on to another, as one does that sends to the sign-in.
            if "ERR_ABORTED" not in error.message:
                raise
        page.wait_for_timeout(700)

    def sign_out(self, page: Page) -> None:
        page.click("text=Sign out")
        page.wait_for_url(f"{self.apache.origin}/sign-in**")

    def assert_nothing_shown(self, page: Page) -> None:
        """Nothing of the person or of what they typed, in what can be seen."""
        expect(page.locator("text=Sign in to hubadmin")).to_be_visible()
        shown = page.locator("body").inner_text()
        values = page.eval_on_selector_all("input", "all => all.map((each) => each.value)")
        for theirs in ("Mina", REASON, "My requests"):
            self.assertNotIn(theirs, shown + " ".join(values))


class BackTests(BackTestCase):
    def test_while_signed_in_nothing_typed_is_lost(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.hubspot.reset()
                page = self.on_the_form(java_script_enabled=javascript)
                self.back(page)
                expect(page.locator("body")).to_be_visible()
                expect(page.locator("#id_from_object_id")).to_have_value(re.compile("501$"))
                expect(page.locator("#id_reason")).to_have_value(REASON)
                page.click(".link-form .primary")
                self.linked_now(page)

    def test_what_was_sent_is_not_sent_twice(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.hubspot.reset()
                page = self.signed_in("mina", java_script_enabled=javascript)
                self.fill_in(page)
                page.click(".link-form .primary")
                self.linked_now(page)
                self.back(page)
                expect(page.locator("#id_from_object_id")).to_have_value(re.compile("501$"))
                page.click(".link-form .primary")
                expect(page.locator("h1")).to_contain_text("linked")
                self.assertEqual(len(self.puts()), 1)
                page.click("nav >> text=Link")
                self.fill_in(page)
                page.click(".link-form .primary")
                self.linked_now(page, "was already linked")
                self.assertEqual(len(self.puts()), 2, "a visit by a click is another one")

    def test_after_a_sign_out_in_the_same_tab(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                page = self.on_the_form(java_script_enabled=javascript)
                page.click("nav >> text=Bulk runs")
                page.click("text=Sign out")
                page.wait_for_timeout(1000)
                for _ in range(4):
                    self.back(page)
                    if page.url.startswith(self.apache.origin):
                        shown = page.locator("body").inner_text()
                        self.assertNotIn("Mina", shown)
                        self.assertNotIn(REASON, page.content())

    def test_after_a_sign_out_in_another_tab(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                page = self.on_the_form(java_script_enabled=javascript)
                other = page.context.new_page()
                other.goto("/requests/")
                other.click("text=Sign out")
                other.wait_for_timeout(1000)
                self.back(page)
                self.assert_nothing_shown(page)

    def test_after_the_session_has_ended(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                page = self.on_the_form(java_script_enabled=javascript)
                self.server.manage("shell", "-c", END_SESSIONS)
                self.back(page)
                self.assert_nothing_shown(page)

    def test_a_page_that_was_kept_all_the_same_asks_before_it_is_seen(self) -> None:
        page, body = self.signed_in("mina"), "getComputedStyle(document.body).visibility"
        page.fill("#id_reason", REASON)
        page.evaluate(LEAVE)
        self.assertEqual(page.evaluate(body), "hidden")
        page.evaluate(RETURN)
        expect(page.locator("#id_reason")).to_be_visible()
        expect(page.locator("#id_reason")).to_have_value(REASON)
        page.evaluate(LEAVE)
        self.server.manage("shell", "-c", END_SESSIONS)
        page.evaluate(RETURN)
        self.assert_nothing_shown(page)

    def test_the_provider_ends_it(self) -> None:
        self.provider.register(
            [f"{self.apache.origin}/sign-in/callback"],
            [f"{self.apache.origin}/sign-in"],
            back_channel=f"{self.apache.origin}/sign-out/back-channel",
        )
        page = self.on_the_form()
        self.provider.sign_out("mina")
        self.back(page)
        self.assert_nothing_shown(page)

    def test_the_next_person_in_the_same_tab_is_shown_nothing_of_the_first(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                page = self.on_the_form(java_script_enabled=javascript)
                page.click("text=Sign out")
                page.wait_for_timeout(1000)
                page.context.clear_cookies(domain="127.0.0.1")
                self.sign_in(page, "noah", "/requests/")
                for _ in range(12):
                    self.back(page)
                    values = page.eval_on_selector_all(
                        "input, textarea", "all => all.map((each) => each.value)"
                    )
                    self.assertNotIn(REASON, values)
                    self.assertNotIn("Mina", page.locator("body").inner_text())


class BackWithoutKeptPagesTests(BackTests):
    """The same in a browser that keeps no page, as all do now and then."""

    launch = NOT_KEEPING
