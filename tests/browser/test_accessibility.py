"""Every page in every state, before the eyes and hands of as many people as can be tried."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.accessibility import IS_AVAILABLE, problems
from tests.browser.base import BrowserTestCase
from tests.browser.screenshots import CompanyPictures
from tests.browser.states import STATES
from tests.support import needed

# Parts of a page that are still to come by themselves.
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-settling"
# How to harm a good page by hand, and what has to be found then.
HARMS = {
    "document.querySelector('h1').style.color = '#999'": "color-contrast: h1",
    "document.querySelector('[for=id_reason]').remove()": "label: #id_reason",
    "document.querySelector('h1').style.minWidth = '2000px'": "the page is 20",
    "document.querySelector('h1').style.fontSize = '24px'": "h1 “Link two records” keeps its size",
    "document.querySelector('.brand').style.outline = 'none'": "does not show the focus",
    "document.querySelector('.brand').style.outlineColor = '#ddd'": "shows the focus too weakly",
    "document.querySelector('.brand').style.font = '8px serif'": "“hubadmin” is smaller than",
    "document.querySelector('#id_reason').style.borderColor = '#ddd'": "has too faint a border",
    "document.querySelector('h1').style.transition = 'color 1s'": "moves",
    "document.querySelector('h1').animate({opacity: [0.9, 1]}, 9e9)": "an animation is running",
    "document.querySelector('.primary').style.border = 'none'": "has no border left",
    "document.querySelector('main').append(Object.assign(document.createElement('div'),"
    " {style: 'height: 9px; background: green'}))": "vanishes",
    "document.querySelector('[aria-current]').style.fontWeight = 'inherit'": "is the current one",
}


AXE = "axe (npm ci --prefix tests/browser)"


@needed(IS_AVAILABLE, AXE)
class AccessibilityTests(BrowserTestCase):
    """One browser window for each person, for all of their pages."""

    environment = {"DEMO_APPROVAL_ROWS": "200"}

    def setUp(self) -> None:
        super().setUp()
        self.windows: dict[str, Page] = {}

    def window(self, who: str) -> Page:
        if who not in self.windows:
            self.windows[who] = self.signed_in(who) if who else self.nobody()
        return self.windows[who]

    def nobody(self) -> Page:
        context = self.browser.new_context(base_url=self.demo.address)
        self.addCleanup(context.close)
        return context.new_page()

    def test_every_page_is_for_everybody(self) -> None:
        for state in STATES:
            with self.subTest(state.name):
                self.reset()
                page = self.window(state.who)
                state.show(self, page)
                expect(page.locator("main")).to_contain_text(state.words)
                expect(page.locator(UNDER_WAY)).to_have_count(0)
                found = problems(page)
                self.assertEqual(found, [], f"{len(found)} problems on {state.name!r}")

    def test_what_is_wrong_would_be_found(self) -> None:
        page = self.window("support")
        for harm, said in HARMS.items():
            with self.subTest(harm):
                page.goto("/")
                page.evaluate(harm)
                self.assertIn(said, "\n".join(problems(page)))


@needed(IS_AVAILABLE, AXE)
class SignInAccessibilityTests(CompanyPictures):
    """The pages around signing in: those that pictures are taken of."""

    HEADINGS = {
        "no-access": "You have no access here yet",
        "sso-sign-in": "Sign in to hubadmin",
        "sso-stale": "Sign in once more",
        "sso-refused": "You could not be signed in",
        "sso-recheck": "Checking your sign-in",
        "sso-signed-out": "You are signed out of hubadmin",
    }

    def test_every_page_is_for_everybody(self) -> None:
        self.everything()

    def take(self, name: str, who: str, show: Callable[[Page], object]) -> None:
        with self.subTest(name):
            page = self.signed_in(who)
            show(page)
            expect(page.locator("h1")).to_have_text(self.HEADINGS[name])
            self.assertEqual(problems(page), [])
