"""How long a sign-in lasts, by a clock that the tests set."""

from unittest import mock

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session

from associations.models import AssociationRequest
from hubadmin.models import User
from hubadmin.sso.oidc_provider import provider
from hubadmin.web.sessions import SessionStore
from tests.associations.linking.base import entry_of
from tests.hubadmin.sso.base import ProviderTestCase, later
from tests.support import LINK, SignedInClient

MINUTE, HOUR = 60, 3600
TYPED = {**LINK, "reason": "SUP-1234"}
FRAGMENT = {"HX-Request": "true", "HX-Current-URL": "https://testserver/requests/?before=7"}


class LifetimeTests(ProviderTestCase):
    """Without the provider's being asked again, so that nothing else ends the sign-in."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(self.settings(SSO_RECHECK_SECONDS=24 * HOUR))
        self.sign_in()

    def is_in(self, **headers: str) -> bool:
        return self.client.get("/requests/", headers=headers).status_code == 200

    def test_an_hour_without_activity_ends_it(self) -> None:
        with later(59 * MINUTE):
            self.assertTrue(self.is_in())
        with later((59 + 59) * MINUTE):
            self.assertTrue(self.is_in())
        with later((59 + 59 + 61) * MINUTE), self.assertLogs("hubadmin.sso") as logs:
            self.assertFalse(self.is_in())
        self.assertEqual(logs.records[0].why, "there was no activity")
        self.assertContains(self.client.get("/sign-in"), "no activity for a while")
        self.assertFalse(self.is_in(), "it must not come back to life")

    def test_eight_hours_end_it_however_active(self) -> None:
        for minutes in range(30, 8 * 60, 30):
            with later(minutes * MINUTE):
                self.assertTrue(self.is_in())
        with later(8 * HOUR), self.assertLogs("hubadmin.sso") as logs:
            self.assertFalse(self.is_in())
        self.assertEqual(logs.records[0].why, "its lifetime is over")
        self.assertContains(self.client.get("/sign-in"), "as long as one may be")
        self.sign_in()
        self.client.post("/sign-out")
        self.assertNotContains(self.client.get("/sign-in"), "as long as one may be")

    def test_a_post_is_no_way_round_either(self) -> None:
        for seconds in (61 * MINUTE, 8 * HOUR):
            with self.subTest(seconds=seconds):
                self.sign_in()
                with later(seconds):
                    answer = self.client.post("/?submit", TYPED)
                self.assertRedirects(answer, "/sign-in?next=/%3Fsubmit")
        self.assertEqual((AssociationRequest.objects.count(), self.puts()), (0, []))

    def test_what_a_page_does_by_itself_is_no_activity(self) -> None:
        for path, headers in (("/requests/", {"HX-Request": "true"}), ("/requests/?refresh", {})):
            with self.subTest(path=path):
                self.sign_in()
                with later(50 * MINUTE):
                    self.assertEqual(self.client.get(path, headers=headers).status_code, 200)
                with later(61 * MINUTE):
                    self.assertFalse(self.is_in())

    def test_a_click_and_a_submit_are(self) -> None:
        with later(50 * MINUTE):
            self.assertTrue(self.is_in())
        with later(100 * MINUTE):
            self.assertEqual(self.client.post("/?submit", {}).status_code, 422)
        with later(150 * MINUTE):
            self.assertTrue(self.is_in())

    def test_what_was_typed_comes_back_to_the_same_person_only(self) -> None:
        with later(61 * MINUTE):
            self.client.post("/?submit", TYPED)
        self.come_back(self.go("/sign-in/start?next=/"), sub="somebody else")
        self.assertNotContains(self.client.get("/"), "SUP-1234")
        self.client.post("/sign-out")

        self.sign_in()
        with later(61 * MINUTE):
            self.client.post("/?submit", TYPED)
        self.come_back(self.go("/sign-in/start?next=/"))
        page = self.client.get("/")
        self.assertContains(page, "SUP-1234")
        self.assertContains(page, "You had been signed out")

    def test_a_session_of_no_known_age_is_over(self) -> None:
        session = self.client.session
        del session["sso"]
        session.save()
        self.assertFalse(self.is_in())

    def test_nor_does_one_last_longer_by_a_clock_that_was_set_back(self) -> None:
        with later(4 * MINUTE):
            self.sign_in()
        self.assertTrue(self.is_in())  # another machine's clock may be as much ahead
        with later(3 * HOUR):
            self.sign_in()
        with self.assertLogs("hubadmin.sso") as logs:
            self.assertFalse(self.is_in())
        self.assertEqual(logs.records[0].why, "its age is not known")

    def test_activity_counts_again_once_the_clock_is_set_back(self) -> None:
        with later(50 * MINUTE):
            self.assertTrue(self.is_in())
        self.assertTrue(self.is_in())
        with later(61 * MINUTE):
            self.assertFalse(self.is_in())

    def test_activity_that_cannot_be_noted_costs_nobody_their_page(self) -> None:
        # As if another tab had got a new key for the session meanwhile: its row is gone.
        gone = mock.patch.object(SessionStore, "save", side_effect=UpdateError)
        with later(2 * MINUTE), gone, self.assertLogs("hubadmin.web.sessions", "WARNING"):
            self.assertTrue(self.is_in())


class RecheckTests(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in(email="ada@example.com")

    def test_a_check_of_the_future_is_none(self) -> None:
        """The clock was set back since: the provider is asked now, not hours later."""
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"), email="ada@example.com")
        self.go("/requests/")

    def test_it_is_asked_unseen_and_leads_back(self) -> None:
        with later(14 * MINUTE):
            self.assertEqual(self.client.get("/requests/?before=7").status_code, 200)
        with later(16 * MINUTE):
            asked = self.go("/requests/?before=7")
            self.assertEqual((asked["prompt"], asked["login_hint"]), ("none", "ada@example.com"))
            answer = self.come_back(asked)
            self.assertRedirects(answer, "/requests/?before=7")
        with later(30 * MINUTE):
            self.assertEqual(self.client.get("/requests/").status_code, 200)

    def test_forms_that_are_open_stay_good(self) -> None:
        client = self.client = SignedInClient(enforce_csrf_checks=True)
        self.sign_in()
        page = client.get("/")
        form = TYPED | {"csrfmiddlewaretoken": page.context["csrf_token"]}
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"))
            answer = client.post("/?submit", form, headers={"Referer": "https://testserver/"})
        self.assertEqual(answer["Location"], f"/?linked={AssociationRequest.objects.get().pk}")

    def test_an_overdue_post_is_not_done_but_kept(self) -> None:
        with later(16 * MINUTE):
            answer = self.client.post("/?submit", TYPED)
            self.assertContains(answer, "Nothing was sent", status_code=401)
            self.assertEqual(answer["Refresh"], "0; url=/")
            self.assertEqual(self.puts(), [])
            self.assertRedirects(self.come_back(self.go("/")), "/")
            page = self.client.get("/")
        self.assertContains(page, "Your sign-in had to be checked")
        self.assertContains(page, "SUP-1234")

    def test_an_overdue_check_leads_back_to_its_entry(self) -> None:
        entry = entry_of(User.objects.get())
        with later(16 * MINUTE):
            answer = self.client.post(f"/requests/{entry.pk}/check/")
        self.assertEqual(answer["Refresh"], f"0; url=/requests/{entry.pk}/check/")

    def test_an_answer_serves_once(self) -> None:
        with later(16 * MINUTE):
            asked = self.go("/requests/")
            self.assertRedirects(self.come_back(asked), "/requests/")
            self.assertRedirects(self.come_back_with(asked, "login_required"), "/")
            self.assertEqual(self.client.get("/requests/").status_code, 200)

    def test_a_fragment_has_the_whole_page_loaded(self) -> None:
        with later(16 * MINUTE):
            answer = self.client.get("/requests/", headers=FRAGMENT)
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer["HX-Redirect"], "/requests/?before=7")
        elsewhere = FRAGMENT | {"HX-Current-URL": "https://evil.test//evil.test/"}
        with later(2 * HOUR):
            self.assertEqual(self.client.get("/", headers=elsewhere)["HX-Redirect"], "/")

    def test_who_has_left_the_groups_is_out_at_the_first_get(self) -> None:
        with later(16 * MINUTE):
            with self.assertLogs("hubadmin.sso", "WARNING") as logs:
                answer = self.come_back(self.go("/requests/"), groups=[])
            self.assertRedirects(answer, "/no-access", target_status_code=403)
            self.assertEqual(self.client.get("/requests/").status_code, 302)
        self.assertEqual(logs.records[0].why, "no known group")

    def test_and_at_the_first_post(self) -> None:
        with later(16 * MINUTE):
            self.assertEqual(self.client.post("/?submit", TYPED).status_code, 401)
            self.come_back(self.go("/"), groups=["others"])
            self.assertEqual(self.client.post("/?submit", TYPED).status_code, 302)
        self.assertEqual(self.puts(), [])

    def test_in_their_other_browsers_too(self) -> None:
        other = SignedInClient(User.objects.get(subject="victim"))
        self.assertEqual(other.get("/requests/").status_code, 200)
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"), groups=[])
        self.assertContains(other.get("/requests/"), "no access here", status_code=403)

    def test_who_is_signed_out_at_the_provider_is_signed_out_here(self) -> None:
        for error in ("login_required", "interaction_required", "of_its_own"):
            with self.subTest(error=error), later(16 * MINUTE):
                self.sign_in()
                with later(32 * MINUTE):
                    self.client.post("/?submit", TYPED)
                    answer = self.come_back_with(self.go("/"), error)
                    self.assertRedirects(answer, "/sign-in?next=/")
                    self.come_back(self.go("/sign-in/start?next=/"))
                    self.assertContains(self.client.get("/"), "SUP-1234")

    def test_somebody_else_at_the_provider_is_somebody_else_here(self) -> None:
        with later(16 * MINUTE):
            self.client.post("/?submit", TYPED)
            self.come_back(self.go("/"), sub="other", name="Other Person")
            page = self.client.get("/")
        self.assertContains(page, "Other Person")
        self.assertNotContains(page, "SUP-1234")

    def test_a_provider_that_cannot_be_asked_lets_nobody_in(self) -> None:
        provider.cache_clear()
        self.provider.down = {"/.well-known/openid-configuration"}
        with later(16 * MINUTE):
            answer = self.client.get("/requests/")
        self.assertContains(answer, "not possible at the moment", status_code=503)
        self.assertEqual(answer["Retry-After"], "30")

    def test_a_silent_answer_that_proves_nothing_lets_nobody_in(self) -> None:
        with later(16 * MINUTE):
            self.assertEqual(self.come_back(self.go("/requests/"), aud="another").status_code, 403)
            self.go("/requests/")  # still due
            page = self.client.get("/sign-in?next=/requests/")
            self.assertContains(page, "Sign in with your company account")  # the way on

    def test_the_way_out_is_open_even_then(self) -> None:
        with later(16 * MINUTE):
            self.assertContains(self.client.post("/sign-out"), "You are signed out")


class RevocationTests(ProviderTestCase):
    def test_who_is_deactivated_is_out_at_once_and_stays_out(self) -> None:
        self.sign_in()
        self.assertEqual(self.client.get("/requests/").status_code, 200)
        User.objects.update(is_active=False)
        with self.assertLogs("hubadmin.sso") as logs:
            self.assertEqual(self.client.post("/?submit", TYPED).status_code, 302)
        self.assertEqual(logs.records[0].why, "the person has been deactivated")
        self.assertEqual(self.puts(), [])
        answer = self.come_back(self.go())
        self.assertRedirects(answer, "/no-access", fetch_redirect_response=False)
        self.assertContains(self.client.get("/no-access"), "switched off", status_code=403)
        User.objects.update(is_active=True)
        self.assertEqual(self.client.get("/requests/").status_code, 302, "an old session revived")

    def test_the_session_key_changes_at_sign_in(self) -> None:
        asked = self.go()
        self.client.post("/?submit", {"reason": "kept in a session"})
        before = self.key()
        self.come_back(asked)
        self.assertNotEqual(self.key(), before)
        self.assertFalse(Session.objects.filter(pk=before).exists())
