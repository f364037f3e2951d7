"""What a text is found to mean: against the sandbox, by every kind of thing that people know."""

from datetime import timedelta
from typing import Any
from unittest import mock

from django.core.cache import cache
from django.test import TestCase, override_settings
from django.utils import timezone

from associations.audit.recorder import LogUnavailableError, RequestMeta, record_event
from associations.finding.finder import MOST_HITS, Found, Why, find
from associations.finding.texts import sentence_of
from associations.gateway import rate_limiter
from associations.gateway.account import type_choices
from associations.hubspot.object_types import ObjectType
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest, SecurityEvent
from associations.texts.lookup_errors import reason_of_error
from hubadmin.demo.sandbox.portal import NO_READ_TOKEN
from tests.associations.linking.base import entry_of
from tests.support import LogTransactionTestCase, SandboxMixin, missing_table, person

META = RequestMeta("192.0.2.7", "Firefox", "r-1")
ADDRESS = "https://app.hubspot.com/contacts/4242/record/0-2/902"
DOWN = {"method": "POST", "status": 503, "times": None}


class FinderMixin(SandboxMixin):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(rate_limiter.close)
        self.user = person()
        self.types = type_choices()
        self.sandbox.reset()  # what the types have cost

    def find(self, text: str, side: str = "from", **options: Any) -> Found:
        """Types by their names."""
        for name in ("narrowed", "other"):
            if name in options:
                options[name] = self.type(options[name])
        known = {"user": self.user, "meta": META, "types": self.types, "portal_id": "4242"}
        return find(side=side, text=text, **known | options)

    def type(self, name: str) -> ObjectType:
        return self.types.resolve(name)

    def asked(self) -> list[str]:
        """The last parts of the paths that HubSpot was asked at."""
        paths = (each["path"].split("?")[0].split("/") for each in self.sandbox.requests)
        return ["/".join(path[4:]) for path in paths]

    def events(self) -> list[dict[str, Any]]:
        found = SecurityEvent.objects.filter(what="records_searched").order_by("id")
        return [each.facts for each in found]

    def assert_chosen(self, found: Found, object_type: str, object_id: str) -> None:
        self.assertIsNotNone(found.chosen, found)
        told = found.chosen.object_type.canonical, found.chosen.record.object_id
        self.assertEqual((*told, found.why), (object_type, object_id, ""))

    def assert_to_choose(self, found: Found, *ids: str) -> None:
        self.assertEqual((found.chosen, found.why), (None, Why.CHOOSE))
        self.assertEqual([hit.record.object_id for hit in found.hits], [*ids])

    def person_named(self, first: str, last: str, **properties: str) -> str:
        names = {"firstname": first, "lastname": last}
        return self.sandbox.create("contacts", names | properties, 0)


class FinderTestCase(FinderMixin, TestCase):
    pass


