"""The sandbox's endpoint that associates many pairs of records at once."""

import requests

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.demo.sandbox.base import LINK, TIMESTAMP, SandboxCase

ROOTS = ("/crm/v4/associations", "/crm/associations/2026-03", "/crm/associations/2026-09")
INVALID = "One or more associations are invalid"
GOOD = [("501", "902"), ("502", "903")]
MIXED = [GOOD[0], ("383", "902"), ("502", "1"), ("383", "1"), GOOD[1]]


def batch_path(pair="contacts/companies", root=ROOTS[0]):
    return f"{root}/{pair}/batch/associate/default"


def batch_body(pairs):
    return {"inputs": [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]}


def results(pairs):
    """Return what a contact and a company are answered with, there and back."""
    return [
        {
            "from": {"id": start},
            "to": {"id": end},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": number,
            },
        }
        for one, other in pairs
        for start, end, number in ((one, other, 279), (other, one, 280))
    ]


class BatchCase(SandboxCase):
    def associate(self, pairs, pair="contacts/companies", root=ROOTS[0], **kwargs):
        kwargs.setdefault("json", batch_body(pairs))
        return self.call("POST", batch_path(pair, root), **kwargs)

    def linked(self):
        query = "?from_type=contacts&to_type=companies"
        links = self.call("GET", f"/_sandbox/associations{query}", {}).json()["links"]
        return [tuple(pair) for pair in links]

    def fault(self, **fields):
        self.sandbox.fault(method="POST", path="batch/associate", **fields)


class AnswerTests(BatchCase):
    def test_all_there_in_every_version(self):
        for root in ROOTS:
            self.sandbox.reset()
            answer = self.associate(GOOD, "contact/0-2", root)
            body = answer.json()
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(set(body), {"status", "results", "startedAt", "completedAt"})
            self.assertEqual((body["status"], body["results"]), ("COMPLETE", results(GOOD)))
            self.assertRegex(body["startedAt"], TIMESTAMP)
            self.assertRegex(body["completedAt"], TIMESTAMP)
            self.assertEqual(self.linked(), GOOD)

    def test_numbers_and_repetitions_are_answered_each(self):
        body = self.associate([(501, 902), ("501", "902")]).json()
        self.assertEqual(body["results"], results([("501", "902")] * 2))
        self.assertEqual(self.sandbox.associations, LINK)

    def test_two_records_of_one_type(self):
        body = self.associate([("501", "502")], "contacts/contacts").json()
        numbers = [r["associationSpec"]["associationTypeId"] for r in body["results"]]
        self.assertEqual(numbers, [449, 449])
        self.assertEqual(len(self.sandbox.associations), 2)

    def test_absent_records_refuse_the_whole_batch(self):
        body = self.assert_error(self.associate(MIXED), 400, INVALID, "VALIDATION_ERROR")
        ids = ["CONTACT=383 is not valid", "COMPANY=1 is not valid"]
        context = {"objectId": ["383", "1"], "objectType": ["CONTACT", "COMPANY"]}
        self.assertEqual(body["context"], {"INVALID_OBJECT_IDS": ids, **context})
        self.assertEqual(self.linked(), [])

    def test_absent_records_where_the_good_pairs_get_through(self):
        self.fault(partial=True)
        answer = self.associate(MIXED)
        body = answer.json()
        self.assertEqual((answer.status_code, body["status"]), (207, "COMPLETE"))
        self.assertEqual(body["results"], results(GOOD))
        self.assertEqual((body["numErrors"], len(body["errors"])), (3, 3))
        told = [error["context"]["objectId"] for error in body["errors"]]
        self.assertEqual(told, [["383"], ["1"], ["383", "1"]])
        error = body["errors"][0]
        fields = ("status", "category", "message")
        told = tuple(error[name] for name in fields)
        self.assertEqual(told, ("error", "VALIDATION_ERROR", INVALID))
        self.assertEqual(self.linked(), GOOD)

    def test_partial_where_all_are_good_or_none_is(self):
        for pairs, status, good in ((GOOD, 200, GOOD), (MIXED[1:4], 207, [])):
            self.fault(partial=True)
            answer = self.associate(pairs)
            told = (answer.status_code, answer.json()["results"])
            self.assertEqual(told, (status, results(good)))

    def test_pair_without_a_default_type(self):
        message = "No default association type exists between PRODUCT and CONTACT"
        for partial in (False, True):
            self.fault(partial=partial)
            answer = self.associate([("601", "501")], "0-7/contacts")
            self.assert_error(answer, 400, message, "VALIDATION_ERROR")
        self.assertEqual(self.sandbox.associations, set())

    def test_bodies_that_make_no_sense(self):
        good = {"from": {"id": "501"}, "to": {"id": "902"}}
        for wrong in ({}, {"from": {"id": "501"}}, {**good, "to": "902"}, "501", [good]):
            body = {"inputs": [good, wrong]}
            answer = self.associate([], json=body)
            self.assert_error(answer, 400, "“from” and “to”", "VALIDATION_ERROR")
        for record_id in (None, True, 1.5, ["501"]):
            answer = self.associate([("501", record_id)])
            self.assert_error(answer, 400, "“inputs”", "VALIDATION_ERROR")
        for text in ("", "{", "[]", "{}", '{"inputs": {}}'):
            answer = self.associate([], json=None, data=text)
            self.assert_error(answer, 400, "", "VALIDATION_ERROR")
        self.assertEqual(self.sandbox.associations, set())

    def test_from_one_to_two_thousand_inputs(self):
        for pairs in ([], GOOD[:1] * 2001):
            message = f"from 1 to 2000 inputs, and this one has {len(pairs)}"
            self.assert_error(self.associate(pairs), 400, message, "VALIDATION_ERROR")
        self.assertEqual(self.associate(GOOD[:1] * 2000).status_code, 200)

    def test_types_tokens_and_scopes_as_for_one_pair(self):
        answer = self.associate(GOOD, "contacts/foo")
        self.assert_error(answer, 400, "Unable to infer object type from: foo")
        answer = self.associate(GOOD, headers={})
        self.assert_error(answer, 401, "credentials not found", "INVALID_AUTHENTICATION")
        answer = self.associate(GOOD, headers={"Authorization": "Bearer sandbox-no-scopes"})
        body = self.assert_error(answer, 403, "required scopes", "MISSING_SCOPES")
        scopes = ["crm.objects.contacts.write", "crm.objects.companies.write"]
        self.assertEqual(body["context"]["missingScopes"], scopes)
        self.assertEqual(self.sandbox.associations, set())
        answer = self.associate(GOOD, headers={"Authorization": "Bearer sandbox-no-read"})
        self.assertEqual(answer.status_code, 200)

    def test_other_methods_and_the_rate_limit(self):
        answer = self.call("PUT", batch_path())
        self.assert_error(answer, 405, "PUT")
        with Sandbox(rate_limit=1) as self.sandbox:
            statuses = [self.associate([pair]).status_code for pair in GOOD]
            self.assertEqual((statuses, self.linked()), ([200, 429], GOOD[:1]))


