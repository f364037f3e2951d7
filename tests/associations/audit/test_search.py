"""The one search box of the audit log: what a text means, where it leads, what else it could be."""

import re
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from urllib.parse import parse_qs, quote

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.models import AssociationRequest, AuditFilter
from associations.models.querysets import count_of
from tests.associations.audit.test_views import AuditTestCase, at
from tests.associations.linking.base import entry_of, named_entry_of, run_of
from tests.support import person

UUID = "0192f3c4-7d1e-7b2a-9c0d-5e6f7a8b9c0d"


class SearchTestCase(AuditTestCase):
    def leads_to(self, text: str) -> str:
        return unescape(self.get(f"/audit/?q={quote(text)}", 302)["Location"])

    def assert_asks(self, text: str, **asked: str) -> None:
        address, _, query = self.leads_to(text).partition("?")
        self.assertEqual(address, "/audit/", text)
        self.assertEqual(parse_qs(query), {name: [value] for name, value in asked.items()}, text)

    def offered(self, address: str) -> list[str]:
        return [each.text for each in self.get(address).context["offers"]]


class MeaningTests(SearchTestCase):
    def test_what_it_looks_like_says_what_it_is(self) -> None:
        record = {"record_type": "contacts", "record": "501"}
        self.assert_asks("501", record="501")
        self.assert_asks("\uff15\uff10\uff11", record="501")
        for text in (
            "contact 501",
            "Contact #501",
            "https://app.hubspot.com/contacts/4242/contact/501",
        ):
            self.assert_asks(text, **record)
        self.assert_asks(f" {UUID} ", correlation=UUID)
        self.assert_asks("0AF0" * 8, request="0af0" * 8)
        self.assert_asks("run 12", run="12")
        self.assert_asks("一括処理 12", run="12")
        self.assertEqual(self.leads_to("  "), "/audit/?")

    def test_words_are_a_name_or_else_a_reason_or_else_a_person(self) -> None:
        named_entry_of(self.user, "Ada Byron", "Ltd", "ada@example.com", reason="merged twice")
        colleague = person("Mina Santos", "support")
        self.assert_asks("ada BYRON", name="ada BYRON")
        self.assert_asks("example.com", name="example.com")
        self.assert_asks("ada@example.com", name="ada@example.com")
        self.assert_asks("merged", reason="merged")
        self.assert_asks("Santos", who=str(colleague.pk))
        self.assert_asks("saxophone", name="saxophone")

    def test_a_colleagues_whole_name_or_address_is_theirs(self) -> None:
        colleague = person("Mina Santos", "support")
        named_entry_of(self.user, "Mina Santos", "Ltd")
        for text in ("mina santos", colleague.email):
            self.assert_asks(text, who=str(colleague.pk))
        self.assertEqual(self.offered(f"/audit/?who={colleague.pk}"), ["1 by name"])

    def test_a_whole_address_is_found_among_many_that_end_so(self) -> None:
        others = [person(name, "support") for name in ("ali", "emili", "juli", "li")]
        self.assert_asks("LI@example.com", who=str(others[-1].pk))
        self.assert_asks("Li", who=str(others[-1].pk))

    def test_a_part_of_many_people_is_nobody_and_offers_some(self) -> None:
        few = [person(f"Kim {number}", "support") for number in range(3)]
        query = parse_qs(self.leads_to("kim").partition("?")[2])
        self.assertEqual(query, {"who": [str(each.pk) for each in few]})
        person("Kim 3", "support")
        self.assert_asks("kim", name="kim")
        told = [f"everything Kim {number} did" for number in range(3)]
        self.assertEqual(self.offered("/audit/?name=kim"), told)
        self.assert_asks("z", name="z")

    def test_an_address_may_stand_as_programs_for_mail_write_it(self) -> None:
        named_entry_of(self.user, "Ada Byron", "Ltd", "ada@example.com")
        for text in ("mailto:ada@example.com", "Ada <ada@example.com>", "<ada@example.com>"):
            self.assert_asks(text, name="ada@example.com")

    def test_wide_letters_find_names_as_they_stand_and_as_plain_ones(self) -> None:
        named_entry_of(self.user, "Ada Byron", "株式会社\uff21\uff22\uff23")
        self.assert_asks("\uff21\uff24\uff21", name="ADA")
        self.assert_asks("\uff41\uff42\uff43", name="\uff41\uff42\uff43")

    def test_hubspot_itself_can_be_looked_for(self) -> None:
        named_entry_of(self.user, "HubSpot", "Ltd", "hubspot.com")
        self.assert_asks("hubspot.com", name="hubspot.com")

    def test_an_entrys_number_opens_it(self) -> None:
        entry = entry_of(self.user)
        for text in (f"#{entry.pk}", f"entry {entry.pk}", f"記録 {entry.pk}", str(entry.pk)):
            self.assertEqual(self.leads_to(text), f"/requests/{entry.pk}/")
        self.assert_asks("#999999", record="999999")

    def test_a_day_may_stand_beside_it(self) -> None:
        yesterday = str(timezone.localdate() - timedelta(1))
        day = {"since": yesterday, "until": yesterday, "tz": "UTC"}
        self.assert_asks("yesterday", **day)
        self.assert_asks("contact 501 yesterday", record_type="contacts", record="501", **day)
        self.assert_asks("昨日 Ada", name="Ada", **day)

    def test_what_cannot_be_seen_is_not_looked_for(self) -> None:
        named_entry_of(self.user, "Ada Byron", "Ltd")
        for text in ("Ada\0 Byron", "\0Ada Byron", "Ada\u200b Byron", "\u202eAda\u00a0Byron\ufeff"):
            self.assert_asks(text, name="Ada Byron")
        self.assertEqual(self.leads_to("\0"), "/audit/?")

    def test_an_address_that_names_no_record_is_told_beside_the_box(self) -> None:
        text = "https://app.hubspot.com/contacts/1/objects/0-1/views/all/list"
        page = self.text(f"/audit/?q={quote(text)}", 422)
        self.assertIn('id="id_q_error"', page)
        self.assertIn(f'value="{text}"', page)
        self.assertNotIn("<table", page)

    def test_a_name_that_is_in_the_log_is_no_day(self) -> None:
        today = str(timezone.localdate())
        day = {"since": today, "until": today, "tz": "UTC"}
        self.assert_asks("USA Today", name="USA", **day)
        named_entry_of(self.user, "Ada Byron", "USA Today Inc.")
        self.assert_asks("USA Today", name="USA Today")
        self.assert_asks("Ada Byron today", name="Ada Byron", **day)
        self.assert_asks("today", **day)

    def test_only_admins_may_look(self) -> None:
        self.assertEqual(self.client.get("/audit/?q=ada").status_code, 403)


