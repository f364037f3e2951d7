"""The audit log with its filters, its figures, and the pages of records."""

import re
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from types import SimpleNamespace
from unittest import mock

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from associations.hubspot.outcomes import Outcome
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, person

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
PART = {"headers": {"HX-Request": "true"}}
EVERYTHING_EMPTY = (
    "tz=UTC&range=&since=&until=&record=&record_type=&from_type=&to_type=&reason=&error="
    "&category=&status=&correlation="
)


@contextmanager
def at(now: datetime) -> Iterator[None]:
    """The clock by which "today" is told."""
    clock = SimpleNamespace(now=lambda: now, get_current_timezone=timezone.get_current_timezone)
    with mock.patch("associations.audit.forms.timezone", clock):
        yield


class AuditTestCase(PageTestCase):
    def get(self, address: str, status: int = 200, **more: object) -> HttpResponse:
        answer = self.as_admin.get(address, **more)
        self.assertEqual(answer.status_code, status)
        return answer

    def text(self, address: str, status: int = 200, **more: object) -> str:
        return self.get(address, status, **more).content.decode()

    def shown(self, page: str) -> list[int]:
        return [int(pk) for pk in re.findall(r'class="row-link" href="/requests/(\d+)/"', page)]

    def link(self, page: str, text: str) -> str:
        """Where the link that begins with the text leads to."""
        found = re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{re.escape(text)}', page)
        self.assertEqual(len(found), 1, text)
        return unescape(found[0])


class AddressTests(AuditTestCase):
    def test_the_fields_that_were_left_empty_do_not_stay_in_the_address(self) -> None:
        answer = self.get(f"/audit/?{EVERYTHING_EMPTY}", 302)
        self.assertEqual(answer["Location"], "/audit/?")
        query = EVERYTHING_EMPTY.replace("status=", "status=404").replace("reason=", "reason=a%26b")
        answer = self.get(f"/audit/?outcome=linked&{query}", 302)
        self.assertEqual(answer["Location"], "/audit/?outcome=linked&reason=a%26b&status=404")
        self.get(answer["Location"])

    def test_what_is_too_long_for_an_address_is_told_beside_its_field(self) -> None:
        answer = self.as_admin.get("/audit/", {"reason": "日本" * 2000, "error": ""})
        self.assertContains(answer, "at most 100 characters", status_code=422)

    def test_days_keep_the_zone_in_which_they_were_meant(self) -> None:
        query = EVERYTHING_EMPTY.replace("since=", "since=2026-11-24").replace("UTC", "Asia/Tokyo")
        answer = self.get(f"/audit/?{query}", 302)
        self.assertEqual(answer["Location"], "/audit/?since=2026-11-24&tz=Asia%2FTokyo")
        self.assertIn('name="tz" value="Asia/Tokyo"', self.text(answer["Location"]))

    def test_more_pages_are_pages_of_the_same_filter(self) -> None:
        pks = [entry_of(self.user, http_status=404).pk for _ in range(5)][::-1]
        for _ in range(5):
            entry_of(self.user, http_status=200)
        with mock.patch("associations.audit.pagination.PAGE_SIZE", 2):
            page = self.text("/audit/?status=404")
            self.assertEqual(self.shown(page), pks[:2])
            page = self.text(f"/audit/{self.link(page, 'Older')}")
            self.assertEqual(self.shown(page), pks[2:4])
            self.assertIn("5 entries.", page)
            self.assertEqual(self.link(page, "Newest"), "?status=404&")
            page = self.text(f"/audit/{self.link(page, '← Newer')}")
            self.assertEqual(self.shown(page), pks[:2])

    def test_a_choice_made_twice_is_made_once(self) -> None:
        entry = entry_of(self.user)
        for query in (f"who={self.user.pk}&who={self.user.pk}", "outcome=linked&outcome=linked"):
            page = self.text(f"/audit/?{query}")
            self.assertEqual(self.shown(page), [entry.pk])
            self.assertIn("1 entry.", page)

    def test_everybody_can_be_chosen_in_a_large_company(self) -> None:
        people = [person(f"p{n}", "support").pk for n in range(60)]
        entry = entry_of(self.user, user_id=people[7])
        query = "&".join(f"who={pk}" for pk in people)
        self.assertEqual(self.shown(self.text(f"/audit/?{query}")), [entry.pk])

    def test_more_parameters_than_anybody_needs_are_refused_and_not_a_failure(self) -> None:
        self.as_admin.raise_request_exception = False
        answer = self.as_admin.get("/audit/?" + "&" * settings.DATA_UPLOAD_MAX_NUMBER_FIELDS)
        self.assertIn(answer.status_code, (400, 413))

    def test_only_admins_see_any_of_it(self) -> None:
        for address in ("", "?status=404", "?status=x", "figures/", "records/contacts/501/"):
            self.assertEqual(self.client.get(f"/audit/{address}").status_code, 403, address)
            self.get(f"/audit/{address}", 422 if address == "?status=x" else 200)


