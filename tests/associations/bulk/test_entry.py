"""The page of an entry that was part of a bulk run."""

import json

from django.utils import timezone

from associations.models import AssociationBatch, AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of, run_of


def result(from_id: str, to_id: str, type_id: int) -> dict[str, object]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec}


RESULTS = [
    result("501", "902", 279),
    result("902", "501", 280),
    result("77", "902", 4279),
    result("902", "77", 4280),
]


class BatchEntryTests(PageTestCase):
    def entry(self, body: str) -> AssociationRequest:
        run = run_of(self.user)
        batch = AssociationBatch.objects.create(
            run=run,
            from_object_type="contacts",
            to_object_type="companies",
            inputs=2000,
            started_at=timezone.now(),
            duration_ms=812,
            http_status=201,
            headers={"x-hubspot-correlation-id": "abc-1"},
            body=body,
            cause="confirmed",
        )
        return entry_of(self.user, run=run, row_number=17, batch=batch)

    def test_its_run_its_call_and_its_own_results_of_the_call(self) -> None:
        entry = self.entry(json.dumps({"status": "COMPLETE", "results": RESULTS}))
        for client in (self.client, self.as_admin):
            page = client.get(entry.get_absolute_url())
            self.assertContains(page, f'href="/bulk/{entry.run_id}/"')
            self.assertContains(page, "row 17")
            self.assertContains(page, "It went out with 1,999 other pairs in one call.")
            self.assertContains(page, "0.81 s")
            for type_id, is_own in (("279", True), ("280", True), ("4279", False)):
                self.assertEqual(f"<code>{type_id}</code>" in page.content.decode(), is_own)
            self.assertNotContains(page, "ended that the log knows of")

    def test_an_answer_that_cannot_be_read_shows_none(self) -> None:
        for body in (
            "",
            '{"results": [{"from"',
            "[]",
            '{"results": "x"}',
            '{"results": [1, null]}',
        ):
            with self.subTest(body):
                page = self.client.get(self.entry(body).get_absolute_url())
                self.assertNotContains(page, "<h2>Links</h2>")

    def test_the_support_bundle_has_the_call_and_nothing_of_other_pairs(self) -> None:
        entry = self.entry(json.dumps({"results": RESULTS}))
        text = self.as_admin.get(f"{entry.get_absolute_url()}support-bundle.txt").content.decode()
        self.assertIn("Batch of 2000: POST .../contacts/companies/batch/associate/default", text)
        self.assertIn("x-hubspot-correlation-id: abc-1", text)
        self.assertNotIn("4279", text)
