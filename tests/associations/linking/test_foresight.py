"""What the preview tells before the click that HubSpot would refuse, and what it does not."""

import re

from django.core.cache import cache
from django.http import HttpResponse
from django.test import override_settings

from associations.gateway import clients
from associations.hubspot import lookups
from associations.models import AssociationRequest
from hubadmin.demo.sandbox import portal
from hubadmin.demo.sandbox.portal import NO_SCOPES_TOKEN, SANDBOX_TOKEN
from tests.associations.linking.base import PageTestCase
from tests.associations.linking.test_preview import HTMX

REFUSES = "it would refuse"
DEAL = ("Deal", "701")
MANY = [str(number) for number in range(1, 521)]  # more than one answer has


class ForesightTestCase(PageTestCase):
    def panel(self, *pair: str) -> str:
        names = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")
        answer = self.client.post("/preview/", dict(zip(names, pair, strict=True)), headers=HTMX)
        return re.sub(r"</?bdi>", "", " ".join(answer.content.decode().split()))

    def linked(self, *pair: str) -> HttpResponse:
        names = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")
        return self.client.post("/", dict(zip(names, pair, strict=True)))

    def outcome(self, *pair: str) -> tuple[str, str]:
        """How it ends if one tries all the same."""
        self.linked(*pair)
        entry = AssociationRequest.objects.latest("pk")
        return entry.outcome, entry.cause

    def asked(self, path: str) -> int:
        return sum(path in each["path"] for each in self.sandbox.requests)


class SeveralTests(ForesightTestCase):
    """Further records of the same submit count as well, as the rows of a run do."""

    def several(self, first: tuple[str, str], *seconds: str) -> dict[str, object]:
        fields = {"from_object_type": first[0], "from_object_id": first[1]}
        fields |= {"to_object_type": "companies", "to_object_id": seconds[0]}
        return fields | {"also": [f"companies/{each}" for each in seconds[1:]]}

    def told(self, *asked: object) -> str:
        answer = self.client.post("/preview/", self.several(*asked), headers=HTMX)
        return re.sub(r"</?bdi>", "", " ".join(answer.content.decode().split()))

    def outcomes(self, *asked: object) -> list[str]:
        self.client.post("/", self.several(*asked) | {"submit_token": "several"})
        return [*AssociationRequest.objects.order_by("pk").values_list("outcome", flat=True)]

    def test_the_first_record_has_room_for_some(self) -> None:
        page = self.told(DEAL, "901", "902", "903")
        self.assertIn(
            "Of these 3 links HubSpot would refuse 2: it allows no more of Deal 701.", page
        )
        self.assertNotIn("They are not linked yet", page)
        expected = ["linked", "rejected", "rejected"]
        self.assertEqual(self.outcomes(DEAL, "901", "902", "903"), expected)

    def test_what_is_linked_already_takes_no_more_room(self) -> None:
        self.sandbox.link("deals", "701", "companies", "902")
        page = self.told(DEAL, "902", "901")
        self.assertIn("Of these 2 links HubSpot would refuse 1", page)
        self.assertEqual(self.outcomes(DEAL, "902", "901"), ["linked", "rejected"])

    def test_second_records_that_have_no_room(self) -> None:
        self.sandbox.limit("companies", "contacts", 1)
        for company in ("902", "904"):
            self.sandbox.link("companies", company, "contacts", "502")
        page = self.told(("Contact", "501"), "902", "903", "904")
        self.assertIn("would refuse 2: it allows no more of Company 902, Company 904.", page)
        expected = ["rejected", "linked", "rejected"]
        self.assertEqual(self.outcomes(("Contact", "501"), "902", "903", "904"), expected)

    def test_by_the_ids_that_merged_records_have_now(self) -> None:
        self.sandbox.link("deals", "701", "companies", "902")
        self.sandbox.merge("companies", "901", "902")
        self.assertNotIn("would refuse", self.told(DEAL, "901", "902"))

    def test_with_room_for_all_or_without_knowing_nothing_is_said(self) -> None:
        self.assertNotIn("would refuse", self.told(("Contact", "501"), "902", "903"))
        self.sandbox.fault(method="POST", path="deals/companies/batch/read", status=500, times=None)
        self.assertNotIn("Of these", self.told(DEAL, "901", "902"))

    def test_one_that_hubspot_lacks_takes_no_room(self) -> None:
        self.assertNotIn("would refuse", self.told(DEAL, "399", "902"))

    def test_where_the_last_one_stands_among_the_further_ones(self) -> None:
        """So the form's script has them: the box is empty for the next."""
        fields = self.several(DEAL, "901", "902") | {"to_object_id": ""}
        fields["also"] = ["companies/901", "companies/902"]
        page = self.client.post("/preview/", fields, headers=HTMX).content.decode()
        self.assertIn("would refuse 1", " ".join(page.split()))


