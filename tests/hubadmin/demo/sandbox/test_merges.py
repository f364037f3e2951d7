"""Merged records: the old id goes on working in every call, and answers name the new one."""

from tests.hubadmin.demo.sandbox.base import SandboxCase

RECORDS = "/crm/v3/objects/companies"
LINKS = "/crm/v4/associations/contacts/companies/batch/read"
BACK = "/crm/v4/associations/companies/contacts/batch/read"


class MergeTests(SandboxCase):
    def read(self, path, *ids):
        body = {"properties": ["name"], "inputs": [{"id": each} for each in ids]}
        return self.call("POST", path, json=body).json()

    def linked(self, path, from_id):
        return [
            (each["from"]["id"], [to["toObjectId"] for to in each["to"]])
            for each in self.read(path, from_id)["results"]
        ]

    def pairs(self, answer):
        return {(each["from"]["id"], each["to"]["id"]) for each in answer.json()["results"]}

    def test_the_demo_has_one(self):
        self.assertEqual(self.call("GET", f"{RECORDS}/911").json()["id"], "903")
        self.assertIn("company 911 into 903", self.call("GET", "/").text)
        page = self.call("GET", "/contacts/4242/record/0-2/911").text
        self.assertIn("Company 903: Byron &amp; Daughters", page)

    def test_a_record_is_read_under_its_new_id_each_once(self):
        self.sandbox.merge("companies", "902", "9902")
        for asked in (["902"], ["9902"], ["902", "9902"]):
            (found,) = self.read(f"{RECORDS}/batch/read", *asked)["results"]
            self.assertEqual((found["id"], found["properties"]["name"]), ("9902", "Analytical Ltd"))
        self.assertEqual(self.call("GET", f"{RECORDS}/902").json()["id"], "9902")

    def test_on_and_on(self):
        self.sandbox.merge("companies", "902", "9902")
        self.sandbox.merge("companies", "9902", "99902")
        for asked in ("902", "9902", "99902"):
            self.assertEqual(self.call("GET", f"{RECORDS}/{asked}").json()["id"], "99902")

    def test_its_links_go_with_it_from_both_sides(self):
        self.sandbox.link("contacts", "501", "companies", "902")
        self.sandbox.merge("companies", "902", "9902")
        self.sandbox.merge("contacts", "501", "502")
        for asked in ("501", "502"):
            self.assertEqual(self.linked(LINKS, asked), [("502", [9902])])
        for asked in ("902", "9902"):
            self.assertEqual(self.linked(BACK, asked), [("9902", [502])])

    def test_a_put_by_the_old_id_links_the_new_record(self):
        for as_asked, named in ((False, "9902"), (True, "902")):
            self.sandbox.reset()
            self.sandbox.merge("companies", "902", "9902")
            self.sandbox.names_as_asked = as_asked
            answer = self.put("contacts", "501", "companies", "902")
            self.assertEqual(self.pairs(answer), {("501", named), (named, "501")})
            self.assertEqual(self.linked(LINKS, "501"), [("501", [9902])])

    def test_what_has_become_one_record_is_not_linked_to_itself(self):
        self.sandbox.merge("contacts", "501", "502")
        answer = self.put("contacts", "501", "contacts", "502")
        self.assertEqual(
            (answer.json()["status"], self.pairs(answer)), ("COMPLETE", {("502",) * 2})
        )
        self.assertEqual(self.sandbox.associations, set())

    def test_a_reset_keeps_only_the_demos_own(self):
        self.sandbox.merge("companies", "902", "9902")
        self.sandbox.reset()
        self.assertEqual(self.call("GET", f"{RECORDS}/902").json()["id"], "902")
        self.assertEqual(self.call("GET", f"{RECORDS}/9902").status_code, 404)
        self.assertEqual(self.call("GET", f"{RECORDS}/911").json()["id"], "903")
