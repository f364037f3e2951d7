"""`manage.py bulk`: a run from the shell, by the same services and tasks as from its page."""

import tempfile
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from associations.bulk import services, tasks
from associations.bulk.allowance import RUNS
from associations.management.acting import EXIT_CODES, Exit
from associations.models import AssociationRequest, BulkRun, EventKind, SecurityEvent, Worker
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.models import User
from hubadmin.web.command_line import account
from tests.associations.bulk.engine import HEADER, NO_CONTACT, EngineTestCase, row
from tests.associations.management.commands import Ended, run_command
from tests.support import missing_table, person


class BulkTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, *lines: str, name: str = "pairs.csv") -> str:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def ran(self, *args: str) -> Ended:
        ended = run_command("bulk", *args, "--as", "support@example.com")
        self.assertEqual(ended.facts["exit_code"], ended.code)
        self.assertTrue(ended.said.strip())
        self.assertNotIn(SANDBOX_TOKEN, ended.written + ended.said)
        return ended

    def assert_nothing_is_left(self) -> None:
        self.assertFalse(BulkRun.objects.exists())
        self.assertFalse(AssociationRequest.objects.exists())
        self.assertEqual(self.puts(), [])

    def test_a_dry_run_tells_counts_and_rows_by_line_and_keeps_nothing(self) -> None:
        path = self.file(HEADER, row(1), row(1), "Contact,x y,Company,902", row(2))
        ended = self.ran(path, "--dry-run")
        self.assertEqual(ended.code, Exit.NAMES_NONE)
        rows = ended.facts["rows"]
        told = [rows[name] for name in ("read", "ready", "double", "cannot_be_sent")]
        self.assertEqual(told, [4, 2, 1, 1])
        (bad,) = ended.facts["left_out"]
        self.assertEqual((bad["line"], bad["from_object_id"]), (4, "x y"))
        self.assertTrue(bad["problem"] and bad["reason_code"])
        self.assert_nothing_is_left()
        whats = SecurityEvent.objects.order_by("pk").values_list("what", "user_agent")
        said = f"hubadmin bulk command, by system user {account()}"
        self.assertEqual(
            [(EventKind.RUN_UPLOADED, said), (EventKind.RUN_DISCARDED, said)], [*whats]
        )

    def test_a_dry_run_of_which_all_could_be_sent_ends_well(self) -> None:
        ended = self.ran(self.file(HEADER, row(1)), "--dry-run")
        self.assertEqual((ended.code, ended.facts["left_out"]), (Exit.DONE, []))
        self.assert_nothing_is_left()

    def test_a_run_is_sent_without_a_worker_and_each_entry_says_who_ran_it(self) -> None:
        ended = self.ran(self.file(HEADER, row(1), row(2)), "--reason", "SUP-7")
        self.assertEqual((ended.code, ended.facts["state"]), (Exit.DONE, "done"), ended)
        self.assertEqual(ended.facts["outcomes"]["linked"], 2)
        run = BulkRun.objects.get()
        self.check(run)
        self.assertEqual((run.name, run.user), ("pairs.csv", self.user))
        for entry in run.entries.all():
            self.assertEqual(entry.user_agent, f"hubadmin bulk command, by system user {account()}")
            self.assertEqual((entry.client_ip, entry.request_id, entry.reason), (None, "", "SUP-7"))

    def test_the_code_is_that_of_the_worst_and_the_pairs_are_told(self) -> None:
        path = self.file(HEADER, row(1), row(2, contact=NO_CONTACT), "Contact,,Company,902")
        ended = self.ran(path, "--way", "single")
        if ended.facts["outcomes"]["rejected"]:  # else the dry run has found out that it is missing
            self.assertEqual(ended.code, Exit.REFUSED)
            (refused,) = ended.facts["not_linked"]
            self.assertEqual((refused["line"], refused["outcome"]), (3, "rejected"))
            self.assertEqual(refused["from_object_id"], str(NO_CONTACT))
        else:
            self.assertEqual(ended.code, Exit.NAMES_NONE)
        self.assertIn(4, [each["line"] for each in ended.facts["left_out"]])
        self.assertEqual(ended.facts["outcomes"]["linked"], 1)

    def test_rows_left_out_are_a_code_of_their_own(self) -> None:
        ended = self.ran(self.file(HEADER, row(1), "Contact,,Company,902"))
        self.assertEqual((ended.code, ended.facts["outcomes"]["linked"]), (Exit.NAMES_NONE, 1))

    @override_settings(HUBSPOT_VERIFY=True)
    def test_what_is_linked_already_may_be_left_out(self) -> None:
        path = self.file(HEADER, "Contact,501,Company,902")
        self.ran(path)
        ended = self.ran(path, "--skip-linked")
        self.assertEqual((ended.code, ended.facts["rows"]["linked_already"]), (Exit.DONE, 1), ended)
        self.assertEqual(BulkRun.objects.count(), 1, "what has nothing to send is not kept")

    def test_columns_are_mapped_by_heading_number_and_letter(self) -> None:
        path = self.file("Who,Where,Ticket,Phone", "1000001,2000001,SUP-9,5", "1000002,2000002,S,6")
        said = ["who=contact id", "2=company id", "C=reason", "Phone=ignore"]
        args = [part for each in said for part in ("--map", each)]
        ended = self.ran(path, *args)
        self.assertEqual((ended.code, ended.facts["outcomes"]["linked"]), (Exit.DONE, 2), ended)
        entry = AssociationRequest.objects.order_by("pk").first()
        self.assertEqual((entry.from_object_type, entry.to_object_type), ("contacts", "companies"))
        self.assertEqual((entry.from_object_id, entry.reason), ("1000001", "SUP-9"))

    def test_what_only_somebody_can_choose_is_left_out_with_what_could_be_meant(self) -> None:
        lines = ["ada@example.com,analytical.example", "501,nordlicht", "nobody@example.com,902"]
        path = self.file("Who,Where", *lines)
        ended = self.ran(path, "--map", "Who=contact e-mail", "--map", "Where=company domain")
        self.assertEqual(ended.code, Exit.NAMES_NONE)
        self.assertEqual(ended.facts["rows"]["to_choose"], 1)
        told = {each["line"]: each for each in ended.facts["left_out"]}
        self.assertEqual({*told}, {3, 4})
        names = [each["name"] for each in told[3]["candidates"]]
        self.assertIn("Nordlicht Energie", names)
        self.assertNotIn("candidates", told[4])
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.from_object_id, entry.to_object_id), ("501", "902"))

    def test_sides_may_be_said_and_go_before_what_was_proposed(self) -> None:
        path = self.file("From,To", "2000001,1000001")
        ended = self.ran(path, "--map", "To=from: Contact", "--map", "From=to: Company")
        self.assertEqual(ended.code, Exit.DONE, ended)
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.from_object_id, entry.to_object_id), ("1000001", "2000001"))

    def test_the_names_of_the_pages_choices_are_taken(self) -> None:
        path = self.file("A1,B1", "1000001,2000001")
        said = ("--map", "1=from_object_id:contacts", "--map", "2=to_object_id:companies")
        self.assertEqual(self.ran(path, *said, "--dry-run").code, Exit.DONE)

    def test_what_cannot_be_mapped_is_told_and_nothing_is_kept(self) -> None:
        path = self.file("Who,Where,Where", "1000001,2000001,3")
        for said in (
            ["Who"],
            ["Nowhere=contact id"],
            ["Where=company id"],
            ["9=company id"],
            ["Who=a potato"],
            ["Who=contact id"],
            ["Who=from: contact", "2=from: contact"],
        ):
            with self.subTest(said):
                args = [part for each in said for part in ("--map", each)]
                ended = self.ran(path, *args)
                self.assertEqual((ended.code, ended.facts["reason"]), (Exit.USAGE, "map"), ended)
                self.assert_nothing_is_left()

    def test_a_file_that_cannot_be_read_is_told_and_nothing_is_kept(self) -> None:
        for name, lines, reason in (
            ("empty.csv", [], "empty"),
            ("one.csv", ["Colour,Size", "red,3"], None),
        ):
            with self.subTest(name):
                ended = self.ran(self.file(*lines, name=name))
                self.assertEqual(ended.code, Exit.USAGE, ended)
                self.assertEqual(ended.facts["reason"], reason or ended.facts["reason"])
                self.assert_nothing_is_left()
        ended = self.ran(str(self.folder / "nowhere.csv"))
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.USAGE, "no_file"))

    @override_settings(BULK_MAX_BYTES=100)
    def test_no_file_is_larger_than_by_the_page(self) -> None:
        ended = self.ran(self.file(HEADER, *(row(n) for n in range(20))))
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.USAGE, "too_large"))
        self.assert_nothing_is_left()

    def test_a_reason_is_that_of_the_form(self) -> None:
        ended = self.ran(self.file(HEADER, row(1)), "--reason", "x" * 501)
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.USAGE, "reason"))
        self.assert_nothing_is_left()

    def test_nobody_has_more_waiting_than_by_the_page(self) -> None:
        for number in range(RUNS):
            self.uploaded(row(number))
        ended = self.ran(self.file(HEADER, row(1)))
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.NOT_SENT, "used_up"))
        self.assertEqual(BulkRun.objects.count(), RUNS)

    def test_without_a_database_that_takes_it_nothing_is_sent(self) -> None:
        with missing_table(SecurityEvent):
            ended = self.ran(self.file(HEADER, row(1)))
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.NOT_SENT, "not_kept"))
        self.assert_nothing_is_left()

    def test_a_run_that_pauses_ends_the_command_and_stays(self) -> None:
        self.fault(status=401, method="POST", path="associate")
        self.fault(status=401, method="PUT")
        ended = self.ran(self.file(HEADER, row(1)), "--way", "single")
        self.assertEqual((ended.code, ended.facts["state"]), (Exit.NOT_SENT, "paused"), ended)
        self.assertEqual(BulkRun.objects.get().state, "paused")

    def test_who_has_left_meanwhile_has_nothing_sent(self) -> None:
        started = services.start

        def left(**kwargs: object) -> None:
            started(**kwargs)
            User.objects.filter(pk=self.user.pk).update(is_active=False)

        with mock.patch.object(services, "start", left):
            ended = self.ran(self.file(HEADER, row(1)))
        self.assertEqual((ended.code, ended.facts["state"]), (Exit.NOT_SENT, "paused"), ended)
        self.assertEqual(self.puts(), [])

    def test_work_is_left_to_workers_where_others_wait_too(self) -> None:
        run = self.uploaded(row(1))
        other = person("other")
        Worker.objects.create(name="one", seen_at=timezone.now())
        self.assertTrue(tasks.work_on(run), "nobody else waits")
        theirs = services.create(
            user=other, meta=services.NOWHERE, name="y.csv", parts=[b"x"], way="batch"
        )
        own = self.uploaded(row(2))
        self.assertFalse(tasks.work_on(own))
        Worker.objects.all().delete()
        self.assertTrue(tasks.work_on(own))
        theirs.refresh_from_db()
        self.assertEqual(theirs.state, "reading", "it does nobody else's work")

    def test_what_somebody_else_has_to_approve_waits_on_its_page(self) -> None:
        with override_settings(BULK_APPROVAL_ROWS=1):
            ended = self.ran(self.file(HEADER, row(1), row(2)))
        self.assertEqual((ended.code, ended.facts["reason"]), (Exit.APPROVAL, "approval"), ended)
        self.assertEqual(BulkRun.objects.get().state, "ready")
        self.assertEqual(self.puts(), [])
        self.assertFalse(AssociationRequest.objects.exists())


class ExitCodeTests(SimpleTestCase):
    def test_the_table_in_the_readme_is_that_of_the_help(self) -> None:
        lines = EXIT_CODES.splitlines()[1:-1]
        told = [(line[:3].strip(), line[5:]) for line in lines]
        self.assertEqual([int(code) for code, _text in told], [*Exit])
        readme = (settings.BASE_DIR / "associations" / "README.md").read_text()
        for code, text in told:
            self.assertIn(f"| {code} | {text} |", readme)
