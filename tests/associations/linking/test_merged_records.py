"""A record is the one that HubSpot has under an id: since a merge its own id may be another."""

import csv
import io
from datetime import timedelta
from typing import Any
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from associations.audit import recorder
from associations.audit.entry_details import directions, support_bundle, timeline
from associations.audit.recorder import RequestMeta
from associations.hubspot.client import HubSpotClient, Limits
from associations.linking import services
from associations.models import AssociationCheck, AssociationRequest
from associations.texts.outcomes import explain
from tests.associations.linking.base import PageTestCase
from tests.support import LINK

MERGED = ("companies", "902", "9902")
NAMES = ("from_merged_into", "to_merged_into")
HTMX = {"HX-Request": "true"}


class MergedTestCase(PageTestCase):
    limits = Limits(connect=1, read=0.5, total=8, attempts=2, pause=0.01)

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch("associations.linking.verification.PAUSE", 0.05))

    def link(self, **fields: str) -> AssociationRequest:
        entry = services.create_association(user=self.user, **(LINK | fields))
        return AssociationRequest.objects.get(pk=entry.pk)

    def check(self, entry: AssociationRequest) -> AssociationCheck:
        services.check_again(user=self.user, entry=entry, meta=RequestMeta())
        return AssociationCheck.objects.latest("pk")

    def told(self, row: Any, *names: str) -> tuple:
        return tuple(getattr(row, name, "no such column") for name in names)

    def record_reads(self) -> int:
        return sum(
            "/objects/" in r["path"] and r["method"] == "POST" for r in self.sandbox.requests
        )


class FlowTests(MergedTestCase):
    def test_each_way_of_naming_it_on_each_side(self) -> None:
        for as_asked in (True, False):
            for merges, merged_into in (
                ([MERGED], ("", "9902")),
                ([("contacts", "501", "502")], ("502", "")),
                ([MERGED, ("companies", "9902", "99902")], ("", "99902")),
                ([MERGED, ("contacts", "501", "9501")], ("9501", "9902")),
            ):
                with self.subTest(as_asked=as_asked, merges=merges):
                    self.sandbox.reset()
                    self.sandbox.names_as_asked = as_asked
                    for merge in merges:
                        self.sandbox.merge(*merge)
                    entry = self.link()
                    self.assertEqual(self.told(entry, "outcome", "cause", "verified"),
                                     ("linked", "confirmed", True))  # fmt: skip
                    self.assertEqual(self.told(entry, "was_linked", *NAMES), (False, *merged_into))

    def test_one_that_was_linked_before_it_was_merged(self) -> None:
        for as_asked in (True, False):
            with self.subTest(as_asked=as_asked):
                self.sandbox.reset()
                self.sandbox.names_as_asked = as_asked
                self.sandbox.link("contacts", "501", "companies", "902")
                self.sandbox.merge(*MERGED)
                entry = self.link()
                self.assertEqual(self.told(entry, "was_linked", "verified"), (True, True))
                self.assertIn("was already linked", explain(entry).sentence)

    def test_of_one_with_more_links_than_an_answer_shows(self) -> None:
        for number in range(1, 602):
            self.sandbox.link("contacts", "501", "companies", str(20_000 + number))
        self.sandbox.merge("companies", "902", "99999")  # the last one of them
        entry = self.link()
        self.assertEqual(self.told(entry, "verified", *NAMES), (True, "", "99999"))

    def test_where_nothing_was_merged_no_record_is_read(self) -> None:
        self.link()
        self.sandbox.link("contacts", "502", "companies", "903")
        self.link(from_object_id="502")
        self.link(from_object_id="999999")
        self.assertEqual(self.record_reads(), 0)

    def test_ids_that_are_not_theirs_prove_nothing(self) -> None:
        stranger = {"from": {"id": "501"}, "to": {"id": "903"}}
        body = {"status": "COMPLETE", "results": [stranger]}
        for merged in (False, True):
            with self.subTest(merged=merged):
                self.sandbox.reset()
                if merged:
                    self.sandbox.merge(*MERGED)
                self.sandbox.fault(status=200, body=body, apply=False)
                entry = self.link()
                self.assertEqual(self.told(entry, "outcome", "cause", "verified"),
                                 ("unconfirmed", "not_shown", False))  # fmt: skip
                self.assertEqual(self.told(entry, *NAMES), ("", "9902" if merged else ""))

    def test_records_that_cannot_be_read_leave_it_unconfirmed(self) -> None:
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(method="POST", path="objects/.*/batch/read", status=503, times=None)
        entry = self.link()
        self.assertEqual(self.told(entry, "outcome", "cause"), ("unconfirmed", "not_shown"))
        self.assertEqual(self.told(entry, "verified", "unverified_cause"), (None, "hubspot_down"))

    @override_settings(HUBSPOT_VERIFY=False)
    def test_without_verifying_only_an_answer_that_names_others_is_looked_into(self) -> None:
        self.link(from_object_id="502")
        self.assertEqual(len(self.sandbox.requests), 1)
        self.sandbox.merge(*MERGED)
        entry = self.link()
        self.assertEqual(self.told(entry, "cause", *NAMES), ("confirmed", "", "9902"))

    def test_a_refusal_does_not_hide_that_they_were_linked_before(self) -> None:
        self.sandbox.link("contacts", "501", "companies", "902")
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(status=403)
        entry = self.link()
        self.assertEqual(self.told(entry, "was_linked", *NAMES), (True, "", "9902"))
        self.assertIn("linked already before", explain(entry).verification)

    def test_a_lost_answer_is_found_out(self) -> None:
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(reset="after", times=None)
        entry = self.link()
        self.assertEqual(self.told(entry, "outcome", "verified"), ("unreachable", True))
        self.assertIn("is linked to", explain(entry).sentence)

    def test_a_hubspot_that_lags_is_looked_at_once_more(self) -> None:
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(lag=0.04)
        self.assertEqual(self.told(self.link(), "verified", *NAMES), (True, "", "9902"))

    def test_after_a_crash_it_is_what_the_log_shows_and_a_check_finds_out(self) -> None:
        """Nobody had read the records by then, so the ids of the answer were anybody's."""
        self.sandbox.merge(*MERGED)
        crash = mock.patch.object(services, "read_after", side_effect=SystemExit)
        with crash, self.assertRaises(SystemExit):
            self.link()
        entry = AssociationRequest.objects.get()
        later = timezone.now() + timedelta(minutes=10)
        with mock.patch.object(timezone, "now", lambda: later):
            recorder.close_abandoned()
        entry.refresh_from_db()
        self.assertEqual(self.told(entry, "outcome", "cause"), ("unconfirmed", "not_shown"))
        self.assertEqual(self.told(self.check(entry), "is_linked", *NAMES), (True, "", "9902"))