class LimitTests(ForesightTestCase):
    def test_the_one_that_it_has_is_named(self) -> None:
        self.sandbox.link("deals", "701", "companies", "901")
        page = self.panel(*DEAL, "Company", "902")
        self.assertIn(
            "HubSpot allows Annual licence one company, and it has Harbour Foods (901): "
            "it would refuse.",
            page,
        )
        self.assertIn("you can try it all the same", page)
        self.assertIn("They are not linked yet.", page)
        self.assertNotIn("They would be linked", page)
        refused = ("rejected", "association_limit")
        self.assertEqual(self.outcome(*DEAL, "Company", "902"), refused)

    def test_from_the_other_side(self) -> None:
        self.sandbox.link("deals", "701", "companies", "901")
        self.assertIn(
            "allows Annual licence one company, and it has Harbour Foods (901)",
            self.panel("Company", "902", *DEAL),
        )
        self.assertEqual(self.outcome("Company", "902", *DEAL)[1], "association_limit")

    def test_with_room_nothing_is_told(self) -> None:
        self.sandbox.limit("deals", "companies", 2)
        self.sandbox.link("deals", "701", "companies", "901")
        self.sandbox.link("deals", "702", "companies", "902")
        page = self.panel(*DEAL, "Company", "902")
        self.assertNotIn(REFUSES, page)
        self.assertIn("They would be linked", page)
        self.assertEqual(self.outcome(*DEAL, "Company", "902")[0], "linked")

    def test_a_larger_limit_is_told_by_numbers(self) -> None:
        self.sandbox.limit("companies", "contacts", 3)
        for number in ("502", "503", "504", "505"):
            self.sandbox.link("companies", "901", "contacts", number)
        for count, limit in ((4, 3), (4, 4)):
            self.sandbox.limit("companies", "contacts", limit)
            cache.clear()
            self.assertIn(
                f"no more links to Contacts, for it has {count} of {limit}",
                self.panel("Contact", "501", "Company", "901"),
            )
            outcome = self.outcome("Contact", "501", "Company", "901")
            self.assertEqual(outcome[1], "association_limit")

    def test_what_is_linked_is_not_refused_again(self) -> None:
        """Not retroactive: there may be more than are allowed."""
        for number in ("901", "902"):
            self.sandbox.link("deals", "701", "companies", number)
        page = self.panel(*DEAL, "Company", "902")
        self.assertIn("They are linked already.", page)
        self.assertNotIn(REFUSES, page)
        self.assertEqual(self.outcome(*DEAL, "Company", "902")[0], "linked")

    def test_a_link_by_a_label_alone_takes_no_room_and_gets_none(self) -> None:
        self.sandbox.limit("contacts", "companies", 1)
        self.sandbox.link("contacts", "501", "companies", "901", label="Decision maker")
        self.assertNotIn(REFUSES, self.panel("Contact", "501", "Company", "902"))
        self.sandbox.link("contacts", "501", "companies", "902")
        self.assertIn(REFUSES, self.panel("Contact", "501", "Company", "901"))
        refused = self.outcome("Contact", "501", "Company", "901")
        self.assertEqual(refused[1], "association_limit")

    def test_a_limit_of_a_label_is_none_of_the_default_type(self) -> None:
        self.sandbox.limit("contacts", "companies", 1, "Decision maker")
        self.sandbox.link("contacts", "501", "companies", "901")
        self.assertNotIn(REFUSES, self.panel("Contact", "501", "Company", "902"))
        self.assertEqual(self.outcome("Contact", "501", "Company", "902")[0], "linked")

    def test_a_record_that_was_merged(self) -> None:
        new = self.sandbox.create("deals", {"dealname": "The one that is left"}, 0)
        self.sandbox.link("deals", "701", "companies", "901")
        self.sandbox.merge("deals", "701", new)
        page = self.panel(*DEAL, "Company", "902")
        self.assertIn(f"merged into {new}", page)
        self.assertIn("allows The one that is left one company, and it has Harbour Foods", page)

    def test_to_one_that_was_merged_into_the_one_it_has(self) -> None:
        self.sandbox.link("deals", "701", "companies", "902")
        self.sandbox.merge("companies", "901", "902")
        page = self.panel(*DEAL, "Company", "901")
        self.assertIn("They are linked already.", page)
        self.assertNotIn(REFUSES, page)

    def test_two_of_one_type(self) -> None:
        self.sandbox.limit("contacts", "contacts", 1)
        self.sandbox.link("contacts", "501", "contacts", "502")
        for pair in (("501", "503"), ("503", "501"), ("503", "502")):
            self.assertIn(REFUSES, self.panel("Contact", pair[0], "Contact", pair[1]))
        self.assertNotIn(REFUSES, self.panel("Contact", "503", "Contact", "504"))

    def test_of_more_than_one_answer_shows_only_what_is_certain_is_told(self) -> None:
        for number in MANY:
            self.sandbox.link("companies", "901", "contacts", number)
        self.sandbox.limit("companies", "contacts", len(MANY))
        self.assertNotIn(REFUSES, self.panel("Contact", "51001", "Company", "901"))
        self.sandbox.limit("companies", "contacts", 500)
        cache.clear()
        for pair in (
            ("Contact", "51001", "Company", "901"),
            ("Company", "901", "Contact", "51001"),
        ):
            self.assertIn("it has 500 of 500: it would refuse", self.panel(*pair))


