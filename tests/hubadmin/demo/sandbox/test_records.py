"""The sandbox's records at run time: created, changed, merged, archived, and search behind them."""

from unittest import mock

from hubadmin.demo.sandbox.records import RecordError
from tests.hubadmin.demo.sandbox.base import SandboxCase

ROOTS = ("/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09")
NEW = {"firstname": "Quirin", "lastname": "Quast", "email": "quirin@quast.example"}


class RecordCase(SandboxCase):
    def get(self, tail):
        return self.call("GET", f"{ROOTS[0]}/{tail}")

    def found(self, query, type_name="contacts"):
        answer = self.call("POST", f"{ROOTS[0]}/{type_name}/search", json={"query": query})
        return [record["id"] for record in answer.json()["results"]]

    def by_key(self, *values, name="email", type_name="contacts", root=ROOTS[0], query=""):
        inputs = [{"id": value} for value in values]
        body = {"idProperty": name, "properties": ["email"], "inputs": inputs}
        return self.call("POST", f"{root}/{type_name}/batch/read{query}", json=body)

    def keyed(self, *values, **kwargs):
        return [record["id"] for record in self.by_key(*values, **kwargs).json()["results"]]

    def control(self, *changes):
        return self.call("POST", "/_sandbox/records", {}, json=list(changes))


class KeyTests(RecordCase):
    def test_contacts_by_their_address_in_every_version(self):
        for root in ROOTS:
            answer = self.by_key("ADA@example.com", "bruno@example.com", root=root)
            ids = [record["id"] for record in answer.json()["results"]]
            self.assertEqual((answer.status_code, ids), (200, ["501", "502"]))

    def test_a_second_address_finds_the_record_and_is_not_told_of(self):
        answer = self.by_key("ada.byron@example.com", "ada@example.com")
        (found,) = answer.json()["results"]
        self.assertEqual((answer.status_code, found["id"]), (200, "501"))
        self.assertNotIn("ada.byron", answer.text)
        for value in ("greta.lindqvist@example.com", "G.Lindqvist@example.org"):
            self.assertEqual(self.keyed(value), ["507"])

    def test_what_is_not_found_is_told(self):
        answer = self.by_key("ada@example.com", "nobody@example.com", "501", "")
        body = answer.json()
        self.assertEqual((answer.status_code, len(body["results"]), body["numErrors"]), (207, 1, 1))
        self.assertEqual(body["errors"][0]["context"], {"ids": ["nobody@example.com", "501", ""]})

    def test_the_ones_by_the_hundred_thousand(self):
        email = "bjarne.achterberg.1000001@example.com"
        for value, found in (
            (email, ["1000001"]),
            (email.upper(), ["1000001"]),
            (email.replace("bjarne", "carla"), []),
            (email.replace("1000001", "1200001"), []),
        ):
            self.assertEqual(self.keyed(value), found, value)

    def test_another_unique_property(self):
        self.assertEqual(self.keyed("wha42alpha2026041", name="vin", type_name="p_car"), ["41"])
        self.assertEqual(self.keyed("501", name="hs_object_id"), ["501"])

    def test_properties_that_are_not_unique(self):
        for type_name, name in (
            ("companies", "domain"),
            ("contacts", "firstname"),
            ("deals", "email"),
            ("contacts", "vin"),
            ("contacts", 7),
        ):
            answer = self.by_key("x", type_name=type_name, name=name)
            self.assert_error(answer, 400, f"“{name}”", "VALIDATION_ERROR")

    def test_at_most_a_hundred(self):
        values = [f"{n}@example.com" for n in range(101)]
        self.assertEqual(self.by_key(*values[1:]).status_code, 207)
        self.assert_error(self.by_key(*values), 400, "at most 100", "VALIDATION_ERROR")

    def test_definitions_name_the_unique_ones(self):
        for path in ("/crm/v3/properties", "/crm/properties/2026-03", "/crm/properties/2026-09"):
            for type_name, unique in (("p_car", {"vin"}), ("companies", set())):
                results = self.call("GET", f"{path}/{type_name}").json()["results"]
                told = {p["name"] for p in results if p["hasUniqueValue"]}
                self.assertEqual(told, unique)
        names = [p["name"] for p in results]
        self.assertEqual(names[:3], ["name", "domain", "hs_additional_domains"])
        headers = {"Authorization": "Bearer sandbox-no-read"}
        answer = self.call("GET", "/crm/v3/properties/deals", headers)
        self.assert_error(answer, 403, "scopes", "MISSING_SCOPES")