class OneRecordTests(MergedTestCase):
    """The two were merged into each other, or into a third: there is nothing to link."""

    PAIR = {
        "from_object_type": "contacts",
        "from_object_id": "501",
        "to_object_type": "contacts",
        "to_object_id": "502",
    }

    def merge(self, *into: tuple[str, str], as_asked: bool = False) -> None:
        self.sandbox.reset()
        self.sandbox.names_as_asked = as_asked
        for old, new in into:
            self.sandbox.merge("contacts", old, new)

    def test_it_is_said_instead_of_linked(self) -> None:
        for as_asked in (True, False):
            for into in ([("501", "502")], [("502", "501")], [("501", "9"), ("502", "9")]):
                with self.subTest(into=into, as_asked=as_asked):
                    self.merge(*into, as_asked=as_asked)
                    entry = self.link(**self.PAIR)
                    self.assertEqual(self.told(entry, "outcome", "cause"),
                                     ("rejected", "same_record"))  # fmt: skip
                    told = explain(entry)
                    self.assertIn("are one record in HubSpot", told.sentence)
                    self.assertEqual(told.verification, "")

    def test_records_of_two_types_may_have_one_id(self) -> None:
        self.sandbox.merge("contacts", "501", "902")
        self.assertEqual(self.told(self.link(), "cause", *NAMES), ("confirmed", "902", ""))

    def test_a_check_says_so(self) -> None:
        entry = self.link(**self.PAIR)
        self.merge(("501", "502"))
        page = self.client.post(f"/requests/{entry.pk}/check/", follow=True)
        self.assertContains(page, "Both are one record in HubSpot.")
        self.assertContains(page, "Contact 501 was merged into 502.")
        self.assertNotContains(page, "The records are not linked.")

    def test_the_preview_says_so(self) -> None:
        self.merge(("501", "502"))
        page = self.client.post("/preview/", self.PAIR, headers=HTMX)
        self.assertContains(page, "Both are the same record in HubSpot")
        self.assertNotContains(page, "not linked yet")
        self.assertNotContains(page, "would be linked")


class CheckTests(MergedTestCase):
    def test_it_compares_by_what_hubspot_has(self) -> None:
        entry = self.link()
        self.sandbox.merge(*MERGED)
        self.assertEqual(self.told(self.check(entry), "is_linked", *NAMES), (True, "", "9902"))
        self.sandbox.links.clear()
        self.assertEqual(self.told(self.check(entry), "is_linked", *NAMES), (False, "", "9902"))

    def test_the_page_says_it_of_the_check(self) -> None:
        entry = self.link()
        self.sandbox.merge(*MERGED)
        page = self.client.post(f"/requests/{entry.pk}/check/", follow=True)
        self.assertContains(page, "The records are linked.")
        self.assertContains(page, "Company 902 was merged into 9902.")

    def test_records_that_cannot_be_read_were_not_seen(self) -> None:
        entry = self.link()
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(method="POST", path="objects/.*/batch/read", status=503, times=None)
        self.assertEqual(self.told(self.check(entry), "is_linked", "cause"),
                         (None, "hubspot_down"))  # fmt: skip


