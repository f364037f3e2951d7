"""What is said of clocks: this machine's and HubSpot's, the workers' and the sealers'."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from associations.models import Condition, NoticeEvent, Sealer, Worker
from associations.notices.watch import watch
from associations.status.clocks import hubspot_clock_line, machine_clock_lines
from associations.status.report import Level
from associations.status.token import look_at_hubspot
from tests.associations.notices.base import told
from tests.associations.status.test_views import StatusTestCase

SECOND = timedelta(seconds=1)


@override_settings(HUBSPOT_API_VERSION="2026-09")
class ClockTests(StatusTestCase):
    def hubspot_says(self, date: str | None) -> None:
        self.sandbox.reset()
        for method in ("GET", "POST"):
            self.sandbox.fault(method=method, headers={"Date": date}, times=None)

    def lines(self) -> list[tuple[Level, str, NoticeEvent | None]]:
        found = [hubspot_clock_line(look_at_hubspot()), *machine_clock_lines(timezone.now())]
        return [(line.level, str(line.text), line.event) for line in found]

    def test_this_machines_and_hubspots(self) -> None:
        differs = NoticeEvent.CLOCK_DIFFERS
        for ahead, level, event in (
            *((0, Level.WELL, None), (28, Level.WELL, None), (-28, Level.WELL, None)),
            *((45, Level.WARNING, differs), (-45, Level.WARNING, differs)),
            *((900, Level.WRONG, differs), (-9000, Level.WRONG, differs)),
        ):
            date = datetime.now(UTC) - ahead * SECOND
            self.hubspot_says(format_datetime(date, usegmt=True))
            ((found, text, told),) = self.lines()
            self.assertEqual((found, told), (level, event), ahead)
            if event:
                where = "ahead of" if ahead > 0 else "behind"
                near = (f"is {abs(ahead) + more} seconds {where} HubSpot's" for more in (-1, 0, 1))
                self.assertTrue(any(each in text for each in near), text)

    def test_it_is_compared_even_where_the_token_is_refused(self) -> None:
        date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
        for method in ("GET", "POST"):
            self.sandbox.fault(method=method, status=401, headers={"Date": date}, times=None)
        self.assertEqual([level for level, *_ in self.lines()], [Level.WRONG])
        self.assert_says(self.page(), "seconds ahead of HubSpot's", "Have the clocks set")

    def test_what_tells_no_time_is_not_compared(self) -> None:
        for date in (None, "", "yesterday", "Sun, 99 Nov 2026 10:00:00 GMT", "0"):
            self.hubspot_says(date)
            ((level, text, event),) = self.lines()
            self.assertEqual((level, event), (Level.UNKNOWN, None), date)
            self.assertIn("none is compared", text)

    def test_workers_and_sealers_from_the_future(self) -> None:
        now = timezone.now()
        for model, who in ((Worker, "A worker"), (Sealer, "A sealer")):
            model.objects.create(name="right", seen_at=now - 3 * SECOND)
            other = model.objects.create(name="other", seen_at=now + 20 * SECOND)
            self.assertEqual([level for level, *_ in self.lines()], [Level.WELL])
            for seconds, level in ((50, Level.WARNING), (700, Level.WRONG)):
                model.objects.filter(pk=other.pk).update(seen_at=now + seconds * SECOND)
                own, machine = self.lines()
                self.assertEqual(own[0], Level.WELL)
                self.assertEqual((machine[0], machine[2]), (level, NoticeEvent.CLOCK_DIFFERS))
                self.assertRegex(machine[1], rf"^{who}'s clock is [0-9]+ seconds ahead of this")
            model.objects.all().delete()

    def test_whoever_has_used_up_their_looks_is_told_that(self) -> None:
        with mock.patch("associations.status.sections.look_wait", return_value=30):
            page = self.page()
        self.assertEqual(self.levels(page, "clocks"), ["unknown"])
        self.assertNotContains(page, "none is compared")

    def test_an_answer_without_a_time_does_not_end_a_notice(self) -> None:
        Condition.objects.create(
            event=NoticeEvent.CLOCK_DIFFERS,
            began_at=timezone.now() - 3000 * SECOND,
            seen_at=timezone.now() - 2000 * SECOND,
        )
        self.hubspot_says(None)
        with told("ops json https://ops.example.com"):
            watch()
        self.assertTrue(Condition.objects.filter(event=NoticeEvent.CLOCK_DIFFERS).exists())