class KeyTests(FinderTestCase):
    def test_an_email_address_is_the_contact_that_has_it(self) -> None:
        found = self.find("Ada Byron <ADA@example.com>")
        self.assert_chosen(found, "contacts", "501")
        self.assertEqual(found.chosen.record.name, "Ada Byron")
        self.assertEqual(self.asked(), ["contacts/batch/read"])
        self.assertEqual(self.events(), [{"types": ["contacts"], "how": "email", "hits": 1}])

    def test_so_is_another_address_of_it(self) -> None:
        self.sandbox.change(
            "contacts", "501", {"hs_additional_emails": "b@old.example;l@b.example"}
        )
        self.assert_chosen(self.find("L@b.example"), "contacts", "501")

    def test_one_that_nobody_has(self) -> None:
        found = self.find("nobody@example.com")
        self.assertEqual((found.why, found.hits), (Why.NOT_YET, []))
        self.assertEqual(found.searched, [self.type("contacts")])
        self.assertEqual(self.events(), [{"types": ["contacts"], "how": "email", "hits": 0}])

    def test_two_that_claim_it_are_no_one(self) -> None:
        both = [{"id": i, "properties": {"email": "ada@example.com"}} for i in ("501", "502")]
        self.sandbox.fault(method="POST", status=200, body={"results": both})
        self.assert_to_choose(self.find("ada@example.com"), "501", "502")

    def test_an_address_that_is_as_new_as_can_be(self) -> None:
        """No search, which lags."""
        self.sandbox.search_lag = 60
        new = self.sandbox.create("contacts", {"email": "new@example.com"})
        self.assert_chosen(self.find("new@example.com"), "contacts", new)

    def test_of_a_company_it_is_its_domain(self) -> None:
        self.assert_to_choose(self.find("somebody@analytical.example", narrowed="company"), "902")
        self.assert_to_choose(self.find("company: somebody@analytical.example"), "902")
        self.assertEqual(self.find("company: ada@gmail.com").why, Why.FREE_MAIL)

    def test_of_a_ticket_it_is_a_word(self) -> None:
        self.sandbox.change("tickets", "801", {"content": "from ada@example.com"}, 0)
        self.assert_to_choose(self.find("ticket: ada@example.com"), "801")
        self.assertEqual(self.asked(), ["tickets/search"])

    def test_a_unique_property_of_a_custom_object(self) -> None:
        found = self.find("wha42alpha2026041", narrowed="Car")
        self.assert_chosen(found, "2-4001", "41")
        self.assertEqual(self.events(), [{"types": ["2-4001"], "how": "key", "hits": 1}])
        self.assertEqual(self.asked(), ["2-4001", "2-4001/batch/read"])

    def test_which_property_is_unique_is_not_asked_each_time(self) -> None:
        self.find("wha42alpha2026041", narrowed="Car")
        self.find("wha42bravo2026041", narrowed="Car")
        self.assertEqual(len(self.asked()), 3)

    def test_else_it_is_a_name(self) -> None:
        self.assert_to_choose(self.find("alpha", narrowed="Car"), "41")
        self.assertEqual([each["how"] for each in self.events()], ["name"])

    def test_digits_that_are_an_id_and_anothers_key(self) -> None:
        self.sandbox.change("2-4001", "42", {"vin": "41"}, 0)
        self.assert_to_choose(self.find("41", narrowed="Car"), "41", "42")
        self.assert_chosen(self.find("43", narrowed="Car"), "2-4001", "43")
        self.sandbox.change("2-4001", "42", {"vin": "777"}, 0)
        self.assert_chosen(self.find("777", narrowed="Car"), "2-4001", "42")