class PreviewTests(MergedTestCase):
    def panel(self, **fields: str) -> Any:
        return self.client.post("/preview/", LINK | fields, headers=HTMX)

    def test_linked_already_whichever_side_was_merged(self) -> None:
        for merge, asked in (
            (MERGED, LINK),
            (("contacts", "501", "9501"), LINK),
            (MERGED, {"from_object_type": "companies", "from_object_id": "902",
                      "to_object_type": "contacts", "to_object_id": "501"}),
        ):  # fmt: skip
            with self.subTest(merge=merge):
                self.setUp()
                self.sandbox.link("contacts", "501", "companies", "902")
                self.sandbox.merge(*merge)
                page = self.panel(**asked)
                self.assertContains(page, "They are linked already.")
                self.assertContains(page, f"{merge[1]} was merged into {merge[2]}.")

    def test_where_the_record_cannot_be_read_nothing_is_said_of_the_link(self) -> None:
        self.sandbox.link("contacts", "501", "companies", "902")
        self.sandbox.merge(*MERGED)
        self.sandbox.fault(
            method="POST", path="objects/companies/batch/read", status=503, times=None
        )
        page = self.panel()
        for text in ("not linked yet", "linked already", "is linked to", "would be linked"):
            self.assertNotContains(page, text)
        self.assertContains(page, "Not everything could be looked up.")

    def test_one_without_any_link_is_not_linked_whatever_cannot_be_read(self) -> None:
        self.sandbox.fault(
            method="POST", path="objects/companies/batch/read", status=503, times=None
        )
        self.assertContains(self.panel(), "They are not linked yet.")

    def test_it_is_not_told_among_the_others(self) -> None:
        for company in ("902", "904"):
            self.sandbox.link("contacts", "501", "companies", company)
        self.sandbox.merge("companies", "902", "903")
        page = self.panel()
        self.assertContains(page, "Also linked to 1 Company:")
        self.assertContains(page, "Nordlicht Energie")
        self.assertNotContains(page, "(903)")

    def test_the_address_is_that_of_the_new_record(self) -> None:
        self.sandbox.merge(*MERGED)
        self.assertContains(self.panel(), "/record/0-2/9902")

    def test_a_link_beyond_those_that_one_answer_shows(self) -> None:
        for number in range(1, 602):
            self.sandbox.link("contacts", "501", "companies", str(20_000 + number))
        self.sandbox.link("contacts", "501", "companies", "902")
        self.sandbox.merge("companies", "902", "99999")
        self.assertContains(self.panel(), "They are linked already.")


@override_settings(HUBSPOT_PORTAL_ID="4242")
class ToldTests(MergedTestCase):
    """Both ids are told wherever an entry is."""

    SENTENCE = "Company 902 was merged into 9902."

    def setUp(self) -> None:
        super().setUp()
        self.sandbox.merge(*MERGED)
        self.entry = self.link()

    def test_on_the_entrys_page_with_a_link_to_the_new_record(self) -> None:
        page = self.client.get(self.entry.get_absolute_url())
        self.assertContains(page, self.SENTENCE)
        self.assertContains(page, "https://app.hubspot.com/contacts/4242/record/0-2/9902")
        self.assertNotContains(page, "/record/0-2/902")

    def test_in_the_lists(self) -> None:
        self.assertContains(self.client.get("/requests/"), self.SENTENCE)
        self.assertContains(self.as_admin.get("/audit/"), self.SENTENCE)

    def test_among_the_links_that_the_answer_shows(self) -> None:
        shown = {(each.from_record, each.to_record) for each in directions(self.entry)}
        self.assertIn(("Contact 501", "Company 9902"), shown)

    def test_in_the_timeline_and_in_the_text_for_hubspots_support(self) -> None:
        told = [moment.what for moment in timeline(self.entry)]
        self.assertIn(f"Looked up: {self.SENTENCE}", told)
        bundle = support_bundle(self.entry, "https://api.hubapi.com")
        self.assertIn("companies/902 was merged into 9902", bundle)

    def test_in_exports(self) -> None:
        text = b"".join(self.as_admin.get("/audit/export.csv").streaming_content).decode()
        (told,) = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
        self.assertEqual((told["from_merged_into"], told["to_merged_into"]), ("", "9902"))
        lines = b"".join(self.as_admin.get("/audit/export.jsonl").streaming_content).decode()
        self.assertIn('"to_merged_into":"9902"', lines)
        self.assertNotIn("from_merged_into", lines)

    def test_in_the_line_for_the_log_collector(self) -> None:
        with (
            self.assertLogs("hubadmin.audit") as logged,
            self.captureOnCommitCallbacks(execute=True),
        ):
            self.link()
        (record,) = logged.records
        self.assertEqual(self.told(record, *NAMES), ("", "9902"))


class ClientTests(MergedTestCase):
    def test_the_client_by_itself_believes_no_other_id(self) -> None:
        """Whoever asks it has to have read the records."""
        self.sandbox.merge(*MERGED)
        client = HubSpotClient(base_url=self.sandbox.url, token="sandbox")
        answer = client.create_default_association(**LINK)
        self.assertEqual(answer.cause, "not_shown")
