"""What is counted at a page is what was done there."""

from playwright.sync_api import expect

from tests.browser.base import BrowserTestCase
from tests.browser.counting import Counting


class CountingTests(BrowserTestCase):
    def test_keys_clicks_and_taps_but_no_letters(self) -> None:
        page = self.signed_in(has_touch=True)
        it = Counting(page)
        page.goto("/requests/")
        it.begin()
        it.type("Ada Byron")
        it.press("Tab", "Control+a", "Shift+Tab", "Escape")
        page.locator("h1").click()
        page.locator("h1").tap()
        page.goto("/")  # nothing is forgotten on the next page
        it.press("Enter")
        self.assertEqual(it.keys, ["Tab", "Ctrl+a", "Tab", "Escape", "Enter"])
        self.assertEqual((it.clicks, it.taps), (1, 1))

    def test_what_a_script_or_a_key_makes_is_no_click(self) -> None:
        page = self.signed_in()
        it = Counting(page)
        page.goto("/requests/")
        it.begin()
        page.evaluate("document.querySelector('h1').click()")
        page.get_by_role("link", name="Skip to the content").focus()
        it.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        self.assertEqual((list(it.keys), it.clicks, it.taps), (["Enter"], 0, 0))

    def test_whoever_waits_is_told_for_how_long_or_that_it_does_not_come(self) -> None:
        page = self.signed_in()
        it = Counting(page)
        page.evaluate("setTimeout(() => { document.title = 'come' }, 300)")
        it.wait("document.title === 'come'")
        self.assertGreater(it.waited, 0.2)
        with self.assertRaisesRegex(AssertionError, "not so"):
            it.wait("document.title === 'never'", seconds=0.1)
