"""Who came, went, was refused or got another role: in the log, not only in the server's lines."""

from io import StringIO
from typing import Any

from django.core.management import call_command
from django.http import HttpResponse
from django.test import TestCase, override_settings

from hubadmin.models import User
from tests.associations.audit.integrity.base import EVENT, refuse_rows_in
from tests.hubadmin.sso.base import ProviderTestCase, later
from tests.hubadmin.sso.test_proxy_headers import ADA, SECRET
from tests.support import (
    SandboxMixin,
    SignedInClient,
    person,
    read_only_database,
    security_events,
)

MINUTE = 60


def told(*names: str) -> list[tuple]:
    """Of each event what it was, and these of its columns or facts."""
    return [
        (each["what"], *(each.get(name, each.get("facts", {}).get(name)) for name in names))
        for each in security_events()
    ]


class ProviderTests(ProviderTestCase):
    def test_a_sign_in_and_a_sign_out(self) -> None:
        self.sign_in(email="ada@example.com", name="Ada Byron")
        self.client.post("/sign-out")
        names = ("user_name", "user_email", "role")
        ada = ("Ada Byron", "ada@example.com", "support")
        self.assertEqual(told(*names), [("signed_in", *ada), ("signed_out", *ada)])

    def test_from_where(self) -> None:
        headers = {"User-Agent": "Firefox", "X-Request-ID": "trace-1"}
        self.client = SignedInClient(headers=headers, REMOTE_ADDR="192.0.2.7")
        answer = self.come_back(self.go())
        (event,) = security_events()
        self.assertEqual((event["client_ip"], event["user_agent"]), ("192.0.2.7", "Firefox"))
        ids = (event["request_id"], event["client_request_id"])
        self.assertEqual(ids, (answer["X-Request-ID"], "trace-1"))

    def test_a_sign_in_that_is_refused(self) -> None:
        self.come_back(self.go(), aud="another")
        self.come_back_with(self.go(), "access_denied")
        found = told("user_id", "why")
        self.assertEqual([each[:2] for each in found], [("refused", None)] * 2)
        self.assertIn("access_denied", found[1][2])

    def test_somebody_without_a_group_and_somebody_deactivated(self) -> None:
        self.come_back(self.go(), groups=["others"])
        self.sign_in(sub="ben")
        User.objects.filter(subject="ben").update(is_active=False)
        self.client.get("/requests/")
        self.come_back(self.go(), sub="ben")
        off = "the person has been deactivated"
        refusals = [each for each in told("why") if each[0] != "signed_in"]
        expected = [("refused", "no known group"), ("session_ended", off), ("refused", off)]
        self.assertEqual(refusals, expected)

    def test_a_session_that_ran_out(self) -> None:
        self.sign_in()
        with later(61 * MINUTE):
            self.client.get("/requests/")
        self.assertEqual(told("why")[1:], [("session_ended", "there was no activity")])

    def test_one_that_the_provider_knows_no_more(self) -> None:
        self.sign_in()
        with later(16 * MINUTE):
            self.come_back_with(self.go("/requests/"), "login_required")
        self.assertEqual([what for (what,) in told()], ["signed_in", "session_ended"])

    def test_a_silent_recheck_is_none_but_a_change_of_role_is(self) -> None:
        self.sign_in(groups=["support"])
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"), groups=["support"])
        with later(32 * MINUTE):
            self.come_back(self.go("/requests/"), groups=["admin"])
        found = told("role", "from", "request_id")
        self.assertEqual([each[0] for each in found], ["signed_in", "role_changed"])
        self.assertEqual(found[1][1:3], ("admin", "support"))
        self.assertTrue(found[1][3])

    def test_who_has_left_the_groups_has_lost_a_role(self) -> None:
        self.sign_in(groups=["admin"])
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"), groups=[])
        found = told("role", "from")
        self.assertEqual(found[1:], [("role_changed", None, "admin"), ("refused", None, None)])

    def test_a_provider_that_is_away_refuses_nobody(self) -> None:
        self.provider.reset()
        with self.settings(SSO_DISCOVERY_URL="http://127.0.0.1:9/"):
            self.assertEqual(self.client.get("/sign-in/start").status_code, 503)
        self.assertEqual(told(), [])

    def test_nobody_is_let_in_whose_sign_in_cannot_be_logged(self) -> None:
        refuse_rows_in(EVENT, "full")
        answer = self.come_back(self.go())
        self.assertContains(answer, "The database does not answer", status_code=503)
        self.assertEqual(self.client.get("/requests/").status_code, 302)

    def test_who_is_refused_or_leaves_does_so_all_the_same(self) -> None:
        self.sign_in()
        refuse_rows_in(EVENT, "full")
        with self.assertLogs("hubadmin.sso", "ERROR"):
            self.assertContains(self.client.post("/sign-out"), "You are signed out")
        with self.assertLogs("hubadmin.sso", "ERROR"):
            self.assertEqual(self.come_back(self.go(), aud="another").status_code, 403)


