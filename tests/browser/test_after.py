"""After a link in a real browser: the strip, its focus, several at once, words in an address."""

import re

import requests
from playwright.sync_api import Page, expect

from tests.browser.accessibility import IS_AVAILABLE, problems
from tests.browser.base import BrowserTestCase
from tests.support import needed

PAIR = ("Contact", "501", "Company", "902")
CANARY = "canary.7f3a91d0@example.com"
EMPTY = "#id_from_object_id"


class AfterTestCase(BrowserTestCase):
    def linked(self, *pair: str, also: str = "", reason: str = "SUP-7", **options: object) -> Page:
        page = self.signed_in(**options)
        page.click("header a[href='/'] >> nth=0")
        self.fill(page, *(pair or PAIR))
        page.fill("#id_reason", reason)
        if also:
            page.click("summary >> text=Paste further records")
            page.fill("#id_also", also)
        page.click(".link-form .primary")
        page.wait_for_url(re.compile("linked=|requests"))
        return page


class StripTests(AfterTestCase):
    def test_one_stays_on_the_form_with_the_focus_in_the_first_box(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.reset()
                page = self.linked(java_script_enabled=javascript)
                expect(page.locator("#linked")).to_contain_text("Linked · seen in HubSpot")
                expect(page.locator(EMPTY)).to_be_focused()
                expect(page.locator(EMPTY)).to_have_value("")
                expect(page.locator("#id_reason")).to_have_value("SUP-7")
                expect(page).to_have_title(re.compile("^Contact 501 is now linked to Company 902"))

    def test_names_come_by_themselves_and_take_no_focus(self) -> None:
        page = self.linked()
        expect(page.locator("#linked")).to_contain_text("Ada Byron Contact 501 → Analytical Ltd")
        expect(page.locator("aside li >> nth=0")).to_contain_text(
            "Ada Byron Contact 501 → Analytical Ltd"
        )
        expect(page.locator(EMPTY)).to_be_focused()

    def test_keeping_a_side_leaves_the_other_to_be_filled_in(self) -> None:
        page = self.linked()
        page.click("text=keep Ada Byron")
        expect(page.locator(EMPTY)).to_have_value("501")
        expect(page.locator("#id_to_object_id")).to_be_focused()
        page.fill("#id_to_object_id", "company 903")
        page.click(".link-form .primary")
        expect(page.locator("#linked")).to_contain_text("Company 903")
        self.assertEqual(len(self.puts()), 2)

    def test_reload_and_back_send_nothing_and_say_so(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.reset()
                page = self.linked(java_script_enabled=javascript, reason=f"SUP-{javascript}")
                page.reload()
                expect(page.locator("#linked")).to_contain_text("Linked")
                page.go_back()
                expect(page.locator(EMPTY)).to_have_value(re.compile("501$"))
                page.click(".link-form .primary")
                expect(page.locator("[role=alert]")).to_contain_text("nothing was sent now")
                self.assertEqual(len(self.puts()), 1)

    def test_with_hubspot_away_the_ids_stand_there(self) -> None:
        self.fault(method="POST", path="crm/v3/objects", status=503, times=None)
        page = self.linked("Contact", "507", "Company", "907")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#linked")).to_contain_text("Contact 507 → Company 907")
        expect(page.locator("aside li >> nth=0")).to_contain_text("Contact 507 → Company 907")


class SeveralTests(AfterTestCase):
    def test_several_without_and_with_script(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.reset()
                page = self.linked(also="903\ncompany 904", java_script_enabled=javascript)
                expect(page.locator("#linked")).to_contain_text("3 linked")
                self.assertEqual(len(self.puts()), 3)
                page.click("text=See all of them")
                expect(page.locator("h1")).to_have_text("3 of 3 linked")
                expect(page.locator(".together li")).to_have_count(3)

    def test_each_that_is_chosen_becomes_a_line_of_its_own(self) -> None:
        page = self.signed_in()
        page.keyboard.type("contact 501")
        page.keyboard.press("Tab")
        for name in ("Harbour", "Analytical", "Nordlicht"):
            page.keyboard.type(name)
            expect(page.locator("#to-list")).to_contain_text(name)
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            expect(page.locator("#to-card")).to_contain_text(name)
            page.click("[data-another]")
            expect(page.locator("#id_to_object_id")).to_be_focused()
        button = page.locator(".link-form .primary")
        expect(button).to_contain_text(re.compile(r"Link\s+Ada Byron\s+to\s+3\s+records"))
        page.click(".further li:has-text('Analytical') button")
        expect(button).to_contain_text(re.compile(r"to\s+2\s+records"))
        self.assertTrue(IS_AVAILABLE is False or problems(page) == [])
        button.click()
        expect(page.locator("#linked")).to_contain_text("2 linked")
        self.assertEqual(len(self.puts()), 2)

    def test_a_name_is_said_as_it_is_written(self) -> None:
        named = {"type": "companies", "id": "903", "properties": {"name": "Cash $& Carry"}}
        requests.post(f"{self.demo.hubspot}/_sandbox/records", json=named, timeout=5)
        page = self.signed_in()
        page.fill("#id_to_object_id", "company 903")
        page.keyboard.press("Enter")
        expect(page.locator("#to-card")).to_contain_text("Cash $& Carry")
        page.click("[data-another]")
        expect(page.locator("#further-said")).to_contain_text("Added: Cash $& Carry.")

    def test_a_double_click_sends_each_once(self) -> None:
        page = self.signed_in()
        page.click("header a[href='/'] >> nth=0")
        self.fill(page, *PAIR)
        page.click("summary >> text=Paste further records")
        page.fill("#id_also", "903\n904\n905")
        page.evaluate(
            "const form = document.querySelector('.link-form'); form.submit();"
            "setTimeout(() => form.submit(), 50)"
        )
        page.wait_for_selector("#linked, .together")
        page.wait_for_load_state("networkidle")
        self.assertEqual(len({request["path"] for request in self.puts()}), 4)
        self.assertEqual(len(self.puts()), 4)

    def test_what_fails_is_told_beside_what_is_linked(self) -> None:
        page = self.linked(also="99999")
        expect(page.locator("h1")).to_have_text("1 of 2 linked")
        expect(page.locator("h1")).to_be_focused()
        expect(page.locator(".together")).to_contain_text("no such company")
        page.click("text=correct it")
        expect(page.locator("#id_to_object_id")).to_have_value("99999")


class AddressBarTests(AfterTestCase):
    def test_words_are_taken_out_and_no_request_tells_them_again(self) -> None:
        page = self.signed_in()
        later: list[str] = []
        page.goto(f"/?from={CANARY}&to=902&reason=SUP-7")
        self.assertEqual(page.url, f"{self.demo.address}/?filled")
        expect(page.locator(EMPTY)).to_have_value(CANARY)
        expect(page.locator("#id_reason")).to_have_value("SUP-7")
        page.on("request", lambda each: later.append(f"{each.url} {each.headers.get('referer')}"))
        page.reload()
        expect(page.locator(EMPTY)).to_have_value(CANARY)
        page.click("text=My requests")
        page.go_back()
        history = page.evaluate("[document.referrer, location.href, history.length]")
        pages = [each for each in later if "/preview/" not in each]
        self.assertNotIn("canary", f"{pages} {history}")

    def test_somebody_who_is_signed_out_finds_them_behind_the_sign_in(self) -> None:
        context = self.browser.new_context(base_url=self.demo.address)
        self.addCleanup(context.close)
        page = context.new_page()
        page.goto(f"/?from={CANARY}")
        self.assertNotIn("canary", page.url)
        page.click("button[value=support]")
        expect(page.locator(EMPTY)).to_have_value(CANARY)

    def test_the_bookmark_opens_the_form_with_the_record_one_is_looking_at(self) -> None:
        page = self.signed_in()
        page.goto("/bookmarklet/")
        script = page.get_attribute("a[draggable]", "href") or ""
        self.assertEqual(page.locator("#bookmarklet").inner_text(), script)
        page.route("https://app-eu1.hubspot.com/**", lambda route: route.fulfill(body="<p>Ada"))
        page.goto("https://app-eu1.hubspot.com/contacts/4242/record/0-1/501?eschref=x#y")
        with page.context.expect_page() as opened:
            page.evaluate(script.removeprefix("javascript:"))
        form = opened.value
        form.wait_for_url(f"{self.demo.address}/?filled")
        expect(form.locator("#id_to_object_id")).to_be_focused()


@needed(IS_AVAILABLE, "axe (npm ci --prefix tests/browser)")
class AccessTests(AfterTestCase):
    def test_the_new_pages_are_for_everybody(self) -> None:
        page = self.linked(also="903")
        addresses = [page.url, page.url.replace("?linked=", "requests/together/") + "/"]
        for address in (*addresses, "/bookmarklet/", "/?filled"):
            page.goto(address)
            page.wait_for_load_state("networkidle")
            self.assertEqual(problems(page), [], address)
