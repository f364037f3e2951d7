"""How long something took: in milliseconds where hundredths of a second would say nothing."""

from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase, override_settings
from django.utils import timezone, translation

from associations.models import AssociationAttempt, AssociationBatch
from associations.templatetags.associations import duration
from tests.associations.linking.base import PageTestCase, entry_of, run_of


class DurationTests(SimpleTestCase):
    def test_in_each_language(self) -> None:
        for seconds, english, japanese in (
            (0.0, "0 ms", "0ミリ秒"),
            (0.004, "4 ms", "4ミリ秒"),
            (0.0994, "99 ms", "99ミリ秒"),
            (0.0996, "0.10 s", "0.10秒"),
            (0.1, "0.10 s", "0.10秒"),
            (0.4, "0.40 s", "0.40秒"),
            (12.345, "12.35 s", "12.35秒"),
            (1234.5, "1,234.50 s", "1,234.50秒"),
        ):
            for language, told in (("en", english), ("ja", japanese)):
                with self.subTest(seconds, language=language), translation.override(language):
                    self.assertEqual(duration(seconds), told)
                    self.assertEqual(duration(timedelta(seconds=seconds)), told)


class PageTests(PageTestCase):
    """Wherever a duration is shown."""

    def test_an_entry(self) -> None:
        at = datetime(2026, 11, 27, 9, tzinfo=UTC)
        for milliseconds, told in ((4, "4 ms"), (67, "67 ms"), (5300, "5.30 s")):
            end = at + timedelta(milliseconds=milliseconds)
            times = {"sent_at": at, "created_at": at, "finished_at": end}
            entry = entry_of(self.user, verified=True, verified_at=end, **times)
            AssociationAttempt.objects.create(
                request=entry, number=1, started_at=at, duration_ms=milliseconds, http_status=200
            )
            for client in (self.client, self.as_admin):
                with self.subTest(told):
                    page = client.get(entry.get_absolute_url()).content.decode()
                    self.assertNotIn("0.00 s", page)
                    self.assertIn(f"after {told}", page)
                    self.assertGreaterEqual(page.count(told), 3)  # and verified, and its attempt

    def test_an_entry_of_a_batch(self) -> None:
        run, now = run_of(self.user), timezone.now()
        types = {"from_object_type": "contacts", "to_object_type": "companies"}
        for milliseconds, told in ((8, "8 ms"), (1500, "1.50 s")):
            batch = AssociationBatch.objects.create(
                run=run, inputs=9, started_at=now, duration_ms=milliseconds, http_status=201,
                cause="confirmed", **types,
            )  # fmt: skip
            entry = entry_of(self.user, run=run, row_number=milliseconds, batch=batch)
            page = self.client.get(entry.get_absolute_url())
            self.assertContains(page, f"<dd>{told}</dd>")

    @override_settings(TIME_ZONE="UTC")
    def test_figures_and_answer_times(self) -> None:
        now = timezone.now()
        end = now + timedelta(milliseconds=3)
        entry = entry_of(self.user, sent_at=now, finished_at=end)
        AssociationAttempt.objects.create(
            request=entry, number=1, started_at=now, duration_ms=3, http_status=200
        )
        for address in ("/audit/figures/", "/status/times/"):
            with self.subTest(address):
                page = self.as_admin.get(address)
                self.assertContains(page, "3 ms")
                self.assertNotContains(page, "0.00 s")
