"""The sandbox's search: what a query finds, what filters keep, in which order and how many."""

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.demo.sandbox.base import SandboxCase

ROOTS = ("/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09")


class SearchCase(SandboxCase):
    def answer(self, type_name="contacts", root=ROOTS[0], **body):
        return self.call("POST", f"{root}/{type_name}/search", json=body)

    def search(self, type_name="contacts", **body):
        answer = self.answer(type_name, **body)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def ids(self, type_name="contacts", **body):
        return [record["id"] for record in self.search(type_name, **body)["results"]]

    def filtered(self, name, operator, type_name="companies", **asked):
        """The ids of the records written down that a filter keeps."""
        asked = {"propertyName": name, "operator": operator, **asked}
        groups = [{"filters": [asked]}]
        ids = self.ids(type_name, filterGroups=groups, limit=200)
        return [each for each in ids if len(each) == 3]


class QueryTests(SearchCase):
    def test_answer_in_every_version(self):
        for root in ROOTS:
            body = self.answer("company", root, query="analytical l", properties=["city"]).json()
            self.assertEqual(set(body), {"total", "results"})
            (found,) = body["results"]
            self.assertEqual((body["total"], found["id"], found["archived"]), (1, "902", False))
            always = {"createdate", "hs_lastmodifieddate", "hs_object_id"}
            self.assertEqual(set(found["properties"]), always | {"city"})

    def test_what_is_told_unless_asked_otherwise(self):
        (found,) = self.search(query="ada byron")["results"]
        self.assertLess({"firstname", "lastname", "email"}, found["properties"].keys())
        self.assertEqual(found["properties"]["email"], "ada@example.com")

    def test_each_word_begins_one_of_the_records(self):
        for query in ("ada byron", "BYR ad", "ada@example.com", "ada  b.", "Ädä Byron"):
            self.assertEqual(self.ids(query=query)[:1], ["501"], query)
        for query in ("da byron", "ada keller", "ada@example.org", "yron"):
            self.assertNotIn("501", self.ids(query=query, limit=200), query)

    def test_apostrophes_accents_and_signs(self):
        for query in ("O'Brien", "o\u2019brien", "obrien", "brien lena"):
            self.assertIn("512", self.ids(query=query, limit=200), query)
        for query in ("Zieliński", "zielinski", "\uff3aielinski"):
            self.assertIn("513", self.ids(query=query, limit=200), query)
        self.assertIn("903", self.ids("companies", query="Byron & Daughters"))

    def test_properties_that_a_query_looks_at(self):
        for type_name, query, found in (
            ("companies", "analytical.example", "902"),
            ("deals", "analytics qualified", "710"),
            ("tickets", "wrong address", "801"),
            ("notes", "later", "302"),
            ("products", "sensor m", "602"),
            ("p_car", "WHA42ALPHA2026041", "41"),
            ("2-4002", "3 mill", "71"),
        ):
            self.assertIn(found, self.ids(type_name, query=query, limit=200), query)
        self.assertEqual(self.ids("calls", query="x"), [])

    def test_no_query_is_everything_and_nothing_but_signs_is_nothing(self):
        self.assertEqual(self.search("2-4001")["total"], 5)
        self.assertEqual(self.search("2-4001", query=" ")["total"], 5)
        self.assertEqual(self.search("2-4001", query="&")["total"], 0)

    def test_the_ones_by_the_hundred_thousand_are_not_found_by_words(self):
        self.assertNotIn("1000001", self.ids(query="bjarne achterberg", limit=200))