class FilterTests(AuditTestCase):
    def setUp(self) -> None:
        super().setUp()
        causes = {"rejected": "refused", "unconfirmed": "not_shown", "unreachable": "timed_out"}
        self.today, self.earlier = (
            {
                outcome: entry_of(
                    self.user,
                    outcome=outcome,
                    cause=causes.get(outcome, ""),
                    created_at=NOW - timedelta(days=days),
                    sent_at=None,
                ).pk
                for outcome in map(str, Outcome)
            }
            for days in (0, 6)
        )

    def test_each_filter_that_is_on_can_be_taken_off(self) -> None:
        page = self.text(f"/audit/?who={self.user.pk}&outcome=linked&since=2026-11-24")
        self.assertEqual(self.shown(page), [self.today["linked"]])
        self.assertInHTML('<span class="muted">Outcome:</span>', page)
        chips = [unescape(href) for href in re.findall(r'class="chip" href="([^"]*)"', page)]
        counts = [len(self.shown(self.text(f"/audit/{href}"))) for href in chips]
        self.assertEqual(counts, [1, len(Outcome), 2])
        self.assertEqual(self.link(page, "Clear all"), "?")
        self.assertNotIn("Clear all", self.text("/audit/"))

    def test_quick_ranges_are_those_of_the_clock(self) -> None:
        with at(NOW):
            for text, days in (("Today", 1), ("Last 7 days", 7)):
                address = self.link(self.text("/audit/?outcome=linked"), text)
                page = self.text(address)
                self.assertEqual(len(self.shown(page)), 1 if days == 1 else 2)
                self.assertRegex(page, rf'aria-current="true">{text}<')
        with at(NOW + timedelta(days=1)):
            self.assertEqual(self.shown(self.text("/audit/?range=today")), [])
            self.assertEqual(len(self.shown(self.text("/audit/?range=7d"))), len(Outcome))
            self.assertEqual(len(self.shown(self.text("/audit/?range=30d"))), 2 * len(Outcome))

    def test_failures_today_are_one_click_away(self) -> None:
        with at(NOW):
            page = self.text(self.link(self.text("/audit/?status=500"), "Failures today"))
        failed = ("unconfirmed", "rejected", "unreachable", "canceled")
        self.assertCountEqual(self.shown(page), [self.today[outcome] for outcome in failed])

    def test_today_begins_at_midnight_where_one_looks(self) -> None:
        self.as_admin.cookies["timezone"] = "Europe/Berlin"  # half past midnight of the 25th
        with at(NOW):
            self.assertCountEqual(self.shown(self.text("/audit/?range=today")), self.today.values())
        with at(NOW - timedelta(minutes=31)):
            self.assertEqual(len(self.shown(self.text("/audit/?range=today"))), len(Outcome))
        with at(NOW + timedelta(days=1)):
            self.assertEqual(self.shown(self.text("/audit/?range=today")), [])

    def test_what_cannot_be_read_is_told_beside_its_field_and_nothing_is_looked_for(self) -> None:
        page = self.text("/audit/?status=x&reason=ab&outcome=lost", 422)
        self.assertEqual(page.count('class="field-error"'), 3)
        self.assertIn("Check 3 fields", page)
        self.assertIn('id="id_status_error"', page)
        self.assertRegex(page, r'<input[^>]* name="status" value="x"')
        self.assertRegex(page, r'<details class="filter" open')
        self.assertEqual((self.shown(page), "entries." in page), ([], False))

    def test_a_zone_that_is_none_is_told_too(self) -> None:
        page = self.text("/audit/?since=2026-11-24&tz=Mars/Phobos", 422)
        self.assertIn("There is no time zone “Mars/Phobos”.", page)
        self.assertIn('class="field-error" id="id_tz"', page)

    def test_the_form_shows_what_is_on(self) -> None:
        page = self.text(f"/audit/?who={self.user.pk}&outcome=linked&range=7d&reason=a%22b%22")
        self.assertRegex(page, rf'name="who" value="{self.user.pk}"[^>]* checked')
        self.assertRegex(page, r'name="outcome" value="linked"[^>]* checked')
        self.assertRegex(page, r'<option value="7d" selected')
        self.assertIn('value="a&quot;b&quot;"', page)

    def test_exports_and_figures_are_those_of_the_filter(self) -> None:
        page = self.text("/audit/?outcome=linked&since=2026-11-24&tz=UTC")
        query = "outcome=linked&since=2026-11-24&tz=UTC"
        self.assertEqual(self.link(page, "CSV"), f"/audit/export.csv?{query}")
        self.assertEqual(self.link(page, "JSON lines"), f"/audit/export.jsonl?{query}")
        self.assertEqual(self.link(page, "Chart and figures"), f"/audit/figures/?{query}")


