"""A database that refuses, cookies that nobody set, modes that changed: a page, and no way in."""

from django.contrib.sessions.models import Session
from django.test import override_settings

from hubadmin.models import User
from tests.hubadmin.sso.base import ProviderTestCase, later, query_of
from tests.hubadmin.sso.test_proxy_headers import ADA, SECRET
from tests.support import (
    LINK,
    LogTransactionTestCase,
    SignedInClient,
    missing_table,
    person,
    read_only_database,
)

MINUTE = 60


class DatabaseTests(ProviderTestCase):
    def test_health_asks_for_nobody(self) -> None:
        self.sign_in()
        with missing_table(Session), self.assertNumQueries(0):
            self.assertEqual(self.client.get("/healthz").status_code, 200)

    def test_a_sign_in_that_cannot_be_noted(self) -> None:
        self.client.raise_request_exception = False
        with read_only_database(), self.assertLogs("hubadmin.web.outages", "ERROR"):
            self.assertEqual(self.come_back(self.go()).status_code, 503)

    def test_what_was_typed_is_on_the_page_if_it_cannot_be_kept(self) -> None:
        self.sign_in()
        with later(16 * MINUTE), read_only_database():
            page = self.client.post("/?submit", LINK | {"reason": "SUP-77"})
        self.assertContains(page, "Nothing was sent.", status_code=503)
        self.assertContains(page, "SUP-77", status_code=503)

    def test_a_recheck_that_cannot_be_noted_is_no_endless_circle(self) -> None:
        self.sign_in()
        with later(16 * MINUTE):
            asked = self.go("/requests/")
            with read_only_database():
                answer = self.come_back(asked)
            self.assertRedirects(answer, "/sign-in?next=/requests/")

    @override_settings(SSO_MODE="header", SSO_HEADER_SECRET=SECRET)
    def test_in_header_mode_people_can_still_read(self) -> None:
        self.client.get("/requests/", headers=ADA)
        self.client.raise_request_exception = False
        with read_only_database():
            page = self.client.get("/requests/", headers=ADA | {"X-SSO-Groups": "admin"})
            # With the role that they had: the log could not show that they got another.
            self.assertNotContains(page, "Audit log")
            new = self.client.get("/requests/", headers=ADA | {"X-SSO-Subject": "new"})
            self.assertEqual(new.status_code, 503)


class MissingTableTests(LogTransactionTestCase):
    def test_without_its_people_nobody_gets_in_and_the_page_says_so(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        with missing_table(User), self.assertLogs("hubadmin.web.outages", "ERROR"):
            page = client.get("/requests/")
        self.assertContains(page, "The database does not answer", status_code=503)
        self.assertEqual(client.get("/requests/").status_code, 200)


class OddTests(ProviderTestCase):
    def test_a_key_that_no_session_can_have(self) -> None:
        for key in ('"aaaaaaaaaaaa\\000"', "a" * 5000, "../../etc/passwd", "ä" * 32):
            with self.subTest(key=key):
                client = SignedInClient(headers={"cookie": f"__Host-sessionid={key}"})
                self.assertEqual(client.get("/").status_code, 302)
                self.assertEqual(client.get("/sign-in").status_code, 200)

    def test_a_name_of_a_page_is_no_address(self) -> None:
        for name in ("audit_log", "foo", "?x", "é", "%25ff", "sign_in"):
            with self.subTest(name=name):
                self.client = SignedInClient()
                answer = self.client.get("/sign-in/start", {"next": name})
                self.assertEqual(answer.status_code, 302)
                self.assertEqual(self.come_back(query_of(answer))["Location"], "/")

    def test_who_was_signed_in_under_another_mode(self) -> None:
        self.sign_in()
        with self.settings(SSO_MODE="header", SSO_HEADER_SECRET=SECRET):
            self.assertEqual(self.client.get("/requests/", headers=ADA).status_code, 200)
        self.assertEqual(self.client.get("/requests/").status_code, 302)
        self.sign_in()

    def test_signing_in_anew_changes_the_key_again(self) -> None:
        self.sign_in()
        before = self.key()
        self.sign_in()
        self.assertNotEqual(self.key(), before)
        self.assertFalse(Session.objects.filter(pk=before).exists())

    def test_signing_out_from_a_page_too_old(self) -> None:
        client = SignedInClient(enforce_csrf_checks=True)
        self.client = client
        self.sign_in()
        headers = {"Referer": "https://testserver/"}
        answer = client.post("/sign-out", {"csrfmiddlewaretoken": "x" * 64}, headers=headers)
        self.assertContains(answer, "You are still signed in", status_code=403)
        form = {"csrfmiddlewaretoken": answer.context["csrf_token"]}
        self.assertContains(client.post("/sign-out", form, headers=headers), "You are signed out")

    def test_signing_out_from_a_page_of_somebody_who_has_gone(self) -> None:
        client = SignedInClient(enforce_csrf_checks=True)
        headers = {"Referer": "https://testserver/"}
        answer = client.post("/sign-out", {"csrfmiddlewaretoken": "x" * 64}, headers=headers)
        self.assertRedirects(answer, "/sign-in", fetch_redirect_response=False)

    def test_any_other_form_that_is_too_old_blames_nobody(self) -> None:
        for group in ("support", "admin"):
            client = SignedInClient(person(group), enforce_csrf_checks=True)
            data, headers = {"csrfmiddlewaretoken": "x"}, {"Referer": "https://testserver/"}
            page = client.post("/bulk/1/start/", data, headers=headers)
            self.assertContains(page, "reload its page and send it again", status_code=403)
            self.assertNotContains(page, "belongs to somebody else", status_code=403)
            self.assertNotContains(page, "Your role does not include", status_code=403)

    def test_a_long_id_token_is_no_hint(self) -> None:
        self.sign_in(groups=["support", *("g" * 36 for _ in range(200))])
        answer = self.client.post("/sign-out")
        self.assertIn("client_id=hubadmin", answer["Refresh"])
        self.assertLess(len(answer["Refresh"]), 1000)