class ReferenceTests(FinderTestCase):
    def test_an_address_or_a_type_and_an_id(self) -> None:
        for text in (ADDRESS, "company 902", "0-2/902", "\u200e 会社: 902"):
            found = self.find(text)
            self.assert_chosen(found, "companies", "902")
            self.assertEqual(found.chosen.record.name, "Analytical Ltd")
        self.assertEqual(self.asked(), ["companies/batch/read"], "it is remembered")
        self.assertEqual(self.events(), [], "that is a preview, as it always was")

    def test_an_id_of_the_narrowed_type(self) -> None:
        self.assert_chosen(self.find("902", narrowed="company"), "companies", "902")

    def test_one_that_was_merged_is_the_one_that_is_left(self) -> None:
        self.sandbox.merge("contacts", "501", "601")
        found = self.find("contact 501")
        self.assert_chosen(found, "contacts", "601")
        self.assertEqual(found.chosen.asked_id, "501")

    def test_digits_alone_are_looked_up_everywhere_and_never_chosen(self) -> None:
        found = self.find("902")
        self.assert_to_choose(found, "902")
        self.assertEqual(found.hits[0].object_type, self.type("company"))
        types = {"contacts", "companies", "deals", "tickets"}
        self.assertEqual({each.canonical for each in found.searched}, types)
        self.assertEqual(len(self.asked()), 4)
        self.assertEqual(self.events(), [])

    def test_and_under_the_types_that_a_person_uses(self) -> None:
        entry_of(self.user, from_object_type="2-4001", from_object_id="41")
        self.assert_to_choose(self.find("41"), "41")

    def test_one_of_two_types_with_what_was_linked_lately_first(self) -> None:
        entry_of(self.user, from_object_type="deals", from_object_id="902", to_object_id="901")
        body = {"results": [{"id": "902", "properties": {"dealname": "Big"}}]}
        self.sandbox.fault(method="POST", path="/deals/", status=200, body=body)
        found = self.find("902", side="to")
        self.assertEqual([hit.object_type.canonical for hit in found.hits], ["deals", "companies"])

    def test_the_wrong_type_is_said_with_the_right_one(self) -> None:
        for text, narrowed in (("902", "contact"), ("contact 902", None), (ADDRESS, "contact")):
            found = self.find(text, **{"narrowed": narrowed} if narrowed else {})
            self.assertEqual((found.chosen, found.why), (None, Why.OTHER_TYPE), text)
            self.assertEqual([hit.record.name for hit in found.hits], ["Analytical Ltd"])
            self.assertEqual(found.facts, {"object_type": "companies", "object_id": "902"})

    def test_missing_and_archived_are_two(self) -> None:
        self.sandbox.archive("contacts", "503")
        for text, options, why, object_type in (
            ("contact 503", {}, Why.ARCHIVED, "contacts"),
            ("503", {"narrowed": "contact"}, Why.ARCHIVED, "contacts"),
            ("503", {}, Why.ARCHIVED, "contacts"),
            ("contact 99", {}, Why.MISSING, "contacts"),
            ("99", {}, Why.MISSING, ""),
        ):
            with self.subTest(text, **options):
                found = self.find(text, **options)
                self.assertEqual((found.chosen, found.hits, found.why), (None, [], why))
                object_id = text.split()[-1]
                expected = {"object_type": object_type, "object_id": object_id}
                self.assertEqual(found.facts, expected)

    def test_what_is_no_record_is_said_without_asking(self) -> None:
        for text, why in (
            ("https://app.hubspot.com/contacts/4242/objects/0-1/views/all/list", "list_page"),
            ("https://app.hubspot.com/contacts/77/record/0-1/501", "another_portal"),
            ("1.2e11", "rounded"),
            ("1,234,567", "in_groups"),
            ("0501", "leading_zero"),
            ("", "empty"),
            ("x", "empty"),
        ):
            found = self.find(text)
            self.assertEqual((found.chosen, found.hits, str(found.why)), (None, [], why), text)
        self.assertEqual((self.asked(), self.events()), ([], []))

    def test_what_cannot_be_looked_up_can_be_used_all_the_same(self) -> None:
        self.sandbox.fault(**DOWN)
        found = self.find(ADDRESS)
        hit = found.chosen
        self.assertEqual((hit.object_type.canonical, hit.record.object_id), ("companies", "902"))
        self.assertEqual((found.why, found.error.cause), (Why.NOT_SHOWN, Cause.HUBSPOT_DOWN))

    def test_but_not_digits_whose_type_nobody_knows(self) -> None:
        self.sandbox.fault(**DOWN)
        found = self.find("902")
        self.assertEqual((found.chosen, found.hits, found.why), (None, [], Why.NOT_SHOWN))

    def test_looks_have_their_bound(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        self.find("contact 501")
        self.assert_chosen(self.find("contact 501"), "contacts", "501")
        found = self.find("502")
        self.assertEqual((found.chosen, found.why), (None, Why.TOO_MANY_FINDS))
        self.assertIn(found.facts["seconds"], (59, 60))

    def test_beyond_it_an_address_is_taken_unseen(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 0))
        for text in ("contact 502", "https://app.hubspot.com/contacts/4242/record/0-1/502"):
            found = self.find(text)
            self.assertEqual(found.why, Why.TOO_MANY_FINDS)
            self.assertEqual(found.chosen.record.object_id, "502")
            told = r"This site looks up more in \d+ seconds?. Contact 502. Enter or Tab takes it."
            self.assertRegex(sentence_of(found), told)
        self.assertEqual(self.asked(), [])


