"""Whether who was let in may still act: asked of the database, however old the request is."""

from unittest import mock

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.test import TestCase, override_settings

from hubadmin.models import Role, User
from hubadmin.web.access import is_still_in, may_act, watch
from tests.hubadmin.sso.base import ProviderTestCase, later
from tests.support import SignedInClient, missing_table, person

HOUR = 3600


class MayActTests(TestCase):
    def test_whoever_is_active_and_has_a_role(self) -> None:
        self.assertTrue(may_act(person().pk))
        self.assertTrue(may_act(person("admin").pk))

    def test_nobody_else(self) -> None:
        for values in ({"is_active": False}, {"role": Role.NONE}):
            user = person("admin" if "role" in values else "support")
            User.objects.filter(pk=user.pk).update(**values)
            with self.subTest(values), self.assertNumQueries(1):
                self.assertFalse(may_act(user.pk))
        self.assertFalse(may_act(0))

    def test_a_database_that_is_away_says_neither(self) -> None:
        with missing_table(User), self.assertRaises(DatabaseError), transaction.atomic():
            may_act(1)


class StillInTests(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()
        self.request: HttpRequest = self.client.get("/requests/").wsgi_request
        self.assertTrue(is_still_in(self.request))

    def test_not_after_a_sign_out_in_another_tab(self) -> None:
        self.client.post("/sign-out")
        self.assertFalse(is_still_in(self.request))

    def test_not_without_the_row_of_the_session(self) -> None:
        Session.objects.all().delete()
        self.assertFalse(is_still_in(self.request))

    def test_not_once_deactivated(self) -> None:
        call_command("people", deactivate=str(self.request.user.pk), stdout=mock.Mock())
        self.assertFalse(is_still_in(self.request))

    def test_not_without_a_role(self) -> None:
        User.objects.update(role=Role.NONE)
        self.assertFalse(is_still_in(self.request))

    def test_not_when_its_time_is_over(self) -> None:
        for seconds in (HOUR, 8 * HOUR):
            with self.subTest(seconds), later(seconds):
                self.assertFalse(is_still_in(self.request))

    def test_not_if_the_session_is_another_persons_by_now(self) -> None:
        self.sign_in(sub="somebody-else")
        self.assertFalse(is_still_in(self.request))

    def test_still_after_a_recheck_and_what_other_tabs_do(self) -> None:
        with later(16 * 60):
            self.come_back(self.go("/requests/"))
            self.client.post("/?submit", {"reason": "SUP-77"})
            self.assertTrue(is_still_in(self.request))

    def test_a_sign_out_elsewhere_is_another_session(self) -> None:
        elsewhere = SignedInClient(User.objects.get())
        elsewhere.post("/sign-out")
        self.assertTrue(is_still_in(self.request))


class BehindProxyTests(TestCase):
    def test_a_proxy_speaks_with_each_request_and_no_session_is_asked(self) -> None:
        secret = "s" * 40
        with override_settings(SSO_MODE="header", SSO_HEADER_SECRET=secret):
            headers = {"X-SSO-Secret": secret, "X-SSO-Subject": "7", "X-SSO-Groups": "support"}
            request = SignedInClient().get("/requests/", headers=headers).wsgi_request
            Session.objects.all().delete()
            self.assertTrue(is_still_in(request))
            User.objects.update(is_active=False)
            self.assertFalse(is_still_in(request))


class WatchTests(TestCase):
    def test_it_asks_no_more_often_than_that_and_a_no_lasts(self) -> None:
        clock, answers = mock.Mock(return_value=100.0), [True, False, True]
        with mock.patch("hubadmin.web.access.time.monotonic", clock):
            is_in = watch(lambda: answers.pop(0), every=2)
            self.assertTrue(is_in())
            self.assertEqual(len(answers), 3, "whoever begins has just been let in")
            clock.return_value = 102.0
            self.assertTrue(is_in() and is_in())
            self.assertEqual(len(answers), 2)
            clock.return_value = 104.0
            self.assertFalse(is_in())
            clock.return_value = 106.0
            self.assertFalse(is_in())
            self.assertEqual(len(answers), 1)
