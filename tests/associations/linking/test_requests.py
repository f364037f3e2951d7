"""Entries: one as a page, many as a list, without a browser."""

from datetime import timedelta

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from associations.audit.pagination import PAGE_SIZE
from associations.hubspot.outcomes import Outcome
from associations.linking import services
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, have_pages_close_abandoned, know_of_no_changes


class EntryTests(PageTestCase):
    def test_own_entries_only_but_all_for_admins(self) -> None:
        entry = entry_of(self.admin)
        address = reverse("request", args=[entry.pk])
        self.assertEqual(self.client.get(address).status_code, 404)
        self.assertEqual(self.as_admin.get(address).status_code, 200)
        own = reverse("request", args=[entry_of(self.user).pk])
        self.assertEqual(self.client.get(own).status_code, 200)
        self.assertEqual(self.as_admin.get(own).status_code, 200)

    def test_one_that_does_not_exist_is_404(self) -> None:
        for pk in ("0", "999999999999999999", "9" * 30, "-1", "x"):
            self.assertEqual(self.as_admin.get(f"/requests/{pk}/").status_code, 404)

    def test_whether_they_are_linked_as_far_as_is_known(self) -> None:
        refused = {"outcome": "rejected", "cause": "refused"}
        for fields, words in (
            ({}, "yes"),
            ({"verified": False}, "perhaps"),
            (refused | {"was_linked": False}, "no"),
            (refused | {"was_linked": True}, "not by this request"),
            (refused, "not by this request"),
        ):
            with self.subTest(fields):
                page = self.client.get(entry_of(self.user, **fields).get_absolute_url())
                told = rf"<dt>Linked</dt>\s*<dd>\s*{words}\s*</dd>"
                self.assertRegex(page.content.decode(), told)

    def test_an_open_entry_refreshes_itself_until_it_is_closed(self) -> None:
        entry = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        page = self.client.get(entry.get_absolute_url())
        self.assertEqual(page["Refresh"], f"3; url={entry.get_absolute_url()}?refresh")
        self.assertContains(page, "HubSpot's answer is awaited")
        AssociationRequest.objects.update(sent_at=timezone.now() - timedelta(minutes=5))
        have_pages_close_abandoned()
        page = self.client.get(entry.get_absolute_url())
        self.assertNotIn("Refresh", page)
        self.assertContains(page, "This site was interrupted")

    def test_the_lists_close_what_a_crash_left_open(self) -> None:
        long_ago = timezone.now() - timedelta(minutes=5)
        for client, address in ((self.client, "/requests/"), (self.as_admin, "/audit/")):
            entry = entry_of(self.user, outcome="sending", cause="", sent_at=long_ago)
            have_pages_close_abandoned()
            self.assertContains(client.get(address), "interrupted</span>")
            entry.refresh_from_db()
            self.assertEqual(entry.outcome, Outcome.UNREACHABLE)

    def test_any_answer_of_hubspot_makes_a_page(self) -> None:
        odd = [None, 1, "x", {}, {"items": 3}, {"context": {"items": [1]}, "errors": {"a": 1}}]
        odd += [{"message": "<script>alert(1)</script>", "errors": [None, {"message": ["a"]}]}]
        entry = entry_of(
            self.user, outcome="rejected", cause="refused", errors=odd, results=odd, body="<b>"
        )
        page = self.client.get(entry.get_absolute_url())
        self.assertEqual(page.status_code, 200)
        self.assertNotContains(page, "<script>alert")


class ListTests(PageTestCase):
    def test_the_audit_log_is_for_admins(self) -> None:
        self.assertEqual(self.client.get("/audit/").status_code, 403)
        self.assertNotContains(self.client.get("/"), "Audit log")
        self.assertContains(self.as_admin.get("/audit/"), "Nobody has made one yet")

    def test_my_requests_are_mine_even_for_admins(self) -> None:
        entry_of(self.user, from_object_id="777")
        self.assertContains(self.client.get("/requests/"), "Contact 777")
        self.assertNotContains(self.as_admin.get("/requests/"), "Contact 777")
        self.assertContains(self.as_admin.get("/audit/"), "Contact 777")

    def test_pages_keep_their_meaning_while_entries_arrive(self) -> None:
        pks = [entry_of(self.user).pk for _ in range(PAGE_SIZE * 2 + 1)][::-1]
        first = self.as_admin.get("/audit/")
        self.assertEqual([e.pk for e in first.context["entries"]], pks[:PAGE_SIZE])
        older = f"/audit/?before={pks[PAGE_SIZE - 1]}"
        self.assertContains(first, older.removeprefix("/audit/"))
        entry_of(self.user)
        second = self.as_admin.get(older)
        self.assertEqual([e.pk for e in second.context["entries"]], pks[PAGE_SIZE : PAGE_SIZE * 2])
        back = self.as_admin.get(f"/audit/?after={pks[PAGE_SIZE]}")
        self.assertEqual([e.pk for e in back.context["entries"]], pks[:PAGE_SIZE])
        last = self.as_admin.get(f"/audit/?before={pks[-1]}")
        self.assertContains(last, "No entries here")

    def test_odd_values_in_the_address_are_ignored(self) -> None:
        entry_of(self.user)
        for value in ("x", "-1", "9" * 30, "\u0661", "1e3", "", "1;--"):
            page = self.as_admin.get("/audit/", {"before": value})
            self.assertContains(page, "Contact 501")

    def test_the_number_of_queries_does_not_grow_with_the_entries(self) -> None:
        know_of_no_changes()
        entry_of(self.user)
        self.as_admin.get("/audit/")  # for some seconds nothing is abandoned then
        with CaptureQueriesContext(connection) as few:
            self.as_admin.get("/audit/")
        for _ in range(5):
            entry_of(self.user)
        with self.assertNumQueries(len(few)):
            self.as_admin.get("/audit/")
        self.assertLess(len(few), 15)  # on PostgreSQL each limit of time adds three


class VersionTests(PageTestCase):
    def test_admins_are_told_of_the_end_of_v4(self) -> None:
        for version, told in (("v4", True), ("2026-09", False)):
            with override_settings(HUBSPOT_API_VERSION=version):
                page = self.as_admin.get("/audit/").content.decode()
                self.assertEqual("30 Mar 2027" in page, told)
        self.assertNotContains(self.client.get("/"), "30 Mar 2027")

    def test_the_version_is_in_the_log(self) -> None:
        with override_settings(HUBSPOT_API_VERSION="2026-09"):
            entry = services.create_association(user=self.user, **LINK)
        self.assertEqual(entry.api_version, "2026-09")
        self.assertIn("/crm/objects/2026-09/", self.puts()[0])
