"""Headers of a proxy that knows the secret, and of everybody else."""

from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext

from hubadmin.models import User
from tests.support import LINK, SandboxMixin, SignedInClient

SECRET = "a-secret-that-the-proxy-and-we-share-42"
ADA = {
    "X-SSO-Secret": SECRET,
    "X-SSO-Subject": "u1",
    "X-SSO-Email": "ada@example.com",
    "X-SSO-Name": "Ada Byron",
    "X-SSO-Groups": "others;support",
}


@override_settings(SSO_MODE="header", SSO_ISSUER="proxy", SSO_HEADER_SECRET=SECRET)
class HeaderTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient()

    def get(self, path: str = "/requests/", **changes: Any) -> HttpResponse:
        headers = ADA | {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.client.get(path, headers=headers)

    def test_the_proxy_says_who_it_is(self) -> None:
        self.assertContains(self.get(), "Ada Byron")
        user = User.objects.get()
        self.assertEqual((user.issuer, user.subject), ("proxy", "u1"))
        self.assertEqual((user.email, user.role), ("ada@example.com", "support"))
        self.assertEqual(self.get("/audit/").status_code, 403)
        self.assertEqual(self.get("/audit/", X_SSO_Groups="admin").status_code, 200)

    def test_and_what_they_do_is_theirs(self) -> None:
        answer = self.client.post("/?submit", LINK, headers=ADA)
        self.assertContains(self.get(answer["Location"]), "is now linked")
        self.assertNotContains(self.get(answer["Location"], X_SSO_Subject="u2"), "is now linked")

    def test_without_the_headers_nobody_is_signed_in_whatever_the_cookies(self) -> None:
        self.get()
        for missing in ({"X_SSO_Subject": None}, {"X_SSO_Subject": ""}):
            answer = self.get(**missing)
            self.assertRedirects(answer, "/sign-in?next=/requests/", fetch_redirect_response=False)
        self.assertContains(self.get("/sign-in", X_SSO_Subject=None), "opens only", status_code=403)
        self.assertEqual(self.client.get("/requests/").status_code, 302)

    def test_without_the_secret_nothing_counts(self) -> None:
        for secret in (
            None,
            "",
            "wrong",
            SECRET[:-1],
            SECRET + "x",
            f"{SECRET},{SECRET}",
            "ß" * 39,
        ):
            with self.subTest(secret=secret), self.assertLogs("hubadmin.sso", "WARNING"):
                answer = self.get(X_SSO_Secret=secret)
                self.assertContains(answer, "opens only through", status_code=403)
        with self.settings(SSO_HEADER_SECRET=""):
            self.assertEqual(self.get(X_SSO_Secret="").status_code, 403)
        self.assertFalse(User.objects.exists())

    def test_two_headers_joined_are_refused(self) -> None:
        for name, value in (
            ("X_SSO_Subject", "u1,u2"),
            ("X_SSO_Email", "a@example.com,b@example.com"),
            ("X_SSO_Groups", "admin,support"),
            ("X_SSO_Groups", "admin;x,support"),
            ("X_SSO_Subject", "u" * 256),
            ("X_SSO_Subject", "u\x07"),
        ):
            with self.subTest(name=name, value=value):
                self.assertEqual(self.get(**{name: value}).status_code, 403)
        self.assertFalse(User.objects.exists())

    def test_a_name_with_a_comma_is_not_believed(self) -> None:
        self.assertContains(self.get(X_SSO_Name="Byron, Ada"), "ada@example.com")
        self.assertEqual(User.objects.get().name, "ada@example.com")

    def test_names_in_utf_8_and_in_latin_1(self) -> None:
        for sent, shown in (
            ("Zoë Ångström".encode().decode("latin-1"), "Zoë Ångström"),
            ("Zo\xeb", "Zoë"),
        ):
            self.get(X_SSO_Name=sent)
            self.assertEqual(User.objects.get().name, shown)

    @override_settings(SSO_GROUPS_SEPARATOR=",")
    def test_a_comma_between_groups_if_the_settings_say_so(self) -> None:
        self.get(X_SSO_Groups="others, admin")
        self.assertTrue(User.objects.get().is_admin)

    def test_no_known_group(self) -> None:
        for groups in (None, "", "others", "support "):
            expected = 200 if groups == "support " else 403
            self.assertEqual(self.get(X_SSO_Groups=groups).status_code, expected, groups)
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            page = self.get(X_SSO_Subject="u9", X_SSO_Groups="")
        self.assertContains(page, "no access here", status_code=403)
        self.assertEqual(logs.records[0].why, "no known group")

    def test_somebody_deactivated(self) -> None:
        self.get()
        User.objects.update(is_active=False)
        self.assertContains(self.get(), "switched off", status_code=403)

    def test_another_person_gets_another_session(self) -> None:
        with self.assertLogs("hubadmin.sso") as logs:
            self.get()
            first = self.client.cookies["__Host-sessionid"].value
            self.get()
            self.assertEqual(self.client.cookies["__Host-sessionid"].value, first)
            self.get(X_SSO_Subject="u2")
        self.assertNotEqual(self.client.cookies["__Host-sessionid"].value, first)
        self.assertFalse(Session.objects.filter(pk=first).exists())
        self.assertEqual([r.getMessage() for r in logs.records], ["signed in", "signed in"])

    def test_what_stands_already_is_not_written_again(self) -> None:
        self.get()
        with CaptureQueriesContext(connection) as queries:
            self.get()
        statements = [query["sql"].split()[0] for query in queries]
        self.assertIn("SELECT", statements)
        self.assertFalse({"INSERT", "UPDATE", "DELETE"} & {*statements})

    def test_health_needs_nobody(self) -> None:
        self.assertEqual(self.get("/healthz", X_SSO_Secret="wrong").status_code, 200)

    @override_settings(SSO_SIGN_OUT_URL="/oidc-callback?logout=x")
    def test_signing_out_leads_to_the_proxy(self) -> None:
        answer = self.client.post("/sign-out", headers=ADA)
        self.assertEqual(answer["Refresh"], "0; url=/oidc-callback?logout=x")
