"""What happened to one entry, moment by moment, by two clocks."""

from datetime import UTC, datetime, timedelta

from django.test import TestCase

from associations.audit.entry_details import timeline
from associations.models import AssociationRequest
from tests.associations.linking.base import entry_of
from tests.support import person

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class TimelineTests(TestCase):
    def entry(self, *attempts: float, **fields: object) -> AssociationRequest:
        """An entry of noon, with attempts that started so many seconds later."""
        times = {"created_at": NOON, "sent_at": NOON, "finished_at": at(2)}
        entry = entry_of(person(), **(times | fields))
        for number, seconds in enumerate(attempts, start=1):
            entry.attempts.create(number=number, started_at=at(seconds), duration_ms=1)
        return entry

    def told(self, entry: AssociationRequest) -> list[tuple[float | None, str]]:
        return [(moment.offset, moment.what) for moment in timeline(entry)]

    def test_both_clocks_in_the_order_of_their_times(self) -> None:
        entry = self.entry(0.1, 1.2, requested_at=at(1.3), started_at=at(1.4), completed_at=at(1.5))
        self.assertEqual(
            self.told(entry),
            [
                (0.0, "Written to the log"),
                (0.1, "Attempt 1"),
                (1.2, "Attempt 2"),
                (1.3, "HubSpot: requested"),
                (1.4, "HubSpot: started"),
                (1.5, "HubSpot: completed"),
                (2.0, "Closed: linked"),
            ],
        )

    def test_what_was_seen_afterwards(self) -> None:
        for verified, what in ((True, "Looked up: linked"), (False, "Looked up: not linked")):
            entry = self.entry(0.1, verified=verified, verified_at=at(1))
            self.assertIn((1.0, what), self.told(entry))

    def test_whose_clock_tells(self) -> None:
        entry = self.entry(0.1, requested_at=at(1), started_at=at(1), completed_at=at(1))
        for moment in timeline(entry):
            self.assertEqual(moment.by_hubspot, moment.what.startswith("HubSpot"), moment.what)

    def test_a_clock_that_is_behind_stands_before_our_own(self) -> None:
        entry = self.entry(0.1, started_at=at(-0.25), completed_at=at(90))
        first, *_, last = self.told(entry)
        self.assertEqual(first, (-0.25, "HubSpot: started"))
        self.assertEqual(last, (90.0, "HubSpot: completed"))

    def test_moments_of_the_same_time_keep_their_natural_order(self) -> None:
        entry = self.entry(0, requested_at=NOON, completed_at=NOON, finished_at=NOON)
        expected = ["Written to the log", "Attempt 1", "HubSpot: requested"]
        expected += ["HubSpot: completed", "Closed: linked"]
        self.assertEqual([what for _, what in self.told(entry)], expected)

    def test_sent_is_a_moment_of_its_own_only_if_it_was_later(self) -> None:
        self.assertNotIn("Sent", dict(self.told(self.entry())).values())
        waited = self.told(self.entry(created_at=at(-30)))
        self.assertEqual(waited[:2], [(-30.0, "Written to the log"), (0.0, "Sent")])

    def test_what_has_not_happened_is_not_there(self) -> None:
        entry = self.entry(outcome="sending", cause="", finished_at=None)
        self.assertEqual(self.told(entry), [(0.0, "Written to the log")])
        queued = self.entry(outcome="queued", cause="", sent_at=None, finished_at=None)
        self.assertEqual(self.told(queued), [(0.0, "Written to the log")])

    def test_an_attempt_brings_its_row(self) -> None:
        entry = self.entry(0.1, 1.2)
        attempts = [moment.attempt for moment in timeline(entry) if moment.attempt]
        self.assertEqual(attempts, list(entry.attempts.all()))

    def test_one_that_came_late_stands_after_the_closing(self) -> None:
        entry = self.entry(0.1)
        entry.attempts.create(number=2, started_at=at(3), duration_ms=1, late=True)
        self.assertEqual(self.told(entry)[-2:], [(2.0, "Closed: linked"), (3.0, "Attempt 2")])