class NameTests(FinderTestCase):
    def test_a_name_is_never_chosen(self) -> None:
        found = self.find("Bruno Keller")
        self.assert_to_choose(found, "502")
        self.assertEqual(found.facts, {"total": 1})
        self.assertEqual(self.asked(), ["contacts/search"])
        self.assertEqual(self.events(), [{"types": ["contacts"], "how": "name", "hits": 1}])

    def test_contacts_belong_to_companies_unless_the_log_says_otherwise(self) -> None:
        self.assert_to_choose(self.find("analytical", "to", other="contact"), "902")
        self.assertEqual(self.asked(), ["companies/search"])

    def test_only_if_nothing_is_found_one_more_type_is_searched(self) -> None:
        company = self.sandbox.create("companies", {"name": "Quagga Works"}, 0)
        self.assert_to_choose(self.find("quagga works"), company)
        self.assertEqual(self.asked(), ["contacts/search", "companies/search"])
        self.assertEqual(
            self.events(), [{"types": ["contacts", "companies"], "how": "name", "hits": 1}]
        )

    def test_and_never_a_third(self) -> None:
        found = self.find("quagga licence")
        self.assertEqual((found.why, found.hits), (Why.NOT_YET, []))
        self.assertEqual([each.canonical for each in found.searched], ["contacts", "companies"])

    def test_not_in_the_other_sides_type(self) -> None:
        found = self.find("ada byron", "to", other="contact")
        self.assertEqual([each.canonical for each in found.searched], ["companies", "deals"])

    def test_unless_that_is_usual(self) -> None:
        entry_of(self.user, to_object_type="contacts", to_object_id="502")
        self.assert_to_choose(self.find("bruno keller", "to", other="contact"), "502")
        self.assertEqual(self.asked(), ["contacts/search"])

    def test_what_a_person_links_to_such_records_is_searched_first(self) -> None:
        for number in range(3):
            entry_of(self.user, to_object_type="tickets", to_object_id=f"80{number + 1}")
        entry_of(self.user, from_object_type="deals", from_object_id="701")
        found = self.find("analytical", "to", other="deal")
        self.assert_to_choose(found, "902")
        self.assertEqual(self.asked(), ["companies/search"])
        self.find("cannot sign in", "to", other="contact")
        self.assertEqual(self.asked()[1:], ["tickets/search"])

    def test_only_the_narrowed_type(self) -> None:
        deal = self.sandbox.create("deals", {"dealname": "Quagga feed"}, 0)
        for text, options in (("deal: quagga", {}), ("quagga", {"narrowed": "deal"})):
            self.assert_to_choose(self.find(text, **options), deal)
        self.assertEqual(self.find("deal: nothing like it").why, Why.NOT_YET)
        self.assertEqual(self.asked(), ["deals/search"] * 2)

    def test_what_was_linked_lately_comes_first_and_then_whole_names(self) -> None:
        first = self.person_named("Zora", "Neale Hurston")
        whole = self.person_named("Zora", "Neale")
        lately = self.person_named("Zora", "Nealeson")
        entry = entry_of(self.user, from_object_id=lately)
        found = self.find("zora NEALE")
        self.assert_to_choose(found, lately, whole, first)
        self.assertEqual(found.hits[0].linked_at, entry.created_at)
        self.assertIsNone(found.hits[1].linked_at)

    def test_what_somebody_else_has_linked_or_was_rejected_does_not_count(self) -> None:
        first, second, third = (self.person_named("Zora", "Neale") for _ in range(3))
        entry_of(person("other", "support"), from_object_id=third)
        entry_of(self.user, from_object_id=second, outcome="rejected", cause="refused")
        self.assert_to_choose(self.find("zora neale"), first, second, third)

    def test_twins_are_marked(self) -> None:
        one = self.person_named("Zora", "Neale", city="Leeds")
        other = self.person_named("ZORA", "neale", city="York")
        third = self.person_named("Zora", "Nealeson")
        found = self.find("zora")
        told = {hit.record.object_id: hit.is_twin for hit in found.hits}
        self.assertEqual(told, {one: True, other: True, third: False})
        self.assertEqual({hit.record.detail for hit in found.hits}, {"Leeds", "York", ""})

    def test_no_more_hits_than_one_can_look_through(self) -> None:
        for number in range(MOST_HITS + 3):
            self.person_named("Zora", f"N{number:02}")
        found = self.find("zora")
        self.assertEqual(len(found.hits), MOST_HITS)
        self.assertEqual(found.facts, {"total": MOST_HITS + 3})

    def test_found_not_yet(self) -> None:
        self.sandbox.search_lag = 0.5
        self.sandbox.create("contacts", {"firstname": "Newest", "lastname": "One"})
        self.assertEqual(self.find("newest one").why, Why.NOT_YET)

    def test_archived_ones_are_not_found(self) -> None:
        self.sandbox.archive("contacts", "502", lag=0)
        self.assertEqual(self.find("bruno keller").hits, [])


