"""HubSpot's own SDK finds records in the sandbox: by search, by their keys, by what is defined."""

import json
import unittest

from hubspot import HubSpot
from hubspot.crm import companies, contacts, objects

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

FILTERS = {
    "BETWEEN": {"value": "analytical ltd", "high_value": "analytical ltd"},
    "CONTAINS_TOKEN": {"value": "analytical*"},
    "EQ": {"value": "Analytical Ltd"},
    "GT": {"value": "analytical"},
    "GTE": {"value": "analytical ltd"},
    "HAS_PROPERTY": {},
    "IN": {"values": ["analytical ltd"]},
    "LT": {"value": "analytical ltda"},
    "LTE": {"value": "analytical ltd"},
    "NEQ": {"value": "Umbra Optics"},
    "NOT_CONTAINS_TOKEN": {"value": "umbra"},
    "NOT_IN": {"values": ["umbra optics"]},
}


class SdkCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = cls.enterClassContext(Sandbox(search_limit=5))

    def setUp(self):
        self.sandbox.reset()
        self.crm = HubSpot(access_token=SANDBOX_TOKEN, host=self.sandbox.url).crm

    def opened(self, api):
        """Return one of the SDK's parts, whose connections end with the test."""
        self.addCleanup(api.api_client.rest_client.pool_manager.clear)
        return api


class SearchTests(SdkCase):
    def search(self, type_name="contacts", **asked):
        api = self.opened(self.crm.objects.search_api)
        return api.do_search(type_name, objects.PublicObjectSearchRequest(**asked))

    def test_words(self):
        found = self.search(query="ada byron", properties=["email", "city"], limit=5)
        (record,) = found.results
        self.assertEqual((found.total, record.id, record.archived), (1, "501", False))
        self.assertEqual(record.properties["email"], "ada@example.com")
        self.assertLess(record.created_at, record.updated_at)
        self.assertIsNone(found.paging)

    def test_pages_in_an_order(self):
        first = self.search("2-4001", limit=3, sorts=["-name"], properties=["name"])
        rest = self.search("2-4001", sorts=["-name"], after=first.paging.next.after)
        self.assertEqual(
            [r.id for r in first.results + rest.results], ["45", "44", "43", "42", "41"]
        )

    def test_every_operator_that_the_description_names(self):
        for operator, asked in FILTERS.items():
            self.sandbox.reset()  # five searches a second, please
            api = self.opened(self.crm.companies.search_api)
            name = companies.Filter(property_name="name", operator=operator, **asked)
            first = companies.Filter(property_name="hs_object_id", operator="LT", value="911")
            group = companies.FilterGroup(filters=[first, name])
            request = companies.PublicObjectSearchRequest(filter_groups=[group], limit=200)
            self.assertIn("902", [r.id for r in api.do_search(request).results], operator)

    def test_the_limit(self):
        with self.assertRaises(objects.ApiException) as caught:
            for _ in range(6):
                self.search(query="ada")
        body = json.loads(caught.exception.body)
        told = (caught.exception.status, body["policyName"], body["message"])
        self.assertEqual(told, (429, "SECONDLY", "You have reached your secondly limit."))

    def test_a_refusal(self):
        with self.assertRaises(objects.ApiException) as caught:
            self.search(query="ada", limit=201)
        body = json.loads(caught.exception.body)
        self.assertEqual((caught.exception.status, body["category"]), (400, "VALIDATION_ERROR"))


class KeyTests(SdkCase):
    def read(self, *values, archived=False):
        inputs = contacts.BatchReadInputSimplePublicObjectId(
            id_property="email",
            properties=["email", "hs_additional_emails"],
            properties_with_history=[],
            inputs=[{"id": value} for value in values],
        )
        return self.opened(self.crm.contacts.batch_api).read(inputs, archived=archived)

    def test_addresses(self):
        answer = self.read("ada@example.com", "ada.byron@example.com")
        (record,) = answer.results
        self.assertEqual((answer.status, record.id), ("COMPLETE", "501"))
        self.assertEqual(record.properties["hs_additional_emails"], "ada.byron@example.com")

    def test_an_address_of_nobody(self):
        answer = self.read("ada@example.com", "nobody@example.com")
        (error,) = answer.errors
        self.assertEqual((len(answer.results), answer.num_errors), (1, 1))
        told = (error.category, error.context)
        self.assertEqual(told, ("OBJECT_NOT_FOUND", {"ids": ["nobody@example.com"]}))

    def test_an_archived_record(self):
        self.sandbox.archive("contacts", "501")
        self.assertEqual(self.read("ada@example.com").results, [])
        (record,) = self.read("ada@example.com", archived=True).results
        self.assertEqual((record.id, record.archived), ("501", True))
        self.assertEqual(record.archived_at, record.updated_at)

    def test_definitions(self):
        results = self.opened(self.crm.properties.core_api).get_all("2-4001").results
        told = {p.name: (p.type, p.field_type, p.has_unique_value) for p in results}
        self.assertEqual(told["vin"], ("string", "text", True))
        self.assertEqual(told["name"], ("string", "text", False))
        (schema, _) = self.opened(self.crm.schemas.core_api).get_all().results
        self.assertEqual(schema.searchable_properties, ["name", "vin"])
        self.assertEqual([p.name for p in schema.properties], ["name", "vin"])


if __name__ == "__main__":
    unittest.main()