class CountTests(AuditTestCase):
    def test_how_many_there_are_is_told_up_to_ten_thousand(self) -> None:
        self.assertIn("0 entries.", self.text("/audit/"))
        for count, told in ((1, "1 entry."), (2, "2 entries.")):
            entry_of(self.user)
            self.assertIn(f"<p>{told}", self.text("/audit/"), count)

    def test_of_more_only_so_much_is_told(self) -> None:
        for _ in range(4):
            entry_of(self.user)
        for most, told in ((5, "4 entries."), (4, "3+ entries."), (3, "2+ entries.")):
            with (
                mock.patch("associations.models.querysets.COUNTED_AT_MOST", most),
                mock.patch("associations.audit.pagination.COUNTED_AT_MOST", most),
            ):
                for address in ("/audit/", "/audit/records/contacts/501/"):
                    self.assertIn(f"<p>{told}", self.text(address))


class EmptyTests(AuditTestCase):
    def test_an_empty_page_says_why_and_what_to_do(self) -> None:
        self.assertIn("Nobody has made one yet", self.text("/audit/"))
        entry = entry_of(self.user)
        self.assertNotIn('class="empty"', self.text("/audit/"))
        page = self.text("/audit/?status=999")
        self.assertIn("No entry matches all of these filters", page)
        self.assertEqual(self.link(page, "see all entries"), "/audit/")
        for query in (f"before={entry.pk}", f"after={entry.pk}", "before=0"):
            page = self.text(f"/audit/?outcome=linked&{query}")
            self.assertIn("No entries here.", page)
            self.assertEqual(self.link(page, "Go to the newest"), "?outcome=linked")
            self.assertIn("1 entry.", page)


