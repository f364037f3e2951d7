"""What a day's look finds of links that were made before, and what it costs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest import mock

from django.db import connections
from django.test import override_settings
from django.utils import timezone

from associations.gateway import rate_limiter
from associations.gateway.clients import NoSlotError
from associations.models import AssociationCheck, AssociationRequest, Sweep
from associations.sweep import sweeping
from hubadmin.demo.sandbox.portal import NO_READ_TOKEN
from tests.associations.sweep.base import FIRST_COMPANY, FIRST_CONTACT, SweepTestCase

READ = "associations/.*/batch/read"


class FindingTests(SweepTestCase):
    def assert_found(self, entry: AssociationRequest, *findings: str) -> None:
        """These, one after the other, and not one of them again on another day."""
        self.sweep_anew()
        self.sweep_anew()
        self.assertEqual(self.found(), [*findings])
        self.assertEqual(self.found(entry), [*findings])

    def test_what_is_there_is_no_finding(self) -> None:
        entries = [self.entry(number) for number in range(3)]
        self.assertEqual(self.sweep(), 2)  # what the account has, and the look
        self.assertEqual(self.found(), [])
        (told,) = self.told()
        ends = {"first": entries[0].pk, "last": entries[-1].pk}
        numbers = {"links": 3, "findings": 0, "not_looked_at": 0, "calls": 2}
        self.assertEqual(told, numbers | ends)

    def test_once_a_day(self) -> None:
        self.entry()
        self.sweep()
        self.assertEqual(self.sweep(), 0)
        self.assertEqual(self.sweep_anew(), 2)
        self.assertEqual(len(self.told()), 2)

    def test_gone_and_there_again(self) -> None:
        entry, _other = self.entry(), self.entry(1)
        self.sweep()
        self.unlink(entry)
        self.assert_found(entry, "gone")
        check = entry.checks.get()
        self.assertEqual((check.user, check.user_name, check.is_linked), (None, "", False))
        self.assertEqual(self.told()[1]["findings"], 1)
        self.sandbox.link(*self.ends(entry))
        self.assert_found(entry, "gone", "there_again")
        self.unlink(entry)
        self.assert_found(entry, "gone", "there_again", "gone")

    def test_by_another_type_only(self) -> None:
        entry, _other = self.entry(), self.entry(1)
        self.sandbox.link(*self.ends(entry), label="Decision maker")
        self.sweep()
        self.assertEqual(self.found(), [])
        self.unlink(entry, whole=False)
        self.assert_found(entry, "other_type")
        check = entry.checks.get()
        self.assertEqual((check.is_linked, check.labels), (True, ["Decision maker"]))

    def test_merged_on_either_side(self) -> None:
        for number, (side, object_type) in enumerate([("from", "contacts"), ("to", "companies")]):
            with self.subTest(side):
                entry, now = self.entry(number), f"99{number}"
                self.sandbox.merge(object_type, getattr(entry, f"{side}_object_id"), now)
                self.sweep_anew()
                self.sweep_anew()
                (check,) = entry.checks.all()
                self.assertEqual((check.finding, check.is_linked), ("merged", True))
                self.assertEqual(getattr(check, f"{side}_merged_into"), now)
                one = check.from_merged_into or entry.from_object_id
                other = check.to_merged_into or entry.to_object_id
                self.sandbox.unlink("contacts", one, "companies", other)
                self.sweep_anew()
                self.assertEqual(self.found(entry), ["merged", "gone"])

    def test_what_was_merged_when_it_was_linked_is_no_news(self) -> None:
        entry = self.entry(from_merged_into="9501")
        self.sandbox.merge("contacts", entry.from_object_id, "9501")
        self.sweep()
        self.assertEqual(self.found(), [])

    def test_merged_into_each_other(self) -> None:
        contacts = {"to_object_type": "contacts", "to_object_id": str(FIRST_CONTACT + 9)}
        entry = self.entry(**contacts)
        self.entry(2, **contacts)
        self.sandbox.merge("contacts", entry.from_object_id, entry.to_object_id)
        self.assert_found(entry, "merged")
        self.assertTrue(entry.checks.get().is_one_record)

    def test_deleted_on_either_side(self) -> None:
        one, other = self.entry(), self.entry(1)
        self.entry(2)
        self.delete("contacts", one.from_object_id, one)
        self.delete("companies", other.to_object_id, other)
        self.sweep_anew()
        self.sweep_anew()
        self.assertEqual(self.found(one), ["from_deleted"])
        self.assertEqual(self.found(other), ["to_deleted"])
        self.sandbox.archive("contacts", one.from_object_id, archived=False)
        self.sweep_anew()
        self.assertEqual(self.found(one), ["from_deleted", "gone"])

    def test_what_hubspot_does_not_tell_while_it_tells_of_others(self) -> None:
        entry, _other = self.entry(), self.entry(1)
        self.sandbox.unreadable.add(("contacts", entry.from_object_id))
        self.assert_found(entry, "not_seen")
        self.assertIsNone(entry.checks.get().is_linked)
        self.sandbox.unreadable.clear()
        self.assert_found(entry, "not_seen", "there_again")

    def test_what_hubspot_tells_of_nobody_is_no_finding(self) -> None:
        for number in range(3):
            entry = self.entry(number)
            self.sandbox.unreadable.add(("contacts", entry.from_object_id))
        self.sweep()
        self.assertEqual(self.found(), [])
        self.assertEqual((self.told()[0]["links"], self.told()[0]["not_looked_at"]), (0, 3))

    def test_more_links_than_an_answer_shows(self) -> None:
        """Of 600 contacts of a company, the last ones are on a page that is not read."""
        company = {"to_object_type": "contacts", "from_object_type": "companies"}
        company["from_object_id"] = str(FIRST_COMPANY)
        entries = [self.entry(n, to_object_id=str(FIRST_CONTACT + n), **company)
                   for n in range(600)]  # fmt: skip
        self.sweep()
        self.assertEqual(self.found(), [])
        self.assertEqual(self.told()[0]["links"], 600)
        self.unlink(entries[590])
        self.assert_found(entries[590], "gone")

    def test_more_links_at_both_ends_than_an_answer_shows(self) -> None:
        last, many = str(FIRST_CONTACT + 9_000), range(501)
        company = str(FIRST_COMPANY + 9_000)
        for n in many:
            self.sandbox.link("contacts", str(FIRST_CONTACT + n), "companies", company)
            self.sandbox.link("contacts", last, "companies", str(FIRST_COMPANY + n))
        self.entry(from_object_id=last, to_object_id=company)
        self.sweep()
        self.assertEqual(self.found(), [])
        self.assertEqual(self.told()[0]["not_looked_at"], 1)


class WhichTests(SweepTestCase):
    def test_of_a_pair_only_the_latest_entry(self) -> None:
        entry = self.entry()
        back = {"from_object_type": "companies", "from_object_id": entry.to_object_id}
        back |= {"to_object_type": "contacts", "to_object_id": entry.from_object_id}
        for later in ({}, back):
            with self.subTest(later):
                latest = self.entry(**later)
                self.unlink(latest)
                self.entry(1)
                self.sweep_anew()
                self.assertEqual(AssociationCheck.objects.latest("pk").entry, latest)
                self.assertEqual(self.found(entry), [])
                self.sandbox.link(*self.ends(latest))
                self.sweep_anew()

    def test_neither_old_nor_brand_new_nor_unlinked_ones(self) -> None:
        now = timezone.now()
        self.entry(1, is_there=False, created_at=now - timedelta(days=31))
        self.entry(2, is_there=False, finished_at=now - timedelta(minutes=2))
        self.entry(3, is_there=False, outcome="rejected", cause="refused")
        self.assertEqual(self.sweep(), 0)
        self.assertEqual((self.told(), self.found()), ([], []))

    def test_switched_off(self) -> None:
        self.entry()
        with override_settings(SWEEP_QUOTA_PERCENT=0):
            self.assertFalse(sweeping.is_due())
            self.assertEqual(self.sweep(), 0)

    def test_pairs_of_other_types(self) -> None:
        self.entry()
        deal = self.entry(from_object_type="deals", from_object_id="3000001", is_there=False)
        self.sweep()
        self.assertEqual(self.found(), ["gone"])
        self.assertEqual(self.found(deal), ["gone"])

    def test_calls(self) -> None:
        """A thousand links a call; of what has changed, a hundred a call of each kind."""
        for number in range(1_300):
            self.entry(number)
        for number in range(40):
            self.unlink(self.entry(number, is_there=False))
            merged = str(FIRST_CONTACT + 100 + number)
            self.sandbox.merge("contacts", merged, str(9_100_000 + number))
        self.assertLess(self.sweep(), 9)
        found = self.found()
        self.assertEqual((found.count("gone"), found.count("merged")), (40, 40))


class TroubleTests(SweepTestCase):
    def test_a_call_that_fails_is_no_finding_and_is_made_later(self) -> None:
        entry = self.entry()
        self.entry(1)
        self.unlink(entry)
        daily = {"status": "error", "policyName": "DAILY", "errorType": "RATE_LIMIT"}
        for fault in ({"status": 503}, {"status": 429}, {"status": 429, "body": daily},
                      {"status": 401}, {"reset": "before"}, {"status": 500}):  # fmt: skip
            with self.subTest(fault):
                self.tomorrow()
                self.sandbox.fault(method="POST", path=READ, times=None, **fault)
                self.sweep()
                self.assertEqual(self.found(), [])
                self.assertTrue(Sweep.objects.filter(lease_until__gt=timezone.now()).exists())
                self.tomorrow()
                self.sweep()
                self.assertEqual(self.told()[-1]["not_looked_at"], 2)
                self.sandbox.faults.clear()
        Sweep.objects.update(lease_until=None)
        self.sweep()
        self.assertEqual(self.found(), ["gone"])
        self.assertEqual(self.told()[-1]["links"], 2)

    def test_types_that_may_not_be_read_are_left_out(self) -> None:
        self.entry()
        with override_settings(HUBSPOT_ACCESS_TOKEN=NO_READ_TOKEN):
            self.sweep()
        self.assertEqual((self.found(), self.told()[0]["not_looked_at"]), ([], 1))

    def test_an_answer_that_is_too_large_is_asked_for_in_parts(self) -> None:
        entries = [self.entry(number) for number in range(30)]
        self.unlink(entries[7])
        self.sandbox.fault(method="POST", path=READ, times=3, status=200, body={})
        self.sweep()
        self.assertEqual(self.found(), ["gone"])
        self.assertEqual((self.told()[0]["links"], self.told()[0]["not_looked_at"]), (30, 0))

    def test_one_whose_answer_never_comes_whole_is_left_out(self) -> None:
        self.entry()
        self.sandbox.fault(method="POST", path=READ, times=None, status=200, body={})
        self.sweep()
        self.assertEqual((self.found(), self.told()[0]["not_looked_at"]), ([], 1))

    def test_no_more_calls_than_are_allowed_and_the_rest_on_another_day(self) -> None:
        entries = [self.entry(number) for number in range(30)]
        self.unlink(entries[-1])
        with (
            mock.patch.object(sweeping, "PART", 10),
            mock.patch.object(sweeping, "DAILY_CALLS", 400),
        ):
            self.sandbox.fault(method="GET", path="usage", times=None, status=404)
            self.assertEqual(self.sweep(), 2)
            self.assertEqual((self.told()[0]["links"], self.told()[0]["not_looked_at"]), (10, 20))
            for _ in range(3):
                self.sweep_anew()
        self.assertEqual(self.found(), ["gone"])
        self.assertEqual(sum(told["links"] for told in self.told()), 30)

    def test_without_a_free_call_it_waits(self) -> None:
        self.entry()
        with mock.patch("associations.gateway.rate_limiter.acquire_spare", return_value=False):
            self.assertEqual(self.sweep(), 0)
        Sweep.objects.update(lease_until=None)
        self.sweep()
        self.assertEqual(self.told()[0]["links"], 1)


class _KilledError(BaseException):
    """As if its process had died: nothing of ours catches it."""


class CrashTests(SweepTestCase):
    def test_a_worker_that_dies_loses_nothing_and_doubles_nothing(self) -> None:
        entries = [self.entry(number) for number in range(25)]
        for entry in entries[::5]:
            self.unlink(entry)
        recorder = "associations.audit.recorder"
        moments = [f"{recorder}.record_finding", f"{recorder}.record_event"]
        moments.append("associations.sweep.sweeping._write")
        with mock.patch.object(sweeping, "PART", 10):
            for number in range(9):
                died = mock.patch(moments[number % 3], side_effect=_KilledError)
                with died, self.assertRaises(_KilledError):
                    while sweeping.take_step():
                        pass
                    raise _KilledError  # nothing was left to be killed in
                self.assertFalse(sweeping.take_step(), "the dead one's lease is not over")
                Sweep.objects.exclude(owner="").update(lease_until=timezone.now() - timedelta(1))
                sweeping.take_step()
            self.sweep()
        self.assertEqual({*AssociationCheck.objects.values_list("entry", flat=True)},
                         {entry.pk for entry in entries[::5]})  # fmt: skip
        self.assertEqual(self.found(), ["gone"] * 5)
        self.assertEqual([told["links"] for told in self.told()], [25])

    def test_one_that_was_late_writes_nothing(self) -> None:
        self.unlink(self.entry())
        self.entry(1)
        sweeping.take_step()
        late = sweeping._claimed()
        Sweep.objects.update(lease_until=timezone.now() - timedelta(1))
        self.sweep()
        with self.assertRaises(sweeping._LostError):
            sweeping._step(late, sweeping.clients.sweep(lambda: None))
        self.assertEqual(self.found(), ["gone"])

    def test_two_at_once(self) -> None:
        entries = [self.entry(number) for number in range(40)]
        for entry in entries[::4]:
            self.unlink(entry)

        def work(_: int) -> None:
            try:
                for _step in range(60):
                    sweeping.take_step()
            finally:
                connections.close_all()

        with mock.patch.object(sweeping, "PART", 5), ThreadPoolExecutor(3) as workers:
            list(workers.map(work, range(3)))
        self.sweep()
        self.assertEqual(self.found(), ["gone"] * 10)
        self.assertEqual([told["links"] for told in self.told()], [40])


class SlotTests(SweepTestCase):
    @override_settings(HUBSPOT_CALLS_PER_10_SECONDS=20, HUBSPOT_CALLS_FOR_PEOPLE=4)
    def test_only_while_most_calls_are_free(self) -> None:
        client = sweeping.clients.sweep(lambda: None)
        rate_limiter.bulk_wait()  # makes the ring
        for _ in range(5):
            client._admit(1)
        with self.assertRaises(NoSlotError):  # those that are taken last are used up
            client._admit(1)
        taken = rate_limiter.acquire_bulk(20)
        self.assertEqual(taken, 11)
        self.assertTrue(rate_limiter.acquire_interactive(0))
        self.assertFalse(rate_limiter.acquire_spare())