class OfferTests(SearchTestCase):
    def test_the_other_meanings_are_offered_with_their_number(self) -> None:
        colleague = person("Ada Mars", "support")
        named_entry_of(self.user, "Ada Byron", "Ltd")
        for _ in range(2):
            entry_of(self.user, reason="as Ada asked")
        page = self.get("/audit/?name=ada")
        offers = page.context["offers"]
        told = ["2 by reason", "everything Ada Mars did"]
        self.assertEqual([each.text for each in offers], told)
        self.assertEqual(offers[0].address, "/audit/?reason=ada")
        self.assertEqual(offers[1].address, f"/audit/?who={colleague.pk}")
        self.assertIn("1 by name", self.offered("/audit/?reason=ada"))

    def test_days_go_along_and_any_other_filter_ends_it(self) -> None:
        named_entry_of(self.user, "Ada Byron", "Ltd")
        entry_of(self.user, reason="Ada", created_at=timezone.now() - timedelta(days=9))
        self.assertEqual(self.offered("/audit/?name=ada"), ["1 by reason"])
        self.assertEqual(self.offered("/audit/?name=ada&range=7d"), [])
        self.assertEqual(self.offered("/audit/?name=ada&outcome=linked"), [])
        self.assertEqual(self.offered("/audit/"), [])

    def test_an_id_may_be_the_number_of_an_entry_or_a_run(self) -> None:
        run = run_of(self.user)
        entry = entry_of(self.user, from_object_id=str(run.pk))
        told = [f"entry {run.pk}"] * (entry.pk == run.pk) + [f"run {run.pk}"]
        self.assertEqual(self.offered(f"/audit/?record={run.pk}"), told)


