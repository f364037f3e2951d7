"""In which language pages come: as the browser asks, or as the person has chosen, which lasts."""

import subprocess
import sys
from http.cookies import Morsel

from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import translation

from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LogTransactionTestCase, SignedInClient, missing_table, person

JAPANESE = {"accept-language": "ja-JP,ja;q=0.9,en;q=0.5"}
ENGLISH = {"accept-language": "en-GB,en;q=0.9"}
EVIL = [
    *("https://evil.test/", "//evil.test", "/\\evil.test", "///evil.test", "javascript:alert(1)"),
    *("http://testserver/", "https://testserver.evil.test/", "https://testserver@evil.test/"),
]


def language_of(answer: HttpResponse) -> str:
    """What the page says of itself, as long as its header says the same."""
    start, _, _ = answer.content.decode().partition("<head>")
    language = start.partition('<html lang="')[2].partition('"')[0]
    assert answer["Content-Language"] == language
    return language


class BrowserTests(PageTestCase):
    def test_pages_come_as_the_browser_asks(self) -> None:
        for asked, expected in (
            ("ja", "ja"),
            ("ja-JP", "ja"),
            ("fr, ja;q=0.8, en;q=0.5", "ja"),
            ("en, ja;q=0.8", "en"),
            ("fr-CH, de", "en"),
            ("", "en"),
            ("*", "en"),
            ("ja" * 5_000, "en"),
            ("../ja\0", "en"),
        ):
            for client, address in ((self.client, "/"), (SignedInClient(), "/sign-in")):
                with self.subTest(asked[:30], address=address):
                    answer = client.get(address, headers={"accept-language": asked})
                    self.assertEqual(language_of(answer), expected)
                    self.assertIn("Accept-Language", answer["Vary"])

    def test_so_does_what_stands_in_for_a_page(self) -> None:
        for address, client, status in (
            ("/nowhere", self.client, 404),
            ("/audit/", self.client, 403),
            ("/no-access", SignedInClient(), 403),
            ("/sign-in/start", SignedInClient(), 503),
            ("/sign-in/callback", SignedInClient(), 400),
            ("/?" + "&" * 1_000, self.client, 413),
        ):
            with self.subTest(address[:30]):
                answer = client.get(address, headers=JAPANESE)
                self.assertEqual((answer.status_code, language_of(answer)), (status, "ja"))

    def test_files_depend_on_no_language(self) -> None:
        answer = self.client.get("/static/associations/hubadmin.css", headers=JAPANESE)
        self.assertNotIn("Content-Language", answer)
        self.assertNotIn("Accept-Language", answer.get("Vary", ""))

    @override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
    def test_the_next_request_on_the_same_thread_knows_nothing_of_it(self) -> None:
        self.client.raise_request_exception = False
        for address, status in (("/", 200), ("/audit/", 403), ("/nowhere", 404), ("/broken", 500)):
            self.assertEqual(self.client.get(address, headers=JAPANESE).status_code, status)
            self.assertEqual(translation.get_language(), "en")
            # Refused before it is known who asks, and in which language.
            refused = self.client.get("/", headers={"host": "evil.test"})
            self.assertContains(refused, '<html lang="en">', status_code=400)


class SwitchTests(PageTestCase):
    def choose(self, language: str, client: SignedInClient | None = None, **fields: str) -> Morsel:
        answer = (client or self.client).post("/language", {"language": language} | fields)
        self.assertEqual(answer.status_code, 302)
        return answer.cookies["language"]

    def test_it_goes_before_the_browser_and_lasts(self) -> None:
        for language, headers in (("ja", ENGLISH), ("en", JAPANESE)):
            self.choose(language)
            for _ in range(2):
                answer = self.client.get("/requests/", headers=headers)
                self.assertEqual(language_of(answer), language)

    def test_the_cookie(self) -> None:
        cookie = self.choose("ja")
        self.assertEqual((cookie["max-age"], cookie["path"]), (365 * 24 * 60 * 60, "/"))
        self.assertEqual(cookie["samesite"], "Lax")
        self.assertTrue(cookie["secure"] and cookie["httponly"])

    def test_signed_out_as_well_without_session_or_database(self) -> None:
        stranger = SignedInClient()
        with self.assertNumQueries(0):
            self.choose("ja", stranger)
        self.assertEqual([*stranger.cookies], ["language"])
        self.assertEqual(language_of(stranger.get("/sign-in")), "ja")

    def test_it_outlives_signing_in_and_out(self) -> None:
        self.choose("ja")
        self.client.post("/sign-out")
        self.client.sign_in(self.user)
        self.assertEqual(language_of(self.client.get("/")), "ja")

    def test_what_is_not_offered_changes_nothing(self) -> None:
        self.choose("ja")
        for odd in ("", "xx", "ja\0", "../ja", "<script>", "j" * 5_000):
            with self.subTest(odd[:20]):
                self.client.post("/language", {"language": odd})
                self.assertEqual(language_of(self.client.get("/")), "ja")

    def test_a_cookie_that_names_no_language_is_ignored(self) -> None:
        for odd in ("", "xx", "de", "../ja", "ja" * 5_000, "<script>"):
            with self.subTest(odd[:20]):
                self.client.cookies["language"] = odd
                answer = self.client.get("/", headers=JAPANESE)
                self.assertEqual(language_of(answer), "ja")

    def test_it_leads_back_to_the_page_and_to_no_other_site(self) -> None:
        back = "/requests/?before=7&x=%2F"
        answer = self.client.post("/language", {"language": "ja", "next": back})
        self.assertEqual(answer["Location"], back)
        for evil in EVIL:
            for headers in ({}, {"referer": "https://evil.test/"}):
                with self.subTest(evil, headers=headers):
                    fields = {"language": "ja", "next": evil}
                    answer = self.client.post("/language", fields, headers=headers)
                    self.assertEqual(answer["Location"], "/")


