"""What the sandbox's records are associated with: read, made beforehand, or late to be seen."""

from unittest import mock

from hubadmin.demo.sandbox.links import LinkError
from tests.hubadmin.demo.sandbox.base import LINK, SandboxCase

ROOTS = ("/crm/v4/associations", "/crm/associations/2026-03", "/crm/associations/2026-09")
DEFAULT = {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}
PRIMARY = {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}
DECIDES = {"category": "USER_DEFINED", "typeId": 37, "label": "Decision maker"}
BACK = [
    {"category": "HUBSPOT_DEFINED", "typeId": 280, "label": None},
    {"category": "HUBSPOT_DEFINED", "typeId": 2, "label": "Primary"},
    {"category": "USER_DEFINED", "typeId": 38, "label": "Decision maker of"},
]
ENDS = ("contacts", "501", "companies", "902")
NAMES = ("from_type", "from_id", "to_type", "to_id")


class LinksCase(SandboxCase):
    def read(self, *inputs, pair="contacts/companies", root=ROOTS[0]):
        inputs = [i if isinstance(i, dict) else {"id": i} for i in inputs]
        return self.call("POST", f"{root}/{pair}/batch/read", json={"inputs": inputs})

    def seen(self, from_id="501", pair="contacts/companies"):
        """Return what reads show: record id → association types."""
        results = self.read(from_id, pair=pair).json()["results"]
        return {to["toObjectId"]: to["associationTypes"] for r in results for to in r["to"]}