class PageTests(SearchCase):
    def test_pages_follow_each_other_to_the_end(self):
        ids, after = [], None
        for size, more in ((2, "2"), (2, "4"), (1, None)):
            body = self.search("2-4001", limit=2, **({"after": after} if after else {}))
            ids += [record["id"] for record in body["results"]]
            self.assertEqual((len(body["results"]), body["total"]), (size, 5))
            after = body["paging"]["next"]["after"] if more else None
            self.assertEqual((after, "paging" in body), (more, bool(more)))
        self.assertEqual(ids, ["41", "42", "43", "44", "45"])

    def test_order(self):
        for sorts, first in (
            ([], "41"),
            ([{"propertyName": "name", "direction": "DESCENDING"}], "45"),
            ([{"propertyName": "name"}], "41"),
            (["-hs_object_id"], "45"),
            (["name"], "41"),
        ):
            self.assertEqual(self.ids("2-4001", sorts=sorts)[0], first, sorts)

    def test_ten_unless_asked_otherwise_and_200_at_most(self):
        self.assertEqual(len(self.ids()), 10)
        for limit in (0, 201, -1, "x", 1.5):
            answer = self.answer(limit=limit)
            self.assert_error(answer, 400, "“limit”", "VALIDATION_ERROR")

    def test_no_results_beyond_ten_thousand(self):
        self.assertEqual(self.search(limit=200, after="9800")["results"], [])
        answer = self.answer(limit=200, after="9801")
        self.assert_error(answer, 400, "10000", "VALIDATION_ERROR")

    def test_bodies_of_at_most_3000_characters(self):
        empty = len('{"query": ""}')
        path = f"{ROOTS[0]}/contacts/search"
        for signs, status in ((3000 - empty, 200), (3001 - empty, 400)):
            body = f'{{"query": "{"ä" * signs}"}}'.encode()
            self.assertEqual(self.call("POST", path, data=body).status_code, status)

    def test_bodies_that_make_no_sense(self):
        for body, message in (
            ({"query": 7}, "query"),
            ({"sorts": "name"}, "sorts"),
            ({"sorts": ["name", "city"]}, "sorts"),
            ({"sorts": [{"propertyName": "name", "direction": "UP"}]}, "direction"),
            ({"sorts": [7]}, "sort"),
            ({"properties": "name"}, "properties"),
            ({"after": "x"}, "after"),
            ({"filterGroups": {}}, "filterGroups"),
            ({"filterGroups": [{"filters": "name"}]}, "filterGroups"),
        ):
            self.assert_error(self.answer(**body), 400, message, "VALIDATION_ERROR")
        for data in ("", "[]", b"\xff"):
            answer = self.call("POST", f"{ROOTS[0]}/contacts/search", data=data)
            self.assert_error(answer, 400, "JSON", "VALIDATION_ERROR")

    def test_scope_and_type(self):
        headers = {"Authorization": "Bearer sandbox-no-read"}
        answer = self.call("POST", f"{ROOTS[0]}/deals/search", headers, json={})
        body = self.assert_error(answer, 403, "required scopes", "MISSING_SCOPES")
        self.assertEqual(body["context"]["missingScopes"], ["crm.objects.deals.read"])
        self.assert_error(self.answer("foo"), 400, "Unable to infer object type from: foo")