class ButtonTests(PageTestCase):
    """The switch itself, as it stands on the pages."""

    def assert_switch(self, answer: HttpResponse, back: str) -> None:
        html = answer.content.decode()
        form = html.partition('action="/language"')[2].partition("</form>")[0]
        self.assertInHTML(f'<input type="hidden" name="next" value="{back}">', form)
        self.assertIn("csrfmiddlewaretoken", form)
        for code, name in (("en", "English"), ("ja", "日本語")):
            button = form.partition(f'value="{code}" lang="{code}"')[2]
            self.assertTrue(button.partition(">")[2].startswith(name))
            is_current = button.startswith(' aria-current="true">')
            self.assertEqual(is_current, language_of(answer) == code)

    def test_every_page_has_it_and_says_where_to_come_back_to(self) -> None:
        entry = entry_of(self.user).get_absolute_url()
        pages = [*("/", "/requests/", entry, "/audit/", "/audit/figures/", "/audit/exports/")]
        pages += ["/audit/integrity/", "/audit/records/contacts/501/", "/nowhere"]
        for headers in (ENGLISH, JAPANESE):
            for address in pages:
                with self.subTest(address):
                    self.assert_switch(self.as_admin.get(address, headers=headers), address)
            self.assert_switch(SignedInClient().get("/sign-in", headers=headers), "/sign-in")

    def test_what_cannot_be_asked_for_again_leads_to_the_form(self) -> None:
        self.assert_switch(self.client.post("/", {}), "/")
        self.assert_switch(SignedInClient().get("/sign-in/callback?code=1&state=2"), "/")
        self.assert_switch(self.client.post("/sign-out"), "/")

    def test_it_works_as_the_page_sends_it(self) -> None:
        for client, address in (
            (SignedInClient(self.user, enforce_csrf_checks=True), "/requests/?before=1"),
            (SignedInClient(enforce_csrf_checks=True), "/sign-in"),
        ):
            token = str(client.get(address).context["csrf_token"])
            fields = {"csrfmiddlewaretoken": token, "language": "ja", "next": address}
            headers = {"referer": "https://testserver/"}
            answer = client.post("/language", fields, headers=headers)
            self.assertEqual(answer["Location"], address)
            self.assertEqual(language_of(client.get(address)), "ja")


@override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
class FailureTests(TestCase):
    def test_our_own_failure_is_told_in_the_language(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        answer = client.get("/broken", headers=JAPANESE)
        self.assertEqual((answer.status_code, language_of(answer)), (500, "ja"))
        self.assertContains(answer, "問題が発生しました", status_code=500)


class DatabaseAwayTests(LogTransactionTestCase):
    def test_the_language_needs_no_database(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        client.post("/language", {"language": "ja"})
        with missing_table(AssociationRequest):
            answer = client.get("/requests/")
            self.assertEqual((answer.status_code, language_of(answer)), (503, "ja"))
        with missing_table(Session):
            answer = client.get("/requests/")
            self.assertEqual((answer.status_code, language_of(answer)), (503, "ja"))
            answer = client.post("/language", {"language": "en", "next": "/requests/"})
            self.assertEqual((answer.status_code, answer["Location"]), (302, "/requests/"))
            self.assertEqual(language_of(client.get("/requests/")), "en")


class DemoTests(SimpleTestCase):
    def test_over_plain_http_the_cookie_is_kept_as_well(self) -> None:
        """The demo's settings change what they are read into, so another process reads them."""
        shown = "import hubadmin.demo.settings as s; print(s.LANGUAGE_COOKIE_SECURE)"
        environment = {"DEMO_PARENT": "1", "DEMO_REAL_HUBSPOT": "false"}
        options = {"cwd": settings.BASE_DIR, "env": environment, "text": True}
        found = subprocess.run([sys.executable, "-c", shown], capture_output=True, **options)
        self.assertEqual(found.stdout, "False\n")
        self.assertIs(settings.LANGUAGE_COOKIE_SECURE, True)
