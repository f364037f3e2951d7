"""What people read for codes, object types and records; of custom objects what the account says."""

import time
from unittest import mock

from django.core.cache import cache
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from associations.bulk.messages import sentence
from associations.gateway import account
from associations.gateway import cache as gateway_cache
from associations.models import AssociationRequest
from associations.texts.labels import icon, to_label, type_label
from tests.associations.linking.base import PageTestCase, entry_of, run_of

SCHEMAS = "/crm-object-schemas/v3/schemas"
NOWHERE = "http://127.0.0.1:9"


class CustomLabelTests(PageTestCase):
    """By a process that has shown no form, and has asked HubSpot nothing before."""

    def setUp(self) -> None:
        super().setUp()
        # What another test set going in the background must not remember anything any more.
        gateway_cache._threads().shutdown()
        gateway_cache._threads.cache_clear()
        self.bulk_run = run_of(self.user, queued=3, rejected=3)
        self.entries = [self.entry(row) for row in (1, 2, 3)]
        entry_of(self.user, to_object_type="2-4001", to_object_id="41")

    def entry(self, row: int) -> AssociationRequest:
        failed = {"outcome": "rejected", "cause": "association_limit"}
        side = {"to_object_type": "2-4001", "to_object_id": "41"}
        return entry_of(self.user, run=self.bulk_run, row_number=row, **failed, **side)

    def pages(self) -> dict[str, str]:
        """Each page as a fresh process shows it."""
        found = {}
        for path in (
            "/requests/",
            f"/requests/{self.entries[0].pk}/",
            "/audit/",
            "/audit/records/2-4001/41/",
            f"/bulk/{self.bulk_run.pk}/",
            f"/bulk/{self.bulk_run.pk}/results.csv",
        ):
            cache.clear()
            answer = self.as_admin.get(path) if "audit" in path else self.client.get(path)
            self.assertEqual(answer.status_code, 200, path)
            found[path] = answer.getvalue().decode()
        return found

    def told_of_a_row(self) -> str:
        cache.clear()
        return sentence("to_object_id", "two_types", {"read": "2-4001", "chosen": "deals"})

    def asked(self) -> int:
        return sum(each["path"] == SCHEMAS for each in self.sandbox.requests)

    def test_every_page_says_what_the_account_does(self) -> None:
        for path, text in self.pages().items():
            with self.subTest(path):
                self.assertIn("Car 41", text)
                self.assertNotIn("2-4001 41", text)
        self.assertIn("names the type Car, but the type here is Deal", self.told_of_a_row())

    def test_with_hubspot_away_the_id_has_to_do(self) -> None:
        with override_settings(HUBSPOT_API_BASE_URL=NOWHERE):
            for path, text in self.pages().items():
                with self.subTest(path):
                    self.assertIn("2-4001 41", text)
            self.assertIn("names the type 2-4001, but", self.told_of_a_row())

    def test_many_rows_ask_hubspot_once_and_the_database_nothing(self) -> None:
        for label, faults in (("Car 41", 0), ("2-4001 41", 1)):
            with self.subTest(label):
                cache.clear()
                self.sandbox.reset()
                for _ in range(faults):
                    self.sandbox.fault(method="GET", status=503, times=None)
                with CaptureQueriesContext(connection) as queries:
                    labels = {to_label(entry) for entry in self.entries * 100}
                self.assertEqual((labels, self.asked(), len(queries)), ({label}, 1, 0))

    def test_a_slow_hubspot_keeps_only_the_first_one_waiting(self) -> None:
        cache.clear()
        self.assertEqual(type_label("2-4001"), "Car")
        self.sandbox.fault(method="GET", delay=0.8, times=None)
        later = time.time() + 11 * 60
        for module in (account, gateway_cache):
            self.enterContext(mock.patch.object(module, "time", lambda: later))
        start = time.monotonic()
        self.assertEqual({type_label("2-4001") for _ in range(50)}, {"Car"})
        self.assertLess(time.monotonic() - start, 0.5)
        deadline = time.monotonic() + 5
        while self.asked() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.asked(), 2)

    def test_what_is_known_already_asks_nobody(self) -> None:
        known = {
            "contacts": "Contact",
            "0-1": "Contact",
            "0-8": "Line item",
            "Deal": "Deal",
            "": "",
            "x/y": "x/y",
        }
        self.assertEqual({name: type_label(name) for name in known}, known)
        cache.clear()
        self.sandbox.reset()
        self.assertEqual([type_label("0-8"), type_label("companies")], ["Line item", "Company"])
        self.assertEqual(self.asked(), 0)


class IconTests(PageTestCase):
    def test_an_outcome_that_is_not_known_has_none(self) -> None:
        self.assertEqual((icon("linked"), icon("odd")), ("✓", ""))