class FilterTests(SearchCase):
    def test_values_are_compared_without_case_but_lists_of_them_only_in_lower_case(self):
        self.assertEqual(self.filtered("domain", "EQ", value="Analytical.Example"), ["902"])
        for values, found in ((["analytical.example", "x"], ["902"]), (["Analytical.example"], [])):
            self.assertEqual(self.filtered("domain", "IN", values=values), found)
        others = [str(n) for n in range(901, 911) if n != 902]
        self.assertEqual(self.filtered("domain", "NEQ", value="ANALYTICAL.EXAMPLE"), others)
        not_in = self.filtered("domain", "NOT_IN", values=["analytical.example"])
        self.assertEqual(not_in, others)

    def test_tokens_are_whole_words_unless_a_star_ends_them(self):
        for value, found in (
            ("analytical", ["902"]),
            ("ANALYTICAL ltd", ["902"]),
            ("analyt", []),
            ("analyt*", ["902"]),
            ("*lytical", ["902"]),
            ("*nalyt*", ["902"]),
            ("yron", []),
        ):
            self.assertEqual(self.filtered("name", "CONTAINS_TOKEN", value=value), found, value)
        kept = self.filtered("name", "NOT_CONTAINS_TOKEN", value="analytical")
        self.assertEqual((len(kept), "902" in kept), (9, False))
        for value in ("*@example.com", "ada@*"):
            kept = self.filtered("email", "CONTAINS_TOKEN", "contacts", value=value)
            self.assertIn("501", kept)

    def test_whether_a_property_is_there(self):
        self.assertEqual(len(self.filtered("domain", "HAS_PROPERTY")), 10)
        self.assertEqual(self.filtered("domain", "NOT_HAS_PROPERTY"), [])
        self.assertEqual(len(self.filtered("nonsense", "NOT_HAS_PROPERTY")), 10)

    def test_records_without_the_property_meet_no_other_filter(self):
        kept = self.filtered("hs_additional_domains", "NEQ", value="x.example")
        self.assertEqual(kept, ["903"])

    def test_any_of_several_values(self):
        for operator, asked, kept in (
            ("EQ", {"value": "G.Lindqvist@example.org"}, ["507"]),
            ("IN", {"values": ["g.lindqvist@example.org", "x"]}, ["507"]),
            ("NEQ", {"value": "g.lindqvist@example.org"}, ["501"]),
            ("CONTAINS_TOKEN", {"value": "g.lindqvist*"}, ["507"]),
        ):
            found = self.filtered("hs_additional_emails", operator, "contacts", **asked)
            self.assertEqual(found, kept, operator)

    def test_order_of_numbers_and_moments(self):
        for number, amount in (("701", "9.5"), ("702", "100"), ("703", "1000")):
            self.sandbox.change("deals", number, {"amount": amount})
        changed = ("701", "702", "703")
        for operator, asked, found in (
            ("LT", {"value": "100"}, ["701"]),
            ("LTE", {"value": "100"}, ["701", "702"]),
            ("GT", {"value": "100"}, ["703"]),
            ("GTE", {"value": "100"}, ["702", "703"]),
            ("BETWEEN", {"value": "50", "highValue": "100"}, ["702"]),
        ):
            kept = self.filtered("amount", operator, "deals", **asked)
            self.assertEqual([i for i in kept if i in changed], found, operator)
        for value, count in (("2026-03-02T08:00:00Z", 10), ("1772438400001", 0)):
            self.assertEqual(len(self.filtered("createdate", "GTE", value=value)), count)

    def test_all_of_one_group_and_any_of_several(self):
        name, domain = (
            {"propertyName": n, "operator": "EQ", "value": v}
            for n, v in (("name", "Analytical Ltd"), ("domain", "byron.example"))
        )
        both, either = [{"filters": [name, domain]}], [{"filters": [name]}, {"filters": [domain]}]
        self.assertEqual(self.ids("companies", filterGroups=both), [])
        self.assertEqual(self.ids("companies", filterGroups=either), ["902", "903"])
        self.assertEqual(self.ids("companies", filterGroups=either, query="daughters"), ["903"])

    def test_the_ones_by_the_hundred_thousand_by_their_exact_keys(self):
        email = "bjarne.achterberg.1000001@example.com"
        for type_name, name, value, found in (
            ("contacts", "email", email, ["1000001"]),
            ("contacts", "email", email.replace("bjarne", "carla"), []),
            ("contacts", "email", email.replace("1000001", "1200001"), []),
            ("companies", "domain", "birch-bakery-2000001.example", ["2000001"]),
        ):
            group = {"filters": [{"propertyName": name, "operator": "EQ", "value": value}]}
            self.assertEqual(self.ids(type_name, filterGroups=[group]), found, value)

    def test_filters_that_make_no_sense(self):
        for fields in (
            7,
            {"propertyName": "name"},
            {"operator": "EQ", "value": "x"},
            {"propertyName": "name", "operator": "LIKE", "value": "x"},
            {"propertyName": "name", "operator": "EQ"},
            {"propertyName": "name", "operator": "IN", "value": "x"},
            {"propertyName": "name", "operator": "IN", "values": []},
            {"propertyName": "name", "operator": "BETWEEN", "value": "x"},
        ):
            answer = self.answer(filterGroups=[{"filters": [fields]}])
            self.assert_error(answer, 400, "", "VALIDATION_ERROR")

    def test_how_many_filters(self):
        one = {"propertyName": "name", "operator": "HAS_PROPERTY"}
        for groups, each, status in (
            (5, 3, 200),
            (6, 1, 400),
            (3, 6, 200),
            (1, 7, 400),
            (4, 5, 400),
        ):
            asked = [{"filters": [one] * each}] * groups
            self.assertEqual(self.answer("companies", filterGroups=asked).status_code, status)


class LimitTests(SearchCase):
    def test_five_a_second_and_apart_from_other_calls(self):
        with Sandbox(rate_limit=2, search_limit=5) as self.sandbox:
            answers = [self.answer(query="ada") for _ in range(6)]
            self.assertEqual([a.status_code for a in answers], [200] * 5 + [429])
            message = "You have reached your secondly limit."
            body = self.assert_error(answers[-1], 429, message)
            self.assertEqual((body["errorType"], body["policyName"]), ("RATE_LIMIT", "SECONDLY"))
            headers = " ".join(name.lower() for a in answers for name in a.headers)
            self.assertNotIn("ratelimit", headers)
            self.assertEqual([self.call().status_code for _ in range(3)], [200, 200, 429])
            told = self.call("GET", "/_sandbox/calls", {}).json()
            self.assertEqual((told["searches"], told["most_searches_in_a_second"]), (6, 6))
            self.assertEqual((told["calls"], told["most_in_10_seconds"]), (9, 3))

    def test_a_fault_refuses_as_the_limit_does(self):
        self.sandbox.fault(status=429, method="POST", path="/search")
        body = self.assert_error(self.answer(), 429, "secondly limit")
        self.assertEqual(body["policyName"], "SECONDLY")
        self.assertEqual(self.answer().status_code, 200)