class FiguresTests(AuditTestCase):
    def setUp(self) -> None:
        super().setUp()
        for outcome, cause, category, count in (
            ("linked", "confirmed", "", 5),
            ("rejected", "refused", "VALIDATION_ERROR", 3),
            ("sending", "", "", 1),
        ):
            for _ in range(count):
                at = {"created_at": NOW, "sent_at": NOW, "finished_at": NOW + timedelta(seconds=2)}
                at |= {} if cause else {"sent_at": None, "finished_at": None}
                fields = {"outcome": outcome, "cause": cause, "error_category": category}
                entry_of(self.user, **fields, **at)

    def test_they_are_a_page_and_a_part_of_one(self) -> None:
        whole, part = self.text("/audit/figures/"), self.text("/audit/figures/", **PART)
        self.assertTrue(whole.startswith("<!doctype html>"))
        self.assertNotIn("<html", part)
        for name, number in (("Linked", 5), ("Other outcomes", 3), ("Under way", 1)):
            self.assertInHTML(f"<div><dt>{name}</dt><dd>{number}</dd></div>", whole)
        self.assertIn("<dd>2.00 s</dd>", whole)
        self.assertIn("Covers all 9 entries.", whole)
        for page in (whole, part):
            self.assertIn("24 Nov 2026: 5 linked, 3 rejected, 1 sending", page)
            self.assertIn('<rect class="mark linked"', page)

    def test_a_day_of_the_strip_or_of_the_table_is_a_filter(self) -> None:
        for more in ({}, PART):
            page = self.text("/audit/figures/?outcome=rejected&range=30d&tz=UTC", **more)
            (address,) = re.findall(r'href="(/audit/\?[^"]*since=[^"]*)"', page)
            expected = "/audit/?outcome=rejected&since=2026-11-24&until=2026-11-24&tz=UTC"
            self.assertEqual(unescape(address), expected)
            self.assertEqual(len(self.shown(self.text(expected))), 3)

    def test_the_most_frequent_errors_narrow_the_filter(self) -> None:
        page = self.text(f"/audit/figures/?who={self.user.pk}")
        address = self.link(page, "<bdi>VALIDATION_ERROR</bdi>")
        self.assertEqual(address, f"/audit/?who={self.user.pk}&category=VALIDATION_ERROR")
        self.assertEqual(len(self.shown(self.text(address))), 3)

    def test_of_too_many_the_newest_are_covered_and_the_page_says_so(self) -> None:
        entry_of(self.user, created_at=NOW - timedelta(days=3))
        with mock.patch("associations.audit.statistics.COVERED", 9):
            page = self.text("/audit/figures/")
        self.assertIn("Covers the newest 9 of more entries: those after", page)
        self.assertIn("21 Nov 2026, 23:30:00", page)

    def test_days_are_those_of_whoever_looks(self) -> None:
        self.as_admin.cookies["timezone"] = "Europe/Berlin"
        self.assertIn("25 Nov 2026: 5 linked", self.text("/audit/figures/", **PART))
        page = self.text("/audit/figures/")
        self.assertIn("25 Nov 2026: 5 linked", page)
        self.assertIn("Days are those of Europe/Berlin", page)

    def test_beside_days_of_another_zone_they_are_days_of_that_zone(self) -> None:
        """Else a day that is chosen there would show others than were counted."""
        query = "since=2026-11-25&until=2026-11-25&tz=Asia%2FTokyo"
        page = self.text(f"/audit/figures/?{query}")
        self.assertIn("Days are those of Asia/Tokyo", page)
        for shown in (page, self.text(f"/audit/figures/?{query}", **PART)):
            self.assertIn("25 Nov 2026: 5 linked", shown)
            (address,) = re.findall(
                r'href="(/audit/\?[^"]*until=[^"]*)"[^>]*>\s*(?:<title>)?25', shown
            )
            self.assertEqual(len(self.shown(self.text(unescape(address)))), 9)

    def test_they_are_those_of_the_filter(self) -> None:
        self.assertIn("Covers all 3 entries.", self.text("/audit/figures/?outcome=rejected"))
        self.assertIn("nothing to draw", self.text("/audit/figures/?status=999"))

    def test_a_filter_that_cannot_be_read_leads_back_to_the_form(self) -> None:
        page = self.text("/audit/figures/?status=x&who=1%22", 422)
        self.assertEqual(self.link(page, "Correct it"), "/audit/?status=x&who=1%22")
        self.assertNotIn("<svg", self.text("/audit/figures/?status=x", 422, **PART))


class TooSlowTests(AuditTestCase):
    """Every row has to be read through for eight words, of which the last is in none."""

    SLOW = "error=common+a+b+c+d+e+f+zq"
    # SQLite looks at the clock now and then, PostgreSQL waits that long.
    SECONDS = 0.001 if connection.vendor == "sqlite" else 0.02

    @classmethod
    def setUpTestData(cls) -> None:
        text = "." * 450 + " a b c d e f common"
        common = {"user": person(), "outcome": "rejected", "cause": "refused"} | LINK
        common |= {"created_at": NOW, "error_text": text}
        AssociationRequest.objects.bulk_create(AssociationRequest(**common) for _ in range(4_000))

    def limit(self, name: str) -> None:
        self.enterContext(mock.patch(f"associations.audit.{name}_SECONDS", self.SECONDS))

    def test_the_list_says_that_the_filter_is_too_wide(self) -> None:
        self.limit("pagination.LIST")
        page = self.text(f"/audit/?{self.SLOW}", 503)
        self.assertIn("The database needs too long for this combination of filters", page)
        self.assertIn("Words in the error:", page)
        self.assertRegex(page, r'<input[^>]* name="error" value="common a b')

    def test_the_figures_say_so_too(self) -> None:
        self.limit("views.FIGURES")
        page = self.text(f"/audit/figures/?{self.SLOW}", 503)
        self.assertIn("The database needs too long for the figures", page)
        self.assertEqual(
            self.link(self.text(f"/audit/figures/?{self.SLOW}", 503, **PART), "Figures"),
            f"/audit/figures/?{self.SLOW}",
        )

    def test_a_count_that_takes_too_long_does_not_cost_the_list(self) -> None:
        self.limit("pagination.COUNT")
        page = self.text(f"/audit/?{self.SLOW}")
        self.assertIn("No entry matches", page)
        self.assertIn("0 entries.", page)
        text = self.SLOW.partition("=")[2].replace("+", " ")
        found = entry_of(self.user, outcome="rejected", cause="refused", error_text=text)
        page = self.text(f"/audit/?{self.SLOW}")
        self.assertEqual(self.shown(page), [found.pk])
        self.assertIn("More entries than can be counted quickly.", page)

    def test_the_next_page_is_none_the_worse_for_it(self) -> None:
        with mock.patch("associations.audit.pagination.LIST_SECONDS", self.SECONDS):
            self.get(f"/audit/?{self.SLOW}", 503)
        self.assertIn("No entry matches", self.text(f"/audit/?{self.SLOW}"))


