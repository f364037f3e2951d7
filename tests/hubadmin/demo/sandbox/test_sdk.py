"""HubSpot's own SDK reads the sandbox: it must parse every answer and every refusal."""

import json
import unittest

from hubspot import HubSpot
from hubspot.crm.associations import v4
from hubspot.crm.contacts import ApiException, BatchReadInputSimplePublicObjectId

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox


class SdkReadTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = cls.enterClassContext(Sandbox())

    def setUp(self):
        self.sandbox.reset()
        self.crm = HubSpot(access_token=SANDBOX_TOKEN, host=self.sandbox.url).crm

    def opened(self, api):
        """Return one of the SDK's parts, whose connections end with the test."""
        self.addCleanup(api.api_client.rest_client.pool_manager.clear)
        return api

    def read_links(self, *ids):
        inputs = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": i} for i in ids])
        batch_api = self.opened(self.crm.associations.v4.batch_api)
        return batch_api.get_page("contacts", "companies", inputs)

    def test_record(self):
        record = self.opened(self.crm.contacts.basic_api).get_by_id("501", properties=["email"])
        self.assertEqual((record.id, record.archived), ("501", False))
        self.assertEqual(record.properties["email"], "ada@example.com")
        self.assertLess(record.created_at, record.updated_at)

    def test_absent_record(self):
        with self.assertRaises(ApiException) as caught:
            self.opened(self.crm.contacts.basic_api).get_by_id("383")
        body = json.loads(caught.exception.body)
        self.assertEqual((caught.exception.status, body["category"]), (404, "OBJECT_NOT_FOUND"))

    def test_pages_of_records(self):
        basic_api = self.opened(self.crm.objects.basic_api)
        page = basic_api.get_page("2-4002", limit=3, properties=["address"])
        rest = basic_api.get_page("2-4002", after=page.paging.next.after)
        self.assertEqual([r.id for r in page.results + rest.results], ["71", "72", "73", "74"])
        self.assertIsNone(rest.paging)

    def test_batch_of_records(self):
        batch_api = self.opened(self.crm.contacts.batch_api)
        for ids, errors in ((["501", "502"], None), (["501", "1"], 1)):
            inputs = BatchReadInputSimplePublicObjectId(
                properties=["firstname"],
                properties_with_history=[],
                inputs=[{"id": i} for i in ids],
            )
            answer = batch_api.read(inputs)
            self.assertEqual(answer.results[0].properties["firstname"], "Ada")
            self.assertEqual(getattr(answer, "num_errors", None), errors)

    def associate(self, *pairs):
        inputs = [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]
        body = v4.BatchInputPublicDefaultAssociationMultiPost(inputs=inputs)
        batch_api = self.opened(self.crm.associations.v4.batch_api)
        return batch_api.create_default("contacts", "companies", body)

    def test_associating_a_batch(self):
        pairs = (("501", "902"), ("1000001", "2000001"))
        answer = self.associate(*pairs)
        told = [
            (r._from.id, r.to.id, r.association_spec.association_type_id) for r in answer.results
        ]
        there_and_back = [("501", "902", 279), ("902", "501", 280)]
        self.assertEqual((answer.status, told[:2]), ("COMPLETE", there_and_back))
        self.assertEqual(len(self.sandbox.associations), 4)

    def test_associating_a_refused_batch(self):
        with self.assertRaises(v4.ApiException) as caught:
            self.associate(("501", "902"), ("1", "902"))
        body = json.loads(caught.exception.body)
        told = (caught.exception.status, body["context"]["objectId"])
        self.assertEqual((told, self.sandbox.associations), ((400, ["1"]), set()))

    def test_labels(self):
        api = self.opened(self.crm.associations.v4.schema.definitions_api)
        results = api.get_all("contacts", "companies").results
        told = [(r.category, r.type_id, r.label) for r in results]
        self.assertEqual(told[0], ("HUBSPOT_DEFINED", 279, None))
        self.assertEqual(told[2], ("USER_DEFINED", 37, "Decision maker"))
        self.assertEqual(api.get_all("2-4002", "companies").results, [])

    def test_batch_of_associations(self):
        self.sandbox.link("contacts", "501", "companies", "902", "Primary")
        (result,) = self.read_links("501").results
        (to,) = result.to
        self.assertEqual((result._from.id, int(to.to_object_id)), ("501", 902))
        self.assertEqual([t.label for t in to.association_types], ["Primary"])

    def test_batch_with_nothing_associated(self):
        answer = self.read_links("501")
        (error,) = answer.errors
        self.assertEqual((answer.status, answer.results, answer.num_errors), ("COMPLETE", [], 1))
        self.assertEqual(error.category, "OBJECT_NOT_FOUND")
        self.assertEqual(error.context["fromObjectId"], ["501"])

    def test_pages_of_associations(self):
        for number in range(1, 602):
            self.sandbox.link("contacts", "501", "companies", str(number))
        (result,) = self.read_links("501").results
        self.assertEqual((len(result.to), result.paging.next.after), (500, "500"))

    def test_schemas(self):
        results = self.opened(self.crm.schemas.core_api).get_all().results
        told = [(s.object_type_id, s.labels.plural, s.primary_display_property) for s in results]
        viewings = ("2-4002", "Property viewings", "address")
        self.assertEqual(told, [("2-4001", "Cars", "name"), viewings])
        self.assertEqual([p.name for p in results[1].properties], ["address"])
        self.assertEqual(len(results[1].associations), 2)