class RowTests(SearchTestCase):
    def test_every_link_of_a_row_finds_it(self) -> None:
        reasons = ("", "ok", "SUP", "x" * 450, "ends " * 30)
        pks = [entry_of(self.user, reason=reason).pk for reason in reasons]
        page = self.text("/audit/")
        self.assertEqual(self.shown(page), pks[::-1])
        self.assertIn("<bdi>ok</bdi>", page)
        links = re.findall(r'class="narrows" href="([^"]*)"', page)
        self.assertEqual(sum("reason=" in link for link in links), 3)
        for link in set(links):
            self.assertTrue(self.shown(self.text(unescape(link))), link)

    def test_what_was_too_short_stays_in_the_box(self) -> None:
        for text in ("%", "森", '"'):
            page = self.text(self.leads_to(text), 422)
            self.assertIn(f'name="q" id="id_q" maxlength="2000" value="{escape(text)}"', page)


class NamelessTests(SearchTestCase):
    def test_where_no_names_are_kept_none_is_promised(self) -> None:
        self.assertIn("Name, id, address", self.text("/audit/"))
        self.assertNotIn("are not kept here", self.text("/audit/?name=ada"))
        with override_settings(KEEP_RECORD_NAMES=False):
            self.assertNotIn("Name, id, address", self.text("/audit/"))
            self.assertIn("Names of records are not kept here.", self.text("/audit/?name=ada"))


class DayTests(SearchTestCase):
    def test_a_day_in_words_becomes_a_date_of_the_viewers_zone(self) -> None:
        self.as_admin.cookies["timezone"] = "Asia/Tokyo"
        day = timezone.now().astimezone(timezone.get_fixed_timezone(540)).date() - timedelta(1)
        answer = self.get("/audit/?since=yesterday", 302)
        self.assertEqual(answer["Location"], f"/audit/?since={day}&tz=Asia%2FTokyo")

    def test_beside_a_zone_it_is_a_day_of_that_zone(self) -> None:
        """As the page says of the fields: "Days in Asia/Tokyo"."""
        with at(datetime(2026, 11, 24, 20, tzinfo=UTC)):  # in Tokyo the 25th has begun
            asked = "since=yesterday&until=today&tz="
            for zone, days in (
                ("Asia/Tokyo", "since=2026-11-24&until=2026-11-25"),
                ("America/New_York", "since=2026-11-23&until=2026-11-24"),
            ):
                answer = self.get(f"/audit/?{asked}{quote(zone, safe='')}", 302)
                self.assertEqual(answer["Location"], f"/audit/?{days}&tz={quote(zone, safe='')}")
            answer = self.get(f"/audit/?{asked}Mars", 302)
            self.assertIn("There is no time zone", self.text(answer["Location"], 422))


class FewQueriesTests(SearchTestCase):
    def test_rows_cost_no_query(self) -> None:
        for _ in range(2):
            named_entry_of(self.user, "Ada Byron", "Ltd", reason="as asked")
        self.as_admin.get("/audit/")
        counts = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as captured:
                self.text("/audit/?name=ada")
            counts.append(len(captured))
            for _ in range(20):
                named_entry_of(self.user, "Ada Byron", "Ltd", reason="as asked")
        self.assertEqual(counts[0], counts[1])
        wanted = AuditFilter(name="ada")
        self.assertEqual(count_of(AssociationRequest.objects.branches(wanted), wanted), 42)
