"""Records found by words, by values and by exact keys, in each version of the API."""

import time

from associations.hubspot import lookups, search
from associations.hubspot.client import ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Record
from associations.hubspot.search import Matches
from hubadmin.demo.sandbox.portal import NO_READ_TOKEN
from tests.associations.hubspot.test_lookups import LookupTestCase


class SearchCase(LookupTestCase):
    def paths(self) -> list[str]:
        return [request["path"] for request in self.sandbox.requests]


class WordTests(SearchCase):
    def test_records_in_which_the_words_stand(self) -> None:
        found = search.search(self.client, "contacts", "bruno kel")
        self.assertEqual(
            [(each.object_id, each.name) for each in found.records], [("502", "Bruno Keller")]
        )
        self.assertEqual(found.total, 1)

    def test_no_more_than_asked_for_and_how_many_there_are(self) -> None:
        for number in range(5):
            self.sandbox.create("contacts", {"firstname": "Zora", "lastname": f"N{number}"}, 0)
        found = search.search(self.client, "contacts", "zora", limit=2)
        self.assertEqual((len(found.records), found.total), (2, 5))

    def test_nothing(self) -> None:
        self.assertEqual(search.search(self.client, "contacts", "nobody of that name"), Matches())

    def test_a_custom_object_by_the_property_that_names_it(self) -> None:
        found = search.search(self.client, "2-4001", "alpha", "name")
        self.assertEqual(found.records, (Record("41", "Van Alpha"),))

    def test_words_leave_in_the_body_only(self) -> None:
        search.search(self.client, "contacts", "ada@example.com")
        self.assertEqual(self.paths(), ["/crm/v3/objects/contacts/search"])

    def test_as_many_words_as_hubspot_takes(self) -> None:
        for text in ("\U0001f600" * 2000, '"\\\n' * 2000, "a" * 5000, "\ud800" * 900):
            search.search(self.client, "contacts", text)
        self.assertEqual(len(self.paths()), 4)

    def test_more_values_than_a_body_may_have(self) -> None:
        self.assertEqual(
            self.cause_of(search.search_by_values, "companies", "domain", ["a" * 3000]),
            Cause.REFUSED,
        )
        self.assertEqual(self.paths(), [])

    def test_only_types_that_may_stand_in_a_path(self) -> None:
        for object_type in ("Contact", "../x", "contacts/1", "", "0-1"):
            with self.assertRaises(ValueError):
                search.search(self.client, object_type, "ada")
        self.assertEqual(self.paths(), [])

    def test_odd_answers(self) -> None:
        for body, expected in (
            ({"results": [{"id": 7, "properties": None}, 5, {"id": "x"}]}, [Record("7")]),
            ({"results": [{"id": "7"}, {"id": "7"}], "total": "many"}, [Record("7")]),
            ({"results": [], "total": -1}, []),
        ):
            self.sandbox.fault(method="POST", status=200, body=body)
            found = search.search(self.client, "contacts", "ada")
            self.assertEqual(([*found.records], found.total), (expected, len(expected)))

    def test_an_answer_without_results_does_not_say_that_there_are_none(self) -> None:
        self.sandbox.fault(method="POST", status=200, body={"total": 0})
        self.assertEqual(self.cause_of(search.search, "contacts", "ada"), Cause.UNREADABLE)

    def test_without_the_read_scope(self) -> None:
        self.client = self.client_of(NO_READ_TOKEN)
        self.assertEqual(self.cause_of(search.search, "contacts", "ada"), Cause.SCOPE_MISSING)


class ManySearchesTests(SearchCase):
    REFUSED = {
        "status": "error",
        "message": "You have reached your secondly limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "SECONDLY",
    }

    def test_when_hubspot_has_had_enough_a_moment_is_waited_once(self) -> None:
        self.sandbox.fault(method="POST", status=429, body=self.REFUSED)
        start = time.monotonic()
        self.assertEqual(search.search(self.client, "companies", "analytical").total, 1)
        self.assertGreater(time.monotonic() - start, 1.0)
        self.assertEqual(len(self.paths()), 2)

    def test_and_then_it_is_said(self) -> None:
        self.sandbox.fault(method="POST", status=429, body=self.REFUSED, times=2)
        self.assertEqual(
            self.cause_of(search.search, "companies", "analytical"), Cause.RATE_LIMITED
        )
        self.assertEqual(len(self.paths()), 2)

    def test_what_this_site_does_not_let_through_is_not_asked_again(self) -> None:
        self.client = self.client.with_turns(lambda seconds: False)
        self.assertEqual(self.cause_of(search.search, "companies", "x"), Cause.RATE_LIMITED)
        self.assertEqual(self.paths(), [])


