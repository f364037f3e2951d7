"""The sandbox's records as HubSpot's API shows them: one, a list, a batch."""

from tests.hubadmin.demo.sandbox.base import TIMESTAMP, SandboxCase

ROOTS = ("/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09")
ALWAYS = {"createdate", "hs_lastmodifieddate", "hs_object_id"}
NAMED = {
    "contacts/501": {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com"},
    "companies/902": {"name": "Analytical Ltd", "domain": "analytical.example"},
    "deals/701": {"dealname": "Annual licence"},
    "tickets/801": {"subject": "Invoice shows the wrong address"},
    "notes/301": {"hs_note_body": "Called, ok."},
    "2-4001/41": {"name": "Van Alpha"},
    "p_property_viewing/71": {"address": "3 Mill Lane"},
}


class RecordTests(SandboxCase):
    def get(self, tail, root=ROOTS[0], **kwargs):
        return self.call("GET", f"{root}/{tail}", **kwargs)

    def test_answer_in_every_version(self):
        for root in ROOTS:
            body = self.get("CONTACT/501", root).json()
            told = set(body), body["id"], body["archived"], set(body["properties"])
            fields = {"id", "properties", "createdAt", "updatedAt", "archived"}
            self.assertEqual(told, (fields, "501", False, ALWAYS))
            self.assertRegex(body["createdAt"], TIMESTAMP)
            self.assertRegex(body["updatedAt"], TIMESTAMP)
            self.assertEqual(body["properties"]["createdate"], body["createdAt"])
            self.assertEqual(body["properties"]["hs_lastmodifieddate"], body["updatedAt"])
            self.assertEqual(body["properties"]["hs_object_id"], "501")

    def test_names_of_every_type(self):
        for tail, properties in NAMED.items():
            for query in (",".join(properties), "&properties=".join(properties)):
                body = self.get(f"{tail}?archived=false&properties={query}").json()
                told = {k: v for k, v in body["properties"].items() if k not in ALWAYS}
                self.assertEqual(told, properties)

    def test_properties_that_a_record_has_not(self):
        properties = self.get("deals/701?properties=firstname,,hs_object_id").json()["properties"]
        self.assertEqual(set(properties), ALWAYS | {"firstname"})
        self.assertEqual((properties["firstname"], properties["hs_object_id"]), (None, "701"))

    def test_absent_records(self):
        for tail in ("contacts/383", "contacts/902", "contacts/0501", "contacts/x", "calls/1"):
            body = self.assert_error(self.get(tail), 404, "resource not found", "OBJECT_NOT_FOUND")
            self.assertEqual(set(body), {"status", "message", "correlationId", "category"})

    def test_unknown_types_and_paths(self):
        for tail in ("foo/501", "2-9999/41", "foo"):
            message = f"Unable to infer object type from: {tail.split('/')[0]}"
            self.assert_error(self.get(tail), 400, message)
        self.assert_error(self.get("contacts", "/crm/v4/objects"), 404, "Nothing was found")
        self.assert_error(self.get("contacts/501/"), 404, "Nothing was found")


class ListTests(SandboxCase):
    def get(self, query):
        return self.call("GET", f"{ROOTS[0]}/companies{query}")

    def test_pages_follow_each_other_to_the_end(self):
        ids, after = [], "0"
        for size in (4, 4, 2):
            body = self.get(f"?limit=4&properties=name&after={after}").json()
            self.assertEqual(len(body["results"]), size)
            ids += [record["id"] for record in body["results"]]
            if size == 4:
                after = body["paging"]["next"]["after"]
                self.assertIn(f"{self.sandbox.url}/crm/", body["paging"]["next"]["link"])
        self.assertNotIn("paging", body)
        self.assertEqual(ids, [str(number) for number in range(901, 911)])
        self.assertEqual(body["results"][1]["properties"]["name"], "Umbra Optics")

    def test_link_to_the_next_page_where_there_is_one(self):
        link = self.get("?limit=9").json()["paging"]["next"]["link"]
        rest = self.call("GET", link.removeprefix(self.sandbox.url)).json()["results"]
        self.assertEqual([record["id"] for record in rest], ["910"])
        self.assertNotIn("paging", self.get("?limit=10").json())

    def test_usual_limit_and_types_without_records(self):
        body = self.call("GET", f"{ROOTS[1]}/contacts").json()
        self.assertEqual((len(body["results"]), "paging" in body), (10, True))
        self.assertEqual(self.call("GET", f"{ROOTS[2]}/calls").json(), {"results": []})

    def test_limits_that_make_no_sense(self):
        for query in ("limit=0", "limit=101", "limit=x", "limit=-1", "after=x"):
            name = query.partition("=")[0]
            self.assert_error(self.get(f"?{query}"), 400, f"“{name}”", "VALIDATION_ERROR")
        self.assertEqual(self.get("?limit=100").status_code, 200)


class BatchTests(SandboxCase):
    def read(self, ids, type_name="contacts", root=ROOTS[0], **body):
        body = {"inputs": [{"id": i} for i in ids], **body}
        return self.call("POST", f"{root}/{type_name}/batch/read", json=body)

    def test_all_there_in_every_version(self):
        for root in ROOTS:
            answer = self.read(["502", "501", 502], root=root, properties=["email", "foo"])
            body = answer.json()
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(set(body), {"status", "results", "startedAt", "completedAt"})
            self.assertEqual(body["status"], "COMPLETE")
            self.assertEqual([record["id"] for record in body["results"]], ["502", "501"])
            properties = body["results"][1]["properties"]
            self.assertEqual(set(properties), ALWAYS | {"email", "foo"})
            told = (properties["email"], properties["foo"])
            self.assertEqual(told, ("ada@example.com", None))

    def test_some_and_all_absent(self):
        for ids, there in ((["501", "1", "x"], ["501"]), (["1", "x"], [])):
            answer = self.read(ids)
            body = answer.json()
            self.assertEqual((answer.status_code, body["status"]), (207, "COMPLETE"))
            self.assertEqual([record["id"] for record in body["results"]], there)
            self.assertEqual(body["numErrors"], len(body["errors"]))
            (error,) = body["errors"]
            self.assertEqual(error["status"], "error")
            self.assertEqual(error["category"], "OBJECT_NOT_FOUND")
            self.assertEqual(error["context"], {"ids": ["1", "x"]})

    def test_at_most_a_hundred(self):
        self.assertEqual(self.read(range(1, 101)).status_code, 207)
        answer = self.read(range(1, 102))
        self.assert_error(answer, 400, "at most 100 inputs", "VALIDATION_ERROR")

    def test_bodies_that_make_no_sense(self):
        for body in ("", "{", b"\xff", "[]", "7", "{}", '{"inputs": {}}', '{"inputs": ["501"]}'):
            path = f"{ROOTS[0]}/contacts/batch/read"
            self.assert_error(self.call("POST", path, data=body), 400, "", "VALIDATION_ERROR")
        for record_id in (None, True, ["501"]):
            self.assert_error(self.read([record_id]), 400, "inputs", "VALIDATION_ERROR")
        for properties in ("email", [1], None):
            answer = self.read(["501"], properties=properties)
            self.assert_error(answer, 400, "properties", "VALIDATION_ERROR")

    def test_unknown_type(self):
        self.assert_error(self.read(["1"], "foo"), 400, "Unable to infer object type from: foo")
