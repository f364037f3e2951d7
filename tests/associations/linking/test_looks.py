"""What one person may look up: one bound for all that asks HubSpot, and never a submit's calls."""

from unittest import mock

from django.core.cache import cache
from django.http import HttpResponse
from django.test import TestCase, override_settings

import associations.urls
from associations.gateway import rate_limiter
from associations.gateway.account import form_options
from associations.models import AssociationRequest
from tests.associations.linking.base import entry_of
from tests.hubadmin.test_requests import address_of, routes
from tests.support import LINK, SandboxMixin, SignedInClient, person

HTMX = {"HX-Request": "true"}
BOUND = "You have looked up a lot within a minute. This site looks up more in "


class LooksTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(rate_limiter.close)
        self.admin = person("admin")
        self.as_admin = SignedInClient(self.admin)
        self.entry = entry_of(self.admin)

    def asking(self) -> dict[str, HttpResponse]:
        """All that asks HubSpot for a person who links nothing by it."""
        entry = self.entry.get_absolute_url()
        return {
            "preview": self.as_admin.post("/preview/", LINK, headers=HTMX),
            "preview without script": self.as_admin.post("/", LINK | {"check": ""}),
            "records": self.as_admin.get(f"{entry}records/"),
            "check": self.as_admin.post(f"{entry}check/"),
            "status": self.as_admin.get("/status/"),
        }


class BoundTests(LooksTestCase):
    def test_all_that_asks_hubspot_counts(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 5))
        answers = self.asking()
        for name, answer in answers.items():
            self.assertNotIn(BOUND, answer.content.decode(), name)
        self.assertEqual(self.entry.checks.count(), 1)
        self.assertGreater(rate_limiter.look_wait(self.admin.pk), 0, "each has taken one")

    def test_over_the_bound_nothing_asks_and_each_says_so(self) -> None:
        form_options()  # what the site knows of the account anyway
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        rate_limiter.look_wait(self.admin.pk)
        before = len(self.sandbox.requests)
        for name, answer in self.asking().items():
            with self.subTest(name):
                says = "nothing was looked up" if name == "check" else BOUND
                self.assertIn(says, answer.content.decode())
                self.assertRegex(answer.content.decode(), r"in ([345]\d|60) seconds")
        self.assertEqual(self.sandbox.requests[before:], [])
        self.assertEqual(self.entry.checks.count(), 0)

    def test_every_page_and_file_is_within_it(self) -> None:
        """Whatever the addresses are: over the bound none asks HubSpot but for a submit."""
        form_options()
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        rate_limiter.look_wait(self.admin.pk)
        before = len(self.sandbox.requests)
        for address in map(address_of, routes(associations.urls.urlpatterns)):
            self.as_admin.get(address, headers=HTMX)
        self.assertEqual(self.sandbox.requests[before:], [])

    def test_another_person_has_their_own(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        rate_limiter.look_wait(self.admin.pk)
        cache.clear()
        answer = SignedInClient(person()).post("/preview/", LINK, headers=HTMX)
        self.assertIn("Ada", answer.content.decode())

    def test_a_submit_is_no_look(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        rate_limiter.look_wait(self.admin.pk)
        self.as_admin.post("/?submit", LINK)
        self.assertEqual(AssociationRequest.objects.latest("id").outcome, "linked")


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=20, HUBSPOT_CALLS_FOR_PEOPLE=12)
class SlotTests(LooksTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(rate_limiter, "PEOPLE_WAIT", 0.05))

    def test_looks_leave_a_submit_its_calls(self) -> None:
        rate_limiter.acquire_bulk(100)
        for number in range(30):
            cache.clear()
            fields = LINK | {"from_object_id": str(501 + number % 5)}
            self.as_admin.post("/preview/", fields, headers=HTMX)
        SignedInClient(person()).post("/?submit", LINK)
        entry = AssociationRequest.objects.latest("id")
        self.assertEqual((entry.outcome, entry.verified), ("linked", True), entry.cause)