class UnknownTests(ForesightTestCase):
    """Unknown is not no, and nothing of it stands in the way."""

    def setUp(self) -> None:
        super().setUp()
        self.sandbox.link("deals", "701", "companies", "901")

    def test_limits_that_hubspot_does_not_show(self) -> None:
        row = {"category": "HUBSPOT_DEFINED", "typeId": 341}
        for fault in (
            *({"status": status} for status in (302, 400, 401, 403, 404, 423, 429, 477, 500, 502)),
            *({"status": 200, "body": body} for body in ("null", "[]", "<p>", {}, {"results": 1})),
            *(
                {"status": 200, "body": {"results": [row | {"userEnforcedMaxToObjectIds": most}]}}
                for most in (None, "1", -1, 0, True, 1.5, [], 10**30)
            ),
            {"status": 200, "body": {"results": [None, 3, [], {"userEnforcedMaxToObjectIds": 1}]}},
            {"truncate": 20},
            {"reset": "before"},
        ):
            with self.subTest(fault):
                cache.clear()
                self.sandbox.faults.clear()
                self.sandbox.fault(method="GET", path="configurations", **fault, times=None)
                page = self.panel(*DEAL, "Company", "902")
                self.assertNotIn(REFUSES, page)
                self.assertNotIn("Not everything could be looked up", page)
                self.assertIn("They would be linked by the default type", page)
        self.sandbox.limit("deals", "companies", None)
        self.assertEqual(self.outcome(*DEAL, "Company", "902")[0], "linked")

    def test_the_types_need_not_be_shown(self) -> None:
        self.sandbox.fault(method="GET", path="labels", status=503, times=None)
        self.assertIn(REFUSES, self.panel(*DEAL, "Company", "902"))

    def test_links_that_hubspot_does_not_show(self) -> None:
        self.sandbox.fault(method="POST", path="associations/.*/batch/read", status=503, times=None)
        for pair in ((*DEAL, "Company", "902"), ("Company", "902", *DEAL)):
            self.assertNotIn(REFUSES, self.panel(*pair))


class CallTests(ForesightTestCase):
    def test_a_pair_of_types_is_asked_for_once_in_each_direction(self) -> None:
        for number in ("902", "903", "904"):
            self.panel("Contact", "501", "Company", number)
        self.assertEqual(self.asked("configurations/contacts/companies"), 1)
        self.assertEqual(self.asked("configurations/companies/contacts"), 1)
        self.assertEqual(self.asked("labels"), 1)
        self.assertEqual(self.asked("access-token-info"), 1)

    def test_of_one_record_nothing_is_asked(self) -> None:
        self.panel("Contact", "501", "Company", "")
        self.assertEqual((self.asked("configurations"), self.asked("access-token-info")), (0, 0))

    def test_both_addresses_of_v4(self) -> None:
        for is_as_in_guide, calls in ((True, 1), (False, 2)):
            self.sandbox.reset()
            self.sandbox.limits_as_in_guide = is_as_in_guide
            found = lookups.limits_set(clients.interactive(), "deals", "companies")
            self.assertEqual((found, self.asked("configurations")), ({341: 1}, calls))

    def test_dated_versions_have_one_address(self) -> None:
        for version in ("2026-03", "2026-09"):
            with override_settings(HUBSPOT_API_VERSION=version):
                found = lookups.limits_set(clients.interactive(), "deals", "companies")
            self.assertEqual(found, {341: 1})
            self.assertEqual(self.asked(f"/crm/associations/{version}/definitions/"), 1)
            self.sandbox.fault(method="GET", path="configurations", status=404)
            with (
                override_settings(HUBSPOT_API_VERSION=version),
                self.assertRaises(lookups.ReadError),
            ):
                lookups.limits_set(clients.interactive(), "deals", "companies")


