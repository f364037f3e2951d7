"""Pasting addresses, seeing what one is about to link, and the verified answer: in Chromium."""

from playwright.sync_api import Page, expect

from tests.browser.base import BrowserTestCase

ADA, HARBOUR = "0-1/501", "0-2/901"


class PreviewTests(BrowserTestCase):
    def address(self, record: str) -> str:
        return f"{self.demo.hubspot}/contacts/4242/record/{record}?eschref=%2Fcontacts%2F4242%2F0-3"

    def paste(self, page: Page, from_: str = ADA, to: str = HARBOUR) -> None:
        page.fill("#id_from_object_id", self.address(from_))
        page.fill("#id_to_object_id", self.address(to))

    def see_both(self, page: Page) -> None:
        """Paste them, and go on to where both are cards."""
        self.paste(page)
        page.focus("#id_reason")
        expect(page.locator("#preview")).to_contain_text("linked")

    def asked(self, page: Page) -> list[str]:
        """Notes each text that this page asks for from now on."""
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if "/find/" in r.url else None)
        return asked

    def test_paste_see_enter_verified(self) -> None:
        page = self.signed_in()
        self.paste(page)
        panel = page.locator("#preview")
        expect(page.locator("#to-list")).to_contain_text("Harbour Foods")
        page.keyboard.press("Enter")
        expect(panel).to_contain_text("They are not linked yet.")
        for name in ("Ada Byron", "Harbour Foods"):
            expect(page.locator(".sides")).to_contain_text(name)
        for side, kind, pk in (("from", "contacts", "501"), ("to", "companies", "901")):
            expect(page.locator(f"#id_{side}_object_type")).to_have_value(kind)
            expect(page.locator(f"#id_{side}_object_id")).to_have_value(pk)
        page.keyboard.press("Enter")
        self.linked_now(page, "Contact 501 is now linked to Company 901.")
        expect(page.locator("#id_from_object_id")).to_be_focused()
        expect(page.locator("#linked")).to_contain_text("seen in HubSpot")
        expect(page.locator("#linked")).to_contain_text("Ada Byron")
        page.go_back()
        expect(page.locator("#id_from_object_id")).to_have_value("501")

    def test_what_is_typed_is_looked_up_once_it_rests(self) -> None:
        page = self.signed_in()
        asked = self.asked(page)
        page.locator("#id_from_object_id").evaluate(
            "(box) => { for (const letter of 'contact 501') {"
            " box.value += letter; box.dispatchEvent(new Event('input', { bubbles: true })) } }"
        )
        expect(page.locator(".sides")).to_contain_text("Ada Byron")
        self.assertEqual(len(asked), 1)

    def test_what_has_been_changed_since_is_not_overwritten(self) -> None:
        page = self.signed_in()
        for method in ("GET", "POST"):
            self.fault(method=method, delay=0.8, times=None)
        page.fill("#id_from_object_id", self.address("0-1/518"))
        page.wait_for_timeout(600)  # the question is on its way
        page.fill("#id_from_object_id", "777")
        page.wait_for_timeout(2500)
        expect(page.locator("#id_from_object_id")).to_have_value("777")
        expect(page.locator("#from-card")).to_be_hidden()

    def test_a_preview_that_does_not_come_leaves_no_older_one_behind(self) -> None:
        page = self.signed_in()
        self.see_both(page)
        page.route("**/preview/**", lambda route: route.abort())
        page.click("[data-swap]")
        expect(page.locator("#preview")).to_have_text("The two records could not be looked up.")

    def test_the_button_that_was_pressed_says_that_it_is_at_work(self) -> None:
        page = self.signed_in()
        self.fill(page, "Contact", "503", "Company", "903")
        texts = page.evaluate(
            "[...document.querySelectorAll('.primary, .swap')].map((button) => {"
            " if (button.matches('.primary')) button.click(); return button.innerText.trim() })"
        )
        self.assertEqual([each.split() for each in texts], [["⇄", "Swap"], ["Linking", "…"]])
        self.linked_now(page)

    def test_swap_shows_the_pair_the_other_way_round(self) -> None:
        page = self.signed_in()
        self.see_both(page)
        page.click("[data-swap]")
        expect(page.locator("#from-card")).to_contain_text("Harbour Foods")
        expect(page.locator("#to-card")).to_contain_text("Ada Byron")
        name = "Link Harbour Foods to Ada Byron"
        expect(page.locator(".primary")).to_have_accessible_name(name)
        expect(page.locator("#preview")).to_contain_text("from Company to Contact")

    def test_hubspot_that_hangs_keeps_nobody_from_linking(self) -> None:
        page = self.signed_in()
        self.fault(method="POST", delay=5, times=None)
        # Records of their own: that these were not shown is remembered for a moment.
        self.paste(page, "0-1/519", "0-2/909")
        page.focus("#id_reason")
        page.keyboard.press("Enter")
        self.linked_now(page)
        expect(page.locator("#linked")).to_contain_text("not verified")

    def test_without_script_the_button_shows_the_same(self) -> None:
        page = self.signed_in(java_script_enabled=False)
        self.paste(page)
        page.click("text=Find")
        expect(page.locator(".sides")).to_contain_text("Ada Byron")
        expect(page.locator("#id_from_object_id")).to_have_value("501")
        page.click(".link-form .primary")
        self.linked_now(page, "linked to Company 901")

    def test_who_is_signed_out_meanwhile_is_led_to_the_sign_in(self) -> None:
        page = self.signed_in()
        page.context.clear_cookies(name="sessionid")
        page.fill("#id_reason", "SUP-1234")
        page.fill("#id_from_object_id", self.address(ADA))
        page.wait_for_url("**/demo/sign-in**")
        page.click("button[value=support]")
        expect(page.locator("#id_from_object_id")).to_have_value("501")
        expect(page.locator("#id_reason")).to_have_value("SUP-1234")

    def test_check_again_tells_and_takes_the_focus(self) -> None:
        page = self.signed_in()
        self.link(page, "Contact", "502", "Company", "902")
        page.wait_for_load_state("networkidle")  # else what the look shows may replace the link
        page.click("text=Open the entry")
        page.click("text=Check again")
        check = page.locator(".just-checked")
        expect(check).to_contain_text("The records are linked.")
        expect(check).to_be_focused()

    def test_single_keys_are_off_until_somebody_wants_them(self) -> None:
        page = self.signed_in()
        page.locator("h1").click()
        page.keyboard.press("m")
        expect(page).to_have_url(f"{self.demo.address}/")
        page.click("text=Keyboard shortcuts")
        page.check("#shortcuts input")
        page.locator("#id_reason").press_sequentially("mm")
        expect(page.locator("#id_reason")).to_have_value("mm")
        page.locator("h1").click()
        page.keyboard.press("m")
        page.wait_for_url("**/requests/")
        page.keyboard.press("n")
        page.wait_for_url(f"{self.demo.address}/")