class ArchivedTests(RecordCase):
    def test_shown_only_to_who_asks_for_archived_ones(self):
        self.sandbox.archive("contacts", "501")
        self.assertEqual(self.get("contacts/501").status_code, 404)
        body = self.get("contacts/501?archived=true").json()
        self.assertEqual((body["id"], body["archived"]), ("501", True))
        self.assertEqual(body["archivedAt"], body["updatedAt"])
        self.assertEqual(self.get("contacts/502?archived=true").status_code, 404)

    def test_in_batches(self):
        self.sandbox.archive("contacts", "501")
        for query, ids in (
            ("", ["502"]),
            ("?archived=true", ["501"]),
            ("?archived=false", ["502"]),
        ):
            self.assertEqual(self.keyed("501", "502", name="hs_object_id", query=query), ids)
            emails = ("ada@example.com", "bruno@example.com")
            self.assertEqual(self.keyed(*emails, query=query), ids)

    def test_neither_found_nor_listed_nor_linked(self):
        self.sandbox.archive("contacts", "501")
        self.assertEqual(self.found("ada byron"), [])
        listed = self.get("contacts").json()["results"]
        self.assertEqual(listed[0]["id"], "502")
        self.assertEqual(self.call().status_code, 400)

    def test_brought_back(self):
        self.sandbox.archive("contacts", "501")
        self.sandbox.archive("contacts", "501", archived=False)
        self.assertEqual(self.found("ada byron"), ["501"])
        self.assertEqual(self.keyed("ada@example.com"), ["501"])
        self.assertEqual(self.call().status_code, 200)


class ChangeTests(RecordCase):
    def test_a_new_record(self):
        record_id = self.sandbox.create("contacts", NEW)
        body = self.get(f"contacts/{record_id}?properties=email").json()
        self.assertEqual(body["properties"]["email"], NEW["email"])
        self.assertGreater(body["createdAt"], "2026-03-02T08:00:00.000Z")
        self.assertEqual(self.found("quast"), [record_id])
        self.assertEqual(self.keyed(NEW["email"]), [record_id])
        path = f"{ROOTS[0]}/contacts?after=6000000"
        (listed,) = self.call("GET", path).json()["results"]
        self.assertEqual(listed["id"], record_id)
        self.assertEqual(self.put("contacts", record_id, "companies", "902").status_code, 200)

    def test_what_is_changed_is_found_by_what_it_is_now(self):
        self.sandbox.change("contacts", "501", {"lastname": "Lovelace", "email": "al@example.com"})
        self.sandbox.change("contacts", "504", {"lastname": "King"})
        self.assertEqual((self.found("lovelace"), self.found("daniel king")), (["501"], ["504"]))
        self.assertNotIn("504", self.found("daniel okafor"))
        emails = ("al@example.com", "ada@example.com", "ada.byron@example.com")
        self.assertEqual([self.keyed(e) for e in emails], [["501"], [], ["501"]])
        self.sandbox.change("contacts", "501", {"email": None})
        self.assertEqual(self.keyed("al@example.com"), [])
        body = self.get("contacts/501?properties=email,lastname").json()
        told = (body["properties"]["email"], body["properties"]["lastname"])
        self.assertEqual(told, (None, "Lovelace"))
        self.assertGreater(body["updatedAt"], "2026-06-15T12:30:00.000Z")

    def test_what_was_generated_is_changed_and_found_by_words_then(self):
        self.sandbox.change("contacts", "1000001", {"email": "new@example.com"})
        self.assertEqual(self.found("bjarne achterberg"), ["1000001"])
        self.assertEqual(self.keyed("bjarne.achterberg.1000001@example.com"), [])
        self.assertEqual(self.keyed("new@example.com"), ["1000001"])

    def test_a_merged_record_leaves_its_addresses(self):
        self.sandbox.merge("contacts", "502", "501")
        self.assertEqual(self.found("bruno keller"), [])
        self.assertEqual(self.found("bruno"), ["501"])  # by the address
        self.assertEqual(self.keyed("bruno@example.com", "ada@example.com"), ["501"])
        body = self.get("contacts/501?properties=email,hs_additional_emails").json()
        told = body["properties"]["hs_additional_emails"]
        self.assertEqual(told, "ada.byron@example.com;bruno@example.com")
        self.sandbox.merge("companies", "901", "902")
        body = self.get("companies/902?properties=hs_additional_domains").json()
        self.assertEqual(body["properties"]["hs_additional_domains"], "harbour.example")

    def test_a_record_that_is_new_by_a_merge_is_found(self):
        self.sandbox.merge("companies", "902", "9902")
        self.assertEqual(self.found("analytical", "companies"), ["9902"])

    def test_records_that_there_are_not(self):
        for change in (
            lambda: self.sandbox.change("contacts", "383", {"city": "Oslo"}),
            lambda: self.sandbox.archive("contacts", "383"),
            lambda: self.sandbox.archive("contacts", "501", archived=False),
        ):
            self.assertRaises(RecordError, change)

    def test_a_reset_forgets_it_all(self):
        self.sandbox.create("contacts", NEW)
        self.sandbox.change("contacts", "501", {"lastname": "Lovelace"})
        self.sandbox.archive("contacts", "502")
        self.sandbox.merge("contacts", "503", "504")
        self.sandbox.search_lag = 60
        self.sandbox.reset()
        self.assertEqual((self.found("quast"), self.found("lovelace")), ([], []))
        self.assertEqual((self.found("ada byron"), self.found("chiara")), (["501"], ["503"]))
        self.assertEqual(self.keyed("bruno@example.com"), ["502"])
        self.assertEqual(self.sandbox.create("contacts", NEW), "6000001")
        self.assertEqual(self.found("quast"), ["6000001"])


