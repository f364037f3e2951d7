"""HubSpot's own SDK judges the sandbox: it must parse what the sandbox answers."""

import json
import unittest

from hubspot import HubSpot
from hubspot.crm.associations.v4 import ApiException

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

ENDS = ("contacts", "501", "companies", "902")


class SdkTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = cls.enterClassContext(Sandbox())

    def setUp(self):
        self.sandbox.reset()

    def create_default(self, *ends, token=SANDBOX_TOKEN):
        # The SDK copies every keyword onto its configuration, `host` among them.
        basic_api = HubSpot(access_token=token, host=self.sandbox.url).crm.associations.v4.basic_api
        self.addCleanup(basic_api.api_client.rest_client.pool_manager.clear)
        return basic_api.create_default(*ends)

    def assert_refused(self, status, category, *ends, token=SANDBOX_TOKEN):
        with self.assertRaises(ApiException) as caught:
            self.create_default(*ends, token=token)
        body = json.loads(caught.exception.body)
        self.assertEqual((caught.exception.status, body.get("category")), (status, category))
        correlation_id = caught.exception.headers["X-HubSpot-Correlation-Id"]
        self.assertEqual(correlation_id, body["correlationId"])

    def test_success_in_both_directions(self):
        answer = self.create_default(*ENDS)
        self.assertEqual(answer.status, "COMPLETE")
        self.assertLessEqual(answer.started_at, answer.completed_at)
        self.assertIsNone(answer.requested_at)
        ends = [(result._from.id, result.to.id) for result in answer.results]
        self.assertEqual(ends, [("501", "902"), ("902", "501")])
        specs = [result.association_spec for result in answer.results]
        self.assertEqual([spec.association_type_id for spec in specs], [279, 280])
        self.assertEqual(specs[0].association_category, "HUBSPOT_DEFINED")

    def test_custom_object(self):
        answer = self.create_default("2-4001", "41", "contacts", "501")
        self.assertEqual(answer.results[0].association_spec.association_category, "USER_DEFINED")

    def test_refusals(self):
        self.assert_refused(400, "VALIDATION_ERROR", "contacts", "383", "companies", "902")
        self.assert_refused(400, None, "foo", "1", "companies", "902")
        self.assert_refused(401, "INVALID_AUTHENTICATION", *ENDS, token="wrong")
        self.assert_refused(403, "MISSING_SCOPES", *ENDS, token="sandbox-no-scopes")
        self.sandbox.fault(status=429)
        self.assert_refused(429, None, *ENDS)


if __name__ == "__main__":
    unittest.main()
