"""What HubSpot's support is told of one request, and what it is not."""

from datetime import UTC, datetime, timedelta

from django.http import HttpResponse
from django.test import override_settings

from associations.audit.entry_details import support_bundle
from associations.linking import services
from associations.models import AssociationRequest
from hubadmin import __version__
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK

TOKEN = "opaque/se+cret=="
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# Whatever says who asked, why, and from where.
PRIVATE = {
    "user_name": "Name-of-the-person",
    "user_email": "person@private.test",
    "reason": "Reason-of-the-person",
    "client_ip": "203.0.113.77",
    "user_agent": "Browser-of-the-person",
    "request_id": "request-of-the-person",
}


class TextTests(PageTestCase):
    def entry(self, **fields: object) -> AssociationRequest:
        values = PRIVATE | {
            "outcome": "rejected",
            "cause": "refused",
            "http_status": 400,
            "status": "error",
            "error_category": "VALIDATION_ERROR",
            "error_text": "No such thing",
            "correlation_id": "7c9e-correlation",
            "requested_at": NOON + timedelta(seconds=0.5),
            "started_at": NOON + timedelta(seconds=1),
            "completed_at": NOON + timedelta(seconds=2),
        }
        entry = entry_of(self.user, **(values | fields))
        entry.attempts.create(
            number=1, started_at=NOON, duration_ms=1203, failure="timed_out", detail="ReadTimeout"
        )
        entry.attempts.create(
            number=2,
            started_at=NOON + timedelta(seconds=2),
            duration_ms=88,
            http_status=400,
            headers={"Content-Type": "application/json", "X-HubSpot-Any": "1"},
            body='{"message": "No such thing",\n "correlationId": "7c9e-correlation"}',
        )
        return entry

    def test_everything_that_they_ask_for(self) -> None:
        entry = self.entry()
        expected = f"""\
hubadmin {__version__}, entry {entry.pk}: rejected

Request
  PUT https://api.hubapi.com/crm/v4/objects/contacts/501/associations/default/companies/902
  Authorization: Bearer [redacted]
  Accept: application/json
  (no body)

Answer
  correlationId: 7c9e-correlation
  HTTP status: 400
  status: error
  category: VALIDATION_ERROR
  message: No such thing
  requestedAt: 2026-11-24T12:00:00.500000Z
  startedAt: 2026-11-24T12:00:01.000000Z
  completedAt: 2026-11-24T12:00:02.000000Z

Attempt 1
  started 2026-11-24T12:00:00.000000Z, took 1203 ms
  timed_out: ReadTimeout

Attempt 2
  started 2026-11-24T12:00:02.000000Z, took 88 ms
  HTTP 400
  Content-Type: application/json
  X-HubSpot-Any: 1

  {{"message": "No such thing",
   "correlationId": "7c9e-correlation"}}
"""
        self.assertEqual(support_bundle(entry, "https://api.hubapi.com/"), expected)

    def test_nothing_of_who_asked_or_why(self) -> None:
        text = support_bundle(self.entry(), "https://api.hubapi.com")
        self.assertEqual([name for name, value in PRIVATE.items() if value in text], [])
        for value in PRIVATE.values():
            self.assertContains(self.as_admin.get(self.entry().get_absolute_url()), value)

    def test_the_path_is_that_of_its_version(self) -> None:
        for version, start in (
            ("v4", "/crm/v4/objects/contacts/"),
            ("2026-03", "/crm/objects/2026-03/contacts/"),
            ("2026-09", "/crm/objects/2026-09/contacts/"),
        ):
            text = support_bundle(self.entry(api_version=version), "https://hubspot.test")
            self.assertIn(f"  PUT https://hubspot.test{start}501/", text)

    @override_settings(HUBSPOT_API_VERSION="2026-09")
    def test_the_path_is_the_one_that_was_asked(self) -> None:
        entry = services.create_association(user=self.user, **LINK)
        self.assertIn(f"{self.sandbox.url}{self.puts()[0]}\n", self.text(entry))

    @override_settings(HUBSPOT_ACCESS_TOKEN=TOKEN)
    def test_the_token_is_nowhere(self) -> None:
        self.sandbox.fault(
            status=400,
            body={"message": f"{TOKEN} is no good", "correlationId": TOKEN},
            headers={"X-HubSpot-Echo": f"Bearer {TOKEN}"},
        )
        text = self.text(services.create_association(user=self.user, **LINK))
        self.assertNotIn("se+cret", text)
        self.assertIn("[redacted] is no good", text)

    def test_an_entry_that_is_still_open(self) -> None:
        entry = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        self.assertTrue(self.text(entry).endswith("\nAnswer\n"))

    def text(self, entry: AssociationRequest) -> str:
        return self.as_admin.get(f"{entry.get_absolute_url()}support-bundle.txt").content.decode()


class PageTests(PageTestCase):
    def bundle_of(self, entry: AssociationRequest) -> HttpResponse:
        return self.as_admin.get(f"{entry.get_absolute_url()}support-bundle.txt")

    def with_bodies(self, *sizes: int) -> AssociationRequest:
        entry = entry_of(self.user, body="x" * min(64 * 1024, sizes[-1]))
        for number, size in enumerate(sizes, start=1):
            entry.attempts.create(number=number, started_at=NOON, duration_ms=1, body="x" * size)
        return entry

    def test_the_download(self) -> None:
        entry = entry_of(self.user)
        answer = self.bundle_of(entry)
        self.assertEqual(answer["Content-Type"], "text/plain; charset=utf-8")
        name = f"hubadmin-entry-{entry.pk}.txt"
        self.assertEqual(answer["Content-Disposition"], f'attachment; filename="{name}"')
        self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
        self.assertIn("no-store", answer["Cache-Control"])

    def test_only_admins_get_it_even_of_ones_own_entry(self) -> None:
        entry = entry_of(self.user)
        self.assertEqual(
            self.client.get(f"/requests/{entry.pk}/support-bundle.txt").status_code, 403
        )
        self.assertEqual(self.as_admin.get("/requests/99999/support-bundle.txt").status_code, 404)

    def test_the_page_has_the_same_text(self) -> None:
        entry = self.with_bodies(20)
        page = self.as_admin.get(entry.get_absolute_url())
        self.assertEqual(page.context["bundle"], self.bundle_of(entry).content.decode())
        self.assertContains(page, 'data-copy="bundle"')
        self.assertContains(page, f"{entry.get_absolute_url()}support-bundle.txt")

    def test_what_is_large_is_in_the_file_and_not_on_the_page(self) -> None:
        entry = self.with_bodies(65_000, 65_000)
        page = self.as_admin.get(entry.get_absolute_url())
        self.assertNotContains(page, 'data-copy="bundle"')
        self.assertContains(page, "support-bundle.txt")
        self.assertEqual(self.bundle_of(entry).content.count(b"x" * 65_000), 2)

    def test_the_largest_answers_make_the_page_no_larger_than_it_is_for_everybody(self) -> None:
        entry = self.with_bodies(2**20, 2**20, 2**20)
        everybodys, admins = (
            len(client.get(entry.get_absolute_url()).content)
            for client in (self.client, self.as_admin)
        )
        self.assertLess(admins - everybodys, 10_000)
        self.assertGreater(len(self.bundle_of(entry).content), 3 * 2**20)
