"""The page of links that changed, who sees what of it, and linking them again."""

from django.core.cache import cache

from associations.bulk import tasks
from associations.models import AssociationRequest, BulkRun, RunState
from tests.associations.linking.base import entry_of, run_of
from tests.associations.sweep.base import SweepTestCase
from tests.support import SignedInClient, person


class ChangedTests(SweepTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.admin = SignedInClient(person("admin"))
        self.mine = SignedInClient(self.user)

    def gone(self, count: int, **fields: object) -> list[AssociationRequest]:
        """Links that are gone, beside one that is there."""
        self.entry(900)
        entries = [self.entry(number, **fields) for number in range(count)]
        for entry in entries:
            self.unlink(entry)
        self.sweep_anew()
        cache.clear()
        return entries

    def test_before_anything_was_looked_at(self) -> None:
        self.assertIn("No link was looked at yet", self.admin.get("/changed/").text)

    def test_where_all_is_there(self) -> None:
        self.gone(0)
        page = self.admin.get("/changed/").text
        self.assertIn("was there when last looked at", " ".join(page.split()))
        self.assertNotIn('href="/changed/"', page)

    def test_one_that_is_gone(self) -> None:
        (entry,) = self.gone(1)
        page = self.admin.get("/changed/").text
        for part in ("Contact 1000001", "gone", "not linked any more", self.user.name,
                     "from_object_id=1000001", entry.get_absolute_url()):  # fmt: skip
            self.assertIn(part, page)
        self.assertIn("1 link has changed since", page)
        own = self.admin.get(entry.get_absolute_url()).text
        self.assertIn("The records are not linked any more.", own)
        self.assertIn("daily look", own)
        listed = self.admin.get("/audit/?seen=changed").text
        self.assertIn("Contact 1000001", listed)
        self.assertNotIn("Contact 1000901", listed)

    def test_others_see_none_of_it(self) -> None:
        (entry,) = self.gone(1)
        self.assertIn(entry.get_absolute_url(), self.mine.get("/changed/").text)
        other, check = SignedInClient(person("another", "support")), entry.checks.get().pk
        self.assertNotIn(entry.get_absolute_url(), other.get("/changed/").text)
        for address in (f"/changed/{check}/", f"/changed/{check}/again/"):
            self.assertEqual(other.get(address).status_code, 404)
            self.assertIn(self.mine.get(address).status_code, (200, 302))

    def test_what_was_linked_again_is_no_change_any_more(self) -> None:
        self.gone(1)
        self.entry()
        self.assertNotIn("Contact 1000001", self.admin.get("/changed/").text)

    def test_many_of_a_run_are_one_row(self) -> None:
        run = run_of(self.user, name="contacts.csv", linked=3)
        entries = self.gone(3, run=run)
        page = self.admin.get("/changed/").text
        self.assertIn(f"All 3 links of run {run.pk} “contacts.csv”", page)
        self.assertNotIn("Contact 1000001", page)
        newest = entries[-1].checks.get()
        opened = self.admin.get(f"/changed/{newest.pk}/").text
        for entry in entries:
            self.assertIn(f"Contact {entry.from_object_id}", opened)

    def test_linking_many_again_stages_a_run(self) -> None:
        self.gone(1, from_object_type="tickets", from_object_id="4000001")
        entries = self.gone(4, reason='SUP-1, "x"')
        check = entries[-1].checks.get()
        answer = self.mine.post(f"/changed/{check.pk}/again/")
        run = BulkRun.objects.get()
        self.assertEqual((answer.status_code, answer["Location"]), (302, run.get_absolute_url()))
        tasks.work()
        run.refresh_from_db()
        self.assertEqual((run.state, run.rows_ready), (RunState.READY, 4))
        self.assertEqual({row.reason for row in run.rows.all()}, {'SUP-1, "x"'})
        self.assertEqual(self.puts(), [])

    def test_what_linking_again_does_not_help_has_no_button(self) -> None:
        entry, _other = self.entry(), self.entry(1)
        self.delete("contacts", entry.from_object_id, entry)
        self.sweep()
        page = self.admin.get("/changed/").text
        self.assertIn("Contact 1000001 was deleted or archived in HubSpot", page)
        self.assertNotIn("Link again", page)
        self.admin.post(f"/changed/{entry.checks.get().pk}/again/")
        self.assertFalse(BulkRun.objects.exists())

    def test_what_was_undone_since_is_no_change_any_more(self) -> None:
        (entry,) = self.gone(1)
        ends = {name: getattr(entry, name) for name in ("from_object_id", "to_object_id")}
        entry_of(self.user, undoes=entry, outcome="unlinked", cause="seen_gone", **ends)
        self.assertNotIn(entry.get_absolute_url(), self.admin.get("/changed/").text)

    def test_what_is_old_is_not_listed(self) -> None:
        (entry,) = self.gone(1)
        with self.settings(SWEEP_DAYS=0):
            self.assertNotIn(entry.get_absolute_url(), self.admin.get("/changed/").text)
