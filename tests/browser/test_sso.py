"""Signing in by OpenID Connect: real provider, real proxy, real browser."""

from playwright.sync_api import Page, Route, expect

from tests.browser.base import BrowserTestCase
from tests.browser.company import CompanyTestCase

REASON = "SUP-1234"


def fill(page: Page) -> None:
    """Fill in the form, and wait until it shows the two records, where it does."""
    BrowserTestCase.fill(page, "Contact", "501", "Company", "902")
    page.fill("#id_reason", REASON)
    if page.locator("[data-swap]").is_visible():
        expect(page.locator("#from-card")).to_contain_text("Ada Byron")
        expect(page.locator("#to-card")).to_contain_text("Company 902")
        expect(page.locator("#preview")).to_contain_text("linked")


class SignInTests(CompanyTestCase):
    def test_support_links_two_records(self) -> None:
        page = self.signed_in("mina")
        expect(page.locator(".person")).to_contain_text("Mina")
        expect(page.locator("nav >> text=Audit log")).to_have_count(0)
        fill(page)
        page.click(".link-form .primary")
        self.linked_now(page, "Contact 501 is now linked to Company 902.")
        self.assertEqual(page.goto("/audit/").status, 403)
        (asked,) = self.asked()
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.assertNotIn("prompt", asked)

    def test_an_admin_gets_where_the_link_led(self) -> None:
        page = self.window()
        self.sign_in(page, "noah", "/audit/?before=7")
        expect(page).to_have_url(f"{self.apache.origin}/audit/?before=7")
        expect(page.locator("h1")).to_have_text("Audit log")

    def test_somebody_without_a_group_is_told_whom_to_ask(self) -> None:
        page = self.signed_in("vera")
        expect(page).to_have_url(f"{self.apache.origin}/no-access")
        self.assertEqual(page.reload().status, 403)
        expect(page.locator("main")).to_contain_text("Ask the service desk (help@example.com)")
        expect(page.locator("main")).to_contain_text("Vera")
        self.provider.set_account("vera", ["support"])
        page.get_by_role("link", name="Sign in again").click()
        expect(page.locator("h1")).to_have_text("Link two records")

    def test_the_cookies(self) -> None:
        page = self.signed_in("mina")
        cookies = [c for c in page.context.cookies() if c["name"].startswith("__Host-")]
        self.assertEqual({c["name"] for c in cookies}, {"__Host-sessionid", "__Host-csrftoken"})
        for cookie in cookies:
            self.assertTrue(cookie["secure"] and cookie["httpOnly"], cookie)
            self.assertEqual((cookie["sameSite"], cookie["path"]), ("Lax", "/"))

    def test_the_browser_would_tell_of_a_breach_of_the_csp(self) -> None:
        page = self.signed_in("noah")
        for path in ("/", "/requests/", "/audit/", "/nowhere", "/no-access", "/?from_object_id=x"):
            page.goto(path)
        self.assertEqual(self.complaints, [])
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x')")
        page.evaluate(
            "const script = document.createElement('script');"
            "script.textContent = 'window.ran = 1'; document.body.append(script)"
        )
        self.assertIsNone(page.evaluate("window.ran"))
        page.wait_for_timeout(100)
        kinds = {text.split(" violates ")[0] for text in self.complaints}
        self.assertEqual(kinds, {"Applying inline style", "Executing inline script"})
        self.complaints.clear()


class RecheckTests(CompanyTestCase):
    def test_it_is_not_seen(self) -> None:
        page = self.signed_in("mina")
        self.let_the_recheck_come_due()
        page.goto("/requests/?before=7")
        expect(page).to_have_url(f"{self.apache.origin}/requests/?before=7")
        expect(page.locator("h1")).to_have_text("My requests")
        self.assertEqual([asked.get("prompt") for asked in self.asked()], [None, "none"])

    def test_a_group_removed_is_out_at_the_first_get(self) -> None:
        page = self.signed_in("mina")
        self.provider.set_account("mina", ["others"])
        self.let_the_recheck_come_due()
        page.goto("/requests/")
        expect(page).to_have_url(f"{self.apache.origin}/no-access")
        page.goto("/requests/")
        expect(page.locator("h1")).to_have_text("Sign in to hubadmin")

    def test_a_group_removed_is_out_at_the_first_post(self) -> None:
        page = self.signed_in("mina")
        fill(page)
        self.provider.set_account("mina", [])
        self.let_the_recheck_come_due()
        page.click(".link-form .primary")
        page.wait_for_url("**/no-access")
        self.assertEqual(self.puts(), [])

    def test_an_overdue_submit_comes_back_filled_in(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                page = self.signed_in("mina", java_script_enabled=javascript)
                fill(page)
                self.let_the_recheck_come_due()
                page.click(".link-form .primary")
                expect(page.locator("[role=alert]")).to_contain_text("had to be checked")
                expect(page.locator("#id_reason")).to_have_value(REASON)
                page.click(".link-form .primary")
                self.linked_now(page, "Company 902")

    def test_a_preview_that_finds_it_overdue_loses_nothing(self) -> None:
        page = self.signed_in("mina")
        self.let_the_recheck_come_due()
        page.fill("#id_reason", REASON)
        held: list[Route] = []
        # The box looks for the first record while the second is filled in.
        page.route("**/find/", lambda route: held.append(route), times=1)
        with page.expect_request("**/find/"):
            page.fill("#id_from_object_id", "Contact 501")
        page.fill("#id_to_object_id", "Company 902")
        held[0].continue_()
        expect(page.locator("[role=alert]")).to_contain_text("had to be checked")
        expect(page.locator(".sides")).to_contain_text("Ada Byron")
        expect(page.locator("#id_to_object_id")).to_have_value("902")
        expect(page.locator("#id_reason")).to_have_value(REASON)

    def test_signed_out_at_the_provider_is_signed_out_here(self) -> None:
        page = self.signed_in("mina")
        self.provider.sign_out_everywhere()
        self.let_the_recheck_come_due()
        page.goto("/requests/")
        expect(page).to_have_url(f"{self.apache.origin}/sign-in?next=/requests/")


class LeavingTests(CompanyTestCase):
    def test_a_deactivated_person_is_out_at_once(self) -> None:
        page = self.signed_in("mina")
        fill(page)
        self.server.manage("people", "--deactivate", "mina@example.com")
        self.addCleanup(self.server.manage, "people", "--reactivate", "mina@example.com")
        page.click(".link-form .primary")
        expect(page.locator("h1")).to_have_text("Sign in to hubadmin")
        self.assertEqual(self.puts(), [])
        page.click("text=Sign in with your company account")
        expect(page.locator("main")).to_contain_text("switched off")

    def test_signing_out_reaches_the_provider(self) -> None:
        for javascript in (True, False):
            with self.subTest(javascript=javascript):
                self.provider.clear_log()
                page = self.signed_in("mina", java_script_enabled=javascript)
                page.click("text=Sign out")
                if not javascript:  # the provider's page, whose button a script clicks otherwise
                    page.wait_for_url(f"{self.provider.issuer}/**")
                    page.click("button")
                page.wait_for_url(f"{self.apache.origin}/sign-in**")
                self.assertEqual(len(self.provider.log("end_session.success")), 1)
                page.click("text=Sign in with your company account")
                expect(page.locator("input[name=login]")).to_be_visible()