class BatchTests(LinksCase):
    def test_a_put_is_seen_from_both_ends_in_every_version(self):
        self.put(*ENDS)
        for root in ROOTS:
            answer = self.read("501", pair="contact/0-2", root=root)
            body = answer.json()
            self.assertEqual((answer.status_code, body["status"]), (200, "COMPLETE"))
            self.assertEqual(set(body), {"status", "results", "startedAt", "completedAt"})
            to = [{"toObjectId": 902, "associationTypes": [DEFAULT]}]
            self.assertEqual(body["results"], [{"from": {"id": "501"}, "to": to}])
        self.assertEqual(self.seen("902", "companies/contacts"), {501: BACK[:1]})
        self.assertEqual(self.seen("501", "contacts/deals"), {})

    def test_nothing_associated(self):
        self.put(*ENDS)
        answer = self.read("501", "502", "383")
        body = answer.json()
        self.assertEqual((answer.status_code, body["status"]), (207, "COMPLETE"))
        self.assertEqual([result["from"]["id"] for result in body["results"]], ["501"])
        self.assertEqual(body["numErrors"], 2)
        self.assertEqual([e["context"]["fromObjectId"] for e in body["errors"]], [["502"], ["383"]])
        error = body["errors"][0]
        self.assertEqual(error["message"], "No company is associated with contact 502.")
        self.assertEqual((error["status"], error["category"]), ("error", "OBJECT_NOT_FOUND"))
        self.assertEqual(error["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND")
        self.assertEqual(error["context"]["fromObjectType"], ["contact"])
        self.assertEqual(error["context"]["toObjectType"], ["company"])

    def test_pages_of_five_hundred(self):
        numbers = list(range(1, 1101))
        for number in reversed(numbers):
            self.sandbox.link("contacts", "501", "companies", str(number))
        read, after = [], None
        for more in (True, True, False):
            (result,) = self.read({"id": "501", "after": after}).json()["results"]
            read.append([to["toObjectId"] for to in result["to"]])
            self.assertEqual("paging" in result, more)
            if more:
                after = result["paging"]["next"]["after"]
                self.assertIn(self.sandbox.url, result["paging"]["next"]["link"])
        self.assertEqual([len(page) for page in read], [500, 500, 100])
        self.assertEqual([number for page in read for number in page], numbers)

    def test_exactly_five_hundred_are_one_page(self):
        for number in range(1, 501):
            self.sandbox.link("contacts", "501", "companies", str(number))
        (result,) = self.read("501").json()["results"]
        self.assertEqual((len(result["to"]), "paging" in result), (500, False))
        (rest,) = self.read({"id": "501", "after": "500"}).json()["results"]
        self.assertEqual(rest["to"], [])

    def test_at_most_a_thousand(self):
        self.assertEqual(self.read(*map(str, range(1, 1001))).status_code, 207)
        answer = self.read(*map(str, range(1, 1002)))
        self.assert_error(answer, 400, "at most 1000 inputs", "VALIDATION_ERROR")

    def test_inputs_that_make_no_sense(self):
        for wrong in ({"id": "501", "after": "x"}, {"id": "501", "after": -1}, {"from": "501"}):
            self.assert_error(self.read(wrong), 400, "", "VALIDATION_ERROR")

    def test_an_input_twice_is_answered_once(self):
        self.assertEqual(len(self.read("7", 7, {"id": "7"}).json()["errors"]), 1)

    def test_unknown_type(self):
        answer = self.read("501", pair="contacts/foo")
        self.assert_error(answer, 400, "Unable to infer object type from: foo")


class LabelTests(LinksCase):
    def labels(self, pair, root=ROOTS[0]):
        return self.call("GET", f"{root}/{pair}/labels").json()

    def test_every_version_and_direction(self):
        for root in ROOTS:
            expected = {"results": [DEFAULT, PRIMARY, DECIDES]}
            self.assertEqual(self.labels("contact/companies", root), expected)
        self.assertEqual(self.labels("0-2/contacts"), {"results": BACK})

    def test_pairs_with_a_default_alone_or_nothing(self):
        viewing = {"category": "USER_DEFINED", "typeId": 36, "label": None}
        self.assertEqual(self.labels("2-4002/contacts"), {"results": [viewing]})
        for pair in ("2-4002/companies", "products/contacts", "2-4001/2-4001"):
            self.assertEqual(self.labels(pair), {"results": []})


class ControlTests(LinksCase):
    def post(self, body):
        return self.call("POST", "/_sandbox/associations", {}, json=body)

    def test_a_label_alone_or_beside_the_default(self):
        self.sandbox.link(*ENDS, "Decision maker")
        self.assertEqual(self.seen(), {902: [DECIDES]})
        self.assertEqual(self.seen("902", "companies/contacts"), {501: BACK[2:]})
        self.put(*ENDS)
        self.assertEqual(self.seen(), {902: [DECIDES, DEFAULT]})
        self.assertEqual(self.sandbox.associations, LINK)

    def test_one_and_a_list(self):
        ends = dict(zip(NAMES, ENDS, strict=True))
        back = {"from_type": "0-2", "from_id": "7", "to_type": "contact", "to_id": "501"}
        listed = self.post(ends).json()
        self.assertEqual({tuple(link[name] for name in NAMES) for link in listed}, LINK)
        self.assertEqual(self.call("GET", "/_sandbox/associations", {}).json(), listed)
        self.post([{**ends, "label": None}, {**back, "label": "Decision maker of"}])
        self.assertEqual(self.seen(), {902: [DEFAULT], 7: [DECIDES]})
        self.sandbox.reset()
        self.assertEqual((self.seen(), self.sandbox.associations), ({}, set()))

    def test_what_cannot_be_linked(self):
        ends = dict(zip(NAMES, ENDS, strict=True))
        for wrong, message in (
            ({"label": "Boss"}, "“Boss” association type"),
            ({"label": "Decision maker of"}, "association type"),
            ({"to_type": "products"}, "no default association type"),
            ({"to_type": "foo"}, "no object type “foo”"),
            ({"from_type": ["contacts"]}, "no object type"),
            ({"to_id": "0902"}, "is not a record's id"),
            ({"from_id": 501}, "is not a record's id"),
            ({"colour": "red"}, "A link is a JSON object of from_type"),
        ):
            answer = self.post([ends, {**ends, **wrong}])
            self.assert_error(answer, 400, message)
        for body in ({}, 7, [[]], {"from_type": "contacts"}):
            self.assert_error(self.post(body), 400, "A link is a JSON object")
        answer = self.call("POST", "/_sandbox/associations", {}, data="{")
        self.assert_error(answer, 400, "not JSON")
        self.assertEqual(self.sandbox.associations, set())
        with self.assertRaises(LinkError):
            self.sandbox.link(*ENDS, "Boss")


class LagTests(LinksCase):
    def setUp(self):
        super().setUp()
        patched = mock.patch("hubadmin.demo.sandbox.links.monotonic")
        self.clock = self.enterContext(patched)
        self.clock.return_value = 100.0

    def test_made_at_once_and_seen_later(self):
        self.sandbox.fault(lag=2.5)
        self.assertEqual(self.put(*ENDS).json()["status"], "COMPLETE")
        self.assertEqual(self.sandbox.associations, LINK)
        for now, seen in ((100.0, {}), (102.4, {}), (102.5, {902: [DEFAULT]})):
            self.clock.return_value = now
            self.assertEqual(self.seen(), seen)
        self.assertEqual(self.seen("902", "companies/contacts"), {501: BACK[:1]})
        self.assertEqual(self.sandbox.faults.active(), [])

    def test_what_was_seen_stays_seen(self):
        self.put(*ENDS)
        self.sandbox.fault(lag=60)
        self.put(*ENDS)
        self.assertEqual(self.seen(), {902: [DEFAULT]})

    def test_a_later_put_shows_it_sooner(self):
        self.sandbox.fault(lag=60)
        self.put(*ENDS)
        self.put(*ENDS)
        self.assertEqual(self.seen(), {902: [DEFAULT]})

    def test_only_the_late_label_is_hidden(self):
        self.sandbox.link(*ENDS, "Primary")
        self.sandbox.fault(lag=1)
        self.put(*ENDS)
        self.assertEqual(self.seen(), {902: [PRIMARY]})

    def test_with_a_status_of_its_own(self):
        self.sandbox.fault(lag=1, status=504, apply=True)
        self.assertEqual(self.put(*ENDS).status_code, 504)
        self.assertEqual(self.seen(), {})
        self.clock.return_value = 101.0
        self.assertEqual(self.seen(), {902: [DEFAULT]})