class DomainTests(FinderTestCase):
    def test_one_company_is_offered_first_and_not_chosen(self) -> None:
        for text in ("https://www.Analytical.example/about", "@analytical.example"):
            self.assert_to_choose(self.find(text), "902")
        self.assertEqual(self.asked(), ["companies/search"])
        self.assertEqual(self.events(), [{"types": ["companies"], "how": "domain", "hits": 1}])

    def test_all_that_share_it(self) -> None:
        self.sandbox.change("companies", "903", {"domain": "www.analytical.example"}, 0)
        self.sandbox.change("companies", "904", {"hs_additional_domains": "analytical.example"}, 0)
        self.assert_to_choose(self.find("analytical.example"), "902", "903", "904")

    def test_where_no_domain_is_so_words_are_searched(self) -> None:
        self.sandbox.change("companies", "905", {"website": "shop.pixel.example"}, 0)
        self.assert_to_choose(self.find("shop.pixel.example"), "905")
        self.assertEqual(self.asked(), ["companies/search"] * 2)

    def test_so_they_are_where_hubspot_refuses_to_search_domains(self) -> None:
        body = {"status": "error", "message": "There was a problem with the request."}
        self.sandbox.fault(method="POST", path="/companies/search", status=400, body=body)
        self.assert_to_choose(self.find("analytical.example"), "902")
        self.assertEqual(self.asked(), ["companies/search"] * 2)

    def test_a_provider_of_mail_is_no_company(self) -> None:
        found = self.find("@Gmail.com")
        self.assertEqual((found.why, found.facts), (Why.FREE_MAIL, {"domain": "gmail.com"}))
        self.assertEqual((self.asked(), self.events()), ([], []))

    def test_of_contacts_it_is_a_word(self) -> None:
        self.find("contact: analytical.example")
        self.assertEqual(self.asked(), ["contacts/search"])


class PhoneTests(FinderTestCase):
    def test_however_it_is_written(self) -> None:
        one = self.person_named("Zora", "Neale", phone="+44 20 7946 0018")
        other = self.person_named("Yara", "Neale", mobilephone="020 7946 0999")
        for text, expected in (
            ("+44 20 7946 0018", one),
            ("(020) 7946-0018", one),
            ("020 7946 0999", other),
            ("+44 (0)20 79460999", other),
        ):
            cache.clear()
            self.assert_to_choose(self.find(text), expected)
        self.assertEqual({each["how"] for each in self.events()}, {"phone"})

    def test_no_more_than_two_searches(self) -> None:
        self.assertEqual(self.find("+44 20 7946 0018").why, Why.NOT_YET)
        self.assertEqual(self.asked(), ["contacts/search"] * 2)


class TroubleTests(FinderTestCase):
    def test_hubspot_is_away(self) -> None:
        self.sandbox.fault(**DOWN)
        for text in ("ada", "ada@example.com", "acme.example", "+44 20 7946 0018"):
            found = self.find(text)
            self.assertEqual((found.chosen, found.hits, found.why), (None, [], Why.NOT_SHOWN))
            self.assertEqual(found.error.cause, Cause.HUBSPOT_DOWN)

    def test_without_the_read_scope(self) -> None:
        with override_settings(HUBSPOT_ACCESS_TOKEN=NO_READ_TOKEN):
            for text in ("bruno", "ada@example.com", "alpha"):
                narrowed = {"narrowed": "2-4001"} if text == "alpha" else {}
                found = self.find(text, **narrowed)
                self.assertEqual(
                    (found.why, found.error.cause), (Why.NOT_SHOWN, Cause.SCOPE_MISSING)
                )
            self.assertEqual(self.find(ADDRESS).chosen.record.object_id, "902")

    def test_a_hubspot_that_is_slow_is_not_waited_for(self) -> None:
        self.sandbox.fault(method="POST", delay=5, times=None)
        start = timezone.now()
        self.assertEqual(self.find("ada").error.cause, Cause.TIMED_OUT)
        self.assertLess((timezone.now() - start).total_seconds(), 4.5)

    def test_no_turn(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "PEOPLE_WAIT", 0.05))
        while rate_limiter.acquire_search(0.05):
            pass
        found = self.find("ada")
        self.assertEqual((found.why, found.error.cause), (Why.NOT_SHOWN, Cause.RATE_LIMITED))
        self.assertIn("All searches that this site allows itself", reason_of_error(found.error))
        self.assertEqual(self.asked(), [])
        again = self.find("ada")  # as it is remembered
        self.assertEqual(reason_of_error(again.error), reason_of_error(found.error))

    def test_searches_wait_for_no_slot_of_other_calls(self) -> None:
        with override_settings(HUBSPOT_CALLS_PER_10_SECONDS=2, HUBSPOT_CALLS_FOR_PEOPLE=1):
            while rate_limiter.acquire_interactive(0.05):
                pass
            self.assert_to_choose(self.find("bruno keller"), "502")