class LagTests(RecordCase):
    def setUp(self):
        super().setUp()
        self.clock = self.enterContext(mock.patch("hubadmin.demo.sandbox.records.monotonic"))
        self.clock.return_value = 100.0

    def test_search_shows_later_what_reads_show_at_once(self):
        self.sandbox.search_lag = 10
        record_id = self.sandbox.create("contacts", NEW)
        self.sandbox.change("contacts", "505", {"lastname": "Lovelace"})
        self.sandbox.archive("contacts", "502")
        self.sandbox.merge("contacts", "503", "504")
        self.assertEqual(self.keyed(NEW["email"], "bruno@example.com"), [record_id])
        self.clock.return_value = 109.9
        told = [self.found(query) for query in ("quast", "lovelace", "elif kaya", "bruno")]
        self.assertEqual(told, [[], [], ["505"], ["502"]])
        self.assertEqual(self.found("chiara lombardi"), ["503"])
        self.clock.return_value = 110.0
        told = [self.found(query) for query in ("quast", "lovelace", "elif kaya", "bruno")]
        self.assertEqual(told, [[record_id], ["505"], [], []])
        self.assertEqual(self.found("chiara"), ["504"])

    def test_what_search_shows_is_as_old_as_what_it_finds_by(self):
        self.sandbox.change("contacts", "501", {"jobtitle": "Countess"}, lag=60)
        body = {"query": "ada byron", "properties": ["jobtitle"]}
        path = f"{ROOTS[0]}/contacts/search"
        (shown,) = self.call("POST", path, json=body).json()["results"]
        read = self.get("contacts/501?properties=jobtitle").json()
        told = [each["properties"]["jobtitle"] for each in (shown, read)]
        self.assertEqual(told, ["Buyer", "Countess"])

    def test_a_later_change_that_is_shown_sooner_stays(self):
        self.sandbox.change("contacts", "501", {"lastname": "King"}, lag=60)
        self.sandbox.change("contacts", "501", {"lastname": "Lovelace"}, lag=1)
        for now, found in ((101.0, ["501"]), (160.0, ["501"])):
            self.clock.return_value = now
            self.assertEqual((self.found("lovelace"), self.found("ada king")), (found, []))


class ControlTests(RecordCase):
    def test_changes_in_a_list(self):
        answer = self.control(
            {"type": "contacts", "properties": NEW},
            {"type": "contact", "id": "501", "properties": {"city": None, "lastname": "King"}},
            {"type": "companies", "id": "901", "archived": True},
            {"type": "companies", "id": "902", "merge_into": "903", "lag": 60},
        )
        told = [(each["type"], each["id"]) for each in answer.json()]
        self.assertEqual(told[:2], [("contacts", "6000001"), ("contacts", "501")])
        self.assertEqual(told[2:], [("companies", "901"), ("companies", "903")])
        self.assertEqual(self.found("quast") + self.found("ada king"), ["6000001", "501"])
        self.assertEqual(self.get("companies/901").status_code, 404)
        self.assertEqual(self.get("companies/902").json()["id"], "903")
        self.assertEqual(self.found("analytical", "companies"), ["902"])

    def test_one_by_itself_and_the_lag_of_all(self):
        answer = self.call("POST", "/_sandbox/search", {}, json={"lag": 60})
        self.assertEqual(answer.json(), {"lag": 60})
        one = {"type": "contacts", "properties": NEW}
        self.assertEqual(self.call("POST", "/_sandbox/records", {}, json=one).status_code, 200)
        self.assertEqual((self.found("quast"), self.keyed(NEW["email"])), ([], ["6000001"]))
        self.assertEqual(self.sandbox.requests[0]["path"], f"{ROOTS[0]}/contacts/search")

    def test_bodies_that_make_no_sense(self):
        for change, message in (
            (7, "A change is a JSON object"),
            ({"type": "contacts", "foo": 1}, "A change is a JSON object"),
            ({"type": "boats", "properties": {}}, "no object type “boats”"),
            ({"type": 7, "properties": {}}, "no object type “7”"),
            ({"type": "contacts"}, "“properties”"),
            ({"type": "contacts", "properties": {"email": None}}, "“properties”"),
            ({"type": "contacts", "id": "501", "properties": {"city": 7}}, "“properties”"),
            ({"type": "contacts", "id": 501}, "not a record's id"),
            ({"type": "contacts", "id": "383", "archived": True}, "no such record 383"),
            ({"type": "contacts", "id": "501", "merge_into": "x"}, "not a record's id"),
            ({"type": "contacts", "id": "501", "merge_into": "501"}, "into itself"),
            ({"type": "contacts", "properties": NEW, "lag": -1}, "“lag”"),
            ({"type": "contacts", "properties": NEW, "lag": "1"}, "“lag”"),
        ):
            self.assert_error(self.control(change), 400, message)
        for data in ("{", "[]", '{"lag": 1, "x": 2}', '{"lag": null}'):
            answer = self.call("POST", "/_sandbox/search", {}, data=data)
            self.assert_error(answer, 400, "")