class RecordTests(AuditTestCase):
    def test_every_request_about_a_record_is_on_its_page_whichever_side_it_was_on(self) -> None:
        there = entry_of(self.user)
        back = entry_of(
            self.user,
            from_object_type="companies",
            from_object_id="902",
            to_object_type="contacts",
            to_object_id="501",
        )
        itself = entry_of(self.user, to_object_type="contacts", to_object_id="501")
        entry_of(self.user, from_object_type="deals")
        entry_of(self.user, from_object_id="5010")
        page = self.text("/audit/records/contacts/501/")
        self.assertEqual(self.shown(page), [itself.pk, back.pk, there.pk])
        self.assertIn("<h1>Contact 501</h1>", page)
        self.assertIn("3 entries.", page)
        further = self.text(self.link(page, "Filter them further"))
        self.assertEqual(self.shown(further), self.shown(page))

    def test_its_pages_are_pages_of_it(self) -> None:
        pks = [entry_of(self.user).pk for _ in range(3)][::-1]
        entry_of(self.user, from_object_id="7", to_object_id="8")
        with mock.patch("associations.audit.pagination.PAGE_SIZE", 2):
            address = "/audit/records/companies/902/"
            page = self.text(address)
            self.assertEqual(self.shown(page), pks[:2])
            page = self.text(address + self.link(page, "Older"))
            self.assertEqual(self.shown(page), pks[2:])

    def test_other_names_of_a_type_lead_to_its_one_address(self) -> None:
        for name, canonical in (
            ("contact", "contacts"),
            ("0-1", "contacts"),
            ("Line item", "0-8"),
            ("P_Car", "p_Car"),
        ):
            answer = self.get(f"/audit/records/{name}/501/", 302)
            self.assertEqual(answer["Location"], f"/audit/records/{canonical}/501/")
            self.get(answer["Location"])

    def test_what_can_be_no_record_has_no_page(self) -> None:
        for record in (
            *("contactz/501", "contacts/0", "contacts/0501", "contacts/x", "contacts/-1"),
            *("contacts/" + "1" * 21, "contacts/%D9%A5", "contacts/501%00", "..%2Fx/501", "2-/5"),
        ):
            self.get(f"/audit/records/{record}/", 404)

    def test_one_that_nobody_has_asked_for_says_so(self) -> None:
        self.assertIn("Nobody has asked for a link", self.text("/audit/records/2-4001/501/"))
        entry = entry_of(self.user)
        page = self.text(f"/audit/records/contacts/501/?before={entry.pk}")
        self.assertIn("No entries here.", page)

    @unittest.skipUnless(connection.vendor == "sqlite", "PostgreSQL finds them too quickly")
    def test_one_whose_entries_take_too_long_to_find_says_so_too(self) -> None:
        common = {"user": self.user, "outcome": "linked", "cause": "confirmed", "created_at": NOW}
        common |= LINK | {"from_object_type": "deals", "to_object_type": "deals"}
        AssociationRequest.objects.bulk_create(AssociationRequest(**common) for _ in range(6_000))
        with mock.patch("associations.audit.pagination.LIST_SECONDS", 0.0001):
            self.text("/audit/records/contacts/501/", 503)
