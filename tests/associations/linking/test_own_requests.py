"""My requests: what was sent by hand, each run as one line, and the search in all of it."""

import re
from datetime import timedelta

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext, override_script_prefix
from django.urls import reverse
from django.utils import timezone

from associations.audit.pagination import PAGE_SIZE
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of, named_entry_of, run_of

NOW = timezone.now()


class OwnTestCase(PageTestCase):
    def run_(self, minutes: int, **fields: object) -> int:
        """A run that was started so long ago; its key in an address."""
        moment = NOW - timedelta(minutes=minutes)
        values = {"started_at": moment, "created_at": moment - timedelta(hours=1)}
        return f"run{run_of(self.user, **values | fields).pk}"

    def entry(self, minutes: int, **fields: object) -> str:
        moment = NOW - timedelta(minutes=minutes)
        return str(entry_of(self.user, created_at=moment, **fields).pk)

    def keys(self, **query: str) -> list[str]:
        return [line.key for line in self.client.get("/requests/", query).context["lines"]]


class ListTests(OwnTestCase):
    def test_a_run_is_one_line_among_what_was_sent_by_hand(self) -> None:
        numbers = {"queued": 266, "rows_read": 266, "linked": 263, "rejected": 3}
        older, run, newer = self.entry(30), self.run_(20, **numbers), self.entry(10)
        of_run = AssociationRequest.objects.get(pk=newer).run_id
        self.assertIsNone(of_run)
        entry_of(self.user, run_id=int(run[3:]), row_number=1)
        self.assertEqual(self.keys(), [newer, run, older])
        page = re.sub(r"\s+", " ", self.client.get("/requests/").content.decode())
        self.assertIn("customers.csv", page)
        self.assertIn("263 linked, 3 not.", page)
        self.assertIn(f'<a class="row-link" href="/bulk/{run[3:]}/">', page)

    def test_nothing_that_is_not_mine_or_was_not_started(self) -> None:
        run_of(self.admin, started_at=NOW)
        run_of(self.user, state="ready")
        entry_of(self.admin)
        self.assertContains(self.client.get("/requests/"), "Every link you ask for is listed here")

    def test_pages_keep_their_meaning_with_runs_of_the_same_moment(self) -> None:
        made = {self.entry(n // 3) for n in range(PAGE_SIZE)}
        made |= {self.run_(n // 3) for n in range(PAGE_SIZE + 5)}
        first = self.keys()
        second = self.keys(before=first[-1])
        third = self.keys(before=second[-1])
        self.assertEqual(list(map(len, (first, second, third))), [PAGE_SIZE, PAGE_SIZE, 5])
        self.assertEqual({*first, *second, *third}, made)
        self.entry(-1)
        self.assertEqual(self.keys(after=second[0]), first)
        self.assertEqual(self.keys(after=third[0]), second)
        for key in (first[-1], second[-1]):
            page = self.client.get("/requests/", {"before": key})
            self.assertContains(page, "Newest")
        self.assertNotContains(page, "Older")

    def test_odd_places_are_none(self) -> None:
        made = [self.entry(0), self.run_(1)]
        for odd in ("x", "run", "runx", "run0", "run" + "9" * 30, "9" * 30, "-1", "\u0661"):
            self.assertEqual(self.keys(before=odd), made)

    def test_the_number_of_queries_does_not_grow(self) -> None:
        self.entry(0), self.run_(1)
        self.client.get("/requests/")  # for some seconds nothing is abandoned then
        with CaptureQueriesContext(connection) as few:
            self.client.get("/requests/")
        for n in range(9):
            self.run_(n), self.entry(n)
            named_entry_of(self.user, "Ada", "Analytical")
        with self.assertNumQueries(len(few)):
            self.client.get("/requests/")

    def test_names_lead_and_the_pair_is_not_repeated(self) -> None:
        named_entry_of(self.user, "Ada Byron", "Analytical Ltd")
        page = self.client.get("/requests/")
        self.assertContains(page, "<bdi>Ada Byron</bdi>", count=1)
        self.assertNotContains(page, "is now linked")

    def test_what_others_wrote_is_escaped_once(self) -> None:
        odd, shown = "<script>&amp;'", "<bdi>&lt;script&gt;&amp;amp;&#x27;</bdi>"
        named_entry_of(self.user, odd, odd, reason=odd)
        self.entry(0, from_object_type="p_<i>", outcome="rejected", cause="refused")
        # Beside the form the pair stands once more, for who does not see the line above.
        for address, count in (("/requests/", 3), ("/", 5), ("/latest/", 5)):
            page = self.client.get(address)
            self.assertContains(page, shown, count=count)
            self.assertNotContains(page, "<script>&")
            self.assertNotContains(page, "<i>")

    def test_where_its_pages_are_if_not_at_the_top(self) -> None:
        entry = entry_of(self.user)
        for prefix in ("/", "/sub/", "/"):
            with override_script_prefix(prefix):
                self.assertEqual(entry.get_absolute_url(), f"{prefix}requests/{entry.pk}/")
                self.assertEqual(entry.get_absolute_url(), reverse("request", args=[entry.pk]))


class CountTests(OwnTestCase):
    def told(self) -> str:
        page = self.client.get("/requests/").content.decode()
        return re.sub(r"<[^>]+>|\s+", " ", page).replace("  ", " ")

    def test_of_today_and_in_all_with_what_runs_have_counted(self) -> None:
        long_ago = 60 * 24 * 3
        counted = {"queued": 7, "rows_read": 7, "linked": 4, "rejected": 1, "unreachable": 2}
        self.run_(0, **counted)
        self.run_(long_ago, **counted)
        self.entry(0), self.entry(0, outcome="rejected", cause="refused"), self.entry(long_ago)
        told = " ".join(self.told().split())
        self.assertIn("Today: 5 linked, 2 not, 2 perhaps. In all: 17 entries.", told)

    def test_nothing_is_said_of_a_day_without_any(self) -> None:
        self.entry(60 * 24 * 3)
        self.assertNotIn("Today:", self.told())


class SearchTests(OwnTestCase):
    def found(self, words: str, **fields: str) -> list[str]:
        page = self.client.post("/requests/", {"words": words} | fields)
        self.assertEqual(page.status_code, 200)
        return [line.key for line in page.context["lines"]]

    def test_by_record_reason_and_file(self) -> None:
        run = self.run_(9)
        by_hand = self.entry(1, reason="Ticket 4711")
        of_run = self.entry(2, run_id=int(run[3:]), row_number=1, from_object_id="77")
        self.entry(3, from_object_id="88", to_object_id="89")
        entry_of(self.admin, reason="Ticket 4711")
        for words, keys in (
            ("501", [by_hand]),
            ("contact 501", [by_hand]),
            ("company 501", []),
            ("ticket 4711", [by_hand]),
            ("4711", [by_hand]),
            ("77", [of_run]),
            ("https://app.hubspot.com/contacts/4242/record/0-1/77", [of_run]),
            ("customers", [run]),
            ("%", []),
            ('"', []),
        ):
            with self.subTest(words):
                self.assertEqual(self.found(words), keys)

    def test_by_what_records_are_called_or_were_found_by(self) -> None:
        entry = named_entry_of(self.user, "Ada Byron", "Analytical Ltd", "ada@example.com")
        named_entry_of(self.admin, "Ada Byron", "Analytical Ltd", "ada@example.com")
        self.entry(0)
        for words in (
            "ada byron",
            "Byron",
            "ANALYTICAL",
            "ada@example.com",
            "mailto:ada@example.com",
        ):
            with self.subTest(words):
                self.assertEqual(self.found(words), [str(entry.pk)])
        self.assertEqual(self.found("Babbage"), [])

    def test_what_is_found_in_two_ways_is_there_once_and_paged(self) -> None:
        made = [self.entry(n, reason="about 501") for n in range(PAGE_SIZE + 3)]
        first = self.found("501")
        self.assertEqual(first, made[:PAGE_SIZE])
        page = self.client.post("/requests/", {"words": "501"})
        self.assertContains(page, f"{PAGE_SIZE + 3} found.")
        self.assertEqual(self.found("501", before=first[-1]), made[PAGE_SIZE:])
        self.assertEqual(self.found("501", after=made[PAGE_SIZE]), first)

    def told(self, words: str, **fields: str) -> str:
        page = self.client.post("/requests/", {"words": words} | fields).content.decode()
        return " ".join(re.sub(r"<[^>]+>", " ", page).split())

    def test_what_is_found_are_entries_and_runs(self) -> None:
        self.run_(1, name="Ada.csv")
        self.assertIn("1 found.", self.told("Ada"))
        self.entry(2, reason="Ada asked")
        self.assertIn("2 found.", self.told("ada"))
        self.assertNotIn("entries.", self.told("ada"))

    def test_a_page_without_any_does_not_say_that_nothing_was_found(self) -> None:
        self.entry(2, reason="Ada asked")
        for place in ({"before": "0"}, {"after": "9" * 18}):
            told = self.told("ada", **place)
            self.assertIn("1 found.", told)
            self.assertIn("No entries here.", told)
            self.assertNotIn("Nothing that you asked for", told)
        self.assertNotIn("No entries here.", self.told("ada"))

    def test_spaces_marks_and_wide_letters_do_not_matter(self) -> None:
        entry = str(named_entry_of(self.user, "Ada Byron", "Ltd", reason="as asked").pk)
        wide = "\uff21\uff44\uff41"
        for words in ("Ada  Byron", " ada\u200b\u3000byron ", f"{wide} Byron", "as \t asked"):
            self.assertEqual(self.found(words), [entry], words)

    def test_where_no_names_are_kept_none_is_promised(self) -> None:
        self.assertContains(self.client.get("/requests/"), "A name, an e-mail address")
        self.assertNotIn("are not kept here", self.told("nobody"))
        with override_settings(KEEP_RECORD_NAMES=False):
            self.assertNotContains(self.client.get("/requests/"), "A name, an e-mail address")
            self.assertIn("Names of records are not kept here.", self.told("nobody"))

    def test_the_words_stand_in_no_address(self) -> None:
        for n in range(PAGE_SIZE + 3):
            self.entry(n, reason="secretword")
        page = self.client.post("/requests/", {"words": "secretword"}).content.decode()
        self.assertFalse(re.findall(r'(?:href|action)="[^"]*secretword', page))
        self.assertIn('name="before"', page)

    def test_no_words_show_all_and_too_many_are_told(self) -> None:
        self.assertRedirects(self.client.post("/requests/", {"words": " "}), "/requests/")
        page = self.client.post("/requests/", {"words": "x" * 300})
        self.assertContains(page, "at most 200 characters", status_code=422)
        page = self.client.post("/requests/", {"words": "<b>nobody"})
        self.assertContains(page, "was found with “<bdi>&lt;b&gt;nobody</bdi>”.")
