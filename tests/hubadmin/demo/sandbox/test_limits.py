"""The limits that the portal's admins set: told, set, and kept by what links records."""

from tests.hubadmin.demo.sandbox.base import SandboxCase

GUIDE = "/crm/v4/associations/definitions/configurations"
OTHER = "/crm/associations/v4/definitions/configurations"


class LimitTests(SandboxCase):
    def put(self, one: str, other: str):
        return self.call(
            "PUT", f"/crm/v4/objects/deals/{one}/associations/default/companies/{other}"
        )

    def batch(self, *pairs: tuple[str, str]):
        inputs = [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]
        address = "/crm/v4/associations/deals/companies/batch/associate/default"
        return self.call("POST", address, json={"inputs": inputs})

    def assert_full(self, response):
        self.assert_error(response, 400, "association limit", category="VALIDATION_ERROR")

    def told(self, pair: str, path: str = GUIDE):
        return self.call("GET", f"{path}/{pair}")

    def linked(self):
        return self.sandbox.links.default_pairs("deals", "companies")

    def test_they_are_told_with_each_association_type(self):
        limited = {"category": "HUBSPOT_DEFINED", "typeId": 341, "userEnforcedMaxToObjectIds": 1}
        self.assertEqual(self.told("deals/companies").json(), {"results": [limited]})
        unlimited = {"category": "HUBSPOT_DEFINED", "typeId": 342}
        self.assertEqual(self.told("companies/deals").json(), {"results": [unlimited]})
        labels = [each.get("label") for each in self.told("contacts/companies").json()["results"]]
        self.assertEqual(labels, [None, "Primary", "Decision maker"])

    def test_v4_has_them_at_one_of_two_addresses(self):
        statuses = [self.told("deals/companies", path).status_code for path in (GUIDE, OTHER)]
        self.assertEqual(statuses, [200, 404])
        self.sandbox.limits_as_in_guide = False
        statuses = [self.told("deals/companies", path).status_code for path in (GUIDE, OTHER)]
        self.assertEqual(statuses, [404, 200])
        dated = "/crm/associations/2026-09/definitions/configurations"
        self.assertEqual(self.told("deals/companies", dated).status_code, 200)

    def test_one_that_is_reached_is_kept(self):
        self.assertEqual(self.put("701", "901").status_code, 200)
        self.assert_full(self.put("701", "902"))
        self.assertEqual(self.put("701", "901").status_code, 200)
        self.assertEqual(self.linked(), [("701", "901")])

    def test_from_the_other_side(self):
        self.sandbox.limit("companies", "deals", 1)
        self.assertEqual(self.put("701", "901").status_code, 200)
        self.assert_full(self.put("702", "901"))

    def test_what_was_there_before_stays(self):
        for number in ("901", "902"):
            self.sandbox.link("deals", "701", "companies", number)
        self.assertEqual(self.put("701", "902").status_code, 200)
        self.assert_full(self.put("701", "903"))

    def test_a_batch_is_taken_whole_or_not_at_all(self):
        self.assert_full(self.batch(("701", "901"), ("701", "902")))
        self.assertEqual(self.linked(), [])
        self.assertEqual(self.batch(("701", "901"), ("702", "902")).status_code, 200)

    def test_or_in_part(self):
        self.sandbox.fault(method="POST", partial=True)
        answer = self.batch(("701", "901"), ("701", "902"), ("702", "901"))
        self.assertEqual((answer.status_code, answer.json()["numErrors"]), (207, 1))
        self.assertEqual(self.linked(), [("701", "901"), ("702", "901")])

    def test_they_are_set_and_taken_away(self):
        def set_(**fields: object):
            fields = {"from_type": "deals", "to_type": "companies"} | fields
            return self.call("POST", "/_sandbox/limits", {}, json=fields)

        self.assertEqual(set_(max=2).json(), {"limits": [["0-3", "0-2", 341, 2]]})
        self.assertEqual(set_(max=None).json(), {"limits": []})
        labelled = {"from_type": "contacts", "label": "Primary", "max": 1}
        self.assertEqual(set_(**labelled).json(), {"limits": [["0-1", "0-2", 1, 1]]})
        for wrong in ({"max": 0}, {"max": "1"}, {"to_type": "x"}, {"label": "None"}, {"most": 1}):
            self.assertEqual(set_(**wrong).status_code, 400, wrong)
        self.sandbox.reset()
        self.assertEqual(self.put("701", "901").status_code, 200)
        self.assertEqual(self.put("701", "902").status_code, 400)
