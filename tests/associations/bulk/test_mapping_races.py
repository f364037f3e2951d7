"""What becomes of a file's rows where several read it, or somebody chooses anew in between."""

from associations.audit.recorder import RequestMeta
from associations.bulk import mapping, services, staging
from associations.models import BulkRun, RunState
from tests.associations.bulk.test_mapping import FileTestCase
from tests.support import SignedInClient, person

LINES = "".join(f"{501 + n};{9002 + n};x\n" for n in range(1200))
KNOWN = "contact id;company id;reason\n"
SWAPPED = ["to_object_id:deals", "from_object_id:tickets", ""]


class SliceTests(FileTestCase):
    def uploaded(self, content: str) -> BulkRun:
        return services.create(
            user=self.user, meta=RequestMeta(), name="x.csv", parts=[content.encode()], way="batch"
        )

    def test_a_process_that_read_a_part_before_it_was_said_anew_takes_nothing_up(self) -> None:
        run = self.uploaded(KNOWN + LINES)
        self.read(run, seconds=0)
        earlier = dict(staging._open)
        staging._open.clear()  # another process goes on
        self.read(run)
        services.read_anew(run=run, meanings=SWAPPED)
        for _ in range(20):  # and forgets, and reads as much as the first one had
            self.read(run, seconds=0)
            if run.rows_read == 500:
                break
        staging._open.clear()
        staging._open.update(earlier)
        self.read(run)
        self.assertEqual((run.state, run.rows.count()), (RunState.READY, 1200))
        self.assertFalse(run.rows.exclude(from_object_type="tickets").exists())

    def test_what_is_chosen_for_another_file_changes_nothing_halfway(self) -> None:
        first = self.file(KNOWN + "1;2;x\n")
        run = self.uploaded(KNOWN + LINES)
        self.read(run, seconds=0)
        services.read_anew(run=first, meanings=SWAPPED)
        staging._open.clear()  # another process goes on
        self.read(run)
        self.assertEqual((run.rows_read, run.layout["is_remembered"]), (1200, False))
        self.assertFalse(run.rows.exclude(from_object_type="contacts").exists())

    def test_one_that_is_given_back_their_role_while_rows_are_forgotten_sends_no_part(self) -> None:
        run = self.uploaded(KNOWN + LINES)
        self.read(run)
        BulkRun.objects.filter(pk=run.pk).update(state=RunState.READING, is_read=False)
        self.user.is_active = False
        self.user.save()
        self.read(run, seconds=0)
        self.assertEqual(run.rows.count(), 700)
        self.user.is_active = True
        self.user.save()
        self.read(run)
        self.assertEqual(run.rows.count(), 0)
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "access_ended"))

    def test_whoever_takes_a_run_over_leaves_no_file_behind(self) -> None:
        run = self.file(KNOWN + LINES[:120])
        self.user.is_active = False
        self.user.save()
        services.take_over(user=person("an admin", "admin"), run=run, meta=RequestMeta())
        run.refresh_from_db()
        self.assertEqual((run.uploads.count(), run.layout), (0, {}))


class StartTests(FileTestCase):
    def test_a_page_that_shows_an_earlier_reading_starts_nothing(self) -> None:
        run = self.file(KNOWN + LINES[:120])
        client = SignedInClient(self.user)
        page = client.get(run.get_absolute_url()).content.decode()
        earlier = page.split('name="reading" value="')[1].split('"')[0]
        stale = BulkRun.objects.get(pk=run.pk)
        self.said(run, *SWAPPED)
        answer = client.post(
            f"{run.get_absolute_url()}start/", {"way": "batch", "reading": earlier}
        )
        self.assertRedirects(answer, f"{run.get_absolute_url()}?moved")
        with self.assertRaises(services.NotPossibleError):
            services.start(user=self.user, run=stale, way="batch", skip_linked=False)
        run.refresh_from_db()
        self.assertEqual((run.state, run.uploads.count()), (RunState.READY, 1))
        now = run.read_at.isoformat()
        client.post(f"{run.get_absolute_url()}start/", {"way": "batch", "reading": now})
        run.refresh_from_db()
        self.assertEqual(run.state, RunState.QUEUEING)


class ChosenBadlyTests(FileTestCase):
    def test_a_file_stays_whatever_the_choice_leads_to(self) -> None:
        run = self.file("contact id;company id;others\n501;902;1,\n")
        for problem, stays in (
            ("broken_text", True),
            ("too_many_columns", True),
            ("too_many_rows", True),
            ("long_cell", True),
            ("access_ended", False),
        ):
            with self.subTest(problem):
                run.problem, run.state, run.chosen = problem, RunState.UNREADABLE, {"meanings": []}
                self.assertEqual(mapping.can_be_chosen(run), stays)
                run.chosen = {}
                self.assertFalse(mapping.can_be_chosen(run))
