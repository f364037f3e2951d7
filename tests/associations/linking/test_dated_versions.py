"""Everything that asks HubSpot, with a HubSpot that has nothing but one dated version any more."""

from django.test import override_settings

from associations.bulk import services, tasks
from associations.models import AssociationRequest, BulkRun, RunState
from tests.associations.bulk.engine import EngineTestCase, row
from tests.associations.linking.base import PageTestCase
from tests.support import LINK

PAIR = {"from_object_type": "Contact", "from_object_id": "501"} | {
    "to_object_type": "Company",
    "to_object_id": "902",
}


class March:
    sandbox_version = api_version = "2026-03"

    def setUp(self) -> None:
        self.enterContext(override_settings(HUBSPOT_API_VERSION=self.api_version))
        super().setUp()

    def assert_all_answered(self) -> None:
        asked = {(each["path"], each["status"]) for each in self.sandbox.requests}
        self.assertEqual({path for path, status in asked if status == 404}, set())


class MarchPageTests(March, PageTestCase):
    def test_the_form_an_entry_and_the_status(self) -> None:
        self.client.get("/")
        preview = self.client.post("/preview/", PAIR, headers={"HX-Request": "true"})
        self.assertContains(preview, "Ada Byron")
        page = self.client.post("/", LINK, follow=True)
        self.assertContains(page, "linked")
        undo = f"{AssociationRequest.objects.get().get_absolute_url()}undo/"
        page = self.client.post(undo, {"reason": "wrong"}, follow=True)
        self.assertContains(page, "no longer linked")
        attempt = AssociationRequest.objects.latest("pk").attempts.get()
        self.assertEqual((attempt.call, attempt.http_status), ("archive", 200))
        status = self.as_admin.get("/status/")
        self.assertContains(status, "It is for portal 4242.")
        self.assertContains(status, "of 625,000 calls are left")
        self.assert_all_answered()


@override_settings(HUBSPOT_VERIFY=True)
class MarchRunTests(March, EngineTestCase):
    def test_a_run_from_its_dry_run_to_its_end(self) -> None:
        run = self.uploaded(*map(row, range(12)))
        tasks.work(run.pk)
        run.refresh_from_db()
        self.assertEqual((run.state, run.rows_looked_up), (RunState.READY, 12))
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        tasks.work(run.pk)
        self.assertEqual(BulkRun.objects.get(pk=run.pk).linked, 12)
        self.assert_all_answered()


class SeptemberPageTests(MarchPageTests):
    sandbox_version = api_version = "2026-09"


class SeptemberRunTests(MarchRunTests):
    sandbox_version = api_version = "2026-09"