class BoundTests(FinderTestCase):
    def test_so_many_a_minute(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "FINDS", 2))
        self.find("bruno keller")
        self.sandbox.create("companies", {"name": "Quagga Works"}, 0)
        self.find("quagga works")  # two searches, and one find
        found = self.find("ada@example.com")
        self.assertEqual((found.chosen, found.why), (None, Why.TOO_MANY_FINDS))
        self.assertIn(found.facts["seconds"], (59, 60))
        self.assertEqual(len(self.events()), 2)
        self.assertEqual(len(self.asked()), 3)

    def test_so_many_an_hour_by_the_log(self) -> None:
        with override_settings(FINDS_PER_PERSON_PER_HOUR=2):
            for minutes in (70, 50, 10):
                at = timezone.now() - timedelta(minutes=minutes)
                with mock.patch("associations.audit.recorder.acts.timezone.now", return_value=at):
                    record_event("records_searched", user=self.user)
            found = self.find("bruno")
            self.assertEqual(found.why, Why.TOO_MANY_FINDS)
            self.assertIn(found.facts["seconds"], (599, 600))
            self.assert_chosen(self.find("contact 501"), "contacts", "501")
        with override_settings(FINDS_PER_PERSON_PER_HOUR=0):
            self.assert_to_choose(self.find("bruno keller"), "502")

    def test_what_was_asked_a_moment_ago_costs_nothing(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "FINDS", 1))
        for _ in range(3):
            self.assert_to_choose(self.find("bruno keller"), "502")
        self.assertEqual((len(self.asked()), len(self.events())), (1, 1))

    def test_but_what_somebody_else_was_shown_is_nothing_for_this_one(self) -> None:
        self.find("bruno keller")
        self.find("bruno keller", user=person("other", "support"))
        self.assertEqual((len(self.asked()), len(self.events())), (2, 2))

    def test_what_was_not_found_is_asked_again_soon(self) -> None:
        self.find("nobody@example.com")
        self.sandbox.create("contacts", {"email": "nobody@example.com"})
        later = timezone.now().timestamp() + 6
        with mock.patch("associations.gateway.cache.time", return_value=later):
            self.assertIsNotNone(self.find("nobody@example.com").chosen)


class WordlessTests(FinderTestCase):
    CANARIES = ("canary.seven@canary.example", "Canary Seven", "canary.example", "+44 20 7946 0777")

    def test_words_stand_in_no_event_path_or_line(self) -> None:
        with self.assertLogs(level="DEBUG") as logs:
            for text in self.CANARIES:
                self.find(text)
                self.find(text, "to", narrowed="company")
            self.sandbox.fault(**DOWN)
            for text in self.CANARIES:
                cache.clear()
                self.find(text)
        paths = [each["path"] for each in self.sandbox.requests]
        told = [*logs.output, *paths, *map(str, SecurityEvent.objects.values_list())]
        told += [str(vars(each)) for each in logs.records]
        text = "\n".join(told).lower()
        for word in ("canary", "7946 0777", "79460777"):
            self.assertNotIn(word, text)
        self.assertGreater(len(self.events()), 6)


@override_settings(HUBSPOT_API_VERSION="2026-09")
class DatedTests(FinderTestCase):
    sandbox_version = "2026-09"

    def test_everything_goes_by_dated_paths(self) -> None:
        self.assert_chosen(self.find("ada@example.com"), "contacts", "501")
        self.assert_to_choose(self.find("bruno keller"), "502")
        self.assert_to_choose(self.find("analytical.example"), "902")
        self.assert_chosen(self.find("car 41"), "2-4001", "41")
        self.assert_chosen(self.find("wha42alpha2026041", narrowed="Car"), "2-4001", "41")
        self.assertTrue(all("2026-09" in each["path"] for each in self.sandbox.requests))


class LogAwayTests(FinderMixin, LogTransactionTestCase):
    def test_a_log_that_cannot_be_read_finds_ids_all_the_same(self) -> None:
        with missing_table(AssociationRequest):
            self.assert_chosen(self.find("contact 501"), "contacts", "501")

    @override_settings(FINDS_PER_PERSON_PER_HOUR=0)  # it is not read first
    def test_nobody_sees_what_cannot_be_logged(self) -> None:
        with self.assertLogs("associations.audit.recorder", "ERROR"), missing_table(SecurityEvent):
            self.assertRaises(LogUnavailableError, self.find, "bruno keller")
        self.assertEqual(self.asked(), ["contacts/search"])

    def test_nor_searches_if_the_log_cannot_be_read(self) -> None:
        with missing_table(SecurityEvent), self.assertRaises(LogUnavailableError):
            self.find("bruno keller")
        self.assertEqual(self.asked(), [])