class FaultTests(BatchCase):
    def test_status_and_apply(self):
        for fields, status, linked in (
            ({"status": 503}, 503, []),
            ({"apply": False}, 200, []),
            ({"status": 502, "apply": True}, 502, GOOD),
        ):
            self.fault(**fields)
            self.assertEqual(self.associate(GOOD).status_code, status)
            self.assertEqual(self.linked(), linked)

    def test_answers_of_its_own(self):
        told = {"status": "PENDING", "results": []}
        self.fault(body=told)
        self.assertEqual(self.associate(GOOD).json(), told)
        self.assertEqual(self.linked(), [])

    def test_lost_and_shortened_answers(self):
        for fields, linked in (({"reset": "before"}, []), ({"reset": "after"}, GOOD)):
            self.fault(**fields)
            with self.assertRaises(requests.ConnectionError):
                self.associate(GOOD)
            self.assertEqual(self.linked(), linked)
        self.fault(truncate=20)
        with self.assertRaises(requests.exceptions.ChunkedEncodingError):
            self.associate(GOOD)

    def test_lag_and_partial_together(self):
        self.fault(lag=60, partial=True)
        self.assertEqual(self.associate(MIXED).status_code, 207)
        self.assertEqual(self.linked(), GOOD)
        self.assertEqual(self.sandbox.links.seen("contacts", "501", "companies"), {})

    def test_a_fault_for_a_put_leaves_batches_alone(self):
        self.sandbox.fault(status=503)
        self.assertEqual(self.associate(GOOD).status_code, 200)
