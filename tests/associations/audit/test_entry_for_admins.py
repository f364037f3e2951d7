"""What an entry's page tells admins besides: both clocks, the same pair, a text for HubSpot."""

import re
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from associations.linking.views import OF_THE_PAIR
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import SignedInClient, have_pages_close_abandoned, know_of_no_changes

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REVERSED = {
    "from_object_type": "companies",
    "from_object_id": "902",
    "to_object_type": "contacts",
    "to_object_id": "501",
}
# What only admins are told.
THEIRS = (
    *("Timeline", "By HubSpot", "Since sending", "The same two records", "support-bundle"),
    *("For HubSpot's support", "its log", "Request id", "203.0.113.9", "Browser-of-theirs"),
)


class EntryTestCase(PageTestCase):
    def at(self, seconds: float, **fields: object) -> AssociationRequest:
        moment = NOON + timedelta(seconds=seconds)
        times = {"created_at": moment, "sent_at": moment, "finished_at": moment}
        return entry_of(self.user, **(times | fields))

    def page(self, entry: AssociationRequest, client: SignedInClient | None = None) -> HttpResponse:
        return (client or self.as_admin).get(entry.get_absolute_url())


class PairTests(EntryTestCase):
    def around(self, entry: AssociationRequest) -> tuple[list[int], list[int]]:
        context = self.page(entry).context
        return [e.pk for e in context["later"]], [e.pk for e in context["earlier"]]

    def test_earlier_and_later_ones_in_both_directions(self) -> None:
        first, second = self.at(1), self.at(2, **REVERSED)
        entry = self.at(3)
        third, fourth = self.at(4, **REVERSED), self.at(5)
        self.assertEqual(self.around(entry), ([fourth.pk, third.pk], [second.pk, first.pk]))
        self.assertEqual(self.around(second), ([fourth.pk, third.pk, entry.pk], [first.pk]))
        page = self.page(entry)
        links = re.findall(
            r'visually-hidden">(later|earlier): </span><a href="([^"]+)"', str(page.content)
        )
        later = [("later", each.get_absolute_url()) for each in (fourth, third)]
        earlier = [("earlier", each.get_absolute_url()) for each in (second, first)]
        self.assertEqual(links, later + earlier)

    def test_other_records_are_no_part_of_it(self) -> None:
        entry = self.at(1)
        self.at(2, to_object_id="903")
        self.at(3, to_object_type="deals")
        self.at(4, from_object_id="902", to_object_id="501")  # the ids exchanged, but not the types
        self.assertEqual(self.around(entry), ([], []))
        self.assertNotContains(self.page(entry), "The same two records")

    def test_by_whomever(self) -> None:
        entry = self.at(1)
        other = entry_of(self.admin, created_at=NOON + timedelta(seconds=2))
        self.assertEqual(self.around(entry), ([other.pk], []))
        self.assertContains(self.page(entry), '<span class="muted"><bdi>Admin</bdi></span>')

    def test_of_many_the_nearest(self) -> None:
        entries = [self.at(seconds).pk for seconds in range(2 * OF_THE_PAIR + 5)]
        middle = OF_THE_PAIR + 2
        later, earlier = self.around(AssociationRequest.objects.get(pk=entries[middle]))
        self.assertEqual(later, entries[middle + 1 : middle + 1 + OF_THE_PAIR][::-1])
        self.assertEqual(earlier, entries[middle - OF_THE_PAIR : middle][::-1])

    def test_those_of_the_same_moment_are_told_apart(self) -> None:
        one, two, three = (self.at(1) for _ in range(3))
        self.assertEqual(self.around(two), ([three.pk], [one.pk]))


class TimelineTests(EntryTestCase):
    def test_moments_stand_under_the_clock_that_tells_them(self) -> None:
        entry = self.at(0, finished_at=NOON + timedelta(seconds=2), started_at=NOON)
        entry.attempts.create(
            number=1, started_at=NOON + timedelta(seconds=0.1), duration_ms=95, http_status=200
        )
        text = self.page(entry).content.decode()
        table = text[text.index('<table class="timeline">') :]
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table[: table.index("</table>")], re.S)[1:]
        found = []
        for row in rows:
            offset, what, ours, theirs = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
            found.append((offset, "<time" in ours, "<time" in theirs, what.split(":")[0].strip()))
        expected = [
            ("+0.000 s", True, False, "Written to the log"),
            ("+0.000 s", False, True, "HubSpot"),
            ("+0.100 s", True, False, "Attempt 1"),
            ("+2.000 s", True, False, "Closed"),
        ]
        self.assertEqual(found, expected)
        self.assertContains(self.page(entry), "took 95 ms")

    def test_an_attempt_that_came_late_says_so(self) -> None:
        entry = self.at(0)
        entry.attempts.create(number=1, started_at=NOON, duration_ms=1, body="late body", late=True)
        self.assertContains(self.page(entry), "came after the entry had been closed")
        self.assertContains(self.page(entry), "late body")

    def test_an_entry_that_is_open_has_a_page_as_well(self) -> None:
        self.at(-1)
        entry = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        page = self.page(entry)
        self.assertContains(page, "No attempt has ended yet")
        self.assertContains(page, "The same two records")
        self.assertTrue(page.has_header("Refresh"))


class SupportTests(EntryTestCase):
    def test_they_see_the_page_without_any_of_it(self) -> None:
        self.at(0)
        entry = self.at(1, client_ip="203.0.113.9", user_agent="Browser-of-theirs")
        entry.attempts.create(number=1, started_at=NOON, duration_ms=95, http_status=200)
        admins, theirs = self.page(entry), self.page(entry, self.client)
        for text in THEIRS:
            self.assertContains(admins, text)
            self.assertNotContains(theirs, text)
        for text in ("<h2>Attempts</h2>", "95 ms", "<summary>Details</summary>", "Contact 501"):
            self.assertContains(theirs, text)
        self.assertNotIn("timeline", theirs.context)

    def test_they_do_not_learn_what_others_asked_of_the_pair(self) -> None:
        entry = self.at(0)
        other = entry_of(self.admin, created_at=NOON)
        self.assertNotContains(self.page(entry, self.client), other.get_absolute_url())


class QueryTests(EntryTestCase):
    def queries(self, entry: AssociationRequest, client: SignedInClient) -> int:
        know_of_no_changes()
        have_pages_close_abandoned()
        with CaptureQueriesContext(connection) as found:
            self.assertEqual(self.page(entry, client).status_code, 200)
        return len(found)

    def test_their_number_grows_neither_with_the_pair_nor_with_the_attempts(self) -> None:
        entry = self.at(0)
        before = [self.queries(entry, client) for client in (self.client, self.as_admin)]
        for number in range(1, 8):
            self.at(number, **REVERSED)
            self.at(-number)
            entry.attempts.create(number=number, started_at=NOON, duration_ms=1, http_status=503)
        after = [self.queries(entry, client) for client in (self.client, self.as_admin)]
        self.assertEqual(before, after)
        # The earlier ones, and the later; and two about undoing, which is too late for others.
        self.assertEqual(after[1] - after[0], 4)