class PrimaryTests(ForesightTestCase):
    STAYS = "The primary company of Ada Byron stays Harbour Foods (901), as far as is known."

    def setUp(self) -> None:
        super().setUp()
        # The last of those that are linked: it is named all the same.
        for number in ("903", "904", "905", "906"):
            self.sandbox.link("contacts", "501", "companies", number)
        self.sandbox.link("contacts", "501", "companies", "901", label="Primary")

    def test_it_stays(self) -> None:
        self.assertIn(self.STAYS, self.panel("Contact", "501", "Company", "902"))
        self.assertIn(self.STAYS, self.panel("Company", "902", "Contact", "501"))

    def test_of_the_company_itself_nothing_is_told(self) -> None:
        self.sandbox.link("contacts", "501", "companies", "901")
        for number in ("901", "903"):
            self.assertNotIn("stays", self.panel("Contact", "501", "Company", number))

    def test_of_others_nothing_is_told(self) -> None:
        self.assertNotIn("stays", self.panel("Contact", "502", "Company", "902"))
        self.assertNotIn("stays", self.panel("Contact", "501", "Deal", "701"))


class RecordTests(ForesightTestCase):
    def test_one_that_was_deleted(self) -> None:
        self.sandbox.archive("companies", "902")
        page = self.panel("Contact", "501", "Company", "902")
        self.assertIn("“Company 902” was deleted in HubSpot. Restore it there", page)
        self.assertNotIn("HubSpot has no record", page)

    def test_one_that_never_was(self) -> None:
        page = self.panel("Contact", "501", "Company", "399")
        self.assertIn("HubSpot has no record “Company 399”", page)
        self.assertEqual(self.asked("archived=true"), 1)

    def test_whether_it_was_is_asked_only_of_what_is_missing(self) -> None:
        self.panel("Contact", "501", "Company", "902")
        self.assertEqual(self.asked("archived=true"), 0)

    def test_where_that_is_not_told_it_is_missing(self) -> None:
        self.sandbox.archive("companies", "902")
        self.sandbox.fault(method="POST", path="archived=true", status=500, times=None)
        page = self.panel("Contact", "501", "Company", "902")
        self.assertIn("HubSpot has no record “Company 902”", page)


class AccountTests(ForesightTestCase):
    def token(self, *scopes: str) -> None:
        granted = {NO_SCOPES_TOKEN: [*scopes]}
        self.enterContext(override_settings(HUBSPOT_ACCESS_TOKEN=NO_SCOPES_TOKEN))
        before = portal.GRANTED[NO_SCOPES_TOKEN]
        portal.GRANTED.update(granted)
        self.addCleanup(portal.GRANTED.update, {NO_SCOPES_TOKEN: before})

    def test_a_scope_to_write_that_the_token_lacks(self) -> None:
        scopes = {*portal.GRANTED[SANDBOX_TOKEN]} - {"crm.objects.companies.write"}
        self.token(*scopes)
        page = self.panel("Contact", "501", "Company", "902")
        self.assertIn("this site's access token lacks crm.objects.companies.write.", page)
        self.assertNotIn("contacts.write", page)
        self.assertEqual(self.outcome("Contact", "501", "Company", "902")[1], "scope_missing")

    def test_with_all_of_them_nothing_is_told(self) -> None:
        self.assertNotIn("may refuse", self.panel("Contact", "501", "Company", "902"))

    def test_of_a_key_of_another_kind_nothing_is_known(self) -> None:
        for status in (400, 403, 404, 500):
            cache.clear()
            self.sandbox.reset()
            fault = {"method": "POST", "path": "access-token-info", "status": status}
            self.sandbox.fault(**fault, times=None)
            for _ in range(2):
                self.assertNotIn("may refuse", self.panel("Contact", "501", "Company", "902"))
            self.assertEqual(self.asked("access-token-info"), 1)

    def test_a_type_that_is_switched_off(self) -> None:
        body = {"enablementByObjectTypeId": {"0-2": False}}
        self.sandbox.fault(method="GET", path="enablement", status=200, body=body, times=None)
        page = self.panel("Contact", "501", "Company", "902")
        self.assertIn("the type Company is switched off there", page)

    def test_a_day_whose_calls_are_used_up(self) -> None:
        body = {"message": "You have reached your daily limit.", "policyName": "DAILY"}
        self.sandbox.fault(method="POST", path="batch/read", status=429, body=body, times=None)
        page = self.panel("Contact", "501", "Company", "902")
        self.assertIn("daily limit of requests is used up.", page)
        self.assertNotIn("You can try", page)