class ValueTests(SearchCase):
    def by_domain(self, *domains: str) -> list[str]:
        found = search.search_by_values(self.client, "companies", "domain", domains)
        return [each.object_id for each in found.records]

    def test_a_company_by_its_domain_in_any_case(self) -> None:
        self.assertEqual(self.by_domain("Analytical.Example"), ["902"])
        self.assertEqual(self.by_domain("analytical.exampl"), [])

    def test_by_one_of_several_domains(self) -> None:
        self.sandbox.change("companies", "902", {"hs_additional_domains": "a.example;b.example"}, 0)
        self.assertEqual(self.by_domain("b.example"), ["902"])

    def test_all_that_share_one(self) -> None:
        self.sandbox.change("companies", "903", {"domain": "analytical.example"}, 0)
        self.assertEqual(self.by_domain("analytical.example"), ["902", "903"])


class KeyTests(SearchCase):
    def by_email(self, *addresses: str) -> dict[str, list[str]]:
        found = search.find_by_key(self.client, "contacts", "email", addresses)
        return {key: [each.object_id for each in records] for key, records in found.items()}

    def test_some_are_there_and_some_are_not(self) -> None:
        found = self.by_email("ada@example.com", "Bruno@Example.com", "nobody@example.com")
        self.assertEqual(found, {"ada@example.com": ["501"], "Bruno@Example.com": ["502"]})
        self.assertEqual(self.paths(), ["/crm/v3/objects/contacts/batch/read"])

    def test_one_by_an_address_that_is_not_its_first(self) -> None:
        self.sandbox.change(
            "contacts", "501", {"hs_additional_emails": "x@a.example;Lovelace@B.example"}
        )
        self.assertEqual(self.by_email("lovelace@b.example"), {"lovelace@b.example": ["501"]})

    def test_two_addresses_of_one(self) -> None:
        self.sandbox.change("contacts", "501", {"hs_additional_emails": "l@b.example"})
        found = self.by_email("l@b.example", "ada@example.com")
        self.assertEqual(found, {"l@b.example": ["501"], "ada@example.com": ["501"]})

    def test_no_more_than_hubspot_takes(self) -> None:
        addresses = [f"n{number}@example.com" for number in range(150)]
        self.assertEqual(self.by_email("ada@example.com", *addresses), {"ada@example.com": ["501"]})

    def test_a_record_that_nobody_asked_for_names_nothing(self) -> None:
        body = {
            "results": [{"id": "501", "properties": {"email": "other@example.com"}}, {"id": ""}]
        }
        self.sandbox.fault(method="POST", status=200, body=body)
        self.assertEqual(self.by_email("ada@example.com"), {})

    def test_all_that_claim_a_key(self) -> None:
        both = [{"id": i, "properties": {"email": "ada@example.com"}} for i in ("501", "502")]
        self.sandbox.fault(method="POST", status=200, body={"results": both})
        self.assertEqual(self.by_email("ada@example.com"), {"ada@example.com": ["501", "502"]})

    def test_a_custom_object_by_a_unique_property(self) -> None:
        self.assertEqual(search.unique_properties(self.client, "2-4001"), ["vin"])
        vin = "wha42alpha2026041"
        found = search.find_by_key(self.client, "2-4001", "vin", [vin], "name")
        self.assertEqual(found, {vin: [Record("41", "Van Alpha")]})

    def test_a_property_that_is_no_key_is_refused(self) -> None:
        with self.assertRaises(ReadError):
            search.find_by_key(self.client, "companies", "domain", ["analytical.example"])


class ArchivedTests(SearchCase):
    def test_what_was_deleted_and_what_never_was(self) -> None:
        self.sandbox.archive("contacts", "503")
        told = [lookups.is_archived(self.client, "contacts", i) for i in ("503", "501", "99")]
        self.assertEqual(told, [True, False, False])


class SecondLineTests(SearchCase):
    def test_what_tells_twins_apart(self) -> None:
        self.sandbox.change(
            "contacts",
            "501",
            {"company": "Analytical  Ltd", "city": "London"}
            | {"notes_last_updated": "2026-08-21T10:00:00.000Z"},
        )
        found = lookups.find_record(self.client, "contacts", "501")
        expected = "ada@example.com · Analytical Ltd · London · 2026-08-21"
        self.assertEqual(found, Record("501", "Ada Byron", expected))

    def test_a_moment_in_a_name_stays_as_it_is(self) -> None:
        self.sandbox.change("tickets", "801", {"subject": "2026-08-21T10:00:00Z"})
        found = lookups.find_record(self.client, "tickets", "801")
        self.assertEqual(found and found.name, "2026-08-21T10:00:00Z")


class DatedTests(SearchCase):
    version = sandbox_version = "2026-09"

    def test_everything_is_found_by_its_dated_path(self) -> None:
        search.search(self.client, "contacts", "ada")
        search.search_by_values(self.client, "companies", "domain", ["analytical.example"])
        search.find_by_key(self.client, "contacts", "email", ["ada@example.com"])
        search.unique_properties(self.client, "2-4001")
        self.assertEqual(
            self.paths(),
            [
                "/crm/objects/2026-09/contacts/search",
                "/crm/objects/2026-09/companies/search",
                "/crm/objects/2026-09/contacts/batch/read",
                "/crm/properties/2026-09/2-4001",
            ],
        )
