"""No sentence claims what nobody knows at the moment at which it is read."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from unittest import mock

from django.utils import timezone

from associations.models import AssociationAttempt, AssociationRequest
from associations.texts.outcomes import explain
from tests.associations.linking.base import PageTestCase, entry_of, run_of


class WaitTests(PageTestCase):
    def told(self, seconds_ago: float, headers: dict[str, str], cause: str = "rate_limited") -> str:
        now = timezone.now()
        ended = now - timedelta(seconds=seconds_ago)
        entry = entry_of(self.user, cause=cause, outcome="rejected", finished_at=ended)
        AssociationAttempt.objects.create(
            request=entry, number=1, started_at=ended, duration_ms=9, http_status=429,
            headers=headers,
        )  # fmt: skip
        with mock.patch.object(timezone, "now", lambda: now):
            return explain(entry).next_step

    def test_what_is_left_of_the_wait(self) -> None:
        for ago, asked, told in (
            (0, "30", "Link them again in 30 seconds."),
            (4, "30", "Link them again in 26 seconds."),
            (100, "400", "Link them again in 5 minutes."),
            (29, "30", "Link them again in 1 second."),
            (30, "30", "Link them again."),
            (86400, "30", "Link them again."),
            (-3, "30", "Link them again in 30 seconds."),  # a clock that was set back
        ):
            with self.subTest(ago, asked=asked):
                self.assertEqual(self.told(ago, {"Retry-After": asked}), told)

    def test_what_is_left_until_a_date(self) -> None:
        ended = timezone.now() - timedelta(minutes=6)
        until = format_datetime(ended + timedelta(minutes=10))
        self.assertIn(
            self.told(6 * 60, {"Retry-After": until}, "migrating"),
            ("Link them again in 4 minutes.", "Link them again in 5 minutes."),
        )

    def test_how_long_it_moves_the_data_only_hubspot_knows(self) -> None:
        for headers in ({}, {"Retry-After": "soon"}):
            told = self.told(1, headers, "migrating")
            self.assertEqual(told, "Link them again later; HubSpot does not say when.")
        told = self.told(1, {"Retry-After": "61"}, "migrating")
        self.assertEqual(told, "Link them again in 60 seconds.")

    def test_whose_midnight_it_is(self) -> None:
        entry = entry_of(self.user, cause="daily_limit", outcome="rejected")
        self.assertNotIn("tomorrow", explain(entry).next_step)
        self.assertIn("midnight in the time zone of the HubSpot account", explain(entry).next_step)


class SentenceTests(PageTestCase):
    def entry(self, **fields: Any) -> AssociationRequest:
        return entry_of(self.user, **fields)

    def test_what_was_not_sent_awaits_no_answer(self) -> None:
        waiting = {"outcome": "queued", "cause": "", "sent_at": None, "finished_at": None}
        entry = self.entry(run=run_of(self.user, state="paused"), row_number=1, **waiting)
        page = self.client.get(entry.get_absolute_url())
        self.assertNotContains(page, "answer is awaited")
        self.assertContains(page, "This page refreshes itself")

    def test_what_will_never_be_sent_is_not_to_come(self) -> None:
        ended = {"outcome": "canceled", "cause": "not_sent", "sent_at": None}
        entry = self.entry(run=run_of(self.user), row_number=1, **ended)
        page = self.client.get(entry.get_absolute_url()).content.decode()
        self.assertRegex(page, r"<dt>Sent</dt>\s*<dd>never</dd>")

    def test_not_every_answer_was_yes(self) -> None:
        for cause in ("partly_failed", "unreadable", "confirmed"):
            entry = self.entry(cause=cause, outcome="unconfirmed", unverified_cause="hubspot_down")
            told = explain(entry).verification
            self.assertEqual(told, "It was not verified: HubSpot is not available at the moment.")

    def test_not_every_link_had_an_answer(self) -> None:
        for cause in ("timed_out", "connection_lost", "interrupted"):
            seen = {"verified": True, "verified_at": timezone.now()}
            entry = self.entry(cause=cause, outcome="unreachable", **seen)
            self.assertIn("no answer of HubSpot's proved it", explain(entry).sentence)

    def test_what_was_locked_is_not_told(self) -> None:
        entry = self.entry(cause="locked", outcome="rejected")
        self.assertNotIn("one of the records", explain(entry).sentence)
