"""Linking two records in a real browser, with and without JavaScript."""

import re

from playwright.sync_api import Page, expect

from tests.browser.base import BrowserTestCase

PAIR = ("Contact", "501", "Company", "902")
# By name, if somebody had seen it before the button was pressed.
ADA, ANALYTICAL = "(Ada Byron|Contact 501)", "(Analytical Ltd|Company 902)"


class LinkTests(BrowserTestCase):
    def entries(self, page: Page) -> int:
        page.goto("/requests/")
        return page.locator("a.row-link").count()

    def test_by_keyboard_alone(self) -> None:
        page = self.signed_in()
        for text in ("contact 501", "company 902"):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        expect(page.locator(".link-form .primary")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("SUP-1234")
        page.keyboard.press("Enter")
        self.linked_now(page, f"{ADA} is now linked to {ANALYTICAL}.")
        expect(page.locator("#id_from_object_id")).to_be_focused()
        self.assertEqual(len(self.puts()), 1)

    def test_errors_take_the_focus_and_lead_to_their_fields(self) -> None:
        page = self.signed_in()
        self.fill(page, "Contact", "05", "Company", "")
        page.click(".link-form .primary")
        expect(page).to_have_title("Error: Link two records · hubadmin")
        expect(page.locator("[role=alert]")).to_be_focused()
        page.click("text=This record: A record id does not start with 0")
        expect(page.locator("#id_from_object_id")).to_be_focused()
        expect(page.locator("#id_from_object_id")).to_have_value("Contact 05")
        expect(page.locator("#id_from_object_id")).to_have_attribute("aria-invalid", "true")

    def test_double_click_reload_and_back_make_one_entry(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.setUp()
                page = self.signed_in(java_script_enabled=javascript)
                before = self.entries(page)
                page.goto("/")
                self.fill(page, *PAIR)
                page.dblclick(".link-form .primary")
                page.wait_for_selector(
                    "#linked, .result"
                )  # of two, the second is shown as it stands
                page.reload()
                page.go_back()
                expect(page.locator("#id_from_object_id")).to_have_value(re.compile("501$"))
                page.click(".link-form .primary")
                expect(page.locator("h1")).to_contain_text("is now linked")
                self.assertEqual(self.entries(page), before + 1)
                self.assertEqual(len(self.puts()), 1)

    def test_back_after_a_refusal_says_that_nothing_was_sent_and_offers_to_send_it(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.setUp()
                page = self.signed_in(java_script_enabled=javascript)
                self.fault(method="PUT", status=404, body={"message": "No."})
                self.link(page, "Contact", "507", "Company", "905")
                expect(page.locator("h1")).to_contain_text("HubSpot refused")
                page.go_back()
                page.click(".link-form .primary")
                notice = page.locator("[role=alert]")
                expect(notice).to_contain_text("nothing was sent now")
                expect(notice).to_be_focused()
                page.reload()
                expect(notice).to_contain_text("nothing was sent now")
                self.assertEqual(len(self.puts()), 1)
                page.dblclick("text=Send it again")
                self.linked_now(
                    page,
                    "(Greta Lindqvist|Contact 507) is now linked to (Pixel Forge|Company 905).",
                )
                self.assertEqual(len(self.puts()), 2)

    def test_back_after_a_link_that_is_gone_by_now_does_not_say_that_it_was_made(self) -> None:
        page = self.signed_in()
        self.link(page, "Contact", "508", "Company", "906")
        expect(page.locator("#linked")).to_contain_text("seen in HubSpot")
        self.reset()
        page.go_back()
        page.click(".link-form .primary")
        expect(page.locator("[role=alert]")).to_contain_text("nothing was sent now")
        self.assertEqual(self.puts(), [])

    def test_the_second_of_two_waits_on_a_page_that_refreshes_itself(self) -> None:
        self.fault(delay=3)
        page = self.signed_in()
        self.fill(page, *PAIR)
        # submit() by script goes past the guard against double clicks.
        page.evaluate(
            "const form = document.querySelector('.link-form'); form.submit();"
            "setTimeout(() => form.submit(), 500)"
        )
        expect(page.locator("h1")).to_contain_text(re.compile(f"Linking {ADA}"))
        expect(page.locator("h1")).to_contain_text("is now linked", timeout=10_000)
        self.assertEqual(len(self.puts()), 1)

    def test_an_expired_sign_in_loses_nothing(self) -> None:
        page = self.signed_in()
        self.fill(page, *PAIR)
        page.fill("#id_reason", "SUP-1234")
        expect(page.locator("#preview")).to_contain_text("They are not linked yet.")
        page.context.clear_cookies(name="sessionid")
        page.click(".link-form .primary")
        page.click("button[value=support]")
        expect(page.locator("[role=alert]")).to_contain_text("You had been signed out")
        expect(page.locator("#id_reason")).to_have_value("SUP-1234")
        self.assertEqual(self.puts(), [])
        page.click(".link-form .primary")
        self.linked_now(page)

    def test_another_sign_in_in_between_loses_nothing(self) -> None:
        page = self.signed_in()
        self.fill(page, *PAIR)
        expect(page.locator(".sides")).to_contain_text("Ada Byron")
        other = page.context.new_page()
        other.goto("/")
        other.click("text=Sign out")
        other.click("button[value=support]")
        page.click(".link-form .primary")
        expect(page.locator("[role=alert]")).to_contain_text("open for too long")
        expect(page.locator("#id_from_object_id")).to_have_value("501")

    def test_swap_and_use_again(self) -> None:
        page = self.signed_in()
        self.fill(page, *PAIR)
        expect(page.locator("#preview")).to_contain_text("They are not linked yet.")
        page.click("button:has-text('Swap')")
        expect(page.locator("#id_from_object_type")).to_have_value("companies")
        expect(page.locator("#id_to_object_id")).to_have_value("501")
        page.click(".link-form .primary")
        self.linked_now(page, f"{ANALYTICAL} is now linked to {ADA}.")
        page.click("aside >> text=use again >> nth=0")
        expect(page.locator("#id_from_object_type")).to_have_value("companies")
        expect(page.locator("#id_to_object_id")).to_have_value("501")

    def test_nothing_scrolls_sideways_on_a_narrow_screen(self) -> None:
        page = self.signed_in("admin", viewport={"width": 320, "height": 640})
        self.link(page, "p_averyveryverylongcustomobjectname_" + "x" * 60, "9" * 20, "Deal", "701")
        for address in ("/", page.url, "/requests/", "/audit/", "/nowhere", "/?from_object_id=1"):
            page.goto(address)
            width = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(width, 320, address)

    def test_the_stand_in_shows_the_linked_records(self) -> None:
        page = self.signed_in()
        self.link(page, *PAIR)
        with page.context.expect_page() as opened:
            page.click("text=Open in HubSpot")
        expect(opened.value.locator("body")).to_contain_text("Ada Byron")
        expect(opened.value.locator("body")).to_contain_text("Analytical Ltd")
