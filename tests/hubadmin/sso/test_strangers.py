"""What people without a sign-in leave in the database: nothing, or no more than is said."""

import random
import string
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

from django.contrib.sessions.models import Session
from django.test import SimpleTestCase

from hubadmin.sso import pending
from hubadmin.web import addresses, drafts, readiness
from hubadmin.web.budget import Budget
from tests.hubadmin.sso.base import ProviderTestCase, query_of
from tests.hubadmin.test_csrf import all_routes, rows
from tests.hubadmin.test_requests import address_of
from tests.support import LINK, SignedInClient

TYPED = {**LINK, "reason": "SUP-77"}
EACH = 5  # requests of each kind


@contextmanager
def budget_of(count: int) -> Iterator[None]:
    with (
        mock.patch.object(drafts, "of_strangers", Budget(count)),
        mock.patch.object(addresses, "of_strangers", Budget(count)),
    ):
        yield


def stranger(**cookies: str) -> SignedInClient:
    client = SignedInClient()
    for name, value in cookies.items():
        client.cookies[name.replace("_", "-")] = value
    return client


class RowTests(ProviderTestCase):
    def test_a_sign_in_that_was_begun(self) -> None:
        for _ in range(EACH):
            for path in ("/sign-in/start", "/sign-in/start?switch", "/sign-in?next=/audit/"):
                stranger().get(path)
        self.assertEqual(Session.objects.count(), 0)

    def test_whatever_they_ask_for(self) -> None:
        before = rows()
        with budget_of(0):
            for route in all_routes():
                for client in (stranger(), stranger(__Host_sessionid="a" * 32)):
                    with self.subTest(route=route.name):
                        address = address_of(route)
                        for ask in (client.get, client.post, client.head, client.put):
                            ask(address, {"state": "x", "next": "/", **TYPED})
                            ask(address, headers={"HX-Request": "true"})
                        # One row, always the same, is how a probe sees that rows can be written.
                        others = Session.objects.exclude(session_key=readiness.WRITTEN)
                        self.assertEqual(others.count(), 0)
        self.assertEqual(rows(), before)

    def test_what_they_send_is_kept_of_some_and_shown_to_the_others(self) -> None:
        for cookies in ({}, {"__Host_sessionid": "a" * 32}):
            with self.subTest(cookies=cookies), budget_of(2):
                Session.objects.all().delete()
                answers = [stranger(**cookies).post("/?submit", TYPED) for _ in range(EACH)]
                self.assertEqual([each.status_code for each in answers], [302] * 2 + [401] * 3)
                self.assertContains(answers[-1], "Nothing was sent", status_code=401)
                self.assertContains(answers[-1], "SUP-77", status_code=401)
                self.assertEqual(Session.objects.count(), 2)

    def test_nor_of_forms_that_are_refused(self) -> None:
        with budget_of(0):
            for _ in range(EACH):
                client = SignedInClient(enforce_csrf_checks=True)
                client.cookies["__Host-sessionid"] = "a" * 32
                page = client.post("/?submit", TYPED, headers={"origin": "https://testserver"})
                self.assertContains(page, "SUP-77", status_code=403)
        self.assertEqual(Session.objects.count(), 0)

    def test_a_draft_whose_session_is_there_costs_nothing(self) -> None:
        self.sign_in()
        self.client.post("/sign-out")
        with budget_of(0):
            self.assertEqual(self.client.post("/?submit", TYPED).status_code, 302)
            self.come_back(self.go("/sign-in/start?next=/"))
        self.assertContains(self.client.get("/"), "SUP-77")


class CookieTests(ProviderTestCase):
    """A sign-in that was begun is known by a cookie."""

    def test_it_holds_nothing_secret_and_nobody_else_can_read_or_set_it(self) -> None:
        answer = self.client.get("/sign-in/start?next=/requests/")
        asked = query_of(answer)
        (cookie,) = answer.cookies.values()
        self.assertEqual(cookie.key, f"__Host-sign-in-{asked['state']}")
        flags = (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"])
        self.assertEqual((*flags, cookie["max-age"]), (True, True, "Lax", "/", pending.SECONDS))
        self.come_back(asked)
        (exchange,) = self.provider.asked("/token")
        for secret in (asked["nonce"], exchange["code_verifier"]):
            self.assertEqual(len(secret), 43)
            self.assertNotIn(secret, cookie.value)
        self.assertNotEqual(asked["nonce"], exchange["code_verifier"])

    def test_several_tabs_at_once_in_any_order(self) -> None:
        pages = [f"/requests/?before={number}" for number in range(4)]
        asked = [self.go(f"/sign-in/start?next={page}") for page in pages]
        for page, each in [*zip(pages, asked, strict=True)][::-1]:
            self.assertEqual(self.come_back(each)["Location"], page)
            self.client.post("/sign-out")

    def test_it_serves_once_for_its_own_state_and_for_so_long(self) -> None:
        first, second = self.go(), self.go()
        name = "__Host-sign-in-{state}".format
        exchanged = self.client.cookies[name(**first)].value
        self.client.cookies[name(**first)] = self.client.cookies[name(**second)].value
        self.assertEqual(self.come_back(first).status_code, 400)
        self.client.cookies[name(**first)] = exchanged
        late = SimpleNamespace(time=lambda: 10**10)
        with mock.patch("django.core.signing.time", late):
            self.assertEqual(self.come_back(second).status_code, 400)
        for value in ("", "x", "a:b:c", "\xff" * 100, exchanged[:-1]):
            self.client.cookies[name(**first)] = value
            self.assertEqual(self.come_back(first).status_code, 400)
        for state in ("", "\r\nSet-Cookie: x=y", "a b", "日本", "x" * 5000):
            answer = self.client.get("/sign-in/callback", {"state": state, "code": "c"})
            self.assertEqual(answer.status_code, 400)

    def test_a_page_with_a_long_address_is_found_or_its_beginning(self) -> None:
        people = "&".join(f"user={number}" for number in range(200))
        chance = random.Random(1)
        mixed = "".join(chance.choices(string.ascii_letters + string.digits, k=1900))
        for address, leads_to in {
            f"/audit/?{people}": f"/audit/?{people}",
            f"/audit/?q={mixed}": "/audit/",
            f"/{mixed}": "/",
        }.items():
            answer = self.client.get("/sign-in/start", {"next": address})
            self.assertEqual(self.come_back(query_of(answer))["Location"], leads_to)
            self.client.post("/sign-out")

    def test_many_of_them_stay_within_what_a_proxy_takes(self) -> None:
        digits = "".join(str(number**5) for number in range(60))
        for path in ("/sign-in/start", f"/sign-in/start?next=/?q={digits}"):
            for _ in range(30):
                asked = self.go(path)
            cookies = self.client.cookies.items()
            kept = [each.value for name, each in cookies if "sign-in" in name and each.value]
            self.assertLessEqual(len(kept), pending.MAX_PENDING)
            self.assertLess(sum(map(len, kept)), pending.MAX_TOGETHER + pending.MAX_LENGTH)
            self.assertEqual(self.come_back(asked).status_code, 302)
            self.client.post("/sign-out")


class BudgetTests(SimpleTestCase):
    def test_so_many_within_any_hour(self) -> None:
        budget = Budget(2)
        for seconds, is_left in ((0, 1), (1800, 1), (3599, 0), (3600, 1), (3601, 0), (5400, 1)):
            now = SimpleNamespace(monotonic=lambda now=seconds: now)
            with mock.patch("hubadmin.web.budget.time", now):
                self.assertEqual(budget.take(), bool(is_left), seconds)
        self.assertFalse(Budget(0).take())
