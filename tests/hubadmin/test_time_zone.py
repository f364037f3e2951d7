"""Times as they are where the viewer is, as far as the browser has told by its cookie."""

import re
from datetime import UTC, datetime
from urllib.parse import unquote

from django.test import override_settings
from django.utils import timezone

from tests.associations.linking.base import PageTestCase, entry_of

WINTER, SUMMER = datetime(2026, 11, 24, 23, 30, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)
HOSTILE = [
    *("", "Mars/Phobos", "europe/berlin", "Europe", "Europe/", "Europe /Berlin", "CEST", "+02:00"),
    *("../../etc/passwd", "/etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo", "Asia/../Asia/Tokyo"),
    *("Asia/Tokyo\0", "Asia/Tokyo\r\nSet-Cookie: a=b", "Asia/Tokyo,UTC", "Asia%2FTokyo"),
    *(
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "%s%n",
        "Asia/Tokyo" * 1_000,
        "\xe6\x97\xa5",
        "\xed\xa0\x80",
    ),
]


def listed(page: str) -> str:
    """The first day and time of a list, written as on an entry's page but for the seconds."""
    day = re.search(r'rowgroup"[^>]*>([^<]+?)\s*<span class="zone">(\w+)</span>', page)
    time = re.search(r">(\d\d:\d\d)</time>", page)
    return f"{day[1]}, {time[1]} {day[2]}" if day and time else ""


class TimeZoneTests(PageTestCase):
    def page(self, zone: str | None, address: str = "/audit/") -> str:
        self.as_admin.cookies.pop("timezone", None)
        if zone is not None:
            self.as_admin.cookies["timezone"] = zone
        answer = self.as_admin.get(address)
        self.assertEqual(answer.status_code, 200)
        return answer.content.decode()

    def test_lists_and_entries_show_times_as_they_are_there(self) -> None:
        for moment, zone, shown in (
            (WINTER, "Europe/Berlin", "25 Nov 2026, 00:30:00 CET"),
            (SUMMER, "Europe/Berlin", "1 Jul 2026, 14:00:00 CEST"),
            (WINTER, "America/New_York", "24 Nov 2026, 18:30:00 EST"),
            (WINTER, "Asia/Kolkata", "25 Nov 2026, 05:00:00 IST"),
            (WINTER, None, "24 Nov 2026, 23:30:00 UTC"),
        ):
            entry = entry_of(self.user, created_at=moment, sent_at=moment, finished_at=moment)
            with self.subTest(zone, moment=moment):
                self.assertIn(shown, self.page(zone, entry.get_absolute_url()))
            for address in ("/audit/", "/audit/records/contacts/501/"):
                with self.subTest(zone, moment=moment, address=address):
                    page = self.page(zone, f"{address}?before={entry.pk + 1}")
                    self.assertEqual(listed(page), shown.replace(":00 ", " "))

    def test_what_machines_read_names_the_offset_and_the_hint_is_in_utc(self) -> None:
        entry_of(self.user, created_at=WINTER)
        page = self.page("Asia/Kolkata")
        self.assertIn('<time datetime="2026-11-25T05:00:00+05:30"', page)
        self.assertIn('title="2026-11-24 23:30:00 UTC"', page)

    def test_the_page_says_which_zone_it_is(self) -> None:
        self.assertIn("Times are in Europe/Berlin.", self.page("Europe/Berlin"))
        self.assertIn("Times are in UTC.", self.page(None))

    def test_support_sees_own_requests_so_too(self) -> None:
        entry_of(self.user, created_at=WINTER)
        self.client.cookies["timezone"] = "Europe/Berlin"
        page = self.client.get("/requests/").content.decode()
        self.assertEqual(listed(page), "25 Nov 2026, 00:30 CET")

    def test_a_cookie_that_names_no_zone_is_ignored(self) -> None:
        entry_of(self.user, created_at=WINTER)
        for value in HOSTILE:
            with self.subTest(value[:40]):
                self.as_admin.cookies.load({"timezone": ""})
                self.as_admin.cookies["timezone"].set("timezone", value, value)  # as it stands
                answer = self.as_admin.get("/audit/")
                self.assertEqual(listed(answer.content.decode()), "24 Nov 2026, 23:30 UTC")
                self.assertContains(answer, "Times are in UTC.")
                self.assertNotContains(answer, "<script>alert")
                self.assertNotIn("a", answer.cookies)

    def test_without_one_it_is_the_zone_of_the_site(self) -> None:
        entry_of(self.user, created_at=WINTER)
        with override_settings(TIME_ZONE="Asia/Tokyo"):
            for zone in (None, "Mars/Phobos"):
                self.assertEqual(listed(self.page(zone)), "25 Nov 2026, 08:30 JST")
            self.assertEqual(listed(self.page("Europe/Berlin")), "25 Nov 2026, 00:30 CET")

    def test_a_part_has_the_zone_of_its_page_though_the_cookie_has_another_by_now(self) -> None:
        entry_of(self.user, created_at=WINTER)
        self.as_admin.cookies["timezone"] = "Asia/Kolkata"
        headers = {"HX-Request": "true", "Time-Zone": "America/New_York"}
        for address in ("/audit/figures/", "/status/times/"):
            with self.subTest(address):
                part = unquote(self.as_admin.get(address, headers=headers).content.decode())
                self.assertIn("America/New_York", part)
                self.assertNotIn("Asia/Kolkata", part)

    def test_each_page_tells_its_parts_its_zone(self) -> None:
        for zone in ("Asia/Kolkata", None):
            for address in ("/", "/audit/", "/status/", "/bulk/", "/nowhere"):
                self.client.cookies.pop("timezone", None)
                if zone:
                    self.client.cookies["timezone"] = zone
                with self.subTest(address, zone=zone):
                    told = f'hx-headers=\'{{"Time-Zone": "{zone or "UTC"}"}}\''
                    self.assertIn(told, self.client.get(address).content.decode())

    def test_a_header_that_names_no_zone_is_ignored(self) -> None:
        entry_of(self.user, created_at=WINTER)
        self.as_admin.cookies["timezone"] = "Europe/Berlin"
        for value in ("Mars/Phobos", "../../etc/passwd", "x" * 9000, "<script>"):
            with self.subTest(value[:20]):
                page = self.as_admin.get("/audit/", headers={"Time-Zone": value})
                self.assertEqual(listed(page.content.decode()), "25 Nov 2026, 00:30 CET")

    def test_the_next_request_on_the_same_thread_knows_nothing_of_it(self) -> None:
        entry_of(self.user, created_at=WINTER)
        self.client.cookies["timezone"] = "Europe/Berlin"
        for address, status in (("/requests/", 200), ("/audit/", 403), ("/requests/0/", 404)):
            self.assertEqual(self.client.get(address).status_code, status)
            self.assertEqual(timezone.get_current_timezone_name(), "UTC")
            self.assertEqual(listed(self.page(None)), "24 Nov 2026, 23:30 UTC")

    @override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
    def test_not_even_after_a_page_that_failed(self) -> None:
        self.client.cookies["timezone"] = "Europe/Berlin"
        self.client.raise_request_exception = False
        self.assertEqual(self.client.get("/broken").status_code, 500)
        self.assertEqual(timezone.get_current_timezone_name(), "UTC")
