"""The records that the sandbox's portal has by the thousand."""

from hubadmin.demo.sandbox.generated import generate, generated_ids, is_generated
from tests.hubadmin.demo.sandbox.base import SandboxCase

FIRST_AND_LAST = {
    "0-1": ("1000001", "1200000"),
    "0-2": ("2000001", "2020000"),
    "0-3": ("3000001", "3020000"),
    "0-5": ("4000001", "4020000"),
}
NAMES = {"0-1": "email", "0-2": "name", "0-3": "dealname", "0-5": "subject"}

WIDE = {ord(digit): 0xFF10 + int(digit) for digit in "0123456789"}


class GeneratedTests(SandboxCase):
    def test_which_there_are(self):
        for type_id, (first, last) in FIRST_AND_LAST.items():
            for record_id in (first, last):
                self.assertTrue(is_generated(type_id, record_id), record_id)
            before, after = str(int(first) - 1), str(int(last) + 1)
            for record_id in (
                before,
                after,
                "0" + first,
                " " + first[1:],
                "",
                "1000001".translate(WIDE),
            ):
                self.assertFalse(is_generated(type_id, record_id), record_id)
        self.assertFalse(is_generated("0-2", "1000001"))
        self.assertFalse(is_generated("0-46", "1000001"))

    def test_the_same_each_time_and_each_another(self):
        for type_id, ids in generated_ids().items():
            names = {generate(type_id, str(n))[NAMES[type_id]] for n in ids[-20_000:]}
            self.assertEqual(len(names), 20_000)
            record_id = str(ids[7])
            record = generate(type_id, record_id)
            self.assertEqual(record, generate(type_id, record_id))
            self.assertEqual(record["hs_object_id"], record_id)
        contact = {"firstname": "Bjarne", "lastname": "Achterberg", "hs_object_id": "1000001"}
        email = {"email": "bjarne.achterberg.1000001@example.com"}
        self.assertEqual(generate("0-1", "1000001"), contact | email)

    def test_read_one_and_many(self):
        answer = self.call("GET", "/crm/v3/objects/companies/2020000?properties=name,domain")
        properties = answer.json()["properties"]
        self.assertEqual(properties["name"], generate("0-2", "2020000")["name"])
        self.assertEqual(properties["hs_object_id"], "2020000")
        self.assertEqual(self.call("GET", "/crm/v3/objects/deals/3020001").status_code, 404)
        inputs = [{"id": i} for i in ("4000001", "801", "4020001")]
        body = {"inputs": inputs, "properties": ["subject"]}
        told = self.call("POST", "/crm/v3/objects/tickets/batch/read", json=body).json()
        self.assertEqual([r["id"] for r in told["results"]], ["4000001", "801"])
        self.assertEqual(told["errors"][0]["context"], {"ids": ["4020001"]})

    def test_associate_one(self):
        self.assertEqual(self.put("contacts", "1200000", "deals", "3000001").status_code, 200)
        self.assertEqual(self.put("contacts", "1200001", "deals", "3000001").status_code, 400)
        self.assertIn(("deals", "3000001", "contacts", "1200000"), self.sandbox.associations)

    def test_pages(self):
        self.put("contacts", "1000001", "companies", "901")
        page = self.call("GET", "/contacts/4242/record/0-2/901", {}).text
        self.assertIn(">Contact 1000001: Bjarne Achterberg<", page)
        page = self.call("GET", "/contacts/4242/record/0-1/1000001", {}).text
        self.assertIn("<dd>Bjarne</dd>", page)
        self.assertIn(">Company 901: Harbour Foods<", page)
        index = self.call("GET", "/", {}).text
        for text in ("contacts 1000001 to 1200000", "tickets 4000001 to 4020000"):
            self.assertIn(text, index)

    def test_page_of_a_record_that_is_linked_to_an_absent_one(self):
        self.sandbox.link("contacts", "501", "companies", "7")
        page = self.call("GET", "/contacts/4242/record/0-1/501", {}).text
        self.assertIn(">Company 7: absent<", page)

    def test_lists_keep_to_those_written_down(self):
        answer = self.call("GET", "/crm/v3/objects/contacts?limit=100").json()
        self.assertEqual((len(answer["results"]), "paging" in answer), (20, False))
