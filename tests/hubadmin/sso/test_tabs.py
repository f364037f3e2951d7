"""One person, several tabs: what one does while another is under way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from associations.linking import services
from associations.models import AssociationRequest
from hubadmin.sso import oidc
from tests.hubadmin.sso.base import ProviderTestCase, later
from tests.support import LINK, SignedInClient

MINUTE = 60
TYPED = {**LINK, "reason": "SUP-77"}


@contextmanager
def meanwhile(target: object, name: str, action: Callable[[], object]) -> Iterator[None]:
    """Let another tab act in between: after a function has done its work, before it returns."""
    original = getattr(target, name)

    def wrapped(*args: object, **kwargs: object) -> object:
        result = original(*args, **kwargs)
        action()
        return result

    with mock.patch.object(target, name, wrapped):
        yield


class TabTests(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()
        self.enterContext(later(16 * MINUTE))
        self.other_tab = SignedInClient()
        self.other_tab.cookies = self.client.cookies.copy()

    def test_a_sign_out_during_the_recheck_holds(self) -> None:
        asked = self.go("/requests/")
        with meanwhile(oidc, "finish", lambda: self.other_tab.post("/sign-out")):
            self.assertRedirects(self.come_back(asked), "/sign-in?next=/requests/")
        self.assertEqual(self.client.get("/requests/").status_code, 302)

    def test_two_tabs_may_be_rechecked_at_once(self) -> None:
        here, there = self.go("/requests/"), self.go("/requests/?before=7")
        cookies = self.client.cookies.copy()
        self.assertRedirects(self.come_back(here), "/requests/")
        self.client.cookies = cookies
        self.assertRedirects(self.come_back(there), "/requests/?before=7")
        self.assertEqual(self.client.get("/requests/").status_code, 200)
        self.assertEqual(self.other_tab.get("/requests/").status_code, 200)

    def test_what_another_tab_left_during_the_recheck_is_kept(self) -> None:
        asked = self.go("/")
        with meanwhile(oidc, "finish", lambda: self.other_tab.post("/?submit", TYPED)):
            self.come_back(asked)
        self.assertContains(self.client.get("/"), "SUP-77")

    def test_a_long_submit_ends_well_whatever_the_other_tab_does(self) -> None:
        def checked_again() -> None:
            with later(49 * MINUTE):
                self.come_back(self.go("/requests/"))

        def signs_out() -> None:
            self.other_tab.post("/sign-out")

        for action in (checked_again, signs_out):
            with self.subTest(action.__name__):
                self.sign_in()
                with later(32 * MINUTE):
                    self.client.post("/?submit", TYPED)  # overdue: it leaves a draft,
                    self.come_back(self.go("/"))
                    self.other_tab.cookies = self.client.cookies.copy()
                    submitting = SignedInClient()
                    submitting.cookies = self.client.cookies.copy()
                    with meanwhile(services, "send", action):
                        answer = submitting.post("/?submit", TYPED)  # which this one drops
                newest = AssociationRequest.objects.newest_first()[0]
                self.assertEqual(answer["Location"], f"/?linked={newest.pk}")


class NextPersonTests(ProviderTestCase):
    """At one computer: nobody finds in the form what another had typed."""

    def test_after_a_session_that_ran_out(self) -> None:
        self.sign_in()
        with later(61 * MINUTE):
            self.client.get("/requests/")
            self.client.post("/?submit", TYPED)
            self.come_back(self.go("/sign-in/start?next=/"), sub="bob")
            self.assertNotContains(self.client.get("/"), "SUP-77")

    def test_after_a_sign_out(self) -> None:
        self.sign_in()
        self.client.post("/sign-out")
        self.client.post("/?submit", TYPED)
        self.come_back(self.go("/sign-in/start?next=/"), sub="bob")
        self.assertNotContains(self.client.get("/"), "SUP-77")
        self.client.post("/sign-out")

    def test_but_their_own_is_still_there(self) -> None:
        self.sign_in()
        self.client.post("/sign-out")
        self.client.post("/?submit", TYPED)
        self.come_back(self.go("/sign-in/start?next=/"))
        self.assertContains(self.client.get("/"), "SUP-77")