@override_settings(SSO_MODE="header", SSO_ISSUER="proxy", SSO_HEADER_SECRET=SECRET)
class ProxyTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient()

    def get(self, path: str = "/requests/", **changes: Any) -> HttpResponse:
        headers = ADA | {name.replace("_", "-"): value for name, value in changes.items()}
        return self.client.get(path, headers=headers)

    def test_the_first_request_of_a_session_and_no_other(self) -> None:
        for _ in range(3):
            self.get()
        self.get(X_SSO_Subject="u2", X_SSO_Name="Ben")
        found = told("user_name", "role")
        expected = [("signed_in", "Ada Byron", "support"), ("signed_in", "Ben", "support")]
        self.assertEqual(found, expected)

    def test_another_role_within_a_session(self) -> None:
        for groups in ("support", "admin", "admin", "support"):
            self.get(X_SSO_Groups=groups)
        changes = [("role_changed", "admin", "support"), ("role_changed", "support", "admin")]
        self.assertEqual(told("role", "from")[1:], changes)

    def test_a_wrong_secret_names_nobody(self) -> None:
        self.get(X_SSO_Secret="guess")
        (event,) = security_events()
        self.assertEqual(event["what"], "refused")
        self.assertNotIn("user_id", event)
        self.assertNotIn("u1", str(event))  # anybody could have said so

    def test_somebody_deactivated_is_named(self) -> None:
        self.get()
        User.objects.update(is_active=False)
        self.get()
        self.assertEqual(told("user_name")[1:], [("refused", "Ada Byron")])

    def test_a_role_that_no_log_holds_is_not_had_and_one_that_is_lost_is_lost(self) -> None:
        for before, now in (("support", "admin"), ("admin", "support")):
            self.get(X_SSO_Groups=before)
            with read_only_database():
                answer = self.get("/audit/", X_SSO_Groups=now)
                self.assertEqual(answer.status_code, 403, f"{before} → {now}")


class CommandTests(TestCase):
    def people(self, *arguments: str) -> None:
        call_command("people", *arguments, stdout=StringIO(), no_color=True)

    def test_who_is_switched_off_and_on(self) -> None:
        ada = person("ada", "support")
        self.people("--deactivate", "ada@example.com")
        self.people("--deactivate", "ada@example.com")  # is so already
        self.people("--reactivate", str(ada.pk))
        self.people()
        found = told("user_id", "user_name", "by")
        self.assertEqual(
            [each[:3] for each in found],
            [
                ("deactivated", ada.pk, "Ada"),
                ("reactivated", ada.pk, "Ada"),
            ],
        )
        self.assertTrue(all(by for *_rest, by in found))

    def test_not_without_the_log(self) -> None:
        ada = person("ada", "support")
        with read_only_database(), self.assertRaises(Exception):  # noqa: B017 - of either database
            self.people("--deactivate", "ada@example.com")
        ada.refresh_from_db()
        self.assertTrue(ada.is_active)
