"""The two boxes of the form, by keyboard, mouse, touch and input method: in Chromium."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.base import BrowserTestCase

FROM, TO = "#id_from_object_id", "#id_to_object_id"
BOTH = "Link Ada Byron to Analytical Ltd"
PASTE = """([id, text]) => {
  const box = document.getElementById(id);
  box.focus();
  document.execCommand("insertText", false, text);
  box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
}"""
COMPOSE = """([id, kind, text]) => {
  const box = document.getElementById(id);
  box.dispatchEvent(new CompositionEvent(`composition${kind}`, { data: text }));
  if (text) box.value = text;
  const isComposing = kind !== "end";
  box.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing }));
}"""


class BoxTestCase(BrowserTestCase):
    def asked(self, page: Page) -> list[str]:
        """What is asked for from now on: the fields that go with it."""
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.post_data) if "/find/" in r.url else None)
        return asked

    def linked(self, page: Page, count: int = 1) -> None:
        """Wait for the PUT."""
        for _ in range(100):
            if len(self.puts()) >= count:
                break
            page.wait_for_timeout(50)
        self.assertEqual(len(self.puts()), count)
        # A window that is closed on its way to the next page may wait for it for ever.
        page.wait_for_url(re.compile(r"linked=|/requests/"))

    @staticmethod
    def focused(page: Page, selector: str) -> None:
        expect(page.locator(selector)).to_be_focused()

    @staticmethod
    def option(page: Page, text: str) -> Locator:
        return page.locator("[role=option]", has_text=text).first

    @staticmethod
    def paste(page: Page, box: str, text: str) -> None:
        page.evaluate(PASTE, [box.removeprefix("#"), text])


class KeyboardTests(BoxTestCase):
    def test_an_address_and_a_name_take_four_keys_beside_their_letters(self) -> None:
        page = self.signed_in()
        self.focused(page, FROM)
        page.keyboard.type("ada@example.com")
        page.keyboard.press("Tab")
        self.focused(page, TO)
        page.keyboard.type("Analytical")
        expect(self.option(page, "Analytical Ltd")).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        self.focused(page, ".link-form .primary")
        expect(page.locator(".link-form .primary")).to_have_accessible_name(BOTH)
        page.keyboard.press("Enter")
        self.linked(page)
        self.assertIn("/contacts/501/associations/default/companies/902", self.puts()[0]["path"])

    def test_of_names_none_is_chosen_beforehand(self) -> None:
        page = self.signed_in()
        page.keyboard.type("Byron")
        expect(page.locator("#from-list")).to_be_visible()
        expect(page.locator(FROM)).to_have_attribute("aria-expanded", "true")
        self.assertIsNone(page.locator(FROM).get_attribute("aria-activedescendant"))
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator("#from-card")).to_be_hidden()
        expect(page.locator(FROM)).to_have_value("Byron")

    def test_arrows_go_round_and_escape_closes_and_keeps_the_text(self) -> None:
        page = self.signed_in()
        box = page.locator(FROM)
        page.keyboard.type("Byron")
        expect(page.locator("#from-list")).to_be_visible()
        options = page.locator("#from-list [role=option]")
        for key, index in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1)):
            page.keyboard.press(key)
            one = options.nth(index)
            expect(one).to_have_attribute("aria-selected", "true")
            expect(box).to_have_attribute("aria-activedescendant", one.get_attribute("id"))
        page.keyboard.press("ArrowDown")
        expect(options.first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Home")
        expect(page.locator("[aria-selected=true]")).to_have_count(0)
        self.assertEqual(box.evaluate("box => box.selectionStart"), 0)
        page.keyboard.press("Escape")
        expect(page.locator("#from-list")).to_be_hidden()
        expect(box).to_have_attribute("aria-expanded", "false")
        expect(box).to_have_value("Byron")
        page.keyboard.press("Alt+ArrowDown")
        expect(page.locator("#from-list")).to_be_visible()

    def test_how_many_there_are_is_announced(self) -> None:
        page = self.signed_in()
        page.keyboard.type("Byron")
        expect(page.locator("#from-said")).to_have_text(re.compile(r"found\. Choose"))
        page.fill(FROM, "contact 501")
        expect(page.locator("#from-said")).to_have_text(re.compile("Ada Byron, Contact 501. Enter"))

    def test_enter_in_an_empty_box_says_what_is_missing_and_sends_nothing(self) -> None:
        page = self.signed_in()
        page.keyboard.press("Enter")
        expect(page.locator("#from-found")).to_contain_text("Enter a name, an e-mail address")
        self.focused(page, FROM)
        self.assertEqual(self.puts(), [])

    def test_an_exact_key_that_comes_after_tab_does_not_take_the_focus(self) -> None:
        page = self.signed_in()
        self.fault(method="POST", path="objects/contacts/batch/read", delay=0.7)
        page.keyboard.type("contact 503")
        page.keyboard.press("Tab")
        self.focused(page, TO)
        page.keyboard.type("x")
        expect(page.locator("#from-card")).to_contain_text("Chiara Lombardi")
        self.focused(page, TO)

    def test_nothing_traps_the_focus(self) -> None:
        page = self.signed_in()
        page.keyboard.type("Byron")
        expect(page.locator("#from-list")).to_be_visible()
        stops = 5  # swap, type, box, further records, reason
        for _ in range(stops):
            page.keyboard.press("Tab")
        self.focused(page, "#id_reason")
        for _ in range(stops):
            page.keyboard.press("Shift+Tab")
        self.focused(page, FROM)

    def test_enter_that_is_held_down_does_not_link(self) -> None:
        page = self.signed_in()
        self.paste(page, TO, "company 902")
        page.locator(FROM).press_sequentially("contact 501")
        expect(self.option(page, "Ada Byron")).to_be_visible()
        page.keyboard.down("Enter")
        page.keyboard.down("Enter")  # as a key that repeats
        page.wait_for_timeout(500)
        page.keyboard.up("Enter")
        self.assertEqual(self.puts(), [])
        self.focused(page, ".link-form .primary")


class TypingTests(BoxTestCase):
    def test_two_pasted_addresses_take_no_key_but_enter(self) -> None:
        page = self.signed_in()
        address = f"{self.demo.hubspot}/contacts/4242/record/"
        self.paste(page, FROM, f"{address}0-1/501?eschref=x")
        self.focused(page, TO)
        self.paste(page, TO, f"{address}0-2/902")
        self.focused(page, ".link-form .primary")
        page.keyboard.press("Enter")
        self.linked(page)

    def test_one_question_for_a_settled_pause(self) -> None:
        page = self.signed_in()
        asked = self.asked(page)
        page.locator(FROM).press_sequentially("ada@example.com", delay=40)
        expect(self.option(page, "Ada Byron")).to_be_visible()
        self.assertEqual(len(asked), 1)
        self.assertIn("from_object_id=ada%40example.com", asked[0])
        page.fill(FROM, "ada")
        page.fill(FROM, "ada@example.com")
        expect(self.option(page, "Ada Byron")).to_be_visible()
        self.assertEqual(len(asked), 1, "it is remembered")

    def test_the_last_typed_wins(self) -> None:
        page = self.signed_in()
        self.fault(method="POST", path="objects/contacts/batch/read", delay=1)
        page.fill(FROM, "contact 504")
        page.wait_for_timeout(500)  # it is asked for
        page.fill(FROM, "contact 505")
        expect(self.option(page, "Contact 505")).to_be_visible()
        page.wait_for_timeout(1000)
        expect(self.option(page, "Contact 505")).to_be_visible()
        expect(page.locator("#from-list")).not_to_contain_text("Contact 504")

    def test_nothing_is_asked_for_while_an_input_method_composes(self) -> None:
        page = self.signed_in()
        asked = self.asked(page)
        for kind, text in (
            ("start", ""),
            ("update", "た"),
            ("update", "たな"),
            ("update", "たなか"),
        ):
            page.evaluate(COMPOSE, ["id_from_object_id", kind, text])
            page.wait_for_timeout(200)
        page.wait_for_timeout(400)
        self.assertEqual(asked, [])
        page.locator(FROM).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
        self.assertEqual(asked, [])
        page.evaluate(COMPOSE, ["id_from_object_id", "end", "田中"])
        expect(page.locator("#from-list")).to_be_visible()
        self.assertEqual(len(asked), 1)

    def test_an_answer_that_fails_is_told_and_may_be_asked_for_again(self) -> None:
        page = self.signed_in()
        for fail in (
            lambda route: route.abort(),
            lambda route: route.fulfill(status=500, body="<h1>Something</h1>"),
        ):
            page.route("**/find/", fail)
            page.fill(FROM, "")
            page.fill(FROM, "contact 506")
            expect(page.locator("#from-found")).to_contain_text("could not be looked for")
            expect(page.locator("#from-said")).to_contain_text("could not be looked for")
            page.unroute("**/find/")
        page.keyboard.press("Enter")
        expect(page.locator("#from-card")).to_contain_text("Contact 506")

    def test_what_is_wrong_is_told_where_it_is_typed(self) -> None:
        page = self.signed_in()
        for text, words in {
            f"{self.demo.hubspot}/contacts/4242/objects/0-1/views/all/list": "address of a list",
            "/contacts/777/contact/501": "in the HubSpot account 777",
            "contact 999999": "HubSpot has no record",
            "Zzyzx Nobody": "up to a minute for new records",
        }.items():
            with self.subTest(text):
                page.fill(FROM, text)
                expect(page.locator("#from-found")).to_contain_text(words)
                expect(page.locator(FROM)).to_have_value(text)

    def test_the_last_options_narrow_to_a_type(self) -> None:
        page = self.signed_in()
        page.fill(FROM, "Byron")
        self.option(page, "Search Companies only").click()
        expect(self.option(page, "Byron & Daughters")).to_be_visible()
        expect(page.locator("#id_from_object_type")).to_have_value("companies")
        self.focused(page, FROM)

    def test_to_narrow_replaces_the_type_that_the_text_names(self) -> None:
        page = self.signed_in()
        page.fill(FROM, "company: Byron")
        self.option(page, "Search Contacts only").click()
        expect(self.option(page, "Ada Byron")).to_be_visible()
        expect(page.locator(FROM)).to_have_value("Byron")

    def test_another_type_drops_what_the_page_came_with_to_choose_from(self) -> None:
        page = self.signed_in()
        page.fill(FROM, "Byron")
        page.fill(TO, "company 902")
        page.locator("#id_reason").press("Enter")
        page.locator("input[name=from_choice]").first.check()
        page.select_option("#id_from_object_type", "companies")
        expect(page.locator("#from-found")).to_contain_text("found")
        expect(page.locator("input[type=radio]")).to_have_count(0)
        expect(page.locator("#from-card")).to_be_hidden()


class CardTests(BoxTestCase):
    def both(self, page: Page) -> None:
        self.paste(page, FROM, "contact 501")
        self.focused(page, TO)
        self.paste(page, TO, "company 902")
        self.focused(page, ".link-form .primary")

    def test_it_stands_in_place_of_the_box_and_change_gives_that_back(self) -> None:
        page = self.signed_in()
        page.fill(FROM, "ada@example.com")
        page.keyboard.press("Tab")
        card = page.locator("#from-card")
        expect(card).to_contain_text("Ada Byron")
        expect(page.locator(FROM)).to_be_hidden()
        expect(page.locator(FROM)).to_have_value("501")
        expect(page.locator("#id_from_object_type")).to_have_value("contacts")
        page.click("#from-card [data-change]")
        self.focused(page, FROM)
        expect(page.locator(FROM)).to_have_value("ada@example.com")
        expect(page.locator("#id_from_object_type")).to_have_value("")
        expect(card).to_be_hidden()

    def test_escape_brings_it_back_after_change(self) -> None:
        page = self.signed_in()
        self.paste(page, FROM, "contact 501")
        card, listed = page.locator("#from-card"), page.locator("#from-list")
        expect(card).to_contain_text("Ada Byron")
        page.click("#from-card [data-change]")
        expect(listed).to_be_visible()
        page.keyboard.type("x")
        page.keyboard.press("Escape")
        expect(listed).to_be_hidden()
        expect(card).to_be_visible()
        expect(page.locator(FROM)).to_have_value("501")
        self.focused(page, TO)

    def test_what_is_said_of_enter_goes_with_the_list(self) -> None:
        page = self.signed_in()
        page.keyboard.type("ada@example.com")
        expect(page.locator("#from-list")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#from-found")).to_be_hidden()
        page.keyboard.press("Alt+ArrowDown")
        expect(page.locator("#from-list")).to_be_visible()

    def test_it_says_what_the_record_is_linked_to_already(self) -> None:
        self.linked_already("contacts", "503", "companies", "901")
        page = self.signed_in()
        self.paste(page, FROM, "contact 503")
        expect(page.locator("#from-card")).to_contain_text("Linked to 1 Company: Harbour Foods")

    def test_the_button_keeps_its_place_and_is_called_by_both_names(self) -> None:
        page = self.signed_in()
        button = page.locator(".link-form .primary")
        before = button.bounding_box()
        self.both(page)
        expect(page.locator("#preview")).to_contain_text("They are not linked yet.")
        after = button.bounding_box()
        self.assertEqual((before["x"], before["y"]), (after["x"], after["y"]))
        name = "Link Ada Byron to Analytical Ltd"
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()

    def test_nothing_moves_when_the_list_drops_down(self) -> None:
        page = self.signed_in()
        before = page.locator("#id_reason").bounding_box()
        page.fill(FROM, "Byron")
        expect(page.locator("#from-list")).to_be_visible()
        self.assertEqual(page.locator("#id_reason").bounding_box(), before)

    def test_a_record_of_the_other_type_is_swapped_by_one_click(self) -> None:
        page = self.signed_in()
        page.select_option("#id_from_object_type", "contacts")
        page.fill(FROM, "902")
        self.option(page, "Swap: Company 902").click()
        expect(page.locator("#to-card")).to_contain_text("Analytical Ltd")
        expect(page.locator(FROM)).to_have_value("")
        expect(page.locator(FROM)).to_be_visible()

    def test_a_form_that_is_filled_in_shows_cards_by_itself(self) -> None:
        page = self.signed_in()
        page.goto("/?from_object_type=Contact&from_object_id=501&to_object_id=company+902")
        expect(page.locator(".link-form .primary")).to_have_accessible_name(BOTH)

    def test_the_box_that_is_wrong_takes_the_focus_on_arrival(self) -> None:
        page = self.signed_in()
        page.goto("/?from_object_type=Contact&from_object_id=501&to_object_id=company+99999")
        expect(page.locator("#from-card")).to_contain_text("Ada Byron")
        expect(page.locator("#to-found")).to_contain_text("HubSpot has no record")
        self.focused(page, TO)

    def test_swapping_a_record_to_its_side_goes_on_with_the_box_that_is_left(self) -> None:
        page = self.signed_in()
        page.select_option("#id_from_object_type", "contacts")
        page.fill(FROM, "902")
        expect(self.option(page, "Swap: Company 902")).to_be_visible()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        expect(self.option(page, "Swap: Company 902")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(page.locator("#to-card")).to_contain_text("Analytical Ltd")
        self.focused(page, FROM)

    def test_going_through_the_types_takes_none_before_one_leaves_them(self) -> None:
        page = self.signed_in()
        page.fill(FROM, "ada@example.com")
        expect(self.option(page, "Ada Byron")).to_be_visible()
        page.locator("#id_from_object_type").focus()
        expect(page.locator("#from-card")).to_be_visible()
        page.click("#from-card [data-change]")
        page.fill(FROM, "501")
        page.keyboard.press("Shift+Tab")
        page.locator("#id_from_object_type").select_option("contacts")
        expect(page.locator("#from-found")).to_contain_text("Ada Byron, Contact 501")
        self.focused(page, "#id_from_object_type")
        expect(page.locator("#from-card")).to_be_hidden()
        page.locator("#id_reason").focus()
        expect(page.locator("#from-card")).to_contain_text("Ada Byron")
        self.focused(page, "#id_reason")

    def test_what_is_told_of_the_two_is_of_cards_alone(self) -> None:
        self.linked_already("contacts", "501", "companies", "902")
        page = self.signed_in()
        self.both(page)
        expect(page.locator("#preview")).to_contain_text("They are linked already.")
        page.click("#to-card [data-change]")
        page.wait_for_timeout(500)
        expect(page.locator("#preview")).not_to_contain_text("linked")


class SeveralTests(BoxTestCase):
    """The button's sentence is what will be sent, with several on the second side, too."""

    def several(self, page: Page, *records: str, first: str = "contact 501") -> None:
        """Choose Ada Byron, and each of these as a line."""
        self.paste(page, FROM, first)
        for record in records:
            self.focused(page, TO)
            self.paste(page, TO, record)
            page.click("[data-another]")

    @staticmethod
    def promises(page: Page, words: str) -> None:
        expect(page.locator(".link-form .primary")).to_have_accessible_name(words)

    def test_the_button_speaks_of_the_line_that_is_left(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902", "company 901")
        self.promises(page, "Link Ada Byron to 2 records")
        page.locator("#further li button").nth(1).click()
        self.promises(page, BOTH)
        page.click(".link-form .primary")
        self.linked(page)
        self.assertIn("/companies/902", self.puts()[0]["path"])

    def test_the_button_promises_nothing_of_what_is_only_typed(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902")
        self.promises(page, BOTH)
        page.fill(TO, "company 903")
        self.promises(page, "Link records")
        page.fill(TO, "")
        self.promises(page, BOTH)
        page.click("summary")
        page.fill("#id_also", "company 903")
        self.promises(page, "Link records")

    def test_of_several_it_is_not_told_whether_they_are_linked(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902")
        self.paste(page, TO, "company 901")
        self.promises(page, "Link Ada Byron to 2 records")
        expect(page.locator("#preview")).to_be_hidden()
        page.locator("#further li button").click()
        expect(page.locator("#preview")).to_contain_text("They are not linked yet.")
        expect(page.locator("#preview")).to_be_visible()

    def test_of_several_it_is_told_what_hubspot_would_refuse(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902", "company 901", first="deal 701")
        shown = page.locator("#preview")
        expect(shown).to_contain_text("Of these 2 links HubSpot would refuse 1")
        expect(shown).to_be_visible()
        expect(shown).not_to_contain_text("They are")
        page.locator("#further li button").nth(1).click()
        expect(shown).not_to_contain_text("would refuse")
        page.click("summary")
        page.fill("#id_also", "company 903")
        expect(shown).to_contain_text("Of these 2 links HubSpot would refuse 1")

    def test_they_stand_below_their_side(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902")
        line, box = page.locator("#further li").bounding_box(), page.locator(TO).bounding_box()
        self.assertEqual((line["x"], line["width"]), (box["x"], box["width"]))
        remove = page.locator("#further li button").bounding_box()
        self.assertAlmostEqual(remove["x"] + remove["width"], box["x"] + box["width"], delta=4)

    def test_the_same_record_twice_counts_and_is_sent_once(self) -> None:
        page = self.signed_in()
        self.several(page, "company 902")
        self.paste(page, TO, "company 902")
        self.promises(page, BOTH)
        page.click("[data-another]")
        expect(page.locator("#further li")).to_have_count(1)
        self.promises(page, BOTH)


class TouchTests(BoxTestCase):
    def test_a_click_from_an_open_list_hits_what_it_aims_at(self) -> None:
        page = self.signed_in()
        page.keyboard.type("ada@example.com")
        page.keyboard.press("Tab")
        page.keyboard.type("company 902")
        expect(page.locator("#to-list [data-exact]")).to_be_visible()
        button = page.locator(".link-form .primary")
        place = button.bounding_box()
        page.mouse.move(place["x"] + 9, place["y"] + place["height"] - 2)
        page.mouse.down()
        page.wait_for_timeout(150)
        self.assertEqual(button.bounding_box(), place)
        page.mouse.up()
        self.linked(page)
        self.assertIn("/contacts/501/", self.puts()[0]["path"])

    def test_by_touch_on_a_narrow_screen(self) -> None:
        page = self.signed_in(viewport={"width": 390, "height": 844}, has_touch=True)
        page.locator(FROM).tap()
        page.keyboard.type("Ada Byron")
        option = self.option(page, "Ada Byron")
        expect(option).to_be_visible()
        list_, box = (page.locator(each).bounding_box() for each in ("#from-found", FROM))
        self.assertEqual((list_["x"], list_["width"]), (box["x"], box["width"]))
        option.tap()
        expect(page.locator("#from-card")).to_contain_text("Ada Byron")
        self.focused(page, TO)
        page.keyboard.type("company 902")
        self.option(page, "Analytical Ltd").tap()
        page.locator(".link-form .primary").tap()
        self.linked(page)


class WithoutScriptTests(BoxTestCase):
    def test_find_choose_and_link(self) -> None:
        page = self.signed_in(java_script_enabled=False)
        page.fill(FROM, "ada@example.com")
        page.fill(TO, "Analytical")
        page.click("text=Find")
        expect(page.locator("#from-card")).to_contain_text("Ada Byron")
        page.locator("label", has_text="Company 902").locator("input").check()
        page.click(".link-form .primary")
        self.linked(page)

    def test_to_link_words_asks_first(self) -> None:
        page = self.signed_in(java_script_enabled=False)
        page.fill(FROM, "Byron")
        page.fill(TO, "company 902")
        page.click(".link-form .primary")
        expect(page.locator("[role=alert]")).to_contain_text("Nothing was sent yet")
        self.assertEqual(self.puts(), [])
        page.locator("input[type=radio]").first.check()
        page.click(".link-form .primary")
        self.linked(page)
