"""Rows that HubSpot would refuse: the dry run tells them apart, and the rest really goes."""

import re
from unittest import mock

from django.core.cache import cache
from django.test import override_settings

from associations.bulk import dry_run, room, row_names, services, tasks
from associations.bulk.leases import LeaseLostError
from associations.models import BulkRun
from hubadmin.demo.sandbox import portal
from hubadmin.demo.sandbox.portal import NO_SCOPES_TOKEN, SANDBOX_TOKEN
from tests.associations.bulk.test_resolving import FindingTestCase
from tests.support import SignedInClient

HEAD = "Deal,Company"
BOTH = "from type,from id,to type,to id"


class RoomTestCase(FindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        room._kept.clear()

    def sent(self, run: BulkRun, way: str = "single") -> list[tuple[int, str]]:
        """Of each row that was sent, how HubSpot took it."""
        services.start(user=self.user, run=run, way=way, skip_linked=False)
        tasks.work()
        return [*run.entries.order_by("row_number").values_list("row_number", "outcome")]

    def page(self, run: BulkRun) -> str:
        answer = SignedInClient(self.user).get(run.get_absolute_url())
        return re.sub("</?bdi>", "", " ".join(answer.content.decode().split()))


class LimitTests(RoomTestCase):
    def test_by_what_is_linked_now(self) -> None:
        self.sandbox.link("deals", "701", "companies", "901")
        run = self.checked("701,902", "701,901", "702,902", head=HEAD)
        self.assertEqual(self.told(run), ["limit", "701-901", "702-902"])
        counts = run.rows_invalid, run.rows_looked_up, run.rows_linked, run.rows_ready
        self.assertEqual(counts, (1, 2, 1, 2))
        row = run.rows.get(number=1)
        facts = {"object_type": "deals", "text": "701", "chosen": "companies", "limit": 1}
        self.assertEqual((row.problem_field, row.facts), ("from_object_id", facts))
        self.assertEqual(self.sent(run), [(2, "linked"), (3, "linked")])

    def test_by_rows_before_in_the_order_of_the_file(self) -> None:
        run = self.checked("701,901", "701,902", "702,902", "701,903", head=HEAD)
        self.assertEqual(self.told(run), ["701-901", "limit", "702-902", "limit"])
        self.assertEqual(self.sent(run, "batch"), [(1, "linked"), (3, "linked")])

    def test_in_the_other_direction(self) -> None:
        self.sandbox.link("deals", "702", "companies", "901")
        run = self.checked("901,701", "902,701", "902,702", head="Company,Deal")
        self.assertEqual(self.told(run), ["901-701", "limit", "limit"])
        self.assertEqual(run.rows.get(number=2).problem_field, "to_object_id")
        self.assertEqual(self.sent(run), [(1, "linked")])

    def test_in_both_directions_within_one_file(self) -> None:
        lines = ("deal,701,company,901", "company,902,deal,701", "company,901,deal,701")
        run = self.checked(*lines, head=BOTH)
        # One pair of types is looked up, and sent, after the other.
        self.assertEqual(self.told(run), ["limit", "902-701", "limit"])
        self.assertEqual(self.sent(run), [(2, "linked")])
        self.sandbox.links.clear()
        run = self.checked("deal,701,company,901", "company,901,deal,701", head=BOTH)
        self.assertEqual(self.told(run), ["701-901", "901-701"])
        self.assertEqual(self.sent(run), [(1, "linked"), (2, "linked")])

    def test_limits_in_both_directions(self) -> None:
        self.sandbox.limit("companies", "deals", 2)
        self.sandbox.link("companies", "901", "deals", "710")
        run = self.checked("701,901", "702,901", "702,902", "703,901", head=HEAD)
        self.assertEqual(self.told(run), ["701-901", "limit", "702-902", "limit"])
        fields = [*run.rows.exclude(problem="").values_list("problem_field", flat=True)]
        self.assertEqual(fields, ["to_object_id", "to_object_id"])
        self.assertEqual(self.sent(run), [(1, "linked"), (3, "linked")])

    def test_more_than_are_allowed_stay(self) -> None:
        for number in ("901", "902", "903"):
            self.sandbox.link("deals", "701", "companies", number)
        run = self.checked("701,903", "701,904", "701,901", head=HEAD)
        self.assertEqual(self.told(run), ["701-903", "limit", "701-901"])
        self.assertEqual(self.sent(run), [(1, "linked"), (3, "linked")])

    def test_a_record_under_two_ids(self) -> None:
        new = self.sandbox.create("deals", {"dealname": "New"}, 0)
        self.sandbox.merge("deals", "701", new)
        self.sandbox.merge("companies", "901", "902")
        run = self.checked("701,901", f"{new},902", f"{new},903", "701,904", head=HEAD)
        self.assertEqual(self.told(run), ["701-901", f"{new}-902", "limit", "limit"])
        self.assertEqual(self.sent(run), [(1, "linked"), (2, "linked")])

    def test_two_of_one_type(self) -> None:
        self.sandbox.limit("contacts", "contacts", 1)
        run = self.checked(
            *("contact,501,contact,502", "contact,503,contact,501", "contact,502,contact,501"),
            *("contact,503,contact,504", "contact,505,contact,504"),
            head=BOTH,
        )
        expected = ["501-502", "limit", "502-501", "503-504", "limit"]
        self.assertEqual(self.told(run), expected)
        self.assertEqual({end for _row, end in self.sent(run)}, {"linked"})

    def test_rows_that_something_else_keeps_back_take_no_room(self) -> None:
        run = self.checked("701,399", "701,902", "701,902", head=HEAD)
        self.assertEqual(self.told(run), ["missing", "701-902", ""])

    def test_whoever_goes_on_counts_what_others_have_looked_up(self) -> None:
        lines = [f"70{number % 3 + 1},90{number}" for number in range(1, 9)]
        expected = ["702-901", "703-902", "701-903", *["limit"] * 5]
        for at_once in (1, 2, 3, 1000):
            for is_other in (False, True):
                self.sandbox.reset()
                with mock.patch.object(dry_run, "PAIRS_AT_ONCE", at_once):
                    run = self.file(*lines, head=HEAD)
                    while run.state == "reading":
                        run = self.read(run, seconds=0)
                        if is_other:
                            room._kept.clear()
                            row_names._known.clear()
                self.assertEqual(self.told(run), expected, (at_once, is_other))

    def test_one_that_was_late_does_not_count_twice(self) -> None:
        """What was counted, but not written, is counted anew."""
        run = self.file("701,901", "702,902", head=HEAD)
        with mock.patch.object(dry_run, "_note", side_effect=LeaseLostError):
            self.assertRaises(LeaseLostError, self.read, run)
        self.assertEqual(self.told(self.read(run)), ["701-901", "702-902"])

    def test_what_is_told(self) -> None:
        run = self.checked("701,901", "701,902", head=HEAD)
        page = self.page(run)
        self.assertEqual(page.count("2 of 2"), 2, "it is found, whatever keeps it back")
        self.assertIn("the record has as many links as are allowed", page)
        self.assertIn("an admin there allows deal 701 so many links to the type Company: 1.", page)


class UnknownTests(RoomTestCase):
    def test_limits_or_links_that_hubspot_does_not_show(self) -> None:
        for fault in (
            {"method": "GET", "path": "configurations", "status": 403},
            {"method": "GET", "path": "configurations", "status": 200, "body": {"results": 7}},
            {"method": "GET", "path": "configurations", "reset": "before"},
            {"method": "POST", "path": "associations/.*/companies/deals/batch", "status": 500},
        ):
            with self.subTest(fault):
                cache.clear()
                self.sandbox.reset()
                self.sandbox.link("deals", "701", "companies", "901")
                self.fault(**fault, times=None)
                run = self.checked("701,902", "702,902", head=HEAD)
                is_known = fault["method"] == "POST"
                expected = ["limit" if is_known else "701-902", "702-902"]
                self.assertEqual(self.told(run), expected)

    def test_links_of_the_second_records_that_hubspot_does_not_show(self) -> None:
        self.sandbox.link("deals", "701", "companies", "901")
        self.fault(method="POST", path="deals/companies/batch/read", status=500, times=None)
        run = self.checked("902,701", "903,702", "904,702", head="Company,Deal")
        # What is linked is not known; what the rows link is.
        self.assertEqual(self.told(run), ["902-701", "903-702", "limit"])
        self.assertEqual((run.rows_looked_up, run.lookup_cause), (2, ""))

    def test_without_limits_it_takes_a_call_in_each_direction(self) -> None:
        self.checked("501,901", "502,901", head="Contact,Company")
        self.checked("503,901", head="Contact,Company")
        self.assertEqual(len(self.asked("configurations")), 2)
        self.assertEqual(len(self.asked("companies/contacts/batch/read")), 0)


class TypeTests(RoomTestCase):
    def test_types_that_cannot_be_linked_in_any_way(self) -> None:
        run = self.checked("901,71", head="Company,2-4002")
        self.assertEqual(self.told(run), ["no_default"])


class RecordTests(RoomTestCase):
    def test_one_that_was_deleted_is_told_apart(self) -> None:
        self.sandbox.archive("companies", "902")
        run = self.checked("501,902", "501,399", "502,901", head="Contact,Company")
        self.assertEqual(self.told(run), ["archived", "missing", "502-901"])
        self.assertEqual(len(self.asked("archived=true")), 1)
        self.assertIn("was deleted in HubSpot", self.page(run))

    def test_where_that_is_not_told_it_is_missing(self) -> None:
        self.sandbox.archive("companies", "902")
        self.fault(method="POST", path="archived=true", status=500, times=None)
        self.assertEqual(self.told(self.checked("501,902", head="Contact,Company")), ["missing"])

    def test_two_that_have_become_one(self) -> None:
        self.sandbox.merge("contacts", "501", "502")
        run = self.checked("contact,501,contact,502", "contact,501,contact,503", head=BOTH)
        self.assertEqual(self.told(run), ["itself", "501-503"])


class AccountTests(RoomTestCase):
    def test_a_scope_to_write_that_the_token_lacks(self) -> None:
        run = self.checked("501,902", head="Contact,Company")
        self.assertNotIn("may refuse", self.page(run))
        cache.clear()
        scopes = [*portal.GRANTED[SANDBOX_TOKEN]]
        scopes.remove("crm.objects.companies.write")
        with (
            override_settings(HUBSPOT_ACCESS_TOKEN=NO_SCOPES_TOKEN),
            mock.patch.dict(portal.GRANTED, {NO_SCOPES_TOKEN: scopes}),
        ):
            page = self.page(run)
        self.assertIn("access token lacks crm.objects.companies.write.", page)
        self.assertNotIn("contacts.write", page)

    def test_a_type_that_is_switched_off(self) -> None:
        run = self.checked("501,902", head="Contact,Company")
        cache.clear()
        body = {"enablementByObjectTypeId": {"0-2": False}}
        self.fault(method="GET", path="enablement", status=200, body=body, times=None)
        self.assertIn("the type Company is switched off there", self.page(run))

    def usage(self, run: BulkRun, **usage: object) -> str:
        cache.clear()
        self.sandbox.faults.clear()
        body = {"results": [usage]}
        self.fault(method="GET", path="api-usage", status=200, body=body, times=None)
        return self.page(run)

    def test_fewer_calls_than_rows(self) -> None:
        run = self.checked("501,902", "502,902", "503,902", head="Contact,Company")
        self.assertIn("takes 2 more requests today", self.usage(run, usageLimit=9, currentUsage=7))
        used_up = self.usage(run, usageLimit=9, currentUsage=12)
        self.assertIn("HubSpot takes no more requests today", used_up)
        for usage in ({"usageLimit": 9, "currentUsage": 6}, {"usageLimit": 0}, {}):
            self.assertNotIn("more request", self.usage(run, **usage))

    @override_settings(HUBSPOT_VERIFY=False)
    def test_where_nothing_is_looked_up_nothing_is_asked(self) -> None:
        run = self.checked("501,902", head="Contact,Company")
        self.page(run)
        self.assertEqual(self.asked("api-usage") + self.asked("access-token"), [])
